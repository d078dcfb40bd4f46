//! The server's clock, reckoned from when it was last read.

use crate::model::Millis;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The server's time when it was last read, and when that was by ours.
#[derive(Clone, Copy)]
struct Reading {
    time: Millis,
    at: Instant,
    by_the_wall: SystemTime,
}

impl Reading {
    fn of(time: Millis) -> Self {
        Reading { time, at: Instant::now(), by_the_wall: SystemTime::now() }
    }

    /// The server's time now, behind it by no more than an answer takes; `None` when the reading is too old to go by, or this
    /// machine has slept since.
    fn now(self) -> Option<Millis> {
        let passed = self.at.elapsed();
        let by_the_wall = self.by_the_wall.elapsed().ok()?;
        let fits = passed < READING_HOLDS && by_the_wall.abs_diff(passed) < TOO_LATE;
        fits.then(|| self.time.plus(i64::try_from(passed.as_millis()).unwrap_or(0)))
    }
}

/// The last reading, which all connections of a store go by.
#[derive(Clone, Default)]
pub(super) struct LastTime(Arc<Mutex<Option<Reading>>>);

impl LastTime {
    /// The time by the last reading, if that is of use.
    pub(super) fn now(&self) -> Option<Millis> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).and_then(Reading::now)
    }

    /// Goes by this reading from now on; never back by the little that one may be behind another.
    pub(super) fn remember(&self, read: Millis) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.and_then(Reading::now).filter(|before| (0..=2).contains(&(before.0 - read.0)));
        *last = Some(Reading::of(before.unwrap_or(read)));
    }
}

/// A reading that took longer is not gone by: nobody knows how old it was when it came.
pub(super) const CLOSE_ENOUGH: Duration = Duration::from_micros(300);
/// How long a reading of the server's clock is gone by.
const READING_HOLDS: Duration = Duration::from_secs(1);
/// A transaction that took so long to begin does not go by a time from before.
pub(super) const TOO_LATE: Duration = Duration::from_millis(100);
