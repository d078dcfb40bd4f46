//! The swarm's configuration: values by key.

use super::Context;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{ConfigEntry, Json, MAX_KEY_BYTES, Millis, Row, Scalar};
use crate::sql::Value;

/// The configuration, inside a transaction. A key is a text of 1 to 1,024 bytes without NUL.
pub struct Config<'a> {
    cx: &'a Context<'a>,
}

impl<'a> Config<'a> {
    pub(crate) fn new(cx: &'a Context<'a>) -> Self {
        Config { cx }
    }

    /// The value under this key, if there is one. A `null` that was set is one.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for what cannot be a key.
    pub fn get(&self, key: &str) -> Result<Option<Json>> {
        check_key(key)?;
        let read = |value: Value<'_>| Json::from_value(value).map_err(damaged);
        self.cx.connection.first("SELECT value FROM swarm_config WHERE key = ?1", &[Value::text(key)], read)
    }

    /// Puts a value under a key, in place of the one that is there; remembers when, and who did it if that is said.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for what cannot be a key, or a value that cannot be stored.
    pub fn set(&self, key: &str, value: &Json, updated_by: Option<&str>) -> Result<()> {
        let cx = self.cx;
        check_key(key)?;
        if let Some(reason) = Scalar::refusal(value) {
            return Err(Error::invalid("value", reason));
        }
        cx.check_size("value", value.as_str())?;
        cx.check_text("updated_by", updated_by.unwrap_or_default())?;
        let sql = "INSERT INTO swarm_config (key, value, updated_at, updated_by) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (key) DO UPDATE
                   SET value = excluded.value, updated_at = excluded.updated_at, updated_by = excluded.updated_by";
        let by = updated_by.map_or(Value::Null, Value::text);
        cx.connection.execute(sql, &[Value::text(key), value.to_value(), Value::Integer(cx.now().0), by]).map(|_| ())
    }

    /// Removes a key with its value; `false` when it was not there.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for what cannot be a key.
    pub fn delete(&self, key: &str) -> Result<bool> {
        check_key(key)?;
        Ok(self.cx.connection.execute("DELETE FROM swarm_config WHERE key = ?1", &[Value::text(key)])? > 0)
    }

    /// All values whose key begins with these very bytes, in the order of their keys; all there are for an empty prefix.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a prefix with NUL.
    pub fn all(&self, prefix: &str) -> Result<Vec<ConfigEntry>> {
        self.cx.check_text("prefix", prefix)?;
        let end = after_all_with(prefix);
        let (sql, values) = match &end {
            Some(end) => (RANGE, vec![Value::text(prefix), Value::text(end)]),
            None => (FROM, vec![Value::text(prefix)]),
        };
        let mut entries = Vec::new();
        self.cx.connection.query(sql, &values, &mut |row| {
            entries.push(entry(row)?);
            Ok(())
        })?;
        Ok(entries)
    }
}

// Ranges, not LIKE: the key's index serves them, and no letter has a meaning of its own.
const RANGE: &str =
    "SELECT key, value, updated_at, updated_by FROM swarm_config WHERE key >= ?1 AND key < ?2 ORDER BY key";
const FROM: &str = "SELECT key, value, updated_at, updated_by FROM swarm_config WHERE key >= ?1 ORDER BY key";

fn entry(row: &dyn Row) -> Result<ConfigEntry> {
    Ok(ConfigEntry::new(
        String::from_value(row.get(0)?).map_err(damaged)?,
        Json::from_value(row.get(1)?).map_err(damaged)?,
        Millis::from_value(row.get(2)?).map_err(damaged)?,
        Option::from_value(row.get(3)?).map_err(damaged)?,
    ))
}

#[allow(clippy::needless_pass_by_value)] // as map_err gives it
fn damaged(reason: String) -> Error {
    ErrorCode::Corrupt.error(format!("swarm_config: {reason}"))
}

fn check_key(key: &str) -> Result<()> {
    let reason = match key.len() {
        0 => "must not be empty",
        length if length > MAX_KEY_BYTES => "has at most 1,024 bytes",
        _ if key.contains('\0') => "must not contain NUL",
        _ => return Ok(()),
    };
    Err(Error::invalid("key", reason))
}

/// The first text, in the order of bytes, that comes after all that begin with `prefix`; `None` when nothing does.
fn after_all_with(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // The bytes of UTF-8 have the order of the characters, among which the surrogates are missing.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{RANGE, after_all_with};
    use crate::{Store, Value};

    #[test]
    fn a_prefix_is_looked_up_in_the_index_of_the_keys() {
        let store = Store::open_blocking("memory:").unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {RANGE}");
        let plan = store.read_blocking(|tx| tx.query(&sql, &[Value::text("a"), Value::text("b")])).unwrap();
        let plan = format!("{:?}", plan.rows);
        assert!(plan.contains("PRIMARY KEY (key>? AND key<?)") && !plan.contains("TEMP B-TREE"), "{plan}");
    }

    #[test]
    fn what_comes_after_a_prefix_is_after_all_that_begin_with_it_and_nothing_lies_between() {
        for (prefix, end) in [
            ("a", Some("b")),
            ("a.", Some("a/")),
            ("é", Some("ê")),
            ("\u{7f}", Some("\u{80}")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
            ("", None),
        ] {
            assert_eq!(after_all_with(prefix).as_deref(), end);
            let last = format!("{prefix}\u{10ffff}\u{10ffff}");
            assert!(end.is_none_or(|end| last.as_str() < end), "{prefix}");
        }
    }
}
