//! The class that the JavaScript runtime drives.
//!
//! Methods are plain functions that return a promise where they have to wait; none is `async fn(&self)`, so freeing the
//! object during a call is safe.

// What is passed by value comes from JavaScript and belongs to nobody else. Errors are described with the class.
#![allow(clippy::needless_pass_by_value, clippy::missing_errors_doc, clippy::cast_precision_loss)]

use super::error::{text, thrown};
use super::options::{OpenOptions, durability};
use super::pieces;
use crate::api::{self, Access, Operation};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Millis, Value, json};
use crate::platform::{Clock, SystemClock};
use crate::store::{Options, Receipt, Storage, Store, Transaction, Tx, sqlite_version};
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

/// An open store. Everything that fails throws or rejects with the JSON text of an error.
#[wasm_bindgen]
pub struct Core {
    inner: Rc<Inner>,
}

struct Inner {
    name: String,
    store: Store,
    transactions: RefCell<HashMap<u32, Option<Transaction>>>,
    next_transaction: Cell<u32>,
}

/// A clock that JavaScript gave.
struct JsClock(Function);

impl Clock for JsClock {
    #[allow(clippy::cast_possible_truncation)] // checked to be within 2^53
    fn now(&self) -> Millis {
        let time = self.0.call0(&JsValue::UNDEFINED).ok().and_then(|time| time.as_f64());
        match time {
            Some(time) if time.abs() <= crate::model::MAX_INTEGER as f64 => Millis(time as i64),
            _ => SystemClock.now(),
        }
    }
}

fn promise(future: impl Future<Output = Result<JsValue>> + 'static) -> Promise {
    future_to_promise(async move { future.await.map_err(|error| thrown(&error)) })
}

fn answer(given: bool, out: &str) -> JsValue {
    if given { JsValue::from_str(out) } else { JsValue::UNDEFINED }
}

/// The text alone, or with a promise when there is something to wait for: `[text, kept]`, so that it can be read meanwhile.
fn when_kept(value: JsValue, receipt: Receipt) -> JsValue {
    match receipt {
        None => value,
        Some(receipt) => receipt.beside(value, thrown),
    }
}

#[wasm_bindgen]
impl Core {
    /// Opens a store. `options` is JSON text; `hooks` may have `clock`, `onFlushError` and `signal`.
    pub fn open(options: String, hooks: JsValue) -> Promise {
        promise(async move {
            let hook = |name: &str| Reflect::get(&hooks, &name.into()).unwrap_or_default();
            let options = OpenOptions::read(&options)?;
            let aborted = || {
                let aborted = Reflect::get(&hook("signal"), &"aborted".into()).unwrap_or_default();
                if aborted.is_truthy() { Err(ErrorCode::Aborted.error("opening was aborted")) } else { Ok(()) }
            };
            aborted()?;
            let mut open = Options::default()
                .durability(options.durability)
                .sync_interval_ms(options.sync_interval_ms)
                .limits(options.limits)
                .read_only(options.read_only);
            if let Ok(function) = hook("clock").dyn_into::<Function>() {
                open = open.clock(JsClock(function));
            }
            if let Ok(function) = hook("onFlushError").dyn_into::<Function>() {
                open = open.on_flush_error(move |error| {
                    // What the handler throws is the handler's own affair.
                    let _ = function.call1(&JsValue::UNDEFINED, &text(error).into());
                });
            }
            let name = options.url;
            let store = open.open(&name).await?;
            if let Err(error) = aborted() {
                store.close().await?;
                return Err(error);
            }
            let (transactions, next_transaction) = (RefCell::default(), Cell::new(1));
            Ok(Core { inner: Rc::new(Inner { name, store, transactions, next_transaction }) }.into())
        })
    }

    /// The store's name.
    #[wasm_bindgen(getter)]
    pub fn name(&self) -> String {
        self.inner.name.strip_prefix("indexeddb:").unwrap_or(&self.inner.name).to_owned()
    }

    /// `indexeddb` or `memory`.
    #[wasm_bindgen(getter)]
    pub fn storage(&self) -> String {
        self.inner.store.storage().as_str().to_owned()
    }

    /// A function that lets go of everything outside of wasm, to be called after a panic.
    #[wasm_bindgen(getter)]
    pub fn abandon(&self) -> JsValue {
        self.inner.store.backend().abandon()
    }

