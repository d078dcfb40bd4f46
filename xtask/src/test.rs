//! `cargo xtask test`: everything CI runs.
//!
//! The steps stand below in their order, the quick ones first. The first that fails is the last that runs; how the
//! contract suite stands is said in any case, and last.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use crate::Result;
use crate::arrows;
use crate::build::{self, Profile};
use crate::contract::Contracts;
use crate::demo;
use crate::files;
use crate::postgres::{POSTGRES, Server};
use crate::run::Run;
use crate::setup::npm;
use crate::setup::{self, For, Tools};
use crate::workspace::Workspace;

type Step = fn(&mut Session) -> Result;

const STEPS: [(&str, Step); 13] = [
    ("fmt", fmt),
    ("arrows", |session| arrows::check(session.workspace)),
    ("clippy", clippy),
    ("clippy-wasm", clippy_wasm),
    ("doc", doc),
    ("native", native),
    ("postgres", postgres),
    ("wasm-node", wasm_node),
    ("wasm-browser", wasm_browser),
    ("build", |session| build::package(session.workspace, session.tools, Profile::Release)),
    ("js", js),
    ("packaging", |session| node_project(session, "tests/packaging")),
    ("e2e", end_to_end),
];

/// Names the server that the tests use.
/// Here the property tests try the same each time, so that a change is judged by what it changes. `cargo test` by itself tries
/// something new.
const SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "20261120");
const WASM: [&str; 2] = ["--target", "wasm32-unknown-unknown"];

struct Session<'a> {
    workspace: &'a Workspace,
    tools: &'a Tools,
    contracts: Contracts,
}

/// The names of the steps, for the help.
pub fn step_names() -> String {
    STEPS.map(|(name, _)| name).join(", ")
}

/// `cargo xtask test [--only STEP]...`
pub fn command(workspace: &Workspace, arguments: &[String]) -> Result {
    let only = only(arguments)?;
    let tools = setup::prepare(workspace, For::Test)?;
    let mut session = Session { workspace, tools: &tools, contracts: Contracts::new() };
    let chosen: Vec<(&str, Step)> =
        STEPS.into_iter().filter(|(name, _)| only.is_empty() || only.iter().any(|only| only == name)).collect();
    let names: Vec<&str> = chosen.iter().map(|(name, _)| *name).collect();

    let mut times = String::new();
    let mut outcome = chosen.into_iter().try_for_each(|(name, step)| {
        println!("\n=== {name}");
        let started = Instant::now();
        let outcome = step(&mut session);
        let _ = write!(times, "  {name} {} s", started.elapsed().as_secs());
        outcome.map_err(|message| format!("{name}: {message}"))
    });
    println!("\ntimes:{times}");

    let unkept = session.contracts.unkept(&names);
    if outcome.is_ok() && !unkept.is_empty() {
        outcome = Err(format!("the contract suite did not pass, or did not run: {}", unkept.join(", ")));
    }
    match &outcome {
        Ok(()) => println!("All of it passed.\n"),
        Err(message) => println!("\nFAILED {message}\n"),
    }
    print!("{}", session.contracts.summary(&names));
    // The summary is the last thing to be read, also after a failure.
    if outcome.is_err() {
        std::process::exit(1);
    }
    Ok(())
}

fn only(arguments: &[String]) -> Result<Vec<String>> {
    let mut only = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let ("--only", Some(step)) = (argument.as_str(), arguments.next()) else {
            return Err("`test` has one argument, --only STEP, which may be repeated".to_owned());
        };
        if !STEPS.iter().any(|(name, _)| name == step) {
            return Err(format!("there is no step `{step}`; there are {}", step_names()));
        }
        only.push(step.clone());
    }
    Ok(only)
}

impl Session<'_> {
    fn cargo(&self) -> Run {
        self.tools.cargo().folder(self.workspace.root())
    }

    /// Runs tests and counts the cases of the contract suite among them.
    fn counted(&mut self, step: &str, run: Run) -> Result {
        run.tee(|line| self.contracts.count(step, line))
    }
}

fn fmt(session: &mut Session) -> Result {
    session.cargo().args(["fmt", "--all", "--check"]).go()
}

