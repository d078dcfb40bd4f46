//! `cargo xtask setup`: installs the tools that are missing, or names them with the command to type.
//!
//! Each tool has a file here that knows how to find it and how to get it. Nothing global is touched but Debian packages
//! and rustup's components: the rest goes to `target/tools`.

mod apt;
mod bindgen;
mod browser;
mod clang;
pub mod npm;
pub mod postgres;
mod rust;
mod sqlite;

use std::ffi::OsString;
use std::path::PathBuf;

use crate::Result;
use crate::run::Run;
use crate::tool;
use crate::workspace::Workspace;

/// What a command is going to do, and so which tools it needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum For {
    /// Building pkg/.
    Build,
    /// Building and serving the demo.
    Demo,
    /// Building and measuring, also in Chromium.
    Bench,
    /// Everything.
    Test,
}

/// Something a step cannot do without.
pub enum Missing {
    /// Debian packages that have it, and what to say where there is no apt.
    Packages { what: &'static str, packages: &'static [&'static str], elsewhere: &'static str },
    /// Only a person can get it.
    ByHand(String),
}

/// The programs that were found and the environment in which cargo and the tests find them.
pub struct Tools {
    environment: Vec<(OsString, OsString)>,
    wasm_bindgen: PathBuf,
    from_npm: PathBuf,
}

impl Tools {
    /// A program with the tools on its PATH.
    pub fn run(&self, program: &str) -> Run {
        // Command looks a bare name up on our own PATH, not on the one it is given.
        let run = tool::find(&[program]).map_or_else(|| Run::new(program), Run::new);
        self.environment.iter().fold(run, |run, (name, value)| run.env(name, value))
    }

    /// Cargo, with the tools on its PATH.
    pub fn cargo(&self) -> Run {
        self.run("cargo")
    }

    /// wasm-bindgen of the version in Cargo.lock.
    pub fn wasm_bindgen(&self) -> Run {
        Run::new(&self.wasm_bindgen)
    }

    /// wasm-opt of npm's binaryen.
    pub fn wasm_opt(&self) -> Run {
        self.run("node").arg(self.from_npm.join("node_modules/binaryen/bin/wasm-opt"))
    }

    /// Makes one file of a module and all that it imports; `xtask/tools/bundle.mjs` says what it is given.
    pub fn bundle(&self) -> Run {
        self.run("node").arg(self.from_npm.join("bundle.mjs"))
    }
}

/// `cargo xtask setup [build|demo|test|bench]`
pub fn command(workspace: &Workspace, arguments: &[String]) -> Result {
    let purpose = match arguments.first().map(String::as_str) {
        Some("build") => For::Build,
        Some("demo") => For::Demo,
        Some("bench") => For::Bench,
        Some("test") | None => For::Test,
        Some(other) => {
            return Err(format!("`setup` is for build, demo, test or bench, not for `{other}`"));
        }
    };
    prepare(workspace, purpose)?;
    println!("Everything is there.");
    Ok(())
}

/// Makes sure that every tool for this purpose is there, and says where.
pub fn prepare(workspace: &Workspace, purpose: For) -> Result<Tools> {
    rust::prepare(purpose)?;
    let without_postgres = postgres::missing().is_some();
    // What apt could not do is named below, with what a person can do.
    if let Err(message) = apt::install(&missing(purpose)) {
        eprintln!("{message}");
    }
    if without_postgres && postgres::missing().is_none() {
        postgres::stop_defaults();
    }
    let still_missing = missing(purpose);
    if !still_missing.is_empty() {
        return Err(apt::explain(&still_missing));
    }
    let mut environment = clang::environment().ok_or("there is no clang that knows wasm32")?;
    let bindgen = bindgen::prepare(workspace)?;
    let from_npm = npm::tools(workspace)?;
    environment.push(("PATH".into(), path_with(&bindgen.folder)?));
    if purpose >= For::Bench {
        environment.extend(browser::environment(workspace)?);
    }
    Ok(Tools { environment, wasm_bindgen: bindgen.wasm_bindgen, from_npm })
}

fn missing(purpose: For) -> Vec<Missing> {
    let mut missing: Vec<Missing> = clang::missing().into_iter().chain(npm::missing()).collect();
    if purpose >= For::Bench {
        missing.extend(browser::chromium_missing());
        missing.extend(postgres::missing());
    }
    if purpose >= For::Test {
        missing.extend(browser::driver_missing().into_iter().chain(sqlite::missing()));
    }
    missing
}

/// The test runner that `.cargo/config.toml` names is found on PATH.
fn path_with(folder: &std::path::Path) -> Result<OsString> {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(folder.to_path_buf()).chain(std::env::split_paths(&rest)))
        .map_err(|error| format!("PATH: {error}"))
}
