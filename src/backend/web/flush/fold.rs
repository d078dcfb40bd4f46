//! Folding: in idle time the log goes into base records of one segment each, one per transaction, so that neither the log
//! nor the storage grows without bound.
//!
//! A step adds a marker to the log under the writer's next key, so it is fenced like a flush. The last step of a round
//! deletes what of the log was there when the round began.

use super::{
    Cargo, FOLD_BYTES, FOLD_NOW_BYTES, FOLD_RECORDS, Flight, Flusher, IDLE_MS, State, Written, set_timeout, whole,
};
use crate::backend::web::idb::{self, BASE, Committing, LOG};
use crate::backend::web::load;
use crate::backend::web::pages::{Fault, SEGMENT_PAGES};
use crate::backend::web::record::{FLAG_PACKED, Header, Kind, Place, seal};
use crate::backend::web::segment::pack;
use js_sys::Uint8Array;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// One step of folding: a segment written as a base record.
pub(super) struct Fold {
    pub(super) segment: Option<u32>,
    pub(super) marker: Place,
    pub(super) finishes: Option<FoldEnd>,
}

/// What the last step of folding achieves.
#[derive(Clone)]
pub(super) struct FoldEnd {
    pub(super) tail: Place,
    pub(super) bases: u32,
    /// Epochs whose records are deleted with it.
    pub(super) epochs: usize,
}

/// A round of folding: the segments still to be written, and where the log stood when it began.
pub(super) struct Round {
    pub(super) segments: Vec<u32>,
    /// How many base records there are, those of the steps so far included.
    pub(super) bases: u32,
    pub(super) until: Place,
    pub(super) bytes: usize,
    pub(super) records: usize,
}

impl Flusher {
    pub(super) fn when_idle(&self) {
        let mut state = self.state.borrow_mut();
        let worth = state.round.is_some() || state.log_bytes >= FOLD_BYTES || state.log_records >= FOLD_RECORDS;
        if !worth || state.closed || state.fenced {
            return;
        }
        // Setting a timer anew for every flush would cost as much as some flushes do; it sets itself anew when it was busy.
        if state.idle_timer.is_some() {
            state.busy = true;
            return;
        }
        state.idle_timer =
            self.with_callback(|callbacks| set_timeout(callbacks.idle.as_ref().unchecked_ref(), IDLE_MS));
    }

    /// Goes on with a round that has begun.
    pub(super) fn fold_on(self: &Rc<Self>) {
        let begun = self.state.borrow().round.is_some();
        if begun {
            self.fold();
        }
    }

    /// A log beyond this is folded also while there is work, one segment between two flushes.
    pub(super) fn longest_log(&self) -> usize {
        FOLD_NOW_BYTES.max(self.pages.borrow().size() / 2)
    }

    /// Writes one segment as a base record; with the last of a round, deletes the part of the log that is in the base.
    pub(super) fn fold(self: &Rc<Self>) {
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
        let finishes = round.segments.is_empty().then_some(FoldEnd { tail: round.until, bases: written, epochs });
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
                let number = state.next_flight();
                self.depart(&transaction, number);
                state.flights.push_back(Flight { number, what: Cargo::Fold(fold), waiters: Vec::new() });
            }
            Err(_) => {
                // The connection is lost; the next flush finds that out and opens it again.
                if let (Some(round), Some(segment)) = (&mut state.round, segment) {
                    round.segments.push(segment);
                }
            }
        }
    }

    pub(super) fn issue_fold(&self, state: &State, header: &Header, fold: &Fold) -> Result<Committing, JsValue> {
        let transaction = idb::writing(state.database.as_ref().ok_or(JsValue::NULL)?, false)?;
        whole(&transaction, || {
            let log = transaction.object_store(LOG)?;
            let base = transaction.object_store(BASE)?;
            log.add_with_key(&Uint8Array::from(&*seal(header, &[])), &idb::key(fold.marker))?;
            if let Some(segment) = fold.segment {
                let bytes = self.pages.borrow_mut().flushed_segment(segment).map_err(unreadable)?;
                base.put_with_key(&base_record(header, segment, &bytes), &segment.into())?;
            }
            if let Some(end) = &fold.finishes {
                base.delete(&web_sys::IdbKeyRange::lower_bound(&end.bases.into())?.into())?;
                delete_log(&log, &state.old_epochs[..end.epochs], end.tail)?;
            }
            Ok(())
        })?;
        Ok(transaction)
    }
}

/// A step of folding is kept.
pub(super) fn folded(state: &mut State, fold: &Fold) {
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
pub(super) fn unfold(state: &mut State, fold: &Fold, pages: u32) {
    if let Some(round) = state.round.take() {
        state.unfolded.extend(round.segments);
    }
    state.unfolded.extend(fold.segment);
    if state.flights.is_empty() && state.next == fold.marker.number + 1 {
        state.next = fold.marker.number;
        return;
    }
    // A flush went out behind it with the key after this one: something has to stand here.
    let header = load::empty(Kind::Fold, state.generation, pages, state.tail, state.bases);
    state.frozen.push(Written { place: fold.marker, bytes: Uint8Array::from(&*seal(&header, &[])) });
}

/// Why a segment cannot be written.
pub(super) fn unreadable(fault: Fault) -> JsValue {
    js_sys::Error::new(fault.what()).into()
}

/// A segment as a base record.
pub(super) fn base_record(header: &Header, segment: u32, bytes: &[u8]) -> Uint8Array {
    let header = Header { kind: Kind::Base, flags: FLAG_PACKED, entries: segment, ..*header };
    Uint8Array::from(&*seal(&header, &pack(bytes)))
}

/// Deletes the records before `tail`. The tombstones between the epochs stay: they stop a writer of long ago.
pub(super) fn delete_log(log: &web_sys::IdbObjectStore, old_epochs: &[Place], tail: Place) -> Result<(), JsValue> {
    for last in old_epochs {
        log.delete(&idb::between(Place { epoch: last.epoch, number: 0 }, *last)?.into())?;
    }
    if tail.number > 0 {
        let last = Place { number: tail.number - 1, ..tail };
        log.delete(&idb::between(Place { epoch: tail.epoch, number: 0 }, last)?.into())?;
    }
    Ok(())
}
