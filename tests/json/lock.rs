//! One owner at a time.

use crate::support::{Folder, agent, close, count_agents, refused};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use swarmstore::{ErrorCode, Store};

/// Tells a copy of this program that it is the other process, and what to open.
const URL: &str = "SWARMSTORE_TEST_URL";

/// Another process that has the folder open until its input ends.
fn other_process(folder: &Folder) -> Child {
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lock::a_second_process_is_locked_out", "--nocapture", "--test-threads=1"])
        .env(URL, folder.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("it is open")));
    other
}

#[test]
fn a_second_process_is_locked_out() {
    if let Ok(url) = std::env::var(URL) {
        let store = Store::open_blocking(&url).unwrap();
        store.write_blocking(|tx| tx.agents().put(agent("ada"))).unwrap();
        writeln!(std::io::stdout(), "it is open").unwrap();
        let _ = std::io::stdin().read(&mut [0]);
        return;
    }
    let folder = Folder::new();
    let mut other = other_process(&folder);
    let error = refused(folder.try_open(), ErrorCode::Locked);
    assert!(error.is_retryable());
    assert!(error.to_string().contains(&other.id().to_string()), "it says who has it: {error}");
    refused(Store::options().busy_timeout_ms(30).open_blocking(&folder.url()), ErrorCode::Locked);
    // Reading beside it is allowed.
    assert_eq!(count_agents(&folder.open_with(Store::options().read_only(true)).unwrap()), 1);

    other.kill().unwrap();
    other.wait().unwrap();
    // Nobody has to clear up after a process that was killed.
    assert_eq!(count_agents(&folder.open()), 1);
}

#[test]
fn whoever_waits_gets_the_folder_when_it_is_closed() {
    let folder = Folder::new();
    let first = folder.open();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| Store::options().busy_timeout_ms(60_000).open_blocking(&folder.url()));
        first.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
        close(&first);
        assert_eq!(count_agents(&second.join().unwrap().unwrap()), 1);
    });
}

#[test]
fn a_second_store_in_the_same_process_is_locked_out() {
    let folder = Folder::new();
    let first = folder.open();
    refused(folder.try_open(), ErrorCode::Locked);
    close(&first);
    let second = folder.open();
    refused(first.write_blocking(|tx| tx.agents().add(agent("ada"))), ErrorCode::Closed);
    drop(second);
    // A store that nobody closed lets go when it is dropped.
    Store::options().busy_timeout_ms(60_000).open_blocking(&folder.url()).unwrap();
}

#[test]
fn a_lock_whose_file_was_deleted_meanwhile_is_none() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path()).unwrap();
    let path = folder.path().join("swarmstore.lock");
    let destroyer = std::fs::File::create(&path).unwrap();
    destroyer.lock().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Store::options().busy_timeout_ms(60_000).open_blocking(&folder.url()));
        // Long enough for the other to have the file open; if it is not, this shows nothing, and fails nothing.
        std::thread::sleep(std::time::Duration::from_millis(100));
        std::fs::remove_file(&path).unwrap();
        drop(destroyer);
        let store = waiting.join().unwrap().unwrap();
        refused(folder.try_open(), ErrorCode::Locked);
        close(&store);
    });
}
