//! One writer per name and origin: an exclusive Web Lock for the store's life, never stolen.

use super::idb;
use crate::error::{ErrorCode, Result};
use futures_channel::oneshot;
use js_sys::{Function, Object, Promise, Reflect};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{AbortController, AbortSignal};

/// How long opening waits for the lock: a reload races the page before it.
const WAIT_MS: i32 = 2_000;

#[wasm_bindgen]
extern "C" {
    /// `navigator.locks`, which web-sys has only behind an unstable flag.
    type LockManager;

    #[wasm_bindgen(method, catch)]
    fn request(this: &LockManager, name: &str, options: &JsValue, granted: &Function) -> Result<Promise, JsValue>;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, millis: i32) -> JsValue;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);
}

/// Holds the lock until the life that it belongs to ends.
pub(super) async fn acquire(store: &str, life: &AbortSignal) -> Result<()> {
    let unsupported =
        || ErrorCode::Unsupported.error("there are no Web Locks here; they need a secure context (HTTPS)");
    let locks: LockManager = Reflect::get(&js_sys::global(), &"navigator".into())
        .and_then(|navigator| Reflect::get(&navigator, &"locks".into()))
        .ok()
        .filter(JsValue::is_object)
        .map(JsCast::unchecked_into)
        .ok_or_else(unsupported)?;
    let failed = |error: &JsValue| idb::failure(ErrorCode::Locked, "the store could not be locked", error);

    let (granted, waiting) = oneshot::channel();
    let granted = Rc::new(RefCell::new(Some(granted)));
    let held = held_during(life);
    let on_granted = {
        let granted = granted.clone();
        Closure::<dyn FnMut() -> JsValue>::new(move || {
            if let Some(granted) = granted.borrow_mut().take() {
                let _ = granted.send(Ok(()));
            }
            // The lock is held until this promise resolves.
            held.clone().into()
        })
    };
    let patience = AbortController::new().map_err(|error| failed(&error))?;
    let give_up: Function = abort_function(&patience);
    let timer = set_timeout(&give_up, WAIT_MS);
    let options = Object::new();
    Reflect::set(&options, &"signal".into(), &patience.signal()).map_err(|error| failed(&error))?;
    let request = locks
        .request(&idb::database_name(store), &options, on_granted.as_ref().unchecked_ref())
        .map_err(|error| failed(&error))?;
    let on_refused = Closure::<dyn FnMut(JsValue)>::new(move |error| {
        if let Some(granted) = granted.borrow_mut().take() {
            let _ = granted.send(Err(error));
        }
    });
    let _ = request.catch(&on_refused);
    let outcome = waiting.await.unwrap_or(Err(JsValue::NULL));
    clear_timeout(&timer);
    // The request's promise rejects later too, when the life ends; somebody has to listen.
    on_refused.forget();
    outcome.map_err(|error| match idb::exception_name(&error).as_str() {
        "AbortError" => ErrorCode::Locked.error(format!("the store {store:?} is open elsewhere")),
        "SecurityError" => unsupported(),
        _ => failed(&error),
    })
}

/// A promise that resolves when the life ends, by means that need no wasm: also after a panic.
fn held_during(life: &AbortSignal) -> Promise {
    Promise::new(&mut |resolve, _reject| {
        let _ = life.add_event_listener_with_callback("abort", &resolve);
    })
}

/// The controller's `abort` as a function that can be handed out.
pub(super) fn abort_function(controller: &AbortController) -> Function {
    let abort = Reflect::get(controller, &"abort".into()).unwrap_or_default();
    abort.unchecked_into::<Function>().bind0(controller)
}
