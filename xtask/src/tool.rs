//! Finding programs.

use std::path::{Path, PathBuf};

/// The first of these names that is a program on PATH.
pub fn find(names: &[&str]) -> Option<PathBuf> {
    names.iter().find_map(|name| on_path(name))
}

/// What an environment variable names, or the first of these names that is a program on PATH.
pub fn find_or_env(variable: &str, names: &[&str]) -> Option<PathBuf> {
    match std::env::var_os(variable).filter(|value| !value.is_empty()) {
        Some(value) => Path::new(&value).exists().then(|| value.clone().into()).or_else(|| on_path(value.to_str()?)),
        None => find(names),
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find_map(|folder| {
        let program = folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
        is_program(&program).then_some(program)
    })
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}
