//! Files: which are opened, and what goes out and in.

use crate::support::{Folder, agent, block_on, count_agents, open, refused, task};
use rusqlite::Connection;
use swarmstore::{ErrorCode, Query, Storage, Store, TaskId};

#[test]
fn a_file_is_opened_by_path_or_url_and_kept() {
    let folder = Folder::new();
    let store = block_on(Store::open(&format!("sqlite:{}", folder.file().display()))).unwrap();
    assert_eq!(store.storage(), Storage::File);
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    block_on(store.close()).unwrap();
    assert_eq!(count_agents(&folder.open()), 1);
}

#[test]
fn a_store_that_is_dropped_without_close_keeps_what_was_written() {
    let folder = Folder::new();
    let store = folder.open();
    block_on(store.write(|tx| tx.agents().add(agent("ada")))).unwrap();
    drop(store);
    assert_eq!(count_agents(&folder.open()), 1);
}

#[test]
fn a_closed_store_leaves_all_in_one_file() {
    let folder = Folder::new();
    let store = folder.open();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    count_agents(&store);
    block_on(store.close()).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let copy = Folder::new();
    std::fs::copy(folder.file(), copy.file()).unwrap();
    assert_eq!(count_agents(&copy.open()), 1);
}

#[test]
fn a_path_may_hold_any_character() {
    let folder = Folder::new();
    for name in ["with space", "quo'te\"s", "per%20cent", "question?mode=ro", "hash#tag", "ünïcode \u{1f41d}", ";DROP"]
    {
        let path = folder.path().join(name);
        let store = open(&path).unwrap();
        store.write_blocking(|tx| tx.agents().add(agent(name))).unwrap();
        block_on(store.close()).unwrap();
        assert!(path.is_file(), "{name}");
        assert_eq!(count_agents(&open(&path).unwrap()), 1);
    }
}

#[test]
fn a_url_that_makes_no_sense_is_refused() {
    for url in ["sqlite:", "a\0b"] {
        let error = refused(Store::open_blocking(url).map(|_| ()), ErrorCode::InvalidArgument);
        assert_eq!(error.detail().field.as_deref(), Some("url"));
    }
}

#[test]
fn a_backend_that_this_build_has_not_is_unsupported() {
    for url in ["indexeddb:demo", "postgres://localhost/x", "postgresql://localhost/x"] {
        refused(Store::open_blocking(url).map(|_| ()), ErrorCode::Unsupported);
    }
}

#[test]
fn a_file_that_cannot_be_reached_is_unavailable() {
    let folder = Folder::new();
    refused(open(&folder.path().join("missing/store.sqlite3")).map(|_| ()), ErrorCode::Unavailable);
    refused(open(folder.path()).map(|_| ()), ErrorCode::Unavailable);
}

#[test]
fn an_export_is_opened_by_other_programs_with_the_same_rows() {
    let folder = Folder::new();
    let store = folder.open();
    store.write_blocking(|tx| tx.tasks().add_many((0..50).map(|id| task(&id.to_string())))).unwrap();
    let exported = folder.path().join("exported.sqlite3");
    std::fs::write(&exported, block_on(store.export()).unwrap()).unwrap();
    let other = Connection::open(&exported).unwrap();
    let tasks: i64 = other.query_row("SELECT COUNT(*) FROM tasks", [], |row| row.get(0)).unwrap();
    let sound: String = other.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    let journal: String = other.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!((tasks, sound.as_str(), journal.as_str()), (50, "ok", "delete"));
    drop(other);
    let reopened = open(&exported).unwrap();
    assert_eq!(reopened.read_blocking(|tx| tx.tasks().count(&Query::new())).unwrap(), 50);
}

#[test]
fn an_export_of_a_file_goes_into_memory_and_back() {
    let folder = Folder::new();
    let (file, memory) = (folder.open(), Store::open_blocking("memory:").unwrap());
    file.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    block_on(memory.import(block_on(file.export()).unwrap())).unwrap();
    memory.write_blocking(|tx| tx.agents().add(agent("eve"))).unwrap();
    block_on(file.import(block_on(memory.export()).unwrap())).unwrap();
    assert_eq!((count_agents(&file), count_agents(&memory)), (2, 2));
    drop(file);
    assert_eq!(count_agents(&folder.open()), 2);
}

