//! The writer of a native database: one connection behind a lock, and a thread that commits together what waits together.

use super::SqliteConnection;
use super::gate::Gate;
use crate::backend::{Durability, OwnedJob, closed};
use crate::error::{Error, Result};
use crate::sql::Connection as _;
use async_lock::{Mutex, MutexGuardArc};
use futures_channel::oneshot;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

/// How long a thread looks out for work before it sleeps.
pub(super) const LOOK_OUT: Duration = Duration::from_micros(50);
/// The most jobs that share one commit.
const MAX_SHARED: usize = 256;
/// So many shared commits are made with savepoints after one in which a job failed.
const CAREFUL: u32 = 16;

/// Whoever holds this writes.
pub(super) type WriterGuard = MutexGuardArc<SqliteConnection>;

/// Lets one writer in at a time, first come first served. Of the threads that block, the gate lets one come.
#[derive(Clone)]
pub(super) struct WriterLock {
    gate: Arc<Gate>,
    connection: Arc<Mutex<SqliteConnection>>,
}

impl WriterLock {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        WriterLock { gate: Arc::default(), connection: Arc::new(Mutex::new(connection)) }
    }

    pub(super) async fn lock(&self) -> WriterGuard {
        self.connection.lock_arc().await
    }

    /// For the one thread that commits together what waits together.
    fn lock_beside_gate(&self) -> WriterGuard {
        self.connection.lock_arc_blocking()
    }

    /// Runs one write on the caller's thread.
    pub(super) fn with_blocking<T>(&self, write: impl FnOnce(&SqliteConnection) -> T) -> T {
        let _inside = self.gate.enter();
        write(&self.connection.lock_blocking())
    }
}

/// The way to the writing thread, which ends when this is dropped.
pub(super) struct Writer {
    requests: Sender<Request>,
}

struct Request {
    job: OwnedJob,
    strict: bool,
    answer: oneshot::Sender<Result<()>>,
}

impl Writer {
    pub(super) fn start(lock: WriterLock, durability: Durability, closed: Arc<AtomicBool>) -> Result<Self> {
        let (requests, waiting) = channel();
        std::thread::Builder::new()
            .name("swarmstore-writer".to_owned())
            .spawn(move || serve(&lock, &waiting, durability, &closed))
            .map_err(|error| Error::internal("the thread for writing could not be started").caused_by(error))?;
        Ok(Writer { requests })
    }

    /// Runs a job in a transaction; resolves after the commit.
    pub(super) fn submit(
        &self,
        job: OwnedJob,
        durability: Option<Durability>,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let (answer, outcome) = oneshot::channel();
        let strict = durability == Some(Durability::Strict);
        let sent = self.requests.send(Request { job, strict, answer }).map_err(|_| closed());
        async move {
            sent?;
            outcome.await.unwrap_or_else(|_| Err(Error::internal("a job panicked")))
        }
    }
}

fn serve(lock: &WriterLock, waiting: &Receiver<Request>, durability: Durability, closed: &AtomicBool) {
    let mut shared = Shared::default();
    while let Some(first) = look_out(waiting) {
        let mut together = vec![first];
        collect(waiting, &mut together, shared.last);
        let writer = lock.lock_beside_gate();
        if closed.load(Ordering::Acquire) {
            for request in together {
                let _ = request.answer.send(Err(super::super::closed()));
            }
            continue;
        }
        together.extend(waiting.try_iter().take(MAX_SHARED - together.len()));
        shared.last = together.len();
        let stricter = durability != Durability::Strict && together.iter().any(|request| request.strict);
        if stricter {
            let _ = writer.execute_script("PRAGMA synchronous = FULL;");
        }
        shared.commit(&writer, together);
        if stricter {
            let _ = writer.execute_script("PRAGMA synchronous = NORMAL;");
        }
    }
}

/// Takes what waits. Those whose jobs were committed together a moment ago are likely to be back in a moment: as long as
/// there are fewer than last time and more keep coming, they are waited for.
fn collect(waiting: &Receiver<Request>, together: &mut Vec<Request>, last: usize) {
    let mut until = Instant::now() + LOOK_OUT;
    while together.len() < MAX_SHARED {
        match waiting.try_recv() {
            Ok(request) => {
                together.push(request);
                until = Instant::now() + LOOK_OUT;
            }
            Err(TryRecvError::Empty) if together.len() < last && Instant::now() < until => std::hint::spin_loop(),
            Err(_) => return,
        }
    }
}

/// The next request. Looks out for it a little while before it sleeps: being woken costs more than most transactions.
fn look_out<T>(waiting: &Receiver<T>) -> Option<T> {
    let until = Instant::now() + LOOK_OUT;
    while Instant::now() < until {
        match waiting.try_recv() {
            Ok(request) => return Some(request),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => std::hint::spin_loop(),
        }
    }
    waiting.recv().ok()
}

/// How the jobs before were committed.
#[derive(Default)]
struct Shared {
    /// How many shared the last commit.
    last: usize,
    /// So many are still made with savepoints.
    careful: u32,
}

impl Shared {
    /// Runs jobs in one transaction. A job's error undoes that job alone; when the commit itself fails, each runs again in
    /// a transaction of its own.
    fn commit(&mut self, writer: &SqliteConnection, mut together: Vec<Request>) {
        if together.len() > 1
            && let Some(outcomes) = self.share(writer, &mut together)
        {
            for (request, outcome) in together.into_iter().zip(outcomes) {
                let _ = request.answer.send(outcome);
            }
            return;
        }
        for mut request in together {
            let outcome =
                writer.in_transaction("BEGIN IMMEDIATE", &mut |connection| guarded(&mut request.job, connection));
            // A caller that went away does not want the answer.
            let _ = request.answer.send(outcome);
        }
    }

    /// First without savepoints, which most jobs do not need and which cost as much as a small job; when one fails, all of
    /// it is undone and done again with a savepoint for each.
    fn share(&mut self, writer: &SqliteConnection, together: &mut [Request]) -> Option<Vec<Result<()>>> {
        if self.careful == 0 {
            let all = writer.in_transaction("BEGIN IMMEDIATE", &mut |connection| {
                together.iter_mut().try_for_each(|request| guarded(&mut request.job, connection))
            });
            if all.is_ok() {
                return Some(together.iter().map(|_| Ok(())).collect());
            }
            self.careful = CAREFUL;
        }
        self.careful -= 1;
        share_carefully(writer, together).ok()
    }
}

fn share_carefully(writer: &SqliteConnection, together: &mut [Request]) -> Result<Vec<Result<()>>> {
    let mut outcomes = Vec::with_capacity(together.len());
    writer.in_transaction("BEGIN IMMEDIATE", &mut |connection| {
        outcomes.clear();
        for request in &mut *together {
            connection.execute("SAVEPOINT job", &[])?;
            let outcome = guarded(&mut request.job, connection);
            if outcome.is_err() {
                connection.execute("ROLLBACK TO job", &[])?;
            }
            connection.execute("RELEASE job", &[])?;
            outcomes.push(outcome);
        }
        Ok(())
    })?;
    Ok(outcomes)
}

/// A job that panics fails by itself and takes nothing with it.
fn guarded(job: &mut OwnedJob, connection: &dyn crate::sql::Connection) -> Result<()> {
    catch_unwind(AssertUnwindSafe(|| job(connection))).unwrap_or_else(|_| Err(Error::internal("a job panicked")))
}
