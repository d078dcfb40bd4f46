//! The server's clock, reckoned from when it was last read.

use super::connection::PgConnection;
use super::glance::Glance;
use super::mode::Mode;
use super::value::PgRow;
use crate::model::{Millis, Row as _, Value};
use crate::platform::{Clock as _, SystemClock};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio_postgres::Row as ServerRow;

const CLOCK: &str = "SELECT clock_timestamp()";

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
const CLOSE_ENOUGH: Duration = Duration::from_micros(300);
/// How long a reading of the server's clock is gone by.
const READING_HOLDS: Duration = Duration::from_secs(1);
/// A transaction that took so long to begin does not go by a time from before.
pub(super) const TOO_LATE: Duration = Duration::from_millis(100);

impl PgConnection {
    /// The server's time, read or reckoned, once per transaction; `None` when the store goes by a clock of its own.
    pub(super) fn time(&self) -> Option<Millis> {
        if !self.server_clock {
            return None;
        }
        if self.clock.get().is_none()
            && matches!(self.mode.get(), Mode::Read | Mode::Beside)
            && !self.exact.get()
            && let Some(estimate) = self.last_time.now()
        {
            self.clock.set(Some(estimate));
            self.guessed.set(!self.begun.get());
        }
        if self.clock.get().is_none() && self.check().is_ok() {
            // What goes wrong here goes wrong for the whole transaction, and is told by what comes next.
            let asked = self.statement(CLOCK, &[]).and_then(|known| {
                let since = Instant::now();
                let mut read = |row: &ServerRow| {
                    if let Value::Integer(now) = PgRow(row).get(0)? {
                        self.clock.set(Some(Millis(now)));
                        if since.elapsed() < CLOSE_ENOUGH {
                            self.last_time.remember(Millis(now));
                        }
                    }
                    Ok(())
                };
                let mut ask = || self.settle(self.run(&known, &[], &mut read)).map(|_| ());
                let begins = matches!(*self.glance.borrow(), Glance::Over);
                // Time passes whether there is a transaction or not.
                if begins { ask() } else { self.outside(ask) }
            });
            self.no_time.replace(asked.err());
        }
        Some(self.clock.get().unwrap_or_else(|| SystemClock.now()))
    }
}
