//! The few differences between the databases.

/// Which SQL is spoken. Statements are written with SQLite's numbered placeholders, `?1`, and rendered for the others.
///
/// A statement is written once where both databases understand it. What they say differently is a method here, so that a
/// service asks for what it means and not for a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// SQLite 3.45 or newer.
    Sqlite,
    /// PostgreSQL 14 or newer. Only with the feature `postgres`, so that the others do not carry its texts.
    #[cfg(feature = "postgres")]
    Postgres,
}

impl Dialect {
    /// Where an absent value stands in an order: before all others, also when it is turned round.
    pub(crate) fn nulls(self, descending: bool) -> &'static str {
        match (self, descending) {
            (Dialect::Sqlite, _) => "",
            #[cfg(feature = "postgres")]
            (Dialect::Postgres, false) => " NULLS FIRST",
            #[cfg(feature = "postgres")]
            (Dialect::Postgres, true) => " NULLS LAST",
        }
    }

    /// What ends a query whose rows are about to be changed, so that nobody changes them in between.
    pub(crate) fn for_update(self) -> &'static str {
        match self {
            Dialect::Sqlite => "",
            #[cfg(feature = "postgres")]
            Dialect::Postgres => " FOR NO KEY UPDATE",
        }
    }

    /// As [`for_update`](Self::for_update), for the rows of one of the tables that are joined.
    #[cfg_attr(not(feature = "postgres"), allow(unused_variables))]
    pub(crate) fn for_update_of(self, table: &str) -> String {
        match self {
            Dialect::Sqlite => String::new(),
            #[cfg(feature = "postgres")]
            Dialect::Postgres => format!(" FOR NO KEY UPDATE OF {table}"),
        }
    }

    /// Counts the tables of this name, `?1`, where ours are.
    pub(crate) fn table_exists(self) -> &'static str {
        match self {
            Dialect::Sqlite => "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1",
            #[cfg(feature = "postgres")]
            Dialect::Postgres => {
                "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = ?1"
            }
        }
    }
}
