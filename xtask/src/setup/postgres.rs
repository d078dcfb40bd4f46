//! PostgreSQL: the tests start a server of their own, in a temporary folder.

use std::path::{Path, PathBuf};

use super::Missing;
use crate::run::Run;
use crate::tool;

/// Where Debian has a folder per version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder with the server's programs, of the newest version that is there.
pub fn programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .filter(|(_, folder)| folder.join("initdb").exists() && folder.join("postgres").exists())
        .collect();
    versions.sort_unstable();
    versions.pop().map(|(_, folder)| folder).or_else(|| {
        let initdb = tool::find(&["initdb"])?.canonicalize().ok()?;
        initdb.parent().map(Path::to_path_buf).filter(|folder| folder.join("postgres").exists())
    })
}

pub fn missing() -> Option<Missing> {
    programs().is_none().then_some(Missing::Packages {
        what: "PostgreSQL 14 or newer",
        packages: &["postgresql"],
        elsewhere: "https://www.postgresql.org/download, with initdb and postgres on PATH",
    })
}

/// Stops the servers that Debian's package starts when it is installed: nobody has asked for them.
pub fn stop_defaults() {
    let clusters = Run::new("pg_lsclusters").arg("-h").output().unwrap_or_default();
    for cluster in clusters.lines() {
        let words: Vec<&str> = cluster.split_whitespace().collect();
        if let [version, name, _, "online", ..] = words[..] {
            // One that cannot be stopped is in nobody's way: ours has a port of its own.
            let _ = Run::new("pg_ctlcluster").args([version, name, "stop"]).go();
        }
    }
}
