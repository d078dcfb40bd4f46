//! Edits by hand: taken when they are valid, refused with the file and the line when not.

use crate::support::{Folder, agent, append, close, count_agents, events, refused};
use swarmstore::{ErrorCode, Query};

/// Opening is refused, and says where and why.
#[track_caller]
fn is_refused(folder: &Folder, place: &str, reason: &str) {
    let before = folder.names();
    let error = refused(folder.try_open(), ErrorCode::Corrupt);
    let text = error.to_string();
    assert!(text.contains(place) && text.contains(reason), "{place} and {reason} are in: {text}");
    assert!(!text.contains("Ada"), "no payloads: {text}");
    assert_eq!(folder.names(), before, "nothing was changed");
}

#[test]
fn a_changed_value_is_taken() {
    let folder = Folder::filled();
    folder.edit("agents.json", "\"name\":\"Ada\"", "\"name\": \"Countess\"");
    folder.edit("agents.json", "[\"tea\",\"é\"]", "[\"coffee\", {\"strong\": true}]");
    let store = folder.open();
    let ada = store.read_blocking(|tx| tx.agents().get("ada")).unwrap().unwrap();
    assert_eq!(ada.name.as_deref(), Some("Countess"));
    assert_eq!(ada.metadata.to_tree(), serde_json::json!({ "likes": ["coffee", { "strong": true }] }));
    store.write_blocking(|tx| tx.agents().add(agent("cid"))).unwrap();
    close(&store);
    assert_eq!(count_agents(&folder.open()), 3);
}

#[test]
fn rows_may_be_added_removed_and_put_in_another_order() {
    let folder = Folder::filled();
    let text = folder.text("agents.json");
    let lines: Vec<&str> = text.lines().collect();
    let (ada, bob) = (lines[1].trim_end_matches(','), lines[2]);
    let cid = bob.replace("\"id\":\"bob\"", "\"id\":\"cid\"");
    folder.write("agents.json", &format!("[\n{cid},\n{ada}\n]\n"));
    let store = folder.open();
    let ids: Vec<String> = store
        .read_blocking(|tx| tx.agents().list(&Query::new()))
        .unwrap()
        .into_iter()
        .map(|agent| agent.id.to_string())
        .collect();
    assert_eq!(ids, ["ada", "cid"]);
}

#[test]
fn a_file_may_be_laid_out_by_an_editor() {
    let folder = Folder::filled();
    let before = folder.open();
    let expected = before.read_blocking(|tx| tx.tasks().list(&Query::new())).unwrap();
    close(&before);
    for name in ["agents.json", "tasks.json", "manifest.json", "task_dependencies.json"] {
        let tree: serde_json::Value = serde_json::from_str(&folder.text(name)).unwrap();
        folder.write(name, &serde_json::to_string_pretty(&tree).unwrap());
    }
    let store = folder.open();
    assert_eq!(store.read_blocking(|tx| tx.tasks().list(&Query::new())).unwrap(), expected);
    let ada = store.read_blocking(|tx| tx.agents().get("ada")).unwrap().unwrap();
    assert_eq!(ada.metadata.as_str(), "{\"likes\":[\"tea\",\"é\"]}");
}

#[test]
fn a_column_that_is_left_out_is_absent_or_has_its_default() {
    let folder = Folder::filled();
    folder.edit("agents.json", ",\"name\":\"Ada\"", "");
    folder.edit("tasks.json", "\"error_count\":1", "\"error_count\":1");
    let store = folder.open();
    assert_eq!(store.read_blocking(|tx| tx.agents().get("ada")).unwrap().unwrap().name, None);
}

#[test]
fn a_line_may_be_added_to_a_log() {
    let folder = Folder::filled();
    let text = folder.text("events.jsonl");
    let last = text.lines().last().unwrap();
    let added = last.replace("\"position\":3", "\"position\":9").replace("\"sequence\":3", "\"sequence\":4");
    let added = added.replace("\"id\":\"", "\"id\":\"x").replace("third", "by hand");
    folder.write("events.jsonl", &format!("{text}{added}\n"));
    let store = folder.open();
    assert_eq!(events(&store).last(), Some(&("by hand".to_owned(), 9)));
    store.write_blocking(|tx| append(tx, &["after"])).unwrap();
    assert_eq!(events(&store).last(), Some(&("after".to_owned(), 10)));
    close(&store);
    assert_eq!(events(&folder.open()).len(), 5);
}

#[test]
fn lines_that_are_missing_from_a_log_are_refused_unless_the_manifest_agrees() {
    let folder = Folder::filled();
    let text = folder.text("events.jsonl");
    let shorter: String = text.lines().take(2).fold(String::new(), |text, line| text + line + "\n");
    folder.write("events.jsonl", &shorter);
    is_refused(&folder, "events.jsonl, line", "ends after 2 rows, and 3 were written");
    folder.edit("manifest.json", ", \"rows\": 3", "");
    let store = folder.open();
    assert_eq!(events(&store).len(), 2);
    // From here on the rows are counted again.
    store.write_blocking(|tx| append(tx, &["fourth"])).unwrap();
    close(&store);
    assert!(folder.text("manifest.json").contains("\"rows\": 3"));
}

