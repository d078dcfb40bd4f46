//! Filters in depth: random ones against a reading of them that knows no SQL, hostile ones, and the plans.
#![cfg(not(target_family = "wasm"))]

mod ask;
mod injection;
mod model;
mod pick;
mod plan;
mod store;
