//! Handing work to the reading threads, and their answers back: quickly, when both sides are awake.
//!
//! To wake a thread takes longer than most reads. So a thread that has nothing to do looks out for work a little while before
//! it sleeps, and who hands it some looks out for the answer a little while before it waits.

use super::writer::LOOK_OUT;
use crate::backend::closed;
use crate::error::Result;
use futures_channel::oneshot;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer is looked out for, on a thread that has other things to do: about as long as it takes to wake one.
const ANSWERED: Duration = Duration::from_micros(20);

/// What waits for a thread.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    more: Condvar,
    /// How many wait, for who looks out.
    waiting: AtomicUsize,
}

struct State<T> {
    waiting: VecDeque<T>,
    /// One thread looks out; the others sleep.
    watched: bool,
    closed: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let state = State { waiting: VecDeque::new(), watched: false, closed: false };
        Queue { state: Mutex::new(state), more: Condvar::new(), waiting: AtomicUsize::new(0) }
    }
}

impl<T> Queue<T> {
    fn locked(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds work; `true` when a thread takes it at once.
    ///
    /// # Errors
    /// `CLOSED`.
    pub(super) fn push(&self, work: T) -> Result<bool> {
        let mut state = self.locked();
        if state.closed {
            return Err(closed());
        }
        state.waiting.push_back(work);
        self.waiting.store(state.waiting.len(), Ordering::Release);
        let at_once = state.watched && state.waiting.len() == 1;
        if !at_once {
            self.more.notify_one();
        }
        Ok(at_once)
    }

    /// The next piece of work, when there is one; `None` when there will be none any more.
    pub(super) fn next(&self) -> Option<T> {
        let mut state = self.locked();
        let mut look = true;
        loop {
            if let Some(work) = state.waiting.pop_front() {
                self.waiting.store(state.waiting.len(), Ordering::Release);
                return Some(work);
            }
            if state.closed {
                return None;
            }
            if look && !state.watched {
                state.watched = true;
                drop(state);
                look_out(LOOK_OUT, || (self.waiting.load(Ordering::Acquire) > 0).then_some(()));
                state = self.locked();
                state.watched = false;
                look = false;
                continue;
            }
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes no more work; what waits is still done.
    pub(super) fn close(&self) {
        self.locked().closed = true;
        self.more.notify_all();
    }
}

/// Waits for an answer; looks out for it when it is worked on already, for no longer than waking this thread would take.
pub(super) async fn answer<T>(mut coming: oneshot::Receiver<T>, at_once: bool) -> Option<T> {
    static PARALLEL: LazyLock<bool> =
        LazyLock::new(|| std::thread::available_parallelism().is_ok_and(|threads| threads.get() > 1));
    if at_once && *PARALLEL {
        let came = look_out(ANSWERED, || coming.try_recv().transpose());
        if let Some(came) = came {
            return came.ok();
        }
    }
    coming.await.ok()
}

/// Looks until there is something, at most so long.
fn look_out<T>(at_most: Duration, look: impl FnMut() -> Option<T>) -> Option<T> {
    let mut look = look;
    let until = Instant::now() + at_most;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= until {
            return None;
        }
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::{Queue, answer};
    use futures_channel::oneshot;
    use std::sync::Arc;

    #[test]
    fn everything_that_is_handed_over_is_done_once_by_whichever_thread() {
        let queue = Arc::new(Queue::default());
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let queue: Arc<Queue<u64>> = queue.clone();
                std::thread::spawn(move || std::iter::from_fn(|| queue.next()).sum::<u64>())
            })
            .collect();
        for number in 1..=1_000 {
            queue.push(number).unwrap();
        }
        queue.close();
        let sum: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(sum, 500_500);
        assert!(queue.push(1).is_err());
    }

    #[test]
    fn an_answer_arrives_whether_it_is_looked_out_for_or_not() {
        for at_once in [false, true] {
            let (early, there) = oneshot::channel();
            early.send(1).unwrap();
            assert_eq!(crate::testing::block_on(answer(there, at_once)), Some(1));
            let (late, coming) = oneshot::channel();
            let thread = std::thread::spawn(move || late.send(2));
            assert_eq!(crate::testing::block_on(answer(coming, at_once)), Some(2));
            thread.join().unwrap().unwrap();
            let (never, gone) = oneshot::channel::<u8>();
            drop(never);
            assert_eq!(crate::testing::block_on(answer(gone, at_once)), None);
        }
    }
}
