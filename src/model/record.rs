//! Records, described once: the macro gives the struct, what callers hand in to make one or change one, and the
//! description from which SQL, JSON and TypeScript come.

use super::packed::Layout;
use super::{Field, Kind, MAX_INTEGER, Millis, Scalar, Value};
use crate::error::{Error, Result};

/// A row that is being read, column by column, in place.
pub trait Row {
    /// The value of the column at `index`, in the order of the query's columns.
    ///
    /// # Errors
    /// `INTERNAL` when there is no such column.
    fn get(&self, index: usize) -> Result<Value<'_>>;
}

/// A record: a struct whose fields are the columns of a table.
pub trait Record: Sized + 'static {
    /// The type's name.
    const TYPE_NAME: &'static str;
    /// Its table.
    const TABLE: &'static str;
    /// What it is.
    const DOC: &'static str;
    /// The TypeScript type of a query over it.
    const QUERY: &'static str;
    /// The TypeScript type of a filter over it.
    const WHERE: &'static str;
    /// Its fields in order; the first is the id.
    const FIELDS: &'static [Field];

    /// How its fields are packed on their way to JavaScript.
    fn layout() -> &'static Layout;

    /// Its id.
    fn id(&self) -> &str;

    /// The value of the field at `index`.
    fn value(&self, index: usize) -> Value<'_>;

    /// Reads the fields, in order, from the columns that start at 0.
    ///
    /// # Errors
    /// `CORRUPT` when a column holds what the field cannot be.
    fn read(row: &dyn Row) -> Result<Self>;

    /// The place of a field.
    #[must_use]
    fn position(name: &str) -> Option<usize> {
        Self::FIELDS.iter().position(|field| field.name == name)
    }

    /// Checks sizes, ranges and JSON before anything is written.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` that names the field.
    fn check(&self, max_json_bytes: usize) -> Result<()>;
}

/// A record with a version.
pub trait Mutable: Record {
    /// What callers give to make one.
    type New: Clone;
    /// What callers give to change one.
    type Patch: Clone;

    /// When it was made, when it was last changed, and its version from 1.
    fn stamp(&mut self) -> (&mut Millis, &mut Millis, &mut i64);
}

/// The longest text of a field that is looked up by an index and is no id, in bytes of UTF-8. PostgreSQL's indexes take
/// little more, and what one backend stores all of them do.
pub const MAX_KEY_BYTES: usize = 1024;

/// The fields of that kind.
const KEYS: [&str; 4] = ["name", "queue", "unique_key", "correlation_id"];

/// Refuses a field that cannot be stored, with its name.
pub(crate) fn check_field<T: Scalar>(name: &str, field: &T, max_json_bytes: usize) -> Result<()> {
    let refused = match (T::KIND, field.to_value()) {
        (Kind::Json(_), Value::Text(text)) => check_length(&text, max_json_bytes),
        (_, Value::Text(text)) if text.contains('\0') => Err("must not contain NUL".to_owned()),
        (_, Value::Text(text)) if text.len() > MAX_KEY_BYTES && KEYS.contains(&name) => {
            check_length(&text, MAX_KEY_BYTES)
        }
        (_, Value::Text(text)) => check_length(&text, max_json_bytes),
        (Kind::Time | Kind::Integer, Value::Integer(integer))
            if integer.unsigned_abs() > MAX_INTEGER.unsigned_abs() =>
        {
            Err("an integer is beyond ±(2^53 − 1)".to_owned())
        }
        _ => Ok(()),
    };
    refused.and_then(|()| field.refusal().map_or(Ok(()), Err)).map_err(|reason| Error::invalid(name, reason))
}

fn check_length(text: &str, max: usize) -> Result<(), String> {
    if text.len() > max { Err(format!("has {} bytes, more than the limit of {max}", text.len())) } else { Ok(()) }
}

/// A stored value of the wrong type is damage, not a reason to skip the row.
pub(crate) fn read_field<T: Scalar>(table: &'static str, name: &str, row: &dyn Row, index: usize) -> Result<T> {
    T::from_value(row.get(index)?)
        .map_err(|reason| crate::ErrorCode::Corrupt.error(format!("{table}.{name} holds what it cannot be: {reason}")))
}

