//! The flush: what is committed in memory becomes one log record in IndexedDB.
//!
//! A flush encodes the dirty pages and issues, in one synchronous go, the transaction, the `add` and the explicit
//! `commit`. So it can be made from a handler of a page that goes away. It has succeeded when IndexedDB says `complete`.
//!
//! Commits of one turn of the event loop share a flush; while one is under way, the next collects the rest. A record
//! that could not be written is kept as it is and goes first the next time: its key is known, so whether it arrived
//! after all can be told.

use super::idb::{self, BASE, Committing, Database, LOG, Missing};
use super::load::Loaded;
use super::pages::SEGMENT_PAGES;
use super::record::{Entries, FLAG_OPTIMISTIC, Header, Kind, Place, seal};
use super::vfs::SharedPages;
use crate::backend::{Durability, FlushErrorHandler, FlushState};
use crate::error::{Error, ErrorCode, Result};
use crate::model::Millis;
use crate::platform::Clock;
use futures_channel::oneshot;
use js_sys::{Function, Object, Uint8Array};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
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

type Waiter = oneshot::Sender<Result<()>>;

/// A record on its way, with its key.
struct Written {
    place: Place,
    bytes: Uint8Array,
}

/// A transaction that IndexedDB is working on.
struct Flight {
    transaction: Committing,
    what: Cargo,
    waiters: Vec<Waiter>,
}

enum Cargo {
    Flush { records: Vec<Written>, segments: BTreeSet<u32> },
    Fold(Fold),
}

/// One step of folding: a segment written as a base record.
struct Fold {
    segment: Option<u32>,
    marker: Place,
    finishes: Option<FoldEnd>,
}

/// What the last step of folding achieves.
#[derive(Clone)]
struct FoldEnd {
    tail: Place,
    bases: u32,
    /// Epochs whose records are deleted with it.
    epochs: usize,
}

/// A round of folding: the segments still to be written, and where the log stood when it began.
struct Round {
    segments: Vec<u32>,
    /// How many base records there are, those of the steps so far included.
    bases: u32,
    until: Place,
    bytes: usize,
    records: usize,
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
    flights: VecDeque<Flight>,
    /// Records that could not be written; they go first.
    frozen: Vec<Written>,
    frozen_segments: BTreeSet<u32>,
    waiters: Vec<Waiter>,
    strict: bool,
    scheduled: bool,
    recovering: bool,
    /// What is under way is the second attempt.
    retrying: bool,
    relaxed_timer: Option<JsValue>,
    idle_timer: Option<JsValue>,
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

/// The functions that IndexedDB and timers call, made once.
struct Callbacks {
    complete: Closure<dyn FnMut(web_sys::Event)>,
    abort: Closure<dyn FnMut(web_sys::Event)>,
    microtask: Closure<dyn FnMut()>,
    interval: Closure<dyn FnMut()>,
    idle: Closure<dyn FnMut()>,
    leaving: Closure<dyn FnMut(JsValue)>,
    lost: Closure<dyn FnMut()>,
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
                flights: VecDeque::new(),
                frozen: Vec::new(),
                frozen_segments: BTreeSet::new(),
                waiters: Vec::new(),
                strict: false,
                scheduled: false,
                recovering: false,
                retrying: false,
                relaxed_timer: None,
                idle_timer: None,
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

    /// After a commit: what its caller has to wait for to have it as durable as asked; `None` for nothing.
    pub(super) fn committed(self: &Rc<Self>, durability: Option<Durability>) -> Option<oneshot::Receiver<Result<()>>> {
        if !self.is_pending() {
            return None;
        }
        self.note_pending();
        let durability = durability.unwrap_or(self.settings.durability);
        if durability == Durability::Relaxed {
            self.flush_within_interval();
            return None;
        }
        Some(self.request(durability == Durability::Strict))
    }

