//! A row as a line of JSON, and back.
//!
//! A text that is itself a JSON object or array stands there as such, so that payloads can be read and edited; any other
//! text is a JSON string. Both come back as the same text, byte for byte, whatever the column means. What JSON has no form
//! for is an object with one key that begins with `$`: `{"$blob": "00ff"}`, `{"$integer": "9007199254740993"}`,
//! `{"$real": "inf"}`, `{"$text": "…"}`; the last three also when a column holds something other than it declares.

use super::table::{Column, Kind};
use crate::error::{Error, ErrorCode, Result};
use crate::model::json::{self, write_text};
use crate::model::{MAX_INTEGER, Value};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Writes one value of a column.
pub(super) fn write_value(column: &Column, value: &Value<'_>, out: &mut String) {
    let fits = column.kind.takes(value);
    match value {
        Value::Null => out.push_str("null"),
        Value::Integer(integer) if fits && (-MAX_INTEGER..=MAX_INTEGER).contains(integer) => {
            let _ = write!(out, "{integer}"); // writing to a String cannot fail
        }
        Value::Integer(integer) => special("integer", &integer.to_string(), out),
        Value::Real(real) if fits && is_plain(*real) => {
            let _ = write!(out, "{real:?}"); // as above
        }
        Value::Real(real) => special("real", &format!("{real:?}"), out),
        Value::Text(text) if fits && is_embedded(text) => out.push_str(text),
        Value::Text(text) if fits => write_text(text, out),
        Value::Text(text) => special("text", text, out),
        Value::Blob(bytes) => special("blob", &hex(bytes), out),
    }
}

fn special(what: &str, text: &str, out: &mut String) {
    out.push_str("{\"$");
    out.push_str(what);
    out.push_str("\":");
    write_text(text, out);
    out.push('}');
}

/// Whether a number reads back as the same real number: JSON's readers take a large whole one for an integer.
#[allow(clippy::cast_precision_loss)] // MAX_INTEGER is exact as a double
fn is_plain(real: f64) -> bool {
    real.is_finite() && (real.fract() != 0.0 || real.abs() <= MAX_INTEGER as f64)
}

/// Whether a text stands in the file as the JSON that it is.
fn is_embedded(text: &str) -> bool {
    text.starts_with(['{', '['])
        && text.ends_with(['}', ']'])
        && !text.contains(['\n', '\r'])
        && !text[1..].trim_start().starts_with("\"$")
        && json::whole(text).is_ok()
}

/// Reads one value of a column.
///
/// # Errors
/// The reason as text, which has to become an error that names the line.
pub(super) fn read_value(column: &Column, raw: &str) -> Result<Value<'static>, String> {
    let value = match raw.as_bytes().first() {
        Some(b'n') => Value::Null,
        Some(b'"') => Value::Text(Cow::Owned(json::text(raw)?.into_owned())),
        Some(b'{') if raw[1..].trim_start().starts_with("\"$") => return read_special(raw),
        Some(b'{' | b'[') => Value::Text(Cow::Owned(without_breaks(raw))),
        Some(b't' | b'f') => return Err(format!("{} is a boolean; write 1 or 0", column.name)),
        _ if raw.contains(['.', 'e', 'E']) => Value::Real(number(raw)?),
        _ => Value::Integer(number(raw)?),
    };
    // SQLite takes a whole number for a real column as it is.
    let whole_for_real = matches!((&column.kind, &value), (Kind::Real, Value::Integer(_)));
    if column.kind.takes(&value) || whole_for_real {
        return Ok(value);
    }
    Err(format!("{} is {} instead of {}", column.name, value.type_name(), column.kind.name()))
}

fn number<T: std::str::FromStr>(raw: &str) -> Result<T, String> {
    raw.parse().map_err(|_| "a number that cannot be held".to_owned())
}

fn read_special(raw: &str) -> Result<Value<'static>, String> {
    let mut found = None;
    let read = json::members(raw, "value", |key, raw| {
        let text = json::text(raw).map_err(|reason| Error::invalid("value", reason))?;
        let value = match key {
            "$integer" => text.parse().ok().map(Value::Integer),
            "$real" => text.parse().ok().map(Value::Real),
            "$text" => Some(Value::Text(Cow::Owned(text.into_owned()))),
            "$blob" => from_hex(&text).map(|bytes| Value::Blob(Cow::Owned(bytes))),
            _ => None,
        };
        match (value, &found) {
            (Some(value), None) => found = Some(value),
            _ => return Err(ErrorCode::InvalidArgument.error("")),
        }
        Ok(())
    });
    read.ok().and(found).ok_or_else(|| "an object with a key that begins with $ means nothing here".to_owned())
}

