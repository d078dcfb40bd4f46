//! The readers of a native database: connections that are opened when needed and kept, and threads for asynchronous reads.

use super::SqliteConnection;
use super::native::Place;
use crate::backend::{Job, OwnedJob, closed};
use crate::error::{Error, Result};
use futures_channel::oneshot;
use std::future::Future;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The most connections that read at once.
const MAX_CONNECTIONS: usize = 32;
/// Threads for asynchronous reads.
const THREADS: usize = 4;

pub(super) struct Readers {
    place: Place,
    pool: Mutex<Pool>,
    returned: Condvar,
    threads: Mutex<Option<Sender<Request>>>,
}

#[derive(Default)]
struct Pool {
    idle: Vec<SqliteConnection>,
    lent: usize,
    closed: bool,
}

struct Request {
    job: OwnedJob,
    answer: oneshot::Sender<Result<()>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Readers {
    pub(super) fn new(place: Place) -> Self {
        Readers { place, pool: Mutex::default(), returned: Condvar::new(), threads: Mutex::default() }
    }

    /// Runs a job on this thread, on a connection of its own, seeing one committed state throughout.
    pub(super) fn run(&self, job: &mut Job<'_>) -> Result<()> {
        let connection = self.borrow()?;
        let outcome = connection.in_transaction("BEGIN DEFERRED", job);
        self.give_back(connection);
        outcome
    }

    /// Runs a job on one of the reading threads.
    pub(super) fn submit(self: Arc<Self>, job: OwnedJob) -> impl Future<Output = Result<()>> + Send {
        let (answer, outcome) = oneshot::channel();
        let sent = self.clone().sender().and_then(|sender| sender.send(Request { job, answer }).map_err(|_| closed()));
        async move {
            sent?;
            outcome.await.unwrap_or_else(|_| Err(Error::internal("a job panicked")))
        }
    }

    /// Closes the idle connections; those that are lent are closed when they come back.
    pub(super) fn close(&self) {
        let mut pool = locked(&self.pool);
        pool.closed = true;
        pool.idle.clear();
        self.returned.notify_all();
        drop(pool);
        *locked(&self.threads) = None;
    }

    fn borrow(&self) -> Result<SqliteConnection> {
        let mut pool = locked(&self.pool);
        loop {
            if pool.closed {
                return Err(closed());
            }
            if let Some(connection) = pool.idle.pop() {
                pool.lent += 1;
                return Ok(connection);
            }
            if pool.lent < MAX_CONNECTIONS {
                pool.lent += 1;
                drop(pool);
                return self.place.connect(true).inspect_err(|_| self.forget());
            }
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, connection: SqliteConnection) {
        let mut pool = locked(&self.pool);
        pool.lent -= 1;
        if !pool.closed && connection.raw.is_autocommit() {
            pool.idle.push(connection);
        }
        self.returned.notify_one();
    }

    fn forget(&self) {
        locked(&self.pool).lent -= 1;
        self.returned.notify_one();
    }

    /// The way to the threads, which are started by the first asynchronous read.
    fn sender(self: Arc<Self>) -> Result<Sender<Request>> {
        let mut threads = locked(&self.threads);
        if let Some(sender) = &*threads {
            return Ok(sender.clone());
        }
        if locked(&self.pool).closed {
            return Err(closed());
        }
        let (sender, requests) = channel();
        let requests = Arc::new(Mutex::new(requests));
        for number in 0..THREADS {
            // A thread does not keep the store alive: it ends when the last sender is gone.
            let (readers, requests) = (Arc::downgrade(&self), requests.clone());
            std::thread::Builder::new()
                .name(format!("swarmstore-reader-{number}"))
                .spawn(move || {
                    while let Some(request) = next(&requests) {
                        let Some(readers) = readers.upgrade() else { return };
                        serve(&readers, request);
                    }
                })
                .map_err(|error| Error::internal("no thread for reading could be started").caused_by(error))?;
        }
        *threads = Some(sender.clone());
        Ok(sender)
    }
}

fn next(requests: &Mutex<Receiver<Request>>) -> Option<Request> {
    locked(requests).recv().ok()
}

fn serve(readers: &Readers, mut request: Request) {
    let run = std::panic::AssertUnwindSafe(|| readers.run(&mut *request.job));
    if let Ok(outcome) = std::panic::catch_unwind(run) {
        // A caller that went away does not want the answer.
        let _ = request.answer.send(outcome);
    } else {
        readers.forget();
    }
}
