//! The types that a field can have, and how each one looks in SQL, JSON and TypeScript.

use super::column::{Listed, Ordered, Plain, Textual};
use super::json::{self, Json, Reader};
use super::time::Millis;
use super::value::Value;
use super::{AgentId, EventId, GroupId, MAX_INTEGER, TaskId, id};
use crate::platform::{double, push_double};
use std::borrow::Cow;

/// A field of a record, as everything that is generated from it needs to know it.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in Rust and SQL; the JavaScript name is the same in camelCase.
    pub name: &'static str,
    /// How it is stored.
    pub kind: Kind,
    /// Whether it may be absent.
    pub optional: bool,
    /// Its TypeScript type as it comes out.
    pub ts: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// For JSON: the text that is stored for a caller's own, or why it is refused.
    pub(crate) canonical: Option<Canonical>,
}

pub(crate) type Canonical = fn(&str) -> Result<Value<'static>, String>;

/// See [`Field::canonical`].
pub(crate) const fn canonical<T: Scalar>() -> Option<Canonical> {
    match T::KIND {
        Kind::Json(_) => Some(|raw| T::from_json(raw).map(|value| value.to_value().into_owned())),
        _ => None,
    }
}

/// How a field is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// An integer within ±(2^53 − 1).
    Integer,
    /// Milliseconds since the epoch, as an integer.
    Time,
    /// A double.
    Real,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// JSON text; where NULL is stored, this is meant.
    Json(&'static str),
}

/// A type that a field can have.
pub trait Scalar: Sized {
    /// How it is stored.
    const KIND: Kind;
    /// Whether NULL is one of its values.
    const OPTIONAL: bool = false;
    /// Its TypeScript type as it comes out.
    const TS: &'static str;
    /// Its TypeScript type as it goes in.
    const TS_IN: &'static str = Self::TS;
    /// Whether it is a JSON value of the caller's own.
    const RAW: bool = false;

    /// The value to store.
    fn to_value(&self) -> Value<'_>;

    /// The field from a stored value.
    ///
    /// # Errors
    /// The reason, when the stored value is of another type.
    fn from_value(value: Value<'_>) -> Result<Self, String>;

    /// The field from a caller's raw JSON.
    ///
    /// # Errors
    /// The reason, when it is of another type or out of range.
    fn from_json(raw: &str) -> Result<Self, String>;

    /// Why it cannot be stored although its type allows it, if so.
    fn refusal(&self) -> Option<String> {
        None
    }
}

/// An argument or result that crosses to JavaScript as JSON.
pub trait Argument: Sized {
    /// Its TypeScript type.
    const TYPE: &'static str;
    /// Whether a caller may leave it out.
    const OPTIONAL: bool = false;
    /// Whether it is a JSON value of the caller's own, in which a `Date` has no meaning.
    const RAW: bool = false;

    /// Reads raw JSON; `None` when the caller gave nothing.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, naming the field.
    fn argument(raw: Option<&str>, name: &str) -> crate::Result<Self>;

    /// Reads the value that follows in a larger text.
    ///
    /// # Errors
    /// As [`argument`](Self::argument).
    fn read(reader: &mut Reader<'_>, name: &str) -> crate::Result<Self> {
        let raw = reader.value().map_err(|reason| crate::Error::invalid(name, reason))?;
        Self::argument(Some(raw), name)
    }
}

/// A result on its way to JavaScript.
pub trait Answer {
    /// Its TypeScript type.
    const TYPE: &'static str;

    /// Appends it as JSON; `false` when there is nothing (`undefined`).
    fn write_json(&self, out: &mut String) -> bool;

