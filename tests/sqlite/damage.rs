//! Files that are newer, altered or damaged.

use crate::support::{Folder, agent, block_on, count_agents, open, refused, task};
use swarmstore::{ErrorCode, Query, Store};

/// A closed store with one agent, altered by another program.
fn altered(sql: &str) -> Folder {
    let folder = Folder::new();
    let store = folder.open();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    store.write_blocking(|tx| tx.tasks().add(task("t"))).unwrap();
    block_on(store.close()).unwrap();
    drop(store);
    folder.raw().execute_batch(&format!("{sql}; PRAGMA wal_checkpoint(TRUNCATE);")).unwrap();
    folder
}

const NEWER: &str = "INSERT INTO schema_migrations VALUES (1000, 'from the future', 'x', 0)";
const EDITED: &str = "UPDATE schema_migrations SET checksum = 'edited' WHERE version = 1";

#[test]
fn a_database_newer_than_the_code_is_refused() {
    let folder = altered(NEWER);
    let error = refused(open(&folder.file()).map(|_| ()), ErrorCode::Migration);
    assert!(error.to_string().contains("1000"), "{error}");
}

#[test]
fn a_database_made_with_an_edited_migration_is_refused() {
    let folder = altered(EDITED);
    refused(open(&folder.file()).map(|_| ()), ErrorCode::Migration);
}

#[test]
fn a_refused_database_is_not_changed() {
    for alteration in [NEWER, EDITED] {
        let folder = altered(alteration);
        let before = std::fs::read(folder.file()).unwrap();
        refused(open(&folder.file()).map(|_| ()), ErrorCode::Migration);
        assert_eq!(std::fs::read(folder.file()).unwrap(), before);
    }
}

#[test]
fn an_import_that_is_newer_or_edited_is_refused_and_changes_nothing() {
    let folder = Folder::new();
    let store = folder.open();
    store.write_blocking(|tx| tx.agents().add_many([agent("1"), agent("2")])).unwrap();
    for alteration in [NEWER, EDITED] {
        let image = std::fs::read(altered(alteration).file()).unwrap();
        refused(block_on(store.import(image)), ErrorCode::Migration);
        assert_eq!(count_agents(&store), 2);
    }
}

#[test]
fn a_file_that_is_no_database_is_corrupt_and_stays_as_it_is() {
    let folder = Folder::new();
    let text = b"This is a letter, not a database. ".repeat(200);
    std::fs::write(folder.file(), &text).unwrap();
    refused(open(&folder.file()).map(|_| ()), ErrorCode::Corrupt);
    assert_eq!(std::fs::read(folder.file()).unwrap(), text);
}

#[test]
fn a_row_that_cannot_be_read_is_corrupt_and_not_skipped() {
    for damage in [
        "UPDATE agents SET capabilities = 'no list'",
        "UPDATE agents SET created_at = 'yesterday'",
        "UPDATE agents SET name = x'ff'",
        "UPDATE agents SET metadata = x'00'",
        "UPDATE agents SET agent_type = CAST(x'ff' AS TEXT)",
    ] {
        let folder = altered(damage);
        let store = folder.open();
        refused(store.read_blocking(|tx| tx.agents().list(&Query::new())), ErrorCode::Corrupt);
        refused(store.read_blocking(|tx| tx.agents().get("ada")), ErrorCode::Corrupt);
    }
    let folder = altered("UPDATE tasks SET backoff = '{\"kind\":\"sudden\"}'");
    let store = folder.open();
    refused(store.read_blocking(|tx| tx.tasks().get("t")), ErrorCode::Corrupt);
}

#[test]
fn a_scribbled_page_is_found_by_the_integrity_check() {
    let folder = Folder::new();
    let store = folder.open();
    store.write_blocking(|tx| tx.tasks().add_many((0..500).map(|id| task(&id.to_string())))).unwrap();
    block_on(store.close()).unwrap();
    drop(store);
    let mut image = std::fs::read(folder.file()).unwrap();
    let middle = image.len() / 2 / 4096 * 4096;
    image[middle..middle + 4096].fill(0xA5);
    std::fs::write(folder.file(), &image).unwrap();
    let store = open(&folder.file()).unwrap();
    match block_on(store.check_integrity()) {
        Ok(found) => assert_ne!(found, ["ok"]),
        Err(error) => assert_eq!(error.code(), ErrorCode::Corrupt, "{error}"),
    }
}

#[test]
fn a_reference_that_leads_nowhere_is_found_by_the_integrity_check() {
    let dangling = "PRAGMA foreign_keys = OFF; INSERT INTO task_errors VALUES ('no task', 1, 1, 1, 'x')";
    let folder = altered(dangling);
    let store = folder.open();
    let found = block_on(store.check_integrity()).unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("task_errors"), "{found:?}");
}

#[test]
fn the_database_itself_refuses_what_no_rule_would_let_through() {
    let folder = altered("");
    let raw = folder.raw();
    raw.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    for sql in [
        "UPDATE tasks SET status = 'sleeping'",
        "UPDATE tasks SET status = 'running'",
        "UPDATE tasks SET lease_token = 'x'",
        "UPDATE tasks SET priority = 10",
        "UPDATE tasks SET attempt = -1",
        "UPDATE tasks SET unmet_dependencies = -1",
        "UPDATE tasks SET parent_task_id = 'nothing'",
        "UPDATE tasks SET agent_id = 'nobody'",
        "UPDATE agents SET id = ''",
        "UPDATE agents SET version = 0",
        "UPDATE agents SET status = 'asleep'",
        "INSERT INTO task_dependencies VALUES ('t', 'nothing', 0)",
    ] {
        assert!(raw.execute_batch(sql).is_err(), "{sql}");
    }
    drop(raw);
    let _: Store = folder.open();
}
