//! Every operation through the table by which JavaScript calls it: whatever the arguments are, the answer is clear, and
//! what is refused changes nothing.
#![cfg(not(target_family = "wasm"))]

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use swarmstore::api::{Access, OPERATIONS, Operation, Parameter, operation, unpack};
use swarmstore::{Error, ErrorCode, Millis, NewAgent, Result, Store, Tx};

fn all() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.iter().copied().flatten()
}

fn named(name: &str) -> &'static Operation {
    all().find(|operation| format!("{}.{}", operation.namespace, operation.name) == name).expect("an operation")
}

/// What an operation answers, as JSON text.
fn call(store: &Store, operation: &Operation, arguments: &str) -> Result<Option<String>> {
    let run = |tx: &Tx<'_>| {
        let mut out = String::new();
        Ok::<_, Error>(operation.call(tx, arguments, &mut out)?.then_some(out))
    };
    match operation.access {
        Access::Read => store.read_blocking(run),
        Access::Write => store.write_blocking(run),
    }
}

fn answer(store: &Store, name: &str, arguments: &Json) -> Json {
    let text = call(store, named(name), &arguments.to_string()).expect("an answer").expect("something");
    unpack(named(name), serde_json::from_str(&text).expect("JSON"))
}

/// A store with the agent `ada`, a task `held` that she has, a group `held` of hers, a value `held`, and a stream.
fn store() -> Store {
    let store = Store::open_blocking("memory:").expect("a store");
    answer(&store, "agents.add", &json!([{ "id": "ada", "agentType": "worker" }]));
    answer(&store, "tasks.add", &json!([{ "id": "held", "taskType": "work", "payload": {} }]));
    answer(&store, "tasks.claim", &json!(["ada"]));
    answer(&store, "groups.add", &json!([{ "id": "held", "name": "Held", "groupType": "team" }]));
    for (operation, arguments) in
        [("groups.join", json!(["held", "ada", "lead"])), ("config.set", json!(["held", { "n": 1 }, "ada"]))]
    {
        assert_eq!(call(&store, named(operation), &arguments.to_string()).expect("an answer"), None);
    }
    answer(
        &store,
        "events.append",
        &json!([{ "aggregateType": "task", "aggregateId": "held" }, [{ "eventType": "x", "data": 1 }]]),
    );
    store
}

/// All that is stored, in one text.
fn dump(store: &Store) -> String {
    let tables = [
        "agents",
        "agent_groups",
        "agent_group_members",
        "swarm_config",
        "tasks",
        "task_dependencies",
        "task_errors",
        "queues",
        "events",
    ];
    let rows = |table: &&str| {
        let rows = store.read_blocking(|tx| tx.query(&format!("SELECT * FROM {table} ORDER BY 1, 2"), &[]));
        format!("{:?}", rows.expect("rows"))
    };
    tables.iter().map(rows).collect()
}

/// Arguments with which an operation succeeds or fails for a reason of its own.
fn sound(operation: &Operation) -> Vec<Json> {
    operation.parameters.iter().map(|parameter| sample(operation, parameter)).collect()
}

fn sample(operation: &Operation, parameter: &Parameter) -> Json {
    let row = match operation.namespace {
        "agents" => {
            json!({ "id": "eve", "agentType": "worker", "name": "Eve", "capabilities": ["see"], "status": "idle" })
        }
        "groups" => json!({ "id": "new", "name": "New", "groupType": "team", "configuration": { "n": 1 } }),
        _ => json!({
            "id": "new", "taskType": "work", "payload": { "n": 1 }, "queue": "q", "priority": "high", "runAt": 5,
            "dependencies": ["held"], "requiredCapabilities": [], "uniqueKey": "k", "maxRetries": 1,
            "onDependencyFailure": "hold", "backoff": { "kind": "fixed", "baseMs": 1 }, "onConflict": "existing"
        }),
    };
    match parameter.name {
        "agent_id" | "updated_by" => json!("ada"),
        "id" if operation.namespace == "agents" => json!("ada"),
        "id" | "group_id" | "key" => json!("held"),
        "row" => row,
        "rows" if operation.name == "update_many" && operation.namespace == "groups" => {
            json!([{ "id": "held", "configuration": {} }])
        }
        "rows" if operation.name == "update_many" => json!([{ "id": "held", "metadata": {} }]),
        "rows" | "tasks" => json!([row]),
        "ids" => json!(["x", "y"]),
        "patch" if operation.namespace == "agents" => json!({ "name": "Ada", "metadata": null }),
        "patch" if operation.namespace == "groups" => json!({ "name": "Other", "configuration": null }),
        "patch" => json!({ "queue": "q", "uniqueKey": null }),
        "role" => json!("reader"),
        "status" => json!("busy"),
        "prefix" => json!("h"),
        "lease_token" => json!("guess"),
        "queue" => json!("q"),
        "finished_before" => json!(5),
        "lease_ms" | "delay_ms" | "older_than_ms" => json!(1_000),
        "message" => json!("broken"),
        "result" | "value" => json!({ "any": "thing" }),
        "stream" => json!({ "aggregateType": "task", "aggregateId": "s" }),
        "events" => json!([{ "eventType": "x", "data": {}, "metadata": {}, "id": "e" }]),
        "query" => json!({ "where": {}, "orderBy": [["id", "desc"]], "limit": 5, "offset": 0 }),
        "filter" => json!({ "id": { "ne": "held" }, "version": 1 }),
        "options" => json!({}),
        name => panic!("{name}: say here what a sound value is"),
    }
}

