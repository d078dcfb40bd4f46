//! SQLite in memory on one thread, kept in IndexedDB page by page; without IndexedDB, the `memory:` backend of browsers
//! and Node.
//!
//! `docs/browser.md` tells how the promises are kept: `pages` knows what changed, `vfs` learns from SQLite what is
//! committed, `flush` writes it as log records, `load` opens, `lock` keeps a second writer out.

// Sizes and page numbers: `usize` has 32 bits here.
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]

mod flush;
mod idb;
mod image;
mod load;
mod lock;
mod pages;
mod record;
mod segment;
mod unpack;
mod vfs;

#[cfg(feature = "testing")]
pub use {segment::check_segments, vfs::check_vfs};

pub use self::flush::Keeping;
use self::flush::{Flusher, Settings};
use self::vfs::SharedPages;
use super::sqlite::SqliteConnection;
use super::{Backend, Durability, FlushState, Job, OpenRequest, OwnedJob, Storage, Transaction, closed};
use crate::error::{Error, ErrorCode, Result};
use crate::platform::{BoxFuture, Clock};
use crate::sql::{Connection, migrate};
use async_lock::{Mutex, MutexGuardArc};
use pages::Pages;
use rusqlite::OpenFlags;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use wasm_bindgen::JsValue;
use web_sys::AbortController;

/// What holds on every connection to a file of ours, beyond what holds on every SQLite connection.
///
/// Spilling is off so that uncommitted pages never reach the file. Locks are answered by the VFS; exclusive locking
/// would freeze the change counter and let a second connection read stale rows.
const PRAGMAS: &str = "
    PRAGMA page_size = 4096;
    PRAGMA journal_mode = MEMORY;
    PRAGMA locking_mode = NORMAL;
    PRAGMA synchronous = OFF;
    PRAGMA cache_size = -4000;
    PRAGMA cache_spill = OFF;
";

thread_local! {
    static FILES_MADE: Cell<u64> = const { Cell::new(0) };
}

/// Opens `memory:`, `indexeddb:NAME` or a bare name.
pub(crate) async fn open(request: OpenRequest) -> Result<Arc<dyn Backend>> {
    let url = request.url.as_str();
    if url == "memory:" {
        let engine = Engine::open(Rc::new(RefCell::new(Pages::default())), &*request.clock)?;
        #[allow(clippy::arc_with_non_send_sync)] // there is one thread in wasm
        return Ok(Arc::new(Web::new(engine, request.clock, None)));
    }
    let name = store_name(url)?;
    let life = Life::begin()?;
    let opened = open_kept(name, request, &life).await;
    if opened.is_err() {
        life.end();
    }
    opened
}

/// The name in a URL of this backend.
fn store_name(url: &str) -> Result<String> {
    let name = url.strip_prefix("indexeddb:").unwrap_or(url);
    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    if matches!(scheme, Some("sqlite" | "json" | "postgres" | "postgresql")) {
        return Err(ErrorCode::Unsupported.error(format!("{}: is a backend of servers", scheme.unwrap_or_default())));
    }
    if name.is_empty() || name.contains('\0') {
        return Err(Error::invalid("name", "expected a name without NUL"));
    }
    Ok(name.to_owned())
}

