//! Tasks that wait for others.

use crate::ErrorCode::{Conflict, InvalidArgument};
use crate::model::{OnDependencyFailure, Patch, Task, TaskPatch, TaskStatus};
use crate::testing::Subject;
use crate::testing::kit::{done, ids, invalid, no_backoff, refused, task, task_after, task_id};

pub async fn a_task_waits_until_all_it_depends_on_is_completed(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task("b"), task_after("c", &["a", "b"])]).await;
    subject.finish_next().await;
    let b = subject.claim("ada").await;
    assert_eq!(b.id.as_str(), "b");
    assert!(subject.nothing_for("ada").await);
    subject.complete(&b).await.unwrap();
    assert_eq!(subject.claim("ada").await.id.as_str(), "c");
}

pub async fn dependencies_read_back_in_the_order_given(subject: Subject) {
    subject.arrange(&["a", "b", "c"]).await;
    let added = subject.add_task(task_after("d", &["c", "a", "b"])).await;
    let names: Vec<&str> = added.dependencies.iter().map(AsRef::as_ref).collect();
    assert_eq!(names, ["c", "a", "b"]);
    assert_eq!(subject.task("d").await, added);
}

pub async fn a_completed_dependency_is_met_from_the_start(subject: Subject) {
    subject.arrange(&["a"]).await;
    subject.finish_next().await;
    subject.add_task(task_after("b", &["a"])).await;
    assert_eq!(subject.claim("ada").await.id.as_str(), "b");
}

pub async fn an_unknown_dependency_is_refused_and_nothing_is_added(subject: Subject) {
    subject.arrange(&["a"]).await;
    let error = invalid(subject.try_add_task(task_after("b", &["a", "unknown"])).await, "dependencies");
    assert!(error.to_string().contains("unknown"));
    assert_eq!(subject.read(|tx| tx.tasks().get("b")).await.unwrap(), None);
}

pub async fn a_dependency_twice_is_refused(subject: Subject) {
    subject.arrange(&["a"]).await;
    invalid(subject.try_add_task(task_after("b", &["a", "a"])).await, "dependencies");
}

pub async fn a_task_cannot_depend_on_itself(subject: Subject) {
    subject.arrange(&["a"]).await;
    invalid(subject.try_add_task(task_after("b", &["b"])).await, "dependencies");
    invalid(depend(&subject, "a", &["a"]).await, "dependencies");
    assert!(subject.task("a").await.dependencies.is_empty());
}

pub async fn a_cycle_is_refused_and_changes_nothing(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task_after("b", &["a"]), task_after("c", &["b"])]).await;
    let before = subject.task("a").await;
    invalid(depend(&subject, "a", &["c"]).await, "dependencies");
    assert_eq!(subject.task("a").await, before);
    assert_eq!(subject.claim("ada").await.id.as_str(), "a");
}

pub async fn new_dependencies_replace_the_old(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task("b"), task_after("c", &["a"])]).await;
    let updated = depend(&subject, "c", &["b"]).await.unwrap();
    assert_eq!(subject.task("c").await, updated);
    let a = subject.claim("ada").await;
    subject.finish_next().await;
    assert_eq!(subject.claim("ada").await.id.as_str(), "c");
    subject.complete(&a).await.unwrap();
}

pub async fn a_task_whose_dependencies_are_cleared_waits_no_more(subject: Subject) {
    let late = task("a").run_at(subject.now().plus(1));
    subject.arrange_tasks(vec![late, task_after("b", &["a"])]).await;
    let mut patch = TaskPatch::new();
    patch.dependencies = Patch::Clear;
    subject.update_task("b", patch).await.unwrap();
    assert_eq!(subject.claim("ada").await.id.as_str(), "b");
}

