//! The flush: what is committed in memory becomes one log record in IndexedDB.
//!
//! A flush encodes the dirty pages and issues, in one synchronous go, the transaction, the `add` and the explicit
//! `commit`. So it can be made from a handler of a page that goes away. It has succeeded when IndexedDB says `complete`.
//!
//! Commits of one turn of the event loop share a flush; while one is under way, the next collects the rest. A record
//! that could not be written is kept as it is and goes first the next time: its key is known, so whether it arrived
//! after all can be told.

mod callbacks;
mod fold;
mod issue;
mod recover;
mod replace;

use self::callbacks::Callbacks;
use self::fold::{Fold, Round, folded, unfold};
use self::issue::{Describe, Kept};
use super::idb::{self, Committing, Database};
use super::load::Loaded;
use super::pages::SEGMENT_PAGES;
use super::record::{Entries, FLAG_OPTIMISTIC, Header, Kind, Place};
use super::vfs::SharedPages;
use crate::backend::{Durability, FlushErrorHandler, FlushState, closed};
use crate::error::{Error, ErrorCode, Result};
use crate::model::Millis;
use crate::platform::{BoxFuture, Clock};
use futures_channel::oneshot;
use js_sys::{Function, Uint8Array};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

/// Idle time after which the log is folded.
const IDLE_MS: i32 = 400;
/// A log below both is not worth folding when idle.
const FOLD_BYTES: usize = 256 * 1024;
const FOLD_RECORDS: usize = 64;
/// A log above this is folded also when there is no idle time.
const FOLD_NOW_BYTES: usize = 16 * 1024 * 1024;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = queueMicrotask)]
    fn queue_microtask(callback: &Function);

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, millis: i32) -> JsValue;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);
}

/// Somebody who waits for a flush.
enum Waiter {
    Future(oneshot::Sender<Result<()>>),
    /// All that wait in JavaScript.
    Kept(Kept, Describe),
}

/// A record on its way, with its key.
struct Written {
    place: Place,
    bytes: Uint8Array,
}

/// A transaction that IndexedDB is working on.
struct Flight {
    number: u32,
    what: Cargo,
    waiters: Vec<Waiter>,
}

enum Cargo {
    Flush { records: Vec<Written>, segments: BTreeSet<u32> },
    Fold(Fold),
}

#[allow(clippy::struct_excessive_bools)] // each is a plain fact of its own
struct State {
    database: Option<Database>,
    epoch: u32,
    next: u32,
    generation: u64,
    tail: Place,
    bases: u32,
    unfolded: BTreeSet<u32>,
    old_epochs: Vec<Place>,
    log_bytes: usize,
    log_records: usize,
    round: Option<Round>,
    last_flight: u32,
    flights: VecDeque<Flight>,
    /// Records that could not be written; they go first.
    frozen: Vec<Written>,
    frozen_segments: BTreeSet<u32>,
    /// A step of folding of which it is not known whether it arrived. Its key is not used again before that is.
    doubtful: Option<Fold>,
    /// Dropped when the connection is lost, which whoever waits for a transaction of its own then sees.
    losses: Vec<oneshot::Sender<()>>,
    waiters: Vec<Waiter>,
    strict: bool,
    scheduled: bool,
    recovering: bool,
    /// What is under way is the second attempt.
    retrying: bool,
    relaxed_timer: Option<JsValue>,
    idle_timer: Option<JsValue>,
    /// Whether something was flushed since the idle timer was set.
    busy: bool,
    fenced: bool,
    closed: bool,
    pending_since: Option<Millis>,
    last_flush: Option<Millis>,
    last_error: Option<String>,
}

/// How a store is kept.
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) durability: Durability,
    pub(super) sync_interval_ms: u32,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) on_error: Option<Arc<FlushErrorHandler>>,
    /// Aborts when the store's life ends, also by means that need no wasm.
    pub(super) life: AbortSignal,
}

/// Keeps the pages of one store in IndexedDB.
pub(super) struct Flusher {
    pages: SharedPages,
    settings: Settings,
    state: RefCell<State>,
    callbacks: RefCell<Option<Callbacks>>,
}

