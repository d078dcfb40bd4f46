//! Where the stores under test lie.

use std::path::{Path, PathBuf};
use swarmstore::{Options, Query, Result, Store, Stream};

/// What kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Json,
}

impl Kind {
    pub fn url(self, folder: &Path) -> String {
        match self {
            Kind::Sqlite => format!("sqlite:{}", folder.join("store.sqlite3").display()),
            Kind::Json => format!("json:{}", folder.join("store").display()),
        }
    }

    pub fn open(self, folder: &Path) -> Result<Store> {
        Options::default().open_blocking(&self.url(folder))
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Sqlite => "sqlite",
            Kind::Json => "json",
        }
    }

    pub fn named(name: &str) -> Self {
        if name == "json" { Kind::Json } else { Kind::Sqlite }
    }
}

/// A folder on the machine's own disk.
pub fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().to_owned();
    (folder, path)
}

/// The stream that every write of these tests appends to.
pub fn stream() -> Stream {
    Stream::new("test", "written")
}

/// Ids of all agents, and the types of all events, in order.
pub fn written(store: &Store) -> (Vec<String>, Vec<String>) {
    let all = store.read_blocking(|tx| {
        let agents = tx.agents().list(&Query::new().unlimited())?;
        let mut from = swarmstore::ReadStream::default();
        from.limit = u32::MAX;
        let events = tx.events().read(&stream(), from)?;
        Ok::<_, swarmstore::Error>((agents, events))
    });
    let (agents, events) = all.expect("what is stored");
    let sequences: Vec<i64> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..).take(events.len()).collect::<Vec<i64>>(), "a stream has no gaps");
    assert!(events.windows(2).all(|pair| pair[0].position < pair[1].position));
    (
        agents.into_iter().map(|agent| agent.id.to_string()).collect(),
        events.into_iter().map(|event| event.event_type).collect(),
    )
}
