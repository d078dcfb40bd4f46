//! The Rust toolchain's parts: the wasm32 target, clippy, rustfmt.
//!
//! `rust-toolchain.toml` names them, and rustup installs them by itself unless it was told not to.

use std::path::Path;

use super::For;
use crate::Result;
use crate::run::Run;
use crate::tool;

const TARGET: &str = "wasm32-unknown-unknown";

/// Adds what the active toolchain lacks.
pub fn prepare(purpose: For) -> Result {
    if !has_target() {
        add("target", TARGET)?;
    }
    if purpose == For::Test {
        for (component, command) in [("clippy", "clippy"), ("rustfmt", "fmt")] {
            if Run::new("cargo").args([command, "--version"]).output().is_none() {
                add("component", component)?;
            }
        }
    }
    Ok(())
}

fn has_target() -> bool {
    Run::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .is_some_and(|folder| Path::new(&folder).exists())
}

fn add(what: &str, name: &str) -> Result {
    if tool::find(&["rustup"]).is_none() {
        return Err(format!(
            "this Rust toolchain lacks {name}, and there is no rustup to add it with.\n\
             Install rustup (https://rustup.rs), or the package of your system that has {name}."
        ));
    }
    Run::new("rustup").args([what, "add", name]).go()
}
