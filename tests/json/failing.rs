//! A save that fails: nothing is acknowledged, memory and files agree, and the next one succeeds.

use crate::support::{Folder, agent, append, block_on, close, count_agents, events, refused};
use std::path::PathBuf;
use swarmstore::{ErrorCode, Store, Tx};

/// Something in the way of a file, which even root cannot write to.
struct InTheWay(PathBuf);

impl InTheWay {
    fn of(folder: &Folder, name: &str) -> Self {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        InTheWay(path)
    }
}

impl Drop for InTheWay {
    fn drop(&mut self) {
        std::fs::remove_dir(&self.0).unwrap();
    }
}

fn both(tx: &Tx<'_>) -> swarmstore::Result<()> {
    tx.agents().add(agent("cid"))?;
    append(tx, &["fourth"])
}

fn fails_and_goes_on(obstacle: impl Fn(&Folder, u64) -> String) {
    let folder = Folder::filled();
    let store = folder.open();
    let (before, text) = (events(&store), folder.text("events.jsonl"));
    for attempt in 1..=4 {
        let obstacle = InTheWay::of(&folder, &obstacle(&folder, attempt));
        let refusal = match attempt {
            1 => refused(store.write_blocking(both), ErrorCode::PersistenceLost),
            2 => refused(block_on(store.write(both)), ErrorCode::PersistenceLost),
            _ => {
                let explicit = block_on(async {
                    let mut transaction = store.begin().await?;
                    transaction.run(both)?;
                    transaction.commit().await
                });
                refused(explicit, ErrorCode::PersistenceLost)
            }
        };
        assert!(!refusal.detail().committed);
        assert!(refusal.to_string().contains(&*obstacle.0.to_string_lossy()), "{refusal}");
        assert_eq!((count_agents(&store), events(&store)), (2, before.clone()));
        assert_eq!(folder.text("events.jsonl"), text, "the log ends where it did");
        // What is on the disk is the state before.
        let reading = folder.open_with(Store::options().read_only(true)).unwrap();
        assert_eq!((count_agents(&reading), events(&reading)), (2, before.clone()));
    }
    store.write_blocking(both).unwrap();
    assert_eq!((count_agents(&store), events(&store).len()), (3, 4));
    close(&store);
    let store = folder.open();
    assert_eq!((count_agents(&store), events(&store).len()), (3, 4));
}

#[test]
fn a_table_that_cannot_be_written_fails_the_commit_alone() {
    // Every attempt has a number of its own, so the obstacle is put in the way of the next one.
    fails_and_goes_on(|folder, attempt| format!("agents.{}.json", folder.generation() + attempt));
}

#[test]
fn a_manifest_that_cannot_be_written_fails_the_commit_after_a_log_has_grown() {
    fails_and_goes_on(|_, _| "manifest.json.tmp".to_owned());
}

#[test]
fn an_import_that_cannot_be_kept_changes_nothing() {
    let folder = Folder::filled();
    let store = folder.open();
    let other = Store::open_blocking("memory:").unwrap();
    let file = block_on(other.export()).unwrap();
    let obstacle = InTheWay::of(&folder, "manifest.json.tmp");
    refused(block_on(store.import(file.clone())), ErrorCode::PersistenceLost);
    assert_eq!(count_agents(&store), 2);
    drop(obstacle);
    block_on(store.import(file)).unwrap();
    assert_eq!(count_agents(&store), 0);
    store.write_blocking(|tx| tx.agents().add(agent("eve"))).unwrap();
    close(&store);
    assert_eq!(count_agents(&folder.open()), 1);
}

#[test]
fn closing_without_plain_names_keeps_everything() {
    let folder = Folder::filled();
    let store = folder.open();
    store.write_blocking(both).unwrap();
    let obstacle = InTheWay::of(&folder, "manifest.json.tmp");
    block_on(store.close()).unwrap();
    drop(obstacle);
    let store = folder.open();
    assert_eq!((count_agents(&store), events(&store).len()), (3, 4));
    close(&store);
    assert!(folder.names().contains(&"agents.json".to_owned()));
}