    /// As [`write_json`](Self::write_json), with records packed as the JavaScript package takes them.
    fn pack(&self, out: &mut String) -> bool {
        self.write_json(out)
    }
}

fn mismatch(expected: &str, value: &Value<'_>) -> String {
    format!("expected {expected}, found {}", value.type_name())
}

/// Stored text, whatever its meaning.
fn stored_text(value: Value<'_>) -> Result<String, String> {
    match value {
        Value::Text(text) => Ok(text.into_owned()),
        other => Err(mismatch("text", &other)),
    }
}

fn stored_integer(value: &Value<'_>) -> Result<i64, String> {
    match value {
        Value::Integer(integer) => Ok(*integer),
        other => Err(mismatch("an integer", other)),
    }
}

/// An integer from raw JSON: what `5`, `5.0` and `5e0` all are.
#[allow(clippy::cast_possible_truncation)] // whole and within 2^53, as the reader made sure
pub(crate) fn integer_from_json(raw: &str) -> Result<i64, String> {
    if let Ok(integer) = raw.parse::<i64>() {
        return if integer.abs() <= MAX_INTEGER {
            Ok(integer)
        } else {
            Err("an integer is beyond ±(2^53 − 1)".into())
        };
    }
    match double(raw) {
        Some(number) if number.fract() == 0.0 => Ok(number as i64),
        Some(_) => Err(format!("expected an integer, got {raw}")),
        None => Err(format!("expected an integer, got {}", json::type_name(raw))),
    }
}

impl<T: Scalar> Scalar for Option<T> {
    const KIND: Kind = T::KIND;
    const OPTIONAL: bool = true;
    const TS: &'static str = T::TS;
    const TS_IN: &'static str = T::TS_IN;
    const RAW: bool = T::RAW;

    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, Scalar::to_value)
    }
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        if value == Value::Null { Ok(None) } else { T::from_value(value).map(Some) }
    }
    fn from_json(raw: &str) -> Result<Self, String> {
        // A caller's own JSON may be null, which is a value and not its absence.
        if raw == "null" && !T::RAW { Ok(None) } else { T::from_json(raw).map(Some) }
    }
    fn refusal(&self) -> Option<String> {
        self.as_ref().and_then(Scalar::refusal)
    }
}

impl Scalar for String {
    const KIND: Kind = Kind::Text;
    const TS: &'static str = "string";

    fn to_value(&self) -> Value<'_> {
        Value::text(self)
    }
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        stored_text(value)
    }
    fn from_json(raw: &str) -> Result<Self, String> {
        json::text(raw).map(Cow::into_owned)
    }
}

impl Scalar for Millis {
    const KIND: Kind = Kind::Time;
    const TS: &'static str = "EpochMillis";
    const TS_IN: &'static str = "Time";

    fn to_value(&self) -> Value<'_> {
        Value::Integer(self.0)
    }
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        stored_integer(&value).map(Millis)
    }
    fn from_json(raw: &str) -> Result<Self, String> {
        integer_from_json(raw).map(Millis)
    }
}

impl Scalar for Json {
    const KIND: Kind = Kind::Json("null");
    const TS: &'static str = "Json";
    const RAW: bool = true;

    fn to_value(&self) -> Value<'_> {
        Value::text(self.as_str())
    }
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        match value {
            Value::Text(text) => Ok(Json::checked(&text)),
            Value::Null => Ok(Json::default()),
            other => Err(mismatch("JSON text", &other)),
        }
    }
    fn from_json(raw: &str) -> Result<Self, String> {
        json::check_depth(raw)?;
        Ok(Json::checked(raw))
    }
    fn refusal(&self) -> Option<String> {
        Json::refusal(self)
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Plain for $type {}
        impl Ordered for $type {}
        impl Scalar for $type {
            const KIND: Kind = Kind::Integer;
            const TS: &'static str = "number";

            #[allow(clippy::cast_lossless)]
            fn to_value(&self) -> Value<'_> {
                Value::Integer(*self as i64)
            }
            fn from_value(value: Value<'_>) -> Result<Self, String> {
                stored_integer(&value)?.try_into().map_err(|_| "the stored integer is out of range".to_owned())
            }
            fn from_json(raw: &str) -> Result<Self, String> {
                integer_from_json(raw)?.try_into()
                    .map_err(|_| format!("expected {} to {}, got {raw}", <$type>::MIN, <$type>::MAX))
            }
        }
    )*};
}
integers!(i64, u32);

macro_rules! ids {
    ($($type:ident),*) => {$(
        impl Plain for $type {}
        impl Ordered for $type {}
        impl Textual for $type {}
        impl Scalar for $type {
            const KIND: Kind = Kind::Text;
            const TS: &'static str = "string";

            fn to_value(&self) -> Value<'_> {
                Value::text(self.as_str())
            }
            fn from_value(value: Value<'_>) -> Result<Self, String> {
                let text = stored_text(value)?;
                match id::refusal(&text) {
                    Some(reason) => Err(reason.to_owned()),
                    None => $type::new(text).map_err(|error| error.to_string()),
                }
            }
            fn from_json(raw: &str) -> Result<Self, String> {
                let text = json::text(raw)?;
                match id::refusal(&text) {
                    Some(reason) => Err(reason.to_owned()),
                    None => $type::new(text).map_err(|error| error.to_string()),
                }
            }
        }
    )*};
}
ids!(AgentId, GroupId, TaskId, EventId);