fn is_about(error: &Error, name: &str) -> bool {
    let plain = |text: &str| text.replace('_', "").to_lowercase();
    error.detail().field.as_deref().is_some_and(|field| plain(field).starts_with(&plain(name)))
}

#[test]
fn every_operation_can_be_called() {
    for operation in all() {
        let store = store();
        let arguments = Json::from(sound(operation)).to_string();
        if let Err(error) = call(&store, operation, &arguments) {
            let own = [ErrorCode::LeaseLost, ErrorCode::NotFound, ErrorCode::InvalidArgument];
            assert!(own.contains(&error.code()), "{}.{}: {error}", operation.namespace, operation.name);
        }
    }
}

#[test]
fn a_missing_argument_is_refused_by_name() {
    let store = store();
    let before = dump(&store);
    for operation in all() {
        let mut given = Vec::new();
        for parameter in operation.parameters {
            if !parameter.optional {
                let error = call(&store, operation, &Json::from(given.clone()).to_string()).expect_err("a refusal");
                assert_eq!(
                    error.code(),
                    ErrorCode::InvalidArgument,
                    "{}.{}: {error}",
                    operation.namespace,
                    operation.name
                );
                assert!(is_about(&error, parameter.name), "{}: {error}", parameter.name);
            }
            given.push(sample(operation, parameter));
        }
    }
    assert_eq!(dump(&store), before);
}

#[test]
fn an_argument_too_many_is_refused() {
    let store = store();
    let before = dump(&store);
    for operation in all() {
        let mut arguments = sound(operation);
        arguments.push(json!(1));
        let error = call(&store, operation, &Json::from(arguments).to_string()).expect_err("a refusal");
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{}.{}", operation.namespace, operation.name);
    }
    assert_eq!(dump(&store), before);
}

#[test]
fn an_argument_of_the_wrong_type_is_refused() {
    let store = store();
    let before = dump(&store);
    for operation in all() {
        for (at, parameter) in operation.parameters.iter().enumerate().filter(|(_, parameter)| !parameter.raw) {
            for wrong in [json!(true), json!([[[]]]), json!({ "colour": 1 }), json!([1])] {
                if wrong == json!([1]) && parameter.ts.ends_with("[]") && parameter.name == "ids" {
                    continue;
                }
                let mut arguments = sound(operation);
                arguments[at] = wrong.clone();
                let outcome = call(&store, operation, &Json::from(arguments).to_string());
                let place = format!("{}.{}({}: {wrong})", operation.namespace, operation.name, parameter.name);
                let error = outcome.expect_err(&place);
                assert_eq!(error.code(), ErrorCode::InvalidArgument, "{place}: {error}");
                assert!(error.detail().field.is_some(), "{place}: {error}");
            }
        }
    }
    assert_eq!(dump(&store), before);
}

