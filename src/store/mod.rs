//! The store: opens a backend and runs closures in its transactions.

mod options;

use crate::backend::{self, Backend, Job, OwnedJob};
pub use crate::backend::{Durability, FlushState, Receipt, Storage, sqlite_version};
use crate::error::{Error, ErrorCode, Result};
use crate::model::Value;
use crate::platform::{Clock, MaybeSend};
pub use crate::service::Limits;
use crate::service::{self, Agents, Config, Context, Events, Groups, IdSource, Tasks};
use crate::sql::{Connection, SCHEMA_VERSION};
pub use options::Options;
use std::sync::{Arc, Mutex, PoisonError};

/// The memory of a swarm. Cheap to clone; all clones are one store.
///
/// Natively the blocking calls run on the calling thread, the asynchronous ones work on any runtime and on none.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    ids: IdSource,
    limits: Limits,
    read_only: bool,
}

impl Inner {
    fn check_writable(&self) -> Result<()> {
        if self.read_only {
            return Err(ErrorCode::Unsupported.error("the store is open for reading only"));
        }
        Ok(())
    }

    /// Runs a caller's closure over an open transaction.
    fn run<T, E>(&self, connection: &dyn Connection, body: &mut dyn FnMut(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        let cx = Context::new(connection, &*self.clock, &self.ids, self.limits);
        body(&Tx { cx })
    }
}

/// What a closure came to, kept where the caller finds it after the commit.
type Outcome<T, E> = Mutex<Option<Result<T, E>>>;

/// The closure's own error comes out unchanged; another failure is the backend's.
fn settle<T, E: From<Error>>(ran: Result<()>, outcome: &Outcome<T, E>) -> Result<T, E> {
    let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (ran, outcome) {
        (Ok(()), Some(outcome)) => outcome,
        (Err(_), Some(Err(error))) => Err(error),
        (Err(error), _) => Err(error.into()),
        (Ok(()), None) => Err(Error::internal("a transaction ended without an outcome").into()),
    }
}

/// Tells the backend that the closure failed.
fn rolled_back() -> Error {
    Error::internal("rolled back by its closure")
}

/// Tells the backend to roll back; the caller gets the closure's own error instead.
fn keep<T, E>(outcome: &Outcome<T, E>, ran: Result<T, E>) -> Result<()> {
    let succeeded = ran.is_ok();
    *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(ran);
    if succeeded { Ok(()) } else { Err(rolled_back()) }
}

impl Store {
    #[allow(clippy::arc_with_non_send_sync)] // in wasm there is one thread
    fn over(backend: Arc<dyn Backend>, clock: Arc<dyn Clock>, limits: Limits, read_only: bool) -> Store {
        Store { inner: Arc::new(Inner { backend, clock, ids: IdSource::default(), limits, read_only }) }
    }

    /// Opens with the default options; see [`Options::open`].
    ///
    /// # Errors
    /// As [`Options::open`].
    pub async fn open(url: &str) -> Result<Store> {
        Options::default().open(url).await
    }

    /// Opens with the default options, waiting on this thread.
    ///
    /// # Errors
    /// As [`Options::open`].
    pub fn open_blocking(url: &str) -> Result<Store> {
        Options::default().open_blocking(url)
    }

    /// Deletes the store that the URL names. It must not be open anywhere.
    ///
    /// # Errors
    /// `LOCKED` when it is open elsewhere; `UNAVAILABLE`; `UNSUPPORTED` for `memory:`.
    pub async fn destroy(url: &str) -> Result<()> {
        backend::destroy(url).await
    }

    /// What there is of a store as a SQLite file, also of one that is too damaged to be opened.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such store; `UNAVAILABLE`.
    pub async fn rescue(url: &str) -> Result<Vec<u8>> {
        backend::rescue(url).await
    }

    /// The options, to be changed before opening.
    #[must_use]
    pub fn options() -> Options {
        Options::default()
    }

