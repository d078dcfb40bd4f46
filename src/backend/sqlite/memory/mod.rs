//! SQLite in memory, on a machine with threads.
//!
//! A database is a series of versions that share what they have in common. Whoever begins to read holds on to the newest
//! version until the end of its transaction; whoever writes makes the next one, which takes the place of the newest with
//! its commit. So readers and the writer never wait for each other, as with a file in WAL mode.

mod files;
mod version;
mod vfs;

pub(super) use vfs::{Mount, NAME};
