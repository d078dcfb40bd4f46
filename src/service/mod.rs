//! The rules: one capability per file, plain synchronous code over one open transaction.

mod agents;
#[cfg(feature = "postgres")]
mod claim_beside;
mod collection;
mod context;
mod dependencies;
mod events;
mod health;
mod queue;
mod tasks;

pub use agents::Agents;
pub use collection::Collection;
pub(crate) use collection::Rules;
pub use context::{Context, IdSource, Limits};
pub use events::{Direction, EventFilter, Events, ReadStream};
pub(crate) use health::integrity;
pub use tasks::Tasks;
