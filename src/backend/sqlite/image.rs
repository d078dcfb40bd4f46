//! Whole databases as files, natively.

use super::SqliteConnection;
use super::connection::from_sqlite;
use crate::error::{Error, ErrorCode, Result};
use crate::model::Millis;
use crate::sql::{Connection as _, migrate, schema_version};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, MAIN_DB};
use std::path::PathBuf;

/// Where a SQLite file says whether it is in WAL mode: 2 for WAL, 1 for a journal.
const FORMAT_BYTES: std::ops::Range<usize> = 18..20;
/// The page size that all our databases have, so that an image can replace another.
const PAGE_SIZE: i64 = 4096;

/// The committed state as a SQLite file with a journal, which opens everywhere.
pub(crate) fn export(writer: &mut SqliteConnection) -> Result<Vec<u8>> {
    let mut file = writer.raw.serialize(MAIN_DB).map_err(from_sqlite)?.to_vec();
    if let Some(format) = file.get_mut(FORMAT_BYTES) {
        format.fill(1);
    }
    Ok(file)
}

/// Takes a file apart from the store: verified, at our page size, migrated.
pub(crate) fn stage(file: &[u8], now: Millis) -> Result<SqliteConnection> {
    let damaged = |reason: String| ErrorCode::Corrupt.error(format!("the file is no sound SQLite database: {reason}"));
    if !file.starts_with(b"SQLite format 3\0") || file.len() < 512 {
        return Err(damaged("it does not begin like one".to_owned()));
    }
    let mut file = file.to_vec();
    file[FORMAT_BYTES].fill(1);
    let mut raw = Connection::open_in_memory().map_err(from_sqlite)?;
    raw.deserialize_read_exact(MAIN_DB, &*file, file.len(), false).map_err(from_sqlite)?;
    let staged = SqliteConnection::new(raw)?;
    let unsound = |error: Error| damaged(error.to_string());
    let found = staged.texts_of("PRAGMA integrity_check").map_err(unsound)?;
    if found != ["ok"] {
        return Err(damaged(found.join("; ")));
    }
    if schema_version(&staged)? == 0 {
        return Err(Error::invalid("file", "is a SQLite database, but not one of swarmstore's"));
    }
    staged.in_transaction("BEGIN IMMEDIATE", &mut |connection| migrate(connection, now))?;
    let dangling = staged.texts_of("SELECT DISTINCT \"table\" FROM pragma_foreign_key_check")?;
    if !dangling.is_empty() {
        return Err(damaged(format!("a reference leads nowhere in {}", dangling.join(", "))));
    }
    if (&staged as &dyn crate::sql::Connection).integer("PRAGMA page_size", &[])? == PAGE_SIZE {
        return Ok(staged);
    }
    repaged(&staged)
}

/// The same database with pages of our size. SQLite changes that size in a file only.
fn repaged(staged: &SqliteConnection) -> Result<SqliteConnection> {
    let scratch = Scratch::new()?;
    let mut file = SqliteConnection::new(Connection::open(&scratch.0).map_err(from_sqlite)?)?;
    swap_in(staged, &mut file)?;
    file.execute_script(&format!("PRAGMA page_size = {PAGE_SIZE}; VACUUM;"))?;
    let mut repaged = SqliteConnection::nowhere()?;
    swap_in(&file, &mut repaged)?;
    Ok(repaged)
}

/// A temporary file that nobody else may read.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("swarmstore-{}", uuid::Uuid::new_v4()));
        let mut options = std::fs::OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.write(true).create_new(true).open(&path) {
            Ok(_) => Ok(Scratch(path)),
            Err(error) => Err(ErrorCode::Unavailable.error("no temporary file could be made").caused_by(error)),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left to the system's own cleaning when it cannot be deleted.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Replaces the database by the staged one, in one transaction.
pub(super) fn swap_in(staged: &SqliteConnection, writer: &mut SqliteConnection) -> Result<()> {
    writer.raw.flush_prepared_statement_cache();
    let backup = Backup::new(&staged.raw, &mut writer.raw).map_err(from_sqlite)?;
    match backup.step(-1).map_err(from_sqlite)? {
        StepResult::Done => Ok(()),
        _ => Err(ErrorCode::Timeout.error("the database is in use")),
    }
}

impl SqliteConnection {
    fn texts_of(&self, sql: &str) -> Result<Vec<String>> {
        (self as &dyn crate::sql::Connection).texts(sql, &[])
    }
}
