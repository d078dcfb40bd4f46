//! What lies in a folder, and what a commit changes of it.

use crate::support::{Folder, agent, append, block_on, close, count_agents, events, refused, task, url};
use std::collections::BTreeMap;
use std::future::Future as _;
use std::task::{Context, Waker};
use swarmstore::{AgentId, AgentPatch, ErrorCode, GroupId, NewGroup, Storage, Store, TaskId};

/// Every file with its text.
fn everything(folder: &Folder) -> BTreeMap<String, String> {
    folder.names().into_iter().map(|name| (name.clone(), folder.text(&name))).collect()
}

#[test]
fn a_closed_folder_has_a_plain_file_per_table_with_rows() {
    let folder = Folder::filled();
    assert_eq!(
        folder.names(),
        [
            "agents.json",
            "events.jsonl",
            "manifest.json",
            "schema.sql",
            "schema_migrations.json",
            "task_dependencies.json",
            "task_errors.jsonl",
            "tasks.json"
        ]
    );
    assert_eq!(folder.open().storage(), Storage::Json);
}

#[test]
fn a_file_is_json_with_a_row_per_line_in_the_order_of_the_key() {
    let folder = Folder::filled();
    let text = folder.text("agents.json");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[3]), (4, "[", "]"));
    assert!(lines[1].starts_with(r#"{"id":"ada","agent_type":"worker","name":"Ada","#), "{}", lines[1]);
    assert!(lines[1].contains(r#""metadata":{"likes":["tea","é"]}"#), "{}", lines[1]);
    assert!(lines[2].starts_with(r#"{"id":"bob","#), "{}", lines[2]);
    for name in folder.names().iter().filter(|name| name.rsplit_once('.').is_some_and(|(_, form)| form == "json")) {
        serde_json::from_str::<serde_json::Value>(&folder.text(name)).expect("JSON");
    }
    for line in folder.text("events.jsonl").lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    }
}

#[test]
fn opening_and_closing_changes_no_file() {
    let folder = Folder::filled();
    let before = everything(&folder);
    for _ in 0..2 {
        close(&folder.open());
        assert_eq!(everything(&folder), before);
    }
    // A transaction that changes nothing, or is rolled back, changes no file.
    let store = folder.open();
    store.write_blocking(|tx| tx.agents().get("ada")).unwrap();
    let undone = store.write_blocking(|tx| {
        tx.agents().delete("ada")?;
        Err::<(), _>(ErrorCode::Aborted.error("on purpose"))
    });
    refused(undone, ErrorCode::Aborted);
    assert_eq!(everything(&folder), before);
}

#[test]
fn a_changed_record_is_a_changed_line() {
    let folder = Folder::filled();
    let before = everything(&folder);
    let store = folder.open();
    store.write_blocking(|tx| tx.agents().update("bob", AgentPatch::new().name("Bob"))).unwrap();
    close(&store);
    let after = everything(&folder);
    let changed: Vec<&String> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!(changed, ["agents.json", "manifest.json"]);
    let differs =
        |name: &str| before[name].lines().zip(after[name].lines()).filter(|(one, other)| one != other).count();
    assert_eq!((differs("agents.json"), differs("manifest.json")), (1, 1));
}

#[test]
fn a_commit_writes_the_tables_that_it_changes_and_no_others() {
    let folder = Folder::filled();
    let store = folder.open();
    let inode = |name: &str| std::fs::metadata(folder.path().join(name)).map(|file| identity(&file)).expect("the file");
    let (agents, tasks, log) = (inode("agents.json"), inode("tasks.json"), inode("events.jsonl"));
    store.write_blocking(|tx| append(tx, &["fourth"])).unwrap();
    assert_eq!((inode("agents.json"), inode("tasks.json")), (agents, tasks));
    assert_eq!(inode("events.jsonl"), log, "the log grows where it is");

    store.write_blocking(|tx| tx.agents().update("bob", AgentPatch::new().name("Bob"))).unwrap();
    assert!(!folder.names().contains(&"agents.json".to_owned()), "{:?}", folder.names());
    assert_eq!(inode("tasks.json"), tasks);
    let agents: Vec<String> = folder.names().into_iter().filter(|name| name.starts_with("agents.")).collect();
    assert_eq!(agents.len(), 1, "the file before is gone: {agents:?}");
    close(&store);
    assert!(folder.names().contains(&"agents.json".to_owned()));
}

#[cfg(unix)]
fn identity(file: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(file)
}

#[cfg(not(unix))]
fn identity(file: &std::fs::Metadata) -> u64 {
    file.created().ok().and_then(|at| at.elapsed().ok()).map_or(0, |age| age.as_secs())
}

#[test]
fn commits_that_wait_together_share_one_save() {
    let folder = Folder::filled();
    let store = folder.open();
    let before = folder.generation();
    let held = block_on(store.begin()).unwrap();
    let writes: Vec<_> = (0..20)
        .map(|number| {
            let store = store.clone();
            let mut write =
                Box::pin(
                    async move { store.write(move |tx| tx.agents().add(agent(&format!("agent-{number}")))).await },
                );
            let waits = write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
            assert!(waits, "the writer is held");
            write
        })
        .collect();
    block_on(held.commit()).unwrap();
    for write in writes {
        block_on(write).unwrap();
    }
    assert_eq!((count_agents(&store), folder.generation()), (22, before + 1));
}

#[test]
fn a_log_grows_and_is_never_rewritten_by_adding() {
    let folder = Folder::filled();
    let before = folder.text("events.jsonl");
    let store = folder.open();
    for number in 0..5 {
        store.write_blocking(|tx| append(tx, &[&format!("more-{number}"), "and more"])).unwrap();
        let now = folder.text("events.jsonl");
        assert!(now.starts_with(&before), "{now}");
        assert!(now.ends_with("}\n"));
    }
    close(&store);
    assert_eq!(events(&folder.open()).len(), 13);
}

#[test]
fn a_log_whose_rows_are_deleted_is_written_anew() {
    let folder = Folder::filled();
    assert_eq!(folder.text("task_errors.jsonl").lines().filter(|line| line.contains("broken")).count(), 1);
    let store = folder.open();
    // A task takes its errors and its edges with it, by a cascade.
    store.write_blocking(|tx| tx.tasks().delete_many(["two", "one"])).unwrap();
    close(&store);
    let names = folder.names();
    assert!(
        !names.iter().any(|name| name.starts_with("task_errors") || name.starts_with("task_dependencies")),
        "{names:?}"
    );
    let store = folder.open();
    assert!(store.read_blocking(|tx| tx.tasks().get("one")).unwrap().is_none());
    assert_eq!(count_agents(&store), 2);
}

#[test]
fn what_a_savepoint_took_back_is_not_written() {
    let folder = Folder::filled();
    let store = folder.open();
    block_on(async {
        let mut transaction = store.begin().await.unwrap();
        transaction.run(|tx| append(tx, &["stays"])).unwrap();
        let failing = transaction.run(|tx| {
            append(tx, &["goes"])?;
            Err::<(), _>(ErrorCode::Aborted.error("on purpose"))
        });
        refused(failing, ErrorCode::Aborted);
        transaction.run(|tx| append(tx, &["stays too"])).unwrap();
        transaction.commit().await.unwrap();
    });
    let before = events(&store);
    close(&store);
    assert!(!folder.text("events.jsonl").contains("goes"));
    assert_eq!(events(&folder.open()), before);
    assert_eq!(before.len(), 5);
}

#[test]
fn a_position_is_given_once_also_after_reopening() {
    let folder = Folder::filled();
    assert!(folder.text("manifest.json").contains("\"events\": 3\n"));
    // As if rows 4 to 40 had been there and been taken out.
    folder.edit("manifest.json", "\"events\": 3\n", "\"events\": 40\n");
    let store = folder.open();
    store.write_blocking(|tx| append(tx, &["next"])).unwrap();
    assert_eq!(events(&store).last().map(|(_, position)| *position), Some(41));
}

#[test]
fn an_export_of_json_opens_as_a_sqlite_file_and_the_other_way_round() {
    let folder = Folder::filled();
    let store = folder.open();
    let file = block_on(store.export()).unwrap();
    let other = Store::open_blocking("memory:").unwrap();
    block_on(other.import(file)).unwrap();
    assert_eq!((count_agents(&other), events(&other)), (2, events(&store)));
    other.write_blocking(|tx| tx.agents().add(agent("cid"))).unwrap();

    block_on(store.import(block_on(other.export()).unwrap())).unwrap();
    assert_eq!(count_agents(&store), 3);
    store.write_blocking(|tx| tx.agents().add(agent("dot"))).unwrap();
    // Not closed: what counts is on the disk already.
    let copy = Folder::new();
    std::fs::create_dir_all(copy.path()).unwrap();
    for name in folder.names() {
        copy.write(&name, &folder.text(&name));
    }
    assert_eq!(count_agents(&copy.open()), 4);
}

#[test]
fn a_store_that_is_read_only_reads_beside_its_owner_and_leaves_no_trace() {
    let folder = Folder::filled();
    let before = everything(&folder);
    std::fs::remove_file(folder.path().join("swarmstore.lock")).unwrap();
    let reading = folder.open_with(Store::options().read_only(true)).unwrap();
    assert_eq!(count_agents(&reading), 2);
    refused(reading.write_blocking(|tx| tx.agents().delete("ada")), ErrorCode::Unsupported);
    close(&reading);
    assert_eq!(everything(&folder), before);
    assert!(!folder.path().join("swarmstore.lock").exists());

    let owner = folder.open();
    owner.write_blocking(|tx| tx.agents().add(agent("cid"))).unwrap();
    owner.write_blocking(|tx| append(tx, &["fourth"])).unwrap();
    let reading = folder.open_with(Store::options().read_only(true)).unwrap();
    assert_eq!((count_agents(&reading), events(&reading).len()), (3, 4));
    // It has the state of its opening; the owner goes on.
    owner.write_blocking(|tx| tx.agents().delete("cid")).unwrap();
    assert_eq!((count_agents(&reading), count_agents(&owner)), (3, 2));

    let nowhere = Folder::new();
    refused(nowhere.open_with(Store::options().read_only(true)), ErrorCode::NotFound);
    assert!(!nowhere.path().exists());
}

#[test]
fn reading_while_the_owner_writes_finds_a_committed_state_each_time() {
    let folder = Folder::filled();
    let owner = folder.open();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for number in 0..60 {
                let both = |tx: &swarmstore::Tx<'_>| {
                    tx.agents().add(agent(&format!("agent-{number}")))?;
                    append(tx, &["one", "two"])
                };
                owner.write_blocking(both).unwrap();
            }
        });
        let mut last = 0;
        while !writing.is_finished() {
            match folder.open_with(Store::options().read_only(true)) {
                Ok(reading) => {
                    let agents = count_agents(&reading) - 2;
                    assert_eq!(events(&reading).len(), usize::try_from(3 + 2 * agents).unwrap().min(100));
                    assert!(agents >= last, "{agents} after {last}");
                    last = agents;
                }
                Err(error) => assert_eq!(error.code(), ErrorCode::Locked, "{error}"),
            }
        }
    });
}

