//! Writers beside each other: as if they were one after another.

use crate::support::{Other, Schema, agent, agent_id, block_on, close, count_agents, refused, task};
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::time::Duration;
use swarmstore::{AgentPatch, ErrorCode, NewTask, Query, Store, TaskId};

#[test]
fn writers_on_different_rows_do_not_wait_for_each_other() {
    let schema = Schema::new();
    let store = schema.open();
    store.write_blocking(|tx| tx.agents().add_many([agent("ada"), agent("eve")])).unwrap();
    let together = Barrier::new(2);
    std::thread::scope(|scope| {
        for id in ["ada", "eve"] {
            let (store, together) = (&store, &together);
            scope.spawn(move || {
                store
                    .write_blocking(|tx| {
                        let changed = tx.agents().update(id, AgentPatch::new().agent_type("changed"))?;
                        // Both have written, and neither has committed.
                        together.wait();
                        Ok::<_, swarmstore::Error>(changed)
                    })
                    .unwrap();
            });
        }
    });
    close(&store);
}

#[test]
fn updates_of_one_record_from_many_threads_are_all_made() {
    let schema = Schema::new();
    let stores = [schema.open(), schema.open()];
    stores[0].write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = &stores[thread % 2];
            scope.spawn(move || {
                for _ in 0..10 {
                    let count = |tx: &swarmstore::Tx<'_>| {
                        let ada = tx.agents().get("ada")?.expect("ada");
                        let number: u32 = ada.name.as_deref().unwrap_or("0").parse().expect("a number");
                        tx.agents().update("ada", AgentPatch::new().name((number + 1).to_string()))
                    };
                    store.write_blocking(count).unwrap();
                }
            });
        }
    });
    let ada = stores[0].read_blocking(|tx| tx.agents().get("ada")).unwrap().unwrap();
    assert_eq!((ada.name.as_deref(), ada.version), (Some("80"), 81));
    stores.iter().for_each(close);
}

/// Of two who look whether anybody is there, and come in only if nobody is, one comes in.
#[test]
fn what_was_counted_does_not_change_before_the_transaction_ends() {
    let schema = Schema::new();
    let stores = [schema.open(), schema.open()];
    for round in 0..10 {
        let together = Barrier::new(4);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (store, together) = (&stores[thread % 2], &together);
                scope.spawn(move || {
                    together.wait();
                    let if_nobody_is_there = |tx: &swarmstore::Tx<'_>| {
                        // Something that another may do at the same time.
                        tx.tasks().add(NewTask::new("work", serde_json::json!({})))?;
                        if tx.agents().count(&Query::new())? == round {
                            tx.agents().add(agent(&format!("{round}-{thread}")))?;
                        }
                        Ok::<_, swarmstore::Error>(())
                    };
                    store.write_blocking(if_nobody_is_there).unwrap();
                });
            }
        });
        assert_eq!(count_agents(&stores[0]), round + 1);
    }
    stores.iter().for_each(close);
}

#[test]
fn what_was_not_there_does_not_come_before_the_transaction_ends() {
    let schema = Schema::new();
    let stores = [schema.open(), schema.open()];
    for round in 0..10 {
        let together = Barrier::new(2);
        let names = [format!("{round}-ada"), format!("{round}-eve")];
        std::thread::scope(|scope| {
            for me in 0..2 {
                let (store, together, names) = (&stores[me], &together, &names);
                scope.spawn(move || {
                    together.wait();
                    let unless_the_other_is_there = |tx: &swarmstore::Tx<'_>| match tx.agents().get(&names[1 - me])? {
                        None => tx.agents().add(agent(&names[me])).map(|_| ()),
                        Some(_) => Ok(()),
                    };
                    store.write_blocking(unless_the_other_is_there).unwrap();
                });
            }
        });
        assert_eq!(count_agents(&stores[0]), round + 1);
    }
    stores.iter().for_each(close);
}

#[test]
fn locks_taken_crosswise_end_with_both_writes() {
    let schema = Schema::new();
    let store = schema.open();
    store.write_blocking(|tx| tx.agents().add_many([agent("ada"), agent("eve")])).unwrap();
    let together = Barrier::new(2);
    std::thread::scope(|scope| {
        for (first, second) in [("ada", "eve"), ("eve", "ada")] {
            let (store, together) = (&store, &together);
            scope.spawn(move || {
                let mut run = 0;
                let both = |tx: &swarmstore::Tx<'_>| {
                    tx.agents().update(first, AgentPatch::new().agent_type("changed"))?;
                    run += 1;
                    if run == 1 {
                        together.wait();
                    }
                    tx.agents().update(second, AgentPatch::new().agent_type("changed"))
                };
                store.write_blocking(both).unwrap();
            });
        }
    });
    let agents = store.read_blocking(|tx| tx.agents().list(&Query::new())).unwrap();
    assert!(agents.iter().all(|agent| agent.version == 3), "{agents:?}");
    close(&store);
}

