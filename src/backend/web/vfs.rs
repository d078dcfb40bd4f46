//! Our SQLite VFS: databases are pages in memory.
//!
//! Locks are answered by doing nothing: all connections of a store are on one thread, SQLite writes to the file only
//! inside a commit, and a commit is one synchronous call. So a second connection sees exactly the committed state, also
//! while a transaction is open on the first.

use super::pages::{Fault, Pages};
use rsqlite_vfs::ffi::{SQLITE_FCNTL_COMMIT_PHASETWO, SQLITE_FCNTL_PRAGMA, SQLITE_NOTFOUND, SQLITE_OK, sqlite3_file};
use rsqlite_vfs::{
    AccessMode, FileKind, LockLevel, OpenAccess, OpenOptions, OpenRequest, OpenedFile, SQLiteIoMethods, SQLiteVfs,
    SQLiteVfsFile, SyncOptions, VfsError, VfsErrorCode, VfsFile, VfsResult, VfsStore,
};
use sqlite_wasm_rs::WasmOsCallback;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::rc::Rc;

/// The name by which connections ask for it.
pub(super) const NAME: &CStr = c"swarmstore";

/// A file that several connections share.
pub(crate) type SharedPages = Rc<RefCell<Pages>>;

/// The files by name, and the last error for SQLite's diagnostics.
#[derive(Default)]
pub(crate) struct Files {
    files: RefCell<HashMap<String, SharedPages>>,
    last_error: RefCell<Option<VfsError>>,
}

impl Files {
    fn find(&self, name: &str) -> Option<SharedPages> {
        self.files.borrow().get(name).cloned()
    }
}

thread_local! {
    static FILES: &'static Files = register();
}

/// Registers the VFS once per module instance, for its whole life.
fn register() -> &'static Files {
    let files: &'static Files = Box::leak(Box::default());
    // SAFETY: one thread; the app data is leaked, and the callbacks are those of this module.
    let registered = unsafe { rsqlite_vfs::register_vfs::<Io, Vfs>("swarmstore", FilesRef(files), false) };
    if let Ok(registration) = registered {
        registration.into_raw();
    }
    files
}

/// What SQLite calls first instead of the `sqlite3_os_init` of its crate, which would bring a whole VFS of its own into the
/// module; `.cargo/config.toml` renames it. There is nothing to do: [`register`] has been called, or SQLite would not be.
#[unsafe(no_mangle)]
extern "C" fn swarmstore_os_init() -> c_int {
    SQLITE_OK
}

/// As [`swarmstore_os_init`], for the end.
#[unsafe(no_mangle)]
extern "C" fn swarmstore_os_end() -> c_int {
    SQLITE_OK
}

/// Puts a file under a name, to be opened by connections.
pub(super) fn mount(name: &str, pages: SharedPages) {
    FILES.with(|files| files.files.borrow_mut().insert(name.to_owned(), pages));
}

/// Takes the file away from under its name.
pub(super) fn unmount(name: &str) {
    FILES.with(|files| files.files.borrow_mut().remove(name));
}

