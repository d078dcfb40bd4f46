//! Random courses: few ids, so that operations meet; every kind of text and number.

use crate::step::{POSITION, Step, TOKEN};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use serde_json::{Map, Value as Json, json};

type Call = (&'static str, Json);

/// Few, in an order that depends on how text is compared.
const IDS: [&str; 5] = ["a", "b", "c", "B", "é"];

fn id() -> impl Strategy<Value = &'static str> {
    select(&IDS[..])
}

/// A course of steps, on a store where something is to be done already.
pub fn course() -> impl Strategy<Value = Vec<Step>> {
    let agent = |id: &str| json!({ "id": id, "agentType": "worker", "status": "idle", "capabilities": ["work"] });
    let task = |id: &str| json!({ "id": id, "taskType": "work", "payload": { "of": id }, "backoff": backoff(), "maxRetries": 1 });
    let agents =
        Step::Call("agents.add_many", Json::from(vec![IDS[..3].iter().map(|id| agent(id)).collect::<Vec<_>>()]));
    let tasks = Step::Call("tasks.add_many", Json::from(vec![IDS.iter().map(|id| task(id)).collect::<Vec<_>>()]));
    vec(step(), 10..60).prop_map(move |steps| [agents.clone(), tasks.clone()].into_iter().chain(steps).collect())
}

/// Without jitter, which is another one in every store.
fn backoff() -> Json {
    json!({ "kind": "exponential", "baseMs": 100, "jitter": 0.0 })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => call().prop_map(|(name, arguments)| Step::Call(name, arguments)),
        3 => (vec(call(), 1..6), any::<bool>()).prop_map(|(calls, keep)| Step::Transaction(calls, keep)),
        2 => select(vec![1, 50, 1_000, 61_000, 3_600_001]).prop_map(Step::Wait),
        1 => Just(Step::Reopen),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let token = |id: &str| format!("{TOKEN}{id}");
    prop_oneof![
        5 => agents(),
        7 => tasks(),
        4 => events(),
        // The queue's operations, mostly with the right token.
        4 => (id(), 1..4_u32, select(vec![1_000, 60_000])).prop_map(|(agent, limit, lease)| (
            "tasks.claim",
            json!([agent, { "limit": limit, "leaseMs": lease }])
        )),
        2 => id().prop_map(move |id| ("tasks.start", json!([id, token(id)]))),
        2 => (id(), -1..100_000_i64).prop_map(move |(id, lease)| ("tasks.extend", json!([id, token(id), lease]))),
        3 => (id(), value()).prop_map(move |(id, result)| ("tasks.complete", json!([id, token(id), result]))),
        3 => (id(), text(), any::<bool>())
            .prop_map(move |(id, message, retry)| ("tasks.fail", json!([id, token(id), message, { "retry": retry }]))),
        1 => id().prop_map(move |id| ("tasks.release", json!([id, token(id)]))),
        1 => id().prop_map(|id| ("tasks.complete", json!([id, "a guess"]))),
        1 => (id(), any::<bool>()).prop_map(|(id, subtree)| ("tasks.cancel", json!([id, { "subtree": subtree }]))),
        1 => Just(("tasks.reclaim_expired", json!([]))),
    ]
}

fn agents() -> Union<BoxedStrategy<Call>> {
    let row = || {
        let status = prop_oneof![8 => Just("idle"), 3 => select(vec!["initializing", "active", "busy", "paused", "failed", "terminated", "asleep"])];
        let row = (id(), text(), prop::option::of(name()), status, vec(text(), 0..3), value());
        row.prop_map(|(id, agent_type, name, status, capabilities, metadata)| {
            let mut row = json!({ "id": id, "agentType": agent_type, "status": status, "metadata": metadata });
            row["capabilities"] = Json::from(capabilities);
            if let Some(name) = name {
                row["name"] = Json::from(name);
            }
            row
        })
    };
    let patch = || {
        (prop::option::of(name()), value()).prop_map(|(name, metadata)| json!({ "name": name, "metadata": metadata }))
    };
    collection(["agents.add", "agents.put", "agents.add_many", "agents.put_many"], &row().boxed())
        .or(("agents.update", id(), patch()))
        .or_get(["agents.get", "agents.delete"], "agents.delete_many")
        .or_list("agents.list", "agents.count", vec!["id", "name", "agentType", "status", "version", "createdAt"])
        .0
}

