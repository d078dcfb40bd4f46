//! A rusqlite connection as the seam that services see.

use crate::error::{Error, ErrorCode, Result};
use crate::model::{Row, Value};
use crate::sql::{Connection, Dialect, is_query};
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use std::borrow::Cow;

/// How many statements a connection keeps prepared.
const STATEMENTS: usize = 200;

/// One SQLite connection.
pub(crate) struct SqliteConnection {
    /// Before the connection, so that it is dropped before it.
    commands: super::commands::Commands,
    pub(crate) raw: rusqlite::Connection,
    #[cfg(not(target_family = "wasm"))]
    pub(super) deadline: Option<super::deadline::Deadline>,
    #[cfg(not(target_family = "wasm"))]
    pub(super) keeper: std::cell::RefCell<Option<Box<dyn super::Keeper>>>,
}

impl SqliteConnection {
    /// Takes a connection and sets what holds on every one.
    pub(crate) fn new(raw: rusqlite::Connection) -> Result<Self> {
        raw.set_prepared_statement_cache_capacity(STATEMENTS);
        // Keeps a statement prepared whatever is bound to it: otherwise SQLite looks at bound values because of our partial
        // indexes, and prepares anew each time.
        raw.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(from_sqlite)?;
        let connection = SqliteConnection {
            commands: super::commands::Commands::default(),
            raw,
            #[cfg(not(target_family = "wasm"))]
            deadline: None,
            #[cfg(not(target_family = "wasm"))]
            keeper: std::cell::RefCell::default(),
        };
        connection.execute_script(super::PRAGMAS)?;
        Ok(connection)
    }

    /// Tells the limit that a statement begins.
    #[cfg_attr(target_family = "wasm", allow(clippy::unused_self))] // there no statement is limited
    fn begins(&self) {
        #[cfg(not(target_family = "wasm"))]
        if let Some(deadline) = &self.deadline {
            deadline.begin();
        }
    }

    /// Begins or ends a transaction.
    fn command(&self, command: &str) -> Result<()> {
        self.begins();
        if let Some(done) = self.commands.run(&self.raw, command) {
            return done;
        }
        self.execute(command, &[]).map(|_| ())
    }

    /// Runs `body` in a transaction begun with `begin`; what fails leaves nothing.
    pub(crate) fn in_transaction(
        &self,
        begin: &str,
        body: &mut dyn FnMut(&dyn Connection) -> Result<()>,
    ) -> Result<()> {
        self.command(begin)?;
        let _unless_ended = RollBack(self);
        let outcome = body(self).and_then(|()| self.commit());
        if outcome.is_err() {
            self.roll_back()?;
        }
        outcome
    }

    /// Begins a transaction that writes, to be ended by [`commit`](Self::commit) or [`roll_back`](Self::roll_back).
    #[cfg(target_family = "wasm")]
    pub(crate) fn begin(&self) -> Result<()> {
        self.command("BEGIN IMMEDIATE")
    }

    /// Commits the open transaction, after its keeper has kept it. When this fails the transaction is still open.
    pub(crate) fn commit(&self) -> Result<()> {
        #[cfg(not(target_family = "wasm"))]
        self.keep()?;
        let committed = self.command("COMMIT");
        #[cfg(not(target_family = "wasm"))]
        if let (Err(_), Some(keeper)) = (&committed, self.keeper.borrow_mut().as_mut()) {
            keeper.distrust();
        }
        committed
    }

    /// SQLite rolls back by itself when the disk is full or memory runs out. Statements after that would each be committed.
    pub(crate) fn check_in_transaction(&self) -> Result<()> {
        if self.raw.is_autocommit() {
            return Err(ErrorCode::Closed.error("the transaction was rolled back by a failure in it"));
        }
        Ok(())
    }

    /// Leaves the open transaction, if SQLite has not done so by itself.
    pub(crate) fn roll_back(&self) -> Result<()> {
        #[cfg(not(target_family = "wasm"))]
        self.forget();
        if self.raw.is_autocommit() {
            return Ok(());
        }
        self.execute("ROLLBACK", &[]).map(|_| ())
    }
}

/// Leaves no transaction open when a job panics.
struct RollBack<'a>(&'a SqliteConnection);

impl Drop for RollBack<'_> {
    fn drop(&mut self) {
        // The panic is what the caller hears of; the next BEGIN would report a rollback that failed.
        let _ = self.0.roll_back();
    }
}

