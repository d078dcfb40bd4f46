//! wasm-bindgen's command line and test runner, which must be of exactly the version that Cargo.lock holds.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::run::Run;
use crate::tool;
use crate::workspace::Workspace;

/// Where the two programs are.
pub struct Bindgen {
    /// The folder that holds both.
    pub folder: PathBuf,
    /// The command line.
    pub wasm_bindgen: PathBuf,
}

/// Takes them from PATH if they fit, else from target/tools, else installs them there.
pub fn prepare(workspace: &Workspace) -> Result<Bindgen> {
    let version = workspace.locked_version("wasm-bindgen")?;
    let on_path = tool::find(&["wasm-bindgen"]).and_then(|program| program.parent().map(Path::to_path_buf));
    if let Some(bindgen) = on_path.and_then(|folder| in_folder(&folder, &version)) {
        return Ok(bindgen);
    }
    let tools = workspace.target("tools");
    if let Some(bindgen) = in_folder(&tools.join("bin"), &version) {
        return Ok(bindgen);
    }
    println!("wasm-bindgen {version} is not here yet; compiling it takes two to three minutes, once.");
    let install = || {
        Run::new("cargo").args(["install", "wasm-bindgen-cli", "--version", &version, "--force", "--root"]).arg(&tools)
    };
    // Its lock file can name a version that the registry at hand does not have; what cargo then chooses works too.
    install().arg("--locked").go().or_else(|_| install().go())?;
    in_folder(&tools.join("bin"), &version)
        .ok_or_else(|| format!("wasm-bindgen-cli {version} was installed, but does not run"))
}

fn in_folder(folder: &Path, version: &str) -> Option<Bindgen> {
    let program = |name: &str| folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    let fits = |name: &str| {
        Run::new(program(name))
            .arg("--version")
            .output()
            .is_some_and(|answer| answer.split_whitespace().nth(1) == Some(version))
    };
    (fits("wasm-bindgen") && fits("wasm-bindgen-test-runner"))
        .then(|| Bindgen { folder: folder.to_path_buf(), wasm_bindgen: program("wasm-bindgen") })
}
