//! Writing what a transaction has changed.
//!
//! The order, in which a crash at any point leaves the state before or the state after:
//!
//! 1. a new file for every table that changed, and new lines at the end of every log that grew, each on the disk;
//! 2. the names of the new files on the disk;
//! 3. the next manifest on the disk, under another name;
//! 4. **the rename of that manifest: this is the commit**;
//! 5. the rename on the disk;
//! 6. the files that the new manifest does not name are deleted.
//!
//! The lines that a commit adds to a log follow a line `{"generation":N}`. Those behind a number that is greater than the
//! manifest's were never committed.

use super::changes::{Change, Changes};
use super::disk::{self, append, cut, write_new};
use super::lock::Lock;
use super::manifest::{Log, Manifest};
use super::names::{Form, MANIFEST, NEXT_MANIFEST, of_schema, of_table};
use super::table::Table;
use crate::backend::sqlite::{Keeper, SqliteConnection};
use crate::error::Result;
use crate::model::Value;
use crate::sql::Connection;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

/// A folder that is kept up to date with a database in memory.
pub(super) struct Folder {
    path: PathBuf,
    /// The number of the last save that was tried: a number is never used twice.
    generation: u64,
    /// What is committed.
    manifest: Manifest,
    /// How long each log is, up to its last committed line.
    lengths: BTreeMap<String, u64>,
    tables: Vec<Table>,
    /// SQLite's own count of changes to the schema; `None` when everything has to be written.
    schema_cookie: Option<i64>,
    changes: Changes,
    /// Whether uncommitted lines may be left at the end of logs.
    torn: bool,
    _lock: Lock,
}

/// What a save has done so far, to be undone when it fails.
#[derive(Default)]
struct Work {
    written: Vec<PathBuf>,
    lengths: BTreeMap<String, u64>,
    appended: bool,
    renamed: bool,
}

