//! The manifest: which files together are the store.

use super::disk::{corrupt, line_of};
use super::names::{MANIFEST, is_plain};
use crate::error::{Error, ErrorCode, Result};
use crate::model::json::{self, write_text};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// The form that this code writes.
const FORMAT: u64 = 1;

/// One committed state of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// How many commits there were.
    pub(super) generation: u64,
    /// The file with the CREATE statements.
    pub(super) schema: String,
    /// The files of tables that are written as a whole. A table without rows has none.
    pub(super) tables: BTreeMap<String, String>,
    /// The files of tables that grow.
    pub(super) logs: BTreeMap<String, Log>,
    /// The last number that each table with AUTOINCREMENT has given.
    pub(super) sequences: BTreeMap<String, u64>,
}

/// The file of a table that grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) file: String,
    /// How many rows it had at least; `None` when somebody took the number away.
    pub(super) rows: Option<u64>,
}

impl Manifest {
    /// All files that belong to this state.
    pub(super) fn files(&self) -> BTreeSet<&str> {
        let logs = self.logs.values().map(|log| &log.file);
        [&self.schema].into_iter().chain(self.tables.values()).chain(logs).map(String::as_str).collect()
    }

    /// As JSON, a line per file.
    pub(super) fn to_text(&self) -> String {
        let mut out = format!("{{\n  \"format\": {FORMAT},\n  \"generation\": {},\n  \"schema\": ", self.generation);
        write_text(&self.schema, &mut out);
        member(&mut out, "tables", &self.tables, |out, file| write_text(file, out));
        member(&mut out, "logs", &self.logs, |out, log| {
            out.push_str("{ \"file\": ");
            write_text(&log.file, out);
            if let Some(rows) = log.rows {
                let _ = write!(out, ", \"rows\": {rows}"); // writing to a String cannot fail
            }
            out.push_str(" }");
        });
        member(&mut out, "sequences", &self.sequences, |out, last| {
            let _ = write!(out, "{last}"); // as above
        });
        out.push_str("\n}\n");
        out
    }

    /// Reads the manifest's text.
    pub(super) fn read(folder: &Path, text: &str) -> Result<Self> {
        let path = folder.join(MANIFEST);
        let at = |raw: &str| line_of(text.as_bytes(), raw.as_ptr() as usize - text.as_ptr() as usize);
        let wrong = |raw: &str, reason: &str| corrupt(&path, Some(at(raw)), reason);
        let whole = json::whole(text).map_err(|reason| corrupt(&path, json_line(text, &reason), reason))?;
        let (mut manifest, mut format) = (Manifest::default(), None);
        let number = |raw: &str| raw.parse::<u64>().map_err(|_| wrong(raw, "expected a whole number"));
        let file = |raw: &str| match json::text(raw) {
            Ok(name) if is_plain(&name) => Ok(name.into_owned()),
            _ => Err(wrong(raw, "expected the name of a file in this folder")),
        };
        let object = |raw: &str, name: &str, each: &mut dyn FnMut(&str, &str) -> Result<()>| {
            json::members(raw, name, each).map_err(|error| match error.code() {
                ErrorCode::InvalidArgument => wrong(raw, &error.to_string()),
                _ => error,
            })
        };
        object(whole, "manifest", &mut |key, raw| {
            match key {
                "format" => format = Some(number(raw)?),
                "generation" => manifest.generation = number(raw)?,
                "schema" => manifest.schema = file(raw)?,
                "tables" => object(raw, key, &mut |table, raw| {
                    manifest.tables.insert(table.to_owned(), file(raw)?);
                    Ok(())
                })?,
                "logs" => object(raw, key, &mut |table, raw| {
                    let mut log = Log { file: String::new(), rows: None };
                    object(raw, table, &mut |key, raw| {
                        match key {
                            "file" => log.file = file(raw)?,
                            "rows" => log.rows = Some(number(raw)?),
                            _ => return Err(wrong(raw, "a log has a file and rows")),
                        }
                        Ok(())
                    })?;
                    if log.file.is_empty() {
                        return Err(wrong(raw, "a log without a file"));
                    }
                    manifest.logs.insert(table.to_owned(), log);
                    Ok(())
                })?,
                "sequences" => object(raw, key, &mut |table, raw| {
                    manifest.sequences.insert(table.to_owned(), number(raw)?);
                    Ok(())
                })?,
                // Another form of the manifest may have more in it.
                _ if format != Some(FORMAT) => {}
                _ => return Err(wrong(raw, &format!("{key} means nothing here"))),
            }
            Ok(())
        })?;
        manifest.checked(&path, format)
    }

