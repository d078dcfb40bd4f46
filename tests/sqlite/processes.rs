//! Several stores on one file, also in several processes, also killed ones.

use crate::support::{Folder, agent, count_agents, open};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use swarmstore::{Expected, NewEvent, Stream, Tx};

/// Tells a copy of this program that it is the other process, and which file to write to.
const FILE: &str = "SWARMSTORE_TEST_FILE";

/// The file, if this is the other process.
fn as_other_process() -> Option<PathBuf> {
    std::env::var_os(FILE).map(PathBuf::from)
}

/// Runs one test of this program in another process.
fn other_process(test: &str, folder: &Folder) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(FILE, folder.file())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

fn append(tx: &Tx<'_>, event_type: &str) -> swarmstore::Result<i64> {
    let event = NewEvent::new(event_type, serde_json::json!({}));
    Ok(tx.events().append(&Stream::new("test", "shared"), vec![event], Expected::Any)?[0].sequence)
}

#[test]
fn two_stores_on_one_file_see_each_other() {
    let folder = Folder::new();
    let (one, other) = (folder.open(), folder.open());
    one.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    assert_eq!(count_agents(&other), 1);
    other.write_blocking(|tx| tx.agents().delete("ada")).unwrap();
    assert_eq!(count_agents(&one), 0);
}

#[test]
fn two_stores_that_write_at_once_lose_nothing() {
    let folder = Folder::new();
    let (one, other) = (folder.open(), folder.open());
    std::thread::scope(|scope| {
        for store in [&one, &other] {
            scope.spawn(move || {
                for _ in 0..50 {
                    store.write_blocking(|tx| append(tx, "thread")).unwrap();
                }
            });
        }
    });
    assert_eq!(one.read_blocking(|tx| tx.events().count()).unwrap(), 100);
    assert_eq!(one.write_blocking(|tx| append(tx, "last")).unwrap(), 101);
}

#[test]
fn many_who_open_a_new_file_at_once_all_get_it() {
    for _ in 0..20 {
        let folder = Folder::new();
        let together = std::sync::Barrier::new(6);
        std::thread::scope(|scope| {
            for number in 0..6 {
                let (folder, together) = (&folder, &together);
                scope.spawn(move || {
                    together.wait();
                    let store = folder.open();
                    store.write_blocking(|tx| tx.agents().add(agent(&number.to_string()))).unwrap();
                });
            }
        });
        assert_eq!(count_agents(&folder.open()), 6);
    }
}

#[test]
fn several_processes_that_write_at_once_lose_nothing() {
    if let Some(file) = as_other_process() {
        let store = open(&file).unwrap();
        for _ in 0..40 {
            store.write_blocking(|tx| append(tx, "process")).unwrap();
        }
        return;
    }
    let folder = Folder::new();
    let test = "processes::several_processes_that_write_at_once_lose_nothing";
    let others: Vec<Child> = (0..2).map(|_| other_process(test, &folder)).collect();
    let store = folder.open();
    for _ in 0..40 {
        store.write_blocking(|tx| append(tx, "parent")).unwrap();
    }
    for other in others {
        assert!(other.wait_with_output().unwrap().status.success());
    }
    assert_eq!(store.write_blocking(|tx| append(tx, "last")).unwrap(), 121);
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    if let Some(file) = as_other_process() {
        let store = open(&file).unwrap();
        for number in 0.. {
            store.write_blocking(|tx| tx.agents().add(agent(&number.to_string()))).unwrap();
            println!("kept {number}");
            std::io::stdout().flush().unwrap();
        }
    }
    for kept_before_the_kill in [1, 7, 40, 150] {
        let folder = Folder::new();
        let mut other = other_process("processes::what_was_acknowledged_survives_a_kill", &folder);
        let lines = BufReader::new(other.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut kept = lines.filter_map(|line| line.rsplit_once("kept ").map(|(_, number)| number.to_owned()));
        let acknowledged: Vec<String> = kept.by_ref().take(kept_before_the_kill).collect();
        other.kill().unwrap();
        let acknowledged: Vec<String> = acknowledged.into_iter().chain(kept).collect();
        other.wait().unwrap();

        let store = folder.open();
        assert!(acknowledged.len() >= kept_before_the_kill);
        for id in &acknowledged {
            assert!(store.read_blocking(|tx| tx.agents().get(id)).unwrap().is_some(), "{id} was acknowledged");
        }
        assert!(usize::try_from(count_agents(&store)).unwrap() <= acknowledged.len() + 1);
        assert_eq!(crate::support::block_on(store.check_integrity()).unwrap(), ["ok"]);
    }
}
