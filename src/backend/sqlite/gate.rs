//! Where threads that block wait for their turn to write.
//!
//! A thread that sleeps takes as long to wake as a small transaction takes to be made, so handing over after each would halve
//! what several of them get done together. So whoever comes while the gate is open goes through, although others are being
//! woken, until the turn has lasted for a while; then it is somebody's who waited.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a turn may last while others wait.
const TURN: Duration = Duration::from_millis(2);

#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Somebody is inside.
    busy: bool,
    /// So many wait.
    waiting: usize,
    /// One of them has been woken and has not looked yet.
    woken: bool,
    /// The turn is over: only who waited goes through.
    reserved: bool,
    /// When the turn began.
    since: Option<Instant>,
}

/// Whoever holds this is inside, alone.
#[derive(Debug)]
pub(super) struct Inside<'a>(&'a Gate);

impl Gate {
    /// Waits until nobody is inside.
    pub(super) fn enter(&self) -> Inside<'_> {
        let mut state = self.state();
        if state.busy || state.reserved {
            state.waiting += 1;
            loop {
                state = self.opened.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.woken = false;
                if !state.busy {
                    break;
                }
            }
            state.waiting -= 1;
            state.reserved = false;
            state.since = None;
        }
        state.busy = true;
        state.since.get_or_insert_with(Instant::now);
        Inside(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.busy = false;
        if state.waiting == 0 {
            state.since = None;
            return;
        }
        state.reserved = state.since.is_none_or(|since| since.elapsed() >= TURN);
        if !std::mem::replace(&mut state.woken, true) {
            drop(state);
            self.0.opened.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Gate;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    #[test]
    fn one_at_a_time_is_inside() {
        let (gate, inside, visits) = (Gate::default(), AtomicBool::new(false), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let _inside = gate.enter();
                        assert!(!inside.swap(true, Ordering::Relaxed));
                        visits.fetch_add(1, Ordering::Relaxed);
                        inside.store(false, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(visits.into_inner(), 16_000);
    }

    #[test]
    fn who_waits_gets_in_although_another_goes_in_again_and_again() {
        let (gate, done) = (Gate::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let _inside = gate.enter();
                }
            });
            for _ in 0..10 {
                drop(gate.enter());
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}