#[test]
fn a_file_with_another_page_size_and_a_log_is_imported() {
    let folder = Folder::new();
    let source = Folder::new();
    let store = source.open();
    store.write_blocking(|tx| tx.tasks().add_many((0..200).map(|id| task(&id.to_string())))).unwrap();
    block_on(store.close()).unwrap();
    drop(store);
    for page_size in [512, 8_192, 65_536] {
        let raw = source.raw();
        raw.execute_batch(&format!(
            "PRAGMA journal_mode = DELETE; PRAGMA page_size = {page_size}; VACUUM; PRAGMA journal_mode = WAL;"
        ))
        .unwrap();
        drop(raw);
        let image = std::fs::read(source.file()).unwrap();
        assert_eq!(image[18..20], [2, 2], "a header that says WAL");
        assert_eq!(u32::from(image[16]) * 256 + u32::from(image[17]), page_size % 65_536 + page_size / 65_536);

        for store in [folder.open(), Store::open_blocking("memory:").unwrap()] {
            block_on(store.import(image.clone())).unwrap();
            assert_eq!(store.read_blocking(|tx| tx.tasks().count(&Query::new())).unwrap(), 200);
            store.write_blocking(|tx| tx.tasks().delete("7")).unwrap();
            assert_eq!(block_on(store.check_integrity()).unwrap(), ["ok"]);
            block_on(store.close()).unwrap();
        }
        let reopened = folder.open();
        let seven = reopened.read_blocking(|tx| tx.tasks().get("7")).unwrap();
        assert_eq!(seven, None);
        block_on(reopened.close()).unwrap();
    }
}

#[test]
fn a_database_of_another_program_is_not_imported() {
    let folder = Folder::new();
    let store = folder.open();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    let foreign = folder.path().join("foreign.sqlite3");
    Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('x')")
        .unwrap();
    let error = refused(block_on(store.import(std::fs::read(&foreign).unwrap())), ErrorCode::InvalidArgument);
    assert_eq!(error.detail().field.as_deref(), Some("file"));
    assert_eq!(count_agents(&store), 1);
}

#[test]
fn an_import_with_a_reference_that_leads_nowhere_is_corrupt() {
    let folder = Folder::new();
    let store = folder.open();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    let broken = Folder::new();
    block_on(broken.open().close()).unwrap();
    broken
        .raw()
        .execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO task_errors VALUES ('no task', 1, 1, 1, 'x'); PRAGMA wal_checkpoint(TRUNCATE);")
        .unwrap();
    refused(block_on(store.import(std::fs::read(broken.file()).unwrap())), ErrorCode::Corrupt);
    assert_eq!(count_agents(&store), 1);
}

#[test]
fn an_import_waits_for_readers_and_they_see_one_state() {
    let folder = Folder::new();
    let store = folder.open();
    let empty = block_on(store.export()).unwrap();
    store.write_blocking(|tx| tx.agents().add_many([agent("ada"), agent("eve")])).unwrap();
    let full = block_on(store.export()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert!([0, 2].contains(&count_agents(&store)));
                }
            });
        }
        for _ in 0..10 {
            block_on(store.import(empty.clone())).unwrap();
            block_on(store.import(full.clone())).unwrap();
        }
    });
    assert_eq!(count_agents(&store), 2);
}

#[test]
fn a_destroyed_store_is_gone_and_its_name_can_be_used_again() {
    let folder = Folder::new();
    let url = folder.file().to_str().unwrap().to_owned();
    let store = folder.open();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    block_on(store.close()).unwrap();
    drop(store);
    block_on(Store::destroy(&url)).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    block_on(Store::destroy(&url)).unwrap();
    assert_eq!(count_agents(&folder.open()), 0);
}

#[test]
fn what_there_is_of_a_store_is_rescued() {
    let folder = Folder::new();
    let url = folder.file().to_str().unwrap().to_owned();
    refused(block_on(Store::rescue(&url)), ErrorCode::NotFound);
    let store = folder.open();
    store.write_blocking(|tx| tx.tasks().add(task("t"))).unwrap();
    block_on(store.close()).unwrap();
    let memory = Store::open_blocking("memory:").unwrap();
    block_on(memory.import(block_on(Store::rescue(&url)).unwrap())).unwrap();
    let id = TaskId::new("t").unwrap();
    assert!(memory.read_blocking(|tx| tx.tasks().get(&id)).unwrap().is_some());
}
