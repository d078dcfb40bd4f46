//! Reading and writing files, with errors that name the file.

use crate::error::{Error, ErrorCode, Result};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// How much is written at once.
const BUFFER: usize = 256 * 1024;

/// A write that failed. A full disk, quota or size limit is `QUOTA`.
pub(super) fn unwritable(path: &Path, error: io::Error) -> Error {
    let (code, what) = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            (ErrorCode::Quota, "there is no space left for it")
        }
        _ => (ErrorCode::PersistenceLost, "it could not be written"),
    };
    code.error(format!("{}: {what}: {error}", path.display())).caused_by(error)
}

/// A folder or lock that could not be made. A full disk is `QUOTA` here as well.
pub(super) fn unavailable(path: &Path, error: io::Error) -> Error {
    let refused = unwritable(path, error);
    if refused.code() == ErrorCode::Quota {
        return refused;
    }
    ErrorCode::Unavailable.error(refused.to_string()).caused_by(refused)
}

/// A read that failed.
pub(super) fn unreadable(path: &Path, error: io::Error) -> Error {
    ErrorCode::Unavailable.error(format!("{}: it could not be read: {error}", path.display())).caused_by(error)
}

/// A file's content that is not as a store leaves it; `line` counts from 1.
pub(super) fn corrupt(path: &Path, line: Option<usize>, reason: impl std::fmt::Display) -> Error {
    let place = line.map(|line| format!(", line {line}")).unwrap_or_default();
    ErrorCode::Corrupt.error(format!("{}{place}: {reason}", path.display()))
}

/// The line that a byte is in, from 1.
pub(super) fn line_of(text: &[u8], at: usize) -> usize {
    text[..at.min(text.len())].split(|byte| *byte == b'\n').count()
}

/// The whole of a text file; `None` when there is none.
pub(super) fn read_text(path: &Path) -> Result<Option<String>> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| unreadable(path, error))?,
    };
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        corrupt(path, Some(line), "is not UTF-8")
    })
}

/// A file that is being filled. It is on the disk when [`finish`](Self::finish) has succeeded.
pub(super) struct NewFile {
    path: PathBuf,
    writer: BufWriter<File>,
}

impl NewFile {
    /// Makes a file, or empties the one that is there.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|error| unwritable(path, error))?;
        Ok(NewFile { path: path.to_owned(), writer: BufWriter::with_capacity(BUFFER, file) })
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).map_err(|error| unwritable(&self.path, error))
    }

    pub(super) fn finish(self) -> Result<()> {
        let NewFile { path, writer } = self;
        let file = writer.into_inner().map_err(|error| unwritable(&path, error.into_error()))?;
        file.sync_all().map_err(|error| unwritable(&path, error))
    }
}

/// Makes a file with this content, or replaces the one that is there; returns when it is on the disk.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = NewFile::create(path)?;
    file.put(bytes)?;
    file.finish()
}

/// Adds to the end of a file whose length is known and gives its new one; returns when it is on the disk.
pub(super) fn append(path: &Path, length: u64, bytes: &[u8]) -> Result<u64> {
    let failed = |error| unwritable(path, error);
    let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(length)).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_data().map_err(failed)?;
    Ok(length + bytes.len() as u64)
}

/// Gives a file a second name, in the place of what had it before.
pub(super) fn link(from: &Path, to: &Path) -> Result<()> {
    match std::fs::remove_file(to) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(unwritable(to, error)),
        _ => {}
    }
    if std::fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    // Not every file system has links.
    let failed = |error| unwritable(to, error);
    std::fs::copy(from, to).map_err(failed)?;
    File::open(to).and_then(|file| file.sync_all()).map_err(failed)
}

/// Cuts a file off; returns when that is on the disk.
pub(super) fn cut(path: &Path, length: u64) -> Result<()> {
    let failed = |error| unwritable(path, error);
    let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
    file.set_len(length).map_err(failed)?;
    file.sync_data().map_err(failed)
}

/// Puts one file in the place of another, atomically.
pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|error| unwritable(to, error))
}

/// Makes sure that the names in a folder are on the disk. Only Unix has a way to ask for it.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unwritable(folder, error))?;
    }
    Ok(())
}

/// Makes a folder and those above it that are missing; returns when their names are on the disk.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    std::fs::create_dir_all(folder).map_err(|error| unavailable(folder, error))?;
    for made in missing {
        match made.parent() {
            Some(above) if above.as_os_str().is_empty() => sync_folder(Path::new("."))?,
            Some(above) => sync_folder(above)?,
            None => {}
        }
    }
    Ok(())
}

/// The names in a folder; none when it is not there.
pub(super) fn names(folder: &Path) -> Result<Vec<String>> {
    let failed = |error| unreadable(folder, error);
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}
