//! A single insert travels with its commit, and is taken to succeed until the server says otherwise. Nobody notices.

use crate::support::{Other, Schema, agent, block_on, close, count_agents, named_store, refused, task};
use std::sync::mpsc::channel;
use swarmstore::{Error, ErrorCode, NewTask, Query, TaskId};

fn of_its_own() -> Error {
    TaskId::new("").expect_err("a refusal")
}

#[test]
fn an_insert_that_was_taken_for_granted_is_told_when_it_was_in_vain() {
    let schema = Schema::new();
    let store = schema.open();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    for round in 0..3 {
        refused(store.write_blocking(|tx| tx.agents().add(agent("ada"))), ErrorCode::Conflict);
        // What the closure returns when the name is free does not come out when it is not.
        let free = store.write_blocking(|tx| match tx.agents().add(agent("ada")) {
            Ok(_) => Err(of_its_own()),
            Err(error) => Err::<(), _>(error),
        });
        refused(free, ErrorCode::Conflict);
        let new = format!("agent {round}");
        store.write_blocking(|tx| tx.agents().add(agent(&new))).unwrap();
    }
    assert_eq!(count_agents(&store), 4);
    let orphan = |id: &str| task(id).parent_task_id(TaskId::new("nobody").unwrap());
    refused(store.write_blocking(|tx| tx.tasks().add(orphan("orphan"))), ErrorCode::Constraint);
    assert_eq!(store.read_blocking(|tx| tx.tasks().count(&Query::new())).unwrap(), 0);
    close(&store);
}

#[test]
fn a_closure_that_goes_on_after_an_insert_finds_it_or_its_refusal() {
    let schema = Schema::new();
    let store = schema.open();
    let found = store.write_blocking(|tx| {
        tx.agents().add(agent("ada"))?;
        tx.agents().get("ada")
    });
    assert_eq!(found.unwrap().unwrap().id.as_str(), "ada");
    // The refusal is swallowed, and the rest is done.
    let swallowed = store.write_blocking(|tx| {
        let refusal = tx.agents().add(agent("ada")).err().map(|error| error.code());
        tx.agents().add(agent("eve"))?;
        Ok::<_, Error>(refusal)
    });
    assert_eq!(swallowed.unwrap(), Some(ErrorCode::Conflict));
    // Two inserts, of which the first is in vain: nothing of either stays.
    let both = store.write_blocking(|tx| {
        tx.agents().add(agent("ada"))?;
        tx.agents().add(agent("ida"))
    });
    refused(both, ErrorCode::Conflict);
    let second = store.write_blocking(|tx| {
        tx.agents().add(agent("ida"))?;
        tx.agents().add(agent("ada"))
    });
    refused(second, ErrorCode::Conflict);
    assert_eq!(count_agents(&store), 2);
    close(&store);
}

#[test]
fn a_closure_that_fails_after_an_insert_leaves_nothing() {
    let schema = Schema::new();
    let store = schema.open();
    let failed = store.write_blocking(|tx| {
        tx.agents().add(agent("ada"))?;
        Err::<(), _>(of_its_own())
    });
    refused(failed, ErrorCode::InvalidArgument);
    assert_eq!(count_agents(&store), 0);
    close(&store);
}

#[test]
fn an_insert_waits_for_the_only_writer_of_another_process() {
    let schema = Schema::new();
    let (store, another) = (schema.open(), schema.open());
    let mut alone = block_on(another.begin()).unwrap();
    alone.run(|tx| tx.agents().add(agent("ada"))).unwrap();
    let (done, inserted) = channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let eve = store.write_blocking(|tx| tx.agents().add(agent("eve")));
            done.send(()).unwrap();
            eve.unwrap();
        });
        let other = Other::new(&schema);
        let waits = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = 'schema_migrations'::regclass";
        while other.integer(waits) == 0 {
            assert!(inserted.try_recv().is_err(), "it did not wait");
            std::thread::yield_now();
        }
        assert_eq!(count_agents(&store), 0);
        block_on(alone.commit()).unwrap();
    });
    assert_eq!(count_agents(&store), 2);
    close(&store);
    close(&another);
}

#[test]
fn an_insert_on_a_connection_that_was_cut_is_made_once() {
    let schema = Schema::new();
    let (store, other) = (named_store(&schema), Other::new(&schema));
    for number in 0..20 {
        let new = || -> NewTask { task(&format!("task {number}")) };
        store.read_blocking(|tx| tx.tasks().count(&Query::new())).unwrap();
        // One that was cut before may not have gone yet.
        assert!(other.cut(&schema) >= 1);
        store.write_blocking(|tx| tx.tasks().add(new())).unwrap();
        refused(store.write_blocking(|tx| tx.tasks().add(new())), ErrorCode::Conflict);
    }
    assert_eq!(store.read_blocking(|tx| tx.tasks().count(&Query::new())).unwrap(), 20);
    close(&store);
}
