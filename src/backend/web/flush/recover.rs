//! What becomes of a flush that failed: whether it arrived after all, a second attempt, or the bad news.

use super::fold::{folded, unfold};
use super::{Cargo, Flusher, Waiter, fenced, set_timeout, tell};
use crate::backend::web::idb::{self, Database, LOG, Missing};
use crate::backend::web::record::{Header, Kind, Place};
use crate::error::{Error, ErrorCode, Result};
use futures_channel::oneshot;
use js_sys::{Function, Uint8Array};
use std::rc::Rc;
use std::task::Poll;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::IdbTransaction;

/// How long after a failure in the background the next attempt is made, in milliseconds.
const RETRY_MS: i32 = 5_000;

fn disconnected() -> Error {
    ErrorCode::PersistenceLost.error("the connection to IndexedDB is lost")
}

impl Flusher {
    /// A flush has failed. Finds out what that means, tries once more where that may help, and tells the waiters.
    pub(super) fn recover(self: &Rc<Self>, error: &JsValue, waiters: Vec<Waiter>) {
        let mut state = self.state.borrow_mut();
        if state.recovering {
            // Another flush failed with it, and they are tried again together.
            state.waiters.extend(waiters);
            return;
        }
        let name = idb::exception_name(error);
        // A key that is taken is looked at each time: what is under it decides.
        let taken = name == "ConstraintError";
        if name == "QuotaExceededError" || (state.retrying && !taken) {
            drop(state);
            self.failed(&self.meaning_of(error), waiters);
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

    /// The browser has closed the connection. A transaction that was told to commit before may never say how it ended, so
    /// what is under way counts as failed; what is under its keys tells the rest.
    pub(super) fn on_lost(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        if let Some(database) = state.database.take() {
            database.close();
        }
        state.losses.clear();
        let flights = std::mem::take(&mut state.flights);
        let under_way = !flights.is_empty();
        let mut waiters = Vec::new();
        for flight in flights {
            match flight.what {
                Cargo::Flush { records, segments } => {
                    state.frozen.extend(records);
                    state.frozen_segments.extend(segments);
                }
                Cargo::Fold(fold) => state.doubtful = Some(fold),
            }
            waiters.extend(flight.waiters);
        }
        drop(state);
        if under_way {
            self.recover(&JsValue::NULL, waiters);
        }
    }

    /// How a transaction ended; a lost connection is an error.
    pub(super) async fn completion(&self, transaction: &IdbTransaction) -> Result<(), JsValue> {
        let (held, lost) = oneshot::channel::<()>();
        self.state.borrow_mut().losses.push(held);
        let mut completed = std::pin::pin!(idb::completion(transaction));
        let mut lost = std::pin::pin!(lost);
        std::future::poll_fn(|context| match completed.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            // The other end is dropped when the connection is lost.
            Poll::Pending => lost.as_mut().poll(context).map(|_| Err(JsValue::NULL)),
        })
        .await
    }

    /// Reopens a lost connection. What is frozen and arrived after all need not be written again.
    pub(super) async fn prepare_retry(self: &Rc<Self>, taken: bool) -> Result<()> {
        if !taken || self.state.borrow().database.is_none() {
            self.reopen().await?;
        }
        self.drop_arrived().await?;
        self.settle_doubt().await
    }

    /// Finds out whether a step of folding arrived, of which we heard only that it did not.
    async fn settle_doubt(self: &Rc<Self>) -> Result<()> {
        loop {
            let Some(marker) = self.state.borrow().doubtful.as_ref().map(|fold| fold.marker) else { return Ok(()) };
            let found = self.kind_at(marker).await?;
            let mut state = self.state.borrow_mut();
            let Some(fold) = state.doubtful.take() else { return Ok(()) };
            match found {
                None => unfold(&mut state, &fold, self.pages.borrow().flushed_pages()),
                // All of an epoch but its tombstone is its own writer's.
                Some(Kind::Fold) => folded(&mut state, &fold),
                Some(_) => {
                    state.fenced = true;
                    return Err(fenced());
                }
            }
        }
    }

    /// What kind of record is kept at a place, if any.
    pub(super) async fn kind_at(&self, place: Place) -> Result<Option<Kind>> {
        let unreadable =
            |error: JsValue| idb::failure(ErrorCode::PersistenceLost, "IndexedDB could not be read", &error);
        let database = self.state.borrow().database.clone();
        let log = idb::reading(database.as_ref().ok_or_else(disconnected)?, LOG).map_err(unreadable)?;
        let request = log.get(&idb::key(place)).map_err(unreadable)?;
        let found = idb::answer(&request).await.map_err(unreadable)?;
        let header = found.dyn_ref::<Uint8Array>().map(|bytes| Header::read(&bytes.to_vec()));
        Ok(header.map(|header| header.map_or(Kind::Tombstone, |(header, _)| header.kind)))
    }

    pub(super) async fn reopen(self: &Rc<Self>) -> Result<()> {
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
    pub(super) async fn drop_arrived(self: &Rc<Self>) -> Result<()> {
        let (database, frozen) = {
            let state = self.state.borrow();
            let frozen: Vec<_> = state.frozen.iter().map(|record| (record.place, record.bytes.to_vec())).collect();
            (state.database.clone(), frozen)
        };
        let unreadable =
            |error: JsValue| idb::failure(ErrorCode::PersistenceLost, "IndexedDB could not be read", &error);
        for (place, ours) in &frozen {
            let log = idb::reading(database.as_ref().ok_or_else(disconnected)?, LOG).map_err(unreadable)?;
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
        Ok(())
    }

    /// A frozen record is kept already.
    pub(super) fn arrived(&self, place: Place) {
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
    pub(super) fn failed(self: &Rc<Self>, error: &Error, mut waiters: Vec<Waiter>) {
        let mut state = self.state.borrow_mut();
        state.retrying = false;
        state.last_error = Some(error.to_string());
        waiters.append(&mut state.waiters);
        drop(state);
        if waiters.is_empty() {
            if let Some(handler) = &self.settings.on_error {
                handler(error);
            }
            self.try_again_later();
            return;
        }
        tell(waiters, &Err(error.copy().committed()));
    }

    /// Nobody waits for what failed in the background, so nobody will ask again.
    fn try_again_later(&self) {
        let mut state = self.state.borrow_mut();
        if state.relaxed_timer.is_none() && !state.fenced && !state.closed {
            state.relaxed_timer =
                self.with_callback(|callbacks| set_timeout(callbacks.interval.as_ref().unchecked_ref(), RETRY_MS));
        }
    }

    /// What a failed transaction means.
    pub(super) fn meaning_of(&self, error: &JsValue) -> Error {
        match idb::exception_name(error).as_str() {
            "QuotaExceededError" => idb::failure(ErrorCode::Quota, "there is no space left to keep the change", error),
            "ConstraintError" => {
                self.state.borrow_mut().fenced = true;
                fenced()
            }
            _ => idb::failure(ErrorCode::PersistenceLost, "IndexedDB did not keep the change", error),
        }
    }

    pub(super) fn attach(self: &Rc<Self>, database: Database) {
        self.with_callback(|callbacks| {
            database.set_onclose(Some(callbacks.lost.as_ref().unchecked_ref()));
            // Somebody wants to delete the database: do not stand in the way.
            database.set_onversionchange(Some(callbacks.unwanted.as_ref().unchecked_ref()));
        });
        // Closes the connection also when wasm cannot, so that nobody waits for it.
        let close = js_sys::Reflect::get(&database, &"close".into()).unwrap_or_default();
        if let Some(close) = close.dyn_ref::<Function>() {
            let _ = self.settings.life.add_event_listener_with_callback("abort", &close.bind0(&database));
        }
        self.state.borrow_mut().database = Some(database);
    }
}
