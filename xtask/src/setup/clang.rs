//! The C compiler for the database engine: a clang that knows wasm32, and an archiver that goes with it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Missing;
use crate::run::Run;
use crate::tool;

// The names without a number come last: on Debian 12 they are version 14, which nobody has tried here.
const CLANG: [&str; 6] = ["clang-19", "clang-20", "clang-21", "clang-22", "clang-18", "clang"];
const ARCHIVER: [&str; 6] = ["llvm-ar-19", "llvm-ar-20", "llvm-ar-21", "llvm-ar-22", "llvm-ar-18", "llvm-ar"];

const COMPILER_VARIABLE: &str = "CC_wasm32_unknown_unknown";
const ARCHIVER_VARIABLE: &str = "AR_wasm32_unknown_unknown";

/// The variables that name both, where they do not yet: another value, even another name of the same program, would have
/// cargo compile the engine again.
pub fn environment() -> Option<Vec<(OsString, OsString)>> {
    let (compiler, archiver) = find()?;
    let named = [(COMPILER_VARIABLE, compiler), (ARCHIVER_VARIABLE, archiver)];
    let wanting =
        named.into_iter().filter(|(variable, program)| tool::find_or_env(variable, &[]).as_ref() != Some(program));
    Some(wanting.map(|(variable, program)| (variable.into(), program.into())).collect())
}

/// The compiler and its archiver. Variables that name programs which are not there count as unset, because
/// `.cargo/config.toml` sets them on every machine.
fn find() -> Option<(PathBuf, PathBuf)> {
    let compiler = tool::find_or_env(COMPILER_VARIABLE, &[])
        .into_iter()
        .chain(CLANG.iter().filter_map(|name| tool::find(&[name])))
        .find(|clang| knows_wasm32(clang))?;
    let archiver = tool::find_or_env(ARCHIVER_VARIABLE, &ARCHIVER).or_else(|| tool::find(&ARCHIVER))?;
    Some((compiler, archiver))
}

pub fn missing() -> Option<Missing> {
    find().is_none().then_some(Missing::Packages {
        what: "a clang that knows wasm32, and llvm-ar",
        packages: &["clang-19", "llvm-19"],
        elsewhere: "install LLVM 18 or newer with its wasm32 target (macOS: brew install llvm), and name the programs \
                    in CC_wasm32_unknown_unknown and AR_wasm32_unknown_unknown if they are not on PATH",
    })
}

fn knows_wasm32(clang: &Path) -> bool {
    Run::new(clang).arg("--print-targets").output().is_some_and(|targets| targets.contains("wasm32"))
}