#[test]
fn a_member_that_nobody_knows_is_refused_by_its_name() {
    let store = store();
    let before = dump(&store);
    for operation in all() {
        for (at, parameter) in operation.parameters.iter().enumerate().filter(|(_, parameter)| !parameter.raw) {
            let mut arguments = sound(operation);
            let object = match &mut arguments[at] {
                Json::Array(rows) => rows.last_mut().expect("a row"),
                value => value,
            };
            let Json::Object(object) = object else { continue };
            object.insert("colour".to_owned(), json!("red"));
            let error = call(&store, operation, &Json::from(arguments).to_string()).expect_err("a refusal");
            let place = format!("{}.{}({})", operation.namespace, operation.name, parameter.name);
            assert_eq!(error.code(), ErrorCode::InvalidArgument, "{place}: {error}");
            assert!(is_about(&error, "colour"), "{place}: {error}");
        }
    }
    assert_eq!(dump(&store), before);
}

#[test]
fn text_that_is_no_list_of_arguments_is_refused() {
    let store = store();
    for operation in all() {
        for text in
            ["", "{}", "null", "[", "[1,]", "[NaN]", "[\"\\ud800\"]", "[12345678901234567890]", &"[".repeat(10_000)]
        {
            let error = call(&store, operation, text).expect_err("a refusal");
            assert_eq!(error.code(), ErrorCode::InvalidArgument, "{}.{}({text})", operation.namespace, operation.name);
        }
    }
}

#[test]
fn an_unknown_operation_is_refused() {
    let count = u32::try_from(all().count()).expect("a number");
    for number in [count, u32::MAX] {
        assert_eq!(operation(number).map(|_| ()).expect_err("a refusal").code(), ErrorCode::InvalidArgument);
    }
    assert!((0..count).all(|number| operation(number).is_ok()));
}

#[test]
fn an_operation_that_reads_cannot_be_one_that_writes() {
    let store = store();
    let before = dump(&store);
    for operation in all().filter(|operation| operation.access == Access::Read) {
        let arguments = Json::from(sound(operation)).to_string();
        let run = |tx: &Tx<'_>| operation.call(tx, &arguments, &mut String::new());
        store.write_blocking(run).expect("a read");
    }
    assert_eq!(dump(&store), before);
}

