//! A backend of one's own: a whole small engine on two rusqlite connections to one file, one that writes and one that reads.
//!
//! It implements [`Connection`] (how statements are run), [`Transaction`] and the three methods that [`Backend`] needs.
//! `tests/own_backend.rs` runs the contract suite on it.

use async_lock::{Mutex, MutexGuardArc};
use rusqlite::types::ValueRef;
use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use swarmstore::backend::{Backend, Job, Transaction};
use swarmstore::platform::BoxFuture;
use swarmstore::sql::{Connection, Dialect, Row, Value};
use swarmstore::{Durability, Error, ErrorCode, FlushState, Result};

/// The engine. `None` in the place of a connection means that the store is closed.
pub struct OwnBackend {
    writer: Arc<Mutex<Option<Sqlite>>>,
    reader: std::sync::Mutex<Option<Sqlite>>,
}

impl OwnBackend {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// `UNAVAILABLE` and what else SQLite reports.
    pub fn open(path: &Path) -> Result<Self> {
        let connect = |pragmas: &str| -> rusqlite::Result<Sqlite> {
            let connection = rusqlite::Connection::open(path)?;
            connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;")?;
            connection.execute_batch(pragmas)?;
            Ok(Sqlite(connection))
        };
        let writer = connect("PRAGMA recursive_triggers = ON;").map_err(refusal)?;
        let reader = connect("PRAGMA query_only = ON;").map_err(refusal)?;
        Ok(OwnBackend { writer: Arc::new(Mutex::new(Some(writer))), reader: std::sync::Mutex::new(Some(reader)) })
    }
}

impl Backend for OwnBackend {
    fn read_blocking(&self, job: &mut Job<'_>) -> Result<()> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = reader.as_ref().ok_or_else(closed)?;
        // One transaction, so that the job sees one state; a reader has nothing to commit.
        reader.execute("BEGIN DEFERRED", &[])?;
        let outcome = job(reader);
        reader.execute("ROLLBACK", &[])?;
        outcome
    }

    fn begin(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>>> {
        Box::pin(async {
            // The lock of async-lock is fair: who came first writes first.
            let writer = self.writer.lock_arc().await;
            writer.as_ref().ok_or_else(closed)?.execute("BEGIN IMMEDIATE", &[])?;
            Ok(Box::new(Open(writer)) as Box<dyn Transaction>)
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            *self.writer.lock().await = None;
            *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = None;
            Ok(())
        })
    }

    // The three methods above are enough. The next three make export, import and the size in `health` work as well.

    fn export(&self) -> BoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(async {
            let mut writer = self.writer.lock().await;
            let Sqlite(raw) = writer.as_mut().ok_or_else(closed)?;
            let mut file = raw.serialize(rusqlite::MAIN_DB).map_err(refusal)?.to_vec();
            // Every backend opens a file in journal mode; one that says it has a log beside it would need that log.
            file[18..20].fill(1);
            Ok(file)
        })
    }

    fn import(&self, file: Vec<u8>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let mut writer = self.writer.lock().await;
            let Sqlite(raw) = writer.as_mut().ok_or_else(closed)?;
            let staged =
                stage(&file).map_err(|error| ErrorCode::Corrupt.error("no sound database").caused_by(error))?;
            raw.flush_prepared_statement_cache();
            let backup = rusqlite::backup::Backup::new(&staged, raw).map_err(refusal)?;
            backup.step(-1).map_err(refusal)?;
            Ok(())
        })
    }

    fn flush_state(&self) -> FlushState {
        let mut state = FlushState::default();
        let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        // A closed store has no size.
        let _ = self.read_blocking(&mut |connection| {
            connection.query(sql, &[], &mut |row| {
                if let Value::Integer(bytes) = row.get(0)? {
                    state.size_bytes = u64::try_from(bytes).unwrap_or(0);
                }
                Ok(())
            })
        });
        state
    }
}

/// Opens a file in memory, apart from the store, and looks through it.
fn stage(file: &[u8]) -> rusqlite::Result<rusqlite::Connection> {
    let mut staged = rusqlite::Connection::open_in_memory()?;
    staged.deserialize_read_exact(rusqlite::MAIN_DB, file, file.len(), false)?;
    // Answers one row, "ok"; anything else is a fault in the file.
    staged.query_row("SELECT * FROM pragma_integrity_check WHERE integrity_check = 'ok'", [], |_| Ok(()))?;
    staged.query_row("SELECT max(version) FROM schema_migrations", [], |_| Ok(()))?;
    Ok(staged)
}