fn tasks() -> Union<BoxedStrategy<Call>> {
    let row = || {
        let dependencies = prop_oneof![4 => Just(vec![]), 1 => vec(id(), 1..3)];
        let ids = (id(), prop::option::weighted(0.2, id()), dependencies, prop::option::weighted(0.3, name()));
        let extreme = [0_i64, -1, 1, 1_700_000_000_000, 9_007_199_254_740_991, 9_007_199_254_740_993];
        let numbers = (
            prop::option::weighted(0.2, select(extreme.to_vec()).prop_map(Json::from)),
            0..3_u32,
            prop_oneof![9 => 0..10_u32, 1 => Just(10)],
        );
        let texts = (text(), value(), select(vec!["default", "q", "Q", ""]), select(vec!["cancel", "hold"]));
        (ids, numbers, texts).prop_map(|((id, parent, dependencies, key), (run_at, retries, priority), texts)| {
            let (kind, payload, queue, on_failure) = texts;
            let mut row = json!({
                "id": id, "taskType": kind, "payload": payload, "priority": priority, "queue": queue,
                "dependencies": dependencies, "onDependencyFailure": on_failure, "maxRetries": retries,
                "backoff": backoff(),
            });
            for (name, value) in
                [("parentTaskId", parent.map(Json::from)), ("uniqueKey", key.map(Json::from)), ("runAt", run_at)]
            {
                if let Some(value) = value {
                    row[name] = value;
                }
            }
            row
        })
    };
    let patch = || {
        (text(), value()).prop_map(|(queue, payload)| json!({ "queue": queue, "payload": payload, "uniqueKey": null }))
    };
    collection(["tasks.add", "tasks.put", "tasks.add_many", "tasks.put_many"], &row().boxed())
        .or(("tasks.update", id(), patch()))
        .or_get(["tasks.get", "tasks.delete"], "tasks.delete_many")
        .or_list(
            "tasks.list",
            "tasks.count",
            vec!["id", "queue", "taskType", "priority", "status", "runAt", "agentId", "uniqueKey"],
        )
        .0
}

fn events() -> Union<BoxedStrategy<Call>> {
    let stream = || {
        (select(vec!["task", "Task", "é"]), select(vec!["1", "2"]))
            .prop_map(|(kind, id)| json!({ "aggregateType": kind, "aggregateId": id }))
    };
    let event = (
        select((0..30).map(|number| format!("event-{number}")).collect::<Vec<_>>()),
        text(),
        value(),
        prop::option::of(text()),
    )
        .prop_map(|(id, event_type, data, correlation)| {
            let mut event = json!({ "id": id, "eventType": event_type, "data": data });
            if let Some(correlation) = correlation {
                event["correlationId"] = Json::from(correlation);
            }
            event
        });
    let expected = prop_oneof![Just(json!("any")), Just(json!("none")), (0..5).prop_map(Json::from)];
    let append = (stream(), vec(event, 0..4), expected)
        .prop_map(|(stream, events, expected)| ("events.append", json!([stream, events, { "expected": expected }])));
    let read = (stream(), 0..5_i64, any::<bool>()).prop_map(|(stream, from, backwards)| {
        let direction = if backwards { "backward" } else { "forward" };
        ("events.read", json!([stream, { "from": from, "direction": direction, "limit": 3 }]))
    });
    let after = prop_oneof![1 => Just(json!(-1)), 5 => (0..10).prop_map(|number| json!(format!("{POSITION}{number}")))];
    let read_all = after.prop_map(|after| ("events.read_all", json!([{ "after": after }])));
    Union::new_weighted(vec![
        (4, append.boxed()),
        (1, read.boxed()),
        (1, read_all.boxed()),
        (1, Just(("events.count", json!([]))).boxed()),
    ])
}

/// The calls of a collection, as they are put together.
struct Collection(Union<BoxedStrategy<Call>>);

