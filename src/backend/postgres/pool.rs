//! The connections of one store: opened when needed, kept for the next, closed when nobody wants them.

use super::connection::PgConnection;
use super::single::Single;
use super::target::Target;
use crate::backend::closed;
use crate::error::{Error, ErrorCode, Result};
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Who was idle for so long is looked at before it is lent.
const LOOKED_AT_AFTER: Duration = Duration::from_millis(20);

pub(super) struct Pool {
    target: Target,
    state: Mutex<State>,
    /// For those who wait for a connection.
    changed: Condvar,
    /// For the thread that tends the pool: it is not to be woken by every job.
    upkeep: Condvar,
}

#[derive(Default)]
struct State {
    /// The one that came back last is lent first.
    idle: Vec<Idle>,
    /// All that are open or being opened, lent ones included.
    open: usize,
    /// So many wait for a connection.
    waiting: u32,
    /// Raised when all that are idle are given up: what was lent before is not taken back.
    generation: u64,
    closed: bool,
}

impl State {
    /// One that may not write outside of a transaction, if there is one: nothing has to be said to it first.
    fn take_idle(&mut self) -> Option<Idle> {
        match self.idle.iter().rposition(|idle| !idle.connection.may_write.get()) {
            Some(at) => Some(self.idle.remove(at)),
            None => self.idle.pop(),
        }
    }

    /// One that may.
    fn take_idle_that_may_write(&mut self) -> Option<Idle> {
        let at = self.idle.iter().rposition(|idle| idle.connection.may_write.get())?;
        Some(self.idle.remove(at))
    }
}

