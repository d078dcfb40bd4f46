//! A SQLite file, or SQLite in memory, on a machine with threads.
//!
//! A file is in WAL mode: one writer and any number of readers, who never wait for each other. Blocking calls run on the
//! caller's thread; asynchronous writes go to a thread that commits together what waits together.

use super::memory::{self, Mount};
use super::readers::Readers;
use super::writer::{Writer, WriterLock};
use super::{SqliteConnection, connection::from_sqlite, image};
use crate::backend::json_files;
use crate::backend::{
    Backend, Durability, FlushState, Job, OpenRequest, OwnedJob, Settings, Storage, Transaction, closed,
};
use crate::error::{ErrorCode, Result};
use crate::platform::{BoxFuture, Clock};
use crate::sql::{Connection, migrate, require_current};
use rusqlite::OpenFlags;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How to make another connection to one database.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    path: String,
    /// Keeps a database in memory alive.
    memory: Option<Arc<Mount>>,
    storage: Storage,
    pub(super) settings: Settings,
}

impl Place {
    /// A new, empty database in memory, with a name of its own for its connections.
    pub(crate) fn in_memory(storage: Storage, settings: Settings) -> Result<Self> {
        static STORES: AtomicU64 = AtomicU64::new(0);
        let number = STORES.fetch_add(1, Ordering::Relaxed);
        let memory = Some(Arc::new(Mount::new(format!("store-{number}"))?));
        Ok(Place { path: String::new(), memory, storage, settings })
    }

    /// A connection with the pragmas that hold on every one.
    pub(crate) fn connect(&self, read_only: bool) -> Result<SqliteConnection> {
        let access = if read_only {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        } else {
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
        };
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let raw = match &self.memory {
            Some(mount) => rusqlite::Connection::open_with_flags_and_vfs(mount.name(), flags, memory::NAME),
            None => rusqlite::Connection::open_with_flags(&self.path, flags),
        };
        let raw = raw.map_err(from_sqlite)?;
        raw.busy_timeout(self.busy_timeout()).map_err(from_sqlite)?;
        let mut connection = SqliteConnection::new(raw)?;
        connection.limit_statements(self.settings.statement_timeout_ms)?;
        connection.execute_script(&format!(
            "PRAGMA synchronous = {}; PRAGMA cache_size = -{};",
            synchronous(self.settings.durability),
            self.settings.cache_kib
        ))?;
        if self.memory.is_some() {
            connection.execute_script("PRAGMA journal_mode = MEMORY;")?;
        }
        if read_only {
            connection.execute_script("PRAGMA query_only = ON;")?;
        }
        Ok(connection)
    }

    fn busy_timeout(&self) -> Duration {
        Duration::from_millis(self.settings.busy_timeout_ms.into())
    }

    /// The connection that writes; the database is made and brought to our version. Read-only, it has to be there.
    fn first_connection(&self, clock: &dyn Clock) -> Result<SqliteConnection> {
        if self.settings.read_only {
            if !Path::new(&self.path).exists() {
                return Err(ErrorCode::NotFound.error("there is no such store, and it is to be read only"));
            }
            let connection = self.connect(true)?;
            require_current(&connection)?;
            return Ok(connection);
        }
        let connection = self.connect(false)?;
        if self.storage == Storage::File {
            use_log(&connection, self.busy_timeout())?;
        }
        let now = clock.now();
        connection.in_transaction("BEGIN IMMEDIATE", &mut |connection| migrate(connection, now))?;
        Ok(connection)
    }
}

fn synchronous(durability: Durability) -> &'static str {
    if durability == Durability::Strict { "FULL" } else { "NORMAL" }
}

/// Opens what the URL names: `memory:`, `sqlite:PATH` or a path.
pub(crate) async fn open(request: OpenRequest) -> Result<Arc<dyn Backend>> {
    if let Some(folder) = request.url.strip_prefix("json:") {
        return json_files::open(&request, folder);
    }
    let place = place(&request)?;
    let connection = place.first_connection(&*request.clock)?;
    Native::over(place, connection, request.clock)
}

