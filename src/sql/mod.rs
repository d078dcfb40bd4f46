//! SQL, written once: the connection that services see, the schema, and what every table can do.

mod condition;
mod connection;
mod dialect;
mod entity;
mod insertion;
mod migrate;
mod query;
pub(crate) mod repository;
mod schema;
mod statement;
mod where_object;

pub use crate::model::{Row, Value};
pub use connection::Connection;
pub use dialect::Dialect;
pub use entity::{Derived, Entity, Statements, Table};
pub use migrate::{SCHEMA_VERSION, migrate, require_current, schema_version};
pub use query::{Order, Query, Sql};
pub use statement::is_query;
