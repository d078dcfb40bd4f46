//! The cases, by noun. A case's name says what it shows.
#![allow(missing_docs)] // the names are the documentation

pub mod agents;
pub mod cancel;
pub mod claim;
pub mod close;
pub mod dependencies;
pub mod events;
pub mod files;
pub mod json;
pub mod lease;
pub mod queries;
pub mod reclaim;
pub mod records;
pub mod retry;
pub mod streams;
pub mod tasks;
pub mod transactions;
