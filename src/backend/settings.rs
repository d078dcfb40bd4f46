//! What every backend is opened with.

use super::Durability;
use crate::error::{Error, Result};
use crate::platform::Clock;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// One hour in milliseconds: the longest that anything waits.
const HOUR: u32 = 3_600_000;

/// The plain options of a store, checked before a backend sees them.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(target_family = "wasm", allow(dead_code))] // pools and locks are for machines with threads
pub(crate) struct Settings {
    pub(crate) durability: Durability,
    pub(crate) sync_interval_ms: u32,
    pub(crate) pool_max: u32,
    pub(crate) pool_min_idle: u32,
    pub(crate) connect_timeout_ms: u32,
    pub(crate) idle_timeout_ms: u32,
    pub(crate) busy_timeout_ms: u32,
    /// 0 when a statement may take as long as it likes.
    pub(crate) statement_timeout_ms: u32,
    pub(crate) cache_kib: u32,
    pub(crate) read_only: bool,
    /// Whether the caller gave a clock; if not, a server's own is the better one.
    pub(crate) own_clock: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            durability: Durability::Durable,
            sync_interval_ms: 250,
            pool_max: 32,
            pool_min_idle: 4,
            connect_timeout_ms: 60_000,
            idle_timeout_ms: 600_000,
            busy_timeout_ms: 5_000,
            statement_timeout_ms: 0,
            cache_kib: 2_000,
            read_only: false,
            own_clock: false,
        }
    }
}

impl Settings {
    /// Refuses what is out of range, by the name of its option.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn check(&self) -> Result<()> {
        within("sync_interval_ms", self.sync_interval_ms, 1..=HOUR)?;
        within("pool_max", self.pool_max, 1..=1_000)?;
        within("pool_min_idle", self.pool_min_idle, 0..=self.pool_max)?;
        within("connect_timeout_ms", self.connect_timeout_ms, 1..=HOUR)?;
        within("idle_timeout_ms", self.idle_timeout_ms, 1..=24 * HOUR)?;
        within("busy_timeout_ms", self.busy_timeout_ms, 0..=HOUR)?;
        within("statement_timeout_ms", self.statement_timeout_ms, 0..=HOUR)?;
        within("cache_kib", self.cache_kib, 64..=16 * 1024 * 1024)
    }

    /// Refuses what is out of range, by the name of its option. The others do nothing here.
    #[cfg(target_family = "wasm")]
    pub(crate) fn check(&self) -> Result<()> {
        within("sync_interval_ms", self.sync_interval_ms, 1..=HOUR)
    }
}

fn within(field: &str, value: u32, range: RangeInclusive<u32>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(field, format_args!("expected {} to {}", range.start(), range.end())))
}

/// What a backend needs to know to open.
pub(crate) struct OpenRequest {
    pub(crate) url: String,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    #[cfg_attr(not(target_family = "wasm"), allow(dead_code))] // only the browser's backend flushes by itself
    pub(crate) on_flush_error: Option<Arc<FlushErrorHandler>>,
}

/// Told of a flush that failed with nobody waiting for it.
#[cfg(not(target_family = "wasm"))]
pub(crate) type FlushErrorHandler = dyn Fn(&Error) + Send + Sync;
/// Told of a flush that failed with nobody waiting for it.
#[cfg(target_family = "wasm")]
pub(crate) type FlushErrorHandler = dyn Fn(&Error);
