//! A connection as the seam that services see, and the transaction on it.
//!
//! Requests that answer nothing of interest (BEGIN, a lock, a savepoint) are kept back and go out together with the next
//! one that does, so that they cost no round trip of their own.

use super::error::{ends_connection, from_postgres, is_conflict, state_of};
use super::glance::Glance;
use super::link::{Failure, Link};
pub(super) use super::mode::{Again, Mode};
use super::order::{Sending, in_order};
use super::reading::{LastTime, TOO_LATE};
use super::savepoints::{SAVE, UNDO};
use super::statement::{Known, Prepared};
use super::target::Locks;
use super::value::{Parameter, PgRow};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Millis, Row, Value};
use crate::sql::{Connection, Dialect};
use futures_util::Stream;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::hash::RandomState;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Row as ServerRow, RowStream};

/// What is sent before the next request.
pub(super) enum Step {
    /// The beginning of a transaction.
    Begin,
    /// A lock that is waited for.
    Lock(i64),
    /// A command.
    Command(&'static str),
    /// A row that is taken to be inserted.
    Insert(Arc<Known>, Vec<Value<'static>>),
}

pub(super) struct PgConnection {
    link: Link,
    locks: Locks,
    /// How long a lock is waited for, in milliseconds.
    pub(super) lock_timeout: u32,
    pub(super) server_clock: bool,
    pub(super) prepared: RefCell<Prepared>,
    /// The same statements in the form in which each is a transaction by itself.
    pub(super) by_itself: RefCell<Prepared>,
    /// The session may write outside of a transaction; only a single insert goes out on it then.
    pub(super) may_write: Cell<bool>,
    pub(super) mode: Cell<Mode>,
    /// Each statement has a savepoint, so that what fails leaves the rest as it was.
    pub(super) careful: Cell<bool>,
    pub(super) ahead: RefCell<Vec<Step>>,
    /// Whether the server has been told to begin.
    pub(super) begun: Cell<bool>,
    pub(super) glance: RefCell<Glance>,
    pub(super) keys: RandomState,
    /// The statement with which a job that reads has begun, and how many requests it has made.
    first: RefCell<Option<Arc<Known>>>,
    requests: Cell<u32>,
    /// A statement failed, and the server refuses everything until a rollback.
    pub(super) failed: Cell<bool>,
    /// Something was undone, and with it locks were let go.
    pub(super) let_go: Cell<bool>,
    /// A statement failed, whatever came of it.
    stumbled: Cell<bool>,
    pub(super) again: Cell<Option<Again>>,
    pub(super) lost: Cell<bool>,
    pub(super) clock: Cell<Option<Millis>>,
    /// The time was reckoned from an earlier reading, before the transaction began.
    pub(super) guessed: Cell<bool>,
    /// The time must be read and not reckoned.
    pub(super) exact: Cell<bool>,
    pub(super) last_time: LastTime,
    /// It became the only writer after it had begun.
    pub(super) upgraded: Cell<bool>,
    /// Why the time could not be had; told by what comes next.
    pub(super) no_time: RefCell<Option<Error>>,
    events_locked: Cell<bool>,
}

impl PgConnection {
    pub(super) fn new(link: Link, locks: Locks, lock_timeout: u32, clock: Option<LastTime>) -> Self {
        PgConnection {
            link,
            locks,
            lock_timeout,
            server_clock: clock.is_some(),
            prepared: RefCell::default(),
            by_itself: RefCell::default(),
            may_write: Cell::new(false),
            mode: Cell::new(Mode::Read),
            careful: Cell::new(false),
            ahead: RefCell::default(),
            begun: Cell::new(false),
            glance: RefCell::default(),
            keys: RandomState::new(),
            first: RefCell::default(),
            requests: Cell::new(0),
            failed: Cell::new(false),
            let_go: Cell::new(false),
            stumbled: Cell::new(false),
            again: Cell::new(None),
            lost: Cell::new(false),
            clock: Cell::new(None),
            guessed: Cell::new(false),
            exact: Cell::new(false),
            last_time: clock.unwrap_or_default(),
            upgraded: Cell::new(false),
            no_time: RefCell::default(),
            events_locked: Cell::new(false),
        }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn locks(&self) -> Locks {
        self.locks
    }

    /// Begins a transaction; nothing is sent before the first statement.
    pub(super) fn begin(&self, mode: Mode, careful: bool) {
        self.mode.set(mode);
        self.careful.set(careful);
        self.ahead.replace(vec![Step::Begin]);
        self.begun.set(false);
        self.failed.set(false);
        self.let_go.set(false);
        self.stumbled.set(false);
        self.again.set(None);
        self.clock.set(None);
        self.guessed.set(false);
        self.exact.set(false);
        self.upgraded.set(false);
        self.no_time.replace(None);
        self.events_locked.set(false);
        self.glance.replace(Glance::Over);
        self.first.replace(None);
        self.requests.set(0);
    }

    /// The first question may be asked before the transaction begins.
    pub(super) fn glance(&self) {
        self.glance.replace(Glance::Open);
    }

    /// The time has to be read from the server.
    pub(super) fn be_exact(&self) {
        self.exact.set(true);
    }

    /// Begins a transaction, and waits until the server has done so.
    pub(super) fn begin_now(&self, mode: Mode, careful: bool) -> Result<()> {
        self.begin(mode, careful);
        self.send_ahead()
    }

    /// Whether the connection is of no use any more.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.get()
    }

    /// Whether a transaction is open.
    pub(super) fn is_open(&self) -> bool {
        self.begun.get()
    }

    /// Whether a statement failed and nothing undid that.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.get()
    }

    /// Why the job has to be run again, if it has to.
    pub(super) fn again(&self) -> Option<Again> {
        self.again.get()
    }

    /// The next time that is asked for is a new one.
    pub(super) fn forget_time(&self) {
        self.clock.set(None);
    }

    /// Commits, and waits for it.
    ///
    /// # Errors
    /// `UNAVAILABLE`, and uncertain, when the answer was lost: then nobody knows whether it was committed.
    pub(super) fn commit(&self) -> Result<()> {
        if !self.begun.get() {
            if !self.ahead.borrow().iter().any(|step| matches!(step, Step::Insert(..))) {
                return Ok(());
            }
            self.send_ahead()?;
        }
        let mut text = String::new();
        for step in self.ahead.take() {
            if let Step::Command(command) = step {
                text.push_str(command);
                text.push(';');
            }
        }
        if self.stumbled.get() {
            // COMMIT alone would say nothing when there is nothing left to commit; this is refused then.
            text.push_str("SAVEPOINT last;");
        }
        text.push_str("COMMIT");
        let committed = self.link.wait(self.link.client().batch_execute(&text));
        committed.inspect(|()| self.begun.set(false)).map_err(|failure| {
            let error = self.failure(&failure);
            if self.lost.get() { lost_in_commit(error) } else { error }
        })
    }

    /// Sends what was kept back, and waits for it.
    pub(super) fn send_ahead(&self) -> Result<()> {
        self.request(async { Ok(()) })
    }

    /// Ends a transaction that only read, or leaves one; not waited for.
    pub(super) fn end(&self, command: &'static str) {
        self.ahead.borrow_mut().clear();
        if let Some(first) = self.first.take() {
            first.followed.store(self.requests.get() > 1, Ordering::Relaxed);
        }
        if self.begun.replace(false) && !self.lost.get() {
            self.link.send(self.link.client().batch_execute(command));
        }
    }

    /// A failure of a statement, and what follows from it.
    pub(super) fn failure(&self, failure: &Failure) -> Error {
        self.stumbled.set(true);
        if ends_connection(failure) {
            self.lost.set(true);
            self.again.set(Some(Again::Lost));
        } else if is_conflict(failure) {
            self.again.set(Some(Again::Conflict));
        } else if self.mode.get() == Mode::Beside && state_of(failure) == Some(&SqlState::UNIQUE_VIOLATION) {
            // Another was quicker. Alone, the rule that forbids it finds the other and says so.
            self.again.set(Some(Again::Alone));
        }
        from_postgres(failure)
    }

    /// Refuses to go on where the job is to be run again, or the server would refuse.
    pub(super) fn check(&self) -> Result<()> {
        if self.lost.get() {
            return Err(ErrorCode::Unavailable.error("the connection to the server was lost"));
        }
        if self.again.get().is_some() {
            return Err(to_be_run_again());
        }
        if let Some(error) = self.no_time.take() {
            return Err(error);
        }
        if self.failed.get() {
            // An error was caught, and the transaction is to go on: that takes savepoints.
            self.again.set(Some(Again::Alone));
            return Err(to_be_run_again());
        }
        if self.let_go.replace(false) && self.mode.get() == Mode::Beside {
            // An error was caught: from here on nothing may depend on the locks that went with what was undone.
            self.keep_others_out()?;
            self.careful.set(true);
        }
        Ok(())
    }

    /// Becomes the only writer in the middle of a transaction, if nobody else writes just now. To wait here for those who
    /// wait for us would be for ever.
    fn keep_others_out(&self) -> Result<()> {
        let sql = "LOCK TABLE schema_migrations IN EXCLUSIVE MODE NOWAIT";
        self.try_request(self.link.client().batch_execute(sql)).map_err(|failure| {
            self.failed.set(true);
            let error = self.failure(&failure);
            if state_of(&failure) != Some(&SqlState::LOCK_NOT_AVAILABLE) {
                return error;
            }
            self.again.set(Some(Again::Alone));
            to_be_run_again()
        })?;
        self.mode.set(Mode::Alone);
        self.upgraded.set(true);
        Ok(())
    }

    /// Sends what was kept back and then the request, and waits for all of it.
    fn request<T>(&self, request: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T> {
        let answer = self.try_request(request).map_err(|failure| {
            self.failed.set(true);
            self.failure(&failure)
        })?;
        self.still_holds().map(|()| answer)
    }

    pub(super) fn try_request<T>(
        &self,
        request: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        self.keep_from_writing()?;
        self.requests.set(self.requests.get().saturating_add(1));
        let steps = self.ahead.take();
        if steps.is_empty() {
            return self.link.wait(request);
        }
        let client = self.link.client();
        let statements = match steps.iter().map(|step| self.statement_of(step)).collect::<Result<Vec<_>, _>>() {
            Ok(statements) => statements,
            Err(failure) => {
                // What comes next must not run outside of the transaction.
                self.ahead.replace(steps);
                return Err(failure);
            }
        };
        let asked = match self.glance.take() {
            Glance::Asked(asked) => Some(asked),
            Glance::Over | Glance::Open => None,
        };
        let mut first: Vec<Sending<'_>> = Vec::new();
        for (step, statement) in steps.iter().zip(&statements) {
            match step {
                Step::Begin => {
                    first.push(Box::pin(client.batch_execute(self.mode.get().begin())));
                    if let Some(asked) = &asked {
                        first.push(Box::pin(self.ask_again(asked)));
                    }
                }
                Step::Lock(_) => {
                    if let Some(lock) = statement {
                        first.push(Box::pin(async { client.execute(&lock.statement, &[]).await.map(|_| ()) }));
                    }
                }
                Step::Command(command) => first.push(Box::pin(client.batch_execute(command))),
                Step::Insert(known, params) => first.push(Box::pin(self.insert_as_taken(known, params))),
            }
        }
        let begins = steps.iter().any(|step| matches!(step, Step::Begin));
        self.begun.set(true);
        let start = Instant::now();
        let answer = self.link.wait(in_order(first, request));
        if begins && self.guessed.get() && self.mode.get() == Mode::Beside && start.elapsed() > TOO_LATE {
            self.again.set(Some(Again::Late));
        }
        if answer.is_err() && steps.iter().any(|step| matches!(step, Step::Insert(..))) {
            // Whose failure it was comes out when the row is not taken to be there.
            self.again.set(Some(Again::Unlikely));
        }
        answer
    }

    /// The statement that a step takes.
    fn statement_of(&self, step: &Step) -> Result<Option<Arc<Known>>, Failure> {
        match step {
            Step::Lock(number) => self.prepare(&format!("SELECT pg_advisory_xact_lock({number})")).map(Some),
            Step::Begin | Step::Command(_) | Step::Insert(..) => Ok(None),
        }
    }

    pub(super) fn run(
        &self,
        known: &Known,
        params: &[Value<'_>],
        each_row: &mut dyn FnMut(&ServerRow) -> Result<()>,
    ) -> Result<u64> {
        let mut refused = None;
        let answer = self.request(async {
            let rows = self.link.client().query_raw(&known.statement, params.iter().map(Parameter)).await?;
            let mut rows = pin!(rows);
            while let Some(row) = next(rows.as_mut()).await? {
                if let Err(error) = self.still_holds().and_then(|()| each_row(&row)) {
                    refused = Some(error);
                    break;
                }
            }
            Ok(rows.rows_affected().unwrap_or(0))
        });
        match refused {
            Some(error) => Err(error),
            None => answer,
        }
    }
}

/// So many rows are sent before their answers are read; the answers fit into what the system keeps for a socket.
const TOGETHER: usize = 64;

pub(super) fn lost_in_commit(cause: Error) -> Error {
    let message = "the connection was lost during the commit: whether the changes are there is not known";
    ErrorCode::Unavailable.error(message).uncertain().caused_by(cause)
}

pub(super) fn to_be_run_again() -> Error {
    ErrorCode::Timeout.error("the transaction was rolled back because of others, to be run again")
}

/// The next row.
pub(super) async fn next(mut rows: Pin<&mut RowStream>) -> Result<Option<tokio_postgres::Row>, tokio_postgres::Error> {
    poll_fn(|context| rows.as_mut().poll_next(context)).await.transpose()
}

impl Connection for PgConnection {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        if params.is_empty() && self.command(sql)? {
            return Ok(0);
        }
        let known = self.statement(sql, params)?;
        self.settle(self.run(&known, params, &mut |_| Ok(())))
    }

    /// The rows go out together and their answers come back together. Those after one that changes nothing are carried out
    /// as well; whoever is told of it undoes all of them.
    fn execute_each(&self, sql: &str, width: usize, params: &[Value<'_>]) -> Result<usize> {
        let mut changed = 0;
        for rows in params.chunks(width * TOGETHER) {
            let known = self.statement(sql, &rows[..width])?;
            let client = self.link.client();
            let counts = RefCell::new(Vec::with_capacity(TOGETHER));
            let sending = rows.chunks(width).map(|row| -> Sending<'_> {
                Box::pin(async {
                    let count = client.execute_raw(&known.statement, row.iter().map(Parameter)).await?;
                    counts.borrow_mut().push(count);
                    Ok(())
                })
            });
            let sending: Vec<_> = sending.collect();
            let sent = self.request(in_order(sending, async { Ok(()) }));
            self.settle(sent)?;
            let counts = counts.into_inner();
            changed += counts.iter().take_while(|count| **count > 0).count();
            if counts.contains(&0) {
                break;
            }
        }
        Ok(changed)
    }

    fn execute_likely(&self, sql: &str, params: &[Value<'_>]) -> Result<bool> {
        self.insert_likely(sql, params)
    }

    fn query(&self, sql: &str, params: &[Value<'_>], each_row: &mut dyn FnMut(&dyn Row) -> Result<()>) -> Result<()> {
        self.be_alone()?;
        self.query_locked(sql, params, each_row)
    }

    fn query_locked(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each_row: &mut dyn FnMut(&dyn Row) -> Result<()>,
    ) -> Result<()> {
        let known = self.statement(sql, params)?;
        if matches!(*self.glance.borrow(), Glance::Open) {
            self.first.replace(Some(known.clone()));
            if !known.followed.load(Ordering::Relaxed) {
                return self.look(known, params, each_row);
            }
        }
        self.settle(self.run(&known, params, &mut |row| each_row(&PgRow(row)))).map(|_| ())
    }

    fn is_beside_others(&self) -> bool {
        self.mode.get() == Mode::Beside
    }

    fn be_alone(&self) -> Result<()> {
        self.check()?;
        if self.mode.get() != Mode::Beside {
            return Ok(());
        }
        if self.begun.get() {
            return self.keep_others_out();
        }
        self.mode.set(Mode::Alone);
        Ok(())
    }

    fn lock(&self, name: &'static str) -> Result<()> {
        self.check()?;
        if self.mode.get() == Mode::Beside && !self.events_locked.replace(true) {
            debug_assert_eq!(name, "events");
            self.ahead.borrow_mut().push(Step::Lock(self.locks.events));
        }
        Ok(())
    }

    fn now(&self) -> Option<Millis> {
        self.time()
    }

    fn execute_script(&self, sql: &str) -> Result<()> {
        self.check()?;
        self.request(self.link.client().batch_execute(sql))
    }

    fn columns(&self, sql: &str) -> Result<Vec<String>> {
        Connection::ask(self, sql, &[], &mut |_, _| Ok(()))
    }

    fn ask(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each_row: &mut dyn FnMut(usize, &dyn Row) -> Result<()>,
    ) -> Result<Vec<String>> {
        if !crate::sql::is_query(sql) {
            return Err(Error::invalid("sql", "expected one SELECT, WITH, VALUES or EXPLAIN"));
        }
        self.be_alone()?;
        {
            let mut ahead = self.ahead.borrow_mut();
            ahead.push(Step::Command(SAVE));
            // Ends with the savepoint. Nothing that the statement calls can write.
            ahead.push(Step::Command(
                "SET LOCAL transaction_read_only = on; SET LOCAL enable_seqscan = on; SET LOCAL plan_cache_mode = auto",
            ));
        }
        let asked = self.ask_own(sql, params, each_row);
        if self.begun.get() && !self.lost.get() && self.again.get().is_none() {
            self.failed.set(false);
            self.ahead.borrow_mut().push(Step::Command(UNDO));
        }
        asked
    }
}
