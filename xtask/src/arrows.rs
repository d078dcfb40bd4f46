//! `cargo xtask check`: the arrows of ARCHITECTURE.md, read from the sources.
//!
//! A room is a module directly below the crate. It may name the rooms it knows and no others; some words belong in some
//! rooms only. Test code is free: it has to set up what it tests.

use std::path::Path;

use crate::Result;
use crate::files;
use crate::rust_source::{Source, exports};
use crate::workspace::Workspace;

/// Which rooms a room knows, besides itself.
const KNOWS: [(&str, &[&str]); 9] = [
    ("error", &["model"]),
    ("platform", &["model", "error"]),
    ("model", &["error", "platform"]),
    ("sql", &["model", "error", "platform"]),
    ("service", &["sql", "model", "change", "error", "platform"]),
    ("backend", &["sql", "model", "change", "error", "platform"]),
    ("store", &["service", "backend", "sql", "model", "change", "error", "platform"]),
    ("api", &["store", "service", "sql", "model", "change", "error", "platform"]),
    ("js", &["api", "store", "model", "change", "error", "platform"]),
];

/// Words that stand in some rooms only, and why.
const WORDS: [(&[&str], &[&str], &str); 3] = [
    (
        &["target_arch", "target_family", "target_os", "target_env", "target_pointer_width"],
        &["platform", "backend", "js", "lib", "testing"],
        "what differs between targets is behind `platform` and the backends",
    ),
    (&["rusqlite"], &["backend", "error"], "an engine is known to its backend only"),
    (
        &["wasm_bindgen", "wasm_bindgen_futures", "js_sys", "web_sys"],
        &["platform", "backend", "js", "lib", "testing"],
        "the browser is behind `platform`, the backends and `js`",
    ),
];

/// Fails with every place in src/ that knows what it must not.
pub fn check(workspace: &Workspace) -> Result {
    let root = workspace.path("src");
    let exports = exports(&files::read(&root.join("lib.rs"))?);
    let mut findings = Vec::new();
    let mut read = 0;
    for file in files::tree(&root)? {
        if file.extension().is_some_and(|extension| extension == "rs") {
            let inside = file.strip_prefix(&root).map_err(|error| error.to_string())?;
            findings.extend(check_file(inside, &files::read(&file)?, &exports));
            read += 1;
        }
    }
    if findings.is_empty() {
        println!("The arrows hold in {read} files.");
        return Ok(());
    }
    Err(format!("the arrows of ARCHITECTURE.md do not hold:\n  {}", findings.join("\n  ")))
}

/// What is wrong in one file: its path inside src/, its text, and what lib.rs exports from which room.
fn check_file(path: &Path, text: &str, exports: &[(String, String)]) -> Vec<String> {
    let module: Vec<String> = path
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .filter(|part| part != "mod")
        .collect();
    if module.iter().any(|part| part == "tests") {
        return Vec::new();
    }
    let Some(room) = module.first() else {
        return Vec::new();
    };
    let source = Source::new(text);
    let place = |line: usize| format!("src/{}:{line}", path.display());
    let mut findings = Vec::new();

    if let Some((_, known)) = KNOWS.iter().find(|(name, _)| name == room) {
        for (line, name) in source.crate_paths(&module) {
            let met = exports.iter().find(|(export, _)| *export == name).map_or(name.as_str(), |(_, room)| room);
            let is_room = KNOWS.iter().any(|(name, _)| *name == met) || met == "testing";
            if is_room && met != room && !known.contains(&met) {
                findings.push(format!("{}: {room} must not know {met}", place(line)));
            }
        }
    }
    for (words, rooms, why) in WORDS {
        for (line, word) in source.words(words) {
            if !rooms.contains(&room.as_str()) {
                findings.push(format!("{}: `{word}` does not belong in {room}: {why}", place(line)));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::check_file;
    use std::path::Path;

    fn check(path: &str, text: &str) -> Vec<String> {
        check_file(Path::new(path), text, &[("Store".into(), "store".into())])
    }

    #[test]
    fn a_room_may_name_what_it_knows() {
        assert!(
            check("service/tasks.rs", "use crate::{model::{Task, TaskId}, sql};\nuse crate::error::Error;").is_empty()
        );
        assert!(check("store.rs", "use crate::service::tasks;\nuse crate::backend::Backend;").is_empty());
        assert!(check("service/tasks.rs", "use super::agents;\nuse super::super::model;").is_empty());
    }

    #[test]
    fn a_room_must_not_name_what_it_does_not_know() {
        assert_eq!(
            check("service/tasks.rs", "use crate::model;\n\nuse crate::backend::Backend;"),
            ["src/service/tasks.rs:3: service must not know backend"]
        );
        assert_eq!(check("sql/mod.rs", "use super::service;"), ["src/sql/mod.rs:1: sql must not know service"]);
        assert_eq!(
            check("backend/web/flush.rs", "use crate::{\n    error::Error,\n    js::Core,\n};"),
            ["src/backend/web/flush.rs:3: backend must not know js"]
        );
    }

    #[test]
    fn a_reexport_is_the_room_it_comes_from() {
        assert_eq!(
            check("service/tasks.rs", "fn f(_: &crate::Store) {}"),
            ["src/service/tasks.rs:1: service must not know store"]
        );
    }

    #[test]
    fn comments_strings_and_tests_do_not_count() {
        assert!(
            check("model/task.rs", "/// See [`crate::store::Store`].\nconst A: &str = \"crate::store\";").is_empty()
        );
        let tests = "fn a() {}\n#[cfg(test)]\nmod tests {\n    use crate::store::Store;\n}\n";
        assert!(check("model/task.rs", tests).is_empty());
        let after = format!("{tests}use crate::store::Store;");
        assert_eq!(check("model/task.rs", &after), ["src/model/task.rs:6: model must not know store"]);
        assert!(check("service/tests.rs", "use crate::backend;").is_empty());
    }

    #[test]
    fn target_cfgs_and_engines_stay_behind_their_walls() {
        let cfg = "#[cfg(target_family = \"wasm\")]\nfn f() {}";
        assert!(check("platform.rs", cfg).is_empty() && check("backend/sqlite/web.rs", cfg).is_empty());
        assert_eq!(check("service/tasks.rs", cfg).len(), 1);
        assert_eq!(check("store.rs", "use rusqlite::Connection;").len(), 1);
        assert!(check("error.rs", "impl From<rusqlite::Error> for Error {}").is_empty());
        assert_eq!(check("api/mod.rs", "use wasm_bindgen::prelude::*;").len(), 1);
    }
}
