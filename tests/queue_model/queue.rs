//! The real queue, driven by operations.

use crate::operation::{Action, BACKOFF_MS, FlowRow, Operation, Token};
use serde_json::json;
use std::collections::BTreeMap;
use swarmstore::testing::{START, TestClock, block_on};
use swarmstore::{
    Agent, AgentId, Backoff, Claim, Clock as _, Error, ErrorCode, NewAgent, NewTask, OnConflict, OnDependencyFailure,
    Priority, Query, Store, Task, TaskId, TaskPatch, TaskStatus, Tx,
};

/// What matters of every task, by id.
pub type State = BTreeMap<String, Seen>;

/// What matters of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub status: &'static str,
    pub priority: u8,
    pub run_at: i64,
    pub attempt: u32,
    pub max_retries: u32,
    pub dependencies: Vec<String>,
    pub hold: bool,
    pub agent: Option<String>,
    /// The number of the claim that gave the token, and when it ends.
    pub lease: Option<(usize, i64)>,
    pub errors: Vec<u32>,
    pub queue: u8,
    pub parent: Option<String>,
    /// When it was finished.
    pub ended: Option<i64>,
    /// Whether it depends, near or far, on a task that holds.
    pub waits_for_held: bool,
}

impl Seen {
    pub fn is_final(&self) -> bool {
        ["completed", "failed", "cancelled"].contains(&self.status)
    }
}

/// The ids that an operation gives back, or why it was refused.
pub type Outcome = Result<Vec<String>, ErrorCode>;

/// The id of the task that was added as number so and so: not in the order of their numbers.
pub fn id_of(number: usize) -> String {
    format!("{:03}", number * 370 % 1_009)
}

pub fn agent_name(number: u8) -> String {
    format!("agent-{number}")
}

pub fn queue_name(number: u8) -> String {
    ["default", "a", "ä"][usize::from(number)].to_owned()
}

pub struct Queue {
    store: Store,
    clock: TestClock,
    added: usize,
    /// Every token ever given, in the order of the claims; a claim of many tasks gives one.
    tokens: Vec<String>,
    /// The claims that gave each task.
    claims: BTreeMap<String, Vec<usize>>,
}

impl Queue {
    pub fn new() -> Self {
        let clock = TestClock::default();
        let store = block_on(Store::options().clock(clock.clone()).open("memory:")).expect("a store");
        let queue = Queue { store, clock, added: 0, tokens: Vec::new(), claims: BTreeMap::new() };
        for number in 0..3 {
            queue.add_agent(number);
        }
        queue
    }

    fn add_agent(&self, number: u8) {
        let new = NewAgent::new("worker").id(AgentId::new(agent_name(number)).unwrap());
        self.store.write_blocking(|tx| tx.agents().put(new.clone())).expect("an agent");
    }

