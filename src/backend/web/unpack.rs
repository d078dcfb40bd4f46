//! What opening has left packed is unpacked while nobody waits, so that few reads find it so.

use super::vfs::SharedPages;
use js_sys::{Function, Reflect};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

/// Between two segments, each of which takes a millisecond or two.
const PAUSE_MS: i32 = 4;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setInterval)]
    fn set_interval(callback: &Function, millis: i32) -> JsValue;

    #[wasm_bindgen(js_name = clearInterval)]
    fn clear_interval(timer: &JsValue);
}

/// Unpacks one segment after the other, for as long as the store is open.
pub(super) fn in_idle_time(pages: &SharedPages, life: &AbortSignal) {
    if !pages.borrow().has_packed() {
        return;
    }
    let timer = Rc::new(Cell::new(JsValue::UNDEFINED));
    let step = {
        let (pages, timer) = (Rc::downgrade(pages), timer.clone());
        Closure::<dyn FnMut()>::new(move || {
            // Where memory ends, whoever needs the segment is told.
            let more = pages.upgrade().is_some_and(|pages| matches!(pages.borrow_mut().unpack_one(), Ok(true)));
            if !more {
                clear_interval(&timer.take());
            }
        })
    };
    // JavaScript owns it, and collects it with the timer.
    let number = set_interval(step.into_js_value().unchecked_ref(), PAUSE_MS);
    timer.set(number.clone());
    // By means that need no wasm: also after a panic.
    if let Ok(clear) = Reflect::get(&js_sys::global(), &"clearInterval".into()) {
        let clear = clear.unchecked_into::<Function>().bind1(&JsValue::UNDEFINED, &number);
        let _ = life.add_event_listener_with_callback("abort", clear.unchecked_ref());
    }
}