pub async fn dependencies_change_only_while_the_task_is_pending(subject: Subject) {
    subject.arrange(&["a", "b"]).await;
    let claimed = subject.claim("ada").await;
    refused(depend(&subject, "a", &["b"]).await, Conflict);
    let completed = subject.complete(&claimed).await.unwrap();
    refused(depend(&subject, "a", &["b"]).await, Conflict);
    assert_eq!(subject.task("a").await, completed);
}

pub async fn a_dependency_that_fails_for_good_cancels_with_a_reason(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task_after("b", &["a"])]).await;
    subject.advance(3);
    subject.ruin_next().await;
    let cancelled = subject.task("b").await;
    assert_eq!((cancelled.status, cancelled.completed_at), (TaskStatus::Cancelled, Some(subject.now())));
    assert_eq!(cancelled.cancel_reason.as_deref(), Some("dependency a failed"));
    assert_eq!((cancelled.version, cancelled.updated_at), (2, subject.now()));
}

pub async fn a_dependency_that_is_cancelled_cancels_with_a_reason(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task_after("b", &["a"])]).await;
    assert_eq!(ids(&subject.cancel("a").await.unwrap()), ["a", "b"]);
    assert_eq!(subject.task("b").await.cancel_reason.as_deref(), Some("dependency a was cancelled"));
}

pub async fn a_loss_goes_down_the_whole_chain(subject: Subject) {
    subject
        .arrange_tasks(vec![task("a"), task_after("b", &["a"]), task_after("c", &["b"]), task_after("d", &["c", "a"])])
        .await;
    subject.ruin_next().await;
    for id in ["b", "c", "d"] {
        assert_eq!(subject.status(id).await, TaskStatus::Cancelled, "{id}");
    }
}

pub async fn a_diamond_is_cancelled_once(subject: Subject) {
    subject
        .arrange_tasks(vec![task("a"), task_after("b", &["a"]), task_after("c", &["a"]), task_after("d", &["b", "c"])])
        .await;
    let mut cancelled = subject.cancel("a").await.unwrap();
    cancelled.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(ids(&cancelled), ["a", "b", "c", "d"]);
    assert_eq!(subject.task("d").await.version, 2);
}

pub async fn a_retry_is_no_loss(subject: Subject) {
    subject.arrange_tasks(vec![task("a").backoff(no_backoff()), task_after("b", &["a"])]).await;
    let claimed = subject.claim("ada").await;
    subject.fail(&claimed, "broken").await.unwrap();
    assert_eq!(subject.status("b").await, TaskStatus::Pending);
    subject.finish_next().await;
    assert_eq!(subject.claim("ada").await.id.as_str(), "b");
}

pub async fn a_task_that_holds_waits_on_when_its_dependency_is_lost(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task("b"), holding("c", &["a"]), holding("d", &["b"])]).await;
    subject.ruin_next().await;
    subject.cancel("b").await.unwrap();
    for id in ["c", "d"] {
        assert_eq!(subject.status(id).await, TaskStatus::Pending, "{id}");
    }
    assert!(subject.nothing_for("ada").await);
    depend(&subject, "c", &[]).await.unwrap();
    assert_eq!(subject.claim("ada").await.id.as_str(), "c");
}

pub async fn a_task_that_holds_shields_those_that_wait_for_it(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), holding("b", &["a"]), task_after("c", &["b"])]).await;
    subject.ruin_next().await;
    assert_eq!(subject.status("c").await, TaskStatus::Pending);
}

pub async fn a_held_task_that_holds_no_longer_is_cancelled(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), holding("b", &["a"]), task_after("c", &["b"])]).await;
    subject.ruin_next().await;
    let patch = TaskPatch::new().on_dependency_failure(OnDependencyFailure::Cancel);
    let updated = subject.update_task("b", patch).await.unwrap();
    assert_eq!(updated.status, TaskStatus::Cancelled);
    assert_eq!(subject.task("b").await, updated);
    assert_eq!(subject.status("c").await, TaskStatus::Cancelled);
}

