//! PostgreSQL, natively: a store that many processes share.
//!
//! Blocking calls run on the caller's thread, asynchronous ones on threads of our own; neither needs a runtime, and both may
//! be called inside of one. A transaction is a job on one connection of a pool. Those that write run beside each other as
//! long as each works on rows by their ids, which it locks; whoever asks anything else becomes the only writer. `docs/postgres.md`
//! tells what is promised and why.

mod address;
mod connection;
mod error;
mod glance;
mod image;
mod likely;
mod link;
mod mode;
mod order;
mod own;
mod pool;
mod reading;
mod run;
mod savepoints;
mod single;
mod socket;
mod statement;
mod target;
mod threads;
mod tls;
mod transaction;
mod value;

use crate::backend::{
    Backend, Durability, FlushState, Job, OpenRequest, OwnedJob, Settings, Storage, Transaction, closed,
};
use crate::error::{ErrorCode, Result};
use crate::model::Millis;
use crate::platform::{BoxFuture, Clock};
use crate::sql::{Connection as _, migrate, require_current, schema_version};
use async_lock::{RwLock, RwLockReadGuardArc};
use connection::Mode;
use pool::{Lent, Pool};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use target::{Target, quoted};
use threads::Threads;
use transaction::Open;

/// Whether a URL is for this backend.
pub(crate) fn is_for(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// Opens the store that the URL names; makes its tables when they are not there.
pub(crate) async fn open(request: OpenRequest) -> Result<Arc<dyn Backend>> {
    let threads = Threads::new(request.settings.pool_max as usize);
    let server = threads.clone().run(move || Server::open(&request, threads)).await?;
    Ok(Arc::new(server))
}

/// Drops the tables of a store, and the schema that the URL names if nothing else is in it.
pub(crate) async fn destroy(url: &str) -> Result<()> {
    let url = url.to_owned();
    Threads::new(1).run(move || destroy_now(&url)).await
}

/// What there is of a store as a SQLite file.
pub(crate) async fn rescue(url: &str) -> Result<Vec<u8>> {
    let url = url.to_owned();
    Threads::new(1)
        .run(move || {
            let pool = Pool::new(Target::new(&url, one_connection())?);
            let mut there = false;
            run::read(&pool, &mut |connection| {
                there = schema_version(connection)? > 0;
                Ok(())
            })?;
            if !there {
                return Err(ErrorCode::NotFound.error("there is no such store"));
            }
            image::export(&pool, crate::platform::SystemClock.now())
        })
        .await
}

/// What is enough for a single errand.
fn one_connection() -> Settings {
    Settings { pool_max: 1, pool_min_idle: 0, ..Settings::default() }
}

fn destroy_now(url: &str) -> Result<()> {
    let pool = Pool::new(Target::new(url, one_connection())?);
    let lent = pool.borrow()?;
    wait_until_closed(&lent)?;
    lent.begin(Mode::Setup, false);
    for table in image::tables(crate::platform::SystemClock.now())?.iter().rev() {
        lent.execute_script(&format!("DROP TABLE IF EXISTS {}", table.name))?;
    }
    lent.execute_script("DROP TABLE IF EXISTS schema_migrations; DROP FUNCTION IF EXISTS json_extract (TEXT, TEXT)")?;
    lent.commit()?;
    if let Some(schema) = pool.target().schema() {
        lent.begin(Mode::Setup, false);
        // Stays when something of the caller's own is in it.
        if lent.execute_script(&format!("DROP SCHEMA IF EXISTS {}", quoted(schema))).is_ok() {
            lent.commit()?;
        }
    }
    Ok(())
}

/// Fails when somebody has the store open, and keeps it open for a while: who has just closed it is not heeded.
fn wait_until_closed(lent: &Lent) -> Result<()> {
    let others = format!(
        "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND (classid::bigint << 32 | objid::bigint) = {}",
        lent.locks().open
    );
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        lent.begin(Mode::Read, false);
        let found = (&**lent as &dyn crate::sql::Connection).integer(&others, &[])?;
        lent.end("COMMIT");
        if found == 0 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(ErrorCode::Locked.error("the store is open elsewhere"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

struct Server {
    pool: Arc<Pool>,
    threads: Threads,
    gate: Arc<RwLock<()>>,
    closed: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
}

impl Server {
    fn open(request: &OpenRequest, threads: Threads) -> Result<Self> {
        let target = Target::new(&request.url, request.settings)?;
        let pool = Pool::new(target);
        if request.settings.read_only {
            run::read(&pool, &mut |connection| {
                if schema_version(connection)? == 0 {
                    return Err(ErrorCode::NotFound.error("there is no such store"));
                }
                require_current(connection)
            })?;
        } else {
            prepare_schema(&pool.borrow()?, pool.target(), request.clock.now())?;
        }
        pool.tend()?;
        Ok(Server { pool, threads, gate: Arc::default(), closed: Arc::default(), clock: request.clock.clone() })
    }

    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(closed()) } else { Ok(()) }
    }

    /// On the server any transaction may write that says so, so it is refused here.
    fn check_writable(&self) -> Result<()> {
        if self.pool.target().settings.read_only {
            return Err(ErrorCode::Unsupported.error("the store is open for reading only"));
        }
        self.check_open()
    }

    /// Runs something on a thread when no explicit transaction is open in this process.
    fn run_writing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Pool>) -> Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        if let Err(error) = self.check_writable() {
            return Box::pin(std::future::ready(Err(error)));
        }
        let (pool, threads, closed) = (self.pool.clone(), self.threads.clone(), self.closed.clone());
        let start = move |gate: RwLockReadGuardArc<()>| {
            threads.run(move || {
                if closed.load(Ordering::Acquire) {
                    return Err(crate::backend::closed());
                }
                let done = work(&pool);
                drop(gate);
                done
            })
        };
        // Begun now and not when it is first polled, so that closing waits for it.
        match self.gate.try_read_arc() {
            Some(gate) => Box::pin(start(gate)),
            None => {
                let gate = self.gate.clone();
                Box::pin(async move { start(gate.read_arc().await).await })
            }
        }
    }
}

