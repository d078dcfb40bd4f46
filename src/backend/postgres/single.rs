//! A job that inserts one row and does nothing else: one statement that is a transaction by itself, so one request and one
//! answer.
//!
//! The statement takes the lock that writers share along with its own, as `BEGIN` does for others ([`Mode::begin`]). It needs a
//! session that may write outside of a transaction. Sessions may not, since what a job reads is asked outside of one as well,
//! and since what follows a beginning that failed has to do nothing. So a session is allowed to in the packet of such an insert,
//! and stays so for the next one; whatever else is to go out on it goes out after [`PgConnection::keep_from_writing`]. The pool
//! knows the two kinds apart, so that they seldom change. No code of a caller's runs while a session may write.

use super::connection::{Again, Mode, PgConnection, Step, lost_in_commit, next, to_be_run_again};
use super::error::state_of;
use super::link::Failure;
use super::order::{Sending, in_order};
use super::reading::TOO_LATE;
use super::statement::{Known, render};
use super::value::Parameter;
use crate::error::Result;
use crate::model::Value;
use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Before an insert: the lock of [`Mode::Beside`], which nothing is done with.
const BESIDE: &str = "WITH beside AS (DELETE FROM schema_migrations WHERE FALSE)";

/// So many milliseconds an insert by itself waits for others, since its times were looked at before. Who has to wait longer has
/// changed nothing, and begins a transaction.
const SHORTLY: u32 = 50;

/// All that a job has done: a row that it takes to be inserted.
pub(super) struct Single {
    known: Arc<Known>,
    params: Vec<Value<'static>>,
}

impl PgConnection {
    /// What a job has done that has ended, if that is a single insert. Nothing has been sent then.
    pub(super) fn take_single(&self) -> Option<Single> {
        let mut ahead = self.ahead.borrow_mut();
        if self.begun.get() || !matches!(ahead.as_slice(), [Step::Begin, Step::Insert(..)]) {
            return None;
        }
        match ahead.pop() {
            Some(Step::Insert(known, params)) => Some(Single { known, params }),
            _ => None,
        }
    }

    /// Inserts a row and commits it. What fails has left nothing.
    ///
    /// # Errors
    /// `UNAVAILABLE`, and uncertain, when the answer was lost: then nobody knows whether it was committed.
    pub(super) fn insert_single(&self, row: &Single) -> Result<()> {
        self.begin(Mode::Beside, false);
        if !self.link().is_alive() {
            // Before anything is sent, so that it is certain that nothing was done.
            self.lost.set(true);
            self.again.set(Some(Again::Lost));
            return Err(to_be_run_again());
        }
        let known = self.prepare_in_time(row)?;
        let client = self.link().client();
        let allow =
            format!("SET default_transaction_read_only = off; SET lock_timeout = {}", self.lock_timeout.min(SHORTLY));
        let mut first: Vec<Sending<'_>> = Vec::new();
        if !self.may_write.replace(true) {
            // If this fails, the insert is refused.
            first.push(Box::pin(client.batch_execute(&allow)));
        }
        // Known before the commit, which comes with the end of the request.
        let inserted = Cell::new(None);
        let insert = async {
            let rows = client.query_raw(&known.statement, row.params.iter().map(Parameter)).await?;
            let mut rows = pin!(rows);
            let ended = next(rows.as_mut()).await;
            inserted.set(rows.rows_affected());
            ended
        };
        let outcome = self.link().wait(in_order(first, insert));
        let Err(failure) = outcome else {
            if inserted.get() == Some(1) {
                return Ok(());
            }
            row.known.in_vain.store(true, Ordering::Relaxed);
            self.again.set(Some(Again::Unlikely));
            return Err(to_be_run_again());
        };
        let error = self.failure(&failure);
        if !self.lost.get() {
            // It comes out where it belongs.
            self.again.set(Some(Again::Unlikely));
            return Err(error);
        }
        Err(if is_farewell(&failure) && inserted.get().is_none() { error } else { lost_in_commit(error) })
    }

    /// The statement prepared, which takes its locks for a moment, and so waits for whoever is the only writer.
    fn prepare_in_time(&self, row: &Single) -> Result<Arc<Known>> {
        let since = Instant::now();
        let prepared = self.prepare_by_itself(&row.known.sql);
        let late = match &prepared {
            Ok(_) if since.elapsed() <= TOO_LATE => None,
            // Its times were looked at before.
            Ok(_) => Some(Again::Late),
            // It comes out where it belongs.
            Err(_) => Some(Again::Unlikely),
        };
        let prepared = prepared.map_err(|failure| self.failure(&failure));
        match late {
            Some(again) if !self.lost.get() => {
                self.again.set(Some(again));
                Err(to_be_run_again())
            }
            _ => prepared,
        }
    }

    fn prepare_by_itself(&self, sql: &str) -> Result<Arc<Known>, Failure> {
        if let Some(known) = self.by_itself.borrow().get(sql) {
            return Ok(known);
        }
        let text = format!("{BESIDE} {}", render(sql));
        let statement = self.link().wait(self.link().client().prepare(&text))?;
        Ok(self.by_itself.borrow_mut().keep(sql, statement))
    }

    /// Before anything but a single insert goes out: the session may not write outside of a transaction. Waited for, so that
    /// nothing runs if it fails.
    pub(super) fn keep_from_writing(&self) -> Result<(), Failure> {
        if !self.may_write.get() {
            return Ok(());
        }
        let forbid = format!("SET default_transaction_read_only = on; SET lock_timeout = {}", self.lock_timeout);
        let forbidden = self.link().wait(self.link().client().batch_execute(&forbid));
        match &forbidden {
            Ok(()) => self.may_write.set(false),
            Err(_) => {
                // Nobody gets it any more.
                self.lost.set(true);
                self.again.set(Some(Again::Lost));
            }
        }
        forbidden
    }
}

/// Whether the server has said that it ends the session, in the place of an answer: it has not done what was asked.
fn is_farewell(failure: &Failure) -> bool {
    state_of(failure).is_some_and(|state| state.code().starts_with("57P"))
}
