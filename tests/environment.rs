//! The URL of the environment, in processes of their own: an environment belongs to a whole process.
#![cfg(not(target_family = "wasm"))]

use std::process::Command;
use swarmstore::{NewAgent, Store};

/// Tells a copy of this program that it is the other process.
const ROLE: &str = "SWARMSTORE_TEST_ROLE";

/// Opens a store without a URL in another process, in this environment; gives what it says.
fn opened_with(environment: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "without_a_url_the_environment_names_the_store", "--nocapture", "--test-threads=1"])
        .env(ROLE, "child")
        .env_remove("SWARMSTORE_URL")
        .env_remove("POSTGRES_URL")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find_map(|line| line.split_once("outcome: ")).map(|(_, outcome)| outcome.to_owned());
    line.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn without_a_url_the_environment_names_the_store() {
    if std::env::var_os(ROLE).is_some() {
        match Store::open_blocking("") {
            Ok(store) => {
                store.write_blocking(|tx| tx.agents().add(NewAgent::new("worker"))).unwrap();
                println!("outcome: {}", store.storage().as_str());
            }
            Err(error) => println!("outcome: {} {error}", error.code().as_str()),
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first.sqlite3"), folder.path().join("second.sqlite3"));
    let url = first.to_str().unwrap();
    assert_eq!(opened_with(&[("SWARMSTORE_URL", url), ("POSTGRES_URL", second.to_str().unwrap())]), "file");
    assert!(first.exists() && !second.exists());
    assert_eq!(opened_with(&[("SWARMSTORE_URL", ""), ("POSTGRES_URL", second.to_str().unwrap())]), "file");
    assert!(second.exists());
    assert_eq!(opened_with(&[("SWARMSTORE_URL", "memory:")]), "memory");
    let neither = opened_with(&[]);
    assert!(neither.starts_with("INVALID_ARGUMENT") && neither.contains("SWARMSTORE_URL"), "{neither}");
}
