//! The edge to JavaScript: one class, and errors. No rules and no SQL.

mod core;
mod error;
mod options;
mod panic;
mod pieces;

pub use self::core::Core;
