//! A full disk, and a file that may not grow: a clear error, nothing acknowledged is lost, and the store goes on.

use crate::child;
use crate::place::{Kind, folder, stream, written};
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use swarmstore::testing::block_on;
use swarmstore::{AgentId, ErrorCode, Expected, NewAgent, NewEvent, Result, Store, Tx};

/// The size of the small disk, and of the file on it that is deleted to make room again.
const DISK: &str = "2m";
const BALLAST: usize = 512 * 1024;
/// More writes than fit.
const MANY: usize = 2_000;

/// A file system in memory of a few MiB.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts one. Where that is not allowed, says so where it is seen, and gives none.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = format!("size={DISK}");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output();
        let reason = match output {
            Ok(output) if output.status.success() => return Some(SmallDisk(folder)),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        // Not by a macro of the tests', whose output is hidden when they pass.
        let _ = writeln!(
            std::io::stderr(),
            "LIMIT OF THIS MACHINE: no small disk can be mounted ({reason}); what happens on a full disk is tested by a \
             limit of the file size alone"
        );
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: threads of a store that was dropped may still be about to close their files.
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(std::thread::panicking() || unmounted.is_ok_and(|status| status.success()), "the small disk goes away");
    }
}

fn add(tx: &Tx<'_>, number: usize) -> Result<()> {
    let id = format!("{number:05}");
    tx.agents().add(NewAgent::new("worker").id(AgentId::new(&id)?).metadata(json!({ "text": "x".repeat(12_000) })))?;
    tx.events().append(&stream(), vec![NewEvent::new(id, json!({}))], Expected::Any)?;
    Ok(())
}

/// Writes until it is refused; gives how many were acknowledged, and the refusal.
fn fill(store: &Store, from: usize) -> (usize, swarmstore::Error) {
    for number in from..from + MANY {
        let outcome = match number % 2 {
            0 => store.write_blocking(|tx| add(tx, number)),
            _ => block_on(store.write(move |tx| add(tx, number))),
        };
        if let Err(error) = outcome {
            return (number, error);
        }
    }
    panic!("{MANY} writes fit on a small disk")
}

#[track_caller]
fn holds(store: &Store, count: usize) {
    let expected: Vec<String> = (0..count).map(|number| format!("{number:05}")).collect();
    let (agents, events) = written(store);
    assert_eq!((agents.len(), events.len()), (count, count));
    assert_eq!((agents, events), (expected.clone(), expected));
    assert_eq!(block_on(store.check_integrity()).unwrap(), ["ok"]);
}

fn goes_on_after_a_full_disk(kind: Kind) {
    let Some(disk) = SmallDisk::mount() else { return };
    let folder = disk.0.path();
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![1; BALLAST]).expect("ballast");
    let store = kind.open(folder).expect("the store opens");
    let (count, error) = fill(&store, 0);
    assert_eq!(
        (error.code(), error.is_retryable(), error.detail().committed),
        (ErrorCode::Quota, true, false),
        "{error}"
    );
    assert!(count >= 5, "some fitted: {count}");
    holds(&store, count);
    // Refused again, by every way to write, and nothing of it stays.
    let explicit = block_on(async {
        let mut transaction = store.begin().await?;
        transaction.run(|tx| (count..count + 400).try_for_each(|number| add(tx, number)))?;
        transaction.commit().await
    });
    assert_eq!(explicit.expect_err("no room").code(), ErrorCode::Quota);
    holds(&store, count);

    std::fs::remove_file(&ballast).expect("room");
    for number in count..count + 5 {
        store.write_blocking(|tx| add(tx, number)).expect("there is room again");
    }
    holds(&store, count + 5);
    let (count, error) = fill(&store, count + 5);
    assert_eq!(error.code(), ErrorCode::Quota);
    drop(store);
    let store = kind.open(folder).expect("it opens on a full disk, or nearly");
    holds(&store, count);
    // On the full disk this may fail, and everything is kept all the same.
    let _ = block_on(store.close());
    drop(store);
}

#[test]
fn a_full_disk_is_a_clear_error_and_a_sqlite_file_goes_on() {
    goes_on_after_a_full_disk(Kind::Sqlite);
}

#[test]
fn a_full_disk_is_a_clear_error_and_json_files_go_on() {
    goes_on_after_a_full_disk(Kind::Json);
}

/// The same where nothing can be mounted: a process whose files may not grow beyond 512 KiB.
fn goes_on_under_a_limit(test: &str, kind: Kind) {
    let (_guard, folder) = folder();
    // Blocks of 512 bytes. Without the trap the signal would end the process.
    let limits = "trap '' XFSZ; ulimit -f 1024";
    let output = child::command(test, kind, &folder, Some(limits)).output().expect("a process");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    let count = said.lines().find_map(|line| child::said(line)?.strip_prefix("acknowledged ")?.parse().ok());
    let count: usize = count.unwrap_or_else(|| panic!("{said}"));
    assert!(count >= 5, "some fitted: {count}");

    // Without the limit it is a store like any other.
    let store = kind.open(&folder).expect("the store opens");
    holds(&store, count);
    store.write_blocking(|tx| add(tx, count)).expect("there is room");
    holds(&store, count + 1);
}

/// The process under the limit.
fn fill_under_the_limit(kind: Kind, folder: &Path) {
    let store = kind.open(folder).expect("the store opens");
    let (count, error) = fill(&store, 0);
    // SQLite tells a file that has reached its limit from a full disk, but not by a code of its own.
    let expected = if kind == Kind::Json { ErrorCode::Quota } else { ErrorCode::PersistenceLost };
    assert_eq!((error.code(), error.detail().committed), (expected, false), "{error:?}");
    holds(&store, count);
    assert!(store.write_blocking(|tx| add(tx, count)).is_err());
    holds(&store, count);
    child::say(&format!("acknowledged {count}"));
    // Ends as a process does that has other worries than to close.
    std::mem::forget(store);
}

#[test]
fn a_file_that_may_not_grow_is_a_clear_error_and_a_sqlite_file_goes_on() {
    match child::orders() {
        Some((kind, folder)) => fill_under_the_limit(kind, &folder),
        None => goes_on_under_a_limit(
            "disk::a_file_that_may_not_grow_is_a_clear_error_and_a_sqlite_file_goes_on",
            Kind::Sqlite,
        ),
    }
}

#[test]
fn a_file_that_may_not_grow_is_a_clear_error_and_json_files_go_on() {
    match child::orders() {
        Some((kind, folder)) => fill_under_the_limit(kind, &folder),
        None => {
            goes_on_under_a_limit("disk::a_file_that_may_not_grow_is_a_clear_error_and_json_files_go_on", Kind::Json);
        }
    }
}
