//! Statements as PostgreSQL wants them, and those that a connection has prepared.

use super::connection::{PgConnection, Step};
use super::link::Failure;
use super::savepoints::SAVE;
use crate::error::{Error, Result};
use crate::model::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio_postgres::Statement;

/// How many statements a connection keeps prepared.
const KEPT: usize = 256;

/// Writes `?1` as `$1`, except in quotes and comments.
pub(super) fn render(sql: &str) -> String {
    render_counting(sql).0
}

/// As [`render`]; also gives the highest number that is there.
pub(super) fn render_counting(sql: &str) -> (String, usize) {
    let mut highest = 0;
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find(['?', '\'', '"', '-', '/']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match rest.as_bytes() {
            [b'?', digit, ..] if digit.is_ascii_digit() => {
                out.push('$');
                rest = &rest[1..];
                let digits = rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len());
                highest = highest.max(rest[..digits].parse().unwrap_or(usize::MAX));
                continue;
            }
            [b'\'', ..] => after(rest, 1, "'"),
            [b'"', ..] => after(rest, 1, "\""),
            [b'-', b'-', ..] => after(rest, 2, "\n"),
            [b'/', b'*', ..] => after(rest, 2, "*/"),
            _ => 1,
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out.push_str(rest);
    (out, highest)
}

/// Where what begins here ends: behind the next `end`, looked for from `from` on.
fn after(text: &str, from: usize, end: &str) -> usize {
    text[from..].find(end).map_or(text.len(), |at| from + at + end.len())
}

/// A statement that is prepared.
pub(super) struct Known {
    /// As it was written.
    pub(super) sql: String,
    pub(super) statement: Statement,
    /// Whether the last job that read and began with it asked more.
    pub(super) followed: AtomicBool,
    /// Whether it changed nothing when that was last unlikely.
    pub(super) in_vain: AtomicBool,
}

/// The statements that a connection has prepared, by their text as it was written.
#[derive(Default)]
pub(super) struct Prepared {
    known: HashMap<String, Arc<Known>>,
    order: VecDeque<String>,
}

impl Prepared {
    pub(super) fn get(&self, sql: &str) -> Option<Arc<Known>> {
        self.known.get(sql).cloned()
    }

    /// Keeps a statement; the oldest gives way to it.
    pub(super) fn keep(&mut self, sql: &str, statement: Statement) -> Arc<Known> {
        if self.order.len() >= KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        let (followed, in_vain) = (AtomicBool::default(), AtomicBool::default());
        let known = Arc::new(Known { sql: sql.to_owned(), statement, followed, in_vain });
        if self.known.insert(sql.to_owned(), known.clone()).is_none() {
            self.order.push_back(sql.to_owned());
        }
        known
    }
}

impl PgConnection {
    pub(super) fn prepare(&self, sql: &str) -> Result<Arc<Known>, Failure> {
        if let Some(known) = self.prepared.borrow().get(sql) {
            return Ok(known);
        }
        let statement = self.link().wait(self.link().client().prepare(&render(sql)))?;
        Ok(self.prepared.borrow_mut().keep(sql, statement))
    }

    /// A statement that is ready to run; a savepoint before it, where that is called for.
    pub(super) fn statement(&self, sql: &str, params: &[Value<'_>]) -> Result<Arc<Known>> {
        self.check()?;
        let known = self.prepare(sql).map_err(|failure| {
            self.failed.set(true);
            self.failure(&failure)
        })?;
        let expected = known.statement.params().len();
        if expected != params.len() {
            return Err(Error::invalid("params", format!("expected {expected}, got {}", params.len())));
        }
        if self.careful.get() {
            self.ahead.borrow_mut().push(Step::Command(SAVE));
        }
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::{render, render_counting};

    #[test]
    fn numbered_places_are_rendered() {
        assert_eq!(render("SELECT ?1, ?2 WHERE a = ?12"), "SELECT $1, $2 WHERE a = $12");
        assert_eq!(render("SELECT 1"), "SELECT 1");
        assert_eq!(render_counting("SELECT ?2, ?10, '?11'").1, 10);
        assert_eq!(render_counting("SELECT 1").1, 0);
    }

    #[test]
    fn quotes_and_comments_are_left_alone() {
        for same in [
            "SELECT '?1', 'it''s ?2'",
            "SELECT \"?1\"",
            "SELECT 1 -- ?1\n",
            "SELECT /* ?1 */ 1",
            "SELECT data ? 'key'",
            "SELECT '?1",
            "-- ?1",
        ] {
            assert_eq!(render(same), same);
        }
        assert_eq!(render("SELECT '?1' || ?1 -- ?\n || ?2"), "SELECT '?1' || $1 -- ?\n || $2");
        assert_eq!(render("SELECT 4 - ?1 / ?2"), "SELECT 4 - $1 / $2");
    }
}
