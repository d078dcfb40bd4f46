//! The contract suite on a SQLite file, and what only a file has: connections, threads, processes.
#![cfg(not(target_family = "wasm"))]

mod connections;
mod damage;
mod files;
mod plans;
mod processes;
mod sharing;
mod support;
mod thousand;

swarmstore::contract!(contract_sqlite, support::a_file());
