//! A filter from JavaScript: `{ priority: { ge: 7 }, or: [{ status: 'failed' }, { not: { queue: 'q' } }] }`.

use super::condition::too_deep;
use super::entity::{Entity, Table};
use crate::error::{Error, Result};
use crate::model::{
    Argument, Field, Filter, Kind, MAX_FILTER_DEPTH, Millis, Node, Scalar, Test, Value, is_camel_of, json, stored,
};
use crate::platform::double;

/// The field with this name in JavaScript.
pub(super) fn field_of(table: &Table, key: &str) -> Result<&'static Field> {
    table
        .fields
        .iter()
        .find(|field| is_camel_of(key, field.name))
        .ok_or_else(|| Error::unknown(key, format!("is no field that {} has", table.record)))
}

/// All that an object asks for.
pub(super) fn filter(table: &Table, raw: &str, name: &str, depth: usize) -> Result<Node> {
    if depth > MAX_FILTER_DEPTH {
        return Err(too_deep());
    }
    let mut all = Vec::new();
    json::members(raw, name, |key, value| {
        all.push(match key {
            "and" => Node::All(filters(table, value, key, depth)?),
            "or" => Node::Any(filters(table, value, key, depth)?),
            "not" => Node::Not(Box::new(filter(table, value, key, depth + 1)?)),
            _ => {
                let field = field_of(table, key)?;
                if value.starts_with('{') {
                    return condition(field, value, &mut all);
                }
                Node::Test(field, Test::Equal(operand(field, value)?))
            }
        });
        Ok(())
    })?;
    Ok(if all.len() == 1 { all.remove(0) } else { Node::All(all) })
}

fn filters(table: &Table, raw: &str, name: &str, depth: usize) -> Result<Vec<Node>> {
    let elements = json::elements(raw).map_err(|reason| Error::invalid(name, reason))?;
    elements.into_iter().map(|element| filter(table, element, name, depth + 1)).collect()
}

/// What one field is asked for: `{ ge: 2, lt: 5 }`.
fn condition(field: &'static Field, raw: &str, all: &mut Vec<Node>) -> Result<()> {
    let refused = |reason: String| Error::invalid(field.name, reason);
    let list = |raw| {
        let elements = json::elements(raw).map_err(refused)?;
        elements.into_iter().map(|element| operand(field, element)).collect::<Result<Vec<_>>>()
    };
    json::members(raw, field.name, |key, value| {
        if matches!(key, "lt" | "le" | "gt" | "ge" | "between") && matches!(field.kind, Kind::Json(_)) {
            return Err(refused("is JSON, which has no order".to_owned()));
        }
        let ordered = |raw| match operand(field, raw)? {
            Value::Null => Err(refused("cannot be compared with null".to_owned())),
            value => Ok(value),
        };
        let mut negated = false;
        let test = match key {
            "eq" => Test::Equal(operand(field, value)?),
            "ne" => {
                negated = true;
                Test::Equal(operand(field, value)?)
            }
            "lt" => Test::Less(ordered(value)?),
            "le" => Test::LessOrEqual(ordered(value)?),
            "gt" => Test::Greater(ordered(value)?),
            "ge" => Test::GreaterOrEqual(ordered(value)?),
            "between" => {
                let ends = json::elements(value).map_err(refused)?;
                let [low, high] = ends[..] else {
                    return Err(refused("expected two values that it is between".to_owned()));
                };
                all.push(Node::Test(field, Test::GreaterOrEqual(ordered(low)?)));
                Test::LessOrEqual(ordered(high)?)
            }
            "in" => Test::In(list(value)?),
            "like" => Test::Like(json::text(value).map_err(refused)?.into_owned()),
            "contains" => {
                // Whatever text it is asked for, a list of texts may have it.
                let element = if value.starts_with('"') { "\"x\"" } else { value };
                match field.canonical {
                    Some(canonical) if canonical(&["[", element, "]"].concat()).is_err() => {
                        return Err(refused(format!("is no list with elements that are {}", json::type_name(value))));
                    }
                    _ => Test::Contains(value.to_owned()),
                }
            }
            "isNull" => {
                negated = match value {
                    "true" => false,
                    "false" => true,
                    _ => return Err(refused(format!("expected true or false, got {}", json::type_name(value)))),
                };
                Test::Equal(Value::Null)
            }
            _ => return Err(refused(format!("cannot be filtered by {key:?}"))),
        };
        let test = Node::Test(field, test);
        all.push(if negated { Node::Not(Box::new(test)) } else { test });
        Ok(())
    })
}

/// A value to compare a field with; NULL for what is absent.
fn operand(field: &Field, raw: &str) -> Result<Value<'static>> {
    let refused = |reason: String| Error::invalid(field.name, reason);
    if raw == "null" && (field.optional || field.kind != Kind::Json("null")) {
        return match field.optional {
            true => Ok(Value::Null),
            false => Err(refused("is never absent".to_owned())),
        };
    }
    let value = match (field.kind, field.canonical) {
        (_, Some(canonical)) => canonical(raw),
        (Kind::Integer | Kind::Time, _) => <Millis as Scalar>::from_json(raw).map(|at| Value::Integer(at.0)),
        (Kind::Real, _) => double(raw).map(Value::Real).ok_or_else(|| "expected a number".to_owned()),
        (Kind::Enum(words), _) => match json::text(raw).map_err(refused)? {
            word if words.contains(&&*word) => Ok(Value::Text(word.into_owned().into())),
            _ => Err(format!("expected one of {}", words.join(", "))),
        },
        (Kind::Text | Kind::Json(_), _) => json::text(raw).map(|text| Value::Text(text.into_owned().into())),
    };
    value.map(|value| stored(field, value)).map_err(refused)
}

/// Whether it is true for every record because it asks for nothing.
fn is_empty(node: &Node) -> bool {
    match node {
        Node::All(nodes) => nodes.iter().all(is_empty),
        Node::Any(nodes) => nodes.iter().any(is_empty),
        _ => false,
    }
}

impl<E: Entity> Argument for Filter<E> {
    const TYPE: &'static str = E::WHERE;

    /// A filter without a condition is a slip more often than it is meant.
    fn argument(raw: Option<&str>, name: &str) -> Result<Self> {
        let raw = raw.ok_or_else(|| Error::invalid(name, "is required"))?;
        match filter(E::DESCRIPTION, raw, name, 0)? {
            node if is_empty(&node) => {
                Err(Error::invalid(name, "has no condition; { id: { isNull: false } } is true for every record"))
            }
            node => Ok(Filter::of(node)),
        }
    }
}
