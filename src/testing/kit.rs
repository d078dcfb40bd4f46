//! What the cases share: short ways to arrange a store and to say what is expected.

use super::Subject;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{
    Agent, AgentId, Backoff, Claim, Event, EventId, Expected, Json, NewAgent, NewEvent, NewTask, Record, Stream, Task,
    TaskId, TaskPatch, TaskStatus,
};
use crate::service::{EventFilter, ReadStream};
use serde_json::json;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

pub(super) fn agent_id(id: &str) -> AgentId {
    AgentId::new(id).expect("an id")
}

pub(super) fn task_id(id: &str) -> TaskId {
    TaskId::new(id).expect("an id")
}

pub(super) fn event_id(id: &str) -> EventId {
    EventId::new(id).expect("an id")
}

pub(super) fn agent(id: &str) -> NewAgent {
    NewAgent::new("worker").id(agent_id(id))
}

pub(super) fn task(id: &str) -> NewTask {
    NewTask::new("work", json!({})).id(task_id(id))
}

/// A task that waits for others.
pub(super) fn task_after(id: &str, dependencies: &[&str]) -> NewTask {
    task(id).dependencies(dependencies.iter().map(|id| task_id(id)).collect::<Vec<_>>())
}

pub(super) fn event(event_type: &str) -> NewEvent {
    NewEvent::new(event_type, json!({}))
}

pub(super) fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

pub(super) fn ids<R: Record>(records: &[R]) -> Vec<&str> {
    records.iter().map(Record::id).collect()
}

/// `Ok`, with the error type that a closure's `?` needs.
#[allow(clippy::unnecessary_wraps)] // that is what it is for
pub(super) fn done<T>(value: T) -> Result<T> {
    Ok(value)
}

/// The error of what has to fail with this code.
#[track_caller]
pub(super) fn refused<T: Debug>(result: Result<T>, code: ErrorCode) -> Error {
    match result {
        Ok(done) => panic!("expected {code:?}, got {done:?}"),
        Err(error) => {
            assert_eq!(error.code(), code, "{error}");
            error
        }
    }
}

/// As [`refused`] with `INVALID_ARGUMENT` for this field.
#[track_caller]
pub(super) fn invalid<T: Debug>(result: Result<T>, field: &str) -> Error {
    let error = refused(result, ErrorCode::InvalidArgument);
    assert_eq!(error.detail().field.as_deref(), Some(field), "{error}");
    assert!(error.to_string().contains(field), "{error}");
    error
}

