//! Records on their way to JavaScript: an array that leaves out what is as usual.
//!
//! A row is `[always…, said…, mask]`. The fields that differ from row to row come first, always. Of the others only those
//! follow that are not as usual; the last number has a bit for each of these, in the order of [`Layout::sometimes`]. The
//! generated `operations.js` makes the object of it. So neither names nor defaults are written, carried over and parsed
//! again for every row.

use super::field::write_value;
use super::{Field, Kind, Row, Value};
use crate::error::Result;

/// What a field most often is, so that it need not be said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Usual {
    /// It is absent.
    Absent,
    /// This JSON text, stored as it is or as NULL.
    Json(&'static str),
    /// This text.
    Text(&'static str),
    /// This integer.
    Integer(i64),
    /// What [`Layout::same`] is.
    Same,
}

/// How the fields of a record are packed. Places are those of the record's fields.
#[derive(Debug)]
pub struct Layout {
    /// The fields that are always there.
    pub always: Vec<usize>,
    /// The fields that are there when they are not as usual.
    pub sometimes: Vec<(usize, Usual)>,
    /// A field that is always there and that others are often equal to.
    pub same: Option<usize>,
}

impl Layout {
    /// The layout of a table's record.
    pub(crate) fn new(table: &str, fields: &[Field]) -> Self {
        let (mut always, mut sometimes, mut absent) = (Vec::new(), Vec::new(), Vec::new());
        for (place, field) in fields.iter().enumerate() {
            match usual(table, field) {
                None => always.push(place),
                // The absent ones last: JavaScript adds them to an object that is there already.
                Some(Usual::Absent) => absent.push((place, Usual::Absent)),
                Some(usual) => sometimes.push((place, usual)),
            }
        }
        sometimes.append(&mut absent);
        assert!(sometimes.len() < 32, "the mask is a 32-bit integer in JavaScript");
        Layout { always, sometimes, same: fields.iter().position(|field| field.name == "created_at") }
    }
}

fn usual(table: &str, field: &Field) -> Option<Usual> {
    if field.optional {
        return Some(Usual::Absent);
    }
    match (table, field.name, field.kind) {
        (_, _, Kind::Json("null")) => None,
        (_, _, Kind::Json(default)) => Some(Usual::Json(default)),
        (_, "updated_at", _) | ("tasks", "run_at", _) | ("agents", "last_heartbeat", _) => Some(Usual::Same),
        (_, "version", _) => Some(Usual::Integer(1)),
        ("tasks", "queue", _) => Some(Usual::Text("default")),
        ("tasks", "status", _) => Some(Usual::Text("pending")),
        ("tasks", "on_dependency_failure", _) => Some(Usual::Text("cancel")),
        ("tasks", "priority", _) => Some(Usual::Integer(5)),
        ("tasks", "max_retries", _) => Some(Usual::Integer(3)),
        ("tasks", "attempt", _) => Some(Usual::Integer(0)),
        _ => None,
    }
}

/// Appends a packed row.
pub(crate) fn pack(layout: &Layout, fields: &[Field], row: &dyn Row, out: &mut String) -> Result<()> {
    out.push('[');
    for &place in &layout.always {
        write_value(fields[place].kind, &row.get(place)?, out);
        out.push(',');
    }
    let same = match layout.same {
        Some(place) => row.get(place)?,
        None => Value::Null,
    };
    let mut mask = 0;
    for (bit, (place, usual)) in layout.sometimes.iter().enumerate() {
        let value = row.get(*place)?;
        if !is_usual(&value, *usual, &same) {
            mask |= 1 << bit;
            write_value(fields[*place].kind, &value, out);
            out.push(',');
        }
    }
    write_value(Kind::Integer, &Value::Integer(mask), out);
    out.push(']');
    Ok(())
}

fn is_usual(value: &Value<'_>, usual: Usual, same: &Value<'_>) -> bool {
    match (usual, value) {
        (Usual::Absent | Usual::Json(_), Value::Null) => true,
        (Usual::Json(usual) | Usual::Text(usual), Value::Text(text)) => text == usual,
        (Usual::Integer(usual), Value::Integer(integer)) => *integer == usual,
        (Usual::Same, value) => value == same,
        _ => false,
    }
}