#[test]
fn what_is_wrong_is_named_with_its_file_and_line() {
    for (file, from, to, place, reason) in [
        ("agents.json", "\"name\":\"Ada\"", "\"colour\":\"Ada\"", "agents.json, line 2", "no column \"colour\""),
        ("agents.json", "\"name\":\"Ada\"", "\"name\":5", "agents.json, line 2", "name is an integer instead of text"),
        ("agents.json", "\"version\":1", "\"version\":\"x\"", "agents.json, line 2", "version is text"),
        ("agents.json", "\"version\":1", "\"version\":0", "agents.json, line 2", "CHECK"),
        ("agents.json", "\"version\":1", "\"version\":1.5", "agents.json, line 2", "a real number"),
        ("agents.json", "\"version\":1", "\"version\":true", "agents.json, line 2", "boolean"),
        ("agents.json", "\"version\":1", "\"version\":99999999999999999999", "agents.json, line 2", "2^53"),
        ("agents.json", "\"agent_type\":\"worker\",", "", "agents.json, line 2", "NOT NULL"),
        ("agents.json", "\"id\":\"bob\"", "\"id\":\"ada\"", "agents.json, line 3", "UNIQUE"),
        ("agents.json", "\"id\":\"bob\"", "\"id\":\"bob\",\"name\":\"Ada\"", "agents.json, line 3", "UNIQUE"),
        ("agents.json", "\"id\":\"bob\"", "\"id\":\"bob\",\"id\":\"b\"", "agents.json, line 3", "twice"),
        ("agents.json", "{\"id\":\"bob\"", "{id:\"bob\"", "agents.json, line 3", "not valid JSON"),
        ("agents.json", "[\n", "{\n", "agents.json, line 1", "expected an array"),
        ("agents.json", "\n]", "\n]]", "agents.json, line 4", "not valid JSON"),
        ("agents.json", "{\"id\":\"bob\"", "5,{\"id\":\"bob\"", "agents.json, line 3", "expected an object"),
        (
            "tasks.json",
            "\"id\":\"one\"",
            "\"id\":\"one\",\"agent_id\":\"nobody\"",
            "tasks.json, line 2",
            "agent_id leads to no row of agents",
        ),
        ("tasks.json", "\"status\":\"pending\"", "\"status\":\"asleep\"", "tasks.json, line", "CHECK"),
        (
            "task_dependencies.json",
            "\"depends_on\":\"one\"",
            "\"depends_on\":\"three\"",
            "task_dependencies.json, line 2",
            "depends_on leads to no row of tasks",
        ),
        (
            "task_errors.jsonl",
            "\"task_id\":\"one\"",
            "\"task_id\":\"three\"",
            "task_errors.jsonl, line 1",
            "task_id leads to no row of tasks",
        ),
        ("events.jsonl", "\"sequence\":2", "\"sequence\":1", "events.jsonl, line 2", "UNIQUE"),
        ("events.jsonl", "\"sequence\":3", "\"sequence\":3,", "events.jsonl, line 3", "not valid JSON"),
        ("events.jsonl", "\"sequence\":3", "\"sequel\":3", "events.jsonl, line 3", "no column \"sequel\""),
        ("manifest.json", "agents.json", "../agents.json", "manifest.json, line", "a file in this folder"),
        ("manifest.json", "\"agents\"", "\"strangers\"", "manifest.json", "strangers"),
        ("manifest.json", "\"format\": 1", "\"format\": \"x\"", "manifest.json, line 2", "whole number"),
        ("schema.sql", "CREATE TABLE agents (", "CREATE TABEL agents (", "schema.sql, line 1", "TABEL"),
        ("schema.sql", "CHECK (version >= 1)", "CHECK (version >= 0)", "schema.sql", "CREATE TABLE agent_groups"),
    ] {
        let folder = Folder::filled();
        let before = folder.text(file);
        folder.edit(file, from, to);
        is_refused(&folder, place, reason);
        // Undone by hand, it opens again.
        folder.write(file, &before);
        assert_eq!(count_agents(&folder.open()), 2, "{file}: {to}");
    }
}

#[test]
fn a_schema_of_the_future_is_a_matter_of_versions() {
    let folder = Folder::filled();
    let text = folder.text("schema_migrations.json");
    let row = text.lines().nth(1).unwrap();
    let newer = row.replace("\"version\":1", "\"version\":99");
    folder.write("schema_migrations.json", &format!("[\n{row},\n{newer}\n]\n"));
    refused(folder.try_open(), ErrorCode::Migration);

    let folder = Folder::filled();
    folder.edit("manifest.json", "\"format\": 1", "\"format\": 2");
    refused(folder.try_open(), ErrorCode::Migration);
}
