//! `cargo xtask build`: the crate as an npm package in pkg/.
//!
//! Cargo compiles, wasm-bindgen makes the glue, wasm-opt shrinks, `examples/bindings.rs` writes the JavaScript of the
//! operations from the Rust table, and src/js/package/ gives what is written by hand. All of it meets in
//! target/xtask/parts. Its JavaScript is bundled, and what is shipped becomes pkg/ only when it is complete.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::Result;
use crate::files;
use crate::run::Run;
use crate::setup::{self, For, Tools};
use crate::workspace::Workspace;

/// More than this, gzipped, is too much to ask of a visitor.
const LARGEST_GZIPPED: u64 = 600_000;

/// What rustc's wasm32 target uses, in wasm-opt's words. Every engine that has these has had them since 2022.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

const OPTIMISATION: [&str; 3] = ["-O3", "--strip-debug", "--strip-producers"];

/// What the crate of SQLite exports so that C can link to it. Nobody calls it from outside, and as exports they would keep
/// what only they use.
const NOT_EXPORTED: [&str; 3] = ["rust_sqlite_wasm_*", "sqlite3_os_*", "swarmstore_os_*"];

/// How the module is compiled.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// As it is shipped.
    Release,
    /// Quick to compile; the module is large and slow.
    Dev,
}

/// `cargo xtask build [--dev]`
pub fn command(workspace: &Workspace, arguments: &[String]) -> Result {
    let profile = match arguments {
        [] => Profile::Release,
        [flag] if flag == "--dev" => Profile::Dev,
        _ => return Err("`build` has one argument, --dev".to_owned()),
    };
    let tools = setup::prepare(workspace, For::Build)?;
    package(workspace, &tools, profile)
}

/// Builds pkg/.
pub fn package(workspace: &Workspace, tools: &Tools, profile: Profile) -> Result {
    let wasm = module(workspace, tools, profile)?;

    let parts = workspace.target("xtask/parts");
    files::empty_folder(&parts)?;
    files::copy_folder(&wasm, &parts)?;
    files::copy_folder(&workspace.path("src/js/package"), &parts)?;
    tools
        .cargo()
        .args(["run", "--quiet", "--package", "swarmstore", "--example", "bindings", "--"])
        .arg(&parts)
        .folder(workspace.root())
        .go()?;

    let staging = workspace.target("xtask/pkg");
    files::empty_folder(&staging)?;
    for file in ["swarmstore_bg.wasm", "index.d.ts", "operations.d.ts", "types.d.ts", "package.json"] {
        files::copy(&parts.join(file), &staging.join(file))?;
    }
    write_version(&staging.join("package.json"), &workspace.version()?)?;
    for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        files::copy(&workspace.path(file), &staging.join(file))?;
    }
    for (entry, platform) in [("index.js", "browser"), ("node.js", "node")] {
        let minify: &[&str] = if profile == Profile::Release { &["--minify"] } else { &[] };
        tools.bundle().arg(parts.join(entry)).arg(staging.join(entry)).arg(platform).args(minify).go()?;
    }

    files::empty_folder(&workspace.pkg())?;
    files::copy_folder(&staging, &workspace.pkg())?;
    report_size(&workspace.pkg(), profile)
}

/// Compiles the module with its glue and gives the folder that holds both. wasm-bindgen and wasm-opt are skipped when
/// cargo's output is byte for byte what they were run on the last time.
fn module(workspace: &Workspace, tools: &Tools, profile: Profile) -> Result<PathBuf> {
    let release: &[&str] = if profile == Profile::Release { &["--profile", "wasm"] } else { &[] };
    tools
        .cargo()
        .args(["build", "--package", "swarmstore", "--lib", "--target", "wasm32-unknown-unknown"])
        .args(release)
        .folder(workspace.root())
        .go()?;
    let folder = if profile == Profile::Release { "wasm" } else { "debug" };
    let compiled = workspace.target("wasm32-unknown-unknown").join(folder).join("swarmstore.wasm");

    let output = workspace.target("xtask/wasm");
    let stamp = workspace.target("xtask/wasm.stamp");
    let fingerprint = fingerprint(workspace, &compiled, profile)?;
    if files::read(&stamp).is_ok_and(|last| last == fingerprint) {
        println!("The module has not changed since wasm-bindgen and wasm-opt ran.");
        return Ok(output);
    }
    files::remove_file(&stamp)?;
    files::empty_folder(&output)?;
    bind(tools, &compiled, &output)?;
    if profile == Profile::Release {
        optimise(tools, &output.join("swarmstore_bg.wasm"))?;
    }
    files::write(&stamp, fingerprint)?;
    Ok(output)
}

