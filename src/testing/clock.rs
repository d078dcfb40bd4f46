//! A clock that stands still until a test moves it.

use crate::model::Millis;
use crate::platform::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// When a [`TestClock`] starts: 15 January 2027.
pub const START: Millis = Millis(1_800_000_000_000);

/// A clock that stands still until it is moved. Clones are one clock.
#[derive(Debug, Clone)]
pub struct TestClock(Arc<AtomicI64>);

impl Default for TestClock {
    fn default() -> Self {
        TestClock(Arc::new(AtomicI64::new(START.0)))
    }
}

impl TestClock {
    /// Moves it by so many milliseconds.
    pub fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }
}
