//! Many who claim at once.

use crate::support::{Other, Schema, agent, agent_id, close, task};
use std::collections::BTreeSet;
use std::sync::Mutex;
use swarmstore::{Claim, NewTask, Query, TaskId, TaskStatus};

#[test]
fn a_claim_does_not_wait_for_another_that_is_not_committed() {
    let schema = Schema::new();
    let store = schema.open();
    store.write_blocking(|tx| tx.agents().add_many([agent("ada"), agent("eve")])).unwrap();
    store.write_blocking(|tx| tx.tasks().add_many([task("a"), task("b")])).unwrap();
    let (first, second, third) = store
        .write_blocking(|tx| {
            let first = tx.tasks().claim(&agent_id("ada"), &Claim::default())?;
            let others = std::thread::scope(|scope| {
                let claim = || store.write_blocking(|tx| tx.tasks().claim(&agent_id("eve"), &Claim::default()));
                scope.spawn(move || (claim().unwrap(), claim().unwrap())).join().expect("claims")
            });
            Ok::<_, swarmstore::Error>((first, others.0, others.1))
        })
        .unwrap();
    assert_eq!((first[0].id.as_str(), second[0].id.as_str(), third.len()), ("a", "b", 0));
    close(&store);
}

#[test]
fn no_task_is_given_twice_to_threads_that_claim_at_once() {
    let schema = Schema::new();
    let stores = [schema.open(), schema.open()];
    stores[0].write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    let new: Vec<_> = (0..400).map(|number| task(&format!("{number:03}"))).collect();
    stores[0].write_blocking(|tx| tx.tasks().add_many(new.iter().cloned())).unwrap();
    let given = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (store, given) = (&stores[thread % 2], &given);
            scope.spawn(move || {
                let claim = Claim::default().limit(1 + u32::try_from(thread).unwrap() % 3);
                loop {
                    let tasks = store.write_blocking(|tx| tx.tasks().claim(&agent_id("ada"), &claim)).unwrap();
                    if tasks.is_empty() {
                        return;
                    }
                    for task in tasks {
                        let token = task.lease_token.clone().unwrap();
                        store.write_blocking(|tx| tx.tasks().complete(&task.id, &token, None)).unwrap();
                        given.lock().unwrap().push(task.id.to_string());
                    }
                }
            });
        }
    });
    let given = given.into_inner().unwrap();
    assert_eq!((given.len(), given.iter().collect::<BTreeSet<_>>().len()), (400, 400));
    let done = Query::new().filter(swarmstore::Task::STATUS.eq(TaskStatus::Completed));
    assert_eq!(stores[0].read_blocking(|tx| tx.tasks().count(&done)).unwrap(), 400);
    stores.iter().for_each(close);
}

#[test]
fn what_many_finish_at_once_unblocks_what_waits_for_all_of_it() {
    let schema = Schema::new();
    let store = schema.open();
    let first: Vec<String> = (0..24).map(|number| format!("first-{number:02}")).collect();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    store.write_blocking(|tx| tx.tasks().add_many(first.iter().map(|id| task(id)))).unwrap();
    let ids: Vec<TaskId> = first.iter().map(|id| TaskId::new(id.as_str()).unwrap()).collect();
    for last in ["x", "y", "z"] {
        let new = NewTask::new("work", serde_json::json!({})).id(TaskId::new(last).unwrap()).dependencies(ids.clone());
        store.write_blocking(|tx| tx.tasks().add(new.clone())).unwrap();
    }
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..4 {
                    let claimed = store.write_blocking(|tx| tx.tasks().claim(&agent_id("ada"), &Claim::default()));
                    let task = claimed.unwrap().pop().expect("a task");
                    let token = task.lease_token.unwrap();
                    store.write_blocking(|tx| tx.tasks().complete(&task.id, &token, None)).unwrap();
                }
            });
        }
    });
    let claim = Claim::default().limit(10);
    let freed = store.write_blocking(|tx| tx.tasks().claim(&agent_id("ada"), &claim)).unwrap();
    assert_eq!(freed.iter().map(|task| task.id.as_str()).collect::<Vec<_>>(), ["x", "y", "z"]);
    close(&store);
}