/// Adding and putting, one and many.
fn collection([add, put, add_many, put_many]: [&'static str; 4], row: &BoxedStrategy<Json>) -> Collection {
    let one = |name: &'static str| row.clone().prop_map(move |row| (name, json!([row]))).boxed();
    let many = |name: &'static str| vec(row.clone(), 0..4).prop_map(move |rows| (name, json!([rows]))).boxed();
    Collection(Union::new_weighted(vec![(3, one(add)), (2, one(put)), (1, many(add_many)), (1, many(put_many))]))
}

impl Collection {
    fn and(self, call: BoxedStrategy<Call>) -> Self {
        Collection(Union::new_weighted(vec![(6, self.0.boxed()), (1, call)]))
    }

    fn or(
        self,
        (name, id, patch): (
            &'static str,
            impl Strategy<Value = &'static str> + 'static,
            impl Strategy<Value = Json> + 'static,
        ),
    ) -> Self {
        let version = prop::option::weighted(0.3, 0..4_i64);
        let update = (id, patch, version).prop_map(move |(id, patch, version)| match version {
            Some(version) => (name, json!([id, patch, { "ifVersion": version }])),
            None => (name, json!([id, patch])),
        });
        self.and(update.boxed())
    }

    fn or_get(self, [get, delete]: [&'static str; 2], delete_many: &'static str) -> Self {
        let one = |name: &'static str| id().prop_map(move |id| (name, json!([id]))).boxed();
        let many = vec(id(), 0..3).prop_map(move |ids| (delete_many, json!([ids]))).boxed();
        self.and(Union::new([one(get), one(delete), many]).boxed())
    }

    /// Lists by a filter over one field and in the order of another.
    fn or_list(self, list: &'static str, count: &'static str, fields: Vec<&'static str>) -> Self {
        let (filter, order) = (select(fields.clone()), select(fields));
        let value = prop_oneof![text().prop_map(Json::from), Just(Json::Null), (-1..6).prop_map(Json::from)];
        let query =
            (filter, prop::option::weighted(0.3, value), order, select(vec!["asc", "desc"]), 0..5_u32, 0..3_u32);
        let call =
            (query, any::<bool>()).prop_map(move |((filter, value, order, direction, limit, offset), counts)| {
                let mut query = Map::new();
                if let Some(value) = value {
                    query.insert("where".to_owned(), json!({ filter: value }));
                }
                if counts {
                    return (count, json!([query]));
                }
                query.insert("orderBy".to_owned(), json!([[order, direction]]));
                query.insert("limit".to_owned(), json!(limit));
                query.insert("offset".to_owned(), json!(offset));
                (list, json!([query]))
            });
        self.and(call.boxed())
    }
}

/// Texts that something somewhere takes for something else.
pub const AWKWARD: [&str; 30] = [
    "",
    " ",
    "\0",
    "a\0b",
    "\u{1}\u{7f}",
    "\u{2028}\r\n\t",
    "e\u{301}",
    "é",
    "😀\u{200d}",
    "\u{10ffff}",
    "\u{fffe}",
    "\u{feff}x",
    "%_",
    "'\"\\",
    "ﬀ İ ß",
    "null",
    "NULL",
    "true",
    "0",
    "1",
    "-1",
    "1.0",
    "1e5",
    "[]",
    "{}",
    "{\"a\":1}",
    "[1, 2]",
    "{\"$blob\":\"00\"}",
    "{\n}",
    "$1 ?1 :a @b",
];

/// Numbers at the ends of what can be held, and just beyond.
pub const EXTREME: [i64; 9] = [
    0,
    -1,
    1,
    9_007_199_254_740_991,
    -9_007_199_254_740_991,
    9_007_199_254_740_992,
    -9_007_199_254_740_993,
    i64::MIN,
    i64::MAX,
];

/// Few texts, so that some are equal, and any other.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(vec!["work", "Work", "q", "default"]).prop_map(str::to_owned),
        2 => select(&AWKWARD[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![1 => select(vec!["", " ", "a\0b"]), 9 => select(vec!["ada", "Ada", "bob", "é", "e\u{301}"])]
        .prop_map(str::to_owned)
}

/// Mostly JSON that can be stored.
fn value() -> impl Strategy<Value = Json> {
    let sane = select(vec![json!({}), json!({ "a": [1, 2.5, null] }), json!("text"), json!(7), json!([true, "é"])]);
    prop_oneof![4 => sane, 1 => any_value()]
}

/// Any JSON, also some that is refused.
fn any_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        select(&EXTREME[..]).prop_map(Json::from),
        select(vec![0.1, -0.0, 1e15, 1e-300, 5e-324, 1e300, 0.300_000_000_000_000_04]).prop_map(Json::from),
        text().prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Json::from),
            prop::collection::btree_map(text(), inner, 0..3).prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}
