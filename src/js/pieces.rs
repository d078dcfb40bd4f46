//! Long arguments, which come in pieces: a browser makes several short texts faster than a long one, and it writes them to our
//! memory faster than wasm-bindgen does.

use crate::error::{Error, Result};
use js_sys::{Array, JsString};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/js/pieces.js")]
extern "C" {
    fn write(text: &JsString, room: &mut [u8]) -> usize;
}

/// A UTF-16 unit takes at most so many bytes.
const LONGEST: usize = 3;

/// The text that the pieces are of.
pub(super) fn joined(pieces: &Array) -> Result<String> {
    let pieces: Vec<JsString> = pieces.iter().map(JsValue::unchecked_into).collect();
    let lengths = || pieces.iter().map(|piece| piece.length() as usize);
    // Most of it takes one byte; with this the last piece fits whatever it is.
    let mut text = vec![0; lengths().sum::<usize>() + LONGEST * lengths().max().unwrap_or(0)];
    let mut end = 0;
    for piece in &pieces {
        let needed = end + LONGEST * piece.length() as usize;
        if needed > text.len() {
            text.resize(needed.max(2 * text.len()), 0);
        }
        end += write(piece, &mut text[end..]);
    }
    text.truncate(end);
    String::from_utf8(text).map_err(|_| Error::invalid("arguments", "is not UTF-8"))
}
