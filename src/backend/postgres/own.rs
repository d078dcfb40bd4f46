//! A caller's own statement.

use super::connection::{PgConnection, next};
use super::error::{is_about_the_statement, state_of};
use super::link::Failure;
use super::statement::render_counting;
use super::value::{Parameter, PgRow, type_of};
use crate::error::{Error, Result};
use crate::model::{Row, Value};
use std::pin::pin;

impl PgConnection {
    /// Runs a caller's own statement, in a savepoint.
    pub(super) fn ask_own(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each_row: &mut dyn FnMut(usize, &dyn Row) -> Result<()>,
    ) -> Result<Vec<String>> {
        let (text, expected) = render_counting(sql);
        let types: Vec<_> = params.iter().take(expected).map(type_of).collect();
        let about_it = |failure: &Failure| {
            let error = self.failure(failure);
            match is_about_the_statement(failure) {
                true => Error::invalid("sql", error).caused_by(format!("SQLSTATE {:?}", state_of(failure))),
                false => error,
            }
        };
        let statement = self
            .try_request(self.link().client().prepare_typed(&text, &types))
            .map_err(|failure| about_it(&failure))?;
        self.still_holds()?;
        let columns: Vec<String> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
        if columns.is_empty() {
            return Err(Error::invalid("sql", "answers nothing"));
        }
        if expected != params.len() {
            return Err(Error::invalid("params", format!("expected {expected}, got {}", params.len())));
        }
        let mut refused = None;
        self.try_request(async {
            let rows = self.link().client().query_raw(&statement, params.iter().map(Parameter)).await?;
            let mut rows = pin!(rows);
            while let Some(row) = next(rows.as_mut()).await? {
                if let Err(error) = each_row(columns.len(), &PgRow(&row)) {
                    refused = Some(error);
                    break;
                }
            }
            Ok(())
        })
        .map_err(|failure| about_it(&failure))?;
        refused.map_or(Ok(columns), Err)
    }
}
