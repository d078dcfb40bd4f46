//! What survives when a process is killed while it writes, and when the disk is full: on a SQLite file and on JSON files.
#![cfg(unix)]

mod child;
mod disk;
mod kill;
mod place;
mod writing;
