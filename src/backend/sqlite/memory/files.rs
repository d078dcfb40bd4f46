//! Databases in memory by their names, and who has them open.

use super::version::Version;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far a handle has locked its database, as SQLite counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    None,
    Shared,
    Reserved,
    Exclusive,
}

/// A database: its newest committed version, and whether somebody makes the next.
#[derive(Default)]
pub(super) struct Database(Mutex<State>);

#[derive(Default)]
struct State {
    newest: Arc<Version>,
    reserved: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

static FILES: Mutex<Option<HashMap<String, Arc<Database>>>> = Mutex::new(None);

/// Gives a new, empty database a name.
pub(super) fn add(name: &str) {
    locked(&FILES).get_or_insert_default().insert(name.to_owned(), Arc::default());
}

/// Forgets the name; whoever has the database open keeps it.
pub(super) fn remove(name: &str) {
    locked(&FILES).get_or_insert_default().remove(name);
}

/// Opens the database of that name.
pub(super) fn open(name: &str) -> Option<Handle> {
    let database = locked(&FILES).as_ref()?.get(name)?.clone();
    Some(Handle { database, level: Level::None, version: Arc::default(), wrote: false })
}

/// One connection's view of a database.
pub(super) struct Handle {
    database: Arc<Database>,
    level: Level,
    /// What this handle reads, and writes to; of meaning while it has a lock.
    version: Arc<Version>,
    wrote: bool,
}

impl Handle {
    /// Takes a lock. False when another writes, or has written since this handle began to read: then SQLite begins anew.
    pub(super) fn lock(&mut self, level: Level) -> bool {
        let mut state = locked(&self.database.0);
        if self.level == Level::None {
            self.version = state.newest.clone();
            self.level = Level::Shared;
        }
        if level >= Level::Reserved && self.level < Level::Reserved {
            if state.reserved || !Arc::ptr_eq(&self.version, &state.newest) {
                return false;
            }
            state.reserved = true;
        }
        self.level = self.level.max(level);
        true
    }

    /// Gives a lock back. What was written is from now on the newest version.
    pub(super) fn unlock(&mut self, level: Level) {
        if self.level >= Level::Reserved && level < Level::Reserved {
            let mut state = locked(&self.database.0);
            state.reserved = false;
            if std::mem::take(&mut self.wrote) {
                state.newest = self.version.clone();
            }
        }
        if level == Level::None {
            self.version = Arc::default();
        }
        self.level = self.level.min(level);
    }

    pub(super) fn is_reserved(&self) -> bool {
        locked(&self.database.0).reserved
    }

    /// What this handle sees; without a lock the newest.
    pub(super) fn version(&self) -> Arc<Version> {
        match self.level {
            Level::None => locked(&self.database.0).newest.clone(),
            _ => self.version.clone(),
        }
    }

    /// The version that is being written; `None` without the lock for it.
    pub(super) fn version_mut(&mut self) -> Option<&mut Version> {
        if self.level < Level::Exclusive {
            return None;
        }
        self.wrote = true;
        Some(Arc::make_mut(&mut self.version))
    }
}

impl Drop for Handle {
    /// A connection that goes away in the middle of writing leaves nothing of it.
    fn drop(&mut self) {
        self.wrote = false;
        self.unlock(Level::None);
    }
}
