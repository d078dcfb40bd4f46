//! The seam between services and databases.

use super::{Dialect, Row, Value};
use crate::error::Result;
use crate::model::Millis;

/// A database connection with a transaction open on it.
///
/// Statements are cached by their text, so the text should be the same each time. Parameters are bound, never formatted
/// into the text; `?1` is the first.
///
/// Where one writer works at a time, nothing that a transaction has read can change before it ends. Where several work
/// beside each other, as on a server, a transaction that writes sees to that by locks: [`query`](Self::query) makes it the
/// only writer, which is always right; [`query_locked`](Self::query_locked) is for a question that needs less. The methods
/// about locks do nothing by default, for engines with one writer.
pub trait Connection {
    /// Which SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// Runs a statement; gives the number of rows that it changed.
    ///
    /// # Errors
    /// `CONSTRAINT` when the database refuses a value; what the backend reports otherwise.
    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64>;

    /// Runs a statement that changes one row, as is nearly always so, or else does nothing at all; whether it did. A server may
    /// answer before it has run: if it then finds otherwise, the job is run again.
    ///
    /// # Errors
    /// As for [`execute`](Self::execute).
    fn execute_likely(&self, sql: &str, params: &[Value<'_>]) -> Result<bool> {
        Ok(self.execute(sql, params)? == 1)
    }

    /// Runs a statement once for every `width` parameters, as one that is prepared once. Ends with the first that changes no
    /// row; gives how many did.
    ///
    /// # Errors
    /// As for [`execute`](Self::execute).
    fn execute_each(&self, sql: &str, width: usize, params: &[Value<'_>]) -> Result<usize> {
        for (done, row) in params.chunks(width).enumerate() {
            if self.execute(sql, row)? == 0 {
                return Ok(done);
            }
        }
        Ok(params.len() / width)
    }

    /// Runs a query and hands out each row, to be read in place.
    ///
    /// # Errors
    /// As for [`execute`](Self::execute), and whatever `each_row` returns.
    fn query(&self, sql: &str, params: &[Value<'_>], each_row: &mut dyn FnMut(&dyn Row) -> Result<()>) -> Result<()>;

    /// As [`query`](Self::query), when no other writer can change the answer before this transaction ends: the statement
    /// locks the rows that it finds, they are locked already, or it asks for nothing that matters later.
    ///
    /// # Errors
    /// As for [`query`](Self::query).
    fn query_locked(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each_row: &mut dyn FnMut(&dyn Row) -> Result<()>,
    ) -> Result<()> {
        self.query(sql, params, each_row)
    }

    /// Whether other writers work beside this transaction, so that it has to lock a row before it changes what it read.
    fn is_beside_others(&self) -> bool {
        false
    }

    /// Makes this transaction the only writer until it ends.
    ///
    /// # Errors
    /// What the backend reports. Whoever gets an error here returns it: the job may be run again, alone.
    fn be_alone(&self) -> Result<()> {
        Ok(())
    }

    /// Waits until no other transaction holds the lock of this name, and holds it until this one ends.
    ///
    /// # Errors
    /// What the backend reports; `TIMEOUT`.
    fn lock(&self, _name: &'static str) -> Result<()> {
        Ok(())
    }

    /// The time by the database's own clock, where that is the one to go by.
    fn now(&self) -> Option<Millis> {
        None
    }

    /// Runs several statements without parameters: schema changes.
    ///
    /// # Errors
    /// As for [`execute`](Self::execute).
    fn execute_script(&self, sql: &str) -> Result<()>;

    /// The names of the columns that a query answers.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when it is no query.
    fn columns(&self, sql: &str) -> Result<Vec<String>>;

    /// Runs one reading statement of a caller's own and hands out each row after the number of its columns; gives their
    /// names.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when it is no single reading statement, or the parameters do not fit.
    fn ask(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each_row: &mut dyn FnMut(usize, &dyn Row) -> Result<()>,
    ) -> Result<Vec<String>> {
        let columns = self.columns(sql)?;
        self.query(sql, params, &mut |row| each_row(columns.len(), row))?;
        Ok(columns)
    }
}

impl dyn Connection + '_ {
    /// The first column of the first row, if there is one.
    pub(crate) fn first<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        read: impl Fn(Value<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut found = None;
        self.query(sql, params, &mut |row| {
            if found.is_none() {
                found = Some(read(row.get(0)?)?);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// As [`integer`](Self::integer), by [`query_locked`](Connection::query_locked).
    pub(crate) fn integer_locked(&self, sql: &str, params: &[Value<'_>]) -> Result<i64> {
        let mut found = 0;
        self.query_locked(sql, params, &mut |row| {
            if let Value::Integer(integer) = row.get(0)? {
                found = integer;
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// As [`texts`](Self::texts), by [`query_locked`](Connection::query_locked).
    pub(crate) fn texts_locked(&self, sql: &str, params: &[Value<'_>]) -> Result<Vec<String>> {
        let mut found = Vec::new();
        self.query_locked(sql, params, &mut |row| {
            if let Value::Text(text) = row.get(0)? {
                found.push(text.into_owned());
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The first column as an integer; 0 when there is no row or it is NULL.
    pub(crate) fn integer(&self, sql: &str, params: &[Value<'_>]) -> Result<i64> {
        let found = self.first(sql, params, |value| match value {
            Value::Integer(integer) => Ok(integer),
            _ => Ok(0),
        })?;
        Ok(found.unwrap_or(0))
    }

    /// The first column of every row as text.
    pub(crate) fn texts(&self, sql: &str, params: &[Value<'_>]) -> Result<Vec<String>> {
        let mut found = Vec::new();
        self.query(sql, params, &mut |row| {
            if let Value::Text(text) = row.get(0)? {
                found.push(text.into_owned());
            }
            Ok(())
        })?;
        Ok(found)
    }
}
