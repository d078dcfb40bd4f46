//! BEGIN and COMMIT, kept prepared: to find one in the cache of statements costs more than to run it, and every transaction
//! takes two.

use super::connection::from_sqlite;
use crate::error::Result;
use rusqlite::ffi;
use std::cell::Cell;
use std::ffi::{CStr, c_int};
use std::ptr;

const COMMANDS: [&CStr; 3] = [c"BEGIN DEFERRED", c"BEGIN IMMEDIATE", c"COMMIT"];

/// Those of one connection, which has to outlive this.
#[derive(Default)]
pub(super) struct Commands([Cell<Option<Prepared>>; COMMANDS.len()]);

/// A statement that takes no parameters and answers no rows.
#[derive(Clone, Copy)]
struct Prepared(ptr::NonNull<ffi::sqlite3_stmt>);

// SAFETY: a statement may be used on any thread, by one at a time; `Commands` is not `Sync`.
unsafe impl Send for Prepared {}

impl Commands {
    /// Runs a command on the connection that this belongs to; `None` when it is none of these.
    pub(super) fn run(&self, raw: &rusqlite::Connection, command: &str) -> Option<Result<()>> {
        let place = COMMANDS.iter().position(|known| known.to_bytes() == command.as_bytes())?;
        Some(self.run_at(place, raw).map_err(from_sqlite))
    }

    fn run_at(&self, place: usize, raw: &rusqlite::Connection) -> rusqlite::Result<()> {
        // SAFETY: the connection is open for as long as it is borrowed.
        let database = unsafe { raw.handle() };
        let prepared = match self.0[place].get() {
            Some(prepared) => prepared,
            None => prepare(database, COMMANDS[place])?,
        };
        self.0[place].set(Some(prepared));
        // SAFETY: the statement is this connection's, and is finalized only when `self` is dropped.
        let code = unsafe { ffi::sqlite3_step(prepared.0.as_ptr()) };
        let outcome = if code == ffi::SQLITE_DONE { Ok(()) } else { Err(failure(database)) };
        // SAFETY: as above. What it returns is the failure of the step once more.
        unsafe { ffi::sqlite3_reset(prepared.0.as_ptr()) };
        outcome
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        for Prepared(statement) in self.0.iter().filter_map(Cell::take) {
            // SAFETY: the connection is still open, and nobody else has the statement.
            unsafe { ffi::sqlite3_finalize(statement.as_ptr()) };
        }
    }
}

fn prepare(database: *mut ffi::sqlite3, command: &CStr) -> rusqlite::Result<Prepared> {
    let mut statement = ptr::null_mut();
    // SAFETY: the connection is open and the text ends with NUL.
    unsafe {
        ffi::sqlite3_prepare_v3(
            database,
            command.as_ptr(),
            -1,
            ffi::SQLITE_PREPARE_PERSISTENT,
            &raw mut statement,
            ptr::null_mut(),
        )
    };
    ptr::NonNull::new(statement).map(Prepared).ok_or_else(|| failure(database))
}

/// Why the last call failed.
fn failure(database: *mut ffi::sqlite3) -> rusqlite::Error {
    // SAFETY: the connection is open; the message is copied before anything else is asked of it.
    let (code, message): (c_int, _) = unsafe {
        (ffi::sqlite3_extended_errcode(database), CStr::from_ptr(ffi::sqlite3_errmsg(database)).to_string_lossy())
    };
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(message.into_owned()))
}
