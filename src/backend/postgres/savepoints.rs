//! Savepoints: those that the services set, and those around each statement of a careful transaction.

use super::connection::{PgConnection, Step};
use super::mode::Mode;
use crate::error::Result;

pub(super) const SAVE: &str = "SAVEPOINT statement";
const RELEASE: &str = "RELEASE statement";
pub(super) const UNDO: &str = "ROLLBACK TO statement; RELEASE statement";

/// The commands that the seam is used with.
const COMMANDS: [&str; 6] = [
    "SAVEPOINT operation",
    "ROLLBACK TO operation",
    "RELEASE operation",
    "SAVEPOINT step",
    "ROLLBACK TO step",
    "RELEASE step",
];

fn saves(command: &str, name: &str) -> bool {
    command.strip_prefix("SAVEPOINT ") == Some(name)
}

impl PgConnection {
    /// After a statement: lets its savepoint go, or goes back to it.
    pub(super) fn settle<T>(&self, answer: Result<T>) -> Result<T> {
        if self.careful.get() && !self.lost.get() {
            if answer.is_ok() {
                self.ahead.borrow_mut().push(Step::Command(RELEASE));
            } else if self.begun.get() && self.again.get().is_none() {
                self.failed.set(false);
                self.ahead.borrow_mut().push(Step::Command(UNDO));
            }
        }
        answer
    }

    /// SAVEPOINT, RELEASE and ROLLBACK TO as they are listed above; `false` when it is none of them.
    pub(super) fn command(&self, sql: &str) -> Result<bool> {
        let Some(command) = COMMANDS.iter().find(|command| **command == sql) else { return Ok(false) };
        let mut ahead = self.ahead.borrow_mut();
        if let Some(name) = command.strip_prefix("ROLLBACK TO ") {
            if self.again.get().is_some() || self.lost.get() {
                return Ok(true);
            }
            // Nothing was done since.
            if !ahead.last().is_some_and(|last| matches!(last, Step::Command(last) if saves(last, name))) {
                self.failed.set(false);
                self.let_go.set(true);
                if self.upgraded.replace(false) {
                    // That lock may have gone as well.
                    self.mode.set(Mode::Beside);
                }
                ahead.push(Step::Command(command));
            }
            return Ok(true);
        }
        if let Some(name) = command.strip_prefix("RELEASE ") {
            if self.again.get().is_some() || self.lost.get() {
                return Ok(true);
            }
            if ahead.last().is_some_and(|last| matches!(last, Step::Command(last) if saves(last, name))) {
                ahead.pop();
                return Ok(true);
            }
        } else {
            drop(ahead);
            self.check()?;
            ahead = self.ahead.borrow_mut();
        }
        ahead.push(Step::Command(command));
        Ok(true)
    }
}
