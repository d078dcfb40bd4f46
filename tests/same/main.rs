//! The same answers on every backend: one course of random operations runs on all of them, and everything is compared.
#![cfg(not(target_family = "wasm"))]

mod course;
mod step;
mod stores;

use course::{AWKWARD, EXTREME, course};
use proptest::prelude::*;
use serde_json::json;
use step::Step;
use stores::Stores;

#[test]
fn every_kind_of_text_has_the_same_answer_everywhere() {
    let stores = Stores::open();
    for (number, text) in AWKWARD.into_iter().enumerate() {
        let id = format!("row-{number}");
        let agent =
            json!({ "id": id, "agentType": text, "name": text, "capabilities": [text], "metadata": { text: [text] } });
        let without_name = json!({ "id": id, "agentType": text, "metadata": text });
        let task = json!({ "id": id, "taskType": text, "queue": text, "uniqueKey": text, "payload": text });
        let event = json!({ "id": id, "eventType": text, "data": { text: text }, "correlationId": text });
        let stream = json!({ "aggregateType": text, "aggregateId": text });
        for step in [
            Step::Call("agents.put", json!([agent])),
            Step::Call("agents.put", json!([without_name])),
            Step::Call("agents.put", json!([{ "id": text, "agentType": "worker" }])),
            Step::Call("agents.get", json!([text])),
            Step::Call("agents.list", json!([{ "where": { "agentType": text }, "orderBy": [["agentType", "asc"]] }])),
            Step::Call("agents.count", json!([{ "where": { "name": text } }])),
            Step::Call("tasks.add", json!([task])),
            Step::Call("tasks.add", json!([{ "id": format!("{id}-2"), "taskType": text, "payload": [text] }])),
            Step::Call("events.append", json!([stream, [event]])),
            Step::Call("events.read", json!([stream])),
        ] {
            stores.compare(&step);
        }
    }
    for field in ["name", "agentType", "id"] {
        for direction in ["asc", "desc"] {
            stores.compare(&Step::Call("agents.list", json!([{ "orderBy": [[field, direction]], "limit": 1_000 }])));
        }
    }
    stores.compare_everything();
}

#[test]
fn extreme_numbers_have_the_same_answer_everywhere() {
    let stores = Stores::open();
    for (number, extreme) in EXTREME.into_iter().enumerate() {
        let id = format!("row-{number}");
        for value in [json!(extreme), json!({ "deep": [extreme] })] {
            stores.compare(&Step::Call("agents.put", json!([{ "id": id, "agentType": "worker", "metadata": value }])));
            stores.compare(&Step::Call("tasks.put", json!([{ "id": id, "taskType": "work", "payload": value }])));
        }
        for (name, value) in [("runAt", extreme), ("maxRetries", extreme), ("priority", extreme)] {
            stores.compare(&Step::Call(
                "tasks.put",
                json!([{ "id": id, "taskType": "work", "payload": 0, name: value }]),
            ));
        }
        stores.compare(&Step::Call("tasks.list", json!([{ "where": { "runAt": extreme }, "limit": 5 }])));
        stores.compare(&Step::Call("agents.list", json!([{ "limit": extreme }])));
        stores.compare(&Step::Call("agents.list", json!([{ "offset": extreme }])));
        stores.compare(&Step::Call("events.read_all", json!([{ "after": extreme }])));
    }
    for real in [0.1, -0.0, 1.0, 1e15, 1e-300, 5e-324, 1.797_693_134_862_315_7e308, 0.300_000_000_000_000_04] {
        stores.compare(&Step::Call("agents.put", json!([{ "id": "real", "agentType": "worker", "metadata": [real] }])));
        stores.compare(&Step::Call("agents.get", json!(["real"])));
    }
    stores.compare_everything();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_backend_gives_the_same_answers(steps in course()) {
        let stores = Stores::open();
        for step in &steps {
            stores.compare(step);
        }
        stores.compare_everything();
    }
}
