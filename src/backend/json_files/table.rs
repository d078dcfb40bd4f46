//! What a folder has to know of a table.

use super::names::Form;
use super::rows::write_value;
use crate::error::Result;
use crate::model::{Row, Value};
use crate::sql::Connection;

/// The tables whose rows are written once: their files grow by what is new, and are written as a whole only when rows were
/// deleted.
const LOGS: [&str; 2] = ["events", "task_errors"];

/// A table, as the database describes it.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) form: Form,
    pub(super) columns: Vec<Column>,
    /// The primary key: the places of its columns among all of the table's, and among those that are written.
    pub(super) key: Vec<Key>,
    /// All rows, by key.
    pub(super) select: String,
    /// The row with a key.
    pub(super) select_one: String,
}

/// A column of a table's rows.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Whether NULL has to be said, because leaving the column out means something else.
    pub(super) writes_null: bool,
}

/// A column of a primary key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// Its place in the table.
    pub(super) place: i32,
    /// Its place among the columns.
    pub(super) column: usize,
}

/// What a column declares to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Real,
    Text,
    Any,
}

impl Kind {
    fn declared(text: &str) -> Self {
        match text {
            "INTEGER" => Kind::Integer,
            "REAL" => Kind::Real,
            "TEXT" => Kind::Text,
            _ => Kind::Any,
        }
    }

    /// Whether a value is what the column declares. NULL is a matter of constraints.
    pub(super) fn takes(self, value: &Value<'_>) -> bool {
        matches!(
            (self, value),
            (Kind::Any, _)
                | (_, Value::Null)
                | (Kind::Integer, Value::Integer(_))
                | (Kind::Real, Value::Real(_))
                | (Kind::Text, Value::Text(_))
        )
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Integer => "an integer",
            Kind::Real => "a real number",
            Kind::Text => "text",
            Kind::Any => "a value",
        }
    }
}

/// A name in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Table {
    /// All tables of a database, by name.
    pub(super) fn all(connection: &dyn Connection) -> Result<Vec<Self>> {
        let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
        let names = connection.texts(names, &[])?;
        names.into_iter().map(|name| Self::of(connection, name)).collect()
    }

    fn of(connection: &dyn Connection, name: String) -> Result<Self> {
        let (mut columns, mut key) = (Vec::new(), Vec::new());
        // Generated columns are hidden: they follow from the others.
        let sql = "SELECT cid, name, type, \"notnull\", dflt_value IS NOT NULL, pk FROM pragma_table_xinfo(?1) WHERE hidden = 0";
        connection.query(sql, &[Value::text(&name)], &mut |row| {
            let (place, pk) = (integer(row, 0)?, integer(row, 5)?);
            if pk > 0 {
                key.push((pk, Key { place: i32::try_from(place).unwrap_or(i32::MAX), column: columns.len() }));
            }
            columns.push(Column {
                name: text(row, 1)?,
                kind: Kind::declared(&text(row, 2)?),
                writes_null: integer(row, 3)? == 0 && integer(row, 4)? == 1,
            });
            Ok(())
        })?;
        key.sort_unstable_by_key(|(number, _)| *number);
        let key: Vec<Key> = key.into_iter().map(|(_, key)| key).collect();
        let form = if LOGS.contains(&name.as_str()) && !key.is_empty() { Form::Lines } else { Form::Array };

        let list = columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ");
        let key_names: Vec<String> = key.iter().map(|key| quoted(&columns[key.column].name)).collect();
        let order = if key.is_empty() { "rowid".to_owned() } else { key_names.join(", ") };
        let matches = (1..).zip(&key_names).map(|(number, name)| format!("{name} = ?{number}"));
        let select_one =
            format!("SELECT {list} FROM {} WHERE {}", quoted(&name), matches.collect::<Vec<_>>().join(" AND "));
        let select = format!("SELECT {list} FROM {} ORDER BY {order}", quoted(&name));
        Ok(Table { name, form, columns, key, select, select_one })
    }

    /// Writes a row of [`select`](Self::select) as one line, without the line's end.
    pub(super) fn write_row(&self, row: &dyn Row, out: &mut String) -> Result<()> {
        let mut separator = "{";
        for (at, column) in self.columns.iter().enumerate() {
            let value = row.get(at)?;
            if value == Value::Null && !column.writes_null {
                continue;
            }
            out.push_str(separator);
            separator = ",";
            crate::model::json::write_text(&column.name, out);
            out.push(':');
            write_value(column, &value, out);
        }
        out.push_str(if separator == "{" { "{}" } else { "}" });
        Ok(())
    }

    /// The statement that adds a row with these columns.
    pub(super) fn insert(&self, columns: &[usize]) -> String {
        let table = quoted(&self.name);
        if columns.is_empty() {
            return format!("INSERT INTO {table} DEFAULT VALUES");
        }
        let names: Vec<String> = columns.iter().map(|at| quoted(&self.columns[*at].name)).collect();
        let values: Vec<String> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
        format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", "))
    }
}

fn integer(row: &dyn Row, at: usize) -> Result<i64> {
    Ok(if let Value::Integer(integer) = row.get(at)? { integer } else { 0 })
}

fn text(row: &dyn Row, at: usize) -> Result<String> {
    Ok(if let Value::Text(text) = row.get(at)? { text.into_owned() } else { String::new() })
}
