//! Errors as JSON text, of which the JavaScript runtime makes a `SwarmStoreError`.

use crate::error::Error;
use crate::model::camel;
use crate::model::json::write_text;
use std::error::Error as _;
use std::fmt::Write as _;
use wasm_bindgen::JsValue;

/// The error as the text that is thrown.
pub(super) fn thrown(error: &Error) -> JsValue {
    JsValue::from_str(&text(error))
}

pub(super) fn text(error: &Error) -> String {
    let detail = error.detail();
    let mut out = String::from("{\"code\":");
    write_text(error.code().as_str(), &mut out);
    out.push_str(",\"retryable\":");
    out.push_str(if error.is_retryable() { "true" } else { "false" });
    out.push_str(",\"message\":");
    let field = detail.field.as_deref().map(|name| if detail.verbatim { name.to_owned() } else { camel(name) });
    match (&field, detail.field.as_deref().and_then(|name| detail.message.strip_prefix(name))) {
        // A refusal begins with the name of its field, which is another one in JavaScript.
        (Some(field), Some(rest)) => write_text(&format!("{field}{rest}"), &mut out),
        _ => write_text(&detail.message, &mut out),
    }
    let mut member = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            let _ = write!(out, ",\"{name}\":"); // writing to a String cannot fail
            write_text(value, &mut out);
        }
    };
    member("table", detail.table);
    member("id", detail.id.as_deref());
    member("field", field.as_deref());
    if let Some(index) = detail.index {
        let _ = write!(out, ",\"index\":{index}");
    }
    if let Some(actual) = detail.actual {
        let _ = write!(out, ",\"actual\":{actual}");
    }
    if detail.committed {
        out.push_str(",\"committed\":true");
    }
    if let Some(source) = error.source() {
        // The cause of a failed DOM operation is its name and its message.
        let cause = source.to_string();
        let (name, message) = name_and_message(&cause);
        out.push_str(",\"cause\":{\"name\":");
        write_text(name, &mut out);
        out.push_str(",\"message\":");
        write_text(message, &mut out);
        out.push('}');
    }
    out.push('}');
    out
}

/// A cause such as `QuotaExceededError: no space`, or a name alone, as the two parts of a JavaScript error.
fn name_and_message(cause: &str) -> (&str, &str) {
    let is_name = |name: &str| !name.contains(' ');
    match cause.split_once(": ") {
        Some((name, message)) if is_name(name) => (name, message),
        None if is_name(cause) && cause.ends_with("Error") => (cause, ""),
        _ => ("Error", cause),
    }
}
