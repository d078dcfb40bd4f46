//! What can be read of a folder, also of a damaged one.
//!
//! Rows that are sound come along, others stay behind; references may lead nowhere. Nothing in the folder is changed.

use super::load::{read_row, without_rules};
use super::manifest_if_sound;
use super::names::Name;
use super::table::Table;
use crate::backend::sqlite::{SqliteConnection, export};
use crate::error::{ErrorCode, Result};
use crate::model::Millis;
use crate::model::json::Reader;
use crate::sql::migrate;
use std::path::Path;

/// Gathers what there is into a SQLite file.
pub(super) fn rescue(folder: &Path) -> Result<Vec<u8>> {
    let names = super::disk::names(folder)?;
    let (database, tables) = tables(folder, &names)?;
    let manifest = manifest_if_sound(folder);
    if manifest.is_none() && !names.iter().any(|name| tables.iter().any(|table| is_of(name, table))) {
        return Err(ErrorCode::NotFound.error(format!("there is no store in {}", folder.display())));
    }
    for table in &tables {
        let recorded = manifest.as_ref().and_then(|manifest| {
            let log = manifest.logs.get(&table.name).map(|log| &log.file);
            manifest.tables.get(&table.name).or(log).filter(|file| names.contains(file))
        });
        let newest = || names.iter().filter(|name| is_of(name, table)).max_by_key(|name| generation(name));
        if let Some(file) = recorded.or_else(newest) {
            // A file that cannot be read at all gives nothing.
            let bytes = std::fs::read(folder.join(file)).unwrap_or_default();
            gather(&String::from_utf8_lossy(&bytes), table, &database)?;
        }
    }
    let mut database = database;
    export(&mut database)
}

/// The tables that files of this folder may be of.
pub(super) fn stems(folder: &Path) -> Vec<String> {
    let names = super::disk::names(folder).unwrap_or_default();
    tables(folder, &names).map_or(Vec::new(), |(_, tables)| tables.into_iter().map(|table| table.name).collect())
}

/// An empty database with the folder's schema; with ours, when that is not to be had.
fn tables(folder: &Path, names: &[String]) -> Result<(SqliteConnection, Vec<Table>)> {
    let recorded = manifest_if_sound(folder).map(|manifest| manifest.schema);
    let is_schema = |name: &&String| Name::read(name).is_some_and(|name| name.is_schema());
    let newest = || names.iter().filter(is_schema).max_by_key(|name| generation(name)).cloned();
    let schema = recorded.or_else(newest).and_then(|name| std::fs::read_to_string(folder.join(name)).ok());
    let mut database = SqliteConnection::nowhere()?;
    let usable = schema.is_some_and(|schema| database.raw.execute_batch(&schema).is_ok());
    if !usable {
        database = SqliteConnection::nowhere()?;
        migrate(&database, Millis(0))?;
        database.raw.execute_batch("DELETE FROM schema_migrations").map_err(crate::backend::sqlite::from_sqlite)?;
    }
    let tables = Table::all(&database)?;
    Ok((database, tables))
}

fn is_of(name: &str, table: &Table) -> bool {
    Name::read(name).is_some_and(|name| name.is_of(&table.name))
}

/// A file without a number was written when the store was closed, before any commit that came later.
fn generation(name: &str) -> u64 {
    Name::read(name).and_then(|name| name.generation).unwrap_or(0)
}

/// Adds the rows that are sound, line by line; if there are none, the rows of the whole text up to the first fault.
fn gather(text: &str, table: &Table, database: &SqliteConnection) -> Result<()> {
    without_rules(database, || {
        let mut found = false;
        for line in text.lines() {
            let line = line.trim().trim_end_matches(',');
            found |= add(&mut Reader::around(line), table, database);
        }
        if !found {
            let mut reader = Reader::around(text);
            let mut first = true;
            if reader.open_array().is_ok() {
                while reader.next(first).is_ok_and(|more| more) && add(&mut reader, table, database) {
                    first = false;
                }
            }
        }
        Ok(())
    })
}

/// Adds the row that the reader is at, if it is one.
fn add(reader: &mut Reader<'_>, table: &Table, database: &SqliteConnection) -> bool {
    use crate::sql::Connection as _;
    let Ok((columns, values)) = read_row(reader, table) else { return false };
    !columns.is_empty() && database.execute(&table.insert(&columns), &values).is_ok()
}
