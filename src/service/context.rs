//! What every rule works with: the open transaction, the time, fresh ids, the limits.

use crate::error::{ErrorCode, Result};
use crate::model::{MAX_KEY_BYTES, Millis, Record};
use crate::platform::Clock;
use crate::sql::Connection;
use std::cell::Cell;
use std::sync::Mutex;
use uuid::Uuid;

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

/// Gives fresh ids: UUIDv7, increasing within a store.
///
/// Within a millisecond the random part of the id before is raised by a random step (RFC 9562, section 6.2, method 2), so
/// that many ids in one transaction need secure randomness once.
#[derive(Debug, Default)]
pub struct IdSource {
    last: Mutex<Last>,
}

/// The last id: its time, its 74 random bits, and what the next step is drawn from.
#[derive(Debug, Default)]
struct Last {
    millis: u64,
    random: u128,
    steps: u64,
}

const RANDOM_BITS: u128 = (1 << 74) - 1;

impl IdSource {
    fn fresh(&self, now: Millis) -> String {
        let millis = u64::try_from(now.0).unwrap_or(0) & ((1 << 48) - 1);
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if millis > last.millis || last.steps == 0 {
            let seed = Uuid::new_v4().as_u128();
            last.millis = millis.max(last.millis);
            // The highest bit stays free, so that there is room to count up.
            last.random = seed & (RANDOM_BITS >> 1);
            last.steps = (seed >> 64) as u64 | 1;
        } else {
            // xorshift64: the steps need to be unlike, not unguessable.
            last.steps ^= last.steps << 13;
            last.steps ^= last.steps >> 7;
            last.steps ^= last.steps << 17;
            last.random = (last.random + 1 + u128::from(last.steps >> 32)) & RANDOM_BITS;
        }
        let (high, low) = ((last.random >> 62) & 0xfff, last.random & ((1 << 62) - 1));
        let uuid = u128::from(last.millis) << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low;
        Uuid::from_u128(uuid).to_string()
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
            let now = self.connection.now().unwrap_or_else(|| self.clock.now());
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

    /// A text that an index holds.
    pub(super) fn check_key(&self, field: &str, text: &str) -> Result<()> {
        self.check_text(field, text)?;
        match text.len() {
            length if length > MAX_KEY_BYTES => {
                Err(crate::Error::invalid(field, format!("has {length} bytes, more than the limit of {MAX_KEY_BYTES}")))
            }
            _ => Ok(()),
        }
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