    fn checked(self, path: &Path, format: Option<u64>) -> Result<Self> {
        match format {
            Some(FORMAT) => {}
            Some(newer) if newer > FORMAT => return Err(from_the_future(path, newer)),
            _ => return Err(corrupt(path, None, "is no manifest of swarmstore's")),
        }
        if self.schema.is_empty() {
            return Err(corrupt(path, None, "names no schema"));
        }
        Ok(self)
    }
}

fn from_the_future(path: &Path, format: u64) -> Error {
    let path = path.display();
    ErrorCode::Migration.error(format!("{path}: has format {format}; this version of swarmstore knows up to {FORMAT}"))
}

/// The line that a refusal of the JSON reader speaks of, if it does.
pub(super) fn json_line(text: &str, reason: &str) -> Option<usize> {
    let at = reason.strip_prefix("not valid JSON at byte ")?.parse().ok()?;
    Some(line_of(text.as_bytes(), at))
}

fn member<T>(out: &mut String, name: &str, of: &BTreeMap<String, T>, write: impl Fn(&mut String, &T)) {
    let _ = write!(out, ",\n  \"{name}\": {{"); // writing to a String cannot fail
    let mut separator = "\n    ";
    for (key, value) in of {
        out.push_str(separator);
        separator = ",\n    ";
        write_text(key, out);
        out.push_str(": ");
        write(out, value);
    }
    out.push_str(if of.is_empty() { "}" } else { "\n  }" });
}

#[cfg(test)]
mod tests {
    use super::{Log, Manifest};
    use crate::error::{ErrorCode, Result};
    use std::path::Path;

    fn example() -> Manifest {
        Manifest {
            generation: 42,
            schema: "schema.sql".to_owned(),
            tables: [("agents".to_owned(), "agents.42.json".to_owned())].into(),
            logs: [("events".to_owned(), Log { file: "events.jsonl".to_owned(), rows: Some(7) })].into(),
            sequences: [("events".to_owned(), 9)].into(),
        }
    }

    fn read(text: &str) -> Result<Manifest> {
        Manifest::read(Path::new("folder"), text)
    }

    #[test]
    fn a_manifest_is_read_as_it_is_written() {
        for manifest in [example(), Manifest { schema: "schema.1.sql".to_owned(), ..Manifest::default() }] {
            assert_eq!(read(&manifest.to_text()).unwrap(), manifest);
        }
        assert_eq!(example().files().into_iter().collect::<Vec<_>>(), ["agents.42.json", "events.jsonl", "schema.sql"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let text = example().to_text();
        for (from, to, line) in [
            ("42,", "\"x\",", 3),
            ("schema.sql", "../schema.sql", 4),
            ("agents.42.json", "/etc/passwd", 6),
            ("\"rows\": 7", "\"rows\": -1", 9),
            ("\"sequences\"", "\"unknown\"", 11),
            ("\"events\": 9", "\"events\" 9", 12),
        ] {
            assert!(text.contains(from));
            let error = read(&text.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Corrupt);
            assert!(error.to_string().contains(&format!("manifest.json, line {line}")), "{from}: {error}");
        }
        assert_eq!(read(&text[..text.len() / 2]).unwrap_err().code(), ErrorCode::Corrupt);
        assert_eq!(read("").unwrap_err().code(), ErrorCode::Corrupt);
        assert_eq!(read("{}").unwrap_err().code(), ErrorCode::Corrupt);
        assert_eq!(read("[]").unwrap_err().code(), ErrorCode::Corrupt);
    }

    #[test]
    fn a_newer_format_is_a_matter_of_versions() {
        let newer = example().to_text().replace("\"format\": 1", "\"format\": 2").replace("\"logs\"", "\"journals\"");
        assert_eq!(read(&newer).unwrap_err().code(), ErrorCode::Migration);
    }
}
