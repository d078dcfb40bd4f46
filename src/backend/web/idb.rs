//! What of IndexedDB we use, as futures, with the name of every failure kept.
//!
//! The commit path does not go through here: it issues its requests and listens by itself (see `flush`).

use super::record::Place;
use crate::error::{Error, ErrorCode, Result};
use futures_channel::oneshot;
use js_sys::{Array, Object, Reflect, Uint8Array};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{
    DomException, IdbDatabase, IdbFactory, IdbKeyRange, IdbObjectStore, IdbOpenDbRequest, IdbRequest, IdbTransaction,
};

/// The log of flushes.
pub(super) const LOG: &str = "log";
/// The folded segments.
pub(super) const BASE: &str = "base";

#[wasm_bindgen]
extern "C" {
    /// `IDBDatabase.transaction` with its options, which web-sys has only behind an unstable flag.
    #[wasm_bindgen(extends = IdbDatabase)]
    #[derive(Clone)]
    pub(super) type Database;

    #[wasm_bindgen(method, catch, js_name = transaction)]
    fn transaction_with(
        this: &Database,
        stores: &JsValue,
        mode: &str,
        options: &JsValue,
    ) -> Result<IdbTransaction, JsValue>;

    /// A transaction whose `commit` may be missing in old browsers.
    #[wasm_bindgen(extends = IdbTransaction)]
    pub(super) type Committing;

    #[wasm_bindgen(method, catch)]
    fn commit(this: &Committing) -> Result<(), JsValue>;
}

/// The name of the IndexedDB database of a store.
pub(super) fn database_name(store: &str) -> String {
    format!("swarmstore:{store}")
}

/// A failed DOM operation by its name, such as `QuotaExceededError`.
pub(super) fn exception_name(value: &JsValue) -> String {
    match value.dyn_ref::<DomException>() {
        Some(exception) => exception.name(),
        None => Reflect::get(value, &"name".into()).ok().and_then(|name| name.as_string()).unwrap_or_default(),
    }
}

/// A failed DOM operation as one of our errors, its name and message kept as the cause.
pub(super) fn failure(code: ErrorCode, what: &str, value: &JsValue) -> Error {
    let name = exception_name(value);
    let message = Reflect::get(value, &"message".into()).ok().and_then(|text| text.as_string()).unwrap_or_default();
    let cause = if name.is_empty() { "no reason was given".to_owned() } else { format!("{name}: {message}") };
    code.error(format!("{what}: {}", cause.trim_end_matches(": "))).caused_by(cause)
}

/// The `indexedDB` of this window or worker.
pub(super) fn factory() -> Result<IdbFactory> {
    let found = Reflect::get(&js_sys::global(), &"indexedDB".into());
    found.ok().and_then(|value| value.dyn_into().ok()).ok_or_else(|| {
        ErrorCode::Unavailable.error("there is no IndexedDB here; pass storage: 'memory' if nothing is to be kept")
    })
}

/// What comes of a request. Listens from now on, also before it is awaited.
pub(super) fn answer(request: &IdbRequest) -> impl Future<Output = std::result::Result<JsValue, JsValue>> + use<> {
    let (sender, receiver) = oneshot::channel();
    let sender = Rc::new(RefCell::new(Some(sender)));
    let succeeded = {
        let sender = sender.clone();
        Closure::<dyn FnMut()>::new(move || {
            if let Some(sender) = sender.borrow_mut().take() {
                let _ = sender.send(Ok(()));
            }
        })
    };
    let failed = {
        let (sender, request) = (sender, request.clone());
        Closure::<dyn FnMut()>::new(move || {
            if let Some(sender) = sender.borrow_mut().take() {
                let error = request.error().ok().flatten().map_or(JsValue::NULL, JsValue::from);
                let _ = sender.send(Err(error));
            }
        })
    };
    request.set_onsuccess(Some(succeeded.as_ref().unchecked_ref()));
    request.set_onerror(Some(failed.as_ref().unchecked_ref()));
    let listening = Listening { request: request.clone(), _closures: [succeeded, failed] };
    async move {
        receiver.await.unwrap_or(Err(JsValue::NULL))?;
        // Not before it is asked for: taking it out costs time and memory.
        listening.request.result()
    }
}

/// A request that is listened to.
struct Listening {
    request: IdbRequest,
    _closures: [Closure<dyn FnMut()>; 2],
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.request.set_onsuccess(None);
        self.request.set_onerror(None);
    }
}

