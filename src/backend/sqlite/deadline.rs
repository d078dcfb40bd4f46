//! The limit of a statement's time.

use super::connection::from_sqlite;
use crate::error::Result;
use rusqlite::Connection;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many steps of SQLite's machine lie between two looks at the clock: some tenths of a millisecond.
const STEPS: i32 = 10_000;

/// Interrupts the statement that has taken too long.
pub(super) struct Deadline {
    epoch: Instant,
    limit: Duration,
    /// In milliseconds since the epoch.
    at: Arc<AtomicU64>,
    suspended: Cell<bool>,
}

impl Deadline {
    /// Watches a connection; `None` for a limit of 0, which is none.
    pub(super) fn set(connection: &mut Connection, millis: u32) -> Result<Option<Self>> {
        if millis == 0 {
            return Ok(None);
        }
        let (epoch, at) = (Instant::now(), Arc::new(AtomicU64::new(u64::MAX)));
        let deadline =
            Deadline { epoch, limit: Duration::from_millis(millis.into()), at: at.clone(), suspended: Cell::default() };
        let too_late = move || since(epoch) > at.load(Ordering::Relaxed);
        connection.progress_handler(STEPS, Some(too_late)).map_err(from_sqlite)?;
        Ok(Some(deadline))
    }

    /// Lets statements take as long as they like, or not any more.
    pub(super) fn suspend(&self, suspended: bool) {
        self.suspended.set(suspended);
        self.at.store(u64::MAX, Ordering::Relaxed);
    }

    /// A statement begins now.
    pub(super) fn begin(&self) {
        if self.suspended.get() {
            return;
        }
        let limit = u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX);
        self.at.store(since(self.epoch).saturating_add(limit), Ordering::Relaxed);
    }
}

fn since(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
}
