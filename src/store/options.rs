//! How a store is opened.

use super::Store;
use crate::backend::{self, Backend, Durability, FlushErrorHandler, OpenRequest, Settings};
use crate::error::{Error, ErrorCode, Result};
use crate::platform::{Clock, MaybeSend, MaybeSync, SystemClock};
use crate::service::Limits;
use crate::sql::{migrate, require_current};
use std::sync::Arc;

/// How a store is opened. Begin with [`Store::options`].
///
/// Every value is checked when the store is opened; one out of range is `INVALID_ARGUMENT` with the option's name. The
/// pool, the cache and the timeouts are for servers: in a browser they do nothing.
#[derive(Clone)]
pub struct Options {
    settings: Settings,
    limits: Limits,
    clock: Arc<dyn Clock>,
    on_flush_error: Option<Arc<FlushErrorHandler>>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            settings: Settings::default(),
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            on_flush_error: None,
        }
    }
}

impl Options {
    /// When an acknowledged write is kept; `Durable` by default.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.settings.durability = durability;
        self
    }

    /// How long a relaxed write may wait to be kept, in milliseconds: 250 by default, 1 to 3,600,000. Only the browser's
    /// backend waits.
    #[must_use]
    pub fn sync_interval_ms(mut self, millis: u32) -> Self {
        self.settings.sync_interval_ms = millis;
        self
    }

    /// What the store refuses to hold.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What tells the time. Without it the machine's clock does, on PostgreSQL the server's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self.settings.own_clock = true;
        self
    }

    /// Told of a flush that failed with nobody waiting for it. Only the browser's backend flushes by itself.
    #[must_use]
    pub fn on_flush_error(mut self, handler: impl Fn(&Error) + MaybeSend + MaybeSync + 'static) -> Self {
        self.on_flush_error = Some(Arc::new(handler));
        self
    }

    /// The most connections that are open at once for reading (on PostgreSQL for anything): 32 by default, 1 to 1,000.
    /// Who needs one more waits for the connect timeout.
    #[must_use]
    pub fn pool_max(mut self, connections: u32) -> Self {
        self.settings.pool_max = connections;
        self
    }

    /// How many connections stay open although nobody needs them: 4 by default, at most the pool's size.
    #[must_use]
    pub fn pool_min_idle(mut self, connections: u32) -> Self {
        self.settings.pool_min_idle = connections;
        self
    }

    /// How long a connection is waited for, in milliseconds: 60,000 by default, 1 to 3,600,000. Then it is `TIMEOUT`.
    #[must_use]
    pub fn connect_timeout_ms(mut self, millis: u32) -> Self {
        self.settings.connect_timeout_ms = millis;
        self
    }

    /// After how long an unused connection is closed, if more than [`pool_min_idle`](Self::pool_min_idle) are open, in
    /// milliseconds: 600,000 by default, 1 to 86,400,000.
    #[must_use]
    pub fn idle_timeout_ms(mut self, millis: u32) -> Self {
        self.settings.idle_timeout_ms = millis;
        self
    }

    /// How long another's lock is waited for, in milliseconds: 5,000 by default, 0 (not at all) to 3,600,000. Then a write
    /// is `TIMEOUT`, and the opening of a folder of JSON files `LOCKED`.
    #[must_use]
    pub fn busy_timeout_ms(mut self, millis: u32) -> Self {
        self.settings.busy_timeout_ms = millis;
        self
    }

    /// How long one statement may take, in milliseconds, up to 3,600,000: 0, the default, is as long as it likes. One that
    /// takes longer is `TIMEOUT`.
    #[must_use]
    pub fn statement_timeout_ms(mut self, millis: u32) -> Self {
        self.settings.statement_timeout_ms = millis;
        self
    }

    /// How much memory each SQLite connection uses for pages, in KiB: 2,000 by default, 64 to 16,777,216 (16 GiB).
    #[must_use]
    pub fn cache_kib(mut self, kib: u32) -> Self {
        self.settings.cache_kib = kib;
        self
    }

    /// Opens only to read. Nothing is created or migrated, and whatever would write is `UNSUPPORTED`; beside a SQLite file
    /// SQLite itself may leave its two helper files, with an empty log. A store in memory would be empty for ever and is
    /// refused, and in a browser this is `UNSUPPORTED`.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.settings.read_only = read_only;
        self
    }

    /// Opens what the URL names: `memory:` anywhere; `sqlite:PATH` or a path, `json:FOLDER` and, with the feature `postgres`,
    /// `postgres://…` natively; `indexeddb:NAME` or a bare name in a browser. Without a URL, `SWARMSTORE_URL` from the environment is taken, then `POSTGRES_URL`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for an option out of range or a URL that makes no sense; `UNSUPPORTED` for a backend that this
    /// build has not; `UNAVAILABLE`, `LOCKED`, `CORRUPT` or `MIGRATION` when the database cannot be opened; read-only,
    /// `NOT_FOUND` when there is none.
    pub async fn open(self, url: &str) -> Result<Store> {
        self.check()?;
        let url = if url.is_empty() { url_of_environment() } else { url.to_owned() };
        if self.settings.read_only && url == "memory:" {
            return Err(Error::invalid("read_only", "a store in memory would stay empty"));
        }
        let request = OpenRequest {
            url,
            settings: self.settings,
            clock: self.clock.clone(),
            on_flush_error: self.on_flush_error,
        };
        let backend = backend::open(request).await?;
        Ok(Store::over(backend, self.clock, self.limits, self.settings.read_only))
    }

    /// As [`open`](Self::open), waiting on this thread.
    ///
    /// # Errors
    /// As [`open`](Self::open); `UNSUPPORTED` for a store in IndexedDB, for which a browser's thread cannot wait.
    pub fn open_blocking(self, url: &str) -> Result<Store> {
        let cannot_wait = || ErrorCode::Unsupported.error("this thread cannot wait for the store to open");
        crate::platform::block_on(self.open(url)).unwrap_or_else(|| Err(cannot_wait()))
    }

    /// Opens a store over a backend of your own, and makes or updates its tables. The clock, the limits and read-only work
    /// as ever; for everything else the backend's own constructor is the place.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for an option out of range; `MIGRATION` when newer code has written the tables; what the backend
    /// reports.
    pub async fn open_on(self, backend: impl Backend + 'static) -> Result<Store> {
        self.check()?;
        #[allow(clippy::arc_with_non_send_sync)] // in wasm there is one thread
        let backend: Arc<dyn Backend> = Arc::new(backend);
        if self.settings.read_only {
            backend.read(Box::new(require_current)).await?;
        } else {
            let now = self.clock.now();
            backend.write(Box::new(move |connection| migrate(connection, now)), None).await?;
        }
        Ok(Store::over(backend, self.clock, self.limits, self.settings.read_only))
    }

    fn check(&self) -> Result<()> {
        self.settings.check()?;
        if self.limits.max_json_bytes == 0 {
            return Err(Error::invalid("max_json_bytes", "expected 1 or more"));
        }
        Ok(())
    }
}

/// What is opened when no URL is given; empty when the environment names none.
fn url_of_environment() -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|url| !url.is_empty());
    set("SWARMSTORE_URL").or_else(|| set("POSTGRES_URL")).unwrap_or_default()
}