#[test]
fn a_folder_is_made_where_there_is_none() {
    let folder = Folder::new();
    let deep = folder.path().join("a").join("b");
    let store = Store::open_blocking(&url(&deep)).unwrap();
    store.write_blocking(|tx| tx.tasks().add(task("t"))).unwrap();
    assert!(deep.join("manifest.json").exists());
    refused(Store::open_blocking("json:"), ErrorCode::InvalidArgument);
}

#[test]
fn destroying_deletes_the_store_and_nothing_else() {
    let folder = Folder::filled();
    let store = folder.open();
    refused(block_on(Store::destroy(&folder.url())), ErrorCode::Locked);
    close(&store);
    folder.write("notes.txt", "mine");
    folder.write("notes.2024.json", "{}");
    block_on(Store::destroy(&folder.url())).unwrap();
    assert_eq!(folder.names(), ["notes.2024.json", "notes.txt"]);
    std::fs::remove_file(folder.path().join("notes.txt")).unwrap();
    std::fs::remove_file(folder.path().join("notes.2024.json")).unwrap();

    let folder = Folder::filled();
    block_on(Store::destroy(&folder.url())).unwrap();
    assert!(!folder.path().exists());
    block_on(Store::destroy(&folder.url())).unwrap();
}

#[test]
fn a_folder_that_is_no_store_is_not_destroyed() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path()).unwrap();
    folder.write("schema.sql", "-- mine");
    folder.write("tasks.json", "[]");
    refused(block_on(Store::destroy(&folder.url())), ErrorCode::Corrupt);
    assert_eq!(folder.names(), ["schema.sql", "tasks.json"]);
}