/// Deletes the files of a database.
pub(crate) async fn destroy(url: &str) -> Result<()> {
    if let Some(folder) = url.strip_prefix("json:") {
        return json_files::destroy(folder);
    }
    let path = file_path(url)?;
    for suffix in ["", "-wal", "-shm"] {
        match std::fs::remove_file(format!("{path}{suffix}")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(ErrorCode::Unavailable.error("a file of the store could not be deleted").caused_by(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The file as it is.
pub(crate) async fn rescue(url: &str) -> Result<Vec<u8>> {
    if let Some(folder) = url.strip_prefix("json:") {
        return json_files::rescue(folder);
    }
    std::fs::read(file_path(url)?).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ErrorCode::NotFound.error("there is no such store"),
        _ => ErrorCode::Unavailable.error("the file could not be read").caused_by(error),
    })
}

fn file_path(url: &str) -> Result<&str> {
    match url.strip_prefix("sqlite:").unwrap_or(url) {
        "memory:" => Err(ErrorCode::Unsupported.error("a store in memory has no file")),
        path => Ok(path),
    }
}

pub(crate) struct Native {
    place: Place,
    readers: Arc<Readers>,
    writer: Writer,
    lock: WriterLock,
    closed: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
}

impl Native {
    /// An engine over a database and the connection that writes to it.
    pub(crate) fn over(place: Place, writer: SqliteConnection, clock: Arc<dyn Clock>) -> Result<Arc<dyn Backend>> {
        let lock = WriterLock::new(writer);
        let closed = Arc::default();
        Ok(Arc::new(Native {
            readers: Arc::new(Readers::new(place.clone())),
            writer: Writer::start(lock.clone(), place.settings.durability, Arc::clone(&closed))?,
            place,
            lock,
            closed,
            clock,
        }))
    }

    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(closed()) } else { Ok(()) }
    }
}

/// Turns a file to WAL. Of two who do so at once with a new file, SQLite turns one away without waiting.
fn use_log(connection: &SqliteConnection, busy_timeout: Duration) -> Result<()> {
    let deadline = Instant::now() + busy_timeout;
    loop {
        match connection.execute_script("PRAGMA journal_mode = WAL;") {
            Err(error) if error.code() == ErrorCode::Timeout && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
            }
            outcome => return outcome,
        }
    }
}

fn place(request: &OpenRequest) -> Result<Place> {
    let settings = request.settings;
    let url = request.url.as_str();
    if url == "memory:" {
        return Place::in_memory(Storage::Memory, settings);
    }
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let scheme = path.split_once(':').map(|(scheme, _)| scheme);
    if path.is_empty() || path.contains('\0') {
        return Err(crate::Error::invalid(
            "url",
            "expected memory:, sqlite:PATH, a path or json:FOLDER, here or in SWARMSTORE_URL",
        ));
    }
    // Whatever follows such a scheme is no path, and may hold a password that an error about a file would tell.
    if path.contains("://") || matches!(scheme, Some("indexeddb" | "postgres" | "postgresql")) {
        return Err(
            ErrorCode::Unsupported.error(format!("{}: is no backend that this build has", scheme.unwrap_or("")))
        );
    }
    Ok(Place { path: path.to_owned(), memory: None, storage: Storage::File, settings })
}

impl Backend for Native {
    fn storage(&self) -> Storage {
        self.place.storage
    }

    fn read_blocking(&self, job: &mut Job<'_>) -> Result<()> {
        self.check_open()?;
        self.readers.run(job)
    }

    fn write_blocking(&self, job: &mut Job<'_>) -> Result<()> {
        self.lock.with_blocking(|writer| {
            self.check_open()?;
            writer.in_transaction("BEGIN IMMEDIATE", job)
        })
    }

