//! The threads that asynchronous calls run on: started when all others are busy, ended when there is nothing to do.

use crate::backend::closed;
use crate::error::{Error, Result};
use crate::platform::BoxFuture;
use futures_channel::oneshot;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a thread waits for more to do.
const PATIENCE: Duration = Duration::from_secs(10);

type Work = Box<dyn FnOnce() + Send>;

/// Clones are one set of threads.
#[derive(Clone)]
pub(super) struct Threads(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    most: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    threads: usize,
    idle: usize,
}

impl Threads {
    pub(super) fn new(most: usize) -> Self {
        Threads(Arc::new(Shared { state: Mutex::default(), work: Condvar::new(), most: most.max(1) }))
    }

    /// Runs something on a thread; resolves when it is done. It is done also when nobody waits for it any more.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        self.run_as(false, work)
    }

    /// As [`run`](Self::run), for who has a connection already: does not wait for threads that wait for one.
    pub(super) fn run_at_once<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        self.run_as(true, work)
    }

    fn run_as<T: Send + 'static>(
        &self,
        urgent: bool,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let (answer, outcome) = oneshot::channel();
        let work: Work = Box::new(move || {
            if let Ok(outcome) = catch_unwind(AssertUnwindSafe(work)) {
                // A caller that went away does not want the answer.
                let _ = answer.send(outcome);
            }
        });
        let started = self.submit(urgent, work);
        Box::pin(async move {
            started?;
            outcome.await.unwrap_or_else(|_| Err(Error::internal("a job panicked")))
        })
    }

    fn submit(&self, urgent: bool, work: Work) -> Result<()> {
        let mut state = self.0.locked();
        match urgent {
            true => state.waiting.push_front(work),
            false => state.waiting.push_back(work),
        }
        if state.waiting.len() <= state.idle || (state.threads >= self.0.most && !urgent) {
            self.0.work.notify_one();
            return Ok(());
        }
        state.threads += 1;
        drop(state);
        let shared = self.0.clone();
        let thread = std::thread::Builder::new().name("swarmstore-postgres".to_owned());
        match thread.spawn(move || shared.serve()) {
            Ok(_) => Ok(()),
            Err(error) => {
                let mut state = self.0.locked();
                state.threads -= 1;
                if state.threads > 0 {
                    return Ok(());
                }
                state.waiting.clear();
                Err(closed().caused_by(error))
            }
        }
    }
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        let mut state = self.locked();
        loop {
            if let Some(work) = state.waiting.pop_front() {
                drop(state);
                work();
                state = self.locked();
                if state.threads > self.most {
                    // One that was started for something urgent.
                    state.threads -= 1;
                    return;
                }
                continue;
            }
            state.idle += 1;
            let (after, waited) = self.work.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            state = after;
            state.idle -= 1;
            if waited.timed_out() && state.waiting.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}
