//! Packed answers made objects again: what the generated `operations.js` does, for callers in Rust.

use super::Operation;
use crate::model::packed::{Layout, Usual};
use crate::model::{Agent, Event, Field, Group, Record, Task, camel};
use serde_json::{Map, Value};

/// The records that operations answer: their names, fields and layouts.
pub(super) fn records() -> [(&'static str, &'static [Field], &'static Layout); 4] {
    [
        (Agent::TYPE_NAME, Agent::FIELDS, Agent::layout()),
        (Group::TYPE_NAME, Group::FIELDS, Group::layout()),
        (Task::TYPE_NAME, Task::FIELDS, Task::layout()),
        (Event::TYPE_NAME, Event::FIELDS, Event::layout()),
    ]
}

/// The record that an operation answers one or a list of, by its place in [`records`]; and whether it is a list.
pub(super) fn answered(operation: &Operation) -> Option<(usize, bool)> {
    let (name, list) = match operation.result.strip_suffix("[]") {
        Some(name) => (name, true),
        None => (operation.result.trim_end_matches(" | undefined"), false),
    };
    records().iter().position(|(record, ..)| *record == name).map(|place| (place, list))
}

/// The answer of an operation with its records as objects with JavaScript names.
#[must_use]
pub fn unpack(operation: &Operation, answer: Value) -> Value {
    let Some((place, list)) = answered(operation) else { return answer };
    let (_, fields, layout) = records()[place];
    match answer {
        Value::Array(rows) if list => rows.into_iter().map(|row| object(fields, layout, row)).collect(),
        row => object(fields, layout, row),
    }
}

fn object(fields: &[Field], layout: &Layout, row: Value) -> Value {
    let Value::Array(mut row) = row else { return row };
    let mask = row.pop().and_then(|mask| mask.as_u64()).unwrap_or(0);
    let mut said = row.into_iter();
    let mut object = Map::new();
    for &place in &layout.always {
        object.insert(camel(fields[place].name), said.next().unwrap_or_default());
    }
    for (bit, (place, usual)) in layout.sometimes.iter().enumerate() {
        let value = match usual {
            _ if mask & (1 << bit) != 0 => said.next().unwrap_or_default(),
            Usual::Absent => continue,
            Usual::Json(json) => serde_json::from_str(json).unwrap_or_default(),
            Usual::Text(text) => (*text).into(),
            Usual::Integer(integer) => (*integer).into(),
            Usual::Same => layout.same.map(|place| object[&camel(fields[place].name)].clone()).unwrap_or_default(),
        };
        object.insert(camel(fields[*place].name), value);
    }
    object.into()
}
