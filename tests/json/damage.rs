//! Files that are torn, foreign or missing.

use crate::support::{Folder, append, count_agents, events, refused};
use swarmstore::{ErrorCode, Store};

#[test]
fn a_torn_file_is_refused_wherever_it_is_cut() {
    for name in Folder::filled().names() {
        let folder = Folder::filled();
        let whole = std::fs::read(folder.path().join(&name)).unwrap();
        let content = whole.trim_ascii_end().len();
        // A log's last line needs its end as well; the last statement of the schema needs no semicolon.
        let ends = match name.rsplit_once('.') {
            Some((_, "jsonl")) => content + 1,
            Some((_, "sql")) => content - 1,
            _ => content,
        };
        let apart = (ends / 40).max(1);
        let mut cuts: Vec<usize> = (0..ends).step_by(apart).collect();
        cuts.extend(ends.saturating_sub(3)..ends);
        cuts.extend(
            whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).filter(|at| *at < ends),
        );
        for cut in cuts {
            std::fs::write(folder.path().join(&name), &whole[..cut]).unwrap();
            let error = refused(folder.try_open(), ErrorCode::Corrupt);
            let stem = name.split('.').next().unwrap();
            let text = error.to_string();
            // A schema that is cut between two statements lacks what other files speak of.
            assert!(text.contains(stem) || name == "schema.sql", "{name} cut at {cut}: {text}");
        }
        std::fs::write(folder.path().join(&name), &whole).unwrap();
        assert_eq!(count_agents(&folder.open()), 2, "{name}");
    }
}

#[test]
fn a_file_that_is_missing_is_refused() {
    for name in Folder::filled().names() {
        let folder = Folder::filled();
        std::fs::remove_file(folder.path().join(&name)).unwrap();
        let error = refused(folder.try_open(), ErrorCode::Corrupt);
        // Without a manifest it is the other files that are where they should not be.
        assert!(error.to_string().contains(&name) || name == "manifest.json", "{name}: {error}");
        assert!(!folder.path().join(&name).exists(), "no empty store was begun");
    }
}

#[test]
fn a_file_of_another_table_or_of_something_else_is_refused() {
    for foreign in ["{\"name\":\"a web page\",\"version\":\"1.0.0\"}", "[1,2,3]", "hello", "", "\u{0}\u{1}"] {
        for name in ["agents.json", "events.jsonl", "manifest.json"] {
            let folder = Folder::filled();
            folder.write(name, foreign);
            let error = refused(folder.try_open(), ErrorCode::Corrupt);
            assert!(error.to_string().contains(name), "{error}");
        }
    }
    let folder = Folder::filled();
    folder.write("agents.json", &folder.text("tasks.json"));
    let error = refused(folder.try_open(), ErrorCode::Corrupt);
    assert!(error.to_string().contains("agents.json, line 2: "), "{error}");

    let folder = Folder::filled();
    std::fs::write(folder.path().join("agents.json"), b"[\n{\"id\":\"\xFF\"}\n]\n").unwrap();
    let error = refused(folder.try_open(), ErrorCode::Corrupt);
    assert!(error.to_string().contains("agents.json, line 2: is not UTF-8"), "{error}");
}

#[test]
fn a_folder_of_other_files_is_refused_and_left_alone() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path()).unwrap();
    folder.write("letter.txt", "dear all");
    let error = refused(folder.try_open(), ErrorCode::Corrupt);
    assert!(error.to_string().contains("letter.txt"), "{error}");
    assert_eq!(folder.names(), ["letter.txt"]);
    // Hidden files are none of anybody's business.
    std::fs::rename(folder.path().join("letter.txt"), folder.path().join(".letter")).unwrap();
    assert_eq!(count_agents(&folder.open()), 0);

    let file = folder.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    refused(Store::open_blocking(&crate::support::url(&file)), ErrorCode::Unavailable);

    // Nor is a store whose manifest is lost taken for a new one, however young it is.
    let folder = Folder::new();
    let store = folder.open();
    store.write_blocking(|tx| append(tx, &["first"])).unwrap();
    drop(store);
    std::fs::remove_file(folder.path().join("manifest.json")).unwrap();
    refused(Store::open_blocking(&folder.url()), ErrorCode::Corrupt);
}

#[test]
fn lines_of_a_commit_that_did_not_get_through_are_not_there() {
    let folder = Folder::filled();
    let committed = folder.text("events.jsonl");
    let last = committed.lines().last().unwrap();
    let row = last.replace("\"position\":3", "\"position\":4").replace("\"sequence\":3", "\"sequence\":4");
    let row = row.replace("\"id\":\"", "\"id\":\"x").replace("third", "never");
    let marker = "{\"generation\":999}\n";
    let half = &row[..row.len() / 2];
    for tail in [
        marker.to_owned(),
        format!("{marker}{row}\n"),
        format!("{marker}{half}"),
        marker[..9].to_owned(),
        "{".to_owned(),
    ] {
        folder.write("events.jsonl", &format!("{committed}{tail}"));
        // Reading alone does not mend it.
        let reading = folder.open_with(Store::options().read_only(true)).unwrap();
        assert_eq!(events(&reading).len(), 3);
        assert_eq!(folder.text("events.jsonl"), format!("{committed}{tail}"));

        let store = folder.open();
        assert_eq!(events(&store).len(), 3, "{tail}");
        assert_eq!(folder.text("events.jsonl"), committed);
        crate::support::close(&store);
    }
    let store = folder.open();
    store.write_blocking(|tx| append(tx, &["fourth"])).unwrap();
    drop(store);
    assert_eq!(events(&folder.open_with(Store::options().read_only(true)).unwrap()).len(), 4);
}

#[test]
fn a_first_commit_that_did_not_get_through_leaves_a_folder_that_opens() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path()).unwrap();
    folder.write("schema.1.sql", "CREATE TABLE agents (");
    folder.write("schema_migrations.1.json", "[\n{\"ver");
    folder.write("manifest.json.tmp", "{");
    let store = folder.open();
    assert_eq!(count_agents(&store), 0);
}
