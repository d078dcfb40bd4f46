//! `json:DIR`: a folder of JSON files that people can read, compare and edit, behind the same SQLite in memory as `memory:`.
//!
//! Opening loads every row and verifies it; a commit writes the tables that it changed (see [`save`]) and only then takes
//! place in memory, so that nobody ever sees what is not kept, and readers go on with the state before meanwhile.
//!
//! What a folder holds, once the store is closed:
//!
//! - `manifest.json`, which names the other files;
//! - `schema.sql`, the CREATE statements;
//! - `agents.json` and so on, one per table that has rows: an array with a row per line, in the order of the primary key, so
//!   that a changed record is a changed line;
//! - `events.jsonl` and `task_errors.jsonl`: a row per line, in the order in which they came. These files grow;
//! - `swarmstore.lock`, held by whoever has the folder open.
//!
//! A commit syncs what it has written, so all three durabilities are the same here. Its cost is that of writing every
//! changed table as a whole, the logs excepted.

mod changes;
mod disk;
mod load;
mod lock;
mod manifest;
mod names;
mod rescue;
mod rows;
mod save;
mod table;

use super::sqlite::{Native, Place, SqliteConnection};
use super::{Backend, OpenRequest, Storage};
use crate::error::{Error, ErrorCode, Result};
use crate::platform::Clock;
use crate::sql::{Connection, migrate, require_current};
use load::Loaded;
use lock::Lock;
use manifest::Manifest;
use names::{LOCK, MANIFEST, NEXT_MANIFEST, Name};
use save::Folder;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use table::Table;

/// How often a folder that is only read is read again because its files went away under the reader.
const ATTEMPTS: usize = 20;

/// Opens a folder, and makes it when it is not there.
pub(crate) fn open(request: &OpenRequest, folder: &str) -> Result<Arc<dyn Backend>> {
    let folder = path(folder)?;
    let settings = request.settings;
    let place = Place::in_memory(Storage::Json, settings)?;
    let mut connection = place.connect(false)?;
    connection.unlimited(|connection| {
        if settings.read_only {
            return read_only(&folder, connection);
        }
        let patience = Duration::from_millis(settings.busy_timeout_ms.into());
        own(&folder, patience, connection, &*request.clock)
    })?;
    Native::over(place, connection, request.clock.clone())
}

fn path(folder: &str) -> Result<PathBuf> {
    if folder.is_empty() || folder.contains('\0') {
        return Err(Error::invalid("url", "expected json: and a folder"));
    }
    Ok(PathBuf::from(folder))
}

/// Loads a folder and keeps it up to date from now on.
fn own(folder: &Path, patience: Duration, connection: &mut SqliteConnection, clock: &dyn Clock) -> Result<()> {
    disk::make_folder(folder)?;
    let lock = Lock::take(folder, patience)?;
    let loaded = match load::manifest(folder)? {
        Some(manifest) => {
            let loaded = load::load(folder, &manifest, connection)?;
            load::cut_logs(folder, &loaded)?;
            sweep(folder, &loaded, connection)?;
            Some(loaded)
        }
        None => {
            refuse_foreign(folder)?;
            None
        }
    };
    let keeper = Folder::new(folder, lock, loaded, connection)?;
    connection.keep_with(Box::new(keeper));
    let now = clock.now();
    connection.in_transaction("BEGIN IMMEDIATE", &mut |connection| migrate(connection, now))?;
    check_schema(folder, connection)
}

/// Loads a folder as it is now. Nobody is kept out; when the owner replaces a file meanwhile, it is read again.
fn read_only(folder: &Path, connection: &mut SqliteConnection) -> Result<()> {
    let nothing = || ErrorCode::NotFound.error(format!("there is no store in {}", folder.display()));
    let mut manifest = load::manifest(folder)?.ok_or_else(nothing)?;
    for _ in 0..ATTEMPTS {
        let loaded = load::load(folder, &manifest, connection);
        let now = load::manifest(folder)?.ok_or_else(nothing)?;
        match loaded {
            Ok(_) => {
                require_current(connection)?;
                check_schema(folder, connection)?;
                return connection.execute_script("PRAGMA query_only = ON;");
            }
            Err(error) if now == manifest => return Err(error),
            Err(_) => manifest = now,
        }
    }
    Err(ErrorCode::Locked.error(format!("{} changes faster than it can be read", folder.display())))
}

