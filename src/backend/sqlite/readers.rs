//! The readers of a native database: connections that are opened when needed and kept, and threads for asynchronous reads.

use super::SqliteConnection;
use super::handover::{Queue, answer};
use super::native::Place;
use crate::backend::{Job, OwnedJob, closed};
use crate::error::{Error, ErrorCode, Result};
use futures_channel::oneshot;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Threads for asynchronous reads.
const THREADS: usize = 4;

pub(super) struct Readers {
    place: Place,
    pool: Mutex<Pool>,
    returned: Condvar,
    requests: Arc<Queue<Request>>,
    started: Mutex<bool>,
}

#[derive(Default)]
struct Pool {
    /// The longest unused in front, each with the time when it came back.
    idle: VecDeque<(Box<SqliteConnection>, Instant)>,
    lent: u32,
    /// How many wait for one to come back.
    waiting: u32,
    closed: bool,
}

impl Pool {
    /// Closes what nobody needed for so long, but keeps a few. Happens whenever a connection comes back.
    fn shrink(&mut self, min_idle: u32, idle_timeout: Duration) {
        while self.idle.len() > min_idle as usize
            && self.idle.front().is_some_and(|(_, since)| since.elapsed() >= idle_timeout)
        {
            self.idle.pop_front();
        }
    }
}

struct Request {
    job: OwnedJob,
    reply: oneshot::Sender<Result<()>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Readers {
    pub(super) fn new(place: Place) -> Self {
        Readers {
            place,
            pool: Mutex::default(),
            returned: Condvar::new(),
            requests: Arc::default(),
            started: Mutex::default(),
        }
    }

    /// Runs a job on this thread, on a connection of its own, seeing one committed state throughout.
    pub(super) fn run(&self, job: &mut Job<'_>) -> Result<()> {
        self.borrow()?.in_transaction("BEGIN DEFERRED", job)
    }

    /// Runs a job on one of the reading threads.
    pub(super) fn submit(self: Arc<Self>, job: OwnedJob) -> impl Future<Output = Result<()>> + Send {
        let (reply, outcome) = oneshot::channel();
        let sent = self.start().and_then(|()| self.requests.push(Request { job, reply }));
        async move { answer(outcome, sent?).await.unwrap_or_else(|| Err(Error::internal("a job panicked"))) }
    }

    /// Closes the idle connections; those that are lent are closed when they come back.
    pub(super) fn close(&self) {
        let mut pool = locked(&self.pool);
        pool.closed = true;
        pool.idle.clear();
        self.returned.notify_all();
        drop(pool);
        self.requests.close();
    }

    fn borrow(&self) -> Result<Lent<'_>> {
        let settings = &self.place.settings;
        let mut deadline = None;
        let mut pool = locked(&self.pool);
        loop {
            if pool.closed {
                return Err(closed());
            }
            if let Some((connection, _)) = pool.idle.pop_back() {
                pool.lent += 1;
                return Ok(Lent { readers: self, connection: Some(connection) });
            }
            if pool.lent < settings.pool_max {
                pool.lent += 1;
                drop(pool);
                // Counted as lent from here on, also when it cannot be opened.
                let mut lent = Lent { readers: self, connection: None };
                lent.connection = Some(Box::new(self.place.connect(true)?));
                return Ok(lent);
            }
            let timeout = Duration::from_millis(settings.connect_timeout_ms.into());
            let left =
                deadline.get_or_insert_with(|| Instant::now() + timeout).saturating_duration_since(Instant::now());
            if left.is_zero() {
                let all = settings.pool_max;
                return Err(ErrorCode::Timeout.error(format!("none of {all} reading connections became free")));
            }
            pool.waiting += 1;
            pool = self.returned.wait_timeout(pool, left).unwrap_or_else(PoisonError::into_inner).0;
            pool.waiting -= 1;
        }
    }

    fn give_back(&self, connection: Option<Box<SqliteConnection>>) {
        let settings = &self.place.settings;
        let mut pool = locked(&self.pool);
        pool.lent -= 1;
        if !pool.closed {
            let usable = connection.filter(|connection| connection.raw.is_autocommit());
            pool.idle.extend(usable.map(|connection| (connection, Instant::now())));
            pool.shrink(settings.pool_min_idle, Duration::from_millis(settings.idle_timeout_ms.into()));
        }
        if pool.waiting > 0 {
            self.returned.notify_one();
        }
    }

    /// Starts the threads, with the first asynchronous read.
    fn start(self: &Arc<Self>) -> Result<()> {
        let mut started = locked(&self.started);
        if *started {
            return Ok(());
        }
        for number in 0..THREADS {
            // A thread does not keep the store alive: it ends when the store is gone.
            let (readers, requests) = (Arc::downgrade(self), self.requests.clone());
            std::thread::Builder::new()
                .name(format!("swarmstore-reader-{number}"))
                .spawn(move || {
                    while let Some(request) = requests.next() {
                        let Some(readers) = readers.upgrade() else { return };
                        serve(&readers, request);
                    }
                })
                .map_err(|error| Error::internal("no thread for reading could be started").caused_by(error))?;
        }
        *started = true;
        Ok(())
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.requests.close();
    }
}

fn serve(readers: &Readers, mut request: Request) {
    let run = std::panic::AssertUnwindSafe(|| readers.run(&mut *request.job));
    if let Ok(outcome) = std::panic::catch_unwind(run) {
        // A caller that went away does not want the answer.
        let _ = request.reply.send(outcome);
    }
}

/// A connection that goes back to the pool when this is dropped, also by a panic.
struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<Box<SqliteConnection>>,
}

impl Lent<'_> {
    fn in_transaction(&self, begin: &str, job: &mut Job<'_>) -> Result<()> {
        match &self.connection {
            Some(connection) => connection.in_transaction(begin, job),
            None => Err(Error::internal("a connection was lent that is not there")),
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.readers.give_back(self.connection.take());
    }
}