struct Idle {
    connection: PgConnection,
    since: Instant,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    pub(super) fn new(target: Target) -> Arc<Self> {
        Arc::new(Pool { target, state: Mutex::default(), changed: Condvar::new(), upkeep: Condvar::new() })
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// A connection that is nobody else's, for as long as it is held.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the server is not there; `TIMEOUT` when all connections stay in use; `CLOSED`.
    pub(super) fn borrow(self: &Arc<Self>) -> Result<Lent> {
        let deadline = Instant::now() + self.target.connect_timeout();
        let mut state = locked(&self.state);
        loop {
            if state.closed {
                return Err(closed());
            }
            if let Some(idle) = state.take_idle() {
                let generation = state.generation;
                if idle.since.elapsed() < LOOKED_AT_AFTER {
                    return Ok(self.lend(generation, Some(idle.connection), idle.since));
                }
                drop(state);
                // Counted as lent from here on, also when it turns out to be of no use.
                let lent = self.lend(generation, Some(idle.connection), idle.since);
                if lent.link().is_alive() {
                    return Ok(lent);
                }
                lent.discard();
                state = locked(&self.state);
                continue;
            }
            if state.open < self.target.settings.pool_max as usize {
                state.open += 1;
                let generation = state.generation;
                drop(state);
                let mut lent = self.lend(generation, None, Instant::now());
                lent.connection = Some(self.target.connect()?);
                return Ok(lent);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let message = format!("all {} connections are in use", self.target.settings.pool_max);
                return Err(ErrorCode::Timeout.error(message));
            }
            state.waiting += 1;
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
        }
    }

    fn lend(self: &Arc<Self>, generation: u64, connection: Option<PgConnection>, since: Instant) -> Lent {
        Lent { pool: self.clone(), connection, generation, since }
    }

    /// Gives up all idle connections: one was found to be cut, and so may they be.
    pub(super) fn start_over(&self) {
        let mut state = locked(&self.state);
        state.generation += 1;
        state.open -= state.idle.len();
        let idle = std::mem::take(&mut state.idle);
        self.changed.notify_all();
        self.upkeep.notify_all();
        drop(state);
        drop(idle);
    }

    /// Closes the idle connections; those that are lent are closed when they come back.
    pub(super) fn close(&self) {
        let mut state = locked(&self.state);
        state.closed = true;
        state.open -= state.idle.len();
        let idle = std::mem::take(&mut state.idle);
        self.changed.notify_all();
        self.upkeep.notify_all();
        drop(state);
        drop(idle);
    }

    /// Lets a thread of its own open connections in advance and close those that nobody has wanted for long.
    pub(super) fn tend(self: &Arc<Self>) -> Result<()> {
        let pool = Arc::downgrade(self);
        std::thread::Builder::new()
            .name("swarmstore-postgres-pool".to_owned())
            .spawn(move || while tend_once(&pool).is_some() {})
            .map_err(|error| Error::internal("the thread for connections could not be started").caused_by(error))?;
        Ok(())
    }

    fn give_back(&self, connection: Option<PgConnection>, generation: u64, since: Instant) {
        let mut state = locked(&self.state);
        let kept = connection.filter(|connection| {
            !connection.is_lost() && !connection.is_open() && !state.closed && state.generation == generation
        });
        match kept {
            Some(connection) => {
                let place = state.idle.partition_point(|idle| idle.since <= since);
                state.idle.insert(place, Idle { connection, since });
            }
            None => state.open -= 1,
        }
        // Who begins to wait looks first, under the same lock.
        if state.waiting > 0 {
            self.changed.notify_one();
        }
    }
}

/// One round; `None` when the store is closed or gone.
fn tend_once(pool: &Weak<Pool>) -> Option<()> {
    /// How often, at most.
    const PAUSE: Duration = Duration::from_secs(1);

    let pool = pool.upgrade()?;
    let settings = &pool.target.settings;
    let mut state = locked(&pool.state);
    if state.closed {
        return None;
    }
    let mut old = Vec::new();
    let idle_timeout = Duration::from_millis(settings.idle_timeout_ms.into());
    let min_idle = settings.pool_min_idle as usize;
    while state.open > min_idle && state.idle.first().is_some_and(|first| first.since.elapsed() >= idle_timeout) {
        old.push(state.idle.remove(0));
        state.open -= 1;
    }
    let missing = state.open < min_idle;
    if missing {
        state.open += 1;
    }
    let generation = state.generation;
    drop(state);
    drop(old);
    if missing {
        let mut lent = pool.lend(generation, None, Instant::now());
        // A server that is not there is found so by whoever wants something of it.
        lent.connection = pool.target.connect().ok();
        if lent.connection.is_some() {
            return Some(());
        }
    }
    let state = locked(&pool.state);
    if !state.closed {
        drop(pool.upkeep.wait_timeout(state, PAUSE).unwrap_or_else(PoisonError::into_inner));
    }
    Some(())
}

/// A connection that goes back to the pool when this is dropped, unless something is open on it.
pub(super) struct Lent {
    pool: Arc<Pool>,
    connection: Option<PgConnection>,
    generation: u64,
    /// Since when it had been idle.
    since: Instant,
}

impl Lent {
    /// Carries out a single insert, all that a job has done here, on a connection that may do so if one is idle.
    pub(super) fn insert_single(&mut self, row: &Single) -> Result<()> {
        if !self.may_write.get() {
            self.exchange();
        }
        (**self).insert_single(row)
    }

    /// Gives this connection, on which nothing is open, for an idle one that may write outside of a transaction.
    fn exchange(&mut self) {
        let mut state = locked(&self.pool.state);
        let Some(idle) = state.take_idle_that_may_write() else { return };
        let generation = state.generation;
        drop(state);
        let given = self.connection.replace(idle.connection);
        let since = std::mem::replace(&mut self.since, idle.since);
        // It was not used, and is as old as before.
        self.pool.give_back(given, std::mem::replace(&mut self.generation, generation), since);
    }

    /// Closes the connection.
    fn discard(mut self) {
        self.connection = None;
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    #[allow(clippy::expect_used)] // only a Lent that is not given out yet has none
    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("a connection that is lent is there")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let connection = self.connection.take();
        if let Some(connection) = &connection {
            // Left by an error, a panic, or by whoever gave up.
            connection.end("ROLLBACK");
        }
        self.pool.give_back(connection, self.generation, Instant::now());
    }
}
