//! A single row that is inserted, with its commit in the same packet: one wait for the server instead of two.
//!
//! An insert nearly always succeeds. So when it is the first that a job does, it is kept back and the job is told that the row is
//! there. If the job then ends, all of its transaction goes out at once. If it goes on, the insert goes ahead of its next
//! statement. When the row was not inserted after all, nothing has been, and the job is run again with the insert waited for.

use super::connection::{Again, Mode, PgConnection, Step, lost_in_commit, to_be_run_again};
use super::link::Failure;
use super::order::{Sending, in_order};
use super::statement::Known;
use super::value::Parameter;
use crate::error::Result;
use crate::model::Value;
use crate::sql::Connection as _;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// As the beginning of [`Mode::Beside`], which has waited for nobody when the time is still the one that the job goes by.
const BEGIN_AT_ONCE: &str = "BEGIN READ WRITE; LOCK TABLE schema_migrations IN ROW EXCLUSIVE MODE NOWAIT";

impl PgConnection {
    pub(super) fn insert_likely(&self, sql: &str, params: &[Value<'_>]) -> Result<bool> {
        let first = matches!(self.ahead.borrow().as_slice(), [Step::Begin]);
        let hopeful = first && self.mode.get() == Mode::Beside && !self.careful.get() && !self.exact.get();
        if !hopeful {
            return Ok(self.execute(sql, params)? == 1);
        }
        let known = self.statement(sql, params)?;
        if known.in_vain.load(Ordering::Relaxed) {
            let inserted = self.execute(sql, params)? == 1;
            known.in_vain.store(!inserted, Ordering::Relaxed);
            return Ok(inserted);
        }
        let params = params.iter().map(|param| param.clone().into_owned()).collect();
        self.ahead.borrow_mut().push(Step::Insert(known, params));
        Ok(true)
    }

    /// Inserts a row that the job takes to be inserted.
    pub(super) async fn insert_as_taken(
        &self,
        known: &Arc<Known>,
        params: &[Value<'static>],
    ) -> Result<(), tokio_postgres::Error> {
        let count = self.link().client().execute_raw(&known.statement, params.iter().map(Parameter)).await?;
        if count != 1 {
            known.in_vain.store(true, Ordering::Relaxed);
            self.again.set(Some(Again::Unlikely));
        }
        Ok(())
    }

    /// Sends an insert that was kept back, to learn whether it was rightly taken for granted.
    pub(super) fn send_insert(&self) -> Result<()> {
        let kept_back = self.ahead.borrow().iter().any(|step| matches!(step, Step::Insert(..)));
        if kept_back { self.send_ahead() } else { Ok(()) }
    }

    /// A whole transaction at once. What fails in it leaves nothing: after a beginning that failed nothing can be written, after
    /// an insert that failed the commit rolls back, and with an insert that did nothing there is nothing.
    pub(super) fn insert_and_commit(&self, known: &Arc<Known>, params: &[Value<'static>]) -> Result<()> {
        let client = self.link().client();
        if !self.link().is_alive() {
            // Before anything is sent, so that it is certain that nothing was done.
            self.lost.set(true);
            self.again.set(Some(Again::Lost));
            return Err(to_be_run_again());
        }
        self.begun.set(true);
        let begun = Cell::new(false);
        let first: Vec<Sending<'_>> = vec![
            Box::pin(async {
                client.batch_execute(BEGIN_AT_ONCE).await?;
                begun.set(true);
                Ok(())
            }),
            Box::pin(self.insert_as_taken(known, params)),
        ];
        let Err(failure) = self.link().wait(in_order(first, client.batch_execute("COMMIT"))) else {
            self.begun.set(false);
            return self.still_holds();
        };
        let error = self.failure(&failure);
        if !self.lost.get() {
            // It comes out where it belongs.
            self.again.set(Some(Again::Unlikely));
            return Err(error);
        }
        // A farewell of the server's in the place of the first answer: it has not begun.
        let not_begun = matches!(&failure, Failure::Client(error) if error.as_db_error().is_some()) && !begun.get();
        Err(if not_begun { error } else { lost_in_commit(error) })
    }
}