impl Folder {
    /// Begins to keep what the connection commits. `manifest` and `lengths` are of the state that it was loaded from; with
    /// none, its first commit writes everything.
    pub(super) fn new(
        path: &Path,
        lock: Lock,
        loaded: Option<(Manifest, BTreeMap<String, u64>)>,
        connection: &mut SqliteConnection,
    ) -> Result<Self> {
        let changes = Changes::watch(connection)?;
        let tables = Table::all(connection)?;
        changes.know(&tables);
        let schema_cookie = loaded.is_some().then(|| cookie(connection)).transpose()?;
        let (manifest, lengths) = loaded.unwrap_or_default();
        let path = path.to_owned();
        let generation = manifest.generation;
        Ok(Folder { path, generation, manifest, lengths, tables, schema_cookie, changes, torn: false, _lock: lock })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a new state and makes it the committed one. What fails leaves the one before.
    fn commit(
        &mut self,
        tables: &[Table],
        write: impl FnOnce(&Self, &mut Manifest, &mut Work) -> Result<()>,
        connection: &dyn Connection,
    ) -> Result<()> {
        self.mend()?;
        self.generation += 1;
        let mut next = Manifest { generation: self.generation, ..self.manifest.clone() };
        let mut work = Work::default();
        let outcome = write(self, &mut next, &mut work).and_then(|()| {
            next.sequences = sequences(connection)?;
            self.publish(&next, &mut work)
        });
        if let Err(error) = outcome {
            self.undo(&work);
            return Err(error);
        }
        self.lengths.append(&mut work.lengths);
        self.lengths.retain(|table, _| next.logs.contains_key(table));
        let before = std::mem::replace(&mut self.manifest, next);
        self.changes.know(tables);
        for file in before.files().difference(&self.manifest.files()) {
            // What cannot be deleted now is deleted when the folder is opened the next time.
            let _ = std::fs::remove_file(self.path.join(file));
        }
        Ok(())
    }

    /// Steps 2 to 5.
    fn publish(&self, next: &Manifest, work: &mut Work) -> Result<()> {
        if !work.written.is_empty() {
            disk::sync_folder(&self.path)?;
        }
        let temporary = self.file(NEXT_MANIFEST);
        write_new(&temporary, next.to_text().as_bytes())?;
        disk::rename(&temporary, &self.file(MANIFEST))?;
        work.renamed = true;
        disk::sync_folder(&self.path)
    }

    /// Takes back what a save that failed has left.
    fn undo(&mut self, work: &Work) {
        if work.renamed {
            // Only the last step failed: the manifest on the disk names the new files. The next save writes everything, under
            // names of its own, and so replaces both states.
            self.schema_cookie = None;
            return;
        }
        for path in [&self.file(NEXT_MANIFEST)].into_iter().chain(&work.written) {
            let _ = std::fs::remove_file(path); // the next opening finds it otherwise
        }
        self.torn |= work.appended;
        // Tried again by the next save, which does not go on before it succeeded.
        let _ = self.mend();
    }

    /// Cuts uncommitted lines off: the next commit would have their number.
    fn mend(&mut self) -> Result<()> {
        if self.torn {
            for (table, length) in &self.lengths {
                if let Some(log) = self.manifest.logs.get(table) {
                    cut(&self.file(&log.file), *length)?;
                }
            }
            self.torn = false;
        }
        Ok(())
    }

    /// Writes the schema and every table of a database.
    fn write_everything(
        &self,
        connection: &dyn Connection,
        tables: &[Table],
        next: &mut Manifest,
        work: &mut Work,
    ) -> Result<()> {
        next.schema = of_schema(Some(next.generation));
        next.tables.clear();
        next.logs.clear();
        let path = self.file(&next.schema);
        work.written.push(path.clone());
        write_new(&path, schema(connection)?.as_bytes())?;
        tables.iter().try_for_each(|table| self.write_table(connection, table, next, work))
    }

    /// Writes a table as a whole.
    fn write_table(
        &self,
        connection: &dyn Connection,
        table: &Table,
        next: &mut Manifest,
        work: &mut Work,
    ) -> Result<()> {
        next.tables.remove(&table.name);
        next.logs.remove(&table.name);
        let name = of_table(&table.name, table.form, Some(next.generation));
        let path = self.file(&name);
        let (mut rows, mut length, mut line) = (0, 0, String::new());
        let mut file = None;
        connection.query(&table.select, &[], &mut |row| {
            let between = match (rows, table.form) {
                (0, Form::Array) => "[\n",
                (_, Form::Array) => ",\n",
                (_, Form::Lines) => "",
            };
            line.clear();
            line.push_str(between);
            table.write_row(row, &mut line)?;
            if table.form == Form::Lines {
                line.push('\n');
            }
            let file = match &mut file {
                Some(file) => file,
                None => {
                    work.written.push(path.clone());
                    file.insert(disk::NewFile::create(&path)?)
                }
            };
            file.put(line.as_bytes())?;
            length += line.len() as u64;
            rows += 1;
            Ok(())
        })?;
        let Some(mut file) = file else { return Ok(()) };
        match table.form {
            Form::Array => {
                file.put(b"\n]\n")?;
                next.tables.insert(table.name.clone(), name);
            }
            Form::Lines => {
                next.logs.insert(table.name.clone(), Log { file: name, rows: Some(rows) });
                work.lengths.insert(table.name.clone(), length);
            }
        }
        file.finish()
    }

    /// Adds the new rows of a log to its file.
    fn grow(
        &self,
        connection: &dyn Connection,
        table: &Table,
        keys: &[Vec<Value<'static>>],
        next: &mut Manifest,
        work: &mut Work,
    ) -> Result<()> {
        let (Some(length), Some(log)) = (self.lengths.get(&table.name), next.logs.get_mut(&table.name)) else {
            return self.write_table(connection, table, next, work);
        };
        let (mut lines, mut rows, mut seen) = (format!("{{\"generation\":{}}}\n", next.generation), 0, HashSet::new());
        for key in keys {
            // A row that was taken back and added again has its key here twice.
            if !seen.insert(format!("{key:?}")) {
                continue;
            }
            connection.query(&table.select_one, key, &mut |row| {
                table.write_row(row, &mut lines)?;
                lines.push('\n');
                rows += 1;
                Ok(())
            })?;
        }
        if rows > 0 {
            let path = self.file(&log.file);
            work.appended = true;
            let length = append(&path, *length, lines.as_bytes())?;
            log.rows = log.rows.map(|before| before + rows);
            work.lengths.insert(table.name.clone(), length);
        }
        Ok(())
    }
}

impl Keeper for Folder {
    fn keep(&mut self, connection: &SqliteConnection) -> Result<()> {
        let changed = self.changes.take();
        let now = cookie(connection)?;
        if self.schema_cookie != Some(now) {
            return self.keep_all(connection).inspect(|()| self.schema_cookie = Some(now));
        }
        if changed.is_empty() {
            return Ok(());
        }
        let tables = self.tables.clone();
        let write = |folder: &Self, next: &mut Manifest, work: &mut Work| {
            for table in &tables {
                match changed.get(&table.name) {
                    Some(Change::Added(keys)) => folder.grow(connection, table, keys, next, work)?,
                    Some(Change::Rewritten) => folder.write_table(connection, table, next, work)?,
                    None => {}
                }
            }
            Ok(())
        };
        self.commit(&tables, write, connection)
    }

    fn keep_all(&mut self, from: &SqliteConnection) -> Result<()> {
        let tables = Table::all(from)?;
        self.commit(&tables, |folder, next, work| folder.write_everything(from, &tables, next, work), from)?;
        self.tables = tables;
        self.changes.take();
        Ok(())
    }

    fn forget(&mut self) {
        self.changes.take();
    }

    fn distrust(&mut self) {
        self.schema_cookie = None;
    }

    /// Gives the files their plain names, under which they stay the same from one day to the next in the eyes of git and
    /// people. Every step leaves a folder that opens.
    fn close(&mut self) -> Result<()> {
        let mut plain = self.manifest.clone();
        plain.schema = of_schema(None);
        for (table, file) in &mut plain.tables {
            *file = of_table(table, Form::Array, None);
        }
        for (table, log) in &mut plain.logs {
            log.file = of_table(table, Form::Lines, None);
        }
        if plain == self.manifest {
            return Ok(());
        }
        let before = self.manifest.clone();
        let moved: BTreeSet<(&str, &str)> = pairs(&before, &plain).filter(|(from, to)| from != to).collect();
        for (from, to) in &moved {
            disk::link(&self.file(from), &self.file(to))?;
        }
        self.publish(&plain, &mut Work { written: vec![self.path.clone()], ..Work::default() })?;
        for (from, _) in &moved {
            let _ = std::fs::remove_file(self.file(from)); // the next opening finds it otherwise
        }
        drop(moved);
        self.manifest = plain;
        Ok(())
    }
}

/// The files of one manifest beside those of another with the same tables.
fn pairs<'a>(one: &'a Manifest, other: &'a Manifest) -> impl Iterator<Item = (&'a str, &'a str)> {
    let schema = std::iter::once((&one.schema, &other.schema));
    let tables = one.tables.values().zip(other.tables.values());
    let logs = one.logs.values().zip(other.logs.values()).map(|(one, other)| (&one.file, &other.file));
    schema.chain(tables).chain(logs).map(|(one, other)| (one.as_str(), other.as_str()))
}

/// Changes with every change to the schema.
fn cookie(connection: &dyn Connection) -> Result<i64> {
    connection.integer("PRAGMA schema_version", &[])
}

/// The CREATE statements, in an order in which they can be run.
fn schema(connection: &dyn Connection) -> Result<String> {
    let mut text = String::new();
    let sql = "
        SELECT sql FROM sqlite_schema
        WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
        ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 WHEN 'view' THEN 2 ELSE 3 END, name";
    for statement in connection.texts(sql, &[])? {
        text.push_str(statement.trim_end());
        text.push_str(";\n\n");
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(text)
}

fn sequences(connection: &dyn Connection) -> Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    let exists = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'";
    if connection.integer(exists, &[])? > 0 {
        connection.query("SELECT name, seq FROM sqlite_sequence", &[], &mut |row| {
            if let (Value::Text(name), Value::Integer(last)) = (row.get(0)?, row.get(1)?) {
                found.insert(name.into_owned(), u64::try_from(last).unwrap_or(0));
            }
            Ok(())
        })?;
    }
    Ok(found)
}
