//! What a list asks for: a filter, an order, a page.

use super::entity::{Entity, Table};
use super::where_object::{field_of, filter};
use super::{Dialect, repository};
use crate::error::{Error, Result};
use crate::model::{
    Answer, Argument, Column, Field, Filter, MAX_INTEGER, Node, Record, Scalar, Value, json, write_value,
};
use std::fmt;
use std::marker::PhantomData;

/// The direction of an order key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Smallest first; absent values before all others.
    Ascending,
    /// Largest first; absent values last.
    Descending,
}

/// A filter, an order and a page over the records of one table.
///
/// The id always breaks ties, so the order is total and paging never skips or repeats a row.
///
/// ```
/// use swarmstore::{NewTask, Order, Priority, Query, Store, Task, TaskStatus};
///
/// # fn main() -> swarmstore::Result<()> {
/// let store = Store::open_blocking("memory:")?;
/// store.write_blocking(|tx| tx.tasks().add(NewTask::new("draw", serde_json::json!({})).priority(Priority::HIGH)))?;
/// let urgent = Query::new()
///     .filter(Task::STATUS.eq(TaskStatus::Pending).and(Task::PRIORITY.ge(Priority::HIGH)))
///     .order_by(Task::CREATED_AT, Order::Descending)
///     .limit(10);
/// let tasks = store.read_blocking(|tx| tx.tasks().list(&urgent))?;
/// assert_eq!(tasks[0].task_type, "draw");
/// # Ok(())
/// # }
/// ```
pub struct Query<R> {
    pub(super) parts: Parts,
    record: PhantomData<fn() -> R>,
}

/// A query over whatever table.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub(super) filter: Node,
    pub(super) order: Vec<(&'static Field, Order)>,
    pub(super) limit: Option<i64>,
    pub(super) offset: i64,
    pub(super) after: Option<String>,
}

impl Default for Parts {
    fn default() -> Self {
        Parts { filter: Node::All(Vec::new()), order: Vec::new(), limit: Some(100), offset: 0, after: None }
    }
}

impl Parts {
    fn order_by(&mut self, field: &'static Field, order: Order) {
        // A second time it would decide nothing.
        if self.order.iter().all(|(known, _)| known.name != field.name) {
            self.order.push((field, order));
        }
    }
}

impl<R> Default for Query<R> {
    fn default() -> Self {
        Query { parts: Parts::default(), record: PhantomData }
    }
}

impl<R> Clone for Query<R> {
    fn clone(&self) -> Self {
        Query { parts: self.parts.clone(), record: PhantomData }
    }
}

impl<R> fmt::Debug for Query<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.fmt(formatter)
    }
}

impl<R: Record> Query<R> {
    /// The first 100 records in the order of their ids.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only records for which this is true, of those that the filters given before leave.
    #[must_use]
    pub fn filter(mut self, filter: Filter<R>) -> Self {
        self.parts.filter = Filter::<R>::of(self.parts.filter).and(filter).node;
        self
    }

    /// Ordered by this column, after the order keys given before.
    #[must_use]
    pub fn order_by<V>(mut self, column: Column<R, V>, order: Order) -> Self {
        self.parts.order_by(column.field(), order);
        self
    }

    /// At most so many.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.parts.limit = Some(i64::from(limit));
        self
    }

    /// However many there are.
    #[must_use]
    pub fn unlimited(mut self) -> Self {
        self.parts.limit = None;
        self
    }

    /// Without the first so many.
    #[must_use]
    pub fn offset(mut self, offset: u32) -> Self {
        self.parts.offset = i64::from(offset);
        self
    }

    /// Only what comes after the record with this id, under the same order: the next page.
    #[must_use]
    pub fn after(mut self, id: impl Into<String>) -> Self {
        self.parts.after = Some(id.into());
        self
    }
}

impl<E: Entity> Query<E> {
    /// The statement that lists, in one database's SQL.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when the filter cannot be asked, as by `list`, and for a query with `after`: that depends on what is
    /// stored, so the tables' own `to_sql` has to be used.
    pub fn to_sql(&self, dialect: Dialect) -> Result<Sql> {
        if self.parts.after.is_some() {
            return Err(Error::invalid("after", "depends on what is stored"));
        }
        repository::text_of::<E>(dialect, self)
    }
}

/// A statement, and the values for its places `?1`, `?2` and so on. It can be given to a store's `query` as it is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sql {
    /// The text, in which no value of a caller's stands.
    pub text: String,
    /// The values, in order.
    pub params: Vec<Value<'static>>,
}

impl Answer for Sql {
    const TYPE: &'static str = "Sql";

    fn write_json(&self, out: &mut String) -> bool {
        out.push_str("{\"sql\":");
        json::write_text(&self.text, out);
        out.push_str(",\"params\":[");
        for (at, value) in self.params.iter().enumerate() {
            out.push_str(if at == 0 { "" } else { "," });
            write_value(crate::model::Kind::Text, value, out);
        }
        out.push_str("]}");
        true
    }
}

impl<E: Entity> Argument for Query<E> {
    const TYPE: &'static str = E::QUERY;
    const OPTIONAL: bool = true;

    fn argument(raw: Option<&str>, name: &str) -> Result<Self> {
        let parts = raw.map_or_else(|| Ok(Parts::default()), |raw| read(E::DESCRIPTION, raw, name))?;
        Ok(Query { parts, record: PhantomData })
    }
}

/// A query from JavaScript.
fn read(table: &Table, raw: &str, name: &str) -> Result<Parts> {
    let mut query = Parts::default();
    json::members(raw, name, |key, value| {
        let refused = |reason: String| Error::invalid(key, reason);
        match key {
            "where" => query.filter = filter(table, value, key, 0)?,
            "orderBy" => {
                for pair in json::elements(value).map_err(refused)? {
                    let pair = json::elements(pair).map_err(refused)?;
                    let [name, direction] = pair[..] else {
                        return Err(refused("expected pairs of a field and 'asc' or 'desc'".to_owned()));
                    };
                    let order = match direction {
                        "\"asc\"" => Order::Ascending,
                        "\"desc\"" => Order::Descending,
                        _ => return Err(refused("expected 'asc' or 'desc'".to_owned())),
                    };
                    query.order_by(field_of(table, &json::text(name).map_err(refused)?)?, order);
                }
            }
            "limit" => query.limit = Some(count(value).map_err(refused)?),
            "offset" => query.offset = count(value).map_err(refused)?,
            "after" => query.after = Some(json::text(value).map_err(refused)?.into_owned()),
            _ => return Err(Error::unknown(key, "is nothing that a query has")),
        }
        Ok(())
    })?;
    Ok(query)
}

/// A number of rows.
fn count(raw: &str) -> Result<i64, String> {
    match i64::from_json(raw)? {
        count @ 0..=MAX_INTEGER => Ok(count),
        _ => Err("expected 0 or more".to_owned()),
    }
}