async fn open_kept(name: String, request: OpenRequest, life: &Life) -> Result<Arc<dyn Backend>> {
    idb::factory()?;
    lock::acquire(&name, &life.controller.signal()).await?;
    let database = load::open(&name).await?;
    let mut loaded = match load::load(&database).await {
        Ok(loaded) => loaded,
        Err(error) => {
            database.close();
            return Err(error);
        }
    };
    let pages = Rc::new(RefCell::new(std::mem::take(&mut loaded.pages)));
    if request.settings.read_only && pages.borrow().size() == 0 {
        database.close();
        idb::delete(&name).await?;
        return Err(ErrorCode::NotFound.error(format!("there is no store {name:?}")));
    }
    let engine = Engine::open(pages.clone(), &*request.clock).inspect_err(|_| database.close())?;
    unpack::in_idle_time(&pages, &life.controller.signal());
    let settings = Settings {
        name,
        durability: request.settings.durability,
        sync_interval_ms: request.settings.sync_interval_ms,
        clock: request.clock.clone(),
        on_error: request.on_flush_error,
        life: life.controller.signal(),
    };
    let flusher = Flusher::new(pages, database, loaded, settings);
    // A new database is kept before anybody is told that it is open.
    if flusher.committed(Some(Durability::Durable)) {
        flusher.wait().await.unwrap_or_else(|_| Err(closed()))?;
    }
    let kept = Kept { flusher, life: life.clone() };
    #[allow(clippy::arc_with_non_send_sync)] // there is one thread in wasm
    Ok(Arc::new(Web::new(engine, request.clock, Some(kept))))
}

/// Deletes a store. It must not be open anywhere.
pub(crate) async fn destroy(url: &str) -> Result<()> {
    let name = store_name(url)?;
    idb::factory()?;
    let life = Life::begin()?;
    let outcome = async {
        lock::acquire(&name, &life.controller.signal()).await?;
        idb::delete(&name).await
    };
    let outcome = outcome.await;
    life.end();
    outcome
}

/// What there is of a store, also of a damaged one, as a SQLite file.
pub(crate) async fn rescue(url: &str) -> Result<Vec<u8>> {
    let name = store_name(url)?;
    match load::salvage(&name).await? {
        Some(mut pages) => image::bytes(&mut pages),
        None => Err(ErrorCode::NotFound.error(format!("there is no store {name:?}"))),
    }
}

/// The life of an open store. Its end releases the lock, the connection and the listeners, by means that need no wasm.
#[derive(Clone)]
struct Life {
    controller: AbortController,
}

impl Life {
    fn begin() -> Result<Self> {
        let controller = AbortController::new()
            .map_err(|error| idb::failure(ErrorCode::Unsupported, "there is no AbortController here", &error))?;
        Ok(Life { controller })
    }

    fn end(&self) {
        self.controller.abort();
    }
}

/// SQLite over one file in memory: the writer's connection, and one for readers that sees the committed state.
struct Engine {
    file: String,
    pages: SharedPages,
    writer: SqliteConnection,
    reader: SqliteConnection,
}

impl Engine {
    fn open(pages: SharedPages, clock: &dyn Clock) -> Result<Self> {
        let number = FILES_MADE.replace(FILES_MADE.get() + 1);
        let file = format!("store-{number}");
        vfs::mount(&file, pages.clone());
        let opened = Self::connect(&file, clock);
        if opened.is_err() {
            vfs::unmount(&file);
        }
        let (writer, reader) = opened?;
        Ok(Engine { file, pages, writer, reader })
    }

    fn connect(file: &str, clock: &dyn Clock) -> Result<(SqliteConnection, SqliteConnection)> {
        let writer = connection(file)?;
        let now = clock.now();
        writer.in_transaction("BEGIN IMMEDIATE", &mut |connection| migrate(connection, now))?;
        let reader = connection(file)?;
        reader.execute_script("PRAGMA query_only = ON;")?;
        Ok((writer, reader))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        vfs::unmount(&self.file);
    }
}

/// A connection to a mounted file.
fn connection(file: &str) -> Result<SqliteConnection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let raw =
        rusqlite::Connection::open_with_flags_and_vfs(file, flags, vfs::NAME).map_err(super::sqlite::from_sqlite)?;
    let connection = SqliteConnection::new(raw)?;
    connection.execute_script(PRAGMAS)?;
    Ok(connection)
}

/// Counts a waiting writer off, also when it gives up waiting.
struct OnDrop<'a>(&'a Cell<usize>);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

struct Kept {
    flusher: Rc<Flusher>,
    life: Life,
}

impl Kept {
    /// Lets go of IndexedDB and of the lock.
    fn end(&self) {
        self.flusher.close();
        self.life.end();
    }
}

