//! The writer of a native database: one connection behind a lock, and a thread that commits together what waits together.

use super::SqliteConnection;
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

/// How long the writing thread looks out for work before it sleeps.
const LOOK_OUT: Duration = Duration::from_micros(50);
/// The most jobs that share one commit.
const MAX_SHARED: usize = 256;

/// Whoever holds this writes.
pub(super) type WriterGuard = MutexGuardArc<SqliteConnection>;

/// Lets one writer in at a time, first come first served.
#[derive(Clone)]
pub(super) struct WriterLock(Arc<Mutex<SqliteConnection>>);

impl WriterLock {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        WriterLock(Arc::new(Mutex::new(connection)))
    }

    pub(super) async fn lock(&self) -> WriterGuard {
        self.0.lock_arc().await
    }

    pub(super) fn lock_blocking(&self) -> WriterGuard {
        self.0.lock_arc_blocking()
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
    while let Some(first) = next(waiting) {
        let writer = lock.lock_blocking();
        if closed.load(Ordering::Acquire) {
            let _ = first.answer.send(Err(super::super::closed()));
            continue;
        }
        let mut together = vec![first];
        together.extend(waiting.try_iter().take(MAX_SHARED - 1));
        let stricter = durability != Durability::Strict && together.iter().any(|request| request.strict);
        if stricter {
            let _ = writer.execute_script("PRAGMA synchronous = FULL;");
        }
        commit_together(&writer, together);
        if stricter {
            let _ = writer.execute_script("PRAGMA synchronous = NORMAL;");
        }
    }
}

/// The next request. Looks out for it a little while before it sleeps: being woken costs more than most transactions.
fn next(waiting: &Receiver<Request>) -> Option<Request> {
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

/// Runs each job in a savepoint of one transaction. A job's error undoes that job alone; when the commit itself fails,
/// each runs again in a transaction of its own.
fn commit_together(writer: &SqliteConnection, mut together: Vec<Request>) {
    if together.len() > 1
        && let Ok(outcomes) = share(writer, &mut together)
    {
        for (request, outcome) in together.into_iter().zip(outcomes) {
            let _ = request.answer.send(outcome);
        }
        return;
    }
    for mut request in together {
        let outcome = writer.in_transaction("BEGIN IMMEDIATE", &mut |connection| guarded(&mut request.job, connection));
        // A caller that went away does not want the answer.
        let _ = request.answer.send(outcome);
    }
}

fn share(writer: &SqliteConnection, together: &mut [Request]) -> Result<Vec<Result<()>>> {
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
