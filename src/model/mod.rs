//! Pure data: one noun per file. Knows nobody but the errors.

mod agent;
mod column;
mod config;
mod event;
mod field;
mod filter;
mod group;
mod id;
pub(crate) mod json;
pub(crate) mod packed;
mod patch;
mod plain;
mod record;
mod task;
mod time;
mod value;

pub use agent::{Agent, AgentPatch, AgentStatus, NewAgent, Swept};
pub(crate) use column::stored;
pub use column::{Column, Listed, Operand, Ordered, Plain, Textual};
pub use config::ConfigEntry;
pub use event::{Event, Expected, NewEvent, Stream};
pub(crate) use field::canonical;
pub(crate) use field::write_value;
pub use field::{Answer, Argument, Field, Kind, Scalar};
pub use filter::Filter;
pub(crate) use filter::{MAX_FILTER_DEPTH, Node, Test};
pub use group::{Group, GroupPatch, Membership, NewGroup};
pub(crate) use id::refusal;
pub use id::{AgentId, EventId, GroupId, MAX_ID_BYTES, TaskId};
pub use json::{Json, MAX_DEPTH, MAX_INTEGER};
pub use patch::Patch;
pub use record::{MAX_KEY_BYTES, Mutable, Record, Row};
pub(crate) use record::{camel, given, is_camel_of};
pub use task::{
    Backoff, BackoffKind, Claim, NewTask, OnConflict, OnDependencyFailure, Priority, Queue, Task, TaskCounts,
    TaskError, TaskPatch, TaskStatus, TrustOperation,
};
pub use time::Millis;
pub use value::Value;
