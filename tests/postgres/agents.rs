//! Signs of life and sweeps beside each other.

use crate::support::{Schema, agent, agent_id, close, task};
use std::collections::BTreeSet;
use swarmstore::{AgentStatus, Claim, Millis, Query, Store, TaskStatus};

/// Agents who were last heard of long ago, each with a task.
fn silent(store: &Store, count: usize) {
    let id = |number: usize| format!("{number:02}");
    store
        .write_blocking(|tx| {
            tx.tasks().add_many((0..count).map(|number| task(&id(number))))?;
            for number in 0..count {
                tx.agents().add(agent(&id(number)).last_heartbeat(Millis(1)))?;
                let claimed = tx.tasks().claim(&agent_id(&id(number)), &Claim::default())?;
                assert_eq!(claimed.len(), 1);
            }
            Ok::<_, swarmstore::Error>(())
        })
        .unwrap();
}

#[test]
fn an_agent_that_sends_a_heartbeat_at_that_moment_is_left_out_of_a_sweep() {
    let schema = Schema::new();
    let store = schema.open();
    silent(&store, 2);
    let swept = store
        .write_blocking(|tx| {
            tx.agents().heartbeat(&agent_id("00"))?;
            // Neither of them waits for the other.
            let swept = std::thread::scope(|scope| {
                scope.spawn(|| store.write_blocking(|tx| tx.agents().sweep_stale(60_000))).join().expect("a sweep")
            })?;
            Ok::<_, swarmstore::Error>(swept)
        })
        .unwrap();
    assert_eq!(swept.agents, [agent_id("01")]);
    assert_eq!(swept.tasks.len(), 1);
    let status = |id: &str| store.read_blocking(|tx| tx.agents().get(id)).unwrap().unwrap().status;
    assert_eq!((status("00"), status("01")), (AgentStatus::Initializing, AgentStatus::Failed));
    close(&store);
}

#[test]
fn of_several_sweeps_at_once_each_agent_and_task_is_taken_by_one() {
    const AGENTS: usize = 24;
    let schema = Schema::new();
    let store = schema.open();
    silent(&store, AGENTS);
    let swept = std::thread::scope(|scope| {
        let sweeps: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| store.write_blocking(|tx| tx.agents().sweep_stale(60_000)).unwrap()))
            .collect();
        sweeps.into_iter().map(|sweep| sweep.join().expect("a sweep")).collect::<Vec<_>>()
    });
    let agents: Vec<_> = swept.iter().flat_map(|swept| swept.agents.iter().map(ToString::to_string)).collect();
    let tasks: Vec<_> = swept.iter().flat_map(|swept| swept.tasks.iter().map(ToString::to_string)).collect();
    let (different_agents, different_tasks) =
        (agents.iter().collect::<BTreeSet<_>>(), tasks.iter().collect::<BTreeSet<_>>());
    assert_eq!((agents.len(), different_agents.len()), (AGENTS, AGENTS));
    assert_eq!((tasks.len(), different_tasks.len()), (AGENTS, AGENTS));
    for task in store.read_blocking(|tx| tx.tasks().list(&Query::new())).unwrap() {
        assert_eq!((task.status, task.attempt, task.errors.len()), (TaskStatus::Pending, 1, 1));
    }
    close(&store);
}
