//! Files to open, and what the tests share.

use serde_json::json;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use swarmstore::testing::Url;
use swarmstore::{AgentId, ErrorCode, NewAgent, NewTask, Query, Result, Store, TaskId};
use tempfile::TempDir;

/// A place for one case of the contract suite.
pub fn a_file() -> Url {
    let folder = Folder::new();
    Url::kept(format!("sqlite:{}", folder.file().display())).with(folder)
}

/// A folder of its own, deleted in the end.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self) -> PathBuf {
        self.path().join("store.sqlite3")
    }

    /// A store in [`file`](Self::file).
    pub fn open(&self) -> Store {
        open(&self.file()).expect("the store opens")
    }

    /// The file as another program sees it.
    pub fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).expect("the file opens")
    }
}

pub fn open(path: &Path) -> Result<Store> {
    Store::open_blocking(path.to_str().expect("a path in UTF-8"))
}

pub use swarmstore::testing::block_on;

pub fn agent(id: &str) -> NewAgent {
    NewAgent::new("worker").id(AgentId::new(id).expect("an id"))
}

pub fn task(id: &str) -> NewTask {
    NewTask::new("work", json!({})).id(TaskId::new(id).expect("an id"))
}

pub fn count_agents(store: &Store) -> i64 {
    store.read_blocking(|tx| tx.agents().count(&Query::new())).expect("a count")
}

#[track_caller]
pub fn refused<T: Debug>(result: Result<T>, code: ErrorCode) -> swarmstore::Error {
    let error = result.expect_err("a refusal");
    assert_eq!(error.code(), code, "{error}");
    error
}
