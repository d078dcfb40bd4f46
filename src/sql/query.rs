//! What a list asks for: equality filters, an order, a page.

use crate::error::{Error, Result};
use crate::model::{Argument, Field, Kind, MAX_INTEGER, Millis, Record, Scalar, Value, json};
use crate::platform::double;
use std::marker::PhantomData;

/// The direction of an order key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Smallest first; absent values before all others.
    Ascending,
    /// Largest first; absent values last.
    Descending,
}

/// A filter, an order and a page over the records of one table.
///
/// The id always breaks ties, so the order is total and paging never skips or repeats a row.
#[derive(Debug, Clone)]
pub struct Query<R> {
    pub(super) filters: Vec<(&'static Field, Value<'static>)>,
    pub(super) order: Vec<(&'static Field, Order)>,
    pub(super) limit: Option<i64>,
    pub(super) offset: i64,
    pub(super) after: Option<String>,
    record: PhantomData<fn() -> R>,
}

impl<R: Record> Default for Query<R> {
    fn default() -> Self {
        Query { filters: Vec::new(), order: Vec::new(), limit: Some(100), offset: 0, after: None, record: PhantomData }
    }
}

impl<R: Record> Query<R> {
    /// The first 100 records in the order of their ids.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only records whose field has this value; `None` for an absent one.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when there is no such field or the value is of another kind.
    pub fn filter(mut self, field: &str, value: &impl Scalar) -> Result<Self> {
        let field = find::<R>(field)?;
        let value = match (value.to_value().into_owned(), field.kind) {
            (Value::Null, Kind::Json(default)) if !field.optional => Value::text(default),
            (value, _) => value,
        };
        check_kind(field, &value)?;
        self.filters.push((field, value));
        Ok(self)
    }

    /// Ordered by this field, after the order keys given before.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when there is no such field.
    pub fn order_by(mut self, field: &str, order: Order) -> Result<Self> {
        self.order.push((find::<R>(field)?, order));
        Ok(self)
    }

    /// At most so many.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(i64::from(limit));
        self
    }

    /// However many there are.
    #[must_use]
    pub fn unlimited(mut self) -> Self {
        self.limit = None;
        self
    }

    /// Without the first so many.
    #[must_use]
    pub fn offset(mut self, offset: u32) -> Self {
        self.offset = i64::from(offset);
        self
    }

    /// Only what comes after the record with this id, under the same order: the next page.
    #[must_use]
    pub fn after(mut self, id: impl Into<String>) -> Self {
        self.after = Some(id.into());
        self
    }
}

fn find<R: Record>(name: &str) -> Result<&'static Field> {
    R::FIELDS
        .iter()
        .find(|field| field.name == name)
        .ok_or_else(|| Error::invalid(name, format!("is no field that {} has", R::NAME)))
}

fn check_kind(field: &Field, value: &Value<'_>) -> Result<()> {
    if matches!(value, Value::Text(text) if text.contains('\0')) {
        return Err(Error::invalid(field.name, "must not contain NUL"));
    }
    let fits = match (field.kind, value) {
        (_, Value::Null) => field.optional,
        (Kind::Enum(words), Value::Text(word)) => words.contains(&&**word),
        (Kind::Text | Kind::Json(_), Value::Text(_))
        | (Kind::Integer | Kind::Time, Value::Integer(_))
        | (Kind::Real, Value::Real(_) | Value::Integer(_)) => true,
        _ => false,
    };
    if fits { Ok(()) } else { Err(Error::invalid(field.name, format!("cannot be {}", value.type_name()))) }
}

/// A filter's value from a caller's raw JSON.
fn value_from_json(field: &Field, raw: &str) -> Result<Value<'static>> {
    let refused = |reason: String| Error::invalid(field.name, reason);
    if raw == "null" && (field.optional || field.kind != Kind::Json("null")) {
        return match field.optional {
            true => Ok(Value::Null),
            false => Err(refused("is never absent".to_owned())),
        };
    }
    match field.kind {
        Kind::Text => {
            let value = String::from_json(raw).map(|text| Value::Text(text.into())).map_err(refused)?;
            check_kind(field, &value).map(|()| value)
        }
        Kind::Integer | Kind::Time => {
            <Millis as Scalar>::from_json(raw).map(|at| Value::Integer(at.0)).map_err(refused)
        }
        Kind::Real => double(raw).map(Value::Real).ok_or_else(|| refused("expected a number".to_owned())),
        Kind::Enum(words) => {
            let word = json::text(raw).map_err(refused)?;
            match words.contains(&&*word) {
                true => Ok(Value::Text(word.into_owned().into())),
                false => Err(refused(format!("expected one of {}", words.join(", ")))),
            }
        }
        Kind::Json(_) => Ok(Value::Text(raw.to_owned().into())),
    }
}

impl<R: Record> Argument for Query<R> {
    const TYPE: &'static str = R::QUERY;
    const OPTIONAL: bool = true;

    fn argument(raw: Option<&str>, name: &str) -> Result<Self> {
        let mut query = Query::default();
        let Some(raw) = raw else { return Ok(query) };
        let field_of = |key: &str| {
            R::FIELDS
                .iter()
                .find(|field| crate::model::is_camel_of(key, field.name))
                .ok_or_else(|| Error::unknown(key, format!("is no field that {} has", R::NAME)))
        };
        json::members(raw, name, |key, value| {
            let refused = |reason: String| Error::invalid(key, reason);
            match key {
                "where" => json::members(value, key, |key, value| {
                    let field = field_of(key)?;
                    query.filters.push((field, value_from_json(field, value)?));
                    Ok(())
                })?,
                "orderBy" => {
                    for pair in json::elements(value).map_err(refused)? {
                        let pair = json::elements(pair).map_err(refused)?;
                        let [name, direction] = pair[..] else {
                            return Err(refused("expected pairs of a field and 'asc' or 'desc'".to_owned()));
                        };
                        let order = match direction {
                            "\"asc\"" => Order::Ascending,
                            "\"desc\"" => Order::Descending,
                            _ => return Err(refused("expected 'asc' or 'desc'".to_owned())),
                        };
                        query.order.push((field_of(&json::text(name).map_err(refused)?)?, order));
                    }
                }
                "limit" => query.limit = Some(count(value).map_err(refused)?),
                "offset" => query.offset = count(value).map_err(refused)?,
                "after" => query.after = Some(json::text(value).map_err(refused)?.into_owned()),
                _ => return Err(Error::unknown(key, "is nothing that a query has")),
            }
            Ok(())
        })?;
        Ok(query)
    }
}

/// A number of rows.
fn count(raw: &str) -> Result<i64, String> {
    match i64::from_json(raw)? {
        count @ 0..=MAX_INTEGER => Ok(count),
        _ => Err("expected 0 or more".to_owned()),
    }
}
