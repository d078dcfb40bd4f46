//! Every operation, declared once: name, access, arguments, result, documentation.
//!
//! From this table come the JavaScript methods, their TypeScript signatures and documentation, and the dispatch by
//! number (a call) and by name (a batch, a worker's port). Adding an operation adds one row.
//!
//! Written by hand elsewhere, because they carry callbacks or files: `open`, `connect`, `transaction`, `batch`, `port`,
//! `flush`, `close`, `exportFile`, `importFile`, `query`, `health`, `maintain`, `destroy`, `rescue`.

mod arguments;
mod bindings;
mod operations;
mod unpack;

pub use bindings::{javascript, typescript};
pub use operations::OPERATIONS;
pub use unpack::unpack;

use arguments::Arguments;

use crate::error::{Error, Result};
use crate::store::Tx;

/// Whether an operation changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It only reads, and sees the committed state.
    Read,
    /// It runs in a write transaction.
    Write,
}

/// One operation.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Operation {
    /// Which collection it belongs to, such as `tasks`.
    pub namespace: &'static str,
    /// Its name in Rust; in JavaScript the same in camelCase.
    pub name: &'static str,
    /// Whether it writes.
    pub access: Access,
    /// What it does, its errors by code, units and ranges.
    pub doc: &'static str,
    /// Its arguments in order.
    pub parameters: &'static [Parameter],
    /// The TypeScript type of its result.
    pub result: &'static str,
    pub(crate) run: fn(&Tx<'_>, &mut Arguments<'_>, &mut String) -> Result<bool>,
}

/// An argument of an operation.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Parameter {
    /// Its name in Rust.
    pub name: &'static str,
    /// Its TypeScript type.
    pub ts: &'static str,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it is a JSON value of the caller's own.
    pub raw: bool,
}

impl Operation {
    /// Runs the operation with the JSON text of an array of arguments; appends the JSON text of the result with its records
    /// packed (see [`unpack`]), `false` when there is none (`undefined`).
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when the arguments do not fit; the operation's own errors.
    pub fn call(&self, tx: &Tx<'_>, arguments: &str, out: &mut String) -> Result<bool> {
        (self.run)(tx, &mut Arguments::new(arguments)?, out)
    }
}

/// The operation with this number.
///
/// # Errors
/// `INVALID_ARGUMENT` when there is none.
pub fn operation(number: u32) -> Result<&'static Operation> {
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    OPERATIONS
        .iter()
        .copied()
        .flatten()
        .nth(number)
        .ok_or_else(|| Error::invalid("operation", format!("there is no operation {number}")))
}