/// Polls a future once; whether it is ready.
pub(super) async fn is_ready<T>(mut future: Pin<&mut impl Future<Output = T>>) -> bool {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

/// What a claimed task is held by.
fn lease(task: &Task) -> (TaskId, String) {
    (task.id.clone(), task.lease_token.clone().unwrap_or_default())
}

// Arranging: what has to succeed.
impl Subject {
    pub(super) async fn add_agent(&self, new: NewAgent) -> Agent {
        self.try_add_agent(new).await.expect("an agent is added")
    }

    pub(super) async fn add_task(&self, new: NewTask) -> Task {
        self.try_add_task(new).await.expect("a task is added")
    }

    /// The agent `ada`, and tasks with these ids.
    pub(super) async fn arrange(&self, tasks: &[&str]) {
        let new: Vec<NewTask> = tasks.iter().map(|id| task(id)).collect();
        self.arrange_tasks(new).await;
    }

    /// The agent `ada`, and these tasks.
    pub(super) async fn arrange_tasks(&self, tasks: Vec<NewTask>) {
        self.write(move |tx| {
            tx.agents().add(agent("ada"))?;
            tx.tasks().add_many(tasks.clone())
        })
        .await
        .expect("an agent and tasks are added");
    }

    /// A new task that a new agent `ada` has claimed.
    pub(super) async fn claimed(&self, new: NewTask) -> Task {
        self.arrange_tasks(vec![new]).await;
        self.claim("ada").await
    }

    /// The next task for an agent.
    pub(super) async fn claim(&self, agent: &str) -> Task {
        self.claim_many(agent, Claim::default()).await.pop().expect("a task to claim")
    }

    pub(super) async fn claim_many(&self, agent: &str, claim: Claim) -> Vec<Task> {
        self.try_claim(agent, claim).await.expect("a claim")
    }

    /// The ids of all that an agent is given.
    pub(super) async fn claim_ids(&self, agent: &str, claim: Claim) -> Vec<String> {
        self.claim_many(agent, claim).await.into_iter().map(|task| task.id.to_string()).collect()
    }

    /// Whether there is nothing for this agent.
    pub(super) async fn nothing_for(&self, agent: &str) -> bool {
        self.claim_many(agent, Claim::default()).await.is_empty()
    }

    pub(super) async fn task(&self, id: &str) -> Task {
        let id = id.to_owned();
        self.read(move |tx| tx.tasks().get(&id)).await.expect("a read").expect("the task is there")
    }

    pub(super) async fn agent(&self, id: &str) -> Agent {
        let id = id.to_owned();
        self.read(move |tx| tx.agents().get(&id)).await.expect("a read").expect("the agent is there")
    }

    pub(super) async fn status(&self, id: &str) -> TaskStatus {
        self.task(id).await.status
    }

    /// Claims the next task for `ada` and finishes it.
    pub(super) async fn finish_next(&self) -> Task {
        let task = self.claim("ada").await;
        self.complete(&task).await.expect("it is completed")
    }

    /// Claims the next task for `ada` and fails it for good.
    pub(super) async fn ruin_next(&self) -> Task {
        let task = self.claim("ada").await;
        self.fail_for_good(&task).await.expect("it fails")
    }
}

// Acting: what may fail.
impl Subject {
    pub(super) async fn try_add_agent(&self, new: NewAgent) -> Result<Agent> {
        self.write(move |tx| tx.agents().add(new.clone())).await
    }

    pub(super) async fn try_add_task(&self, new: NewTask) -> Result<Task> {
        self.write(move |tx| tx.tasks().add(new.clone())).await
    }

    pub(super) async fn update_task(&self, id: &str, patch: TaskPatch) -> Result<Task> {
        let id = id.to_owned();
        self.write(move |tx| tx.tasks().update(&id, patch.clone())).await
    }

    pub(super) async fn try_claim(&self, agent: &str, claim: Claim) -> Result<Vec<Task>> {
        let agent = agent_id(agent);
        self.write(move |tx| tx.tasks().claim(&agent, &claim)).await
    }

    pub(super) async fn start(&self, task: &Task) -> Result<Task> {
        let (id, token) = lease(task);
        self.write(move |tx| tx.tasks().start(&id, &token)).await
    }

    pub(super) async fn extend(&self, task: &Task, lease_ms: i64) -> Result<Task> {
        let (id, token) = lease(task);
        self.write(move |tx| tx.tasks().extend(&id, &token, lease_ms)).await
    }

    pub(super) async fn complete(&self, task: &Task) -> Result<Task> {
        self.complete_with(task, None).await
    }

    pub(super) async fn complete_with(&self, task: &Task, result: Option<Json>) -> Result<Task> {
        let (id, token) = lease(task);
        self.write(move |tx| tx.tasks().complete(&id, &token, result.as_ref())).await
    }

    pub(super) async fn fail(&self, task: &Task, message: &str) -> Result<Task> {
        let (id, token) = lease(task);
        let message = message.to_owned();
        self.write(move |tx| tx.tasks().fail(&id, &token, &message)).await
    }

    pub(super) async fn fail_for_good(&self, task: &Task) -> Result<Task> {
        let (id, token) = lease(task);
        self.write(move |tx| tx.tasks().fail_for_good(&id, &token, "broken")).await
    }

    pub(super) async fn release(&self, task: &Task) -> Result<Task> {
        let (id, token) = lease(task);
        self.write(move |tx| tx.tasks().release(&id, &token)).await
    }

    pub(super) async fn snooze(&self, task: &Task, delay_ms: i64) -> Result<Task> {
        let (id, token) = lease(task);
        self.write(move |tx| tx.tasks().snooze(&id, &token, delay_ms)).await
    }

    pub(super) async fn add_flow(&self, tasks: Vec<NewTask>) -> Result<Vec<Task>> {
        self.write(move |tx| tx.tasks().add_flow(tasks.clone())).await
    }

    pub(super) async fn redrive(&self, ids: &[&str]) -> Result<Vec<Task>> {
        let ids: Vec<TaskId> = ids.iter().map(|id| task_id(id)).collect();
        self.write(move |tx| tx.tasks().redrive(&ids)).await
    }

    pub(super) async fn pause(&self, queue: &'static str) {
        self.write(move |tx| tx.tasks().pause(queue)).await.expect("it is paused");
    }

    pub(super) async fn resume(&self, queue: &'static str) {
        self.write(move |tx| tx.tasks().resume(queue)).await.expect("it is resumed");
    }

    /// Deletes what was finished before now.
    pub(super) async fn purge(&self) -> u64 {
        let now = self.now();
        self.write(move |tx| tx.tasks().purge(now)).await.expect("a purge")
    }

    pub(super) async fn cancel(&self, id: &str) -> Result<Vec<Task>> {
        let id = task_id(id);
        self.write(move |tx| tx.tasks().cancel(&id, None)).await
    }

    /// Appends to the stream `task/STREAM`.
    pub(super) async fn append(&self, stream: &str, events: Vec<NewEvent>, expected: Expected) -> Result<Vec<Event>> {
        let stream = Stream::new("task", stream);
        self.write(move |tx| tx.events().append(&stream, events.clone(), expected)).await
    }

    /// Reads the stream `task/STREAM`.
    pub(super) async fn read_stream(&self, stream: &str, options: ReadStream) -> Vec<Event> {
        let stream = Stream::new("task", stream);
        self.read(move |tx| tx.events().read(&stream, options)).await.expect("a read")
    }

    pub(super) async fn read_all(&self, filter: EventFilter) -> Vec<Event> {
        self.read(move |tx| tx.events().read_all(&filter)).await.expect("a read")
    }
}

/// Ready to be tried again at once.
pub(super) fn no_backoff() -> Backoff {
    Backoff::fixed(0)
}
