//! The cases, by noun. A case's name says what it shows.
// The names are the documentation, and a case panics when it fails.
#![allow(missing_docs, clippy::missing_panics_doc)]

pub mod agents;
pub mod cancel;
pub mod claim;
pub mod close;
pub mod config;
pub mod dead_letters;
pub mod dependencies;
pub mod events;
pub mod files;
pub mod filters;
pub mod flows;
pub mod groups;
pub mod json;
pub mod lease;
pub mod purge;
pub mod queries;
pub mod queues;
pub mod reclaim;
pub mod records;
pub mod retry;
pub mod snooze;
pub mod streams;
pub mod tasks;
pub mod transactions;
pub mod transitions;
pub mod wholesale;
