//! Whether the database is sound.

use super::Context;
use crate::error::Result;

/// What SQLite's integrity check and foreign key check find; `["ok"]` when nothing is wrong.
pub(crate) fn integrity(cx: &Context<'_>) -> Result<Vec<String>> {
    let mut found = cx.connection.texts("PRAGMA integrity_check", &[])?;
    let broken = cx.connection.texts("SELECT \"table\" FROM pragma_foreign_key_check", &[])?;
    found.extend(broken.into_iter().map(|table| format!("{table}: a foreign key leads nowhere")));
    if found.len() > 1 {
        found.retain(|line| line != "ok");
    }
    Ok(found)
}
