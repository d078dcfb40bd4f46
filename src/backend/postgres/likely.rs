//! A row that is inserted first and waited for last.
//!
//! An insert nearly always succeeds. So when it is the first that a job does, it is kept back and the job is told that the row is
//! there. If the job then ends, the insert is all of its transaction ([`single`](super::single)). If it goes on, the insert goes
//! ahead of its next statement. When the row was not inserted after all, nothing has been, and the job is run again with the
//! insert waited for.

use super::connection::{Again, Mode, PgConnection, Step};
use super::statement::Known;
use super::value::Parameter;
use crate::error::Result;
use crate::model::Value;
use crate::sql::Connection as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
}