fn clippy(session: &mut Session) -> Result {
    session.cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).go()?;
    let cargo = session.cargo().args(["clippy", "--package", "swarmstore", "--all-targets", "--features", "postgres"]);
    cargo.args(["--", "-D", "warnings"]).go()
}

fn clippy_wasm(session: &mut Session) -> Result {
    let cargo = session.cargo().args(["clippy", "--package", "swarmstore", "--lib", "--tests"]).args(WASM);
    cargo.args(["--", "-D", "warnings"]).go()
}

fn doc(session: &mut Session) -> Result {
    let cargo = session.cargo().shown_env("RUSTDOCFLAGS", "-D warnings");
    cargo.args(["doc", "--package", "swarmstore", "--no-deps", "--quiet", "--features", "postgres"]).go()
}

fn native(session: &mut Session) -> Result {
    let run = session.cargo().env(SEED.0, SEED.1).args(["test", "--workspace"]);
    session.counted("native", run)
}

/// On the server that `SWARMSTORE_TEST_POSTGRES` names, else on one that is started for this. Restarts are tried on servers
/// of the tests' own in any case.
fn postgres(session: &mut Session) -> Result {
    let named = std::env::var(POSTGRES).ok().filter(|url| !url.is_empty());
    let own = if named.is_none() { Some(Server::start()?) } else { None };
    let url = own.as_ref().map(|server| server.url().to_owned()).or(named).unwrap_or_default();
    let programs = setup::postgres::programs().ok_or("PostgreSQL's programs are not there")?;
    let run = session.cargo().env(SEED.0, SEED.1).env(POSTGRES, url);
    let run = run.env("SWARMSTORE_TEST_POSTGRES_PROGRAMS", programs);
    let run = run.args([
        "test",
        "--package",
        "swarmstore",
        "--features",
        "postgres",
        "--lib",
        "--test",
        "postgres",
        "--test",
        "same",
        "--test",
        "filters",
    ]);
    session.counted("postgres", run.args(["--test", "postgres_restart"]))
}

fn wasm_node(session: &mut Session) -> Result {
    wasm(session, "wasm-node", "WASM_BINDGEN_TEST_ONLY_NODE")
}

fn wasm_browser(session: &mut Session) -> Result {
    wasm(session, "wasm-browser", "WASM_BINDGEN_TEST_ONLY_WEB")
}

/// The same command that wasm-pack runs. Each test file says by itself whether it is for Node or for a browser.
fn wasm(session: &mut Session, step: &str, which: &str) -> Result {
    let cargo = session.cargo().shown_env(which, "1").shown_env("WASM_BINDGEN_TEST_TIMEOUT", "300");
    let run = cargo
        .env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "60")
        .args(["test", "--package", "swarmstore", "--lib", "--tests"])
        .args(WASM);
    session.counted(step, run)
}

fn js(session: &mut Session) -> Result {
    node_tests(session, &session.workspace.path("tests/js"))
}

fn end_to_end(session: &mut Session) -> Result {
    demo::site(session.workspace)?;
    // Opens in the native backend what a browser has exported.
    session.cargo().args(["build", "--package", "swarmstore", "--example", "inspect"]).go()?;
    node_project(session, "tests/e2e")
}

/// The Node tests of a folder that has dependencies of its own.
fn node_project(session: &mut Session, folder: &str) -> Result {
    let folder = session.workspace.path(folder);
    npm::install(&folder)?;
    node_tests(session, &folder)
}

fn node_tests(session: &Session, folder: &Path) -> Result {
    let tests = files::ending_with(folder, &[".test.js", ".test.mjs"]);
    if tests.is_empty() {
        return Err(format!("there is no *.test.js or *.test.mjs in {}", folder.display()));
    }
    // One file after the other: several browsers at once only make each other slow.
    session
        .tools
        .run("node")
        // A test that hangs is a failure, not a reason to wait for ever.
        .args(["--test", "--test-reporter=spec", "--test-concurrency=1", "--test-timeout=300000"])
        .args(tests.iter().filter_map(|test| test.strip_prefix(folder).ok()))
        .folder(folder)
        .env("SWARMSTORE_INSPECT", session.workspace.target("debug/examples/inspect"))
        .env("SWARMSTORE_PARTS", session.workspace.target("xtask/parts"))
        .go()
}
