//! The whole database replaced by another, in one transaction.

use super::{Flusher, whole};
use crate::backend::web::flush::fold::{base_record, delete_log, unreadable};
use crate::backend::web::idb::{self, BASE, Committing, Database, LOG};
use crate::backend::web::pages::SEGMENT_PAGES;
use crate::backend::web::record::{Header, Kind, Place, seal};
use crate::backend::web::vfs::SharedPages;
use crate::error::Result;
use js_sys::Uint8Array;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

impl Flusher {
    /// Replaces all that is kept by these pages, in one transaction, fenced like a flush. The caller holds the writer's
    /// lock and has flushed before.
    pub(in crate::backend::web) async fn replace(self: &Rc<Self>, pages: &SharedPages) -> Result<()> {
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
            Ok(transaction) => self.completion(&transaction).await,
            Err(error) => Err(error),
        };
        let completed = match completed {
            Err(error) if self.is_replaced_all_the_same(&error, marker).await => Ok(()),
            completed => completed,
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

    /// Whether a replacement that was reported as failed arrived: the connection may have been lost just after.
    async fn is_replaced_all_the_same(self: &Rc<Self>, error: &JsValue, marker: Place) -> bool {
        if matches!(idb::exception_name(error).as_str(), "QuotaExceededError" | "ConstraintError") {
            return false;
        }
        self.reopen().await.is_ok() && matches!(self.kind_at(marker).await, Ok(Some(Kind::Image)))
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
                let bytes =
                    pages.borrow_mut().committed_segment(segment as usize).map_err(unreadable)?.unwrap_or_default();
                base.put_with_key(&base_record(header, segment, &bytes), &segment.into())?;
            }
            delete_log(&log, old_epochs, marker)
        })?;
        idb::commit_now(&transaction);
        Ok(transaction)
    }
}