#[test]
fn what_a_commit_left_behind_is_swept_and_foreign_files_stay() {
    let folder = Folder::filled();
    for name in ["agents.999.json", "events.7.jsonl", "schema.3.sql", "manifest.json.tmp"] {
        folder.write(name, "torn");
    }
    for name in ["notes.txt", "notes.2024.json", "agents.old.json", ".gitignore"] {
        folder.write(name, "mine");
    }
    let store = folder.open();
    let names = folder.names();
    for name in ["agents.999.json", "events.7.jsonl", "schema.3.sql", "manifest.json.tmp"] {
        assert!(!names.contains(&name.to_owned()), "{name}");
    }
    for name in ["notes.txt", "notes.2024.json", "agents.old.json", ".gitignore"] {
        assert_eq!(folder.text(name), "mine");
    }
    assert_eq!(count_agents(&store), 2);
    assert!(store.read_blocking(|tx| tx.tasks().get(TaskId::new("one")?)).unwrap().is_some());
}

#[test]
fn groups_members_and_configuration_are_lines_that_people_can_read_and_edit() {
    let folder = Folder::filled();
    let store = folder.open();
    let join = |tx: &swarmstore::Tx<'_>| {
        let readers = GroupId::new("readers")?;
        tx.groups().add(NewGroup::new("Readers", "team").id(readers.clone()))?;
        tx.groups().join(&readers, &AgentId::new("ada")?, Some("lead"))?;
        tx.config().set("limits.tokens", &serde_json::json!({ "max": 1000 }).into(), Some("ada"))
    };
    store.write_blocking(join).unwrap();
    close(&store);
    assert!(folder.text("agent_groups.json").contains(r#"{"id":"readers","name":"Readers","group_type":"team""#));
    let members = folder.text("agent_group_members.json");
    assert!(members.contains(r#"{"group_id":"readers","agent_id":"ada","role":"lead","joined_at":"#), "{members}");
    let config = folder.text("swarm_config.json");
    assert!(config.contains(r#"{"key":"limits.tokens","value":{"max":1000},"updated_at":"#), "{config}");

    folder.edit("swarm_config.json", r#"{"max":1000}"#, r#"{"max":2000}"#);
    let store = folder.open();
    let value = store.read_blocking(|tx| tx.config().get("limits.tokens")).unwrap();
    assert_eq!(value.as_ref().map(swarmstore::Json::as_str), Some(r#"{"max":2000}"#));
    // The agent's file and that of its memberships change together.
    store.write_blocking(|tx| tx.agents().delete("ada")).unwrap();
    close(&store);
    assert!(!folder.names().contains(&"agent_group_members.json".to_owned()), "{:?}", folder.names());
}