/// A folder without a manifest has to be empty: with files in it, it is not ours, or its manifest was lost.
fn refuse_foreign(folder: &Path) -> Result<()> {
    let ours = |name: &String| name == LOCK || name == NEXT_MANIFEST || name.starts_with('.');
    let names = disk::names(folder)?;
    // What a first commit leaves that did not get through; nobody's data are in it.
    let is_first = |name: Name<'_>| name.generation == Some(1) && (name.is_schema() || name.is_of("schema_migrations"));
    let unborn = |name: &String| Name::read(name).is_some_and(is_first);
    match names.iter().find(|name| !ours(name) && !unborn(name)) {
        Some(name) => Err(disk::corrupt(&folder.join(name), None, format!("lies in a folder without {MANIFEST}"))),
        None => Ok(()),
    }
}

/// Deletes the files of commits that did not get through, and of those that were replaced.
fn sweep(folder: &Path, (manifest, _): &Loaded, connection: &dyn Connection) -> Result<()> {
    let (tables, current) = (Table::all(connection)?, manifest.files());
    let ours = |name: &Name<'_>| name.is_schema() || tables.iter().any(|table| name.is_of(&table.name));
    for name in disk::names(folder)? {
        let left_over = Name::read(&name).is_some_and(|name| ours(&name)) && !current.contains(name.as_str());
        if left_over || name == NEXT_MANIFEST {
            // One that cannot be deleted disturbs nobody.
            let _ = std::fs::remove_file(folder.join(name));
        }
    }
    Ok(())
}

/// The schema's file may have been edited: our tables have to be what our migrations make.
fn check_schema(folder: &Path, connection: &SqliteConnection) -> Result<()> {
    let ours = SqliteConnection::nowhere()?;
    migrate(&ours, crate::model::Millis(0))?;
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL";
    let there = (connection as &dyn Connection).texts(sql, &[])?;
    for statement in (&ours as &dyn Connection).texts(sql, &[])? {
        if !there.contains(&statement) {
            let what = statement.lines().next().unwrap_or_default().trim_end_matches(" (").to_owned();
            let path = folder.join(names::of_schema(None));
            return Err(disk::corrupt(&path, None, format!("{what}: is not there as this version makes it")));
        }
    }
    Ok(())
}

/// Deletes the store in a folder, and the folder when nothing else is in it.
pub(crate) fn destroy(folder: &str) -> Result<()> {
    let folder = path(folder)?;
    if !folder.exists() {
        return Ok(());
    }
    let lock = Lock::take(&folder, Duration::ZERO)?;
    if !folder.join(MANIFEST).exists() {
        // Its `schema.sql` may be anybody's.
        refuse_foreign(&folder)?;
    }
    let stems = rescue::stems(&folder);
    for name in disk::names(&folder)? {
        let ours =
            Name::read(&name).is_some_and(|name| name.is_schema() || stems.iter().any(|table| name.is_of(table)));
        if ours || name == MANIFEST || name == NEXT_MANIFEST {
            let path = folder.join(name);
            std::fs::remove_file(&path).map_err(|error| disk::unwritable(&path, error))?;
        }
    }
    // While it is held: afterwards it could be another's.
    let _ = std::fs::remove_file(folder.join(LOCK));
    drop(lock);
    let _ = std::fs::remove_dir(folder); // stays when other files are in it
    Ok(())
}

/// What can be read of a folder, as a SQLite file.
pub(crate) fn rescue(folder: &str) -> Result<Vec<u8>> {
    rescue::rescue(&path(folder)?)
}

/// The manifest, however damaged the rest may be.
fn manifest_if_sound(folder: &Path) -> Option<Manifest> {
    load::manifest(folder).ok().flatten()
}
