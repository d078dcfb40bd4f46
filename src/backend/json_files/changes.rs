//! Which tables a transaction changes.
//!
//! SQLite's preupdate hook sees every row: also those that cascades, triggers and REPLACE change, those of WITHOUT ROWID
//! tables, and those of a DELETE without WHERE, which is not cut short while there is such a hook.

use super::names::Form;
use super::table::Table;
use crate::backend::sqlite::{SqliteConnection, from_sqlite};
use crate::error::Result;
use crate::model::Value;
use rusqlite::hooks::{Action, PreUpdateCase};
use rusqlite::types::ValueRef;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What has changed since it was last taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    tables: BTreeMap<String, Change>,
    /// The places of the primary key's columns, for the tables that grow.
    logs: BTreeMap<String, Vec<i32>>,
}

/// How a table has changed.
#[derive(Debug, PartialEq)]
pub(super) enum Change {
    /// Rows with these keys were added, in this order, some of them perhaps taken back again.
    Added(Vec<Vec<Value<'static>>>),
    /// Anything else.
    Rewritten,
}

impl Changes {
    /// Watches a connection from now on.
    pub(super) fn watch(connection: &mut SqliteConnection) -> Result<Self> {
        let changes = Changes::default();
        let seen = changes.clone();
        let hook = move |action: Action, _: &str, table: &str, case: &PreUpdateCase| seen.note(action, table, case);
        connection.raw.preupdate_hook(Some(hook)).map_err(from_sqlite)?;
        // What was prepared before does not know of the hook.
        connection.raw.flush_prepared_statement_cache();
        Ok(changes)
    }

    /// Says which tables there are.
    pub(super) fn know(&self, tables: &[Table]) {
        let logs = tables.iter().filter(|table| table.form == Form::Lines);
        self.state().logs = logs.map(|log| (log.name.clone(), log.key.iter().map(|key| key.place).collect())).collect();
    }

    /// Takes what has changed.
    pub(super) fn take(&self) -> BTreeMap<String, Change> {
        std::mem::take(&mut self.state().tables)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, action: Action, table: &str, case: &PreUpdateCase) {
        let State { tables, logs } = &mut *self.state();
        let added = match (action, case, logs.get(table)) {
            (Action::SQLITE_INSERT, PreUpdateCase::Insert(row), Some(key)) => {
                key.iter().map(|place| row.get_new_column_value(*place).ok().map(owned)).collect::<Option<Vec<_>>>()
            }
            _ => None,
        };
        match (added, tables.get_mut(table)) {
            (Some(key), Some(Change::Added(keys))) => keys.push(key),
            (Some(key), None) => drop(tables.insert(table.to_owned(), Change::Added(vec![key]))),
            (None, Some(change)) => *change = Change::Rewritten,
            (None, None) => drop(tables.insert(table.to_owned(), Change::Rewritten)),
            (Some(_), Some(Change::Rewritten)) => {}
        }
    }
}

fn owned(value: ValueRef<'_>) -> Value<'static> {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(text) => Value::Text(Cow::Owned(String::from_utf8_lossy(text).into_owned())),
        ValueRef::Blob(bytes) => Value::Blob(Cow::Owned(bytes.to_vec())),
    }
}
