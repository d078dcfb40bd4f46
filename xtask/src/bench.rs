//! `cargo xtask bench`: the workloads of PERFORMANCE.md, natively and in Chromium.

use crate::Result;
use crate::build::{self, Profile};
use crate::postgres::{POSTGRES, Server};
use crate::setup::npm;
use crate::setup::{self, For, Tools};
use crate::workspace::Workspace;

/// The parts, each of which can be run alone.
const PARTS: [&str; 3] = ["native", "postgres", "browser"];

/// `cargo xtask bench [native|postgres|browser] [ARG]...`
pub fn command(workspace: &Workspace, arguments: &[String]) -> Result {
    let (parts, forwarded) = match arguments.split_first() {
        Some((part, rest)) if PARTS.contains(&part.as_str()) => (vec![part.as_str()], rest),
        _ => (PARTS.to_vec(), arguments),
    };
    let forwarded: Vec<&String> = forwarded.iter().filter(|argument| *argument != "--").collect();
    let tools = setup::prepare(workspace, For::Bench)?;
    build::package(workspace, &tools, Profile::Release)?;
    for part in parts {
        match part {
            "native" => run_native(workspace, &tools, &forwarded)?,
            "postgres" => run_postgres(workspace, &tools, &forwarded)?,
            _ => run_browser(workspace, &tools, &forwarded)?,
        }
    }
    Ok(())
}

/// On the server that `SWARMSTORE_TEST_POSTGRES` names, else on one of its own.
fn run_postgres(workspace: &Workspace, tools: &Tools, arguments: &[&String]) -> Result {
    let named = std::env::var(POSTGRES).ok().filter(|url| !url.is_empty());
    let own = if named.is_none() { Some(Server::start()?) } else { None };
    let url = own.as_ref().map(|server| server.url().to_owned()).or(named).unwrap_or_default();
    let bench = ["bench", "--package", "swarmstore", "--features", "postgres", "--bench", "postgres"];
    let cargo = tools.cargo().env(POSTGRES, url).args(bench).folder(workspace.root());
    if arguments.is_empty() { cargo.go() } else { cargo.arg("--").args(arguments).go() }
}

fn run_native(workspace: &Workspace, tools: &Tools, arguments: &[&String]) -> Result {
    // Only what is in benches/: the unit tests' own harness does not know the arguments.
    let cargo = tools.cargo().args(["bench", "--package", "swarmstore", "--bench", "native"]).folder(workspace.root());
    if arguments.is_empty() { cargo.go() } else { cargo.arg("--").args(arguments).go() }
}

fn run_browser(workspace: &Workspace, tools: &Tools, arguments: &[&String]) -> Result {
    let folder = workspace.path("benches/browser");
    npm::install(&folder)?;
    tools.run("node").arg("run.mjs").args(arguments).folder(&folder).go()
}