/// A dependency is added while what it is on is being completed: whatever comes first, the task does not wait for ever.
#[test]
fn a_task_that_is_made_to_wait_for_what_is_being_finished_does_not_wait_for_ever() {
    let schema = Schema::new();
    let stores = [schema.open(), schema.open()];
    stores[0].write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    for round in 0..15 {
        let (before, after) = (format!("before-{round:02}"), format!("after-{round:02}"));
        stores[0].write_blocking(|tx| tx.tasks().add(task(&before))).unwrap();
        let claimed = stores[0].write_blocking(|tx| tx.tasks().claim(&agent_id("ada"), &Claim::default())).unwrap();
        let token = claimed[0].lease_token.clone().unwrap();
        let new = task(&after).dependencies(vec![claimed[0].id.clone()]);
        std::thread::scope(|scope| {
            scope.spawn(|| stores[0].write_blocking(|tx| tx.tasks().complete(&claimed[0].id, &token, None)).unwrap());
            scope.spawn(|| stores[1].write_blocking(|tx| tx.tasks().add(new.clone())).unwrap());
        });
        let next = stores[0].write_blocking(|tx| tx.tasks().claim(&agent_id("ada"), &Claim::default())).unwrap();
        assert_eq!(next.first().map(|task| task.id.as_str()), Some(after.as_str()));
    }
    stores.iter().for_each(close);
}

#[test]
fn an_expired_lease_is_taken_back_once_however_many_claim() {
    let schema = Schema::new();
    let store = schema.open();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    store.write_blocking(|tx| tx.tasks().add_many((0..10).map(|number| task(&number.to_string())))).unwrap();
    let claim = Claim::default().limit(10).lease_ms(1);
    assert_eq!(store.write_blocking(|tx| tx.tasks().claim(&agent_id("ada"), &claim)).unwrap().len(), 10);
    std::thread::sleep(std::time::Duration::from_millis(3));
    let given: usize = std::thread::scope(|scope| {
        let claims: Vec<_> = (0..8)
            .map(|_| {
                let claim = Claim::default().limit(10);
                let store = &store;
                scope
                    .spawn(move || store.write_blocking(|tx| tx.tasks().claim(&agent_id("ada"), &claim)).unwrap().len())
            })
            .collect();
        claims.into_iter().map(|claim| claim.join().unwrap()).sum()
    });
    let rest = Claim::default().limit(10);
    let rest = store.write_blocking(|tx| tx.tasks().claim(&agent_id("ada"), &rest)).unwrap().len();
    assert_eq!(given + rest, 10);
    let tasks = store.read_blocking(|tx| tx.tasks().list(&Query::new())).unwrap();
    assert!(tasks.iter().all(|task| (task.attempt, task.errors.len()) == (2, 1)), "{tasks:?}");
    close(&store);
}

#[test]
fn a_claim_reads_no_more_than_it_gives() {
    let schema = Schema::new();
    let store = schema.open();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    let other = Other::new(&schema);
    // Finished ones, ones that are not due yet at the highest priority, and ones of another queue.
    other.run(
        "INSERT INTO tasks (id, task_type, payload, queue, priority, on_dependency_failure, required_capabilities, run_at,
             max_retries, status, attempt, created_at, updated_at, version)
         SELECT 'old ' || n, 'work', '{}', 'default', 5, 'cancel', '[]', 0, 3,
             CASE WHEN n % 2 = 0 THEN 'completed' ELSE 'cancelled' END, 1, 0, 0, 1 FROM generate_series(1, 20000) AS n;
         INSERT INTO tasks (id, task_type, payload, queue, priority, on_dependency_failure, required_capabilities, run_at,
             max_retries, status, attempt, created_at, updated_at, version)
         SELECT 'later ' || n, 'work', '{}', 'default', 9, 'cancel', '[]', 9000000000000000, 3, 'pending', 0, 0, 0, 1
         FROM generate_series(1, 20000) AS n;
         ANALYZE tasks",
    );
    store.write_blocking(|tx| tx.tasks().add_many([task("a"), task("b")])).unwrap();
    let read = "SELECT COALESCE(SUM(idx_tup_fetch), 0)::bigint FROM pg_stat_user_tables
                WHERE relname = 'tasks' AND schemaname = current_schema()";
    // What a session has counted is seen by others when it is idle.
    let counted = || {
        other.run("SELECT pg_stat_clear_snapshot()");
        other.integer(read)
    };
    let before = counted();
    for expected in ["a", "b"] {
        let claimed = store.write_blocking(|tx| tx.tasks().claim(&agent_id("ada"), &Claim::default())).unwrap();
        assert_eq!(claimed[0].id.as_str(), expected);
    }
    close(&store);
    assert!((0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        counted() > before
    }));
    let fetched = counted() - before;
    assert!(fetched < 100, "two claims read {fetched} rows");
}
