//! The few differences between the databases.

use super::condition::Element;
use crate::model::Kind;

/// The elements of an array on PostgreSQL, none for what is no array, and what one of them is to be.
#[cfg(feature = "postgres")]
macro_rules! elements {
    ($condition:literal) => {
        concat!(
            "::json AS list) AS field, \
             json_array_elements(CASE json_typeof(list) WHEN 'array' THEN list ELSE '[]' END) AS elements (element) WHERE ",
            $condition
        )
    };
}

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

    /// What stands behind a field and behind a JSON array of values, so that the field is, or is not, one of them.
    #[cfg_attr(not(feature = "postgres"), allow(unused_variables))]
    pub(super) fn one_of(self, kind: Kind, negated: bool) -> (&'static str, &'static str) {
        let before =
            if negated { " NOT IN (SELECT value FROM json_each(" } else { " IN (SELECT value FROM json_each(" };
        match self {
            Dialect::Sqlite => (before, "))"),
            #[cfg(feature = "postgres")]
            Dialect::Postgres => (
                match negated {
                    true => " <> ALL (ARRAY(SELECT json_array_elements_text(",
                    false => " = ANY (ARRAY(SELECT json_array_elements_text(",
                },
                match kind {
                    Kind::Integer | Kind::Time => "::json)::bigint))",
                    Kind::Real => "::json)::float8))",
                    Kind::Text | Kind::Enum(_) | Kind::Json(_) => "::json)))",
                },
            ),
        }
    }

    /// What stands between a field and the pattern that it matches as a whole, or does not, and what behind that. Both databases
    /// take `%`, `_` and `\` as we do and fold ASCII letters only: PostgreSQL because its columns have the collation "C".
    pub(super) fn like(self, negated: bool) -> (&'static str, &'static str) {
        match (self, negated) {
            (Dialect::Sqlite, false) => (" LIKE ", " ESCAPE '\\'"),
            (Dialect::Sqlite, true) => (" NOT LIKE ", " ESCAPE '\\'"),
            #[cfg(feature = "postgres")]
            (Dialect::Postgres, false) => (" ILIKE ", ""),
            #[cfg(feature = "postgres")]
            (Dialect::Postgres, true) => (" NOT ILIKE ", ""),
        }
    }

    /// What stands before a field with JSON, between it and an element, and behind that, so that the field is an array with such
    /// an element. There is nothing between for an element without a value.
    pub(super) fn has_element(self, element: Element) -> (&'static str, &'static str, &'static str) {
        match self {
            // The key is an integer for an element of an array, text for a member of an object, and NULL for a lone value.
            Dialect::Sqlite => {
                let (middle, after) = match element {
                    Element::Text => (") WHERE typeof(key) = 'integer' AND type = 'text' AND value = ", ")"),
                    Element::Number => (
                        ") WHERE typeof(key) = 'integer' AND (type = 'integer' OR type = 'real') AND value = json_extract(",
                        ", '$'))",
                    ),
                    Element::True => (") WHERE typeof(key) = 'integer' AND type = 'true'", ")"),
                    Element::False => (") WHERE typeof(key) = 'integer' AND type = 'false'", ")"),
                    Element::Null => (") WHERE typeof(key) = 'integer' AND type = 'null'", ")"),
                };
                ("EXISTS (SELECT 1 FROM json_each(", middle, after)
            }
            // An element is looked into only when it can be: text with NUL cannot be had as text, a number with an exponent of
            // thousands not as a number.
            #[cfg(feature = "postgres")]
            Dialect::Postgres => {
                let (middle, after) = match element {
                    Element::Text => (
                        elements!(
                            "CASE WHEN json_typeof(element) <> 'string' OR \
                             strpos(replace(element::text, '\\\\', ''), '\\u0000') > 0 THEN FALSE ELSE element #>> '{}' = "
                        ),
                        " END)",
                    ),
                    Element::Number => (
                        elements!(
                            "CASE WHEN json_typeof(element) <> 'number' OR length(element::text) > 1000 OR \
                             element::text ~ '[eE]-0*[1-9][0-9]{3}' THEN FALSE ELSE element::text::numeric = "
                        ),
                        "::numeric END)",
                    ),
                    Element::True => (elements!("element::text = 'true'"), ")"),
                    Element::False => (elements!("element::text = 'false'"), ")"),
                    Element::Null => (elements!("element::text = 'null'"), ")"),
                };
                ("EXISTS (SELECT 1 FROM (SELECT ", middle, after)
            }
        }
    }
}