impl Flusher {
    pub(super) fn new(pages: SharedPages, database: Database, loaded: Loaded, settings: Settings) -> Rc<Self> {
        let flusher = Rc::new(Flusher {
            pages,
            settings,
            state: RefCell::new(State {
                database: None,
                epoch: loaded.epoch,
                next: 1,
                generation: loaded.generation,
                tail: loaded.tail,
                bases: loaded.bases,
                unfolded: loaded.unfolded,
                old_epochs: loaded.old_epochs,
                log_bytes: loaded.log_bytes,
                log_records: loaded.log_records,
                round: None,
                last_flight: 0,
                flights: VecDeque::new(),
                frozen: Vec::new(),
                frozen_segments: BTreeSet::new(),
                doubtful: None,
                losses: Vec::new(),
                waiters: Vec::new(),
                strict: false,
                scheduled: false,
                recovering: false,
                retrying: false,
                relaxed_timer: None,
                idle_timer: None,
                busy: false,
                fenced: false,
                closed: false,
                pending_since: None,
                last_flush: None,
                last_error: None,
            }),
            callbacks: RefCell::new(None),
        });
        let callbacks = Callbacks::new(&Rc::downgrade(&flusher));
        flusher.listen(&callbacks);
        *flusher.callbacks.borrow_mut() = Some(callbacks);
        flusher.attach(database);
        flusher.when_idle();
        flusher
    }

    /// Whether this writer was replaced by another; it can keep nothing any more.
    pub(super) fn check(&self) -> Result<()> {
        if self.state.borrow().fenced { Err(fenced()) } else { Ok(()) }
    }

    /// Whether something is committed and not kept.
    pub(super) fn is_pending(&self) -> bool {
        let state = self.state.borrow();
        let flushing = state.flights.iter().any(|flight| matches!(flight.what, Cargo::Flush { .. }));
        flushing || !state.frozen.is_empty() || self.pages.borrow().is_dirty()
    }

    /// After a commit: whether its caller has to wait to have it as durable as asked. The flush is asked for; whoever
    /// waits has to say so before the turn ends.
    pub(super) fn committed(self: &Rc<Self>, durability: Option<Durability>) -> bool {
        if !self.is_pending() {
            return false;
        }
        self.note_pending();
        let durability = durability.unwrap_or(self.settings.durability);
        if durability == Durability::Relaxed {
            self.flush_within_interval();
            return false;
        }
        self.ask(durability == Durability::Strict);
        true
    }

    /// Asks for a flush of all that is committed now; it starts at the end of this turn.
    pub(super) fn request(self: &Rc<Self>, strict: bool) -> oneshot::Receiver<Result<()>> {
        self.ask(strict);
        self.wait()
    }

    /// Resolves when the flush that was asked for in this turn is kept.
    pub(super) fn wait(&self) -> oneshot::Receiver<Result<()>> {
        let (waiter, outcome) = oneshot::channel();
        self.state.borrow_mut().waiters.push(Waiter::Future(waiter));
        outcome
    }

    /// As [`wait`](Self::wait), as a promise that all of the flush share, beside an answer.
    fn beside(&self, answer: JsValue, describe: Describe) -> JsValue {
        let mut state = self.state.borrow_mut();
        for waiter in &state.waiters {
            if let Waiter::Kept(kept, _) = waiter {
                return kept.beside(answer);
            }
        }
        let kept = Kept::new();
        let both = kept.beside(answer);
        state.waiters.push(Waiter::Kept(kept, describe));
        both
    }

    fn ask(&self, strict: bool) {
        let mut state = self.state.borrow_mut();
        state.strict |= strict || self.settings.durability == Durability::Strict;
        if !state.scheduled {
            state.scheduled = true;
            drop(state);
            self.with_callback(|callbacks| queue_microtask(callbacks.microtask.as_ref().unchecked_ref()));
        }
    }

    /// Flushes what is committed, whatever is under way: for a page that may not live to see the next turn.
    pub(super) fn flush_now(self: &Rc<Self>) {
        let pending = !self.state.borrow().frozen.is_empty() || self.pages.borrow().is_dirty();
        if pending {
            self.start(true);
        }
    }

    /// How the keeping goes.
    pub(super) fn report(&self) -> FlushState {
        let state = self.state.borrow();
        let under_way = state.flights.iter().map(|flight| match &flight.what {
            Cargo::Flush { records, .. } => length(records),
            Cargo::Fold(_) => 0,
        });
        let pages = self.pages.borrow();
        let pending = under_way.sum::<usize>() + length(&state.frozen) + pages.dirty_bytes();
        FlushState {
            size_bytes: pages.size() as u64,
            pending_bytes: pending as u64,
            pending_since: state.pending_since.filter(|_| pending > 0),
            last_flush: state.last_flush,
            last_error: state.last_error.clone(),
            loss_window_ms: Some(match self.settings.durability {
                Durability::Relaxed => i64::from(self.settings.sync_interval_ms),
                Durability::Durable | Durability::Strict => 0,
            }),
        }
    }

    /// Lets go of IndexedDB. Nothing is flushed any more.
    pub(super) fn close(&self) {
        let mut state = self.state.borrow_mut();
        state.closed = true;
        for timer in [state.relaxed_timer.take(), state.idle_timer.take()].into_iter().flatten() {
            clear_timeout(&timer);
        }
        if let Some(database) = state.database.take() {
            database.set_onclose(None);
            database.close();
        }
    }