    pub fn apply(&mut self, operation: &Operation) -> Outcome {
        let named = |number: usize| TaskId::new(id_of(number % self.added.max(1))).unwrap();
        let write = |body: &dyn Fn(&Tx<'_>) -> swarmstore::Result<Vec<Task>>| self.store.write_blocking(body);
        let outcome = match operation {
            Operation::Add { priority, delay, dependencies, hold, key, existing, retries, queue, parent } => {
                let mut new = NewTask::new("work", json!({}))
                    .id(TaskId::new(id_of(self.added)).unwrap())
                    .priority(Priority::new(*priority).unwrap())
                    .run_at(self.clock.now().plus(*delay))
                    .dependencies(dependencies.iter().map(|number| named(*number)).collect::<Vec<_>>())
                    .on_dependency_failure(if *hold { OnDependencyFailure::Hold } else { OnDependencyFailure::Cancel })
                    .on_conflict(if *existing { OnConflict::Existing } else { OnConflict::Error })
                    .backoff(Backoff::fixed(BACKOFF_MS))
                    .queue(queue_name(*queue))
                    .max_retries(*retries);
                new.unique_key = key.map(|key| key.to_string());
                new.parent_task_id = parent.map(named).filter(|_| self.added > 0);
                let id = new.id.clone();
                let added = self.store.write_blocking(|tx| Ok(vec![tx.tasks().add(new.clone())?]));
                added.inspect(|tasks| self.added += usize::from(Some(&tasks[0].id) == id.as_ref()))
            }
            Operation::Flow { rows } => {
                let number = |at: usize| TaskId::new(id_of(self.added + at % rows.len())).unwrap();
                let row = |(at, row): (usize, &FlowRow)| {
                    let on = row.rows.iter().map(|at| number(*at)).chain(row.tasks.iter().map(|number| named(*number)));
                    let mut new = NewTask::new("work", json!({}))
                        .id(number(at))
                        .priority(Priority::new(row.priority).unwrap())
                        .dependencies(on.collect::<Vec<_>>())
                        .on_dependency_failure(if row.hold {
                            OnDependencyFailure::Hold
                        } else {
                            OnDependencyFailure::Cancel
                        })
                        .on_conflict(if row.existing { OnConflict::Existing } else { OnConflict::Error })
                        .backoff(Backoff::fixed(BACKOFF_MS));
                    new.unique_key = row.key.map(|key| key.to_string());
                    new
                };
                let new: Vec<NewTask> = rows.iter().enumerate().map(row).collect();
                let added = self.store.write_blocking(|tx| tx.tasks().add_flow(new.clone()));
                added.inspect(|_| self.added += rows.len())
            }
            Operation::Claim { agent, limit, lease_ms, queues } => {
                let agent = AgentId::new(agent_name(*agent)).unwrap();
                let claim =
                    Claim::default().limit(*limit).lease_ms(*lease_ms).queues(queues.iter().copied().map(queue_name));
                write(&|tx| tx.tasks().claim(&agent, &claim)).inspect(|tasks| self.remember(tasks))
            }
            Operation::Advance { millis } => {
                self.clock.advance(*millis);
                Ok(vec![])
            }
            Operation::Act { task, action, token } => {
                let id = named(*task);
                let token = self.token(id.as_str(), *token);
                write(&|tx| Ok(vec![act(tx, *action, &id, &token)?]))
            }
            Operation::Cancel { task, subtree: false } => write(&|tx| tx.tasks().cancel(&named(*task), None)),
            Operation::Cancel { task, subtree: true } => write(&|tx| tx.tasks().cancel_subtree(&named(*task), None)),
            Operation::Redrive { tasks } => {
                let ids: Vec<TaskId> = tasks.iter().map(|number| named(*number)).collect();
                write(&|tx| tx.tasks().redrive(&ids))
            }
            Operation::Pause { queue } => write(&|tx| tx.tasks().pause(&queue_name(*queue)).map(|()| vec![])),
            Operation::Resume { queue } => write(&|tx| tx.tasks().resume(&queue_name(*queue)).map(|()| vec![])),
            Operation::Purge { age } => {
                let before = self.clock.now().plus(-age);
                let purged = self.store.write_blocking(|tx| tx.tasks().purge(before));
                return purged.map(|purged| vec![purged.to_string()]).map_err(|error: Error| error.code());
            }
            Operation::Reclaim => write(&|tx| tx.tasks().reclaim_expired()),
            Operation::Prioritise { task, priority } => {
                let patch = TaskPatch::new().priority(Priority::new(*priority).unwrap());
                write(&|tx| Ok(vec![tx.tasks().update(named(*task), patch.clone())?]))
            }
            Operation::Depend { task, on } => {
                let on: Vec<TaskId> = on.iter().map(|number| named(*number)).collect();
                let patch = TaskPatch::new().dependencies(on);
                write(&|tx| Ok(vec![tx.tasks().update(named(*task), patch.clone())?]))
            }
            Operation::Delete { task } => {
                let deleted = self.store.write_blocking(|tx| tx.tasks().delete(named(*task)));
                return deleted.map(|deleted| vec![deleted.to_string()]).map_err(|error: Error| error.code());
            }
            Operation::RemoveAgent { agent } => {
                self.store.write_blocking(|tx| tx.agents().delete(agent_name(*agent))).expect("an agent goes");
                self.add_agent(*agent);
                Ok(vec![])
            }
        };
        let ids = |tasks: Vec<Task>| tasks.into_iter().map(|task| task.id.to_string()).collect::<Vec<_>>();
        outcome.map(ids).map_err(|error| error.code())
    }

    fn remember(&mut self, tasks: &[Task]) {
        let Some(first) = tasks.first() else { return };
        self.tokens.push(first.lease_token.clone().expect("a token"));
        for task in tasks {
            self.claims.entry(task.id.to_string()).or_default().push(self.tokens.len() - 1);
        }
    }

    fn token(&self, id: &str, which: Token) -> String {
        let back = match which {
            Token::Latest => 1,
            Token::Older => 2,
            Token::Guessed => return "guessed".to_owned(),
        };
        let claims = self.claims.get(id).map(Vec::as_slice).unwrap_or_default();
        let claim = claims.len().checked_sub(back).and_then(|at| claims.get(at));
        claim.map(|claim| self.tokens[*claim].clone()).unwrap_or_default()
    }

    /// Milliseconds since the start.
    pub fn now(&self) -> i64 {
        self.clock.now().0 - START.0
    }

    pub fn state(&self) -> State {
        let tasks = self.store.read_blocking(|tx| tx.tasks().list(&Query::new().unlimited())).expect("a list");
        let mut state: State = tasks.into_iter().map(|task| (task.id.to_string(), self.seen(&task))).collect();
        mark_waiting(&mut state);
        state
    }

    fn seen(&self, task: &Task) -> Seen {
        let claim =
            |token: &String| self.tokens.iter().position(|given| given == token).expect("a token that was given");
        Seen {
            status: task.status.as_str(),
            priority: task.priority.get(),
            run_at: task.run_at.0 - START.0,
            attempt: task.attempt,
            max_retries: task.max_retries,
            dependencies: task.dependencies.iter().map(ToString::to_string).collect(),
            hold: task.on_dependency_failure == OnDependencyFailure::Hold,
            agent: task.agent_id.as_ref().map(ToString::to_string),
            lease: task.lease_token.as_ref().map(claim).zip(task.lease_expires_at.map(|expires| expires.0 - START.0)),
            errors: task.errors.iter().map(|error| error.attempt).collect(),
            queue: (0..3).find(|number| queue_name(*number) == task.queue).expect("a queue"),
            parent: task.parent_task_id.as_ref().map(ToString::to_string),
            ended: task.completed_at.map(|ended| ended.0 - START.0),
            waits_for_held: false,
        }
    }

    /// Claims and completes until nothing is left that can be claimed.
    pub fn work_off(&mut self) {
        self.clock.advance(1_000);
        for queue in 0..3 {
            self.apply(&Operation::Resume { queue }).expect("a queue goes on");
        }
        loop {
            let claim = Operation::Claim { agent: 0, limit: 3, lease_ms: 1_000, queues: vec![] };
            let claimed = self.apply(&claim).expect("a claim");
            if claimed.is_empty() {
                return;
            }
            for id in claimed {
                let token = self.token(&id, Token::Latest);
                let id = TaskId::new(id).unwrap();
                self.store.write_blocking(|tx| tx.tasks().complete(&id, &token, None)).expect("it is completed");
            }
        }
    }

    pub fn is_sound(&self) {
        assert_eq!(block_on(self.store.check_integrity()).expect("a check"), ["ok"]);
        // The count that the claim relies on is what it stands for.
        let wrong = "
            SELECT id FROM tasks WHERE status = 'pending' AND unmet_dependencies <> (
                SELECT COUNT(*) FROM task_dependencies AS edge JOIN tasks AS other ON other.id = edge.depends_on
                WHERE edge.task_id = tasks.id AND other.status <> 'completed')";
        let wrong = self.store.read_blocking(|tx| tx.query(wrong, &[])).expect("a query");
        assert!(wrong.rows.is_empty(), "miscounted: {:?}", wrong.rows);
        let queues = self.store.read_blocking(|tx| tx.tasks().queues()).expect("queues");
        let all = self.store.read_blocking(|tx| tx.tasks().counts(None)).expect("counts");
        for status in TaskStatus::ALL {
            let counted = self.state().values().filter(|task| task.status == status.as_str()).count();
            assert_eq!(all.of(*status), i64::try_from(counted).unwrap());
            assert_eq!(all.of(*status), queues.iter().map(|queue| queue.counts.of(*status)).sum::<i64>());
        }
        let agents: Vec<Agent> = self.store.read_blocking(|tx| tx.agents().list(&Query::new())).expect("a list");
        assert_eq!(agents.len(), 3);
    }
}

/// Notes who waits for a task that holds.
pub fn mark_waiting(state: &mut State) {
    loop {
        let waits = |task: &Seen| {
            task.dependencies
                .iter()
                .any(|on| state.get(on).is_some_and(|on| on.waits_for_held || (on.hold && !on.is_final())))
        };
        let new: Vec<String> =
            state.iter().filter(|(_, task)| !task.waits_for_held && waits(task)).map(|(id, _)| id.clone()).collect();
        if new.is_empty() {
            return;
        }
        for id in new {
            state.entry(id).and_modify(|task| task.waits_for_held = true);
        }
    }
}

fn act(tx: &Tx<'_>, action: Action, id: &TaskId, token: &str) -> swarmstore::Result<Task> {
    match action {
        Action::Start => tx.tasks().start(id, token),
        Action::Extend { lease_ms } => tx.tasks().extend(id, token, lease_ms),
        Action::Complete => tx.tasks().complete(id, token, None),
        Action::Fail => tx.tasks().fail(id, token, "broken"),
        Action::FailForGood => tx.tasks().fail_for_good(id, token, "broken"),
        Action::Release => tx.tasks().release(id, token),
        Action::Snooze { delay } => tx.tasks().snooze(id, token, delay),
    }
}