    /// Asks for a flush of all that is committed now; it starts at the end of this turn.
    pub(super) fn request(self: &Rc<Self>, strict: bool) -> oneshot::Receiver<Result<()>> {
        let (waiter, outcome) = oneshot::channel();
        let mut state = self.state.borrow_mut();
        state.waiters.push(waiter);
        state.strict |= strict || self.settings.durability == Durability::Strict;
        if !state.scheduled {
            state.scheduled = true;
            drop(state);
            self.with_callback(|callbacks| queue_microtask(callbacks.microtask.as_ref().unchecked_ref()));
        }
        outcome
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
                flight.waiters.push(waiter);
            }
            let _ = over.await;
        }
    }

    /// Replaces all that is kept by these pages, in one transaction, fenced like a flush. The caller holds the writer's
    /// lock and has flushed before.
    pub(super) async fn replace(self: &Rc<Self>, pages: &SharedPages) -> Result<()> {
        self.settle().await;
        self.check()?;
        let lost = self.state.borrow().database.as_ref().is_none_or(|database| idb::reading(database, LOG).is_err());
        if lost {
            self.reopen().await?;
        }
        let (database, header, marker, old_epochs) = {
            let mut state = self.state.borrow_mut();
            let marker = Place { epoch: state.epoch, number: state.next };
            let count = pages.borrow().committed_pages();
            state.generation += 1;
            // Nothing else writes meanwhile.
            state.recovering = true;
            let header = Header {
                kind: Kind::Image,
                flags: 0,
                generation: state.generation,
                pages: count,
                tail: marker,
                part: 0,
                parts: 1,
                bases: count.div_ceil(SEGMENT_PAGES),
                entries: 0,
            };
            (state.database.clone(), header, marker, state.old_epochs.clone())
        };
        let transaction = match &database {
            Some(database) => Self::issue_replacement(database, &header, marker, &old_epochs, pages),
            None => Err(JsValue::NULL),
        };
        let completed = match transaction {
            Ok(transaction) => idb::completion(&transaction).await,
            Err(error) => Err(error),
        };
        let now = self.settings.clock.now();
        let mut state = self.state.borrow_mut();
        state.recovering = false;
        if completed.is_ok() {
            state.next = marker.number + 1;
            state.tail = marker;
            state.bases = header.bases;
            state.round = None;
            state.unfolded.clear();
            state.old_epochs.clear();
            state.log_bytes = 0;
            state.log_records = 0;
            state.last_flush = Some(now);
        }
        drop(state);
        let outcome = completed.map_err(|error| self.meaning_of(&error));
        // Whoever asked for a flush meanwhile is waiting.
        self.start(false);
        outcome
    }

    fn issue_replacement(
        database: &Database,
        header: &Header,
        marker: Place,
        old_epochs: &[Place],
        pages: &SharedPages,
    ) -> Result<Committing, JsValue> {
        let transaction = idb::writing(database, true)?;
        whole(&transaction, || {
            let log = transaction.object_store(LOG)?;
            let base = transaction.object_store(BASE)?;
            log.add_with_key(&Uint8Array::from(&*seal(header, &[])), &idb::key(marker))?;
            base.clear()?;
            for segment in 0..header.bases {
                let bytes = pages.borrow().committed_segment(segment as usize).unwrap_or_default();
                base.put_with_key(&base_record(header, segment, &bytes), &segment.into())?;
            }
            delete_log(&log, old_epochs, marker)
        })?;
        idb::commit_now(&transaction);
        Ok(transaction)
    }

    fn attach(self: &Rc<Self>, database: Database) {
        self.with_callback(|callbacks| {
            database.set_onclose(Some(callbacks.lost.as_ref().unchecked_ref()));
            // Somebody wants to delete the database: do not stand in the way.
            database.set_onversionchange(Some(callbacks.lost.as_ref().unchecked_ref()));
        });
        // Closes the connection also when wasm cannot, so that nobody waits for it.
        let close = js_sys::Reflect::get(&database, &"close".into()).unwrap_or_default();
        if let Some(close) = close.dyn_ref::<Function>() {
            let _ = self.settings.life.add_event_listener_with_callback("abort", &close.bind0(&database));
        }
        self.state.borrow_mut().database = Some(database);
    }

    /// Flushes when the page goes away.
    fn listen(&self, callbacks: &Callbacks) {
        let global = js_sys::global();
        let options = Object::new();
        let _ = js_sys::Reflect::set(&options, &"signal".into(), &self.settings.life);
        let _ = js_sys::Reflect::set(&options, &"capture".into(), &true.into());
        let add = js_sys::Reflect::get(&global, &"addEventListener".into()).unwrap_or_default();
        let Some(add) = add.dyn_ref::<Function>() else { return };
        for event in ["pagehide", "freeze", "visibilitychange"] {
            let _ = add.call3(&global, &event.into(), callbacks.leaving.as_ref(), &options);
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
        match self.issue(state.database.as_ref(), &records, strict) {
            Ok(transaction) => {
                let what = Cargo::Flush { records, segments };
                state.flights.push_back(Flight { transaction, what, waiters });
            }
            Err(error) => {
                state.frozen = records;
                state.frozen_segments = segments;
                drop(state);
                self.recover(error, waiters);
            }
        }
    }

    /// The records to be written: those that could not be written before, then the pages that are dirty now.
    fn encode(&self, state: &mut State) -> (Vec<Written>, BTreeSet<u32>) {
        let mut records = std::mem::take(&mut state.frozen);
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
        let bodies = entries.bodies();
        let parts = bodies.len() as u16;
        let flags = if state.flights.is_empty() { 0 } else { FLAG_OPTIMISTIC };
        for (part, (body, entries)) in (0..).zip(bodies) {
            let header = Header {
                kind: Kind::Data,
                flags,
                generation: state.generation,
                pages: pages.committed_pages(),
                tail: state.tail,
                part,
                parts,
                bases: state.bases,
                entries,
            };
            let place = Place { epoch: state.epoch, number: state.next };
            state.next += 1;
            records.push(Written { place, bytes: Uint8Array::from(&*seal(&header, body)) });
        }
        (records, segments)
    }

    fn issue(&self, database: Option<&Database>, records: &[Written], strict: bool) -> Result<Committing, JsValue> {
        let transaction = idb::logging(database.ok_or(JsValue::NULL)?, strict)?;
        whole(&transaction, || {
            let log = transaction.object_store(LOG)?;
            for record in records {
                log.add_with_key(&record.bytes, &idb::key(record.place))?;
            }
            Ok(())
        })?;
        self.depart(&transaction);
        Ok(transaction)
    }

    /// Listens to a transaction whose requests are all issued, and lets it go.
    fn depart(&self, transaction: &Committing) {
        self.with_callback(|callbacks| {
            transaction.set_oncomplete(Some(callbacks.complete.as_ref().unchecked_ref()));
            transaction.set_onabort(Some(callbacks.abort.as_ref().unchecked_ref()));
        });
        idb::commit_now(transaction);
    }

    fn on_complete(self: &Rc<Self>, event: &web_sys::Event) {
        let now = self.settings.clock.now();
        let mut state = self.state.borrow_mut();
        let Some(flight) = state.ended(event) else { return };
        state.last_error = None;
        let between = matches!(flight.what, Cargo::Flush { .. });
        match flight.what {
            Cargo::Flush { records, segments } => {
                state.retrying = false;
                state.log_bytes += length(&records);
                state.log_records += records.len();
                state.unfolded.extend(segments);
                state.last_flush = Some(now);
                state.pending_since = None;
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
        self.fold_if_due();
        tell(flight.waiters, &Ok(()));
        self.when_idle();
    }

    fn on_abort(self: &Rc<Self>, event: &web_sys::Event) {
        let mut state = self.state.borrow_mut();
        let Some(flight) = state.ended(event) else { return };
        let error = flight.transaction.error().map_or(JsValue::NULL, JsValue::from);
        match flight.what {
            Cargo::Flush { records, segments } => {
                state.frozen.extend(records);
                state.frozen_segments.extend(segments);
            }
            Cargo::Fold(fold) => {
                unfold(&mut state, &fold, self.pages.borrow().flushed_pages());
                drop(state);
                // Folding is tried again after the next flush; its failure loses nothing, unless another has taken over.
                if idb::exception_name(&error) == "ConstraintError" {
                    self.recover(error, flight.waiters);
                } else {
                    tell(flight.waiters, &Ok(()));
                    if !self.state.borrow().waiters.is_empty() {
                        self.start(false);
                    }
                }
                return;
            }
        }
        drop(state);
        self.recover(error, flight.waiters);
    }

    /// A flush has failed. Finds out what that means, tries once more where that may help, and tells the waiters.
    fn recover(self: &Rc<Self>, error: JsValue, waiters: Vec<Waiter>) {
        let mut state = self.state.borrow_mut();
        if state.recovering {
            // Another flush failed with it, and they are tried again together.
            state.waiters.extend(waiters);
            return;
        }
        let name = idb::exception_name(&error);
        // A key that is taken is looked at each time: what is under it decides.
        let taken = name == "ConstraintError";
        if name == "QuotaExceededError" || (state.retrying && !taken) {
            drop(state);
            self.failed(&self.meaning_of(&error), waiters);
            return;
        }
        state.recovering = true;
        drop(state);
        let flusher = self.clone();
        spawn_local(async move {
            let outcome = flusher.prepare_retry(taken).await;
            let mut state = flusher.state.borrow_mut();
            state.recovering = false;
            match outcome {
                Ok(()) => {
                    state.waiters.extend(waiters);
                    // What is under way still says by itself how it ends.
                    state.retrying = state.flights.is_empty();
                    // Some of what failed may have been asked for like this.
                    state.strict = true;
                    drop(state);
                    flusher.start(false);
                }
                Err(error) => {
                    drop(state);
                    flusher.failed(&error, waiters);
                }
            }
        });
    }

    /// Reopens a lost connection. What is frozen and arrived after all need not be written again.
    async fn prepare_retry(self: &Rc<Self>, taken: bool) -> Result<()> {
        if !taken || self.state.borrow().database.is_none() {
            self.reopen().await?;
        }
        self.drop_arrived().await
    }

    async fn reopen(self: &Rc<Self>) -> Result<()> {
        let lost = ErrorCode::PersistenceLost;
        if let Some(database) = self.state.borrow_mut().database.take() {
            database.set_onclose(None);
            database.close();
        }
        match idb::open(&self.settings.name, Missing::Refuse, &[]).await {
            Ok(Some(database)) => {
                self.attach(database);
                Ok(())
            }
            Ok(None) => Err(lost.error("the store was deleted")),
            Err(error) => {
                let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                Err(lost.error("the connection to IndexedDB is lost").caused_by(cause))
            }
        }
    }

    /// Looks under the keys of the frozen records. What is there is either ours, from an attempt that succeeded without
    /// our hearing of it, or another writer's.
    async fn drop_arrived(self: &Rc<Self>) -> Result<()> {
        let (database, frozen) = {
            let state = self.state.borrow();
            let frozen: Vec<_> = state.frozen.iter().map(|record| (record.place, record.bytes.to_vec())).collect();
            (state.database.clone(), frozen)
        };
        let unreadable =
            |error: JsValue| idb::failure(ErrorCode::PersistenceLost, "IndexedDB could not be read", &error);
        for (place, ours) in &frozen {
            let log = idb::reading(database.as_ref().ok_or_else(fenced)?, LOG).map_err(unreadable)?;
            let request = log.get(&idb::key(*place)).map_err(unreadable)?;
            let found = idb::answer(&request).await.map_err(unreadable)?;
            match found.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec) {
                None => {}
                Some(theirs) if theirs == *ours => self.arrived(*place),
                Some(_) => {
                    self.state.borrow_mut().fenced = true;
                    return Err(fenced());
                }
            }
        }
        if frozen.is_empty() {
            // Nothing of ours was refused, and yet a key was taken: a fold met another writer's record.
            let next = {
                let state = self.state.borrow();
                Place { epoch: state.epoch, number: state.next }
            };
            let log = idb::reading(database.as_ref().ok_or_else(fenced)?, LOG).map_err(unreadable)?;
            let request = log.get(&idb::key(next)).map_err(unreadable)?;
            if !idb::answer(&request).await.map_err(unreadable)?.is_undefined() {
                self.state.borrow_mut().fenced = true;
                return Err(fenced());
            }
        }
        Ok(())
    }

    /// A frozen record is kept already.
    fn arrived(&self, place: Place) {
        let now = self.settings.clock.now();
        let mut state = self.state.borrow_mut();
        let Some(at) = state.frozen.iter().position(|record| record.place == place) else { return };
        let record = state.frozen.remove(at);
        state.log_bytes += record.bytes.length() as usize;
        state.log_records += 1;
        // Which segments it changes is known of all that is frozen together.
        let segments = state.frozen_segments.clone();
        state.unfolded.extend(segments);
        state.last_flush = Some(now);
        state.last_error = None;
    }

    /// Tells everybody who waits for this flush, or the handler when nobody does.
    fn failed(self: &Rc<Self>, error: &Error, mut waiters: Vec<Waiter>) {
        let mut state = self.state.borrow_mut();
        state.retrying = false;
        state.last_error = Some(error.to_string());
        waiters.append(&mut state.waiters);
        drop(state);
        if waiters.is_empty() {
            if let Some(handler) = &self.settings.on_error {
                handler(error);
            }
            return;
        }
        tell(waiters, &Err(error.copy().committed()));
    }

    /// What a failed transaction means.
    fn meaning_of(&self, error: &JsValue) -> Error {
        match idb::exception_name(error).as_str() {
            "QuotaExceededError" => idb::failure(ErrorCode::Quota, "there is no space left to keep the change", error),
            "ConstraintError" => {
                self.state.borrow_mut().fenced = true;
                fenced()
            }
            _ => idb::failure(ErrorCode::PersistenceLost, "IndexedDB did not keep the change", error),
        }
    }

    // ---- folding ---------------------------------------------------------------------------------------------------

    fn when_idle(&self) {
        let mut state = self.state.borrow_mut();
        let worth = state.round.is_some() || state.log_bytes >= FOLD_BYTES || state.log_records >= FOLD_RECORDS;
        if !worth || state.closed || state.fenced {
            return;
        }
        if let Some(timer) = state.idle_timer.take() {
            clear_timeout(&timer);
        }
        state.idle_timer =
            self.with_callback(|callbacks| set_timeout(callbacks.idle.as_ref().unchecked_ref(), IDLE_MS));
    }

    /// A log that has grown too long is folded also while there is work, one segment between two flushes.
    fn fold_if_due(self: &Rc<Self>) {
        let due = {
            let state = self.state.borrow();
            state.round.is_some() || state.log_bytes > self.longest_log()
        };
        if due {
            self.fold();
        }
    }

    fn longest_log(&self) -> usize {
        FOLD_NOW_BYTES.max(self.pages.borrow().size() / 2)
    }

    /// Writes one segment as a base record; with the last of a round, deletes the part of the log that is in the base.
    fn fold(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        if state.closed || state.fenced || state.recovering || !state.flights.is_empty() || !state.frozen.is_empty() {
            return;
        }
        let pages = self.pages.borrow().flushed_pages();
        let segment_count = pages.div_ceil(SEGMENT_PAGES);
        if state.round.is_none() {
            let until = Place { epoch: state.epoch, number: state.next };
            let mut unfolded = std::mem::take(&mut state.unfolded);
            // Also those that SQLite grew over without writing to them: the base has no gaps.
            unfolded.extend(state.bases..segment_count);
            // From the back, so that the last element is the next segment.
            let segments = unfolded.into_iter().rev().collect();
            let (bases, bytes, records) = (state.bases, state.log_bytes, state.log_records);
            state.round = Some(Round { segments, bases, until, bytes, records });
        }
        let (marker, epochs, bases) =
            (Place { epoch: state.epoch, number: state.next }, state.old_epochs.len(), state.bases);
        let Some(round) = &mut state.round else { return };
        // A segment that was cut off meanwhile needs no folding.
        while round.segments.last().is_some_and(|segment| *segment >= segment_count) {
            round.segments.pop();
        }
        let segment = round.segments.pop();
        round.bases = segment.map_or(round.bases, |segment| round.bases.max(segment + 1));
        let written = round.bases.min(segment_count);
        let finishes = round.segments.is_empty().then(|| FoldEnd { tail: round.until, bases: written, epochs });
        let tail = finishes.as_ref().map_or(state.tail, |end| end.tail);
        let header = Header {
            kind: Kind::Fold,
            flags: 0,
            generation: state.generation,
            pages,
            tail,
            part: 0,
            parts: 1,
            bases: finishes.as_ref().map_or(bases, |end| end.bases),
            entries: 0,
        };
        let fold = Fold { segment, marker, finishes };
        match self.issue_fold(&state, &header, &fold) {
            Ok(transaction) => {
                state.next += 1;
                state.flights.push_back(Flight { transaction, what: Cargo::Fold(fold), waiters: Vec::new() });
            }
            Err(_) => {
                // The connection is lost; the next flush finds that out and opens it again.
                if let (Some(round), Some(segment)) = (&mut state.round, segment) {
                    round.segments.push(segment);
                }
            }
        }
    }

    fn issue_fold(&self, state: &State, header: &Header, fold: &Fold) -> Result<Committing, JsValue> {
        let transaction = idb::writing(state.database.as_ref().ok_or(JsValue::NULL)?, false)?;
        whole(&transaction, || {
            let log = transaction.object_store(LOG)?;
            let base = transaction.object_store(BASE)?;
            log.add_with_key(&Uint8Array::from(&*seal(header, &[])), &idb::key(fold.marker))?;
            if let Some(segment) = fold.segment {
                let bytes = self.pages.borrow().flushed_segment(segment);
                base.put_with_key(&base_record(header, segment, &bytes), &segment.into())?;
            }
            if let Some(end) = &fold.finishes {
                base.delete(&web_sys::IdbKeyRange::lower_bound(&end.bases.into())?.into())?;
                delete_log(&log, &state.old_epochs[..end.epochs], end.tail)?;
            }
            Ok(())
        })?;
        self.depart(&transaction);
        Ok(transaction)
    }
}

impl State {
    /// Takes out the flight whose transaction has ended.
    fn ended(&mut self, event: &web_sys::Event) -> Option<Flight> {
        let transaction = JsValue::from(event.target()?);
        let at = self.flights.iter().position(|flight| *AsRef::<JsValue>::as_ref(&flight.transaction) == transaction)?;
        self.flights.remove(at)
    }
}

/// Issues requests, all or none: without an abort those before a failed one would be committed.
fn whole(transaction: &Committing, issue: impl FnOnce() -> Result<(), JsValue>) -> Result<(), JsValue> {
    issue().inspect_err(|_| {
        let _ = transaction.abort();
    })
}

/// A step of folding is kept.
fn folded(state: &mut State, fold: &Fold) {
    state.log_records += 1;
    let Some(end) = &fold.finishes else { return };
    state.tail = end.tail;
    state.bases = end.bases;
    state.old_epochs.drain(..end.epochs);
    if let Some(round) = state.round.take() {
        state.log_bytes -= round.bytes.min(state.log_bytes);
        state.log_records -= round.records.min(state.log_records);
    }
}

/// A step of folding was not kept: its key is free again, its segment still to be written.
fn unfold(state: &mut State, fold: &Fold, pages: u32) {
    if let Some(round) = state.round.take() {
        state.unfolded.extend(round.segments);
    }
    state.unfolded.extend(fold.segment);
    if state.flights.is_empty() && state.next == fold.marker.number + 1 {
        state.next = fold.marker.number;
        return;
    }
    // A flush went out behind it with the key after this one: something has to stand here.
    let header = super::load::empty(Kind::Fold, state.generation, pages, state.tail, state.bases);
    state.frozen.push(Written { place: fold.marker, bytes: Uint8Array::from(&*seal(&header, &[])) });
}

/// A segment as a base record.
fn base_record(header: &Header, segment: u32, bytes: &[u8]) -> Uint8Array {
    let header = Header { kind: Kind::Base, entries: segment, ..*header };
    let record = Uint8Array::new_with_length((super::record::HEADER + bytes.len()) as u32);
    record.subarray(0, super::record::HEADER as u32).copy_from(&header.sealed(bytes));
    record.subarray(super::record::HEADER as u32, record.length()).copy_from(bytes);
    record
}

/// Deletes the records before `tail`. The tombstones between the epochs stay: they stop a writer of long ago.
fn delete_log(log: &web_sys::IdbObjectStore, old_epochs: &[Place], tail: Place) -> Result<(), JsValue> {
    for last in old_epochs {
        log.delete(&idb::between(Place { epoch: last.epoch, number: 0 }, *last)?.into())?;
    }
    if tail.number > 0 {
        let last = Place { number: tail.number - 1, ..tail };
        log.delete(&idb::between(Place { epoch: tail.epoch, number: 0 }, last)?.into())?;
    }
    Ok(())
}

fn length(records: &[Written]) -> usize {
    records.iter().map(|record| record.bytes.length() as usize).sum()
}

fn fenced() -> Error {
    ErrorCode::PersistenceLost.error("another writer has taken over this store; nothing more is kept from here")
}

fn tell(waiters: Vec<Waiter>, outcome: &Result<()>) {
    for waiter in waiters {
        // A caller that went away does not want to know.
        let _ = waiter.send(match outcome {
            Ok(()) => Ok(()),
            Err(error) => Err(error.copy()),
        });
    }
}

impl Callbacks {
    fn new(flusher: &Weak<Flusher>) -> Self {
        fn calling(flusher: &Weak<Flusher>, run: impl Fn(&Rc<Flusher>) + 'static) -> Closure<dyn FnMut()> {
            let flusher = flusher.clone();
            Closure::new(move || {
                if let Some(flusher) = flusher.upgrade() {
                    run(&flusher);
                }
            })
        }
        let complete = {
            let flusher = flusher.clone();
            Closure::new(move |event: web_sys::Event| {
                if let Some(flusher) = flusher.upgrade() {
                    flusher.on_complete(&event);
                }
            })
        };
        let abort = {
            let flusher = flusher.clone();
            Closure::new(move |event: web_sys::Event| {
                if let Some(flusher) = flusher.upgrade() {
                    flusher.on_abort(&event);
                }
            })
        };
        let leaving = {
            let flusher = flusher.clone();
            Closure::new(move |_: JsValue| {
                // Also when the page becomes visible again: an early flush does no harm.
                if let Some(flusher) = flusher.upgrade() {
                    flusher.flush_now();
                }
            })
        };
        Callbacks {
            complete,
            abort,
            leaving,
            microtask: calling(flusher, |flusher| {
                flusher.state.borrow_mut().scheduled = false;
                flusher.start(false);
            }),
            interval: calling(flusher, |flusher| {
                flusher.state.borrow_mut().relaxed_timer = None;
                if flusher.state.borrow().flights.is_empty() {
                    flusher.start(false);
                } else {
                    flusher.flush_within_interval();
                }
            }),
            idle: calling(flusher, |flusher| {
                flusher.state.borrow_mut().idle_timer = None;
                flusher.fold();
            }),
            lost: calling(flusher, |flusher| {
                if let Some(database) = flusher.state.borrow_mut().database.take() {
                    database.close();
                }
            }),
        }
    }
}
