//! What every table can do: insert, get, list, count, change, delete, by the fields of its record.

use super::condition::Statement;
use super::entity::Table;
use super::insertion::{Insertion, ROWS};
use super::query::Parts;
use super::{Connection, Dialect, Entity, Order, Query, Row, Sql, Value};
use crate::error::{Error, Result};
use crate::model::packed::pack;
use crate::model::{Field, Filter, Node};
use std::fmt::Write as _;

/// What a row can be read as: the record itself, or its packed text for a caller that wants no struct.
pub(crate) trait FromRow<E: Entity>: Sized {
    fn from_row(row: &dyn Row) -> Result<Self>;
}

impl<E: Entity> FromRow<E> for E {
    fn from_row(row: &dyn Row) -> Result<Self> {
        E::read(row)
    }
}

/// A row packed for JavaScript, stored JSON spliced in unparsed.
pub(crate) struct Packed(pub(crate) String);

impl<E: Entity> FromRow<E> for Packed {
    fn from_row(row: &dyn Row) -> Result<Self> {
        let mut out = String::with_capacity(512);
        pack(E::layout(), E::FIELDS, row, &mut out)?;
        Ok(Packed(out))
    }
}

/// Inserts; `false` when the id or another unique value is taken.
pub(crate) fn insert<E: Entity>(connection: &dyn Connection, record: &E) -> Result<bool> {
    let values: Vec<_> = E::FIELDS
        .iter()
        .enumerate()
        .filter(|(_, field)| E::is_stored(field.name))
        .map(|(index, _)| record.value(index))
        .collect();
    connection.execute_likely(&E::statements(connection.dialect()).insert, &values)
}

