//! Keeping elsewhere what a connection commits.

use super::SqliteConnection;
use super::connection::from_sqlite;
use super::deadline::Deadline;
use crate::error::{ErrorCode, Result};
use rusqlite::ffi;

/// Keeps what is committed in memory somewhere else, before it is committed in memory.
pub(crate) trait Keeper: Send {
    /// Keeps what the open transaction has changed; returns when it is kept.
    ///
    /// # Errors
    /// `QUOTA`, `PERSISTENCE_LOST`: nothing is kept, and the transaction has to be rolled back.
    fn keep(&mut self, connection: &SqliteConnection) -> Result<()>;

    /// Keeps another database in the place of this one.
    ///
    /// # Errors
    /// As [`keep`](Self::keep).
    fn keep_all(&mut self, from: &SqliteConnection) -> Result<()>;

    /// The open transaction was rolled back.
    fn forget(&mut self);

    /// What was kept is not what is in memory, because the commit failed after it was kept.
    fn distrust(&mut self);

    /// Nothing more will be committed.
    ///
    /// # Errors
    /// Why it could not be tidied up; everything is kept all the same.
    fn close(&mut self) -> Result<()>;
}

impl SqliteConnection {
    /// A connection to nothing, in the place of one that was closed.
    pub(crate) fn nowhere() -> Result<Self> {
        Self::new(rusqlite::Connection::open_in_memory().map_err(from_sqlite)?)
    }

    /// Stops every statement that takes longer; 0 for no limit.
    pub(crate) fn limit_statements(&mut self, millis: u32) -> Result<()> {
        self.deadline = Deadline::set(&mut self.raw, millis)?;
        Ok(())
    }

    /// Does something of ours, for which a caller's limit of a statement's time does not count.
    pub(crate) fn unlimited<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.suspend_limit(true);
        let outcome = body(self);
        self.suspend_limit(false);
        outcome
    }

    fn suspend_limit(&self, suspended: bool) {
        if let Some(deadline) = &self.deadline {
            deadline.suspend(suspended);
        }
    }

    /// From now on nothing is committed that this has not kept.
    pub(crate) fn keep_with(&mut self, keeper: Box<dyn Keeper>) {
        self.keeper = Some(keeper).into();
    }

    /// Keeps what the open transaction has changed, if there is somebody to do so.
    pub(super) fn keep(&self) -> Result<()> {
        let mut keeper = self.keeper.borrow_mut();
        let Some(keeper) = keeper.as_mut() else { return Ok(()) };
        if self.has_open_references() {
            return Err(ErrorCode::Constraint.error("the database refused the change: a reference leads nowhere"));
        }
        self.suspend_limit(true);
        let kept = keeper.keep(self);
        self.suspend_limit(false);
        kept
    }

    pub(super) fn forget(&self) {
        if let Some(keeper) = self.keeper.borrow_mut().as_mut() {
            keeper.forget();
        }
    }

    /// Whether a deferred foreign key would make the commit fail.
    fn has_open_references(&self) -> bool {
        let (mut open, mut highest) = (0, 0);
        // SAFETY: the connection is open, and SQLite only fills in the two numbers.
        let status = unsafe {
            ffi::sqlite3_db_status(
                self.raw.handle(),
                ffi::SQLITE_DBSTATUS_DEFERRED_FKS,
                &raw mut open,
                &raw mut highest,
                0,
            )
        };
        status != ffi::SQLITE_OK || open != 0
    }
}