/// JSON text on one line, as we write it: an editor may have spread it over several.
fn without_breaks(raw: &str) -> String {
    if !raw.contains(['\n', '\r']) {
        return raw.to_owned();
    }
    let (mut text, mut in_string, mut escaped) = (String::with_capacity(raw.len()), false, false);
    for character in raw.chars() {
        if !in_string && matches!(character, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        in_string ^= character == '"' && !escaped;
        escaped = in_string && character == '\\' && !escaped;
        text.push(character);
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{read_value, write_value};
    use crate::backend::json_files::table::{Column, Kind};
    use crate::model::Value;

    fn column(kind: Kind) -> Column {
        Column { name: "c".to_owned(), kind, writes_null: false }
    }

    fn written(kind: Kind, value: &Value<'_>) -> String {
        let mut out = String::new();
        write_value(&column(kind), value, &mut out);
        out
    }

    #[test]
    fn every_value_comes_back_from_every_kind_of_column() {
        let texts = [
            "",
            "plain",
            "1",
            "1.5",
            "null",
            "true",
            "\"quoted\"",
            "{}",
            "[1, 2]",
            "{\"a\": {\"b\":\"c\"}}",
            "{broken",
            "[\"a\"",
            "{\"$blob\":\"00\"}",
            "{ \"$x\":1}",
            "[\n1]",
            "a\0b",
            "\u{1}\u{7f}\u{2028}é😀\u{10ffff}",
            "\r\n",
            "{\"a\":1,\"a\":2}",
            "[12345678901234567890]",
            " {}",
            "{} ",
            "[]]",
        ];
        let numbers = [0, 1, -1, 9_007_199_254_740_991, 9_007_199_254_740_992, i64::MIN, i64::MAX];
        let reals =
            [0.0, -0.0, 0.1, 1.0, 1e15, 1e16, 1e300, -1e300, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY];
        let mut values: Vec<Value<'_>> = texts.into_iter().map(Value::text).collect();
        values.extend(numbers.map(Value::Integer));
        values.extend(reals.map(Value::Real));
        values.extend([Value::Null, Value::Blob(vec![].into()), Value::Blob(vec![0, 255, 16].into())]);
        for kind in [Kind::Integer, Kind::Real, Kind::Text, Kind::Any] {
            for value in &values {
                let line = written(kind, value);
                assert!(!line.contains('\n'), "{line}");
                assert!(crate::model::json::whole(&line).is_ok(), "{line}");
                assert_eq!(&read_value(&column(kind), &line).unwrap(), value, "{line}");
            }
        }
        assert!(
            matches!(read_value(&column(Kind::Real), "-0.0").unwrap(), Value::Real(zero) if zero.is_sign_negative())
        );
    }

    #[test]
    fn json_is_shown_as_json_and_other_text_as_text() {
        for (text, shown) in [("{\"a\":[1]}", "{\"a\":[1]}"), ("[]", "[]"), ("5", "\"5\""), ("\"x\"", r#""\"x\"""#)] {
            assert_eq!(written(Kind::Text, &Value::text(text)), shown);
        }
    }

    #[test]
    fn what_was_spread_over_lines_is_joined() {
        let spread = "{\n  \"a b\": [1,\r\n 2],\n  \"c\": \"x \\\" \\\\ y\"\n}";
        let joined = "{\"a b\":[1,2],\"c\":\"x \\\" \\\\ y\"}";
        assert_eq!(read_value(&column(Kind::Text), spread).unwrap(), Value::text(joined));
    }

    #[test]
    fn what_does_not_fit_a_column_is_refused() {
        for (kind, raw, reason) in [
            (Kind::Integer, "\"5\"", "c is text instead of an integer"),
            (Kind::Integer, "5.5", "c is a real number instead of an integer"),
            (Kind::Text, "5", "c is an integer instead of text"),
            (Kind::Real, "\"x\"", "c is text instead of a real number"),
            (Kind::Any, "true", "c is a boolean; write 1 or 0"),
            (Kind::Any, "{\"$blob\":\"0\"}", "$"),
            (Kind::Any, "{\"$blob\":\"zz\"}", "$"),
            (Kind::Any, "{\"$x\":\"1\"}", "$"),
            (Kind::Any, "{\"$integer\":\"1\",\"b\":\"2\"}", "$"),
            (Kind::Any, "{\"$integer\":1}", "$"),
        ] {
            assert!(read_value(&column(kind), raw).unwrap_err().contains(reason), "{raw}");
        }
        assert_eq!(read_value(&column(Kind::Real), "5").unwrap(), Value::Integer(5));
    }
}