    /// Where the store lives.
    #[must_use]
    pub fn storage(&self) -> Storage {
        self.inner.backend.storage()
    }

    /// Runs a closure that reads, seeing one committed state throughout. The closure may run again (on a server, when
    /// others have changed what it had begun to read), so it has no effects outside.
    ///
    /// # Errors
    /// What the closure returns, unchanged; `CLOSED`.
    pub async fn read<T, E>(&self, body: impl FnMut(&Tx<'_>) -> Result<T, E> + MaybeSend + 'static) -> Result<T, E>
    where
        T: MaybeSend + 'static,
        E: From<Error> + MaybeSend + 'static,
    {
        let outcome = Arc::new(Mutex::new(None));
        let job = self.job(body, &outcome);
        let ran = self.inner.backend.read(job).await;
        settle(ran, &outcome)
    }

    /// Runs a closure in a write transaction. An error rolls all of it back. The closure may run again when a commit
    /// fails, so it has no effects outside the transaction.
    ///
    /// # Errors
    /// What the closure returns, unchanged; `CLOSED`; `UNSUPPORTED` when open for reading only; what the commit reports.
    pub async fn write<T, E>(&self, body: impl FnMut(&Tx<'_>) -> Result<T, E> + MaybeSend + 'static) -> Result<T, E>
    where
        T: MaybeSend + 'static,
        E: From<Error> + MaybeSend + 'static,
    {
        self.write_with(None, body).await
    }

    /// As [`write`](Self::write), as durable as asked here.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn write_with<T, E>(
        &self,
        durability: Option<Durability>,
        body: impl FnMut(&Tx<'_>) -> Result<T, E> + MaybeSend + 'static,
    ) -> Result<T, E>
    where
        T: MaybeSend + 'static,
        E: From<Error> + MaybeSend + 'static,
    {
        self.inner.check_writable()?;
        let outcome = Arc::new(Mutex::new(None));
        let job = self.job(body, &outcome);
        let ran = self.inner.backend.write(job, durability).await;
        settle(ran, &outcome)
    }

    fn job<T, E>(
        &self,
        mut body: impl FnMut(&Tx<'_>) -> Result<T, E> + MaybeSend + 'static,
        outcome: &Arc<Outcome<T, E>>,
    ) -> OwnedJob
    where
        T: MaybeSend + 'static,
        E: From<Error> + MaybeSend + 'static,
    {
        let (inner, outcome) = (self.inner.clone(), outcome.clone());
        Box::new(move |connection| keep(&outcome, inner.run(connection, &mut body)))
    }

    /// Runs a closure that reads, on this thread.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_blocking<T, E: From<Error>>(&self, body: impl FnMut(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        self.run_here(body, |job| self.inner.backend.read_blocking(job))
    }

    /// Runs a closure in a write transaction, on this thread.
    ///
    /// # Errors
    /// As [`write`](Self::write); `UNSUPPORTED` in a browser, where no thread may wait for IndexedDB.
    pub fn write_blocking<T, E: From<Error>>(&self, body: impl FnMut(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        self.inner.check_writable()?;
        self.run_here(body, |job| self.inner.backend.write_blocking(job))
    }

    fn run_here<T, E: From<Error>>(
        &self,
        mut body: impl FnMut(&Tx<'_>) -> Result<T, E>,
        run: impl FnOnce(&mut Job<'_>) -> Result<()>,
    ) -> Result<T, E> {
        let mut outcome = None;
        let ran = run(&mut |connection| {
            let ran = self.inner.run(connection, &mut body);
            let succeeded = ran.is_ok();
            outcome = Some(ran);
            if succeeded { Ok(()) } else { Err(rolled_back()) }
        });
        settle(ran, &Mutex::new(outcome))
    }

    /// Begins an explicit transaction: this caller is the writer until it commits or rolls back. Others wait; readers go
    /// on with the committed state.
    ///
    /// # Errors
    /// `CLOSED`; `UNSUPPORTED` when open for reading only.
    pub async fn begin(&self) -> Result<Transaction> {
        self.inner.check_writable()?;
        let open = self.inner.backend.begin().await?;
        Ok(Transaction { inner: self.inner.clone(), open })
    }

    /// Keeps all that is committed.
    ///
    /// # Errors
    /// `QUOTA` or `PERSISTENCE_LOST` with `committed` set: the changes stay visible, and another flush may keep them.
    pub async fn flush(&self) -> Result<()> {
        self.inner.backend.flush().await
    }

    /// Waits for the open transaction, flushes and closes. Closing twice is no error; every later call is `CLOSED`.
    ///
    /// # Errors
    /// As [`flush`](Self::flush): the store stays open then, so that nothing is lost. Only a store that another writer has
    /// taken over is closed all the same.
    pub async fn close(&self) -> Result<()> {
        self.inner.backend.close().await
    }

    /// The committed state as a SQLite file, which the `sqlite3` command line and every backend open.
    ///
    /// # Errors
    /// `CLOSED`.
    pub async fn export(&self) -> Result<Vec<u8>> {
        self.inner.backend.export().await
    }

    /// Replaces the whole store by a SQLite file that was exported before. It is verified first, and swapped in as a
    /// whole or not at all.
    ///
    /// # Errors
    /// `CORRUPT` when it is no sound database; `INVALID_ARGUMENT` when it is not one of swarmstore's; `MIGRATION` when
    /// newer code has written it; `UNSUPPORTED` when this store is open for reading only.
    pub async fn import(&self, file: Vec<u8>) -> Result<()> {
        self.inner.check_writable()?;
        self.inner.backend.import(file).await
    }

    /// Checks the whole database; `["ok"]` when nothing is wrong.
    ///
    /// # Errors
    /// `CLOSED`.
    pub async fn check_integrity(&self) -> Result<Vec<String>> {
        self.read(|tx| service::integrity(&tx.cx)).await
    }

    /// Whether the store works, and how the keeping of writes goes.
    ///
    /// # Errors
    /// `CLOSED`.
    pub async fn health(&self) -> Result<Health> {
        let version = self.read(|tx| crate::sql::schema_version(tx.cx.connection())).await?;
        let flush = self.inner.backend.flush_state();
        let mut problems = Vec::new();
        if version != SCHEMA_VERSION {
            problems.push(format!("schema version {version} instead of {SCHEMA_VERSION}"));
        }
        problems.extend(flush.last_error.as_ref().map(|error| format!("the last flush failed: {error}")));
        Ok(Health { healthy: problems.is_empty(), problems, schema_version: version, flush })
    }

    /// Runs a closure in a write transaction at once, if nobody else writes just now, and commits it in memory; the receipt
    /// is what has to be waited for. `None` when it has to wait for its turn: then use [`write`](Self::write). Engines with
    /// threads always answer `None`.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_now<T, E: From<Error>>(
        &self,
        mut body: impl FnMut(&Tx<'_>) -> Result<T, E>,
    ) -> Option<Result<(T, Receipt), E>> {
        if let Err(error) = self.inner.check_writable() {
            return Some(Err(error.into()));
        }
        let mut outcome = None;
        let ran = self.inner.backend.write_now(
            &mut |connection| {
                let ran = self.inner.run(connection, &mut body);
                let succeeded = ran.is_ok();
                outcome = Some(ran);
                if succeeded { Ok(()) } else { Err(rolled_back()) }
            },
            None,
        )?;
        let (ran, receipt) = match ran {
            Ok(receipt) => (Ok(()), receipt),
            Err(error) => (Err(error), None),
        };
        Some(settle(ran, &Mutex::new(outcome)).map(|answer| (answer, receipt)))
    }

    /// The engine below.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.inner.backend
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").field("storage", &self.storage()).finish_non_exhaustive()
    }
}

/// Whether a store works.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// Whether nothing is wrong.
    pub healthy: bool,
    /// What is wrong.
    pub problems: Vec<String>,
    /// The version of the tables.
    pub schema_version: i64,
    /// How the keeping of writes goes.
    pub flush: FlushState,
}

/// An explicit transaction. Dropping it rolls it back.
pub struct Transaction {
    inner: Arc<Inner>,
    open: Box<dyn backend::Transaction>,
}

impl Transaction {
    /// Runs a closure inside. Its error leaves what was done before in this transaction as it is, and nothing of its own.
    ///
    /// # Errors
    /// What the closure returns, unchanged.
    pub fn run<T, E: From<Error>>(&mut self, mut body: impl FnMut(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut outcome = None;
        let inner = &self.inner;
        let ran = self.open.run(&mut |connection| {
            connection.execute("SAVEPOINT step", &[])?;
            let ran = inner.run(connection, &mut body);
            let succeeded = ran.is_ok();
            outcome = Some(ran);
            if !succeeded {
                connection.execute("ROLLBACK TO step", &[])?;
            }
            connection.execute("RELEASE step", &[]).map(|_| ())
        });
        settle(ran, &Mutex::new(outcome))
    }

    /// Commits; resolves when it is as durable as the store's durability says.
    ///
    /// # Errors
    /// What the commit reports.
    pub async fn commit(self) -> Result<()> {
        self.open.commit(None).await
    }

    /// Commits; resolves when it is as durable as asked here.
    ///
    /// # Errors
    /// What the commit reports.
    pub async fn commit_with(self, durability: Durability) -> Result<()> {
        self.open.commit(Some(durability)).await
    }

    /// Leaves nothing of it behind.
    ///
    /// # Errors
    /// What the database reports.
    pub fn rollback(self) -> Result<()> {
        self.open.rollback()
    }
}

/// What a closure works with: the tables, over the transaction that is open.
pub struct Tx<'a> {
    pub(crate) cx: Context<'a>,
}

impl<'a> Tx<'a> {
    /// The agents.
    #[must_use]
    pub fn agents(&'a self) -> Agents<'a> {
        Agents::new(&self.cx)
    }

    /// The groups of agents.
    #[must_use]
    pub fn groups(&'a self) -> Groups<'a> {
        Groups::new(&self.cx)
    }

    /// The configuration.
    #[must_use]
    pub fn config(&'a self) -> Config<'a> {
        Config::new(&self.cx)
    }

    /// The task queue.
    #[must_use]
    pub fn tasks(&'a self) -> Tasks<'a> {
        Tasks::new(&self.cx)
    }

    /// The event store.
    #[must_use]
    pub fn events(&'a self) -> Events<'a> {
        Events::new(&self.cx)
    }

    /// The time of this transaction; it stands still.
    #[must_use]
    pub fn now(&self) -> crate::model::Millis {
        self.cx.now()
    }

    /// Checks the whole database; `["ok"]` when nothing is wrong.
    ///
    /// # Errors
    /// What the database reports.
    pub fn integrity(&self) -> Result<Vec<String>> {
        service::integrity(&self.cx)
    }

    /// Runs one reading statement of the caller's own: the names of its columns, and its rows.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when it is no single reading statement, or the parameters do not fit.
    pub fn query(&self, sql: &str, params: &[Value<'_>]) -> Result<QueryResult> {
        let connection = self.cx.connection();
        let mut rows = Vec::new();
        let columns = connection.ask(sql, params, &mut |columns, row| {
            let values = (0..columns).map(|at| Ok(row.get(at)?.into_owned()));
            rows.push(values.collect::<Result<_>>()?);
            Ok(())
        })?;
        Ok(QueryResult { columns, rows })
    }
}

/// What a caller's own query answers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct QueryResult {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each with a value per column.
    pub rows: Vec<Vec<Value<'static>>>,
}