/// Inserts all; `false` when an id or another unique value was taken, and then some may be there and some not.
pub(crate) fn insert_all<E: Entity, R: AsRef<E>>(connection: &dyn Connection, records: &[R]) -> Result<bool> {
    let mut insertion = Insertion::new::<E>();
    for rows in records.chunks(ROWS) {
        if !insertion.rows(connection, rows)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads one by id. In a transaction that writes it stays as it is until that ends.
pub(crate) fn get<E: Entity, T: FromRow<E>>(connection: &dyn Connection, id: &str) -> Result<Option<T>> {
    let statements = E::statements(connection.dialect());
    let mut found = None;
    let mut read = |row: &dyn Row| {
        found = Some(T::from_row(row)?);
        Ok(())
    };
    if connection.is_beside_others() {
        connection.query_locked(&statements.get_for_update, &[Value::text(id)], &mut read)?;
        if found.is_some() {
            return Ok(found);
        }
        // What is not there cannot be locked.
        connection.be_alone()?;
    }
    connection.query(&statements.get, &[Value::text(id)], &mut |row| {
        found = Some(T::from_row(row)?);
        Ok(())
    })?;
    Ok(found)
}

/// Reads one by id that nobody can change meanwhile, or that may be changed.
pub(crate) fn peek<E: Entity>(connection: &dyn Connection, id: &str) -> Result<Option<E>> {
    let mut found = None;
    connection.query_locked(&E::statements(connection.dialect()).get, &[Value::text(id)], &mut |row| {
        found = Some(E::read(row)?);
        Ok(())
    })?;
    Ok(found)
}

/// Whether there is a record with this id.
pub(crate) fn exists<E: Entity>(connection: &dyn Connection, id: &str) -> Result<bool> {
    let sql = format!("SELECT COUNT(*) FROM {} WHERE id = ?1", E::TABLE);
    Ok(connection.integer(&sql, &[Value::text(id)])? > 0)
}

/// Sets the fields at these places to the record's values.
pub(crate) fn update<E: Entity>(connection: &dyn Connection, record: &E, places: &[usize]) -> Result<()> {
    let mut sql = format!("UPDATE {} SET ", E::TABLE);
    let mut values = vec![Value::text(record.id())];
    for &place in places {
        let field = &E::FIELDS[place];
        if E::is_stored(field.name) {
            let separator = if values.len() == 1 { "" } else { ", " };
            values.push(record.value(place));
            let _ = write!(sql, "{separator}{} = ?{}", field.name, values.len());
        }
    }
    sql.push_str(" WHERE id = ?1");
    match connection.execute(&sql, &values)? {
        1 => Ok(()),
        _ => Err(Error::not_found(E::TABLE, record.id())),
    }
}

/// Deletes one by id; `false` when it was not there.
pub(crate) fn delete<E: Entity>(connection: &dyn Connection, id: &str) -> Result<bool> {
    Ok(connection.execute(&E::statements(connection.dialect()).delete, &[Value::text(id)])? > 0)
}

/// Calls `each` with the rows that the query asks for, in its order.
pub(crate) fn select<E: Entity>(
    connection: &dyn Connection,
    query: &Query<E>,
    each: &mut dyn FnMut(&dyn Row) -> Result<()>,
) -> Result<()> {
    let select = &E::statements(connection.dialect()).select;
    let statement = selection(connection, E::DESCRIPTION, select, &query.parts)?;
    connection.query(&statement.sql, &statement.values, each)
}

/// Reads the rows that the query asks for.
pub(crate) fn list<E: Entity>(connection: &dyn Connection, query: &Query<E>) -> Result<Vec<E>> {
    let mut found = Vec::new();
    select(connection, query, &mut |row| {
        found.push(E::read(row)?);
        Ok(())
    })?;
    Ok(found)
}

/// The statement of [`select`].
pub(crate) fn explain<E: Entity>(connection: &dyn Connection, query: &Query<E>) -> Result<Sql> {
    let select = &E::statements(connection.dialect()).select;
    selection(connection, E::DESCRIPTION, select, &query.parts).map(printed)
}

/// The statement of a query without `after`.
pub(super) fn text_of<E: Entity>(dialect: Dialect, query: &Query<E>) -> Result<Sql> {
    let order = total_order(E::DESCRIPTION, &query.parts);
    selection_after(dialect, E::DESCRIPTION, &E::statements(dialect).select, &query.parts, &order, None).map(printed)
}

fn printed(statement: Statement<'_>) -> Sql {
    Sql { text: statement.sql, params: statement.values.into_iter().map(Value::into_owned).collect() }
}

/// How many records the query's filter leaves, whatever its page.
pub(crate) fn count<E: Entity>(connection: &dyn Connection, query: &Query<E>) -> Result<i64> {
    filtered(connection, E::DESCRIPTION, "SELECT COUNT(*) FROM ", &query.parts.filter, "")
}

/// Whether the query's filter leaves any record, whatever its page.
pub(crate) fn any<E: Entity>(connection: &dyn Connection, query: &Query<E>) -> Result<bool> {
    let found = filtered(connection, E::DESCRIPTION, "SELECT EXISTS (SELECT 1 FROM ", &query.parts.filter, ")")?;
    Ok(found > 0)
}

/// The ids of the records that a filter leaves, the last one first.
pub(crate) fn ids<E: Entity>(connection: &dyn Connection, filter: &Filter<E>) -> Result<Vec<String>> {
    let statement =
        where_true(connection.dialect(), E::DESCRIPTION, "SELECT id FROM ", &filter.node, " ORDER BY id DESC")?;
    connection.texts(&statement.sql, &statement.values)
}

fn filtered(
    connection: &dyn Connection,
    table: &'static Table,
    before: &str,
    filter: &Node,
    after: &str,
) -> Result<i64> {
    let statement = where_true(connection.dialect(), table, before, filter, after)?;
    connection.integer(&statement.sql, &statement.values)
}

/// A statement about the rows that a filter leaves.
fn where_true<'q>(
    dialect: Dialect,
    table: &'static Table,
    before: &str,
    filter: &'q Node,
    after: &str,
) -> Result<Statement<'q>> {
    let mut statement = Statement::new(dialect, table, before);
    statement.push(table.name);
    if !filter.is_everything() {
        statement.push(" WHERE ").filter(filter)?;
    }
    statement.push(after);
    Ok(statement)
}

fn selection<'q>(
    connection: &dyn Connection,
    table: &'static Table,
    select: &str,
    query: &'q Parts,
) -> Result<Statement<'q>> {
    let order = total_order(table, query);
    let after = match &query.after {
        Some(id) => Some(keys(connection, table, &order, id)?),
        None => None,
    };
    selection_after(connection.dialect(), table, select, query, &order, after)
}

