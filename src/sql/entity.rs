//! Records as tables: the statements that follow from a record's fields.

use super::Dialect;
use crate::model::{Agent, Event, Field, Group, Record, Task};
use std::fmt::Write as _;
use std::sync::OnceLock;

/// A record with a table of its own.
pub trait Entity: Record {
    /// Fields that are not stored in the table but read with an expression.
    const DERIVED: &'static [Derived] = &[];

    /// Columns that refer to rows by foreign keys.
    const REFERENCES: &'static [&'static str] = &[];

    /// Its table, for what works on all tables alike.
    const DESCRIPTION: &'static Table =
        &Table { name: Self::TABLE, record: Self::TYPE_NAME, fields: Self::FIELDS, derived: Self::DERIVED };

    /// The statements that follow from the fields.
    fn statements(dialect: Dialect) -> &'static Statements;

    /// Whether a field is a column of the table.
    #[must_use]
    fn is_stored(name: &str) -> bool {
        Self::DERIVED.iter().all(|derived| derived.name != name)
    }
}

/// A table and its record.
#[derive(Debug)]
#[non_exhaustive]
pub struct Table {
    /// The table's name.
    pub name: &'static str,
    /// The record's name.
    pub record: &'static str,
    /// The record's fields in order; the first is the id.
    pub fields: &'static [Field],
    /// Those of them that are not stored in the table.
    pub derived: &'static [Derived],
}

/// A field that is read with an expression.
#[derive(Debug)]
pub struct Derived {
    /// The field.
    pub name: &'static str,
    /// The expression for SQLite.
    pub sqlite: &'static str,
    /// The expression for PostgreSQL, which gives the same text.
    pub postgres: &'static str,
}

impl Derived {
    /// The expression.
    #[must_use]
    pub fn expression(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            #[cfg(feature = "postgres")]
            Dialect::Postgres => self.postgres,
        }
    }
}

/// Statements made once per table.
#[derive(Debug)]
pub struct Statements {
    /// The expressions of all fields, in order.
    pub columns: String,
    /// Inserts the stored fields; does nothing when a unique value is taken.
    pub insert: String,
    /// Reads one by id.
    pub get: String,
    /// Reads one by id that nobody else may change until the transaction ends.
    pub get_for_update: String,
    /// Reads all; a filter may follow.
    pub select: String,
    /// Deletes one by id.
    pub delete: String,
}

impl Statements {
    fn of<E: Entity>(dialect: Dialect) -> Self {
        let table = E::TABLE;
        let (mut columns, mut names, mut places) = (String::new(), String::new(), String::new());
        let mut stored = 0;
        for field in E::FIELDS {
            let derived = E::DERIVED.iter().find(|derived| derived.name == field.name);
            let separator = if columns.is_empty() { "" } else { ", " };
            let _ = write!(columns, "{separator}{}", derived.map_or(field.name, |derived| derived.expression(dialect)));
            if derived.is_none() {
                stored += 1;
                let separator = if names.is_empty() { "" } else { ", " };
                let _ = write!(names, "{separator}{}", field.name);
                let _ = write!(places, "{separator}?{stored}");
            }
        }
        Statements {
            insert: format!("INSERT INTO {table} ({names}) VALUES ({places}) ON CONFLICT DO NOTHING"),
            get: format!("SELECT {columns} FROM {table} WHERE id = ?1"),
            get_for_update: format!("SELECT {columns} FROM {table} WHERE id = ?1{}", dialect.for_update()),
            select: format!("SELECT {columns} FROM {table}"),
            delete: format!("DELETE FROM {table} WHERE id = ?1"),
            columns,
        }
    }
}

macro_rules! entity {
    ($record:ty $(, $derived:expr, $references:expr)?) => {
        impl Entity for $record {
            $(const DERIVED: &'static [Derived] = $derived;
            const REFERENCES: &'static [&'static str] = $references;)?
            fn statements(dialect: Dialect) -> &'static Statements {
                static SQLITE: OnceLock<Statements> = OnceLock::new();
                #[cfg(feature = "postgres")]
                static POSTGRES: OnceLock<Statements> = OnceLock::new();
                let statements = match dialect {
                    Dialect::Sqlite => &SQLITE,
                    #[cfg(feature = "postgres")]
                    Dialect::Postgres => &POSTGRES,
                };
                statements.get_or_init(|| Statements::of::<$record>(dialect))
            }
        }
    };
}

entity!(Agent);
entity!(Group);
entity!(Event);
entity!(
    Task,
    // The counts spare the tasks that have none the look into the other table.
    &[
        Derived {
            name: "dependencies",
            sqlite: "CASE WHEN dependency_count = 0 THEN '[]' ELSE (SELECT json_group_array(depends_on) FROM \
                     (SELECT depends_on FROM task_dependencies WHERE task_id = tasks.id ORDER BY place)) END",
            postgres: "(CASE WHEN dependency_count = 0 THEN '[]' ELSE (SELECT '[' || \
                       string_agg(to_json(depends_on)::text, ',' ORDER BY place) || ']' \
                       FROM task_dependencies WHERE task_id = tasks.id) END COLLATE \"C\")",
        },
        Derived {
            name: "errors",
            sqlite: "CASE WHEN error_count = 0 THEN '[]' ELSE (SELECT json_group_array(json_object('attempt', attempt, \
                     'at', at, 'message', message)) FROM (SELECT attempt, at, message FROM task_errors \
                     WHERE task_id = tasks.id ORDER BY number)) END",
            postgres: "(CASE WHEN error_count = 0 THEN '[]' ELSE (SELECT '[' || string_agg('{\"attempt\":' || \
                       task_errors.attempt || ',\"at\":' || task_errors.at || ',\"message\":' || \
                       to_json(message)::text || '}', ',' ORDER BY number) || ']' \
                       FROM task_errors WHERE task_id = tasks.id) END COLLATE \"C\")",
        },
    ],
    &["parent_task_id", "agent_id"]
);
