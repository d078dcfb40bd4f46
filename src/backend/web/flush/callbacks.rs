//! The functions that IndexedDB, timers and the page call.

use super::Flusher;
use js_sys::{Function, Object};
use std::rc::{Rc, Weak};
use wasm_bindgen::prelude::*;

/// The functions that IndexedDB and timers call, made once.
pub(super) struct Callbacks {
    /// A transaction has ended: its number, and `undefined` or why it was aborted.
    pub(super) ended: Closure<dyn FnMut(u32, JsValue)>,
    pub(super) microtask: Closure<dyn FnMut()>,
    pub(super) interval: Closure<dyn FnMut()>,
    pub(super) idle: Closure<dyn FnMut()>,
    pub(super) leaving: Closure<dyn FnMut(JsValue)>,
    pub(super) lost: Closure<dyn FnMut()>,
    pub(super) unwanted: Closure<dyn FnMut()>,
}

impl Flusher {
    /// Flushes when the page goes away.
    pub(super) fn listen(&self, callbacks: &Callbacks) {
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
}

impl Callbacks {
    pub(super) fn new(flusher: &Weak<Flusher>) -> Self {
        fn calling(flusher: &Weak<Flusher>, run: impl Fn(&Rc<Flusher>) + 'static) -> Closure<dyn FnMut()> {
            let flusher = flusher.clone();
            Closure::new(move || {
                if let Some(flusher) = flusher.upgrade() {
                    run(&flusher);
                }
            })
        }
        let ended = {
            let flusher = flusher.clone();
            Closure::new(move |flight: u32, error: JsValue| {
                let Some(flusher) = flusher.upgrade() else { return };
                if error.is_undefined() {
                    flusher.on_complete(flight);
                } else {
                    flusher.on_abort(flight, &error);
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
            ended,
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
                let mut state = flusher.state.borrow_mut();
                state.idle_timer = None;
                let busy = std::mem::take(&mut state.busy);
                drop(state);
                if busy {
                    flusher.when_idle();
                    return;
                }
                flusher.fold();
            }),
            lost: calling(flusher, Flusher::on_lost),
            unwanted: calling(flusher, |flusher| {
                if let Some(database) = flusher.state.borrow_mut().database.take() {
                    database.close();
                }
            }),
        }
    }
}