/// The statement for the rows behind one with these values of the order's keys.
fn selection_after<'q>(
    dialect: Dialect,
    table: &'static Table,
    select: &str,
    query: &'q Parts,
    order: &[(&'static Field, Order)],
    after: Option<Vec<Value<'static>>>,
) -> Result<Statement<'q>> {
    let mut statement = Statement::new(dialect, table, select);
    if !query.filter.is_everything() {
        statement.push(" WHERE ").filter(&query.filter)?;
    }
    if let Some(keys) = after {
        statement.push(if query.filter.is_everything() { " WHERE " } else { " AND " });
        behind(&mut statement, order, keys);
    }
    statement.push(" ORDER BY ");
    for (at, (field, order)) in order.iter().enumerate() {
        let descending = *order == Order::Descending;
        statement.push(if at == 0 { "" } else { ", " }).field(field).push(if descending { " DESC" } else { "" });
        // Not for a field that is never absent: an index serves only the order that it was made for.
        statement.push(if field.optional { dialect.nulls(descending) } else { "" });
    }
    let limit = query.limit.unwrap_or(i64::MAX);
    if limit < i64::MAX || query.offset > 0 {
        statement.push(" LIMIT ").bind(Value::Integer(limit));
    }
    if query.offset > 0 {
        statement.push(" OFFSET ").bind(Value::Integer(query.offset));
    }
    Ok(statement)
}

/// The query's order with the id as the last key. What comes behind the id would decide nothing.
fn total_order(table: &'static Table, query: &Parts) -> Vec<(&'static Field, Order)> {
    let mut order = query.order.clone();
    match order.iter().position(|(field, _)| field.name == "id") {
        Some(id) => order.truncate(id + 1),
        None => order.extend(table.fields.first().map(|id| (id, Order::Ascending))),
    }
    order
}

/// The values of the order's keys in the row with this id.
fn keys(
    connection: &dyn Connection,
    table: &'static Table,
    order: &[(&'static Field, Order)],
    id: &str,
) -> Result<Vec<Value<'static>>> {
    let refused = || Error::invalid("after", "is not the id of a record that is there");
    if crate::model::refusal(id).is_some() {
        return Err(refused());
    }
    let mut statement = Statement::new(connection.dialect(), table, "SELECT ");
    for (at, (field, _)) in order.iter().enumerate() {
        statement.push(if at == 0 { "" } else { ", " }).field(field);
    }
    statement.push(" FROM ").push(table.name).push(" WHERE id = ").bind(Value::text(id));
    let mut keys: Option<Vec<Value<'static>>> = None;
    connection.query(&statement.sql, &statement.values, &mut |row| {
        keys = Some((0..order.len()).map(|at| Ok(row.get(at)?.into_owned())).collect::<Result<_>>()?);
        Ok(())
    })?;
    keys.ok_or_else(refused)
}

/// The condition for what follows a row under an order: `(a > x OR (a = x AND (b > y OR …)))`, NULL being smaller than all.
fn behind(statement: &mut Statement<'_>, order: &[(&'static Field, Order)], keys: Vec<Value<'static>>) {
    let last = order.len() - 1;
    for (at, (key, (field, order))) in keys.into_iter().zip(order).enumerate() {
        let null = key == Value::Null;
        let ascending = *order == Order::Ascending;
        let place = statement.values.len() + 1;
        statement.push(if at < last { "(" } else { "" });
        match (null, ascending) {
            (true, true) => statement.field(field).push(" IS NOT NULL"),
            (true, false) => statement.push("1 = 0"),
            (false, true) => statement.field(field).push(" > ").bind(key),
            (false, false) if field.optional => {
                statement.push("(").field(field).push(" < ").bind(key).push(" OR ").field(field).push(" IS NULL)")
            }
            (false, false) => statement.field(field).push(" < ").bind(key),
        };
        if at < last {
            statement.push(" OR (").field(field);
            match null {
                true => statement.push(" IS NULL AND "),
                false => statement.push(" = ").place(place).push(" AND "),
            };
        }
    }
    for _ in 0..last {
        statement.push("))");
    }
}