impl Drop for Kept {
    /// A store that nobody closed keeps nobody else out.
    fn drop(&mut self) {
        self.end();
    }
}

struct Web {
    shared: Rc<Shared>,
}

struct Shared {
    /// `None` once closed. Replaced as a whole by an import.
    engine: RefCell<Option<Rc<Engine>>>,
    /// Whoever holds this writes.
    turn: Arc<Mutex<()>>,
    /// How many writers wait for their turn; nobody overtakes them.
    waiting: Cell<usize>,
    closed: Cell<bool>,
    kept: Option<Kept>,
    clock: Arc<dyn Clock>,
}

impl Web {
    fn new(engine: Engine, clock: Arc<dyn Clock>, kept: Option<Kept>) -> Self {
        let engine = RefCell::new(Some(Rc::new(engine)));
        let (waiting, closed) = (Cell::new(0), Cell::new(false));
        Web { shared: Rc::new(Shared { engine, turn: Arc::default(), waiting, closed, kept, clock }) }
    }
}

impl Shared {
    fn engine(&self) -> Result<Rc<Engine>> {
        self.engine.borrow().clone().ok_or_else(closed)
    }

    /// Waits for the turn to write: first come, first served.
    async fn turn(&self) -> MutexGuardArc<()> {
        self.waiting.set(self.waiting.get() + 1);
        let left = OnDrop(&self.waiting);
        let turn = self.turn.lock_arc().await;
        drop(left);
        turn
    }

    /// Runs a job in a transaction of its own. The caller has the turn.
    fn run(&self, job: &mut Job<'_>) -> Result<()> {
        let engine = self.engine()?;
        if let Some(kept) = &self.kept {
            kept.flusher.check()?;
        }
        engine.writer.in_transaction("BEGIN IMMEDIATE", job)
    }

    /// What a caller has to wait for after its commit.
    fn receipt(&self, durability: Option<Durability>) -> Option<Keeping> {
        let flusher = &self.kept.as_ref()?.flusher;
        flusher.committed(durability).then(|| Keeping::new(flusher))
    }

    /// The same as a future, which waits from now on.
    fn kept(&self, durability: Option<Durability>) -> Option<BoxFuture<'static, Result<()>>> {
        self.receipt(durability).map(IntoFuture::into_future)
    }

    async fn flushed(&self) -> Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let waiting = kept.flusher.request(false);
        waiting.await.unwrap_or_else(|_| Err(closed()))
    }
}

impl Backend for Web {
    fn storage(&self) -> Storage {
        if self.shared.kept.is_some() { Storage::IndexedDb } else { Storage::Memory }
    }

    fn read_blocking(&self, job: &mut Job<'_>) -> Result<()> {
        // A job is synchronous and so is every commit: nothing changes under it, with no transaction around it.
        job(&self.shared.engine()?.reader)
    }

    fn write_blocking(&self, job: &mut Job<'_>) -> Result<()> {
        if self.shared.kept.is_some() {
            return Err(
                ErrorCode::Unsupported.error("a browser's thread cannot wait for IndexedDB; use the asynchronous call")
            );
        }
        match self.write_now(job, None) {
            Some(outcome) => outcome.map(|_| ()),
            None => Err(ErrorCode::Timeout.error("a transaction is open")),
        }
    }

    fn write_now(&self, job: &mut Job<'_>, durability: Option<Durability>) -> Option<Result<super::Receipt>> {
        if self.shared.waiting.get() > 0 {
            return None;
        }
        let _turn = self.shared.turn.try_lock()?;
        Some(self.shared.run(job).map(|()| self.shared.receipt(durability)))
    }

