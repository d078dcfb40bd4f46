//! The first question of a job that reads. Most such jobs ask one, and a single statement sees one state by itself: so it is
//! asked without a transaction, which spares the server two requests.
//!
//! If the job goes on, its transaction begins with the same question. When the answer is another by then, the job has seen
//! what is not there any more and is run again, in a transaction from its beginning. So it always sees one committed state.

use super::connection::{Again, PgConnection, next, to_be_run_again};
use super::error::from_postgres;
use super::statement::Known;
use super::value::{Parameter, PgRow};
use crate::error::Result;
use crate::model::{self, Value};
use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};
use std::pin::pin;
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

/// How far a job that reads has come.
#[derive(Default)]
pub(super) enum Glance {
    /// It is in a transaction, or is to be in one from its first statement on.
    #[default]
    Over,
    /// It has asked nothing yet.
    Open,
    /// It has asked this outside of a transaction.
    Asked(Box<Asked>),
}

/// A question and what its answer comes to.
pub(super) struct Asked {
    pub(super) known: Arc<Known>,
    pub(super) params: Vec<Value<'static>>,
    pub(super) answer: u64,
}

impl PgConnection {
    /// Asks the first question of a job that reads, before its transaction begins.
    pub(super) fn look(
        &self,
        known: Arc<Known>,
        params: &[Value<'_>],
        each_row: &mut dyn FnMut(&dyn model::Row) -> Result<()>,
    ) -> Result<()> {
        let mut digest = Digest::new(&self.keys);
        let looked = self.outside(|| {
            self.run(&known, params, &mut |row| {
                digest.add(row).map_err(|failure| from_postgres(&failure.into()))?;
                each_row(&PgRow(row))
            })
        });
        if !self.begun.get() {
            let params = params.iter().map(|param| param.clone().into_owned()).collect();
            self.glance.replace(Glance::Asked(Box::new(Asked { known, params, answer: digest.end() })));
        }
        looked.map(|_| ())
    }

    /// Does something before the transaction begins.
    pub(super) fn outside<T>(&self, ask: impl FnOnce() -> T) -> T {
        let ahead = self.ahead.take();
        let answer = ask();
        self.ahead.replace(ahead);
        answer
    }

    /// Asks the first question again, in the transaction.
    pub(super) async fn ask_again(&self, asked: &Asked) -> Result<(), tokio_postgres::Error> {
        let mut digest = Digest::new(&self.keys);
        let rows = self.link().client().query_raw(&asked.known.statement, asked.params.iter().map(Parameter)).await?;
        let mut rows = pin!(rows);
        while let Some(row) = next(rows.as_mut()).await? {
            digest.add(&row)?;
        }
        if digest.end() != asked.answer {
            self.again.set(Some(Again::Changed));
        }
        Ok(())
    }

    /// Whether all is so that the job was told before its transaction began.
    pub(super) fn still_holds(&self) -> Result<()> {
        match self.again.get() {
            Some(Again::Changed | Again::Unlikely) => Err(to_be_run_again()),
            _ => Ok(()),
        }
    }
}

/// What an answer comes to: two that differ in a byte come to another number, except by a chance of 1 in 2^64.
pub(super) struct Digest(DefaultHasher);

impl Digest {
    pub(super) fn new(keys: &RandomState) -> Self {
        Digest(keys.build_hasher())
    }

    pub(super) fn add(&mut self, row: &Row) -> Result<(), tokio_postgres::Error> {
        for at in 0..row.len() {
            row.try_get::<_, Option<Raw<'_>>>(at)?.map(|raw| raw.0).hash(&mut self.0);
        }
        Ok(())
    }

    pub(super) fn end(self) -> u64 {
        self.0.finish()
    }
}

/// A column as the server sent it.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Raw(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
