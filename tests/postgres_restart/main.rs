//! Servers of the tests' own, killed and restarted while a store is in use.

mod server;

use server::Server;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use swarmstore::testing::block_on;
use swarmstore::{AgentId, EventFilter, Expected, NewAgent, NewEvent, NewTask, Options, Store, Stream, TaskId};

/// How long clients may take to recover.
const PATIENCE: Duration = Duration::from_mins(1);

fn open(server: &Server) -> Store {
    Options::default().pool_min_idle(0).open_blocking(&server.url()).expect("the store opens")
}

/// What a client was told.
#[derive(Default)]
struct Told {
    acknowledged: BTreeSet<String>,
    unknown: BTreeSet<String>,
    refused: u32,
}

/// Adds tasks, each with an event, until told to stop.
fn write(store: &Store, client: u32, stop: &AtomicBool, told: &Mutex<Told>) {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("{client}-{number}");
        let task = NewTask::new("work", serde_json::json!({})).id(TaskId::new(id.as_str()).unwrap());
        let written = store.write_blocking(|tx| {
            tx.tasks().add(task.clone())?;
            let event = vec![NewEvent::new("added", serde_json::json!({ "id": id }))];
            tx.events().append(&Stream::new("client", client.to_string()), event, Expected::Any)
        });
        let mut told = told.lock().unwrap();
        match written {
            Ok(_) => drop(told.acknowledged.insert(id)),
            Err(error) if error.detail().uncertain => drop(told.unknown.insert(id)),
            Err(error) => {
                assert!(error.is_retryable(), "{error:?}");
                told.refused += 1;
                drop(told);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Nothing acknowledged is lost, nothing refused is there, and a task is there with its event or not at all.
fn check(store: &Store, told: &Told) {
    let events = block_on(store.read(|tx| {
        let mut events = Vec::new();
        loop {
            let mut filter = EventFilter::default();
            filter.after = events.last().map_or(0, |event: &swarmstore::Event| event.position);
            let more = tx.events().read_all(&filter)?;
            if more.is_empty() {
                return Ok::<_, swarmstore::Error>(events);
            }
            events.extend(more);
        }
    }))
    .unwrap();
    let with_event: BTreeSet<String> = events
        .iter()
        .map(|event| {
            let data: serde_json::Value = serde_json::from_str(event.data.as_str()).unwrap();
            data["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let tasks = store.read_blocking(|tx| tx.query("SELECT id FROM tasks", &[])).unwrap();
    let with_task: BTreeSet<String> = tasks
        .rows
        .iter()
        .map(|row| match &row[0] {
            swarmstore::Value::Text(id) => id.clone().into_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(with_event, with_task, "a transaction is there as a whole or not at all");
    assert_eq!(events.len(), with_event.len(), "no transaction was carried out twice");
    let lost: Vec<_> = told.acknowledged.difference(&with_task).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let unasked: Vec<_> =
        with_task.iter().filter(|id| !told.acknowledged.contains(*id) && !told.unknown.contains(*id)).collect();
    assert!(unasked.is_empty(), "refused and there: {unasked:?}");
    assert_eq!(block_on(store.check_integrity()).unwrap(), ["ok"]);
}

fn survives(stop_server: impl Fn(&mut Server)) {
    let mut server = Server::start();
    let store = open(&server);
    let (stop, told) = (AtomicBool::new(false), Mutex::new(Told::default()));
    let enough = |more: usize| {
        let deadline = Instant::now() + PATIENCE;
        while told.lock().unwrap().acknowledged.len() < more {
            assert!(Instant::now() < deadline, "the clients do not recover");
            std::thread::sleep(Duration::from_millis(5));
        }
        told.lock().unwrap().acknowledged.len()
    };
    std::thread::scope(|scope| {
        let _stop_also_when_this_panics = Stop(&stop);
        for client in 0..6 {
            let (store, stop, told) = (&store, &stop, &told);
            scope.spawn(move || write(store, client, stop, told));
        }
        let mut acknowledged = enough(100);
        for _ in 0..3 {
            stop_server(&mut server);
            server.run();
            acknowledged = enough(acknowledged + 100);
        }
    });
    let told = told.into_inner().unwrap();
    check(&store, &told);
    block_on(store.close()).unwrap();
    // Another process, that knows nothing of what happened.
    let store = open(&server);
    check(&store, &told);
    store.write_blocking(|tx| tx.agents().add(NewAgent::new("worker").id(AgentId::new("ada")?))).unwrap();
    block_on(store.close()).unwrap();
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_server_killed_under_load_and_restarted_loses_nothing_that_was_acknowledged() {
    survives(Server::kill);
}

#[test]
fn a_server_stopped_under_load_and_restarted_loses_nothing_that_was_acknowledged() {
    survives(Server::stop);
}

#[test]
fn while_the_server_is_away_calls_are_unavailable_at_once_and_later_they_succeed() {
    let mut server = Server::start();
    let store = open(&server);
    store.write_blocking(|tx| tx.agents().add(NewAgent::new("worker"))).unwrap();
    server.kill();
    let count = || store.read_blocking(|tx| tx.agents().count(&swarmstore::Query::new()));
    let error = count().expect_err("nobody answers");
    assert!(error.code() == swarmstore::ErrorCode::Unavailable && error.is_retryable(), "{error}");
    assert_eq!(block_on(store.begin()).err().map(|error| error.code()), Some(swarmstore::ErrorCode::Unavailable));
    server.run();
    assert_eq!(count().unwrap(), 1);
    block_on(store.close()).unwrap();
}
