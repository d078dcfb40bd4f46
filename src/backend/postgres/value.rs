//! Values on their way to the server and back.

use crate::error::Result;
use crate::model::{Row, Value};
use bytes::{BufMut as _, BytesMut};
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::Write as _;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};

type Failed = Box<dyn StdError + Sync + Send>;

/// A bound parameter. What has no better form goes as text, which the server reads as the type that it expects.
#[derive(Debug)]
pub(super) struct Parameter<'a>(pub(super) &'a Value<'a>);

impl Parameter<'_> {
    fn is_binary(&self, ty: &Type) -> bool {
        match self.0 {
            Value::Integer(_) => *ty == Type::INT8,
            Value::Real(_) => *ty == Type::FLOAT8,
            Value::Blob(_) => true,
            Value::Null | Value::Text(_) => false,
        }
    }
}

impl ToSql for Parameter<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failed> {
        match self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::Integer(integer) if self.is_binary(ty) => out.put_i64(*integer),
            Value::Integer(integer) => out.put_slice(integer.to_string().as_bytes()),
            Value::Real(real) if self.is_binary(ty) => out.put_f64(*real),
            Value::Real(real) => out.put_slice(real.to_string().as_bytes()),
            Value::Text(text) => out.put_slice(text.as_bytes()),
            Value::Blob(bytes) => out.put_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, ty: &Type) -> Format {
        if self.is_binary(ty) { Format::Binary } else { Format::Text }
    }

    to_sql_checked!();
}

/// The type that a parameter of a caller's own statement is declared with.
pub(super) fn type_of(value: &Value<'_>) -> Type {
    match value {
        Value::Null => Type::UNKNOWN,
        Value::Integer(_) => Type::INT8,
        Value::Real(_) => Type::FLOAT8,
        Value::Text(_) => Type::TEXT,
        Value::Blob(_) => Type::BYTEA,
    }
}

/// A row that the server answered, read in place.
pub(super) struct PgRow<'a>(pub(super) &'a tokio_postgres::Row);

impl Row for PgRow<'_> {
    fn get(&self, index: usize) -> Result<Value<'_>> {
        match self.0.try_get::<_, Column<'_>>(index) {
            Ok(column) => Ok(column.0),
            Err(error) => Err(super::error::from_postgres(&error.into())),
        }
    }
}

struct Column<'a>(Value<'a>);

impl<'a> FromSql<'a> for Column<'a> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Failed> {
        decode(ty, raw).map(Column)
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failed> {
        Ok(Column(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Between the Unix epoch and PostgreSQL's, in milliseconds.
const EPOCH: i64 = 946_684_800_000;

fn decode<'a>(ty: &Type, raw: &'a [u8]) -> Result<Value<'a>, Failed> {
    Ok(match *ty {
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::CHAR => {
            Value::Text(Cow::Borrowed(std::str::from_utf8(raw)?))
        }
        Type::INT8 => Value::Integer(i64::from_be_bytes(raw.try_into()?)),
        Type::INT4 => Value::Integer(i32::from_be_bytes(raw.try_into()?).into()),
        Type::INT2 => Value::Integer(i16::from_be_bytes(raw.try_into()?).into()),
        Type::OID => Value::Integer(u32::from_be_bytes(raw.try_into()?).into()),
        Type::BOOL => Value::Integer(i64::from(raw.first() == Some(&1))),
        Type::FLOAT8 => Value::Real(f64::from_be_bytes(raw.try_into()?)),
        Type::FLOAT4 => Value::Real(f32::from_be_bytes(raw.try_into()?).into()),
        Type::NUMERIC => numeric(raw)?,
        Type::BYTEA => Value::Blob(Cow::Borrowed(raw)),
        // After the number of bits.
        Type::BIT | Type::VARBIT => Value::Blob(Cow::Borrowed(raw.get(4..).ok_or("too short")?)),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            Value::Integer(i64::from_be_bytes(raw.try_into()?).div_euclid(1_000).saturating_add(EPOCH))
        }
        Type::UUID => Value::Text(Cow::Owned(uuid::Uuid::from_slice(raw)?.to_string())),
        Type::JSON => json(std::str::from_utf8(raw)?)?,
        // After the number of its version.
        Type::JSONB => json(std::str::from_utf8(raw.get(1..).ok_or("too short")?)?)?,
        Type::VOID => Value::Null,
        _ => return Err(format!("a column of the type {ty} cannot be read; cast it to text").into()),
    })
}