    fn read(&self, job: OwnedJob) -> BoxFuture<'_, Result<()>> {
        let answer = self.check_open().map(|()| self.readers.clone().submit(job));
        Box::pin(async move { answer?.await })
    }

    fn write(&self, job: OwnedJob, durability: Option<Durability>) -> BoxFuture<'_, Result<()>> {
        let answer = self.check_open().map(|()| self.writer.submit(job, durability));
        Box::pin(async move { answer?.await })
    }

    fn begin(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>>> {
        Box::pin(async move {
            let writer = self.lock.lock().await;
            self.check_open()?;
            let open = Open { writer, place: self.place.clone(), ended: false };
            open.writer.execute("BEGIN IMMEDIATE", &[])?;
            Ok(Box::new(open) as Box<dyn Transaction>)
        })
    }

    fn flush(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let writer = self.lock.lock().await;
            self.check_open()?;
            match self.place.storage {
                Storage::File if !self.place.settings.read_only => {
                    writer.execute_script("PRAGMA wal_checkpoint(PASSIVE);")
                }
                _ => Ok(()),
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            // What was called before is done before: the thread that writes takes one job after another.
            let _ = self.writer.submit(Box::new(|_| Ok(())), None).await;
            let mut writer = self.lock.lock().await;
            if self.closed.swap(true, Ordering::AcqRel) {
                return Ok(());
            }
            self.readers.close();
            let done = match self.place.storage {
                // Leaves one file: what is in the log is moved into it.
                Storage::File if !self.place.settings.read_only => {
                    writer.execute_script("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);")
                }
                _ => Ok(()),
            };
            if let Some(keeper) = writer.keeper.borrow_mut().as_mut() {
                // Everything is kept; only the files' names are not the plain ones, and the next opening takes them as well.
                let _ = keeper.close();
            }
            // Gives the file free now, not when the last clone of the store and the thread that writes are gone.
            *writer = SqliteConnection::nowhere()?;
            done
        })
    }

    fn export(&self) -> BoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            let mut writer = self.lock.lock().await;
            self.check_open()?;
            image::export(&mut writer)
        })
    }

    fn import(&self, file: Vec<u8>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.check_open()?;
            let staged = image::stage(&file, self.clock.now())?;
            let mut writer = self.lock.lock().await;
            self.check_open()?;
            if let Some(keeper) = writer.keeper.borrow_mut().as_mut() {
                keeper.keep_all(&staged)?;
            }
            let swapped = image::swap_in(&staged, &mut writer);
            if let (Err(_), Some(keeper)) = (&swapped, writer.keeper.borrow_mut().as_mut()) {
                keeper.distrust();
            }
            swapped
        })
    }

    fn flush_state(&self) -> FlushState {
        let mut size = 0;
        let _ = self.read_blocking(&mut |connection| {
            size = connection.integer("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", &[])?;
            Ok(())
        });
        FlushState { size_bytes: u64::try_from(size).unwrap_or(0), ..FlushState::default() }
    }
}

/// An explicit transaction on the writer's connection.
struct Open {
    writer: super::writer::WriterGuard,
    place: Place,
    ended: bool,
}

impl Transaction for Open {
    fn run(&mut self, job: &mut Job<'_>) -> Result<()> {
        self.writer.check_in_transaction()?;
        job(&*self.writer)
    }

    fn commit(mut self: Box<Self>, durability: Option<Durability>) -> BoxFuture<'static, Result<()>> {
        let mut committed = self.writer.commit();
        self.ended = committed.is_ok();
        let strict = durability == Some(Durability::Strict) && self.place.settings.durability != Durability::Strict;
        if committed.is_ok() && strict && self.place.storage == Storage::File {
            // How far a commit syncs is fixed when its transaction begins; a checkpoint syncs the log afterwards.
            committed = self.writer.execute_script("PRAGMA wal_checkpoint(PASSIVE);").map_err(crate::Error::committed);
        }
        drop(self);
        Box::pin(std::future::ready(committed))
    }

    fn rollback(mut self: Box<Self>) -> Result<()> {
        self.ended = true;
        self.writer.roll_back()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.ended {
            // Nobody is left to tell; the next BEGIN on this connection would report what is wrong with it.
            let _ = self.writer.roll_back();
        }
    }
}
