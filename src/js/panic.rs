//! Telling JavaScript of a panic. Wasm does not unwind: after a panic nothing in the module can be trusted any more.

use js_sys::Function;
use std::cell::RefCell;
use wasm_bindgen::JsValue;

thread_local! {
    static LISTENER: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Tells this function of every panic from now on.
pub(super) fn tell(listener: Function) {
    LISTENER.with_borrow_mut(|place| *place = Some(listener));
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.to_string();
        // Borrowed by nobody: the listener is only ever cloned out.
        let listener = LISTENER.with_borrow(Clone::clone);
        if let Some(listener) = listener {
            // What the listener throws cannot be told to anybody.
            let _ = listener.call1(&JsValue::UNDEFINED, &message.into());
        }
    }));
}