    /// Waits until nothing is under way.
    pub(super) async fn settle(self: &Rc<Self>) {
        while !self.state.borrow().flights.is_empty() {
            let (waiter, over) = oneshot::channel();
            if let Some(flight) = self.state.borrow_mut().flights.back_mut() {
                flight.waiters.push(Waiter::Future(waiter));
            }
            let _ = over.await;
        }
    }

    fn with_callback<T>(&self, run: impl FnOnce(&Callbacks) -> T) -> Option<T> {
        self.callbacks.borrow().as_ref().map(run)
    }

    fn note_pending(&self) {
        if self.state.borrow().pending_since.is_none() {
            let now = self.settings.clock.now();
            self.state.borrow_mut().pending_since = Some(now);
        }
    }

    fn flush_within_interval(&self) {
        if self.state.borrow().relaxed_timer.is_none() {
            let millis = i32::try_from(self.settings.sync_interval_ms).unwrap_or(i32::MAX);
            let timer =
                self.with_callback(|callbacks| set_timeout(callbacks.interval.as_ref().unchecked_ref(), millis));
            self.state.borrow_mut().relaxed_timer = timer;
        }
    }

    /// Issues a flush, if there is something to flush and none is under way (or this one cannot wait).
    fn start(self: &Rc<Self>, urgent: bool) {
        let mut state = self.state.borrow_mut();
        if state.closed || state.recovering && !urgent || !state.flights.is_empty() && !urgent {
            return;
        }
        if state.fenced {
            let waiters = std::mem::take(&mut state.waiters);
            drop(state);
            tell(waiters, &Err(fenced().committed()));
            return;
        }
        if state.doubtful.is_some() && !urgent {
            let waiters = std::mem::take(&mut state.waiters);
            drop(state);
            self.recover(&JsValue::NULL, waiters);
            return;
        }
        let (records, segments) = self.encode(&mut state);
        if records.is_empty() {
            let waiters = std::mem::take(&mut state.waiters);
            state.strict = false;
            state.retrying = false;
            // What was asked for now is kept when the flush under way is.
            if let Some(flight) = state.flights.back_mut() {
                flight.waiters.extend(waiters);
                return;
            }
            state.pending_since = None;
            drop(state);
            tell(waiters, &Ok(()));
            return;
        }
        if let Some(timer) = state.relaxed_timer.take() {
            clear_timeout(&timer);
        }
        let strict = std::mem::take(&mut state.strict) || self.settings.durability == Durability::Strict;
        let waiters = std::mem::take(&mut state.waiters);
        match self.issue(&mut state, &records, strict) {
            Ok(number) => {
                let what = Cargo::Flush { records, segments };
                state.flights.push_back(Flight { number, what, waiters });
            }
            Err(error) => {
                state.frozen = records;
                state.frozen_segments = segments;
                drop(state);
                self.recover(&error, waiters);
            }
        }
    }

    /// The records to be written: those that could not be written before, then the pages that are dirty now.
    fn encode(&self, state: &mut State) -> (Vec<Written>, BTreeSet<u32>) {
        let mut records: Vec<Written> = Vec::with_capacity(state.frozen.len());
        for record in std::mem::take(&mut state.frozen) {
            // Mostly the last one: what failed comes back flush by flush.
            records.insert(records.partition_point(|before| before.place <= record.place), record);
        }
        let mut segments = std::mem::take(&mut state.frozen_segments);
        let mut pages = self.pages.borrow_mut();
        if !pages.is_dirty() {
            return (records, segments);
        }
        let (before, after) = (pages.flushed_pages(), pages.committed_pages());
        if after < before {
            // Base records must not keep what was cut off: it would show through when the file grows again.
            segments.extend(after / SEGMENT_PAGES..before.div_ceil(SEGMENT_PAGES));
        }
        let mut entries = Entries::default();
        pages.take_dirty(|page, after, before| {
            segments.insert(page / SEGMENT_PAGES);
            entries.push(page, after, before);
        });
        state.generation += 1;
        let parts = entries.parts();
        let count = parts.len() as u16;
        let certain = state.flights.is_empty() && state.doubtful.is_none();
        let flags = if certain { 0 } else { FLAG_OPTIMISTIC };
        for (number, part) in (0..).zip(parts) {
            let header = Header {
                kind: Kind::Data,
                flags,
                generation: state.generation,
                pages: pages.committed_pages(),
                tail: state.tail,
                part: number,
                parts: count,
                bases: state.bases,
                entries: part.entries,
            };
            let place = Place { epoch: state.epoch, number: state.next };
            state.next += 1;
            records.push(Written { place, bytes: Uint8Array::from(&*part.sealed(&header)) });
        }
        (records, segments)
    }

