//! Node, npm, and what comes through npm.

use std::path::{Path, PathBuf};

use super::Missing;
use crate::Result;
use crate::files;
use crate::run::Run;
use crate::tool;
use crate::workspace::Workspace;

const OLDEST_NODE: u32 = 20;

pub fn missing() -> Option<Missing> {
    let major = Run::new("node")
        .arg("--version")
        .output()
        .and_then(|version| version.trim_start_matches('v').split('.').next()?.parse::<u32>().ok());
    let found = match major {
        Some(major) if major >= OLDEST_NODE && tool::find(&["npm"]).is_some() => return None,
        Some(major) if major >= OLDEST_NODE => "npm is not there".to_owned(),
        Some(major) => format!("node is version {major}"),
        None => "node is not there".to_owned(),
    };
    // Not left to apt: Debian 12 has version 18, and whoever works with node has a way of their own to install it.
    Some(Missing::ByHand(format!(
        "Node {OLDEST_NODE} or newer with npm ({found}): https://nodejs.org/en/download, or from Debian 13 on: \
         sudo apt-get install -y nodejs npm"
    )))
}

/// Brings a folder's `node_modules` to what its package-lock.json says; does nothing if they are already.
pub fn install(folder: &Path) -> Result {
    let manifest = files::read(&folder.join("package.json"))?;
    let lock = files::read(&folder.join("package-lock.json")).ok();
    let wanted = format!("{manifest}\n{}", lock.as_deref().unwrap_or_default());
    let stamp = folder.join("node_modules/.installed");
    if files::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let how: &[&str] = if lock.is_some() { &["ci"] } else { &["install", "--no-package-lock"] };
    npm()?.args(how).args(["--include=dev", "--no-audit", "--no-fund", "--loglevel=error"]).folder(folder).go()?;
    files::write(&stamp, wanted)
}

/// npm, by its path, since on Windows it is no program that could be started by name.
pub fn npm() -> Result<Run> {
    tool::find(&["npm", "npm.cmd"]).map(Run::new).ok_or_else(|| "npm is not on PATH".to_owned())
}

/// The folder with what npm carries up to date and for every system: binaryen's wasm-opt, and esbuild.
pub fn tools(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target("tools/npm");
    for file in ["package.json", "package-lock.json", "bundle.mjs"] {
        files::copy(&workspace.path("xtask/tools").join(file), &folder.join(file))?;
    }
    install(&folder)?;
    Ok(folder)
}
