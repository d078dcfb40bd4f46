//! What can be had of a damaged folder.

use crate::support::{Folder, block_on, count_agents, events, refused};
use swarmstore::{ErrorCode, Store};

/// The rescued file as a store.
fn rescued(folder: &Folder) -> rusqlite::Connection {
    let file = block_on(Store::rescue(&folder.url())).expect("a file");
    let mut database = rusqlite::Connection::open_in_memory().unwrap();
    database.deserialize_read_exact(rusqlite::MAIN_DB, &*file, file.len(), false).unwrap();
    database
}

fn count(database: &rusqlite::Connection, table: &str) -> i64 {
    database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn a_sound_folder_is_rescued_whole() {
    let folder = Folder::filled();
    let file = block_on(Store::rescue(&folder.url())).unwrap();
    let store = Store::open_blocking("memory:").unwrap();
    block_on(store.import(file)).unwrap();
    assert_eq!((count_agents(&store), events(&store).len()), (2, 3));
}

#[test]
fn what_is_sound_is_rescued_from_damaged_files() {
    let folder = Folder::filled();
    folder.edit("agents.json", "\"name\":\"Ada\"", "\"name\":\"Ada");
    folder.edit("events.jsonl", "\"sequence\":2", "\"sequel\":2");
    std::fs::remove_file(folder.path().join("tasks.json")).unwrap();
    let names = folder.names();
    let database = rescued(&folder);
    assert_eq!((count(&database, "agents"), count(&database, "events"), count(&database, "tasks")), (1, 2, 0));
    assert_eq!(folder.names(), names, "nothing was changed");
}

#[test]
fn without_a_manifest_or_a_schema_the_files_are_found_by_their_names() {
    let folder = Folder::filled();
    folder.write("manifest.json", "{ torn");
    folder.write("schema.sql", "CREATE TABEL");
    let database = rescued(&folder);
    assert_eq!((count(&database, "agents"), count(&database, "events"), count(&database, "tasks")), (2, 3, 2));
    std::fs::remove_file(folder.path().join("manifest.json")).unwrap();
    assert_eq!(count(&rescued(&folder), "agents"), 2);
}

#[test]
fn a_file_that_was_laid_out_anew_is_rescued_up_to_its_fault() {
    let folder = Folder::filled();
    let tree: serde_json::Value = serde_json::from_str(&folder.text("agents.json")).unwrap();
    let pretty = serde_json::to_string_pretty(&tree).unwrap();
    folder.write("agents.json", &pretty[..pretty.len() - 20]);
    assert_eq!(count(&rescued(&folder), "agents"), 1);
}

#[test]
fn where_there_is_no_store_nothing_is_rescued() {
    refused(block_on(Store::rescue(&Folder::new().url())), ErrorCode::NotFound);
}
