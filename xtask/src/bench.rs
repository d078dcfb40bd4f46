//! `cargo xtask bench`: the workloads of PERFORMANCE.md, natively and in Chromium.

use crate::Result;
use crate::build::{self, Profile};
use crate::setup::npm;
use crate::setup::{self, For, Tools};
use crate::workspace::Workspace;

/// `cargo xtask bench [native|browser] [ARG]...`
pub fn command(workspace: &Workspace, arguments: &[String]) -> Result {
    let (native, browser, forwarded) = match arguments.split_first() {
        Some((part, rest)) if part == "native" => (true, false, rest),
        Some((part, rest)) if part == "browser" => (false, true, rest),
        _ => (true, true, arguments),
    };
    let forwarded: Vec<&String> = forwarded.iter().filter(|argument| *argument != "--").collect();
    let tools = setup::prepare(workspace, For::Bench)?;
    build::package(workspace, &tools, Profile::Release)?;
    if native {
        run_native(workspace, &tools, &forwarded)?;
    }
    if browser {
        run_browser(workspace, &tools, &forwarded)?;
    }
    Ok(())
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