    fn on_complete(self: &Rc<Self>, number: u32) {
        let now = self.settings.clock.now();
        let mut state = self.state.borrow_mut();
        let Some(flight) = state.landed(number) else { return };
        state.last_error = None;
        let between = matches!(flight.what, Cargo::Flush { .. });
        match flight.what {
            Cargo::Flush { records, segments } => {
                state.retrying = false;
                state.log_bytes += length(&records);
                state.log_records += records.len();
                state.unfolded.extend(segments);
                state.last_flush = Some(now);
                state.pending_since = self.pages.borrow().is_dirty().then_some(now);
            }
            Cargo::Fold(fold) => folded(&mut state, &fold),
        }
        // An earlier record is missing still: nobody is told before that is there.
        if !state.frozen.is_empty() {
            state.waiters.extend(flight.waiters);
            drop(state);
            self.start(false);
            return;
        }
        let more = !state.waiters.is_empty();
        let overdue = between && state.log_bytes > self.longest_log();
        drop(state);
        if overdue {
            // Before the next flush: with many writers there is always one that waits.
            self.fold();
        }
        if more {
            self.start(false);
        }
        if !between && !more {
            // Nobody has written meanwhile: on with the round. Otherwise it waits for the next idle time.
            self.fold_on();
        }
        tell(flight.waiters, &Ok(()));
        self.when_idle();
    }

    fn on_abort(self: &Rc<Self>, number: u32, error: &JsValue) {
        let mut state = self.state.borrow_mut();
        let Some(flight) = state.landed(number) else { return };
        match flight.what {
            Cargo::Flush { records, segments } => {
                state.frozen.extend(records);
                state.frozen_segments.extend(segments);
            }
            // Folding is tried again after the next flush; its failure loses nothing. But unless the reason is a full disk,
            // it may have arrived all the same.
            Cargo::Fold(fold) if idb::exception_name(error) == "QuotaExceededError" => {
                unfold(&mut state, &fold, self.pages.borrow().flushed_pages());
                drop(state);
                tell(flight.waiters, &Ok(()));
                self.start(false);
                return;
            }
            Cargo::Fold(fold) => state.doubtful = Some(fold),
        }
        drop(state);
        self.recover(error, flight.waiters);
    }
}

impl Drop for Flusher {
    /// Whoever waits in JavaScript would wait for ever.
    fn drop(&mut self) {
        let state = self.state.get_mut();
        let mut waiters = std::mem::take(&mut state.waiters);
        waiters.extend(state.flights.drain(..).flat_map(|flight| flight.waiters));
        tell(waiters, &Err(closed().committed()));
    }
}

impl State {
    /// The number of the next transaction.
    fn next_flight(&mut self) -> u32 {
        self.last_flight = self.last_flight.wrapping_add(1);
        self.last_flight
    }

    /// Takes out the flight whose transaction has ended.
    fn landed(&mut self, number: u32) -> Option<Flight> {
        let at = self.flights.iter().position(|flight| flight.number == number)?;
        self.flights.remove(at)
    }
}

/// Issues requests, all or none: without an abort those before a failed one would be committed.
fn whole(transaction: &Committing, issue: impl FnOnce() -> Result<(), JsValue>) -> Result<(), JsValue> {
    issue().inspect_err(|_| {
        let _ = transaction.abort();
    })
}

fn length(records: &[Written]) -> usize {
    records.iter().map(|record| record.bytes.length() as usize).sum()
}

fn fenced() -> Error {
    ErrorCode::PersistenceLost.error("another writer has taken over this store; nothing more is kept from here")
}

fn tell(waiters: Vec<Waiter>, outcome: &Result<()>) {
    for waiter in waiters {
        match (waiter, outcome) {
            (Waiter::Kept(kept, _), Ok(())) => kept.done(),
            (Waiter::Kept(kept, describe), Err(error)) => kept.failed(&describe(error)),
            // A caller that went away does not want to know.
            (Waiter::Future(waiter), Ok(())) => drop(waiter.send(Ok(()))),
            (Waiter::Future(waiter), Err(error)) => drop(waiter.send(Err(error.copy()))),
        }
    }
}

/// What a caller waits for after its commit. Has to be turned into either before the turn ends.
pub struct Keeping(Rc<Flusher>);

impl Keeping {
    pub(super) fn new(flusher: &Rc<Flusher>) -> Self {
        Keeping(flusher.clone())
    }

    /// `[answer, promise]`. The promise is shared with whoever waits for the same flush, and rejected with what
    /// `describe` makes of the error.
    pub(crate) fn beside(self, answer: JsValue, describe: fn(&Error) -> JsValue) -> JsValue {
        self.0.beside(answer, describe)
    }
}

impl IntoFuture for Keeping {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        let waiting = self.0.wait();
        Box::pin(async move { waiting.await.unwrap_or_else(|_| Err(closed().committed())) })
    }
}
