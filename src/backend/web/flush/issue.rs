//! What `issue.js` does: the requests of a flush in one call, and the promise that its callers share.

use super::{Flusher, State, Written};
use crate::backend::web::idb::Database;
use crate::error::{Error, Result};
use js_sys::{Array, Function, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::IdbTransaction;

#[wasm_bindgen(module = "/src/backend/web/flush/issue.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn add(
        database: &Database,
        strict: bool,
        flight: u32,
        ended: &Function,
        epoch: u32,
        number: u32,
        record: &Uint8Array,
    ) -> Result<(), JsValue>;

    #[wasm_bindgen(catch, js_name = addAll)]
    fn add_all(
        database: &Database,
        strict: bool,
        flight: u32,
        ended: &Function,
        places: &[u32],
        records: &Array,
    ) -> Result<(), JsValue>;

    fn depart(transaction: &IdbTransaction, flight: u32, ended: &Function);

    /// The promise that a flush is kept.
    #[derive(Clone)]
    pub(super) type Kept;

    #[wasm_bindgen(constructor)]
    pub(super) fn new() -> Kept;

    #[wasm_bindgen(method)]
    pub(super) fn beside(this: &Kept, answer: JsValue) -> JsValue;

    #[wasm_bindgen(method)]
    pub(super) fn done(this: &Kept);

    #[wasm_bindgen(method)]
    pub(super) fn failed(this: &Kept, error: &JsValue);
}

/// Makes of an error what JavaScript is told.
pub(super) type Describe = fn(&Error) -> JsValue;

impl Flusher {
    /// Issues a flush of these records and answers its number. Nothing happens if it could not be issued.
    pub(super) fn issue(&self, state: &mut State, records: &[Written], strict: bool) -> Result<u32, JsValue> {
        let flight = state.next_flight();
        let database = state.database.as_ref().ok_or(JsValue::NULL)?;
        self.with_callback(|callbacks| {
            let ended = callbacks.ended.as_ref().unchecked_ref();
            if let [Written { place, bytes }] = records {
                return add(database, strict, flight, ended, place.epoch, place.number, bytes);
            }
            let places: Vec<u32> =
                records.iter().flat_map(|Written { place, .. }| [place.epoch, place.number]).collect();
            let values: Array = records.iter().map(|record| &record.bytes).collect();
            add_all(database, strict, flight, ended, &places, &values)
        })
        .ok_or(JsValue::NULL)??;
        Ok(flight)
    }

    /// Listens to a transaction whose requests are all issued, and lets it go. `flight` will be said when it has ended.
    pub(super) fn depart(&self, transaction: &IdbTransaction, flight: u32) {
        self.with_callback(|callbacks| depart(transaction, flight, callbacks.ended.as_ref().unchecked_ref()));
    }
}
