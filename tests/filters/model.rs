//! Random tasks, random queries: the store answers what this test's own reading of the query over the same records answers.

use crate::ask::{FIELDS, order};
use crate::pick::{Asked, IDS, Row, TEXTS, asked, of, payloads, row};
use crate::store::Place;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};

/// Makes the tasks, and lets some of them be worked on.
fn arrange(place: &Place, rows: &[Row], ends: &[u8]) {
    place.answer("tasks.deleteWhere", &json!([{ "id": { "isNull": false } }]));
    place.answer("agents.put", &json!([{ "id": "ada", "agentType": "worker", "capabilities": TEXTS }]));
    let tasks: Vec<Json> = rows.iter().enumerate().map(|(at, row)| task(at, row)).collect();
    place.answer("tasks.addMany", &json!([tasks]));
    for end in ends {
        if end % 7 == 6 && !rows.is_empty() {
            // One that is finished already cannot be cancelled, and need not.
            let _ = place
                .call("tasks.cancel", &json!([of(&IDS[..rows.len()], end / 7), { "reason": of(&TEXTS, end / 7) }]));
            continue;
        }
        let claimed = place.answer("tasks.claim", &json!(["ada"]));
        let Some(task) = claimed.get(0) else { continue };
        let (id, token) = (&task["id"], &task["leaseToken"]);
        match end % 7 {
            0 | 1 => drop(place.answer("tasks.complete", &json!([id, token, of(&payloads()[1..], end / 7)]))),
            2 => drop(place.answer("tasks.complete", &json!([id, token]))),
            3 => drop(place.answer("tasks.fail", &json!([id, token, "broken", { "retry": false }]))),
            4 => drop(place.answer("tasks.start", &json!([id, token]))),
            _ => {}
        }
    }
}

fn task(at: usize, Row { picks, after }: &Row) -> Json {
    let [priority, queue, key, payload, capabilities, parent, run_at, more] = *picks;
    let mut row = json!({
        "id": IDS[at],
        "taskType": of(&TEXTS, queue.rotate_left(3)),
        "queue": of(&TEXTS, queue),
        "priority": priority % 10,
        "payload": of(&payloads(), payload),
        "runAt": i64::from(run_at % 5) - 2,
        "maxRetries": more % 3,
        "onDependencyFailure": of(&["hold", "cancel"], more >> 2),
        "requiredCapabilities": (0..capabilities % 3).map(|n| of(&TEXTS, capabilities / 3 + n)).collect::<Vec<_>>(),
    });
    if key % 3 > 0 {
        // No two unfinished tasks have the same.
        row["uniqueKey"] = json!(format!("{}{at}", of(&TEXTS, key)));
    }
    if more & 64 > 0 {
        row["trustOperation"] = json!(of(&["delegation", "consensus"], more >> 3));
    }
    if at > 0 {
        if parent % 4 == 0 {
            row["parentTaskId"] = json!(of(&IDS[..at], parent / 4));
        }
        let mut dependencies: Vec<_> = after.iter().map(|pick| *of(&IDS[..at], *pick)).collect();
        dependencies.sort_unstable();
        dependencies.dedup();
        row["dependencies"] = json!(dependencies);
    }
    row
}

fn ids(records: &[&Json]) -> Vec<String> {
    records.iter().map(|record| record["id"].as_str().expect("an id").to_owned()).collect()
}

/// Asks the store, and judges its answer.
fn check(place: &Place, records: &[Json], asked: &Asked) -> Result<(), TestCaseError> {
    let ask = asked.shape.resolve(records);
    let keys: Vec<(&str, bool)> =
        asked.keys.iter().map(|(key, descending)| (of(&FIELDS, *key).0, *descending)).collect();
    let direction = |descending| if descending { "desc" } else { "asc" };
    let mut query = json!({
        "where": ask.object(),
        "orderBy": keys.iter().map(|(key, descending)| json!([key, direction(*descending)])).collect::<Vec<_>>(),
        "offset": asked.offset,
    });
    let mut expected: Vec<&Json> = records.iter().filter(|record| ask.holds(record)).collect();
    expected.sort_by(|one, other| order(&keys, one, other));
    prop_assert_eq!(place.answer("tasks.count", &json!([query])), json!(expected.len()), "{}", query);
    prop_assert_eq!(place.answer("tasks.exists", &json!([query])), json!(!expected.is_empty()), "{}", query);
    if let Some(after) = asked.after.filter(|_| !records.is_empty()) {
        let after = of(records, after);
        query["after"] = after["id"].clone();
        expected.retain(|record| order(&keys, record, after).is_gt());
    }
    if let Some(limit) = asked.limit {
        query["limit"] = json!(limit);
    }
    let expected: Vec<_> = expected.into_iter().skip(asked.offset).take(asked.limit.unwrap_or(100)).collect();
    let answer = place.answer("tasks.list", &json!([query]));
    let answered: Vec<&Json> = answer.as_array().expect("a list").iter().collect();
    prop_assert_eq!(ids(&answered), ids(&expected), "{}", query);
    prop_assert_eq!(answered, expected);
    Ok(())
}

fn run(place: &Place, cases: u32) {
    let config = ProptestConfig { failure_persistence: None, cases, ..ProptestConfig::default() };
    let rows = prop::collection::vec(row(), 0..=IDS.len());
    let input = (rows, prop::collection::vec(any::<u8>(), 0..6), prop::collection::vec(asked(), 1..12));
    let ran = TestRunner::new(config).run(&input, |(rows, ends, questions)| {
        arrange(place, &rows, &ends);
        let records = place.tasks();
        prop_assert_eq!(records.len(), rows.len());
        questions.iter().try_for_each(|asked| check(place, &records, asked))
    });
    if let Err(error) = ran {
        panic!("{error}");
    }
}

#[test]
fn a_query_answers_what_its_filter_and_order_mean() {
    run(&Place::memory(), 200);
}

/// Where there is a server: xtask's step for PostgreSQL names one.
#[cfg(feature = "postgres")]
#[test]
fn a_query_on_a_server_answers_the_same() {
    run(&Place::server(), 15);
}
