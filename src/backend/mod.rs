//! What an engine has to do to carry a store.

#[cfg(not(target_family = "wasm"))]
mod json_files;
#[cfg(all(feature = "postgres", not(target_family = "wasm")))]
mod postgres;
mod settings;
mod sqlite;
#[cfg(target_family = "wasm")]
pub(crate) mod web;

pub(crate) use settings::{FlushErrorHandler, OpenRequest, Settings};

use crate::error::{Error, ErrorCode, Result};
use crate::platform::{BoxFuture, MaybeSend, MaybeSync};
use crate::sql::Connection;
use std::sync::Arc;

/// When an acknowledged write is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Acknowledged when committed in memory; kept within the sync interval. Natively the same as `Durable`.
    Relaxed,
    /// Acknowledged when the storage reports it kept. Survives a crash of the process.
    #[default]
    Durable,
    /// Acknowledged when the storage reports it on the disk. Survives a loss of power.
    Strict,
}

/// Where a store lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// In memory only, on purpose.
    Memory,
    /// A SQLite file.
    File,
    /// IndexedDB in a browser.
    IndexedDb,
    /// A folder of JSON files.
    Json,
    /// A backend of the user's own.
    Own,
    /// A PostgreSQL server.
    Postgres,
}

impl Storage {
    /// Its name in JavaScript.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Storage::Memory => "memory",
            Storage::File => "file",
            Storage::IndexedDb => "indexeddb",
            Storage::Json => "json",
            Storage::Own => "own",
            Storage::Postgres => "postgres",
        }
    }
}

/// How the keeping of writes goes. Times are in milliseconds, and all is 0 or absent where nothing is kept.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FlushState {
    /// The size of the database.
    pub size_bytes: u64,
    /// What is committed in memory and not kept yet.
    pub pending_bytes: u64,
    /// Since when something is pending.
    pub pending_since: Option<crate::model::Millis>,
    /// When the last flush succeeded.
    pub last_flush: Option<crate::model::Millis>,
    /// Why the last flush failed, if it did.
    pub last_error: Option<String>,
    /// How much of the latest work a crash may cost at most.
    pub loss_window_ms: Option<i64>,
}

/// Work to be done inside a transaction. It may be run again, so it touches nothing outside.
pub type Job<'a> = dyn FnMut(&dyn Connection) -> Result<()> + 'a;

/// A job that can be handed to another thread.
#[cfg(not(target_family = "wasm"))]
pub type OwnedJob = Box<dyn FnMut(&dyn Connection) -> Result<()> + Send>;
/// A job that can be handed to another thread, where there are threads.
#[cfg(target_family = "wasm")]
pub type OwnedJob = Box<dyn FnMut(&dyn Connection) -> Result<()>>;

/// What remains to be waited for after a commit in memory; `None` when it is as durable as asked.
#[cfg(not(target_family = "wasm"))]
pub type Receipt = Option<BoxFuture<'static, Result<()>>>;
/// What remains to be waited for after a commit in memory; `None` when it is as durable as asked. Has to be awaited, or
/// made a promise, before the turn of the event loop ends.
#[cfg(target_family = "wasm")]
pub type Receipt = Option<web::Keeping>;