/// What SQLite's functions about JSON answer: a value for a value, text for the rest.
fn json(text: &str) -> Result<Value<'_>, Failed> {
    Ok(match text.as_bytes().first() {
        Some(b'n') => Value::Null,
        Some(b't') => Value::Integer(1),
        Some(b'f') => Value::Integer(0),
        Some(b'"') => Value::Text(Cow::Owned(serde_json::from_str(text)?)),
        Some(b'{' | b'[') => Value::Text(Cow::Borrowed(text)),
        _ => match text.parse::<i64>() {
            Ok(integer) => Value::Integer(integer),
            Err(_) => Value::Real(text.parse()?),
        },
    })
}

/// A decimal number: an integer if it is one and fits.
fn numeric(raw: &[u8]) -> Result<Value<'static>, Failed> {
    let word = |at: usize| -> Result<u16, Failed> {
        let bytes = raw.get(at * 2..at * 2 + 2).ok_or("too short")?;
        Ok(u16::from_be_bytes(bytes.try_into()?))
    };
    let (count, weight, sign, scale) = (word(0)?, i32::from(word(1)?.cast_signed()), word(2)?, word(3)?);
    let sign = match sign {
        0 => "",
        0x4000 => "-",
        0xD000 => return Ok(Value::Real(f64::INFINITY)),
        0xF000 => return Ok(Value::Real(f64::NEG_INFINITY)),
        _ => return Ok(Value::Real(f64::NAN)),
    };
    let digits = (0..usize::from(count)).map(|at| word(4 + at)).collect::<Result<Vec<_>, _>>()?;
    let group = |place: i32| usize::try_from(weight - place).ok().and_then(|at| digits.get(at)).copied().unwrap_or(0);
    let mut text = sign.to_owned();
    for place in (0..=weight.max(0)).rev() {
        let _ = write!(text, "{:04}", group(place));
    }
    if scale == 0
        && let Ok(integer) = text.parse()
    {
        return Ok(Value::Integer(integer));
    }
    text.push('.');
    for place in 1..=i32::from(scale).div_euclid(4) + 1 {
        let _ = write!(text, "{:04}", group(-place));
    }
    Ok(Value::Real(text.parse()?))
}

#[cfg(test)]
mod tests {
    use super::{json, numeric};
    use crate::Value;

    fn words(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn decimal_numbers_are_integers_or_reals() {
        for (raw, expected) in [
            (words(&[0, 0, 0, 0]), Value::Integer(0)),
            (words(&[1, 0, 0, 0, 42]), Value::Integer(42)),
            (words(&[1, 0, 0x4000, 0, 7]), Value::Integer(-7)),
            (words(&[2, 1, 0, 0, 1, 2]), Value::Integer(10_002)),
            (words(&[1, 1, 0, 0, 3]), Value::Integer(30_000)),
            (words(&[2, 0, 0, 1, 1, 5000]), Value::Real(1.5)),
            (words(&[1, 0xFFFF, 0x4000, 4, 25]), Value::Real(-0.0025)),
            (words(&[1, 0xFFFF, 0, 2, 2500]), Value::Real(0.25)),
            (words(&[3, 0, 0, 6, 5, 1234, 5600]), Value::Real(5.123_456)),
        ] {
            assert_eq!(numeric(&raw).unwrap(), expected);
        }
        assert!(matches!(numeric(&words(&[0, 0, 0xC000, 0])).unwrap(), Value::Real(real) if real.is_nan()));
        assert!(numeric(&[0, 1]).is_err());
    }

    #[test]
    fn json_is_read_as_sqlite_reads_it() {
        for (text, expected) in [
            ("null", Value::Null),
            ("true", Value::Integer(1)),
            ("3", Value::Integer(3)),
            ("1.5", Value::Real(1.5)),
            ("\"a\\n\"", Value::text("a\n")),
            ("[1]", Value::text("[1]")),
        ] {
            assert_eq!(json(text).unwrap(), expected);
        }
    }
}
