//! Hostile text in every place of a query where text can be: it is a value, or refused, and changes nothing.

use crate::ask::{Ask, Test};
use crate::store::Place;
use serde_json::{Map, Value as Json, json};
use swarmstore::ErrorCode;

/// What people have tried.
const CORPUS: [&str; 34] = [
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\'",
    ";",
    "--",
    "/*",
    "*/",
    "#",
    "' OR '1'='1",
    "' OR 1=1 --",
    "\" OR \"\"=\"",
    "1 OR 1=1",
    "1; DROP TABLE tasks",
    "'; DROP TABLE tasks; --",
    "'); DELETE FROM tasks; --",
    "x' UNION SELECT * FROM agents --",
    "' || (SELECT id FROM agents LIMIT 1) || '",
    "1) OR (1=1",
    "id",
    "tasks.id",
    "NULL",
    "?1",
    "$1",
    ":id",
    "%",
    "_",
    "[a-z]*",
    "$$; DROP TABLE tasks; $$",
    "\u{2019} OR \u{2019}1\u{2019}=\u{2019}1",
    "${process.exit()}",
    "{\"ge\":1}",
];

/// A store with a task for each of them, and one more.
fn filled(place: Place) -> Place {
    place.answer("agents.add", &json!([{ "id": "ada", "agentType": "worker" }]));
    let tasks: Vec<Json> = CORPUS
        .iter()
        .map(|text| json!({ "id": text, "taskType": text, "queue": text, "uniqueKey": text, "payload": [text], "requiredCapabilities": [text] }))
        .chain([json!({ "id": "harmless", "taskType": "work", "payload": {} })])
        .collect();
    place.answer("tasks.addMany", &json!([tasks]));
    place
}

/// As a value it finds what a plain reading of the filter finds, by every operation.
fn is_a_value(place: &Place, records: &[Json], text: &str) {
    let value = || json!(text);
    let mut tests = vec![
        Test::Compare("eq", value()),
        Test::Compare("ne", value()),
        Test::Compare("lt", value()),
        Test::Compare("le", value()),
        Test::Compare("gt", value()),
        Test::Compare("ge", value()),
        Test::Between(value(), json!("~")),
        Test::In(vec![value(), json!("harmless"), value()]),
        Test::Like(text.replace('\\', "\\\\")),
        Test::Like(format!("%{}%", text.replace('\\', "\\\\"))),
        Test::Direct(value()),
    ];
    let contains = Ask::Field("payload", vec![Test::Contains(value())]);
    let list = Ask::Field("requiredCapabilities", vec![Test::Direct(json!([text]))]);
    let mut asks = vec![contains, list];
    for field in ["id", "queue", "uniqueKey"] {
        asks.extend(tests.iter().map(|test| Ask::Field(field, vec![test.clone()])));
    }
    asks.push(Ask::Not(Box::new(Ask::Field("taskType", vec![tests.remove(0)]))));
    for ask in asks {
        let query = json!({ "where": ask.object(), "limit": 1_000 });
        let expected: Vec<&Json> =
            records.iter().filter(|record| ask.holds(record)).map(|record| &record["id"]).collect();
        let answer = place.answer("tasks.list", &json!([query]));
        let answered: Vec<&Json> = answer.as_array().expect("a list").iter().map(|record| &record["id"]).collect();
        assert_eq!(answered, expected, "{query}");
        assert_eq!(place.answer("tasks.count", &json!([query])), json!(expected.len()));
        let printed = place.answer("tasks.toSql", &json!([query]));
        // One letter may be part of any text, and a word such as `id` of the statement itself.
        let plain =
            text.chars().all(|letter| letter.is_ascii_alphanumeric() || "._?%".contains(letter)) || text.len() < 3;
        assert!(plain || !printed["sql"].as_str().expect("text").contains(text), "{printed}");
        let nothing = json!({ "and": [ask.object(), { "version": 2 }] });
        assert_eq!(place.answer("tasks.updateWhere", &json!([nothing, { "queue": text }])), json!(0));
        assert_eq!(place.answer("tasks.deleteWhere", &json!([nothing])), json!(0));
    }
}

fn refused(place: &Place, name: &str, arguments: &Json, field: &str) {
    let error = place.call(name, arguments).expect_err("a refusal");
    assert_eq!(error.code(), ErrorCode::InvalidArgument, "{arguments}: {error}");
    assert_eq!(error.detail().field.as_deref(), Some(field), "{arguments}: {error}");
}

/// Anywhere else it is no name of ours, or an id like any other.
fn is_no_name(place: &Place, records: &[Json], text: &str) {
    let member = |key: &str, value: Json| Json::Object(Map::from_iter([(key.to_owned(), value)]));
    for name in ["tasks.list", "tasks.count", "tasks.exists", "tasks.toSql"] {
        refused(place, name, &json!([{ "where": { "queue": member(text, json!("x")) } }]), "queue");
        if text != "id" {
            for value in [json!("x"), json!(null), json!({ "eq": 1 })] {
                refused(place, name, &json!([{ "where": member(text, value.clone()) }]), text);
                refused(place, name, &json!([{ "where": { "or": [{ "not": member(text, value) }] } }]), text);
            }
            refused(place, name, &json!([{ "orderBy": [[text, "asc"]] }]), text);
        }
        refused(place, name, &json!([{ "orderBy": [["id", text]] }]), "orderBy");
        refused(place, name, &json!([member(text, json!(1))]), text);
        refused(place, name, &json!([{ "limit": text }]), "limit");
    }
    let pending = json!({ "status": "pending" });
    refused(place, "tasks.deleteWhere", &json!([member(&format!("{text} "), json!(1))]), &format!("{text} "));
    refused(place, "tasks.updateWhere", &json!([pending, member(&format!("{text} "), json!(1))]), &format!("{text} "));
    refused(place, "tasks.list", &json!([{ "after": format!("{text} ") }]), "after");
    let page = place.answer("tasks.list", &json!([{ "orderBy": [["queue", "desc"]], "after": text, "limit": 1_000 }]));
    let behind = |record: &&Json| {
        let of = |record: &Json, field: &str| record[field].as_str().expect("text").to_owned();
        let this = records.iter().find(|record| record["id"] == text).expect("the task is there");
        (of(this, "queue"), of(record, "id")) > (of(record, "queue"), of(this, "id"))
    };
    assert_eq!(page.as_array().expect("a list").len(), records.iter().filter(behind).count(), "{text}");
}

fn run(place: Place) {
    let place = filled(place);
    let (before, records) = (place.dump(), place.tasks());
    assert_eq!(records.len(), CORPUS.len() + 1);
    for text in CORPUS {
        is_a_value(&place, &records, text);
        is_no_name(&place, &records, text);
    }
    assert_eq!(place.dump(), before);
}

#[test]
fn hostile_text_is_a_value_or_refused_and_changes_nothing() {
    run(Place::memory());
}

/// Where there is a server: xtask's step for PostgreSQL names one.
#[cfg(feature = "postgres")]
#[test]
fn hostile_text_is_a_value_or_refused_and_changes_nothing_on_a_server() {
    run(Place::server());
}
