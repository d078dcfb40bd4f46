//! The names of the files in a folder.
//!
//! A table's file is `agents.json` (a log's `events.jsonl`) after the store was closed, and `agents.42.json` when it was
//! written by commit number 42. The manifest says which one counts.

/// The manifest: its rename is the commit.
pub(super) const MANIFEST: &str = "manifest.json";
/// The next manifest, until it is renamed.
pub(super) const NEXT_MANIFEST: &str = "manifest.json.tmp";
/// Held by the process that has the folder open.
pub(super) const LOCK: &str = "swarmstore.lock";
/// What the schema's files begin with.
const SCHEMA: &str = "schema";

/// How the rows of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An array with a row per line, written as a whole.
    Array,
    /// A row per line; the file grows.
    Lines,
}

impl Form {
    fn extension(self) -> &'static str {
        match self {
            Form::Array => "json",
            Form::Lines => "jsonl",
        }
    }
}

/// A table's file, of a commit or without one.
pub(super) fn of_table(table: &str, form: Form, generation: Option<u64>) -> String {
    of(&stem(table), form.extension(), generation)
}

/// The schema's file, of a commit or without one.
pub(super) fn of_schema(generation: Option<u64>) -> String {
    of(SCHEMA, "sql", generation)
}

fn of(stem: &str, extension: &str, generation: Option<u64>) -> String {
    match generation {
        Some(generation) => format!("{stem}.{generation}.{extension}"),
        None => format!("{stem}.{extension}"),
    }
}

/// A table's name as the beginning of a file's name: what could mean something else there is written as `%` and two digits.
fn stem(table: &str) -> String {
    use std::fmt::Write as _;
    let mut stem = String::new();
    let taken = table.eq_ignore_ascii_case("manifest");
    for (at, byte) in table.bytes().enumerate() {
        if (byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) && !(taken && at == 0) {
            stem.push(char::from(byte));
        } else {
            let _ = write!(stem, "%{byte:02X}"); // writing to a String cannot fail
        }
    }
    stem
}

/// What a file of a store holds, by its name: the stem and the commit that wrote it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    pub(super) stem: &'a str,
    pub(super) extension: &'a str,
    pub(super) generation: Option<u64>,
}

impl<'a> Name<'a> {
    /// Takes a name apart; `None` when no store gives such names.
    pub(super) fn read(name: &'a str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        if !matches!(extension, "json" | "jsonl" | "sql") || name == MANIFEST {
            return None;
        }
        let (stem, generation) = match stem.split_once('.') {
            Some((stem, generation)) => (stem, Some(generation.parse().ok()?)),
            None => (stem, None),
        };
        Some(Name { stem, extension, generation })
    }

    /// Whether it is a file of this table.
    pub(super) fn is_of(&self, table: &str) -> bool {
        self.extension != "sql" && self.stem == stem(table)
    }

    /// Whether it is a schema.
    pub(super) fn is_schema(&self) -> bool {
        self.extension == "sql" && self.stem == SCHEMA
    }
}

/// Whether a name in a manifest stays inside the folder.
pub(super) fn is_plain(name: &str) -> bool {
    Name::read(name).is_some() && !name.contains(['/', '\\', '\0', ':']) && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::{Form, Name, is_plain, of_schema, of_table};

    #[test]
    fn names_are_read_as_they_are_written() {
        let name = of_table("agents", Form::Array, Some(42));
        assert_eq!(name, "agents.42.json");
        let read = Name::read(&name).unwrap();
        assert_eq!(
            (read.generation, read.is_of("agents"), read.is_of("tasks"), read.is_schema()),
            (Some(42), true, false, false)
        );
        assert_eq!(of_table("events", Form::Lines, None), "events.jsonl");
        assert!(Name::read(&of_schema(Some(7))).unwrap().is_schema());
    }

    #[test]
    fn a_tables_name_can_be_anything() {
        for table in ["a.b", "../x", "with space", "Manifest", "é", "a/b", "schema"] {
            let name = of_table(table, Form::Array, Some(1));
            assert!(is_plain(&name), "{name}");
            assert!(Name::read(&name).unwrap().is_of(table), "{name}");
            assert!(!Name::read(&name).unwrap().is_schema(), "{name}");
        }
    }

    #[test]
    fn other_files_are_none_of_ours() {
        for name in ["notes.txt", "manifest.json", "a.b.c.json", "a.x.json", "json", "README"] {
            assert_eq!(Name::read(name), None, "{name}");
        }
        for name in ["../agents.json", "a/b.json", ".json", "c:x.json"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
