//! What every rule works with: the open transaction, the time, fresh ids, the limits.

use crate::error::{ErrorCode, Result};
use crate::model::{Millis, Record};
use crate::platform::Clock;
use crate::sql::Connection;
use std::cell::Cell;
use std::sync::Mutex;
use uuid::timestamp::context::ContextV7;
use uuid::{Timestamp, Uuid};

/// What a store refuses to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of one JSON or text value; 16 MiB by default.
    pub max_json_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_json_bytes: 16 * 1024 * 1024 }
    }
}

/// Gives fresh ids: UUIDv7, increasing within a store even in one millisecond.
#[derive(Debug)]
pub struct IdSource {
    sequence: Mutex<ContextV7>,
}

impl Default for IdSource {
    fn default() -> Self {
        IdSource { sequence: Mutex::new(ContextV7::new()) }
    }
}

impl IdSource {
    fn fresh(&self, now: Millis) -> String {
        let millis = u64::try_from(now.0).unwrap_or(0);
        let sequence = self.sequence.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let nanos = u32::try_from(millis % 1_000).unwrap_or(0) * 1_000_000;
        Uuid::new_v7(Timestamp::from_unix(&*sequence, millis / 1_000, nanos)).to_string()
    }
}

/// One open transaction, as the rules see it. Time stands still in it.
pub struct Context<'a> {
    pub(super) connection: &'a dyn Connection,
    clock: &'a dyn Clock,
    ids: &'a IdSource,
    limits: Limits,
    now: Cell<Option<Millis>>,
}

impl<'a> Context<'a> {
    /// Over an open transaction.
    #[must_use]
    pub fn new(connection: &'a dyn Connection, clock: &'a dyn Clock, ids: &'a IdSource, limits: Limits) -> Self {
        Context { connection, clock, ids, limits, now: Cell::new(None) }
    }

    /// The time of this transaction.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.now.get().unwrap_or_else(|| {
            let now = self.clock.now();
            self.now.set(Some(now));
            now
        })
    }

    /// The connection below.
    #[must_use]
    pub fn connection(&self) -> &'a dyn Connection {
        self.connection
    }

    pub(super) fn fresh_id(&self) -> String {
        self.ids.fresh(self.now())
    }

    /// A secret that nobody can guess.
    #[allow(clippy::unused_self)]
    pub(super) fn fresh_token(&self) -> String {
        Uuid::new_v4().simple().to_string()
    }

    /// A random number from 0 to 1.
    #[allow(clippy::unused_self, clippy::cast_precision_loss, clippy::cast_possible_truncation)] // 53 bits fit a double
    pub(super) fn random(&self) -> f64 {
        (Uuid::new_v4().as_u128() as u64 & ((1 << 53) - 1)) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn check<R: Record>(&self, record: &R) -> Result<()> {
        record.check(self.limits.max_json_bytes)
    }

    pub(super) fn check_text(&self, field: &str, text: &str) -> Result<()> {
        if text.contains('\0') {
            return Err(crate::Error::invalid(field, "must not contain NUL"));
        }
        self.check_size(field, text)
    }

    pub(super) fn check_size(&self, field: &str, text: &str) -> Result<()> {
        let (length, max) = (text.len(), self.limits.max_json_bytes);
        if length > max {
            return Err(crate::Error::invalid(field, format!("has {length} bytes, more than the limit of {max}")));
        }
        Ok(())
    }

    /// Runs `body` so that its failure leaves nothing of it behind, and what was before stays.
    ///
    /// # Errors
    /// What `body` returns.
    pub(crate) fn atomically<T>(&self, body: impl FnOnce() -> Result<T>) -> Result<T> {
        self.connection.execute("SAVEPOINT operation", &[])?;
        let result = body();
        if result.is_err() {
            self.connection.execute("ROLLBACK TO operation", &[])?;
        }
        self.connection.execute("RELEASE operation", &[])?;
        result
    }
}

/// The state of a record does not allow this.
pub(super) fn illegal(table: &'static str, id: &str, what: &str) -> crate::Error {
    ErrorCode::Conflict.error(format!("{table} {id}: {what}")).of(table, id)
}