/// The app data that SQLite's callbacks get.
#[derive(Clone, Copy)]
pub(crate) struct FilesRef(&'static Files);

/// One connection's handle.
pub(crate) struct Handle {
    pages: SharedPages,
    read_only: bool,
}

impl Handle {
    fn writable(&self) -> VfsResult<()> {
        if self.read_only {
            return Err(VfsError::new(VfsErrorCode::ReadOnly, "the file was opened read-only".into()));
        }
        Ok(())
    }
}

fn failed(fault: Fault) -> VfsError {
    let code = match fault {
        Fault::OutOfMemory => VfsErrorCode::Full,
        Fault::Damaged(_) => VfsErrorCode::Corrupt,
    };
    VfsError::new(code, fault.what().into())
}

fn address(offset: u64) -> VfsResult<usize> {
    usize::try_from(offset).map_err(|_| failed(Fault::OutOfMemory))
}

impl VfsFile for Handle {
    fn read(&mut self, buffer: &mut [u8], offset: u64) -> VfsResult<usize> {
        match usize::try_from(offset) {
            Ok(offset) => self.pages.borrow_mut().read(buffer, offset).map_err(failed),
            Err(_) => Ok(0),
        }
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> VfsResult<()> {
        self.writable()?;
        self.pages.borrow_mut().write(bytes, address(offset)?).map_err(failed)
    }

    fn truncate(&mut self, size: u64) -> VfsResult<()> {
        self.writable()?;
        let size = address(size)?;
        let mut pages = self.pages.borrow_mut();
        if size > pages.size() {
            return Err(VfsError::new(VfsErrorCode::IoTruncate, "truncating does not extend a file".into()));
        }
        pages.truncate(size).map_err(failed)
    }

    fn sync(&mut self, _options: SyncOptions) -> VfsResult<()> {
        Ok(())
    }

    fn size(&self) -> VfsResult<u64> {
        Ok(self.pages.borrow().size() as u64)
    }

    fn lock(&mut self, _level: LockLevel) -> VfsResult<()> {
        Ok(())
    }

    fn unlock(&mut self, _level: LockLevel) -> VfsResult<()> {
        Ok(())
    }

    fn check_reserved_lock(&self) -> VfsResult<bool> {
        Ok(false)
    }
}

/// How files are found, opened and deleted.
pub(crate) struct Store;

impl VfsStore for Store {
    type File = Handle;
    type AppData = FilesRef;

    fn record_error(data: &FilesRef, error: VfsError) {
        data.0.last_error.replace(Some(error));
    }

    fn last_error(data: &FilesRef) -> Option<VfsError> {
        data.0.last_error.borrow().clone()
    }

    fn open_file(data: &FilesRef, request: OpenRequest<'_>) -> VfsResult<OpenedFile<Handle>> {
        let options = request.options;
        let access = options.access();
        let opened = |pages| OpenedFile { file: Handle { pages, read_only: access == OpenAccess::ReadOnly }, access };
        let Some(name) = request.filename.map(rsqlite_vfs::VfsFilename::path) else {
            return Ok(opened(SharedPages::default()));
        };
        let refused = |what: &str| VfsError::new(VfsErrorCode::CantOpen, format!("{what}: {name:?}").into());
        match data.0.find(name) {
            Some(_) if options.exclusive() => Err(refused("the file exists already")),
            Some(pages) => Ok(opened(pages)),
            None if options.create() => {
                let pages = match options.kind() {
                    Some(FileKind::MainDb) => Rc::new(RefCell::new(Pages::tracked())),
                    _ => SharedPages::default(),
                };
                data.0.files.borrow_mut().insert(name.to_owned(), pages.clone());
                Ok(opened(pages))
            }
            None => Err(refused("there is no such file")),
        }
    }

    fn close_file(data: &FilesRef, name: Option<&str>, file: Handle, options: OpenOptions) -> VfsResult<()> {
        if let (Some(name), true) = (name, options.delete_on_close()) {
            // A file that was put there since under the same name is another one.
            if data.0.find(name).is_some_and(|current| Rc::ptr_eq(&current, &file.pages)) {
                data.0.files.borrow_mut().remove(name);
            }
        }
        Ok(())
    }

    fn access(data: &FilesRef, name: &str, _mode: AccessMode) -> VfsResult<bool> {
        Ok(data.0.find(name).is_some())
    }

    fn full_pathname(_data: &FilesRef, name: &str) -> VfsResult<String> {
        Ok(name.to_owned())
    }

    fn delete_file(data: &FilesRef, name: &str, _sync_dir: bool) -> VfsResult<()> {
        match data.0.files.borrow_mut().remove(name) {
            Some(_) => Ok(()),
            None => Err(VfsError::new(VfsErrorCode::IoDelete, format!("there is no such file: {name:?}").into())),
        }
    }
}

pub(crate) struct Io;

impl SQLiteIoMethods for Io {
    type Store = Store;

    unsafe extern "C" fn xFileControl(file: *mut sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
        match operation {
            // After the commit is complete, once per transaction: now its pages may be flushed.
            SQLITE_FCNTL_COMMIT_PHASETWO => {
                // SAFETY: SQLite passes a file that our xOpen has made, and uses it from one thread.
                let handle = unsafe { (*SQLiteVfsFile::from_file(file)).handle::<Handle>() };
                handle.pages.borrow_mut().commit();
                SQLITE_OK
            }
            // SAFETY: for this operation SQLite passes an array of strings: the answer, the name, the value.
            SQLITE_FCNTL_PRAGMA => unsafe { refuse_pragma(argument.cast::<*mut c_char>()) },
            _ => SQLITE_NOTFOUND,
        }
    }
}

/// The pragmas on which the promises of this backend rest are not changed once the connection is set up. WAL in
/// particular would succeed and then lose what is in its second file.
unsafe fn refuse_pragma(arguments: *mut *mut c_char) -> c_int {
    // SAFETY: the second and third elements are NUL-terminated strings or null.
    let text = |at: usize| unsafe {
        let text = *arguments.add(at);
        if text.is_null() { None } else { CStr::from_ptr(text).to_str().ok() }
    };
    let (Some(name), Some(value)) = (text(1), text(2)) else { return SQLITE_NOTFOUND };
    let refused = (name.eq_ignore_ascii_case("journal_mode") && !value.eq_ignore_ascii_case("memory"))
        || (name.eq_ignore_ascii_case("locking_mode") && !value.eq_ignore_ascii_case("normal"))
        || (name.eq_ignore_ascii_case("cache_spill")
            && !["0", "off", "false", "no"].iter().any(|off| value.eq_ignore_ascii_case(off)));
    if refused { rsqlite_vfs::ffi::SQLITE_ERROR } else { SQLITE_NOTFOUND }
}

struct Vfs;

impl SQLiteVfs<Io> for Vfs {
    type Os = WasmOsCallback;

    fn os(_data: &FilesRef) -> &WasmOsCallback {
        &WasmOsCallback
    }
}

/// Runs the test suite that comes with the VFS traits on this VFS.
///
/// # Errors
/// What the suite found, as text.
#[cfg(feature = "testing")]
pub fn check_vfs() -> Result<(), String> {
    let files = FilesRef(Box::leak(Box::default()));
    rsqlite_vfs::test_suite::test_vfs_store::<Store>(rsqlite_vfs::VfsAppData::new(files))
        .map_err(|error| error.to_string())
}
