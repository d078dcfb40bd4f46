//! The rules: one capability per file, plain synchronous code over one open transaction.

mod agents;
#[cfg(feature = "postgres")]
mod claim_beside;
mod collection;
mod config;
mod context;
mod dead_letters;
mod dependencies;
mod events;
mod flows;
mod groups;
mod health;
mod purge;
mod queue;
mod queues;
mod tasks;

pub use agents::Agents;
pub use collection::Collection;
pub(crate) use collection::Rules;
pub use config::Config;
pub use context::{Context, IdSource, Limits};
pub use events::{Direction, EventFilter, Events, ReadStream};
pub use groups::Groups;
pub(crate) use health::integrity;
pub use tasks::Tasks;