#[test]
fn a_record_is_the_same_text_however_it_is_read() {
    let store = store();
    for (add, get, list, row) in [
        ("agents.add", "agents.get", "agents.list", sample(named("agents.add"), &named("agents.add").parameters[0])),
        ("groups.add", "groups.get", "groups.list", sample(named("groups.add"), &named("groups.add").parameters[0])),
        ("tasks.add", "tasks.get", "tasks.list", sample(named("tasks.add"), &named("tasks.add").parameters[0])),
    ] {
        let text = |name, arguments: Json| call(&store, named(name), &arguments.to_string()).unwrap().unwrap();
        let added = text(add, json!([row]));
        assert_eq!(text(get, json!([row["id"]])), added);
        assert_eq!(text(list, json!([{ "where": { "id": row["id"] } }])), format!("[{added}]"));
        let added = unpack(named(add), serde_json::from_str(&added).unwrap());
        for (name, value) in row.as_object().unwrap() {
            let as_given = ["priority", "backoff", "onConflict"].contains(&name.as_str()) || added[name] == *value;
            assert!(as_given, "{name}: {value} became {}", added[name]);
        }
    }
    assert_eq!(call(&store, named("tasks.get"), r#"["unknown"]"#).unwrap(), None);
}

#[test]
fn absent_fields_are_left_out_and_others_have_their_javascript_names() {
    let store = store();
    let held = answer(&store, "tasks.get", &json!(["held"]));
    assert_eq!(held["taskType"], "work");
    assert_eq!(held["backoff"], json!({ "kind": "exponential", "baseMs": 1_000, "maxMs": 3_600_000, "jitter": 0.2 }));
    assert_eq!((&held["dependencies"], &held["errors"], &held["priority"]), (&json!([]), &json!([]), &json!(5)));
    for absent in ["parentTaskId", "trustOperation", "uniqueKey", "result", "cancelReason", "startedAt", "completedAt"]
    {
        assert!(held.get(absent).is_none(), "{absent}");
    }
    let unclaimed = answer(&store, "tasks.release", &json!(["held", held["leaseToken"]]));
    assert!(unclaimed.get("leaseToken").is_none() && unclaimed.get("agentId").is_none());
}

#[test]
fn memberships_and_values_have_their_javascript_names_and_absent_ones_are_left_out() {
    let store = store();
    let member = answer(&store, "groups.members", &json!(["held"]))[0].clone();
    assert_eq!((&member["agentId"], &member["role"]), (&json!("ada"), &json!("lead")));
    assert!(member["joinedAt"].is_i64());
    assert_eq!(answer(&store, "groups.of", &json!(["ada"]))[0]["groupType"], "team");
    assert_eq!(call(&store, named("groups.join"), r#"["held","ada"]"#).unwrap(), None);
    assert!(answer(&store, "groups.members", &json!(["held"]))[0].get("role").is_none());

    assert_eq!(answer(&store, "config.get", &json!(["held"])), json!({ "n": 1 }));
    let entry = answer(&store, "config.all", &json!([]))[0].clone();
    assert_eq!(
        (&entry["key"], &entry["value"], &entry["updatedBy"]),
        (&json!("held"), &json!({ "n": 1 }), &json!("ada"))
    );
    assert!(entry["updatedAt"].is_i64());
    assert_eq!(call(&store, named("config.set"), r#"["held",null]"#).unwrap(), None);
    assert_eq!(call(&store, named("config.get"), r#"["held"]"#).unwrap().as_deref(), Some("null"));
    assert!(answer(&store, "config.all", &json!(["he"]))[0].get("updatedBy").is_none());
    assert_eq!(call(&store, named("config.get"), r#"["other"]"#).unwrap(), None);
}

#[test]
fn a_sweep_answers_ids() {
    let store = store();
    store
        .write_blocking(|tx| tx.agents().update("ada", swarmstore::AgentPatch::new().last_heartbeat(Millis(1))))
        .unwrap();
    assert_eq!(answer(&store, "agents.stale", &json!([60_000]))[0]["id"], "ada");
    assert_eq!(answer(&store, "agents.sweep_stale", &json!([60_000])), json!({ "agents": ["ada"], "tasks": ["held"] }));
    assert_eq!(answer(&store, "agents.sweep_stale", &json!([60_000])), json!({ "agents": [], "tasks": [] }));
    assert_eq!(answer(&store, "agents.heartbeat", &json!(["ada"]))["status"], "idle");
    assert_eq!(answer(&store, "agents.set_status", &json!(["ada", "busy"]))["status"], "busy");
}

#[test]
fn a_result_of_null_is_kept() {
    let store = store();
    let token = answer(&store, "tasks.get", &json!(["held"]))["leaseToken"].clone();
    let completed = answer(&store, "tasks.complete", &json!(["held", token, null]));
    assert_eq!(completed.get("result"), Some(&Json::Null));
}

#[test]
fn null_clears_an_optional_field_and_is_a_value_of_a_json_field() {
    let store = store();
    answer(&store, "tasks.update", &json!(["held", { "uniqueKey": "k", "payload": null, "queue": "q" }]));
    let updated = answer(&store, "tasks.update", &json!(["held", { "uniqueKey": null, "queue": null }]));
    assert!(updated.get("uniqueKey").is_none());
    assert_eq!((&updated["payload"], &updated["queue"]), (&Json::Null, &json!("default")));
    let refused = call(&store, named("tasks.update"), r#"["held",{"taskType":null}]"#).expect_err("a refusal");
    assert!(is_about(&refused, "taskType"), "{refused}");
}

#[test]
fn filters_find_what_was_given_and_what_is_absent() {
    let store = store();
    store.write_blocking(|tx| tx.agents().add(NewAgent::new("boss").name("Eve"))).unwrap();
    let count = |filter: Json| answer(&store, "agents.count", &json!([{ "where": filter }]));
    assert_eq!(count(json!({})), 2);
    assert_eq!(count(json!({ "name": "Eve" })), 1);
    assert_eq!(count(json!({ "name": null })), 1);
    assert_eq!(count(json!({ "agentType": "worker", "name": null, "version": 1 })), 1);
    assert_eq!(count(json!({ "agentType": "worker", "name": "Eve" })), 0);
    let tasks = |filter: Json| answer(&store, "tasks.count", &json!([{ "where": filter }]));
    assert_eq!(tasks(json!({ "result": null, "status": "assigned", "dependencies": [] })), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_given_the_answer_is_clear_and_a_refusal_changes_nothing(
        (number, changes) in (any::<prop::sample::Index>(), prop::collection::vec(change(), 0..4))
    ) {
        let store = store();
        let before = dump(&store);
        let operation = all().nth(number.index(all().count())).expect("an operation");
        let mut arguments = Json::from(sound(operation));
        for change in &changes {
            change.make(&mut arguments);
        }
        match call(&store, operation, &arguments.to_string()) {
            Ok(answered) => {
                let readable = answered.as_deref().map(serde_json::from_str::<Json>);
                prop_assert!(readable.is_none_or(|parsed| parsed.is_ok()));
            }
            Err(error) => {
                use ErrorCode::{Conflict, Constraint, InvalidArgument, LeaseLost, NotFound};
                prop_assert!([Conflict, Constraint, InvalidArgument, LeaseLost, NotFound].contains(&error.code()), "{error:?}");
                prop_assert_eq!(dump(&store), before);
            }
        }
    }
}

/// Puts another value somewhere in the arguments, or takes one away.
#[derive(Debug, Clone)]
struct Change {
    path: Vec<prop::sample::Index>,
    value: Option<Json>,
}

impl Change {
    fn make(&self, within: &mut Json) {
        put(within, &self.path, self.value.clone().unwrap_or(Json::Null));
    }
}

fn put(place: &mut Json, path: &[prop::sample::Index], value: Json) {
    match (place, path) {
        (Json::Array(array), [index, rest @ ..]) if !array.is_empty() => {
            let at = index.index(array.len());
            put(&mut array[at], rest, value);
        }
        (Json::Object(object), [index, rest @ ..]) if !object.is_empty() => {
            let at = index.index(object.len());
            put(object.values_mut().nth(at).expect("a member"), rest, value);
        }
        (place, _) => *place = value,
    }
}

fn change() -> impl Strategy<Value = Change> {
    (prop::collection::vec(any::<prop::sample::Index>(), 1..4), prop::option::weighted(0.9, value()))
        .prop_map(|(path, value)| Change { path, value })
}

fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        (-10..10_i64).prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        any::<String>().prop_map(Json::from),
        prop::sample::select(vec!["ada", "held", "eve", "", "\0", "id", "desc", "none", "1", "[]", "null"])
            .prop_map(Json::from),
        Just(json!("x".repeat(300))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(any::<String>(), inner, 0..3)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn a_list_is_asked_only_for_elements_that_it_may_have() {
    let store = store();
    let ask = |filter: Json| call(&store, named("tasks.count"), &json!([{ "where": filter }]).to_string());
    for element in [json!(7), json!(true), json!(null), json!(["x"]), json!({ "x": 1 })] {
        for (field, name) in
            [("requiredCapabilities", "required_capabilities"), ("dependencies", "dependencies"), ("errors", "errors")]
        {
            let error = ask(json!({ field: { "contains": element } })).expect_err("a refusal");
            assert_eq!(error.code(), ErrorCode::InvalidArgument);
            assert_eq!(error.detail().field.as_deref(), Some(name), "{element}");
        }
    }
    for field in ["errors", "backoff"] {
        assert!(ask(json!({ field: { "contains": "x" } })).is_err());
    }
    for text in ["", "x", "\u{1f41d}", "\"]"] {
        for field in ["requiredCapabilities", "dependencies", "payload", "result"] {
            assert_eq!(ask(json!({ field: { "contains": text } })).unwrap().as_deref(), Some("0"));
        }
    }
}

#[test]
fn a_filter_that_asks_for_nothing_deletes_nothing() {
    let store = store();
    for filter in [
        json!({}),
        json!({ "status": {} }),
        json!({ "and": [] }),
        json!({ "and": [{}, { "status": {} }] }),
        json!({ "or": [{ "status": "failed" }, {}] }),
        json!({ "or": [{ "and": [{ "or": [{}] }] }], "queue": {} }),
    ] {
        for (name, arguments) in
            [("tasks.delete_where", json!([filter])), ("tasks.update_where", json!([filter, { "queue": "x" }]))]
        {
            let error = call(&store, named(name), &arguments.to_string()).expect_err("a refusal");
            assert_eq!((error.code(), error.detail().field.as_deref()), (ErrorCode::InvalidArgument, Some("filter")));
        }
    }
    assert_eq!(answer(&store, "tasks.delete_where", &json!([{ "or": [] }])), 0);
    assert_eq!(answer(&store, "tasks.delete_where", &json!([{ "and": [{}, { "status": "assigned" }] }])), 1);
}