fn bind(tools: &Tools, compiled: &Path, output: &Path) -> Result {
    tools
        .wasm_bindgen()
        .arg(compiled)
        .args(["--target", "web", "--no-typescript", "--out-name", "swarmstore"])
        // index.js and node.js name the module's place, each for its own world.
        .arg("--omit-default-module-path")
        // After a panic the instance is of no use any more; reopening needs a new one.
        .arg("--experimental-reset-state-function")
        .arg("--out-dir")
        .arg(output)
        .go()
}

fn optimise(tools: &Tools, module: &Path) -> Result {
    let optimised = module.with_extension("optimised");
    let exports = NOT_EXPORTED.map(|names| format!("--remove-exports={names}"));
    tools.wasm_opt().args(FEATURES).args(exports).args(OPTIMISATION).arg(module).arg("-o").arg(&optimised).go()?;
    files::copy(&optimised, module)?;
    files::remove_file(&optimised)
}

fn fingerprint(workspace: &Workspace, compiled: &Path, profile: Profile) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    files::read_bytes(compiled)?.hash(&mut hasher);
    // How the tools are called is part of what they make: this file says it, and so do their versions.
    include_str!("build.rs").hash(&mut hasher);
    workspace.locked_version("wasm-bindgen")?.hash(&mut hasher);
    files::read(&workspace.path("xtask/tools/package-lock.json"))?.hash(&mut hasher);
    profile.hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

/// The crate's version is the package's: Cargo.toml is the only place where it is written.
fn write_version(manifest: &Path, version: &str) -> Result {
    let text = files::read(manifest)?;
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with("\"version\":"))
        .ok_or_else(|| format!("{} has no line for the version", manifest.display()))?;
    files::write(manifest, text.replacen(line, &format!("  \"version\": \"{version}\","), 1))
}

/// Says what a visitor loads.
fn report_size(package: &Path, profile: Profile) -> Result {
    let mut all = 0;
    for name in ["swarmstore_bg.wasm", "index.js"] {
        let file = package.join(name);
        let raw = files::read_bytes(&file)?.len() as u64;
        let gzipped = gzipped(&file)?;
        println!("{name}: {} KB, gzipped {} KB", kilobytes(raw), kilobytes(gzipped));
        all += gzipped;
    }
    if profile == Profile::Release && all > LARGEST_GZIPPED {
        return Err(format!(
            "the package is {} KB gzipped, more than the {} KB that PERFORMANCE.md allows",
            kilobytes(all),
            kilobytes(LARGEST_GZIPPED)
        ));
    }
    Ok(())
}

/// Its size as `gzip -9` makes it.
fn gzipped(file: &Path) -> Result<u64> {
    let script = "const { gzipSync } = require('node:zlib'); const { readFileSync } = require('node:fs');\
                  console.log(gzipSync(readFileSync(process.argv[1]), { level: 9 }).length)";
    Run::new("node")
        .args(["-e", script])
        .arg(file)
        .output()
        .and_then(|size| size.parse().ok())
        .ok_or_else(|| format!("node could not compress {}", file.display()))
}

/// Thousands of bytes, with one decimal.
pub fn kilobytes(bytes: u64) -> String {
    let tenths = (bytes + 50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::kilobytes;

    #[test]
    fn a_size_is_rounded_to_a_tenth_of_a_kilobyte() {
        assert_eq!(kilobytes(0), "0.0");
        assert_eq!(kilobytes(1_049), "1.0");
        assert_eq!(kilobytes(1_050), "1.1");
        assert_eq!(kilobytes(599_999), "600.0");
    }
}