/// A caller's field from raw JSON, refused with its name.
pub(crate) fn given<T: Scalar>(raw: &str, name: &str) -> Result<T> {
    T::from_json(raw).map_err(|reason| Error::invalid(name, reason))
}

/// The name of a `snake_case` field in JavaScript.
pub(crate) fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        match letter {
            '_' => upper = true,
            _ if upper => {
                out.extend(letter.to_uppercase());
                upper = false;
            }
            _ => out.push(letter),
        }
    }
    out
}

/// Whether a JavaScript name means this field.
pub(crate) fn is_camel_of(key: &str, name: &str) -> bool {
    let mut letters = key.bytes();
    let mut upper = false;
    for letter in name.bytes() {
        if letter == b'_' {
            upper = true;
            continue;
        }
        let expected = if upper { letter.to_ascii_uppercase() } else { letter };
        upper = false;
        if letters.next() != Some(expected) {
            return false;
        }
    }
    letters.next().is_none()
}

/// A record's fields as a row.
struct Fields<'a, R>(&'a R);

impl<R: Record> Row for Fields<'_, R> {
    fn get(&self, index: usize) -> Result<Value<'_>> {
        Ok(self.0.value(index))
    }
}

/// Appends a record as a JSON object with JavaScript names; absent fields are left out.
pub(crate) fn write_record<R: Record>(record: &R, out: &mut String) {
    out.push('{');
    for (index, field) in R::FIELDS.iter().enumerate() {
        let value = record.value(index);
        if field.optional && value == Value::Null {
            continue;
        }
        if !out.ends_with('{') {
            out.push(',');
        }
        super::json::write_text(&camel(field.name), out);
        out.push(':');
        super::field::write_value(field.kind, &value, out);
    }
    out.push('}');
}