/// Makes the schema and the tables that are missing. Many processes may do so at once.
fn prepare_schema(lent: &Lent, target: &Target, now: Millis) -> Result<()> {
    lent.begin(Mode::Setup, false);
    let patience = target.settings.connect_timeout_ms;
    lent.execute_script(&format!(
        "SET LOCAL lock_timeout = {patience}; SELECT pg_advisory_xact_lock({})",
        lent.locks().migrate
    ))?;
    if let Some(schema) = target.schema() {
        let exists = "SELECT COUNT(*) FROM pg_namespace WHERE nspname = ?1";
        let mut there = false;
        lent.query(exists, &[crate::Value::text(schema)], &mut |row| {
            there = row.get(0)? != crate::Value::Integer(0);
            Ok(())
        })?;
        if !there {
            lent.execute_script(&format!("CREATE SCHEMA {}", quoted(schema)))?;
        }
    }
    migrate(&**lent, now)?;
    lent.commit()
}

impl Backend for Server {
    fn storage(&self) -> Storage {
        Storage::Postgres
    }

    fn read_blocking(&self, job: &mut Job<'_>) -> Result<()> {
        self.check_open()?;
        run::read(&self.pool, job)
    }

    fn write_blocking(&self, job: &mut Job<'_>) -> Result<()> {
        let _gate = self.gate.read_arc_blocking();
        self.check_writable()?;
        run::write(&self.pool, job)
    }

    fn read(&self, mut job: OwnedJob) -> BoxFuture<'_, Result<()>> {
        if let Err(error) = self.check_open() {
            return Box::pin(std::future::ready(Err(error)));
        }
        let pool = self.pool.clone();
        Box::pin(self.threads.run(move || run::read(&pool, &mut *job)))
    }

    fn write(&self, mut job: OwnedJob, _: Option<Durability>) -> BoxFuture<'_, Result<()>> {
        self.run_writing(move |pool| run::write(pool, &mut *job))
    }

    fn begin(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>>> {
        Box::pin(async move {
            let gate = self.gate.write_arc().await;
            self.check_writable()?;
            let (pool, threads) = (self.pool.clone(), self.threads.clone());
            let open = self.threads.run(move || Open::begin(&pool, threads, gate)).await?;
            Ok(Box::new(open) as Box<dyn Transaction>)
        })
    }

    /// What is acknowledged is kept already, as the server's `synchronous_commit` says.
    fn flush(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(std::future::ready(self.check_open()))
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let _gate = self.gate.write_arc().await;
            if !self.closed.swap(true, Ordering::AcqRel) {
                self.pool.close();
            }
            Ok(())
        })
    }

    fn export(&self) -> BoxFuture<'_, Result<Vec<u8>>> {
        if let Err(error) = self.check_open() {
            return Box::pin(std::future::ready(Err(error)));
        }
        let (pool, now) = (self.pool.clone(), self.clock.now());
        Box::pin(self.threads.run(move || image::export(&pool, now)))
    }

    fn import(&self, file: Vec<u8>) -> BoxFuture<'_, Result<()>> {
        let now = self.clock.now();
        self.run_writing(move |pool| image::import(pool, &file, now))
    }

    fn flush_state(&self) -> FlushState {
        let mut size = 0;
        let _ = self.read_blocking(&mut |connection| {
            let sql = "SELECT SUM(pg_total_relation_size(pg_class.oid))::bigint FROM pg_class
                       WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'";
            size = connection.integer(sql, &[])?;
            Ok(())
        });
        FlushState { size_bytes: u64::try_from(size).unwrap_or(0), ..FlushState::default() }
    }
}