impl Connection for SqliteConnection {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        let mut statement = self.raw.prepare_cached(sql).map_err(from_sqlite)?;
        bind(&mut statement, params)?;
        self.begins();
        let changed = statement.raw_execute().map_err(from_sqlite)?;
        Ok(changed as u64)
    }

    fn execute_each(&self, sql: &str, width: usize, params: &[Value<'_>]) -> Result<usize> {
        let mut statement = self.raw.prepare_cached(sql).map_err(from_sqlite)?;
        let mut before: &[Value<'_>] = &[];
        for (done, row) in params.chunks(width).enumerate() {
            if before.is_empty() {
                bind(&mut statement, row)?;
            } else {
                // What is bound stays bound, and rows that are written together have much in common.
                let differ = row.iter().zip(before).enumerate().filter(|(_, (value, before))| value != before);
                for (at, (value, _)) in differ {
                    statement.raw_bind_parameter(at + 1, value).map_err(from_sqlite)?;
                }
            }
            before = row;
            if statement.raw_execute().map_err(from_sqlite)? == 0 {
                return Ok(done);
            }
        }
        Ok(params.len() / width)
    }

    fn query(&self, sql: &str, params: &[Value<'_>], each_row: &mut dyn FnMut(&dyn Row) -> Result<()>) -> Result<()> {
        let mut statement = self.raw.prepare_cached(sql).map_err(from_sqlite)?;
        bind(&mut statement, params)?;
        self.begins();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(from_sqlite)? {
            each_row(&SqliteRow(row))?;
        }
        Ok(())
    }

    fn execute_script(&self, sql: &str) -> Result<()> {
        self.begins();
        self.raw.execute_batch(sql).map_err(from_sqlite)
    }

    fn columns(&self, sql: &str) -> Result<Vec<String>> {
        let refused = |reason: &str| Error::invalid("sql", reason);
        let unreadable = |error: rusqlite::Error| refused(&error.to_string());
        if !is_query(sql) {
            return Err(refused("expected one SELECT, WITH, VALUES or EXPLAIN"));
        }
        let mut batch = rusqlite::Batch::new(&self.raw, sql);
        let statement = batch.next().map_err(unreadable)?.ok_or_else(|| refused("is empty"))?;
        if !statement.readonly() {
            return Err(refused("only reading statements are allowed"));
        }
        let columns = statement.column_names().map(str::to_owned).collect();
        drop(statement);
        if batch.next().map_err(unreadable)?.is_some() {
            return Err(refused("expected one statement"));
        }
        Ok(columns)
    }
}

fn bind(statement: &mut rusqlite::Statement<'_>, params: &[Value<'_>]) -> Result<()> {
    let expected = statement.parameter_count();
    if expected != params.len() {
        return Err(Error::invalid("params", format!("expected {expected}, got {}", params.len())));
    }
    for (at, param) in params.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, param).map_err(from_sqlite)?;
    }
    Ok(())
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(integer) => ValueRef::Integer(*integer),
            Value::Real(real) => ValueRef::Real(*real),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

struct SqliteRow<'a, 's>(&'a rusqlite::Row<'s>);

impl Row for SqliteRow<'_, '_> {
    fn get(&self, index: usize) -> Result<Value<'_>> {
        Ok(match self.0.get_ref(index).map_err(from_sqlite)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(integer) => Value::Integer(integer),
            ValueRef::Real(real) => Value::Real(real),
            ValueRef::Text(text) => Value::Text(Cow::Borrowed(
                std::str::from_utf8(text).map_err(|_| ErrorCode::Corrupt.error("stored text is not UTF-8"))?,
            )),
            ValueRef::Blob(bytes) => Value::Blob(Cow::Borrowed(bytes)),
        })
    }
}

/// A failure of SQLite by its meaning. SQLite's own messages name tables and columns, never values.
pub(crate) fn from_sqlite(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode as Sqlite;
    let code = match error.sqlite_error_code() {
        Some(Sqlite::ConstraintViolation) => ErrorCode::Constraint,
        Some(Sqlite::DiskFull | Sqlite::OutOfMemory) => ErrorCode::Quota,
        Some(Sqlite::DatabaseCorrupt | Sqlite::NotADatabase) => ErrorCode::Corrupt,
        // Only the limit of a statement's time interrupts.
        Some(Sqlite::DatabaseBusy | Sqlite::DatabaseLocked | Sqlite::OperationInterrupted) => ErrorCode::Timeout,
        Some(Sqlite::SystemIoFailure) if is_about_writing(&error) => ErrorCode::PersistenceLost,
        Some(Sqlite::CannotOpen | Sqlite::PermissionDenied | Sqlite::SystemIoFailure) => ErrorCode::Unavailable,
        Some(Sqlite::TooBig) => ErrorCode::InvalidArgument,
        _ => ErrorCode::Internal,
    };
    let message = match code {
        ErrorCode::Constraint => format!("the database refused the change: {error}"),
        _ => format!("SQLite: {error}"),
    };
    code.error(message).caused_by(error)
}

/// Whether the system refused to write. A full disk has a code of its own; a file that has reached its limit has not.
fn is_about_writing(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{
        SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE,
    };
    let writing =
        [SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_SHMSIZE];
    error.sqlite_extended_error_code().is_some_and(|code| writing.contains(&code))
}