/// The writer, held until the end of a transaction.
struct Open(MutexGuardArc<Option<Sqlite>>);

impl Transaction for Open {
    fn run(&mut self, job: &mut Job<'_>) -> Result<()> {
        job(self.0.as_ref().ok_or_else(closed)?)
    }

    fn commit(self: Box<Self>, _durability: Option<Durability>) -> BoxFuture<'static, Result<()>> {
        let committed = self.0.as_ref().ok_or_else(closed).and_then(|writer| writer.execute("COMMIT", &[]));
        Box::pin(std::future::ready(committed.map(|_| ())))
    }
}

impl Drop for Open {
    /// What was not committed leaves nothing.
    fn drop(&mut self) {
        if let Some(Sqlite(raw)) = self.0.as_ref().filter(|Sqlite(raw)| !raw.is_autocommit()) {
            // Nobody is left to be told; the next BEGIN would fail.
            let _ = raw.execute_batch("ROLLBACK");
        }
    }
}

/// How statements reach the database.
struct Sqlite(rusqlite::Connection);

impl Connection for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        let mut statement = self.0.prepare_cached(sql).map_err(refusal)?;
        Ok(statement.execute(rusqlite::params_from_iter(params)).map_err(refusal)? as u64)
    }

    fn query(&self, sql: &str, params: &[Value<'_>], each_row: &mut dyn FnMut(&dyn Row) -> Result<()>) -> Result<()> {
        let mut statement = self.0.prepare_cached(sql).map_err(refusal)?;
        let mut rows = statement.query(rusqlite::params_from_iter(params)).map_err(refusal)?;
        while let Some(row) = rows.next().map_err(refusal)? {
            each_row(&SqliteRow(row))?;
        }
        Ok(())
    }

    fn execute_script(&self, sql: &str) -> Result<()> {
        self.0.execute_batch(sql).map_err(refusal)
    }

    fn columns(&self, sql: &str) -> Result<Vec<String>> {
        let no_query = || Error::invalid("sql", "expected one statement that reads");
        // For SQLite, PRAGMA and BEGIN read as well.
        if !swarmstore::sql::is_query(sql) {
            return Err(no_query());
        }
        let statement = self.0.prepare(sql).map_err(|error| no_query().caused_by(error))?;
        if !statement.readonly() {
            return Err(no_query());
        }
        Ok(statement.column_names().map(str::to_owned).collect())
    }
}

struct SqliteRow<'a, 's>(&'a rusqlite::Row<'s>);

impl Row for SqliteRow<'_, '_> {
    fn get(&self, index: usize) -> Result<Value<'_>> {
        Ok(match self.0.get_ref(index).map_err(refusal)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(integer) => Value::Integer(integer),
            ValueRef::Real(real) => Value::Real(real),
            ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text)),
            ValueRef::Blob(bytes) => Value::Blob(Cow::Borrowed(bytes)),
        })
    }
}

fn closed() -> Error {
    ErrorCode::Closed.error("the store is closed")
}

/// What SQLite says, as one of our codes.
fn refusal(error: rusqlite::Error) -> Error {
    if let rusqlite::Error::InvalidParameterCount(..) = error {
        return Error::invalid("params", &error);
    }
    let code = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => ErrorCode::Constraint,
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => ErrorCode::Corrupt,
        Some(rusqlite::ErrorCode::DiskFull) => ErrorCode::Quota,
        Some(rusqlite::ErrorCode::DatabaseBusy) => ErrorCode::Timeout,
        Some(rusqlite::ErrorCode::CannotOpen) => ErrorCode::Unavailable,
        _ => ErrorCode::Internal,
    };
    code.error(error.to_string()).caused_by(error)
}

#[allow(dead_code)] // the tests take this file without it
fn main() -> Result<()> {
    use swarmstore::{NewAgent, Query, Store};

    let path = std::env::args().nth(1).unwrap_or_else(|| "own.sqlite3".to_owned());
    let store = swarmstore::testing::block_on(Store::options().open_on(OwnBackend::open(Path::new(&path))?))?;
    store.write_blocking(|tx| tx.agents().add(NewAgent::new("worker")))?;
    println!("{} agents in {path}", store.read_blocking(|tx| tx.agents().count(&Query::new()))?);
    Ok(())
}
