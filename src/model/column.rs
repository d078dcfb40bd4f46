//! Typed columns: what a record's fields can be compared with is known when the program is compiled.

use super::field::write_value;
use super::filter::{Filter, Node, Test};
use super::{Field, Json, Kind, Millis, Record, Scalar, Value};
use std::fmt;
use std::marker::PhantomData;

/// A field of the record `R` that holds a `V`; what filters and orders are made of.
///
/// Every record has one for each of its fields, such as `Task::PRIORITY`. An optional field is a `Column<R, Option<V>>` and is
/// compared with a `V`.
///
/// ```
/// use swarmstore::{Priority, Task, TaskStatus};
///
/// let urgent = Task::PRIORITY.ge(Priority::HIGH).and(Task::STATUS.eq(TaskStatus::Pending));
/// let mine = urgent.and(Task::UNIQUE_KEY.like("tile-%").or(Task::UNIQUE_KEY.is_null()));
/// # drop(mine);
/// ```
///
/// A value of another type is refused by the compiler:
///
/// ```compile_fail
/// swarmstore::Task::PRIORITY.ge("high");
/// ```
pub struct Column<R, V> {
    pub(crate) field: &'static Field,
    of: PhantomData<fn() -> (R, V)>,
}

impl<R, V> Clone for Column<R, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, V> Copy for Column<R, V> {}

impl<R: Record, V> fmt::Debug for Column<R, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", R::TABLE, self.field.name)
    }
}

impl<R: Record, V> Column<R, V> {
    /// The column of the field with this name, which is there.
    pub(crate) const fn named(name: &str) -> Self {
        let mut at = 0;
        while !is_same(R::FIELDS[at].name, name) {
            at += 1;
        }
        Column { field: &R::FIELDS[at], of: PhantomData }
    }

    /// The field.
    #[must_use]
    pub fn field(self) -> &'static Field {
        self.field
    }

    /// Equal to this value. An absent field is equal to none.
    pub fn eq(self, value: impl Operand<V>) -> Filter<R> {
        self.test(Test::Equal(self.operand(value)))
    }

    /// Everything but equal to this value, so also where the field is absent.
    pub fn ne(self, value: impl Operand<V>) -> Filter<R> {
        self.eq(value).not()
    }

    /// Equal to one of these values.
    pub fn is_in(self, values: impl IntoIterator<Item = impl Operand<V>>) -> Filter<R> {
        self.test(Test::In(values.into_iter().map(|value| self.operand(value)).collect()))
    }

    fn test(self, test: Test) -> Filter<R> {
        Filter::of(Node::Test(self.field, test))
    }

    fn operand(self, value: impl Operand<V>) -> Value<'static> {
        stored(self.field, value.into_operand())
    }
}

