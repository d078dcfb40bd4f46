//! Records as tables: the statements that follow from a record's fields.

use crate::model::{Agent, Event, Record, Task};
use std::fmt::Write as _;
use std::sync::OnceLock;

/// A record with a table of its own.
pub trait Entity: Record {
    /// Fields that are not stored in the table but read with an expression, by name.
    const DERIVED: &'static [(&'static str, &'static str)] = &[];

    /// The statements that follow from the fields.
    fn statements() -> &'static Statements;

    /// Whether a field is a column of the table.
    #[must_use]
    fn is_stored(name: &str) -> bool {
        Self::DERIVED.iter().all(|(derived, _)| *derived != name)
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
    /// Reads all; a filter may follow.
    pub select: String,
    /// Deletes one by id.
    pub delete: String,
}

impl Statements {
    fn of<E: Entity>() -> Self {
        let table = E::TABLE;
        let (mut columns, mut names, mut places) = (String::new(), String::new(), String::new());
        let mut stored = 0;
        for field in E::FIELDS {
            let derived = E::DERIVED.iter().find(|(name, _)| *name == field.name);
            let separator = if columns.is_empty() { "" } else { ", " };
            let _ = write!(columns, "{separator}{}", derived.map_or(field.name, |(_, expression)| expression));
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
            select: format!("SELECT {columns} FROM {table}"),
            delete: format!("DELETE FROM {table} WHERE id = ?1"),
            columns,
        }
    }
}

macro_rules! entity {
    ($record:ty $(, $derived:expr)?) => {
        impl Entity for $record {
            $(const DERIVED: &'static [(&'static str, &'static str)] = $derived;)?
            fn statements() -> &'static Statements {
                static STATEMENTS: OnceLock<Statements> = OnceLock::new();
                STATEMENTS.get_or_init(Statements::of::<$record>)
            }
        }
    };
}

entity!(Agent);
entity!(Event);
entity!(
    Task,
    // The counts spare the tasks that have none the look into the other table.
    &[
        (
            "dependencies",
            "CASE WHEN dependency_count = 0 THEN '[]' ELSE (SELECT json_group_array(depends_on) FROM \
             (SELECT depends_on FROM task_dependencies WHERE task_id = tasks.id ORDER BY place)) END"
        ),
        (
            "errors",
            "CASE WHEN error_count = 0 THEN '[]' ELSE (SELECT json_group_array(json_object('attempt', attempt, 'at', at, \
             'message', message)) FROM (SELECT attempt, at, message FROM task_errors WHERE task_id = tasks.id \
             ORDER BY number)) END"
        ),
    ]
);
