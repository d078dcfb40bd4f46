//! What a column holds, on its way to or from a database.

use std::borrow::Cow;

/// One value of a row or a bound parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// NULL: the field is absent.
    Null,
    /// Integers, times and booleans (0 and 1).
    Integer(i64),
    /// Floating point.
    Real(f64),
    /// Text, enums and JSON.
    Text(Cow<'a, str>),
    /// Bytes; no field of ours, but a user's own query may bind or read them.
    Blob(Cow<'a, [u8]>),
}

impl<'a> Value<'a> {
    /// A text value that borrows.
    #[must_use]
    pub fn text(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }

    /// The same value without a borrow.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Integer(integer) => Value::Integer(integer),
            Value::Real(real) => Value::Real(real),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Blob(bytes) => Value::Blob(Cow::Owned(bytes.into_owned())),
        }
    }

    /// What kind of value it is, for messages.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Integer(_) => "an integer",
            Value::Real(_) => "a real number",
            Value::Text(_) => "text",
            Value::Blob(_) => "bytes",
        }
    }
}