/// The value as it stands for comparing: NULL only for what is absent.
pub(crate) fn stored(field: &Field, value: Value<'static>) -> Value<'static> {
    match (value, field.kind) {
        (Value::Null, Kind::Json(default)) if !field.optional => Value::text(default),
        (value, _) => value,
    }
}

/// Comparing by size. Text is compared by the bytes of its UTF-8, an enum by its word. An absent field is neither smaller nor
/// larger than anything; a query that compares by size with `None` is `INVALID_ARGUMENT`.
impl<R: Record, V: Ordered> Column<R, V> {
    /// Smaller than this value.
    pub fn lt(self, value: impl Operand<V>) -> Filter<R> {
        self.test(Test::Less(self.operand(value)))
    }

    /// Smaller than this value, or equal to it.
    pub fn le(self, value: impl Operand<V>) -> Filter<R> {
        self.test(Test::LessOrEqual(self.operand(value)))
    }

    /// Larger than this value.
    pub fn gt(self, value: impl Operand<V>) -> Filter<R> {
        self.test(Test::Greater(self.operand(value)))
    }

    /// Larger than this value, or equal to it.
    pub fn ge(self, value: impl Operand<V>) -> Filter<R> {
        self.test(Test::GreaterOrEqual(self.operand(value)))
    }

    /// Between these two values or equal to one of them.
    pub fn between(self, low: impl Operand<V>, high: impl Operand<V>) -> Filter<R> {
        self.ge(low).and(self.le(high))
    }
}

impl<R: Record, V: Textual> Column<R, V> {
    /// Matches a pattern as a whole: `%` stands for any text, `_` for any one character, `\` takes the character behind it
    /// literally. The letters A to Z match a to z, and no other letters match one another. A query with a pattern that ends with a
    /// lone `\`, has more than 4,096 bytes or holds U+FFFE or U+FFFF is `INVALID_ARGUMENT`.
    pub fn like(self, pattern: impl Into<String>) -> Filter<R> {
        self.test(Test::Like(pattern.into()))
    }
}

impl<R: Record, V: Listed> Column<R, V> {
    /// Is an array with an element equal to this one. Numbers are compared as numbers and text as text, however they are
    /// written. A query for an array or object is `INVALID_ARGUMENT`.
    pub fn contains(self, element: impl Operand<V::Element>) -> Filter<R> {
        let mut json = String::new();
        write_value(V::Element::KIND, &element.into_operand(), &mut json);
        self.test(Test::Contains(json))
    }
}

impl<R: Record, V> Column<R, Option<V>> {
    /// Is absent.
    pub fn is_null(self) -> Filter<R> {
        self.test(Test::Equal(Value::Null))
    }
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// A value that a column of `V` can be compared with. For optional columns, `None` is what is absent.
#[diagnostic::on_unimplemented(message = "a column of `{V}` cannot be compared with `{Self}`")]
pub trait Operand<V> {
    /// The value to bind.
    fn into_operand(self) -> Value<'static>;
}

/// A type of field that is never absent.
pub trait Plain: Scalar {}

/// A type of field whose values are smaller or larger than one another.
#[diagnostic::on_unimplemented(message = "`{Self}` has no order")]
pub trait Ordered {}

/// A type of field that is text.
#[diagnostic::on_unimplemented(message = "`{Self}` is not text, which patterns are for")]
pub trait Textual {}

/// A type of field that is, or may be, a list.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a list of values that can be looked for")]
pub trait Listed {
    /// What it is a list of.
    type Element: Scalar;
}

impl<T: Ordered> Ordered for Option<T> {}
impl<T: Textual> Textual for Option<T> {}
impl<T: Listed> Listed for Option<T> {
    type Element = T::Element;
}

impl<T: Plain> Operand<T> for T {
    fn into_operand(self) -> Value<'static> {
        self.to_value().into_owned()
    }
}

impl<T: Plain> Operand<Option<T>> for T {
    fn into_operand(self) -> Value<'static> {
        self.to_value().into_owned()
    }
}

impl<T: Plain> Operand<Option<T>> for Option<T> {
    fn into_operand(self) -> Value<'static> {
        self.to_value().into_owned()
    }
}

/// References to what owns its text, and what becomes such a value.
macro_rules! operands {
    ($($from:ty => $to:ty, |$value:ident| $operand:expr;)*) => {$(
        impl Operand<$to> for $from {
            fn into_operand(self) -> Value<'static> {
                let $value = self;
                $operand
            }
        }
        impl Operand<Option<$to>> for $from {
            fn into_operand(self) -> Value<'static> {
                Operand::<$to>::into_operand(self)
            }
        }
    )*};
}

operands! {
    &str => String, |text| Value::Text(text.to_owned().into());
    &String => String, |text| Value::Text(text.clone().into());
    &super::AgentId => super::AgentId, |id| id.to_value().into_owned();
    &super::TaskId => super::TaskId, |id| id.to_value().into_owned();
    &super::EventId => super::EventId, |id| id.to_value().into_owned();
    &Json => Json, |json| json.to_value().into_owned();
    serde_json::Value => Json, |json| Value::Text(json.to_string().into());
}

/// Says what a type of field can do; the macros that make such types say it for theirs.
macro_rules! able {
    ($($trait:ident: $($type:ty),*;)*) => {$($(impl $trait for $type {})*)*};
}

able! {
    Plain: String, Millis, Json, super::Priority, super::Backoff, Vec<super::TaskError>;
    Ordered: String, Millis, super::Priority;
    Textual: String;
}

impl Listed for Json {
    type Element = Json;
}
