//! SQLite, in wasm and natively: what both have in common, and the native engine.

mod commands;
mod connection;
#[cfg(not(target_family = "wasm"))]
mod deadline;
#[cfg(not(target_family = "wasm"))]
mod gate;
#[cfg(not(target_family = "wasm"))]
mod handover;
#[cfg(not(target_family = "wasm"))]
mod image;
#[cfg(not(target_family = "wasm"))]
mod keeper;
#[cfg(not(target_family = "wasm"))]
mod memory;
#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(not(target_family = "wasm"))]
mod readers;
#[cfg(not(target_family = "wasm"))]
mod writer;

pub(crate) use connection::{SqliteConnection, from_sqlite};
#[cfg(not(target_family = "wasm"))]
pub(crate) use image::export;
#[cfg(all(feature = "postgres", not(target_family = "wasm")))]
pub(crate) use image::stage;
#[cfg(not(target_family = "wasm"))]
pub(crate) use keeper::Keeper;
#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{Native, Place, destroy, open, rescue};

#[cfg(target_family = "wasm")]
pub(crate) use super::web::{destroy, open, rescue};

/// The pragmas that hold on every connection, whatever it is for.
pub(crate) const PRAGMAS: &str = "
    PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
    PRAGMA recursive_triggers = ON;
";
