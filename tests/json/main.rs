//! The contract suite on a folder of JSON files, and what only a folder has: files, a lock, edits by hand.
#![cfg(not(target_family = "wasm"))]

mod damage;
mod edits;
mod failing;
mod files;
mod lock;
mod rescue;
mod support;

swarmstore::contract!(contract_json, support::a_folder());
swarmstore::contract!(contract_json_reopened, support::a_folder().reopened());
