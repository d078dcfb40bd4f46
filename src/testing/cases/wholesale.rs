//! Changing and deleting all that a filter leaves; and the statement behind a query.

use crate::ErrorCode::{Conflict, InvalidArgument};
use crate::model::{AgentStatus, Priority, Task, TaskStatus, Value};
use crate::testing::Subject;
use crate::testing::kit::{agent, ids, invalid, refused, task, task_after, task_id};
use crate::{Agent, AgentPatch, Filter, NewTask, Order, Query, TaskPatch};
use serde_json::json;

async fn tasks(subject: &Subject) -> Vec<Task> {
    subject.read(|tx| tx.tasks().list(&Query::new().unlimited())).await.expect("a list")
}

async fn delete_tasks(subject: &Subject, filter: Filter<Task>) -> crate::Result<u64> {
    subject.write(move |tx| tx.tasks().delete_where(&filter)).await
}

async fn update_tasks(subject: &Subject, filter: Filter<Task>, patch: TaskPatch) -> crate::Result<u64> {
    subject.write(move |tx| tx.tasks().update_where(&filter, &patch)).await
}

pub async fn updating_by_a_filter_changes_all_that_it_leaves_and_no_other(subject: Subject) {
    for number in 0..150 {
        subject.add_task(task(&format!("{number:03}")).queue(if number % 3 == 0 { "x" } else { "y" })).await;
    }
    subject.advance(5);
    let patch = TaskPatch::new().queue("z").priority(Priority::LOW);
    assert_eq!(update_tasks(&subject, Task::QUEUE.eq("y"), patch.clone()).await.unwrap(), 100);
    assert_eq!(update_tasks(&subject, Task::QUEUE.eq("y"), patch).await.unwrap(), 0);
    for (number, task) in tasks(&subject).await.iter().enumerate() {
        let (queue, version) = if number % 3 == 0 { ("x", 1) } else { ("z", 2) };
        assert_eq!((task.queue.as_str(), task.version), (queue, version));
        assert_eq!(task.updated_at == subject.now(), version == 2);
    }
}

pub async fn updating_by_a_filter_obeys_the_rules_of_an_update_all_or_none(subject: Subject) {
    for (id, status) in [("a", AgentStatus::Idle), ("b", AgentStatus::Terminated), ("c", AgentStatus::Idle)] {
        subject.add_agent(agent(id).status(status)).await;
    }
    let update = async |filter: Filter<Agent>, patch: AgentPatch| {
        subject.write(move |tx| tx.agents().update_where(&filter, &patch)).await
    };
    refused(update(Filter::all([]), AgentPatch::new().status(AgentStatus::Busy)).await, Conflict);
    refused(update(Agent::STATUS.eq(AgentStatus::Idle), AgentPatch::new().name("one for two")).await, Conflict);
    invalid(update(Filter::all([]), AgentPatch::new().name("a\0")).await, "name");
    for id in ["a", "b", "c"] {
        let agent = subject.agent(id).await;
        assert_eq!((agent.version, agent.name), (1, None));
    }
    let ended = AgentPatch::new().status(AgentStatus::Terminated);
    assert_eq!(update(Agent::STATUS.eq(AgentStatus::Idle), ended).await.unwrap(), 2);
    assert_eq!(subject.agent("c").await.terminated_at, Some(subject.now()));
}

pub async fn deleting_by_a_filter_leaves_the_others(subject: Subject) {
    for number in 0..150 {
        subject.add_task(task(&format!("{number:03}")).queue(if number % 3 == 0 { "x" } else { "y" })).await;
    }
    assert_eq!(delete_tasks(&subject, Task::QUEUE.ne("x")).await.unwrap(), 100);
    assert_eq!(delete_tasks(&subject, Task::QUEUE.ne("x")).await.unwrap(), 0);
    let left = tasks(&subject).await;
    assert!(left.len() == 50 && left.iter().all(|task| task.queue == "x"));
    assert_eq!(delete_tasks(&subject, Filter::all([])).await.unwrap(), 50);
    assert!(tasks(&subject).await.is_empty());
}

pub async fn what_depends_on_one_another_can_be_deleted_together_in_any_order(subject: Subject) {
    // The ids are in no order that would do.
    subject
        .arrange_tasks(vec![task("m"), task_after("z", &["m"]), task_after("a", &["z"]), task_after("n", &["a"])])
        .await;
    let all_but_the_last = Task::ID.ne(task_id("n"));
    refused(delete_tasks(&subject, all_but_the_last).await, Conflict);
    assert_eq!(ids(&tasks(&subject).await), ["a", "m", "n", "z"]);
    assert_eq!(delete_tasks(&subject, Filter::all([])).await.unwrap(), 4);
}

pub async fn subtasks_go_with_the_task_that_a_filter_leaves(subject: Subject) {
    subject.arrange(&["a"]).await;
    subject.add_task(task("b").parent_task_id(task_id("a"))).await;
    subject.add_task(task("c").parent_task_id(task_id("b"))).await;
    assert_eq!(delete_tasks(&subject, Task::ID.ne(task_id("c"))).await.unwrap(), 2);
    assert!(tasks(&subject).await.is_empty());
}

pub async fn agents_deleted_by_a_filter_give_their_tasks_back(subject: Subject) {
    subject.claimed(task("a")).await;
    let filter = Agent::STATUS.ne(AgentStatus::Paused);
    assert_eq!(subject.write(move |tx| tx.agents().delete_where(&filter)).await.unwrap(), 1);
    assert_eq!(subject.status("a").await, TaskStatus::Pending);
}

pub async fn a_failure_after_deleting_by_a_filter_takes_it_back(subject: Subject) {
    subject.arrange(&["a", "b"]).await;
    let failing = subject.write(|tx| {
        assert_eq!(tx.tasks().delete_where(&Filter::all([]))?, 2);
        tx.tasks().add(NewTask::new("", json!({})).queue("\0"))
    });
    refused(failing.await, InvalidArgument);
    assert_eq!(ids(&tasks(&subject).await), ["a", "b"]);
}

pub async fn the_statement_of_a_query_gives_the_same_rows_and_holds_no_value(subject: Subject) {
    for (id, priority) in
        [("a", Priority::LOW), ("b", Priority::HIGH), ("c", Priority::HIGH), ("d", Priority::CRITICAL)]
    {
        subject.add_task(task(id).priority(priority).unique_key(format!("secret {id}"))).await;
    }
    let query = || {
        Query::new()
            .filter(Task::UNIQUE_KEY.like("secret%").and(Task::PRIORITY.ge(Priority::HIGH)))
            .filter(Task::QUEUE.is_in(["default", "secret"]).and(Task::REQUIRED_CAPABILITIES.contains("secret").not()))
            .order_by(Task::PRIORITY, Order::Descending)
            .limit(2)
            .after("d")
    };
    let sql = subject.read(move |tx| tx.tasks().to_sql(&query())).await.unwrap();
    assert!(!sql.text.contains("secret") && sql.text.starts_with("SELECT "), "{}", sql.text);
    let listed = subject.read(move |tx| tx.tasks().list(&query())).await.unwrap();
    assert_eq!(ids(&listed), ["b", "c"]);
    let rows = subject.read(move |tx| tx.query(&sql.text, &sql.params)).await.unwrap().rows;
    let first: Vec<_> = rows.iter().map(|row| row[0].clone()).collect();
    assert_eq!(first, [Value::text("b"), Value::text("c")]);
}
