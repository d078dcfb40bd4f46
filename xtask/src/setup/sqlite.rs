//! The sqlite3 command line: the tests open exported files with it.

use super::Missing;
use crate::tool;

pub fn missing() -> Option<Missing> {
    tool::find(&["sqlite3"]).is_none().then_some(Missing::Packages {
        what: "the sqlite3 command line",
        packages: &["sqlite3"],
        elsewhere: "https://sqlite.org/download.html (sqlite-tools)",
    })
}
