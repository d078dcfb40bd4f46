//! One step of a course: what is asked of a store, and its answer in a form that can be compared.

use crate::stores::{Kind, compares_a_server};
use serde_json::{Value as Json, json};
use swarmstore::api::{Access, OPERATIONS, Operation, unpack};
use swarmstore::testing::block_on;
use swarmstore::{Error, Result, Tx, Value};

/// Stands for the lease token of the task with this id, which is another one in every store.
pub const TOKEN: &str = "token of ";

/// Stands for the position of the event that is the so manieth of all, from 0.
pub const POSITION: &str = "position of ";

/// What is asked of a store.
#[derive(Debug, Clone)]
pub enum Step {
    /// An operation by its name in the table of operations, with its arguments.
    Call(&'static str, Json),
    /// Several operations in one transaction, kept or taken back.
    Transaction(Vec<(&'static str, Json)>, bool),
    /// Lets time pass.
    Wait(i64),
    /// Closes the store and opens it again.
    Reopen,
}

/// What a store answers: the JSON of the result without what is random in it, or what is known of the refusal.
#[derive(Debug, PartialEq)]
pub enum Answer {
    Done(Json),
    Refused {
        code: &'static str,
        table: Option<&'static str>,
        id: Option<String>,
        field: Option<String>,
        index: Option<usize>,
        actual: Option<i64>,
    },
}

impl Step {
    /// Steps whose answers are all that is stored.
    pub fn everything() -> Vec<Step> {
        vec![
            Step::Call("agents.list", json!([{ "limit": 100_000 }])),
            Step::Call("tasks.list", json!([{ "limit": 100_000 }])),
            Step::Call("events.read_all", json!([{ "limit": 100_000 }])),
        ]
    }

    pub fn run(&self, kind: &Kind) -> Vec<Answer> {
        match self {
            Step::Call(name, arguments) => vec![call(kind, operation(name), arguments)],
            Step::Transaction(calls, keep) => transaction(kind, calls, *keep),
            Step::Wait(millis) => {
                kind.clock.advance(*millis);
                Vec::new()
            }
            Step::Reopen => {
                kind.reopen();
                Vec::new()
            }
        }
    }
}

fn operation(name: &str) -> &'static Operation {
    let is = |operation: &&Operation| format!("{}.{}", operation.namespace, operation.name) == name;
    OPERATIONS.iter().copied().flatten().find(is).unwrap_or_else(|| panic!("{name} is an operation"))
}

fn call(kind: &Kind, operation: &'static Operation, arguments: &Json) -> Answer {
    let store = kind.store();
    let answered = match operation.access {
        Access::Read => store.read_blocking(|tx| run(tx, operation, arguments)),
        Access::Write => store.write_blocking(|tx| run(tx, operation, arguments)),
    };
    answer(operation, answered)
}

fn transaction(kind: &Kind, calls: &[(&'static str, Json)], keep: bool) -> Vec<Answer> {
    let mut open = block_on(kind.store().begin()).expect("a transaction");
    let mut answers = Vec::new();
    for (name, arguments) in calls {
        let operation = operation(name);
        answers.push(answer(operation, open.run(|tx| run(tx, operation, arguments))));
    }
    match keep {
        true => block_on(open.commit()).expect("a commit"),
        false => open.rollback().expect("a rollback"),
    }
    answers
}

/// The answer as JSON text; `None` for nothing.
fn run(tx: &Tx<'_>, operation: &Operation, arguments: &Json) -> Result<Option<String>> {
    let mut arguments = arguments.clone();
    with_tokens(tx, &mut arguments)?;
    let mut out = String::new();
    Ok(operation.call(tx, &arguments.to_string(), &mut out)?.then_some(out))
}

/// Puts this store's own lease tokens in.
fn with_tokens(tx: &Tx<'_>, value: &mut Json) -> Result<()> {
    match value {
        Json::String(text) => {
            if let Some(id) = text.strip_prefix(TOKEN) {
                let found = tx.query("SELECT lease_token FROM tasks WHERE id = ?1", &[Value::text(id)])?;
                if let Some(Value::Text(token)) = found.rows.first().map(|row| &row[0]) {
                    *text = token.to_string();
                }
            } else if let Some(number) = text.strip_prefix(POSITION).and_then(|number| number.parse().ok()) {
                let sql = "SELECT position FROM events ORDER BY position LIMIT 1 OFFSET ?1";
                let found = tx.query(sql, &[Value::Integer(number)])?;
                *value = match found.rows.first().map(|row| &row[0]) {
                    Some(Value::Integer(position)) => json!(position),
                    _ => json!(0),
                };
            }
            Ok(())
        }
        Json::Array(values) => values.iter_mut().try_for_each(|value| with_tokens(tx, value)),
        Json::Object(members) => members.values_mut().try_for_each(|value| with_tokens(tx, value)),
        _ => Ok(()),
    }
}

fn answer(operation: &Operation, answered: Result<Option<String>>) -> Answer {
    match answered {
        Ok(None) => Answer::Done(json!("nothing")),
        Ok(Some(text)) => {
            let mut value = unpack(operation, serde_json::from_str(&text).expect("JSON"));
            without_tokens(&mut value);
            Answer::Done(value)
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &Error) -> Answer {
    let detail = error.detail();
    Answer::Refused {
        code: error.code().as_str(),
        table: detail.table,
        id: detail.id.clone(),
        field: detail.field.clone(),
        index: detail.index,
        actual: detail.actual,
    }
}

/// Hides what is random: the tokens of leases. And, where a server is compared as well, the positions of events: there one
/// that was taken back leaves a gap. Their order is compared all the same.
fn without_tokens(value: &mut Json) {
    match value {
        Json::Array(values) => values.iter_mut().for_each(without_tokens),
        Json::Object(members) => {
            if let Some(token) = members.get_mut("leaseToken") {
                *token = json!("a token");
            }
            if let Some(position) = members.get_mut("position").filter(|_| compares_a_server()) {
                *position = json!("a position");
            }
            members.values_mut().for_each(without_tokens);
        }
        _ => {}
    }
}
