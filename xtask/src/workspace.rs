//! Where things are.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::files;

/// The repository's folders.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// The repository that this program was compiled in.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .filter(|root| root.join("Cargo.lock").exists())
            .ok_or("the repository is not where this program was compiled; run `cargo xtask` again from inside it")?
            .to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => std::path::absolute(folder).map_err(|error| format!("CARGO_TARGET_DIR: {error}"))?,
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// The repository's root, joined with a path inside it.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    /// The repository's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target folder, joined with a path inside it.
    pub fn target(&self, inside: &str) -> PathBuf {
        self.target.join(inside)
    }

    /// The npm package, which `cargo xtask build` makes.
    pub fn pkg(&self) -> PathBuf {
        self.path("pkg")
    }

    /// The crate's version, which is also the npm package's.
    pub fn version(&self) -> Result<String> {
        let manifest = files::read(&self.path("Cargo.toml"))?;
        manifest
            .lines()
            .find_map(|line| line.strip_prefix("version = "))
            .map(|version| version.trim_matches('"').to_owned())
            .ok_or_else(|| "Cargo.toml names no version".to_owned())
    }

    /// The version of a dependency that Cargo.lock holds.
    pub fn locked_version(&self, package: &str) -> Result<String> {
        let lock = files::read(&self.path("Cargo.lock"))?;
        let name = format!("name = \"{package}\"");
        let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
        lines
            .next()
            .and_then(|line| line.strip_prefix("version = "))
            .map(|version| version.trim_matches('"').to_owned())
            .ok_or_else(|| format!("Cargo.lock does not hold {package}"))
    }
}