    /// Runs an operation by its number, with the JSON text of its arguments. Answers the packed JSON text of the result or
    /// `undefined`: at once; with a promise, `[text, kept]`, when it is done but not kept yet; as a promise when it has to
    /// wait for its turn.
    pub fn call(&self, operation: u32, arguments: String) -> Result<JsValue, JsValue> {
        let operation = api::operation(operation).map_err(|error| thrown(&error))?;
        let run = move |tx: &Tx<'_>| {
            let mut out = String::new();
            let given = operation.call(tx, &arguments, &mut out)?;
            Ok(answer(given, &out))
        };
        match operation.access {
            Access::Read => self.inner.read(run),
            Access::Write => self.inner.write(run),
        }
        .map_err(|error| thrown(&error))
    }

    /// As [`call`](Self::call), with long arguments in pieces of text.
    #[wasm_bindgen(js_name = callLong)]
    pub fn call_long(&self, operation: u32, arguments: Array) -> Result<JsValue, JsValue> {
        self.call(operation, pieces::joined(&arguments).map_err(|error| thrown(&error))?)
    }

    /// Runs several operations in one transaction: `[[number, [arguments…]], …]`. Answers the JSON text of an array.
    pub fn batch(&self, calls: String) -> Result<JsValue, JsValue> {
        self.inner.write(move |tx| Ok(JsValue::from_str(&batch(tx, &calls)?))).map_err(|error| thrown(&error))
    }

    /// Begins a transaction when it is its turn; answers the number that names it.
    pub fn begin(&self) -> Promise {
        let inner = self.inner.clone();
        promise(async move {
            let transaction = inner.store.begin().await?;
            let number = inner.next_transaction.replace(inner.next_transaction.get() + 1);
            inner.transactions.borrow_mut().insert(number, Some(transaction));
            Ok(number.into())
        })
    }

    /// Runs an operation inside a transaction, at once.
    #[wasm_bindgen(js_name = callIn)]
    pub fn call_in(&self, transaction: u32, operation: u32, arguments: String) -> Result<JsValue, JsValue> {
        let run = || {
            let operation = api::operation(operation)?;
            self.inner.inside(transaction, |tx| {
                let mut out = String::new();
                let given = operation.call(tx, &arguments, &mut out)?;
                Ok(answer(given, &out))
            })
        };
        run().map_err(|error: Error| thrown(&error))
    }

    /// As [`call_in`](Self::call_in), with long arguments in pieces of text.
    #[wasm_bindgen(js_name = callLongIn)]
    pub fn call_long_in(&self, transaction: u32, operation: u32, arguments: Array) -> Result<JsValue, JsValue> {
        self.call_in(transaction, operation, pieces::joined(&arguments).map_err(|error| thrown(&error))?)
    }

    /// Commits a transaction; resolves when it is as durable as asked.
    pub fn commit(&self, transaction: u32, as_durable_as: Option<String>) -> Promise {
        let taken = self.inner.take(transaction);
        promise(async move {
            let transaction = taken?;
            match as_durable_as {
                Some(name) => transaction.commit_with(durability(&name)?).await?,
                None => transaction.commit().await?,
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Rolls a transaction back. One that has ended is left alone.
    pub fn rollback(&self, transaction: u32) -> Result<(), JsValue> {
        let taken = self.inner.transactions.borrow_mut().remove(&transaction).flatten();
        taken.map_or(Ok(()), Transaction::rollback).map_err(|error| thrown(&error))
    }

    /// Runs one reading statement, on the committed state or (with its number) inside a transaction.
    pub fn query(&self, sql: String, params: Array, transaction: u32) -> Result<Array, JsValue> {
        let run = || {
            let values =
                params.iter().enumerate().map(|(at, param)| value_of(&param, at)).collect::<Result<Vec<_>>>()?;
            match transaction {
                0 => self.inner.store.read_blocking(|tx| tx.query(&sql, &values)),
                number => self.inner.inside(number, |tx| tx.query(&sql, &values)),
            }
        };
        let found = run().map_err(|error| thrown(&error))?;
        let keys: Vec<JsValue> = found.columns.iter().map(|name| JsValue::from_str(name)).collect();
        let rows = Array::new();
        for row in &found.rows {
            let object = Object::new();
            for (key, value) in keys.iter().zip(row) {
                Reflect::set(&object, key, &js_value(value).map_err(|error| thrown(&error))?)?;
            }
            rows.push(&object);
        }
        Ok(rows)
    }

    /// Keeps all that is committed.
    pub fn flush(&self) -> Promise {
        let store = self.inner.store.clone();
        promise(async move { store.flush().await.map(|()| JsValue::UNDEFINED) })
    }

    /// Waits for the open transaction, flushes, closes.
    pub fn close(&self) -> Promise {
        let store = self.inner.store.clone();
        promise(async move { store.close().await.map(|()| JsValue::UNDEFINED) })
    }

    /// The committed state as a SQLite file, in a `Blob`.
    #[wasm_bindgen(js_name = exportFile)]
    pub fn export_file(&self) -> Promise {
        let store = self.inner.store.clone();
        promise(async move { blob(&store.export().await?) })
    }

    /// Replaces the store by a SQLite file.
    #[wasm_bindgen(js_name = importFile)]
    pub fn import_file(&self, file: web_sys::Blob) -> Promise {
        let store = self.inner.store.clone();
        promise(async move {
            let unreadable = |error: JsValue| {
                let error = error.as_string().unwrap_or_default();
                ErrorCode::InvalidArgument.error(format!("the file could not be read {error}"))
            };
            let buffer = JsFuture::from(file.array_buffer()).await.map_err(unreadable)?;
            store.import(Uint8Array::new(&buffer).to_vec()).await.map(|()| JsValue::UNDEFINED)
        })
    }

    /// Whether the store works, as JSON text.
    pub fn health(&self) -> Promise {
        let store = self.inner.store.clone();
        promise(async move { Ok(health(&store).await?.into()) })
    }

    /// `integrity`: checks the whole database; the JSON text of an array of findings, `["ok"]` when there are none.
    pub fn maintain(&self, what: String) -> Promise {
        let store = self.inner.store.clone();
        promise(async move {
            if what != "integrity" {
                return Err(Error::invalid("what", "expected 'integrity'"));
            }
            let mut out = String::from("[");
            for (at, line) in store.check_integrity().await?.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                json::write_text(line, &mut out);
            }
            out.push(']');
            Ok(out.into())
        })
    }

    /// Deletes a store that is open nowhere.
    pub fn destroy(name: String) -> Promise {
        promise(async move { Store::destroy(&name).await.map(|()| JsValue::UNDEFINED) })
    }

    /// What there is of a store, also of a damaged one, as a SQLite file in a `Blob`.
    pub fn rescue(name: String) -> Promise {
        promise(async move { blob(&Store::rescue(&name).await?) })
    }

    /// Has this function told of every panic, by its message. Where nobody waits for a call, a panic is seen by no one else.
    #[wasm_bindgen(js_name = onPanic)]
    pub fn on_panic(tell: Function) {
        super::panic::tell(tell);
    }

    /// The version of SQLite.
    #[wasm_bindgen(js_name = sqliteVersion)]
    #[must_use]
    pub fn sqlite_version() -> String {
        sqlite_version().to_owned()
    }

    /// The version of this package.
    #[must_use]
    pub fn version() -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }
}

impl Inner {
    /// Runs a closure over the committed state.
    fn read(&self, run: impl Fn(&Tx<'_>) -> Result<JsValue> + 'static) -> Result<JsValue> {
        self.store.read_blocking(run)
    }

    /// Runs a closure in a write transaction: at once if nobody writes, else when it is its turn.
    fn write(self: &Rc<Self>, run: impl Fn(&Tx<'_>) -> Result<JsValue> + 'static) -> Result<JsValue> {
        match self.store.write_now(&run) {
            Some(Ok((value, receipt))) => Ok(when_kept(value, receipt)),
            Some(Err(error)) => Err(error),
            None => {
                let inner = self.clone();
                Ok(promise(async move { inner.store.write(run).await }).into())
            }
        }
    }

    /// Runs a closure inside a transaction. It is away from its place meanwhile, so that nothing can end it under us.
    fn inside<T>(&self, number: u32, run: impl FnMut(&Tx<'_>) -> Result<T>) -> Result<T> {
        let taken = self.transactions.borrow_mut().get_mut(&number).and_then(Option::take);
        let mut transaction = taken.ok_or_else(ended)?;
        let outcome = transaction.run(run);
        if let Some(place) = self.transactions.borrow_mut().get_mut(&number) {
            *place = Some(transaction);
        }
        outcome
    }

    fn take(&self, number: u32) -> Result<Transaction> {
        self.transactions.borrow_mut().remove(&number).flatten().ok_or_else(ended)
    }
}

fn ended() -> Error {
    ErrorCode::Closed.error("the transaction has ended")
}

/// Runs the calls of a batch one after another; a failure names the index of its call.
fn batch(tx: &Tx<'_>, calls: &str) -> Result<String> {
    let mut out = String::from("[");
    let calls = json::elements(calls).map_err(|reason| Error::invalid("operations", reason))?;
    for (at, call) in calls.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let given = call_of_batch(tx, call, &mut out).map_err(|error| error.at_index(at))?;
        if !given {
            out.push_str("null");
        }
    }
    out.push(']');
    Ok(out)
}

fn call_of_batch(tx: &Tx<'_>, call: &str, out: &mut String) -> Result<bool> {
    let refused = || Error::invalid("operations", "expected [number, [arguments]]");
    let parts = json::elements(call).map_err(|_| refused())?;
    let [number, arguments] = parts[..] else { return Err(refused()) };
    let operation: &Operation = api::operation(number.parse().map_err(|_| refused())?)?;
    operation.call(tx, arguments, out)
}

async fn health(store: &Store) -> Result<String> {
    let health = store.health().await?;
    let flush = &health.flush;
    let mut out = format!("{{\"healthy\":{},\"problems\":[", health.healthy);
    for (at, problem) in health.problems.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::write_text(problem, &mut out);
    }
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "],\"schemaVersion\":{},\"sizeBytes\":{},\"pendingBytes\":{}",
        health.schema_version, flush.size_bytes, flush.pending_bytes
    );
    for (name, time) in [("pendingSince", flush.pending_since), ("lastFlush", flush.last_flush)] {
        if let Some(time) = time {
            let _ = write!(out, ",\"{name}\":{time}");
        }
    }
    if let Some(window) = flush.loss_window_ms.filter(|_| store.storage() != Storage::Memory) {
        let _ = write!(out, ",\"lossWindowMs\":{window}");
    }
    if let Some(error) = &flush.last_error {
        out.push_str(",\"lastFlushError\":");
        json::write_text(error, &mut out);
    }
    out.push('}');
    Ok(out)
}

/// A bound parameter from JavaScript.
#[allow(clippy::cast_possible_truncation)] // checked to be a safe integer
fn value_of(param: &JsValue, at: usize) -> Result<Value<'static>> {
    let refused = |reason: &str| Error::invalid(format!("params[{at}]"), reason);
    if param.is_null() {
        return Ok(Value::Null);
    }
    if let Some(text) = param.as_string() {
        return Ok(Value::Text(Cow::Owned(text)));
    }
    if let Some(bytes) = param.dyn_ref::<Uint8Array>() {
        return Ok(Value::Blob(Cow::Owned(bytes.to_vec())));
    }
    match param.as_f64() {
        Some(number) if !number.is_finite() => Err(refused("expected a finite number")),
        Some(number) if number.fract() != 0.0 => Ok(Value::Real(number)),
        Some(number) if number.abs() <= crate::model::MAX_INTEGER as f64 => Ok(Value::Integer(number as i64)),
        Some(_) => Err(refused("an integer is beyond ±(2^53 − 1)")),
        None => Err(refused("expected null, a number, a string or a Uint8Array")),
    }
}

/// A column's value for JavaScript.
#[allow(clippy::cast_precision_loss)] // checked to be a safe integer
fn js_value(value: &Value<'_>) -> Result<JsValue> {
    Ok(match value {
        Value::Null => JsValue::NULL,
        Value::Integer(integer) if integer.unsigned_abs() <= crate::model::MAX_INTEGER.unsigned_abs() => {
            JsValue::from_f64(*integer as f64)
        }
        Value::Integer(_) => return Err(Error::invalid("sql", "answers an integer beyond ±(2^53 − 1)")),
        Value::Real(real) => JsValue::from_f64(*real),
        Value::Text(text) => JsValue::from_str(text),
        Value::Blob(bytes) => Uint8Array::from(&**bytes).into(),
    })
}

/// Bytes as a `Blob`, the type of SQLite files.
fn blob(bytes: &[u8]) -> Result<JsValue> {
    let parts = Array::of1(&Uint8Array::from(bytes));
    let options = web_sys::BlobPropertyBag::new();
    options.set_type("application/vnd.sqlite3");
    web_sys::Blob::new_with_u8_array_sequence_and_options(&parts, &options)
        .map(JsValue::from)
        .map_err(|_| Error::internal("the file could not be made"))
}
