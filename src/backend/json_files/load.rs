//! Reading a folder into a database in memory, with every row verified.

use super::disk::{corrupt, cut, line_of, read_text};
use super::manifest::{Log, Manifest, json_line};
use super::names::{Form, MANIFEST};
use super::rows::read_value;
use super::table::{Table, quoted};
use crate::backend::sqlite::{SqliteConnection, from_sqlite};
use crate::error::{Error, ErrorCode, Result};
use crate::model::Value;
use crate::model::json::Reader;
use crate::sql::Connection;
use rusqlite::config::DbConfig;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was loaded: the manifest, and how long each log is up to its last committed line.
pub(super) type Loaded = (Manifest, BTreeMap<String, u64>);

/// How far a log is committed.
struct Extent {
    length: u64,
    rows: u64,
}

/// The manifest of a folder; `None` when there is none.
pub(super) fn manifest(folder: &Path) -> Result<Option<Manifest>> {
    let text = read_text(&folder.join(MANIFEST))?;
    text.map(|text| Manifest::read(folder, &text)).transpose()
}

/// Loads what the manifest names into an empty database. What it gives counts the rows of the logs as they are now.
pub(super) fn load(folder: &Path, manifest: &Manifest, connection: &SqliteConnection) -> Result<Loaded> {
    let mut extents = BTreeMap::new();
    without_rules(connection, || {
        connection.in_transaction("BEGIN IMMEDIATE", &mut |_| {
            extents = load_all(folder, manifest, connection)?;
            Ok(())
        })
    })?;
    let mut manifest = manifest.clone();
    for (table, log) in &mut manifest.logs {
        log.rows = extents.get(table).map(|extent| extent.rows);
    }
    Ok((manifest, extents.into_iter().map(|(table, extent)| (table, extent.length)).collect()))
}

/// Rows come in any order, and history is in the files already: references are checked at the end, triggers not run.
pub(super) fn without_rules<T>(connection: &SqliteConnection, body: impl FnOnce() -> Result<T>) -> Result<T> {
    let triggers = |on: bool| connection.raw.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, on);
    connection.execute_script("PRAGMA foreign_keys = OFF;")?;
    triggers(false).map_err(from_sqlite)?;
    let outcome = body();
    triggers(true).map_err(from_sqlite)?;
    connection.execute_script("PRAGMA foreign_keys = ON;")?;
    outcome
}

fn load_all(folder: &Path, manifest: &Manifest, connection: &SqliteConnection) -> Result<BTreeMap<String, Extent>> {
    let path = folder.join(&manifest.schema);
    let schema = read_text(&path)?.ok_or_else(|| missing(&path))?;
    connection.raw.execute_batch(&schema).map_err(|error| schema_error(&path, &schema, &error))?;
    let tables = Table::all(connection)?;
    for name in manifest.tables.keys().chain(manifest.logs.keys()) {
        if !tables.iter().any(|table| table.name == *name) {
            return Err(corrupt(
                &folder.join(MANIFEST),
                None,
                format!("names a table {name:?} that the schema has not"),
            ));
        }
    }
    let mut extents = BTreeMap::new();
    for table in &tables {
        if let Some(file) = manifest.tables.get(&table.name) {
            load_array(&folder.join(file), table, connection)?;
        }
        if let Some(log) = manifest.logs.get(&table.name) {
            let extent = load_log(&folder.join(&log.file), log, manifest.generation, table, connection)?;
            extents.insert(table.name.clone(), extent);
        }
    }
    for (table, last) in &manifest.sequences {
        continue_counting(connection, table, *last)?;
    }
    check_references(folder, manifest, &tables, connection)?;
    Ok(extents)
}

fn missing(path: &Path) -> Error {
    corrupt(path, None, "the manifest names it, and it is not there")
}

fn schema_error(path: &Path, schema: &str, error: &rusqlite::Error) -> Error {
    let line = match error {
        // SQLite is given what is left of the text, statement by statement.
        rusqlite::Error::SqlInputError { sql, offset, .. } => {
            let before = schema.len().saturating_sub(sql.len());
            Some(line_of(schema.as_bytes(), before + usize::try_from(*offset).unwrap_or(0)))
        }
        _ => None,
    };
    corrupt(path, line, format!("SQLite refuses it: {error}"))
}

/// Sees to it that a table with AUTOINCREMENT gives no number twice.
fn continue_counting(connection: &dyn Connection, table: &str, last: u64) -> Result<()> {
    let last = Value::Integer(i64::try_from(last).unwrap_or(i64::MAX));
    let raise = "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1";
    if connection.execute(raise, &[Value::text(table), last.clone()])? == 0 {
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", &[Value::text(table), last])?;
    }
    Ok(())
}

