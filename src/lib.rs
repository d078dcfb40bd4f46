//! The memory of a swarm of AI agents: one typed store for agents, a task queue and events, where one transaction spans
//! all of them. In the browser it is a real SQLite database kept in IndexedDB; natively a SQLite file, a
//! folder of JSON files or, with the feature `postgres`, PostgreSQL.
//!
//! ```
//! use swarmstore::{Claim, Expected, NewAgent, NewEvent, NewTask, Store, Stream};
//! use serde_json::json;
//!
//! fn main() -> swarmstore::Result<()> {
//!     let store = Store::open_blocking("memory:")?;
//!     let worker = store.write_blocking(|tx| tx.agents().add(NewAgent::new("worker").name("ada")))?;
//!     store.write_blocking(|tx| tx.tasks().add(NewTask::new("greet", json!({ "whom": "world" }))))?;
//!
//!     // One transaction: the task is claimed and finished, and the event is there, or nothing of it.
//!     store.write_blocking(|tx| {
//!         for task in tx.tasks().claim(&worker.id, &Claim::default())? {
//!             let token = task.lease_token.clone().unwrap_or_default();
//!             tx.tasks().complete(&task.id, &token, Some(&json!("hello").into()))?;
//!             let stream = Stream::new("task", task.id.as_str());
//!             tx.events().append(&stream, vec![NewEvent::new("greeted", json!({}))], Expected::None)?;
//!         }
//!         swarmstore::Result::Ok(())
//!     })?;
//!
//!     assert_eq!(store.read_blocking(|tx| tx.events().count())?, 1);
//!     Ok(())
//! }
//! ```
//!
//! `ARCHITECTURE.md` in the repository has the picture and the invariants; `docs/browser.md` tells how the browser's
//! backend keeps its promises.

pub mod api;
pub mod backend;
mod error;
#[cfg(target_family = "wasm")]
mod js;
#[cfg(target_family = "wasm")]
pub use js::Core;
pub mod model;
pub mod platform;
pub mod service;
pub mod sql;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::{Detail, Error, ErrorCode, Result};
pub use model::*;
pub use platform::{Clock, SystemClock};
pub use service::{Direction, EventFilter, ReadStream};
pub use sql::{Dialect, Order, Query, Sql};
pub use store::{
    Durability, FlushState, Health, Limits, Options, QueryResult, Receipt, Storage, Store, Transaction, Tx,
    sqlite_version,
};
