//! The lock file, which keeps a second process (and a second store in this one) out of a folder.

use super::disk::unavailable;
use super::names::LOCK;
use crate::error::{ErrorCode, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a lock that another holds is asked for again.
const AGAIN: Duration = Duration::from_millis(5);

/// Held until it is dropped. The system lets go of it as well when the process dies, however that happens.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the folder, waiting so long for another to let go of it.
    pub(super) fn take(folder: &Path, patience: Duration) -> Result<Self> {
        let path = folder.join(LOCK);
        let open = || {
            let mut options = OpenOptions::new();
            let opened = options.read(true).write(true).create(true).truncate(false).open(&path);
            opened.map_err(|error| unavailable(&path, error))
        };
        let mut file = open()?;
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => break,
                // Who had it before destroyed the store, and the file with it: its lock keeps nobody out any more.
                Ok(()) => file = open()?,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(AGAIN),
                Err(TryLockError::WouldBlock) => return Err(locked(folder, &mut file)),
                Err(TryLockError::Error(error)) => {
                    let reason = format!("{}: it could not be locked: {error}", path.display());
                    return Err(ErrorCode::Unavailable.error(reason).caused_by(error));
                }
            }
        }
        // For whoever wonders who has it; nothing depends on it.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Lock { _file: file })
    }
}

/// Whether the file that is open is the one with this name, and not one that was deleted since. Elsewhere than on Unix there
/// is no way to tell.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let (Ok(open), Ok(named)) = (file.metadata(), std::fs::metadata(path)) else { return false };
        (open.dev(), open.ino()) == (named.dev(), named.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        true
    }
}

fn locked(folder: &Path, file: &mut File) -> crate::Error {
    let mut holder = String::new();
    let _ = file.read_to_string(&mut holder); // says more, or not
    let holder = match holder.trim() {
        "" => String::new(),
        process => format!(", in process {process}"),
    };
    ErrorCode::Locked.error(format!("{} is open elsewhere{holder}", folder.display()))
}
