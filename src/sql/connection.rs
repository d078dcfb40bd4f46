//! The seam between services and databases.

use super::{Dialect, Row, Value};
use crate::error::Result;

/// A database connection with a transaction open on it.
///
/// Statements are cached by their text, so the text should be the same each time. Parameters are bound, never formatted
/// into the text; `?1` is the first.
pub trait Connection {
    /// Which SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// Runs a statement; gives the number of rows that it changed.
    ///
    /// # Errors
    /// `CONSTRAINT` when the database refuses a value; what the backend reports otherwise.
    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64>;

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
