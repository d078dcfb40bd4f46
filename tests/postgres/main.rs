//! The contract suite on PostgreSQL, and what only a server has: other processes, lost connections, other clients.
//!
//! `SWARMSTORE_TEST_POSTGRES` names the server; `cargo xtask test --only postgres` starts one.

mod agents;
mod clock;
mod connections;
mod events;
mod files;
mod inserts;
mod opening;
mod plans;
mod processes;
mod queue;
mod readers;
mod schema;
mod single;
mod support;
mod writers;

swarmstore::contract!(contract_postgres, support::a_store());
