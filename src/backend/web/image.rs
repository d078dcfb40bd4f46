//! Whole databases as files, in the browser.

use super::pages::{PAGE, Pages};
use super::{Engine, connection, vfs};
use crate::error::{Error, ErrorCode, Result};
use crate::platform::Clock;
use crate::sql::{Connection, schema_version};
use std::cell::RefCell;
use std::rc::Rc;

/// Where a SQLite file says whether it is in WAL mode: 2 for WAL, 1 for a journal.
const FORMAT_BYTES: std::ops::Range<usize> = 18..20;

/// The committed state as a SQLite file.
///
/// # Errors
/// `QUOTA` when there is not as much memory in one piece.
pub(super) fn bytes(pages: &mut Pages) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    file.try_reserve_exact(pages.size()).map_err(|_| ErrorCode::Quota.error("no memory left for the file"))?;
    let mut segment = 0;
    while let Some(bytes) = pages.committed_segment(segment)? {
        file.extend_from_slice(&bytes);
        segment += 1;
    }
    Ok(file)
}

/// Takes a file apart from the store: verified, in journal mode, at our page size, migrated.
pub(super) fn stage(file: &[u8], clock: &dyn Clock) -> Result<Engine> {
    let damaged = |reason: &str| ErrorCode::Corrupt.error(format!("the file is no sound SQLite database: {reason}"));
    if !file.starts_with(b"SQLite format 3\0") || file.len() < 512 {
        return Err(damaged("it does not begin like one"));
    }
    let mut pages = Pages::tracked();
    pages.load(file, 0)?;
    pages.load(&[1; FORMAT_BYTES.end - FORMAT_BYTES.start], FORMAT_BYTES.start)?;
    pages.commit();
    let pages = Rc::new(RefCell::new(pages));
    let name = "import";
    vfs::mount(name, pages.clone());
    let normalised = normalise(name).map_err(|error| match error.code() {
        ErrorCode::InvalidArgument => error,
        _ => damaged(&error.to_string()),
    });
    vfs::unmount(name);
    // The file may have been longer than its database, or end in the middle of a page.
    pages.borrow_mut().loaded(normalised?)?;
    let engine = Engine::open(pages, clock)?;
    engine.pages.borrow_mut().commit();
    Ok(engine)
}

/// Gives the number of pages.
fn normalise(name: &str) -> Result<u32> {
    let staged = connection(name)?;
    let found = (&staged as &dyn Connection).texts("PRAGMA integrity_check", &[])?;
    if found != ["ok"] {
        return Err(ErrorCode::Corrupt.error(found.join("; ")));
    }
    let broken = (&staged as &dyn Connection).texts("SELECT \"table\" FROM pragma_foreign_key_check", &[])?;
    if let Some(table) = broken.first() {
        return Err(ErrorCode::Corrupt.error(format!("in {table} a foreign key leads nowhere")));
    }
    if schema_version(&staged)? == 0 {
        return Err(Error::invalid("file", "is a SQLite database, but not one of swarmstore's"));
    }
    if (&staged as &dyn Connection).integer("PRAGMA page_size", &[])? != PAGE as i64 {
        staged.execute_script(&format!("PRAGMA page_size = {PAGE}; VACUUM;"))?;
    }
    let pages = (&staged as &dyn Connection).integer("PRAGMA page_count", &[])?;
    u32::try_from(pages).map_err(|_| ErrorCode::Corrupt.error("it has no number of pages"))
}
