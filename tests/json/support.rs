//! Folders to open, and what the tests share.

use serde_json::json;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use swarmstore::testing::Url;
use swarmstore::{
    AgentId, Backoff, Claim, ErrorCode, EventFilter, Expected, NewAgent, NewEvent, NewTask, Options, Query, Result,
    Store, Stream, TaskId, Tx,
};
use tempfile::TempDir;

pub use swarmstore::testing::block_on;

/// A place for one case of the contract suite.
pub fn a_folder() -> Url {
    let folder = Folder::new();
    Url::kept(folder.url()).with(folder)
}

/// A place for a store, deleted in the end.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The store's own folder, inside the temporary one.
    pub fn path(&self) -> PathBuf {
        self.0.path().join("store")
    }

    pub fn url(&self) -> String {
        url(&self.path())
    }

    pub fn open(&self) -> Store {
        self.try_open().expect("the store opens")
    }

    pub fn try_open(&self) -> Result<Store> {
        self.open_with(Store::options())
    }

    /// Does not wait for the lock.
    pub fn open_with(&self, options: Options) -> Result<Store> {
        options.busy_timeout_ms(0).open_blocking(&self.url())
    }

    /// The names in the folder, without the lock's.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).expect("the folder");
        let names = entries.map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| name != "swarmstore.lock").collect();
        names.sort_unstable();
        names
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("a file is written");
    }

    /// The number of the last commit.
    pub fn generation(&self) -> u64 {
        let manifest: serde_json::Value = serde_json::from_str(&self.text("manifest.json")).expect("JSON");
        manifest["generation"].as_u64().expect("a number")
    }

    /// Changes a file by hand; what is to be replaced has to be there.
    #[track_caller]
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.text(name);
        assert!(text.contains(from), "{from} is in {text}");
        self.write(name, &text.replacen(from, to, 1));
    }
}

pub fn url(folder: &Path) -> String {
    format!("json:{}", folder.display())
}

pub fn agent(id: &str) -> NewAgent {
    NewAgent::new("worker").id(AgentId::new(id).expect("an id"))
}

pub fn task(id: &str) -> NewTask {
    NewTask::new("work", json!({})).id(TaskId::new(id).expect("an id"))
}

pub fn count_agents(store: &Store) -> i64 {
    store.read_blocking(|tx| tx.agents().count(&Query::new())).expect("a count")
}

pub fn close(store: &Store) {
    block_on(store.close()).expect("the store closes");
}

#[track_caller]
pub fn refused<T: Debug>(result: Result<T>, code: ErrorCode) -> swarmstore::Error {
    let error = result.expect_err("a refusal");
    assert_eq!(error.code(), code, "{error}");
    error
}

impl Folder {
    /// A closed store with two agents, two tasks of which one is claimed by an agent and has failed once, and three events.
    pub fn filled() -> Self {
        let folder = Folder::new();
        let store = folder.open();
        store
            .write_blocking(|tx| {
                tx.agents().add(agent("ada").name("Ada").metadata(json!({ "likes": ["tea", "é"] })))?;
                tx.agents().add(agent("bob"))?;
                tx.tasks().add(task("one").backoff(Backoff::fixed(1)))?;
                tx.tasks().add(task("two").dependencies([TaskId::new("one")?]))?;
                let claimed = tx.tasks().claim(&AgentId::new("ada")?, &Claim::default())?;
                tx.tasks().fail(&claimed[0].id, claimed[0].lease_token.as_deref().unwrap_or_default(), "broken")?;
                append(tx, &["first", "second", "third"])
            })
            .expect("something in it");
        close(&store);
        folder
    }
}

pub fn append(tx: &Tx<'_>, types: &[&str]) -> Result<()> {
    let events = types.iter().map(|name| NewEvent::new(*name, json!({ "name": name }))).collect();
    tx.events().append(&Stream::new("test", "stream"), events, Expected::Any)?;
    Ok(())
}

/// The types and positions of all events.
pub fn events(store: &Store) -> Vec<(String, i64)> {
    let all = store.read_blocking(|tx| tx.events().read_all(&EventFilter::default())).expect("events");
    all.into_iter().map(|event| (event.event_type, event.position)).collect()
}
