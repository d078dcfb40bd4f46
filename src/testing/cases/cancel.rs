//! Calling tasks off.

use crate::ErrorCode::{Conflict, LeaseLost, NotFound};
use crate::model::{Task, TaskStatus};
use crate::testing::Subject;
use crate::testing::kit::{ids, invalid, refused, task, task_after, task_id};

pub async fn a_pending_task_can_be_cancelled(subject: Subject) {
    subject.arrange(&["t"]).await;
    subject.advance(2);
    let cancelled = subject.cancel("t").await.unwrap();
    assert_eq!(ids(&cancelled), ["t"]);
    assert_eq!((cancelled[0].status, cancelled[0].completed_at), (TaskStatus::Cancelled, Some(subject.now())));
    assert_eq!((cancelled[0].cancel_reason.as_ref(), cancelled[0].version), (None, 2));
    assert_eq!(subject.task("t").await, cancelled[0]);
    assert!(subject.nothing_for("ada").await);
}

pub async fn an_assigned_task_can_be_cancelled_and_its_worker_loses_the_lease(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    let cancelled = subject.cancel("t").await.unwrap();
    assert_eq!((cancelled[0].status, &cancelled[0].lease_token), (TaskStatus::Cancelled, &None));
    refused(subject.complete(&claimed).await, LeaseLost);
    assert_eq!(subject.status("t").await, TaskStatus::Cancelled);
}

pub async fn a_running_task_can_be_cancelled_and_its_worker_loses_the_lease(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.start(&claimed).await.unwrap();
    subject.cancel("t").await.unwrap();
    refused(subject.fail(&claimed, "broken").await, LeaseLost);
    assert_eq!(subject.status("t").await, TaskStatus::Cancelled);
}

pub async fn a_completed_task_cannot_be_cancelled(subject: Subject) {
    subject.arrange(&["t"]).await;
    let before = subject.finish_next().await;
    let error = refused(subject.cancel("t").await, Conflict);
    assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("tasks"), Some("t")));
    assert_eq!(subject.task("t").await, before);
}

pub async fn a_failed_task_cannot_be_cancelled(subject: Subject) {
    subject.arrange(&["t"]).await;
    let before = subject.ruin_next().await;
    refused(subject.cancel("t").await, Conflict);
    assert_eq!(subject.task("t").await, before);
}

pub async fn a_cancelled_task_cannot_be_cancelled_again(subject: Subject) {
    subject.arrange(&["t"]).await;
    let before = subject.cancel("t").await.unwrap().remove(0);
    refused(subject.cancel("t").await, Conflict);
    assert_eq!(subject.task("t").await, before);
}

pub async fn an_unknown_task_is_not_found(subject: Subject) {
    refused(subject.cancel("unknown").await, NotFound);
    refused(cancel_subtree(&subject, "unknown").await, NotFound);
}

pub async fn the_reason_is_kept(subject: Subject) {
    subject.arrange(&["t"]).await;
    subject.write(|tx| tx.tasks().cancel(&task_id("t"), Some("no \"need\""))).await.unwrap();
    assert_eq!(subject.task("t").await.cancel_reason.as_deref(), Some("no \"need\""));
}

pub async fn a_reason_that_cannot_be_stored_is_refused(subject: Subject) {
    subject.arrange(&["t"]).await;
    invalid(subject.write(|tx| tx.tasks().cancel(&task_id("t"), Some("\0"))).await, "reason");
    assert_eq!(subject.status("t").await, TaskStatus::Pending);
}

pub async fn cancelling_leaves_subtasks_unless_the_subtree_is_asked_for(subject: Subject) {
    subject.arrange_tasks(family()).await;
    assert_eq!(ids(&subject.cancel("top").await.unwrap()), ["top"]);
    assert_eq!(subject.status("left").await, TaskStatus::Pending);
}

pub async fn cancelling_a_subtree_takes_all_that_is_unfinished_below(subject: Subject) {
    subject.arrange_tasks(family()).await;
    subject.write(|tx| tx.tasks().cancel(&task_id("left"), Some("before"))).await.unwrap();
    let cancelled = cancel_subtree(&subject, "top").await.unwrap();
    assert_eq!(cancelled[0].id.as_str(), "top");
    let mut all = ids(&cancelled);
    all.sort_unstable();
    assert_eq!(all, ["leaf", "right", "top"]);
    assert!(cancelled.iter().all(|task| task.cancel_reason.as_deref() == Some("all of it")));
    assert_eq!(subject.task("left").await.cancel_reason.as_deref(), Some("before"));
    assert_eq!(subject.status("stranger").await, TaskStatus::Pending);
}

pub async fn cancelling_names_each_cancelled_task_once(subject: Subject) {
    let mut tasks = family();
    tasks.push(task_after("waits", &["left", "right"]).parent_task_id(task_id("top")));
    subject.arrange_tasks(tasks).await;
    let cancelled = cancel_subtree(&subject, "top").await.unwrap();
    let mut all = ids(&cancelled);
    all.sort_unstable();
    assert_eq!(all, ["leaf", "left", "right", "top", "waits"]);
    for task in cancelled {
        assert_eq!(subject.task(task.id.as_str()).await, task);
    }
}

pub async fn cancelling_gives_a_unique_key_free(subject: Subject) {
    subject.arrange_tasks(vec![task("a").unique_key("k")]).await;
    subject.cancel("a").await.unwrap();
    subject.add_task(task("b").unique_key("k")).await;
}

/// `top` with `left` (with `leaf`) and `right`, and a `stranger`.
fn family() -> Vec<crate::NewTask> {
    vec![
        task("top"),
        task("left").parent_task_id(task_id("top")),
        task("right").parent_task_id(task_id("top")),
        task("leaf").parent_task_id(task_id("left")),
        task("stranger"),
    ]
}

async fn cancel_subtree(subject: &Subject, id: &'static str) -> crate::Result<Vec<Task>> {
    subject.write(move |tx| tx.tasks().cancel_subtree(&task_id(id), Some("all of it"))).await
}