/// Loads a file that holds an array of rows.
fn load_array(path: &Path, table: &Table, connection: &dyn Connection) -> Result<()> {
    let text = read_text(path)?.ok_or_else(|| missing(path))?;
    each_in_array(path, &text, &mut |reader, line| add_row(path, line, reader, table, connection))
}

/// Calls `each` with the reader at every row, and the row's line.
fn each_in_array(path: &Path, text: &str, each: &mut dyn FnMut(&mut Reader<'_>, usize) -> Result<()>) -> Result<()> {
    let mut reader = Reader::around(text);
    let mut lines = Lines::new(text);
    let syntax = |reason: String, line| corrupt(path, json_line(text, &reason).or(Some(line)), reason);
    reader.open_array().map_err(|reason| syntax(reason, 1))?;
    let mut first = true;
    while reader.next(first).map_err(|reason| syntax(reason, 1))? {
        first = false;
        let line = lines.of(reader.skip_space());
        each(&mut reader, line)?;
    }
    reader.end().map_err(|reason| syntax(reason, 1))
}

/// Counts lines on the way through a text.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Lines { text: text.as_bytes(), at: 0, line: 1 }
    }

    /// The line of a place that is behind the one asked for before.
    fn of(&mut self, at: usize) -> usize {
        self.line += line_of(&self.text[self.at..], at - self.at) - 1;
        self.at = at;
        self.line
    }
}

/// Loads a log up to its last committed line.
fn load_log(path: &Path, log: &Log, generation: u64, table: &Table, connection: &dyn Connection) -> Result<Extent> {
    let bytes = read_log(path, generation)?.ok_or_else(|| missing(path))?;
    let mut rows = 0;
    each_line(path, &bytes, &mut |line, text| {
        if commit_number(text).is_none() {
            rows += 1;
            add_row(path, line, &mut Reader::around(text), table, connection)?;
        }
        Ok(())
    })?;
    match log.rows {
        Some(expected) if rows < expected => Err(corrupt(
            path,
            Some(line_of(bytes.as_bytes(), bytes.len())),
            format!(
                "it ends after {rows} rows, and {expected} were written; if some were taken out on purpose, take the number \
                 out of {MANIFEST} as well"
            ),
        )),
        _ => Ok(Extent { length: bytes.len() as u64, rows }),
    }
}

/// The text of a log without the lines of a commit that did not get through; `None` when there is no such file.
fn read_log(path: &Path, generation: u64) -> Result<Option<String>> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| super::disk::unreadable(path, error))?,
    };
    let committed = committed_length(&bytes, generation);
    let text = String::from_utf8(bytes[..committed].to_vec());
    text.map(Some).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        corrupt(path, Some(line), "is not UTF-8")
    })
}

/// How far a log's lines are committed: up to the line that begins a later commit, or to a piece of such a line at the end.
fn committed_length(bytes: &[u8], generation: u64) -> usize {
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let later = match line.strip_suffix(b"\n") {
            Some(line) => {
                std::str::from_utf8(line).ok().and_then(commit_number).is_some_and(|number| number > generation)
            }
            None => b"{\"generation\":".starts_with(&line[..line.len().min(14)]),
        };
        if later {
            break;
        }
        at += line.len();
    }
    at
}

/// The number in a line that begins a commit.
fn commit_number(line: &str) -> Option<u64> {
    line.strip_prefix("{\"generation\":")?.strip_suffix('}')?.parse().ok()
}

fn each_line(path: &Path, text: &str, each: &mut dyn FnMut(usize, &str) -> Result<()>) -> Result<()> {
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let Some(line) = line.strip_suffix('\n') else {
            return Err(corrupt(path, Some(number), "the line is torn: its end is missing"));
        };
        if !line.trim().is_empty() {
            each(number, line.trim())?;
        }
    }
    Ok(())
}

/// Adds the row that the reader is at.
fn add_row(
    path: &Path,
    line: usize,
    reader: &mut Reader<'_>,
    table: &Table,
    connection: &dyn Connection,
) -> Result<()> {
    let wrong = |reason: String| corrupt(path, Some(line), reason);
    let (columns, values) = read_row(reader, table).map_err(wrong)?;
    match connection.execute(&table.insert(&columns), &values) {
        Ok(_) => Ok(()),
        Err(error) if error.code() == ErrorCode::Constraint => Err(wrong(error.to_string())),
        Err(error) => Err(error),
    }
}

/// The columns of a row and their values, or why it is none of this table's.
pub(super) fn read_row(reader: &mut Reader<'_>, table: &Table) -> Result<(Vec<usize>, Vec<Value<'static>>), String> {
    let (mut columns, mut values) = (Vec::with_capacity(table.columns.len()), Vec::with_capacity(table.columns.len()));
    let read = reader.members("row", &mut |key, raw| {
        // Mostly in the order of the table.
        let next = columns.last().map_or(0, |last| last + 1);
        let is = |at: &usize| table.columns.get(*at).is_some_and(|column| column.name == key);
        let at = Some(next).filter(is).or_else(|| (0..table.columns.len()).find(is));
        let at = at.ok_or_else(|| refusal(format!("{} has no column {key:?}", table.name)))?;
        values.push(read_value(&table.columns[at], raw).map_err(refusal)?);
        columns.push(at);
        Ok(())
    });
    read.map_err(|error| error.to_string()).map(|()| (columns, values))
}