/// An engine. All of its transactions are serializable; writers are one after another.
///
/// Three methods are needed: how to read, how to begin a transaction, how to close. The others follow from them or say that
/// there is no such thing here; an engine that can do better says so by its own. A store is opened over a backend by
/// [`Options::open_on`](crate::Options::open_on), which also makes the tables; the contract suite (feature `testing`)
/// tells whether it keeps its promises, and `examples/own_backend.rs` is a whole one to begin with.
pub trait Backend: MaybeSend + MaybeSync {
    /// Runs a job that reads, on this thread, seeing one committed state throughout. It does not wait for an open
    /// transaction, and sees nothing of it. What the job tries to write fails.
    ///
    /// # Errors
    /// What the job returns, or why it could not be run; `CLOSED`.
    fn read_blocking(&self, job: &mut Job<'_>) -> Result<()>;

    /// Begins an explicit transaction, when it is its turn. Who gives up waiting leaves no trace.
    fn begin(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>>>;

    /// Waits for the open transaction, flushes and closes. Later calls are `CLOSED`; closing again is no error.
    fn close(&self) -> BoxFuture<'_, Result<()>>;

    /// Where the store lives.
    fn storage(&self) -> Storage {
        Storage::Own
    }

    /// Runs a job in a write transaction on this thread, and commits it. By default this waits for [`begin`](Self::begin).
    ///
    /// # Errors
    /// What the job returns; `UNSUPPORTED` where this thread cannot wait for the storage.
    fn write_blocking(&self, job: &mut Job<'_>) -> Result<()> {
        let written = async {
            let mut open = self.begin().await?;
            open.run(job)?;
            open.commit(None).await
        };
        let cannot_wait = || ErrorCode::Unsupported.error("this thread cannot wait for the storage");
        crate::platform::block_on(written).unwrap_or_else(|| Err(cannot_wait()))
    }

    /// Runs a job in a write transaction on this thread if nobody else writes just now, and commits it in memory; the
    /// receipt is what has to be waited for. `None` when it has to wait for its turn, which is what engines with threads
    /// always answer.
    fn write_now(&self, _job: &mut Job<'_>, _durability: Option<Durability>) -> Option<Result<Receipt>> {
        None
    }

    /// Runs a job that reads, seeing the last committed state. By default on the thread that polls.
    fn read(&self, mut job: OwnedJob) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.read_blocking(&mut *job) })
    }

    /// Runs a job in a write transaction; resolves when it is as durable as asked. By default on the thread that polls.
    fn write(&self, mut job: OwnedJob, durability: Option<Durability>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let mut open = self.begin().await?;
            open.run(&mut *job)?;
            open.commit(durability).await
        })
    }

    /// Keeps all that is committed. By default it is kept already.
    fn flush(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { self.read_blocking(&mut |_| Ok(())) })
    }

    /// The committed state as a SQLite file.
    fn export(&self) -> BoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(std::future::ready(Err(ErrorCode::Unsupported.error("this backend gives no SQLite files"))))
    }

    /// Replaces the whole database by a SQLite file that is verified before.
    fn import(&self, _file: Vec<u8>) -> BoxFuture<'_, Result<()>> {
        Box::pin(std::future::ready(Err(ErrorCode::Unsupported.error("this backend takes no SQLite files"))))
    }

    /// How the keeping of writes goes.
    fn flush_state(&self) -> FlushState {
        FlushState::default()
    }

    /// A JavaScript function that lets go of everything held outside of wasm, to be called when wasm itself cannot be
    /// any more.
    #[cfg(target_family = "wasm")]
    fn abandon(&self) -> wasm_bindgen::JsValue {
        wasm_bindgen::JsValue::UNDEFINED
    }
}

/// An explicit transaction: the writer, held until commit or rollback. Dropping it rolls back.
pub trait Transaction: MaybeSend {
    /// Runs a job inside. A job that fails may leave a part of its work; whoever wants it undone uses a savepoint.
    ///
    /// # Errors
    /// What the job returns.
    fn run(&mut self, job: &mut Job<'_>) -> Result<()>;

    /// Commits; resolves when it is as durable as asked.
    fn commit(self: Box<Self>, durability: Option<Durability>) -> BoxFuture<'static, Result<()>>;

    /// Leaves nothing of it behind. By default by dropping it.
    ///
    /// # Errors
    /// What the engine reports.
    fn rollback(self: Box<Self>) -> Result<()> {
        drop(self);
        Ok(())
    }
}

/// Opens what the URL of a request names.
pub(crate) async fn open(request: OpenRequest) -> Result<Arc<dyn Backend>> {
    #[cfg(all(feature = "postgres", not(target_family = "wasm")))]
    if postgres::is_for(&request.url) {
        return postgres::open(request).await;
    }
    sqlite::open(request).await
}

/// Deletes what a URL names.
pub(crate) async fn destroy(url: &str) -> Result<()> {
    #[cfg(all(feature = "postgres", not(target_family = "wasm")))]
    if postgres::is_for(url) {
        return postgres::destroy(url).await;
    }
    sqlite::destroy(url).await
}

/// What there is of a store, as a SQLite file.
pub(crate) async fn rescue(url: &str) -> Result<Vec<u8>> {
    #[cfg(all(feature = "postgres", not(target_family = "wasm")))]
    if postgres::is_for(url) {
        return postgres::rescue(url).await;
    }
    sqlite::rescue(url).await
}

pub(crate) fn closed() -> Error {
    ErrorCode::Closed.error("the store is closed")
}

/// The version of SQLite that is linked.
#[must_use]
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}