pub async fn adding_a_task_after_a_lost_one_cancels_it_at_once(subject: Subject) {
    subject.arrange(&["a"]).await;
    subject.ruin_next().await;
    let added = subject.add_task(task_after("b", &["a"])).await;
    assert_eq!((added.status, added.completed_at), (TaskStatus::Cancelled, Some(subject.now())));
    assert_eq!(added.cancel_reason.as_deref(), Some("dependency a failed"));
    assert_eq!(subject.task("b").await, added);
    assert_eq!(subject.add_task(holding("c", &["a"])).await.status, TaskStatus::Pending);
}

pub async fn depending_on_a_lost_task_cancels_the_whole_chain(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task("b"), task_after("c", &["b"])]).await;
    subject.ruin_next().await;
    let updated = depend(&subject, "b", &["a"]).await.unwrap();
    assert_eq!(updated.status, TaskStatus::Cancelled);
    assert_eq!(subject.task("b").await, updated);
    assert_eq!(subject.task("c").await.cancel_reason.as_deref(), Some("dependency b was cancelled"));
}

pub async fn putting_a_task_replaces_its_dependencies(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task_after("b", &["a"])]).await;
    let put = subject.write(|tx| tx.tasks().put(task("b"))).await.unwrap();
    assert!(put.dependencies.is_empty());
    let put = subject.write(|tx| tx.tasks().put(task_after("b", &["a"]))).await.unwrap();
    assert_eq!(subject.task("b").await, put);
    assert_eq!(subject.finish_next().await.id.as_str(), "a");
    assert_eq!(subject.claim("ada").await.id.as_str(), "b");
}

pub async fn a_task_that_another_waits_for_cannot_be_deleted(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task_after("b", &["a"])]).await;
    refused(subject.write(|tx| tx.tasks().delete("a")).await, Conflict);
    subject.finish_next().await;
    assert!(subject.write(|tx| tx.tasks().delete("a")).await.unwrap());
    assert!(subject.task("b").await.dependencies.is_empty());
    assert_eq!(subject.claim("ada").await.id.as_str(), "b");
}

pub async fn deleting_a_task_that_waits_frees_what_it_waited_for(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task_after("b", &["a"])]).await;
    assert!(subject.write(|tx| tx.tasks().delete("b")).await.unwrap());
    subject.finish_next().await;
    assert!(subject.write(|tx| tx.tasks().delete("a")).await.unwrap());
}

pub async fn a_refused_change_of_dependencies_leaves_nothing_even_when_its_error_is_caught(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task("b"), task_after("c", &["a"])]).await;
    let before = subject.task("c").await;
    let caught = |tx: &crate::Tx<'_>| {
        refused(tx.tasks().add(task_after("new", &["a", "unknown"])), InvalidArgument);
        let new = vec![task_id("b"), task_id("unknown")];
        refused(tx.tasks().update("c", TaskPatch::new().dependencies(new)), InvalidArgument);
        refused(tx.tasks().put(task_after("c", &["b", "c"])), InvalidArgument);
        let orphan = TaskPatch::new().dependencies(vec![task_id("b")]).parent_task_id(task_id("unknown"));
        refused(tx.tasks().update("c", orphan), crate::ErrorCode::Constraint);
        done(())
    };
    subject.write(caught).await.unwrap();
    assert_eq!(subject.read(|tx| tx.tasks().get("new")).await.unwrap(), None);
    assert_eq!(subject.task("c").await, before);
    subject.finish_next().await;
    assert_eq!(subject.claim_ids("ada", crate::Claim::default().limit(9)).await, ["b", "c"]);
}

fn holding(id: &str, dependencies: &[&str]) -> crate::NewTask {
    task_after(id, dependencies).on_dependency_failure(OnDependencyFailure::Hold)
}

async fn depend(subject: &Subject, id: &str, on: &[&str]) -> crate::Result<Task> {
    let on: Vec<_> = on.iter().map(|id| task_id(id)).collect();
    subject.update_task(id, TaskPatch::new().dependencies(on)).await
}