    fn read(&self, mut job: OwnedJob) -> BoxFuture<'_, Result<()>> {
        Box::pin(std::future::ready(self.read_blocking(&mut *job)))
    }

    fn write(&self, mut job: OwnedJob, durability: Option<Durability>) -> BoxFuture<'_, Result<()>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            let turn = shared.turn().await;
            shared.run(&mut *job)?;
            let kept = shared.kept(durability);
            drop(turn);
            match kept {
                Some(kept) => kept.await,
                None => Ok(()),
            }
        })
    }

    fn begin(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            let turn = shared.turn().await;
            let engine = shared.engine()?;
            if let Some(kept) = &shared.kept {
                kept.flusher.check()?;
            }
            engine.writer.begin()?;
            Ok(Box::new(Open { shared, engine, ended: false, _turn: turn }) as Box<dyn Transaction>)
        })
    }

    fn flush(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.shared.engine()?;
            self.shared.flushed().await
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            let _turn = shared.turn().await;
            if shared.closed.get() {
                return Ok(());
            }
            let flushed = shared.flushed().await;
            if flushed.is_err() && shared.kept.as_ref().is_some_and(|kept| kept.flusher.check().is_ok()) {
                // What is committed would be lost; the caller may make room, flush again or export.
                return flushed;
            }
            shared.closed.set(true);
            shared.engine.borrow_mut().take();
            if let Some(kept) = &shared.kept {
                kept.flusher.settle().await;
                kept.end();
            }
            flushed
        })
    }

    fn export(&self) -> BoxFuture<'_, Result<Vec<u8>>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            let _turn = shared.turn().await;
            let engine = shared.engine()?;
            image::bytes(&mut engine.pages.borrow_mut())
        })
    }

    fn import(&self, file: Vec<u8>) -> BoxFuture<'_, Result<()>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            let _turn = shared.turn().await;
            let current = shared.engine()?;
            let staged = image::stage(&file, &*shared.clock)?;
            if let Some(kept) = &shared.kept {
                shared.flushed().await?;
                kept.flusher.replace(&staged.pages).await?;
                // The flusher keeps looking at the same pages; their content becomes the staged one.
                current.pages.swap(&staged.pages);
                current.pages.borrow_mut().adopt();
            } else {
                current.pages.swap(&staged.pages);
                current.pages.borrow_mut().untrack();
            }
            drop(staged);
            let pages = current.pages.clone();
            shared.engine.borrow_mut().take();
            drop(current);
            let engine = Engine::open(pages, &*shared.clock)?;
            *shared.engine.borrow_mut() = Some(Rc::new(engine));
            Ok(())
        })
    }

    fn flush_state(&self) -> FlushState {
        match &self.shared.kept {
            Some(kept) => kept.flusher.report(),
            None => {
                let size = self.shared.engine.borrow().as_ref().map_or(0, |engine| engine.pages.borrow().size());
                FlushState { size_bytes: size as u64, ..FlushState::default() }
            }
        }
    }

    fn abandon(&self) -> JsValue {
        self.shared.kept.as_ref().map_or(JsValue::UNDEFINED, |kept| lock::abort_function(&kept.life.controller).into())
    }
}

/// An explicit transaction on the writer's connection.
struct Open {
    shared: Rc<Shared>,
    engine: Rc<Engine>,
    ended: bool,
    _turn: MutexGuardArc<()>,
}

impl Transaction for Open {
    fn run(&mut self, job: &mut Job<'_>) -> Result<()> {
        self.engine.writer.check_in_transaction()?;
        job(&self.engine.writer)
    }

    fn commit(mut self: Box<Self>, durability: Option<Durability>) -> BoxFuture<'static, Result<()>> {
        let committed = self.engine.writer.commit();
        self.ended = committed.is_ok();
        let kept = self.shared.kept(durability).filter(|_| self.ended);
        drop(self);
        Box::pin(async move {
            committed?;
            match kept {
                Some(kept) => kept.await,
                None => Ok(()),
            }
        })
    }

    fn rollback(mut self: Box<Self>) -> Result<()> {
        self.ended = true;
        self.engine.writer.roll_back()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.ended {
            // Nobody is left to tell; the next BEGIN on this connection would report what is wrong with it.
            let _ = self.engine.writer.roll_back();
        }
    }
}
