//! File operations with errors that name the file.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Result;

fn failed(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}

/// The text of a file.
pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| failed("read", path, &error))
}

/// The bytes of a file.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| failed("read", path, &error))
}

/// Writes a file, making its folder first.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    fs::write(path, content).map_err(|error| failed("write", path, &error))
}

/// Makes a folder and those above it.
pub fn create_folder(path: &Path) -> Result {
    fs::create_dir_all(path).map_err(|error| failed("create", path, &error))
}

/// Makes a folder that has nothing in it.
pub fn empty_folder(path: &Path) -> Result {
    if path.exists() {
        fs::remove_dir_all(path).map_err(|error| failed("remove", path, &error))?;
    }
    create_folder(path)
}

/// Removes a file if it is there.
pub fn remove_file(path: &Path) -> Result {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, &error)),
        _ => Ok(()),
    }
}

/// Copies one file, making the folder it goes to.
pub fn copy(from: &Path, to: &Path) -> Result {
    if let Some(folder) = to.parent() {
        create_folder(folder)?;
    }
    fs::copy(from, to).map(drop).map_err(|error| failed("copy", from, &error))
}

/// Copies what is in a folder into another.
pub fn copy_folder(from: &Path, to: &Path) -> Result {
    for file in tree(from)? {
        let inside = file.strip_prefix(from).map_err(|error| error.to_string())?;
        copy(&file, &to.join(inside))?;
    }
    Ok(())
}

/// Every file below a folder, sorted by path.
pub fn tree(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| failed("read", &folder, &error))? {
            let path = entry.map_err(|error| failed("read", &folder, &error))?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The files directly in a folder whose name ends in one of these ways, sorted; none where the folder is not there.
pub fn ending_with(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.file_name()
                .and_then(OsStr::to_str)
                .is_some_and(|name| endings.iter().any(|ending| name.ends_with(ending)))
        })
        .collect();
    found.sort();
    found
}