/// Resolves when a transaction is complete; its error when it is aborted. Quota failures fire `abort` only. Listens from now
/// on, also before it is awaited.
pub(super) fn completion(
    transaction: &IdbTransaction,
) -> impl Future<Output = std::result::Result<(), JsValue>> + use<> {
    let (sender, receiver) = oneshot::channel();
    let sender = Rc::new(RefCell::new(Some(sender)));
    let completed = {
        let sender = sender.clone();
        Closure::<dyn FnMut()>::new(move || {
            if let Some(sender) = sender.borrow_mut().take() {
                let _ = sender.send(Ok(()));
            }
        })
    };
    let aborted = {
        let (sender, transaction) = (sender, transaction.clone());
        Closure::<dyn FnMut()>::new(move || {
            if let Some(sender) = sender.borrow_mut().take() {
                let _ = sender.send(Err(transaction.error().map_or(JsValue::NULL, JsValue::from)));
            }
        })
    };
    transaction.set_oncomplete(Some(completed.as_ref().unchecked_ref()));
    transaction.set_onabort(Some(aborted.as_ref().unchecked_ref()));
    let ending = Ending { transaction: transaction.clone(), _closures: [completed, aborted] };
    async move {
        let outcome = receiver.await.unwrap_or(Err(JsValue::NULL));
        drop(ending);
        outcome
    }
}

/// A transaction whose end is listened to.
struct Ending {
    transaction: IdbTransaction,
    _closures: [Closure<dyn FnMut()>; 2],
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.transaction.set_oncomplete(None);
        self.transaction.set_onabort(None);
    }
}

/// What to do when the database is not there yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Make it, with this first record.
    Create,
    /// Refuse: it was there before.
    Refuse,
}

/// Opens the database of a store.
pub(super) async fn open(store: &str, missing: Missing, first: &[u8]) -> Result<Option<Database>> {
    let unavailable = |value: &JsValue| failure(ErrorCode::Unavailable, "IndexedDB could not be opened", value);
    let request: IdbOpenDbRequest =
        factory()?.open_with_u32(&database_name(store), 1).map_err(|error| unavailable(&error))?;
    let first = Uint8Array::from(first);
    let upgrade = {
        let request = request.clone();
        Closure::<dyn FnMut()>::new(move || {
            let database: Option<IdbDatabase> = request.result().ok().and_then(|value| value.dyn_into().ok());
            let Some(database) = database else { return };
            if missing == Missing::Refuse {
                if let Some(transaction) = request.transaction() {
                    let _ = transaction.abort();
                }
                return;
            }
            // A failure here aborts the upgrade, and so the opening.
            if let Ok(log) = database.create_object_store(LOG) {
                let _ = log.add_with_key(&first, &key(Place::default()));
            }
            let _ = database.create_object_store(BASE);
        })
    };
    request.set_onupgradeneeded(Some(upgrade.as_ref().unchecked_ref()));
    let opened = answer(&request).await;
    request.set_onupgradeneeded(None);
    match opened {
        Ok(database) => Ok(Some(database.unchecked_into())),
        Err(error) if missing == Missing::Refuse && exception_name(&error) == "AbortError" => Ok(None),
        Err(error) => Err(unavailable(&error)),
    }
}

/// Deletes the database of a store.
pub(super) async fn delete(store: &str) -> Result<()> {
    let failed = |error: JsValue| failure(ErrorCode::Unavailable, "IndexedDB could not delete the store", &error);
    let request = factory()?.delete_database(&database_name(store)).map_err(failed)?;
    answer(&request).await.map(|_| ()).map_err(failed)
}

/// A key of the log.
pub(super) fn key(place: Place) -> JsValue {
    Array::of2(&place.epoch.into(), &place.number.into()).into()
}

/// The place that a key of the log names.
pub(super) fn place(key: &JsValue) -> Option<Place> {
    let key = key.dyn_ref::<Array>()?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // we wrote them as u32
    let part = |at| key.get(at).as_f64().map(|number| number as u32);
    Some(Place { epoch: part(0)?, number: part(1)? })
}

/// All keys from one place to another, both included.
pub(super) fn between(from: Place, to: Place) -> std::result::Result<IdbKeyRange, JsValue> {
    IdbKeyRange::bound(&key(from), &key(to))
}

/// Begins a transaction over both stores that writes.
pub(super) fn writing(database: &Database, strict: bool) -> std::result::Result<Committing, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"durability".into(), &if strict { "strict" } else { "relaxed" }.into())?;
    let stores = Array::of2(&LOG.into(), &BASE.into());
    database.transaction_with(&stores, "readwrite", &options).map(JsCast::unchecked_into)
}

/// Begins a transaction over the log alone that writes.
pub(super) fn logging(database: &Database, strict: bool) -> std::result::Result<Committing, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"durability".into(), &if strict { "strict" } else { "relaxed" }.into())?;
    database.transaction_with(&LOG.into(), "readwrite", &options).map(JsCast::unchecked_into)
}

/// A store of a new transaction that reads.
pub(super) fn reading(database: &Database, store: &str) -> std::result::Result<IdbObjectStore, JsValue> {
    database.transaction_with_str(store)?.object_store(store)
}

/// Asks the browser to commit now. Without this a flush made while the page goes away is lost; a browser that has no
/// `commit` commits by itself a little later.
pub(super) fn commit_now(transaction: &Committing) {
    let _ = transaction.commit();
}
