//! What every table can do: insert, get, list, count, change, delete, by the fields of its record.

use super::{Connection, Dialect, Entity, Order, Query, Row, Value};
use crate::error::{Error, Result};
use crate::model::packed::pack;
use crate::model::{Field, Kind};
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
    Ok(connection.execute(&E::statements(connection.dialect()).insert, &values)? == 1)
}

/// So many rows are looked at together to find what they leave out.
const ROWS: usize = 64;

/// Inserts all; `false` when an id or another unique value was taken, and then some may be there and some not.
///
/// One statement for many rows would be slower in SQLite: it keeps what it takes to undo such a statement by itself.
pub(crate) fn insert_all<E: Entity, R: AsRef<E>>(connection: &dyn Connection, records: &[R]) -> Result<bool> {
    let stored: Vec<usize> = (0..E::FIELDS.len()).filter(|place| E::is_stored(E::FIELDS[*place].name)).collect();
    let names: Vec<_> = stored.iter().map(|place| E::FIELDS[*place].name).collect();
    let mut values = Vec::with_capacity(ROWS * names.len());
    let mut statement = Insert::default();
    for rows in records.chunks(ROWS) {
        values.clear();
        values.extend(rows.iter().flat_map(|row| stored.iter().map(|place| row.as_ref().value(*place))));
        if !statement.run(connection, E::TABLE, &names, &mut values)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The statement that inserted the rows before.
#[derive(Default)]
struct Insert {
    /// Which of the columns it names.
    columns: Vec<bool>,
    sql: String,
}

impl Insert {
    /// Inserts rows whose values follow one another. Columns in which none of them has anything are not named, which spares
    /// binding them.
    fn run(
        &mut self,
        connection: &dyn Connection,
        table: &str,
        names: &[&str],
        values: &mut Vec<Value<'_>>,
    ) -> Result<bool> {
        let said = |at| values.iter().skip(at).step_by(names.len()).any(|value| *value != Value::Null);
        let columns: Vec<bool> = (0..names.len()).map(said).collect();
        let mut column = columns.iter().cycle();
        let rows = values.len() / names.len();
        values.retain(|_| column.next() == Some(&true));
        let names = || names.iter().zip(&columns).filter(|(_, said)| **said).map(|(name, _)| *name);
        let width = names().count();
        if self.columns != columns {
            let names = names().collect::<Vec<_>>().join(", ");
            let places = (1..=width).map(|place| format!("?{place}")).collect::<Vec<_>>().join(", ");
            self.sql = format!("INSERT INTO {table} ({names}) VALUES ({places}) ON CONFLICT DO NOTHING");
            self.columns = columns;
        }
        Ok(connection.execute_each(&self.sql, width, values)? == rows)
    }
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
    let dialect = connection.dialect();
    let mut sql = E::statements(dialect).select.clone();
    let mut values = Vec::new();
    let mut conditions = conditions::<E>(dialect, query, &mut values);
    let order = total_order::<E>(query);
    if let Some(after) = &query.after {
        conditions.extend(after_row::<E>(connection, &order, after, &mut values)?);
    }
    push_conditions(&mut sql, &conditions);
    sql.push_str(" ORDER BY ");
    for (at, (field, order)) in order.iter().enumerate() {
        let separator = if at == 0 { "" } else { ", " };
        let descending = *order == Order::Descending;
        let direction = if descending { " DESC" } else { "" };
        // Not for a field that is never absent: an index serves only the order that it was made for.
        let nulls = if field.optional { dialect.nulls(descending) } else { "" };
        let _ = write!(sql, "{separator}{}{direction}{nulls}", expression::<E>(dialect, field));
    }
    let limit = query.limit.unwrap_or(i64::MAX);
    if limit < i64::MAX || query.offset > 0 {
        values.push(Value::Integer(limit));
        let _ = write!(sql, " LIMIT ?{}", values.len());
    }
    if query.offset > 0 {
        values.push(Value::Integer(query.offset));
        let _ = write!(sql, " OFFSET ?{}", values.len());
    }
    connection.query(&sql, &values, each)
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

/// How many records the query's filter leaves, whatever its page.
pub(crate) fn count<E: Entity>(connection: &dyn Connection, query: &Query<E>) -> Result<i64> {
    let mut sql = format!("SELECT COUNT(*) FROM {}", E::TABLE);
    let mut values = Vec::new();
    let conditions = conditions::<E>(connection.dialect(), query, &mut values);
    push_conditions(&mut sql, &conditions);
    connection.integer(&sql, &values)
}

fn push_conditions(sql: &mut String, conditions: &[String]) {
    if !conditions.is_empty() {
        let _ = write!(sql, " WHERE {}", conditions.join(" AND "));
    }
}

fn conditions<'q, E: Entity>(dialect: Dialect, query: &'q Query<E>, values: &mut Vec<Value<'q>>) -> Vec<String> {
    query
        .filters
        .iter()
        .map(|(field, value)| {
            let column = expression::<E>(dialect, field);
            if *value == Value::Null {
                return format!("{column} IS NULL");
            }
            values.push(value.clone());
            let equal = format!("{column} = ?{}", values.len());
            match (field.kind, value) {
                (Kind::Json(default), Value::Text(text)) if !field.optional && text == default => {
                    format!("({equal} OR {column} IS NULL)")
                }
                _ => equal,
            }
        })
        .collect()
}

/// What a field is in a condition.
fn expression<E: Entity>(dialect: Dialect, field: &Field) -> &'static str {
    E::DERIVED
        .iter()
        .find(|derived| derived.name == field.name)
        .map(|derived| derived.expression(dialect))
        .or_else(|| E::FIELDS.iter().find(|own| own.name == field.name).map(|own| own.name))
        .unwrap_or("")
}

/// The query's order with the id as the last key.
fn total_order<E: Entity>(query: &Query<E>) -> Vec<(&'static Field, Order)> {
    let mut order = query.order.clone();
    if order.iter().all(|(field, _)| field.name != "id") {
        let id = E::FIELDS.iter().find(|field| field.name == "id");
        order.extend(id.map(|id| (id, Order::Ascending)));
    }
    order
}

/// The condition for what follows a row under an order: `a > x OR (a = x AND (b > y OR …))`, NULL being smaller than all.
fn after_row<E: Entity>(
    connection: &dyn Connection,
    order: &[(&'static Field, Order)],
    id: &str,
    values: &mut Vec<Value<'_>>,
) -> Result<Option<String>> {
    let mut keys: Option<Vec<Value<'static>>> = None;
    let columns: Vec<_> = order.iter().map(|(field, _)| expression::<E>(connection.dialect(), field)).collect();
    let sql = format!("SELECT {} FROM {} WHERE id = ?1", columns.join(", "), E::TABLE);
    connection.query(&sql, &[Value::text(id)], &mut |row| {
        keys = Some((0..order.len()).map(|at| Ok(row.get(at)?.into_owned())).collect::<Result<_>>()?);
        Ok(())
    })?;
    let Some(keys) = keys else {
        return Err(Error::invalid("after", "is not the id of a record that is there"));
    };
    let mut condition = String::new();
    for ((key, column), (_, order)) in keys.into_iter().zip(columns).zip(order).rev() {
        let (beyond, same) = match (&key, order) {
            (Value::Null, Order::Ascending) => (format!("{column} IS NOT NULL"), format!("{column} IS NULL")),
            (Value::Null, Order::Descending) => ("1 = 0".to_owned(), format!("{column} IS NULL")),
            (_, order) => {
                values.push(key);
                let place = values.len();
                let beyond = match order {
                    Order::Ascending => format!("{column} > ?{place}"),
                    Order::Descending => format!("({column} < ?{place} OR {column} IS NULL)"),
                };
                (beyond, format!("{column} = ?{place}"))
            }
        };
        condition = if condition.is_empty() { beyond } else { format!("({beyond} OR ({same} AND {condition}))") };
    }
    Ok(Some(condition))
}
