//! Running a job in a transaction, and again where that is what it takes.

use super::connection::{Again, Mode};
use super::pool::{Lent, Pool};
use crate::backend::Job;
use crate::error::{Error, ErrorCode, Result};
use std::sync::Arc;
use std::time::Duration;

/// How often a transaction is run again because of others before its caller is told.
const CONFLICTS: u32 = 8;
/// From this one on it keeps the others out.
const ALONE_AFTER: u32 = 2;
/// How often it is run again because a connection was cut.
const LOSSES: u32 = 3;

/// How one run ended.
enum Ended {
    Done(Result<()>),
    Again(Again, Result<()>),
}

/// Runs a job that reads, seeing one committed state throughout.
pub(super) fn read(pool: &Arc<Pool>, job: &mut Job<'_>) -> Result<()> {
    repeat(pool, &mut |lent, careful, whole| {
        lent.begin(Mode::Read, careful);
        if !careful && !whole {
            lent.glance();
        }
        let outcome = job(&**lent);
        if let Some(again) = must_run_again(lent, &outcome) {
            return Ended::Again(again, outcome);
        }
        lent.end("COMMIT");
        Ended::Done(outcome)
    })
}

/// Runs a job in a transaction that writes, and commits it.
pub(super) fn write(pool: &Arc<Pool>, job: &mut Job<'_>) -> Result<()> {
    repeat(pool, &mut |lent, alone, exact| {
        lent.begin(if alone { Mode::Alone } else { Mode::Beside }, alone);
        if exact {
            lent.be_exact();
        }
        let mut outcome = job(&**lent);
        if outcome.is_err() {
            // It may have failed because of what it took for granted.
            outcome = lent.send_insert().and(outcome);
        }
        if let Some(again) = must_run_again(lent, &outcome) {
            return Ended::Again(again, outcome);
        }
        if outcome.is_err() {
            return Ended::Done(outcome);
        }
        let committed = match lent.take_single() {
            Some(row) => lent.insert_single(&row),
            None => lent.commit(),
        };
        match (&committed, lent.again()) {
            // Only what was certainly not committed.
            (Err(error), Some(again)) if !error.detail().uncertain => Ended::Again(again, committed),
            _ => Ended::Done(committed),
        }
    })
}

/// A job that ended well although a statement failed has caught an error, for which there was no savepoint.
fn must_run_again(lent: &Lent, outcome: &Result<()>) -> Option<Again> {
    lent.again().or_else(|| (outcome.is_ok() && lent.has_failed()).then_some(Again::Alone))
}

fn repeat(pool: &Arc<Pool>, run: &mut dyn FnMut(&mut Lent, bool, bool) -> Ended) -> Result<()> {
    let (mut alone, mut exact, mut conflicts, mut losses) = (false, false, 0, 0);
    loop {
        let mut lent = pool.borrow()?;
        let (again, outcome) = match run(&mut lent, alone, exact) {
            Ended::Done(outcome) => return outcome,
            Ended::Again(again, outcome) => (again, outcome),
        };
        drop(lent);
        match again {
            Again::Alone if alone => return outcome.and(Err(Error::internal("a transaction cannot be carried out"))),
            Again::Alone => alone = true,
            Again::Late | Again::Changed | Again::Unlikely => exact = true,
            Again::Conflict if conflicts == CONFLICTS => {
                let message = "others kept getting in the way of the transaction; it was rolled back";
                return Err(ErrorCode::Timeout.error(message));
            }
            Again::Conflict => {
                conflicts += 1;
                alone |= conflicts > ALONE_AFTER;
                std::thread::sleep(pause(conflicts));
            }
            Again::Lost => {
                pool.start_over();
                if losses == LOSSES {
                    return outcome;
                }
                losses += 1;
            }
        }
    }
}

/// A while that grows, and is another for each who waits.
fn pause(round: u32) -> Duration {
    let random = uuid::Uuid::new_v4().as_u128() % (500 << round.min(8));
    Duration::from_micros(u64::try_from(random).unwrap_or(0))
}