/// Appends a JSON object with these members; absent ones are left out.
pub(crate) fn write_members(members: &[(&str, Kind, Value<'_>)], out: &mut String) {
    let mut separator = '{';
    for (name, kind, value) in members {
        if *value != Value::Null {
            out.push(separator);
            separator = ',';
            super::json::write_text(name, out);
            out.push(':');
            super::field::write_value(*kind, value, out);
        }
    }
    out.push('}');
}

/// Appends a record packed.
pub(crate) fn pack_record<R: Record>(record: &R, out: &mut String) {
    // A record that is there has all of its fields.
    let packed = super::packed::pack(R::layout(), R::FIELDS, &Fields(record), out);
    debug_assert!(packed.is_ok());
}

/// The struct of a record and its description.
macro_rules! record {
    (
        $(#[doc = $doc:literal])* $name:ident in $table:literal {
            $($(#[doc = $fdoc:literal])* $field:ident: $type:ty,)*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $name { $($(#[doc = $fdoc])* pub $field: $type,)* }

        impl $crate::model::Record for $name {
            const TYPE_NAME: &'static str = stringify!($name);
            const TABLE: &'static str = $table;
            const DOC: &'static str = $crate::platform::told(concat!($($doc, "\n",)*));
            const QUERY: &'static str = concat!("Query<", stringify!($name), ">");
            const WHERE: &'static str = concat!("Where<", stringify!($name), ">");
            const FIELDS: &'static [$crate::model::Field] = &[$($crate::model::Field {
                name: stringify!($field),
                kind: <$type as $crate::model::Scalar>::KIND,
                optional: <$type as $crate::model::Scalar>::OPTIONAL,
                ts: $crate::platform::told(<$type as $crate::model::Scalar>::TS),
                doc: $crate::platform::told(concat!($($fdoc, "\n",)*)),
                canonical: $crate::model::canonical::<$type>(),
            },)*];

            fn layout() -> &'static $crate::model::packed::Layout {
                static LAYOUT: std::sync::OnceLock<$crate::model::packed::Layout> = std::sync::OnceLock::new();
                LAYOUT.get_or_init(|| $crate::model::packed::Layout::new($table, Self::FIELDS))
            }

            fn id(&self) -> &str {
                self.id.as_str()
            }

            #[allow(unused_assignments)]
            fn value(&self, index: usize) -> $crate::model::Value<'_> {
                let mut at = 0;
                $(
                    if at == index {
                        return $crate::model::Scalar::to_value(&self.$field);
                    }
                    at += 1;
                )*
                $crate::model::Value::Null
            }

            fn check(&self, max_json_bytes: usize) -> $crate::Result<()> {
                $($crate::model::record::check_field(stringify!($field), &self.$field, max_json_bytes)?;)*
                Ok(())
            }

            #[allow(unused_assignments)]
            fn read(row: &dyn $crate::model::Row) -> $crate::Result<Self> {
                let mut at = 0;
                $(
                    let $field = $crate::model::record::read_field($table, stringify!($field), row, at)?;
                    at += 1;
                )*
                Ok(Self { $($field,)* })
            }
        }

        pastey::paste! {
            /// Its columns, to be compared and ordered by.
            impl $name {
                $($(#[doc = $fdoc])* pub const [<$field:upper>]: $crate::model::Column<$name, $type> =
                    $crate::model::Column::named(stringify!($field));)*
            }
        }

        impl $crate::model::Answer for $name {
            const TYPE: &'static str = stringify!($name);
            fn write_json(&self, out: &mut String) -> bool {
                $crate::model::record::write_record(self, out);
                true
            }
            fn pack(&self, out: &mut String) -> bool {
                $crate::model::record::pack_record(self, out);
                true
            }
        }
    };
}
pub(crate) use record;

/// A record that changes: its struct, `New…` to make one and `…Patch` to change one.
///
/// `required` fields must be given, `optional` ones may be absent for ever, `defaulted` ones get a value when absent
/// (from the time of the write), `managed` ones only operations change.
macro_rules! mutable_record {
    (
        $(#[doc = $doc:literal])* $name:ident ($new:ident, $patch:ident) in $table:literal, id $id:ident;
        required { $($(#[doc = $rdoc:literal])* $required:ident: $rtype:ty,)* }
        optional { $($(#[doc = $odoc:literal])* $optional:ident: $otype:ty,)* }
        defaulted { $($(#[doc = $ddoc:literal])* $defaulted:ident: $dtype:ty = $default:expr,)* }
        managed { $($(#[doc = $mdoc:literal])* $managed:ident: $mtype:ty,)* }
        only_new { $($(#[doc = $ndoc:literal])* $only:ident: $ntype:ty,)* }
    ) => {
        $crate::model::record::record! {
            $(#[doc = $doc])* $name in $table {
                /// Its id.
                id: $id,
                $($(#[doc = $rdoc])* $required: $rtype,)*
                $($(#[doc = $odoc])* $optional: Option<$otype>,)*
                $($(#[doc = $ddoc])* $defaulted: $dtype,)*
                $($(#[doc = $mdoc])* $managed: $mtype,)*
                /// When it was made.
                created_at: $crate::model::Millis,
                /// When it was last changed.
                updated_at: $crate::model::Millis,
                /// Its version, from 1; every change adds one.
                version: i64,
            }
        }

        #[doc = concat!("What is given to make a [`", stringify!($name), "`].")]
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $new {
            /// Its id; a UUIDv7 when absent.
            pub id: Option<$id>,
            $($(#[doc = $rdoc])* pub $required: $rtype,)*
            $($(#[doc = $odoc])* pub $optional: Option<$otype>,)*
            $($(#[doc = $ddoc])* pub $defaulted: Option<$dtype>,)*
            $($(#[doc = $ndoc])* pub $only: $ntype,)*
        }

        impl $new {
            /// With the required fields; the others are absent.
            #[must_use]
            pub fn new($($required: impl Into<$rtype>,)*) -> Self {
                Self {
                    id: None,
                    $($required: $required.into(),)*
                    $($optional: None,)*
                    $($defaulted: None,)*
                    $($only: Default::default(),)*
                }
            }

            /// With this id.
            #[must_use]
            pub fn id(mut self, id: $id) -> Self {
                self.id = Some(id);
                self
            }

            $(
                $(#[doc = $odoc])*
                #[must_use]
                pub fn $optional(mut self, value: impl Into<$otype>) -> Self {
                    self.$optional = Some(value.into());
                    self
                }
            )*
            $(
                $(#[doc = $ddoc])*
                #[must_use]
                pub fn $defaulted(mut self, value: impl Into<$dtype>) -> Self {
                    self.$defaulted = Some(value.into());
                    self
                }
            )*
            $(
                $(#[doc = $ndoc])*
                #[must_use]
                pub fn $only(mut self, value: $ntype) -> Self {
                    self.$only = value;
                    self
                }
            )*

            /// The names of the fields with their TypeScript types, and whether each must be given.
            pub(crate) const GIVEN: &'static [(&'static str, &'static str, bool)] = &[
                ("id", "string", false),
                $((stringify!($required), <$rtype as $crate::model::Scalar>::TS_IN, true),)*
                $((stringify!($optional), <$otype as $crate::model::Scalar>::TS_IN, false),)*
                $((stringify!($defaulted), <$dtype as $crate::model::Scalar>::TS_IN, false),)*
                $((stringify!($only), <$ntype as $crate::model::Scalar>::TS_IN, false),)*
            ];
        }

        impl $crate::model::Argument for $new {
            const TYPE: &'static str = stringify!($new);

            fn argument(raw: Option<&str>, name: &str) -> $crate::Result<Self> {
                let raw = raw.ok_or_else(|| $crate::Error::invalid(name, "is required"))?;
                Self::read(&mut $crate::model::json::Reader::around(raw), name)
            }

            fn read(reader: &mut $crate::model::json::Reader<'_>, name: &str) -> $crate::Result<Self> {
                use $crate::model::record::{given, is_camel_of};
                let mut id = None;
                $(let mut $required: Option<$rtype> = None;)*
                $(let mut $optional: Option<$otype> = None;)*
                $(let mut $defaulted: Option<$dtype> = None;)*
                $(let mut $only: Option<$ntype> = None;)*
                reader.members(name, &mut |key, value| {
                    match key {
                        "id" => id = Some(given(value, "id")?),
                        $(_ if is_camel_of(key, stringify!($required)) => $required = Some(given(value, key)?),)*
                        $(_ if is_camel_of(key, stringify!($optional)) => $optional = Some(given(value, key)?),)*
                        $(_ if is_camel_of(key, stringify!($defaulted)) => $defaulted = Some(given(value, key)?),)*
                        $(_ if is_camel_of(key, stringify!($only)) => $only = Some(given(value, key)?),)*
                        _ => return Err($crate::Error::unknown(key, concat!("is no field that ", stringify!($new), " has"))),
                    }
                    Ok(())
                })?;
                Ok(Self {
                    id,
                    $($required: $required.ok_or_else(|| $crate::Error::invalid(stringify!($required), "is required"))?,)*
                    $($optional,)*
                    $($defaulted,)*
                    $($only: $only.unwrap_or_default(),)*
                })
            }
        }

        #[doc = concat!("What is given to change a [`", stringify!($name), "`].")]
        #[derive(Debug, Clone, PartialEq, Default)]
        #[non_exhaustive]
        pub struct $patch {
            $($(#[doc = $rdoc])* pub $required: $crate::model::Patch<$rtype>,)*
            $($(#[doc = $odoc])* pub $optional: $crate::model::Patch<$otype>,)*
            $($(#[doc = $ddoc])* pub $defaulted: $crate::model::Patch<$dtype>,)*
        }

        impl $patch {
            /// Changes nothing yet.
            #[must_use]
            pub fn new() -> Self {
                Self::default()
            }
            $(
                $(#[doc = $rdoc])*
                #[must_use]
                pub fn $required(mut self, value: impl Into<$rtype>) -> Self {
                    self.$required = $crate::model::Patch::Set(value.into());
                    self
                }
            )*
            $(
                $(#[doc = $odoc])*
                #[must_use]
                pub fn $optional(mut self, value: impl Into<$otype>) -> Self {
                    self.$optional = $crate::model::Patch::Set(value.into());
                    self
                }
            )*
            $(
                $(#[doc = $ddoc])*
                #[must_use]
                pub fn $defaulted(mut self, value: impl Into<$dtype>) -> Self {
                    self.$defaulted = $crate::model::Patch::Set(value.into());
                    self
                }
            )*

            /// Takes one member of a patch object; `false` when it is no field of ours.
            pub(crate) fn take(&mut self, key: &str, raw: &str) -> $crate::Result<bool> {
                use $crate::model::record::{given, is_camel_of};
                use $crate::model::Patch;
                $(if is_camel_of(key, stringify!($required)) {
                    // A JSON field's null is a value; any other's would clear what must be there.
                    if raw == "null" && !matches!(<$rtype as $crate::model::Scalar>::KIND, $crate::model::Kind::Json("null")) {
                        return Err($crate::Error::invalid(key, "is required and cannot be cleared"));
                    }
                    self.$required = Patch::Set(given(raw, key)?);
                    return Ok(true);
                })*
                $(if is_camel_of(key, stringify!($optional)) {
                    self.$optional = if raw == "null" { Patch::Clear } else { Patch::Set(given(raw, key)?) };
                    return Ok(true);
                })*
                $(if is_camel_of(key, stringify!($defaulted)) {
                    self.$defaulted = if raw == "null" { Patch::Clear } else { Patch::Set(given(raw, key)?) };
                    return Ok(true);
                })*
                Ok(false)
            }
        }

        impl $crate::model::Argument for $patch {
            const TYPE: &'static str = concat!("Patch<", stringify!($new), ">");

            fn argument(raw: Option<&str>, name: &str) -> $crate::Result<Self> {
                let raw = raw.ok_or_else(|| $crate::Error::invalid(name, "is required"))?;
                let mut patch = Self::default();
                $crate::model::json::members(raw, name, |key, value| {
                    if patch.take(key, value)? {
                        Ok(())
                    } else {
                        Err($crate::Error::unknown(key, concat!("is no field that an update of ", stringify!($name), " can change")))
                    }
                })?;
                Ok(patch)
            }
        }

        impl $name {
            /// The record that a caller's draft makes now; `managed` are the fields that are not the caller's.
            #[allow(clippy::redundant_closure_call, clippy::too_many_arguments, unused_variables)]
            pub(crate) fn from_new(new: $new, id: $id, now: $crate::model::Millis $(, $managed: $mtype)*) -> Self {
                Self {
                    id,
                    $($required: new.$required,)*
                    $($optional: new.$optional,)*
                    $($defaulted: new.$defaulted.unwrap_or_else(|| ($default)(now)),)*
                    $($managed,)*
                    created_at: now,
                    updated_at: now,
                    version: 1,
                }
            }

            /// Carries out a patch; gives the places of the fields that it sets.
            #[allow(clippy::redundant_closure_call)]
            pub(crate) fn apply(&mut self, patch: $patch, now: $crate::model::Millis) -> $crate::Result<Vec<usize>> {
                use $crate::model::{Patch, Record as _};
                let mut changed = Vec::new();
                let mut touch = |name| changed.extend(Self::position(name));
                $(match patch.$required {
                    Patch::Keep => {}
                    Patch::Clear => {
                        return Err($crate::Error::invalid(stringify!($required), "is required and cannot be cleared"));
                    }
                    Patch::Set(value) => {
                        self.$required = value;
                        touch(stringify!($required));
                    }
                })*
                $(match patch.$optional {
                    Patch::Keep => {}
                    Patch::Clear => {
                        self.$optional = None;
                        touch(stringify!($optional));
                    }
                    Patch::Set(value) => {
                        self.$optional = Some(value);
                        touch(stringify!($optional));
                    }
                })*
                $(match patch.$defaulted {
                    Patch::Keep => {}
                    Patch::Clear => {
                        self.$defaulted = ($default)(now);
                        touch(stringify!($defaulted));
                    }
                    Patch::Set(value) => {
                        self.$defaulted = value;
                        touch(stringify!($defaulted));
                    }
                })*
                Ok(changed)
            }
        }

        impl $crate::model::Mutable for $name {
            type New = $new;
            type Patch = $patch;

            fn stamp(&mut self) -> (&mut $crate::model::Millis, &mut $crate::model::Millis, &mut i64) {
                (&mut self.created_at, &mut self.updated_at, &mut self.version)
            }
        }
    };
}
pub(crate) use mutable_record;
