//! `cargo xtask pack`: the tarball that `npm publish` would send.

use crate::Result;
use crate::build::{self, Profile, kilobytes};
use crate::setup::npm;
use crate::setup::{self, For};
use crate::workspace::Workspace;

/// `cargo xtask pack`
pub fn command(workspace: &Workspace) -> Result {
    let tools = setup::prepare(workspace, For::Build)?;
    build::package(workspace, &tools, Profile::Release)?;

    let tarball = workspace.target(&format!("swarmstore-{}.tgz", workspace.version()?));
    npm::npm()?
        .args(["pack", "--loglevel=error", "--pack-destination"])
        .arg(workspace.target(""))
        .folder(&workspace.pkg())
        .go()?;
    let size = tarball.metadata().map_err(|error| format!("{}: {error}", tarball.display()))?.len();
    println!("{}: {} KB", tarball.display(), kilobytes(size));
    Ok(())
}
