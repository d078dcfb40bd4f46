//! An explicit transaction: one connection, and no other writer beside it.

use super::connection::Mode;
use super::pool::{Lent, Pool};
use super::threads::Threads;
use crate::backend::{Durability, Job, Transaction};
use crate::error::{ErrorCode, Result};
use crate::platform::BoxFuture;
use async_lock::RwLockWriteGuardArc;
use std::sync::Arc;

/// Everybody of this process who writes has this to read; an explicit transaction has it to itself.
pub(super) type Gate = RwLockWriteGuardArc<()>;

pub(super) struct Open {
    lent: Lent,
    threads: Threads,
    /// Given back after the connection.
    gate: Gate,
}

impl Open {
    /// Begins; waits for the writers of other processes.
    pub(super) fn begin(pool: &Arc<Pool>, threads: Threads, gate: Gate) -> Result<Self> {
        let lent = pool.borrow()?;
        let begun = lent.begin_now(Mode::Alone, true);
        if begun.is_err() && lent.is_lost() {
            // One that was cut while it was idle. Nothing has happened yet.
            drop(lent);
            pool.start_over();
            let lent = pool.borrow()?;
            lent.begin_now(Mode::Alone, true)?;
            return Ok(Open { lent, threads, gate });
        }
        begun.map(|()| Open { lent, threads, gate })
    }

    fn check(&self) -> Result<()> {
        if self.lent.again().is_some() || self.lent.has_failed() || self.lent.is_lost() {
            return Err(ErrorCode::Closed.error("the transaction was rolled back by a failure in it"));
        }
        Ok(())
    }
}

impl Transaction for Open {
    fn run(&mut self, job: &mut Job<'_>) -> Result<()> {
        self.check()?;
        self.lent.forget_time();
        job(&*self.lent)
    }

    fn commit(self: Box<Self>, _: Option<Durability>) -> BoxFuture<'static, Result<()>> {
        let threads = self.threads.clone();
        Box::pin(threads.run_at_once(move || {
            self.check()?;
            let committed = self.lent.commit();
            let Open { lent, gate, .. } = *self;
            drop(lent);
            drop(gate);
            committed
        }))
    }

    fn rollback(self: Box<Self>) -> Result<()> {
        self.lent.end("ROLLBACK");
        Ok(())
    }
}