#[test]
fn an_explicit_transaction_keeps_the_writers_of_other_processes_out() {
    let schema = Schema::new();
    // Two stores, as in two processes: they share nothing but the server.
    let (one, other) = (schema.open(), schema.open());
    let mut transaction = block_on(one.begin()).unwrap();
    transaction.run(|tx| tx.agents().add(agent("ada"))).unwrap();
    let (done, finished) = channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            other.write_blocking(|tx| tx.agents().add(agent("eve"))).unwrap();
            done.send(()).unwrap();
        });
        assert!(finished.recv_timeout(Duration::from_millis(200)).is_err());
        // Readers go on.
        assert_eq!(count_agents(&other), 0);
        transaction.run(|tx| tx.agents().count(&Query::new())).unwrap();
        block_on(transaction.commit()).unwrap();
        finished.recv_timeout(Duration::from_secs(10)).unwrap();
    });
    assert_eq!(count_agents(&one), 2);
    close(&one);
    close(&other);
}

#[test]
fn another_who_holds_a_row_makes_a_write_time_out() {
    let schema = Schema::new();
    let store = schema.open_with(Store::options().busy_timeout_ms(50)).unwrap();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    let other = Other::new(&schema);
    other.run("BEGIN; SELECT * FROM agents FOR UPDATE");
    let blocked = store.write_blocking(|tx| tx.agents().update("ada", AgentPatch::new().name("Ada")));
    assert!(refused(blocked, ErrorCode::Timeout).is_retryable());
    other.run("ROLLBACK");
    store.write_blocking(|tx| tx.agents().update("ada", AgentPatch::new().name("Ada"))).unwrap();
    close(&store);
}

#[test]
fn of_two_who_take_one_name_at_once_the_other_is_told_of_the_conflict() {
    let schema = Schema::new();
    let store = schema.open();
    store.write_blocking(|tx| tx.agents().add_many([agent("ada"), agent("eve")])).unwrap();
    for round in 0..10 {
        let together = Barrier::new(2);
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let threads = ["ada", "eve"].map(|id| {
                let (store, together) = (&store, &together);
                scope.spawn(move || {
                    together.wait();
                    store.write_blocking(|tx| tx.agents().update(id, AgentPatch::new().name(format!("name {round}"))))
                })
            });
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 1));
        refused(lost.into_iter().next().unwrap(), ErrorCode::Conflict);
    }
    close(&store);
}

#[test]
fn an_error_of_the_database_can_be_caught_and_the_rest_is_kept() {
    let schema = Schema::new();
    let store = schema.open();
    let parentless = NewTask::new("work", serde_json::json!({})).parent_task_id(TaskId::new("nobody").unwrap());
    let caught = |tx: &swarmstore::Tx<'_>| {
        tx.agents().add(agent("ada"))?;
        let error = tx.tasks().add(parentless.clone()).expect_err("an unknown parent");
        tx.tasks().add(task("after"))?;
        Ok::<_, swarmstore::Error>(error.code())
    };
    assert_eq!(store.write_blocking(caught).unwrap(), ErrorCode::Constraint);
    assert_eq!(count_agents(&store), 1);
    assert!(store.read_blocking(|tx| tx.tasks().get("after")).unwrap().is_some());

    // Also when nothing follows, and in an explicit transaction.
    let last = |tx: &swarmstore::Tx<'_>| {
        tx.agents().add(agent("eve"))?;
        Ok::<_, swarmstore::Error>(tx.tasks().add(parentless.clone()).is_err())
    };
    assert!(store.write_blocking(last).unwrap());
    assert_eq!(count_agents(&store), 2);
    let mut transaction = block_on(store.begin()).unwrap();
    transaction.run(|tx| tx.agents().delete("eve")).unwrap();
    assert!(transaction.run(last).unwrap());
    block_on(transaction.commit()).unwrap();
    assert_eq!(count_agents(&store), 2);
    close(&store);
}

#[test]
fn a_deleted_agent_leaves_no_task_assigned_to_nobody() {
    let schema = Schema::new();
    let store = schema.open();
    for round in 0..10 {
        let id = round.to_string();
        store
            .write_blocking(|tx| {
                tx.agents().add(agent(&id))?;
                tx.tasks().add(task(&id))
            })
            .unwrap();
        let together = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                together.wait();
                // Before the deletion it gets a task, after it there is no such agent.
                match store.write_blocking(|tx| tx.tasks().claim(&agent_id(&id), &swarmstore::Claim::default())) {
                    Ok(tasks) => assert_eq!(tasks.len(), 1),
                    Err(error) => assert_eq!(error.code(), ErrorCode::NotFound, "{error}"),
                }
            });
            scope.spawn(|| {
                together.wait();
                assert!(store.write_blocking(|tx| tx.agents().delete(&id)).unwrap());
            });
        });
        let task = store.read_blocking(|tx| tx.tasks().get(&id)).unwrap().unwrap();
        assert_eq!((task.status, task.agent_id, task.lease_token), (swarmstore::TaskStatus::Pending, None, None));
        store.write_blocking(|tx| tx.tasks().delete(&id)).unwrap();
    }
    close(&store);
}

#[test]
fn who_waits_too_long_for_another_process_is_told_so_once() {
    let schema = Schema::new();
    let (first, second) = (schema.open(), schema.open_with(Store::options().busy_timeout_ms(50)).unwrap());
    let open = block_on(first.begin()).unwrap();
    let error = refused(second.write_blocking(|tx| tx.agents().add(agent("ada"))), ErrorCode::Timeout);
    assert!(error.to_string().contains("lock timeout"), "{error}");
    open.rollback().unwrap();
    second.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    [first, second].iter().for_each(close);
}