fn refusal(reason: String) -> Error {
    ErrorCode::InvalidArgument.error(reason)
}

/// Refuses a reference that leads nowhere, with the line of its row.
fn check_references(folder: &Path, manifest: &Manifest, tables: &[Table], connection: &dyn Connection) -> Result<()> {
    let dangling = connection.texts("SELECT DISTINCT \"table\" FROM pragma_foreign_key_check", &[])?;
    let Some(table) = dangling.first().and_then(|name| tables.iter().find(|table| table.name == *name)) else {
        return Ok(());
    };
    let file = match (manifest.tables.get(&table.name), manifest.logs.get(&table.name)) {
        (Some(file), _) => file,
        (_, Some(log)) => &log.file,
        _ => MANIFEST,
    };
    let path = folder.join(file);
    let keys = ForeignKey::of(connection, &table.name)?;
    let text = read_text(&path)?.unwrap_or_default();
    let mut found = None;
    let mut look = |reader: &mut Reader<'_>, line: usize| {
        let (columns, values) = read_row(reader, table).map_err(refusal)?;
        for key in &keys {
            if found.is_none() && key.leads_nowhere(connection, table, &columns, &values)? {
                found = Some((line, key.from.join(", "), key.table.clone()));
            }
        }
        Ok(())
    };
    // It was read without an error before.
    if table.form == Form::Array {
        each_in_array(&path, &text, &mut look)?;
    } else {
        let mut look_at = |line, text: &str| match commit_number(text) {
            None => look(&mut Reader::around(text), line),
            Some(_) => Ok(()),
        };
        each_line(&path, &text[..committed_length(text.as_bytes(), manifest.generation)], &mut look_at)?;
    }
    Err(match found {
        Some((line, from, to)) => corrupt(&path, Some(line), format!("{from} leads to no row of {to}")),
        None => corrupt(&path, None, "a reference in it leads nowhere"),
    })
}

/// A reference from one table to another.
struct ForeignKey {
    table: String,
    from: Vec<String>,
    to: Vec<String>,
}

impl ForeignKey {
    fn of(connection: &dyn Connection, table: &str) -> Result<Vec<Self>> {
        let mut keys: BTreeMap<i64, ForeignKey> = BTreeMap::new();
        let sql = "SELECT id, \"table\", \"from\", coalesce(\"to\", \"from\") FROM pragma_foreign_key_list(?1) ORDER BY id, seq";
        connection.query(sql, &[Value::text(table)], &mut |row| {
            let text = |at| -> Result<String> {
                Ok(if let Value::Text(text) = row.get(at)? { text.into_owned() } else { String::new() })
            };
            let id = if let Value::Integer(id) = row.get(0)? { id } else { 0 };
            let table = text(1)?;
            let key = keys.entry(id).or_insert_with(|| ForeignKey { table, from: Vec::new(), to: Vec::new() });
            key.from.push(text(2)?);
            key.to.push(text(3)?);
            Ok(())
        })?;
        Ok(keys.into_values().collect())
    }

    fn leads_nowhere(
        &self,
        connection: &dyn Connection,
        table: &Table,
        columns: &[usize],
        values: &[Value<'static>],
    ) -> Result<bool> {
        let value = |name: &String| {
            let at = columns.iter().position(|at| table.columns[*at].name == *name)?;
            Some(values[at].clone()).filter(|value| *value != Value::Null)
        };
        let Some(values) = self.from.iter().map(value).collect::<Option<Vec<_>>>() else { return Ok(false) };
        let matches: Vec<String> = (1..).zip(&self.to).map(|(at, name)| format!("{} = ?{at}", quoted(name))).collect();
        let sql = format!("SELECT COUNT(*) FROM {} WHERE {}", quoted(&self.table), matches.join(" AND "));
        Ok(connection.integer(&sql, &values)? == 0)
    }
}

/// Cuts the lines of a commit that did not get through off the logs, before the next commit has its number.
pub(super) fn cut_logs(folder: &Path, (manifest, lengths): &Loaded) -> Result<()> {
    for (table, length) in lengths {
        let path: PathBuf = folder.join(&manifest.logs[table].file);
        let now = std::fs::metadata(&path).map_err(|error| super::disk::unreadable(&path, error))?.len();
        if now > *length {
            cut(&path, *length)?;
        }
    }
    Ok(())
}
