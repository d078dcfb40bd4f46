//! The few differences between the databases.

/// Which SQL is spoken. Statements are written with SQLite's numbered placeholders, `?1`, and rendered for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// SQLite 3.45 or newer.
    Sqlite,
}
