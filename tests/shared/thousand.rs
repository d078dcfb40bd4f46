//! A thousand tasks and eight who claim them at once: what each of them did, and whether it adds up.
//!
//! Every change of a task raises its version by one, so versions are a clock that all callers share: a lease that began with
//! version 4 and ended with version 5 was nobody else's meanwhile. Some tasks are given back and some fail at first, so that
//! they go from hand to hand.

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use swarmstore::{
    Agent, AgentId, Backoff, Claim, Error, NewAgent, NewTask, Query, Result, Store, Task, TaskId, TaskStatus, Tx,
};

pub const TASKS: usize = 1_000;
pub const CALLERS: usize = 8;

/// One lease, as the caller who had it saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub task: String,
    pub agent: String,
    /// The task's version when it was claimed, and when that ended.
    pub from: i64,
    pub to: i64,
    pub completed: bool,
}

pub fn agent(caller: usize) -> AgentId {
    AgentId::new(format!("agent-{caller}")).expect("an id")
}

/// The agents and the tasks.
pub fn fill(store: &Store) {
    let agents =
        |tx: &Tx<'_>| tx.agents().add_many((0..CALLERS).map(|caller| NewAgent::new("worker").id(agent(caller))));
    let added: Vec<Agent> = store.write_blocking(agents).expect("agents");
    assert_eq!(added.len(), CALLERS);
    let task = |number: usize| {
        let id = TaskId::new(format!("{number:04}")).expect("an id");
        NewTask::new("work", json!({ "number": number })).id(id).backoff(Backoff::fixed(0))
    };
    store.write_blocking(|tx| tx.tasks().add_many((0..TASKS).map(task))).expect("tasks");
}

/// A claim of a caller: one to three tasks.
pub fn claim(caller: usize) -> impl FnMut(&Tx<'_>) -> Result<Vec<Task>> + Send + 'static {
    let limit = 1 + u32::try_from(caller % 3).expect("a few");
    move |tx| tx.tasks().claim(&agent(caller), &Claim::default().limit(limit))
}

/// The end of a lease. Whoever has not the only one gets an error.
pub fn end(task: Task) -> impl FnMut(&Tx<'_>) -> Result<Held> + Send + 'static {
    move |tx| {
        let (id, token) = (&task.id, task.lease_token.as_deref().expect("a token"));
        let number: usize = id.as_str().parse().expect("a number");
        let first = task.version == 2;
        let ended = match number {
            _ if first && number.is_multiple_of(7) => tx.tasks().release(id, token)?,
            _ if first && number.is_multiple_of(11) => tx.tasks().fail(id, token, "not yet")?,
            _ => tx.tasks().complete(id, token, None)?,
        };
        Ok::<_, Error>(Held {
            task: id.to_string(),
            agent: task.agent_id.as_ref().expect("an agent").to_string(),
            from: task.version,
            to: ended.version,
            completed: ended.status == TaskStatus::Completed,
        })
    }
}

/// Claims and ends until there is nothing left.
pub fn work(store: &Store, caller: usize) -> Vec<Held> {
    let mut held = Vec::new();
    loop {
        let claimed = store.write_blocking(claim(caller)).expect("a claim");
        if claimed.is_empty() {
            return held;
        }
        for task in claimed {
            held.push(store.write_blocking(end(task)).expect("the lease is the only one"));
        }
    }
}

/// Each task was done once, and nobody held what somebody else held.
pub fn check(store: &Store, all: Vec<Held>) {
    let mut leases: BTreeMap<String, Vec<Held>> = BTreeMap::new();
    for held in all {
        leases.entry(held.task.clone()).or_default().push(held);
    }
    assert_eq!(leases.len(), TASKS, "every task was held");
    let tasks = store.read_blocking(|tx| tx.tasks().list(&Query::new().unlimited())).expect("a list");
    assert_eq!(tasks.len(), TASKS);
    let mut handed_over = 0;
    for task in tasks {
        let held = leases.get_mut(task.id.as_str()).expect("it was held");
        held.sort_by_key(|held| held.from);
        let mut version = 1;
        for lease in &*held {
            assert_eq!(
                (lease.from, lease.to),
                (version + 1, version + 2),
                "nobody else changed it meanwhile: {held:?}"
            );
            version = lease.to;
        }
        let last = held.last().expect("a lease");
        assert_eq!(held.iter().filter(|lease| lease.completed).count(), 1, "{held:?}");
        assert!(last.completed, "{held:?}");
        assert_eq!((task.status, task.version), (TaskStatus::Completed, version));
        assert_eq!(task.agent_id.map(|agent| agent.to_string()).as_ref(), Some(&last.agent));
        let agents: BTreeSet<&str> = held.iter().map(|lease| &*lease.agent).collect();
        handed_over += agents.len() - 1;
    }
    println!("{handed_over} tasks went from one agent to another");
}