/// A list kept as a JSON array.
macro_rules! lists {
    ($($type:ty, $ts:literal;)*) => {$(
        impl Plain for Vec<$type> {}
        impl Listed for Vec<$type> {
            type Element = $type;
        }
        impl Scalar for Vec<$type> {
            const KIND: Kind = Kind::Json("[]");
            const TS: &'static str = $ts;

            fn to_value(&self) -> Value<'_> {
                if self.is_empty() {
                    return Value::text("[]");
                }
                let mut out = String::with_capacity(2 + self.len() * 16);
                out.push('[');
                for (at, element) in self.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    json::write_text(element.as_ref(), &mut out);
                }
                out.push(']');
                Value::Text(Cow::Owned(out))
            }
            fn from_value(value: Value<'_>) -> Result<Self, String> {
                match value {
                    Value::Null => Ok(Vec::new()),
                    Value::Text(text) => Self::from_json(&text),
                    other => Err(mismatch("a JSON array", &other)),
                }
            }
            fn from_json(raw: &str) -> Result<Self, String> {
                json::elements(raw)?.into_iter().map(<$type as Scalar>::from_json).collect()
            }
            fn refusal(&self) -> Option<String> {
                let nul = self.iter().any(|element| AsRef::<str>::as_ref(element).contains('\0'));
                nul.then(|| "must not contain NUL".to_owned())
            }
        }
    )*};
}
lists! {
    String, "string[]";
    TaskId, "string[]";
}

/// A fieldless enum that is a `snake_case` word everywhere outside Rust.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $(#[$doc])*
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every value there is.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The word for it in SQL and JavaScript.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            fn from_word(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok($name::$variant),)*
                    _ => Err(format!("expected one of {}", [$($word,)*].join(", "))),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl $crate::model::Plain for $name {}
        impl $crate::model::Ordered for $name {}
        impl $crate::model::Textual for $name {}

        impl $crate::model::Scalar for $name {
            const KIND: $crate::model::Kind = $crate::model::Kind::Enum(&[$($word,)*]);
            const TS: &'static str = $crate::model::field::union!($($word),*);

            fn to_value(&self) -> $crate::model::Value<'_> {
                $crate::model::Value::text(self.as_str())
            }
            fn from_value(value: $crate::model::Value<'_>) -> Result<Self, String> {
                match value {
                    $crate::model::Value::Text(word) => Self::from_word(&word),
                    other => Err(format!("expected text, found {}", other.type_name())),
                }
            }
            fn from_json(raw: &str) -> Result<Self, String> {
                Self::from_word(&$crate::model::json::text(raw)?)
            }
        }
    };
}
pub(crate) use words;

/// A TypeScript union of string literals.
macro_rules! union {
    ($first:literal $(, $rest:literal)*) => { concat!("'", $first, "'" $(, " | '", $rest, "'")*) };
}
pub(crate) use union;

/// Appends a stored value as JSON, stored JSON unparsed.
pub(crate) fn write_value(kind: Kind, value: &Value<'_>, out: &mut String) {
    match (kind, value) {
        (Kind::Json(default), Value::Null) => out.push_str(default),
        (Kind::Json(_), Value::Text(text)) => out.push_str(text),
        (_, Value::Text(text)) => json::write_text(text, out),
        (_, Value::Integer(integer)) => out.push_str(itoa::Buffer::new().format(*integer)),
        (_, Value::Real(real)) => push_double(*real, out),
        (_, Value::Null | Value::Blob(_)) => out.push_str("null"),
    }
}

impl<T: Scalar> Argument for T {
    const TYPE: &'static str = T::TS_IN;
    const OPTIONAL: bool = T::OPTIONAL;
    const RAW: bool = T::RAW;

    fn argument(raw: Option<&str>, name: &str) -> crate::Result<Self> {
        match raw {
            None if T::OPTIONAL => T::from_value(Value::Null),
            None => Err("is required".to_owned()),
            Some(raw) => <T as Scalar>::from_json(raw),
        }
        .map_err(|reason| crate::Error::invalid(name, reason))
    }
}
