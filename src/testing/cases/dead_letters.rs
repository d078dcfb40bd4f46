//! Tasks that failed for good, and their second life.

use crate::ErrorCode::{Conflict, NotFound};
use crate::model::{OnDependencyFailure, TaskStatus};
use crate::testing::Subject;
use crate::testing::kit::{ids, no_backoff, refused, task, task_after};
use crate::{Claim, Order, Query, Task};

pub async fn dead_letters_are_the_failed_tasks(subject: Subject) {
    subject.arrange(&["a", "b", "c", "d"]).await;
    assert!(dead_letters(&subject, Query::new()).await.is_empty());
    let failed = subject.ruin_next().await;
    subject.finish_next().await;
    subject.ruin_next().await;
    subject.cancel("d").await.unwrap();
    let dead = dead_letters(&subject, Query::new()).await;
    assert_eq!(ids(&dead), ["a", "c"]);
    assert_eq!(dead[0], failed);
}

pub async fn dead_letters_are_listed_as_a_query_says(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task("b").queue("q"), task("c").queue("q"), task("d").queue("q")]).await;
    for _ in 0..3 {
        subject.ruin_next().await;
    }
    let of_q = || Query::new().filter(Task::QUEUE.eq("q"));
    let descending = of_q().order_by(Task::ID, Order::Descending);
    assert_eq!(ids(&dead_letters(&subject, descending.clone()).await), ["c", "b"]);
    assert_eq!(ids(&dead_letters(&subject, descending.after("c")).await), ["b"]);
    assert_eq!(ids(&dead_letters(&subject, of_q().limit(1)).await), ["b"]);
    let pending = Query::new().filter(Task::STATUS.eq(TaskStatus::Pending));
    assert!(dead_letters(&subject, pending).await.is_empty());
}

pub async fn a_redriven_task_starts_again_at_attempt_0_and_its_errors_stay(subject: Subject) {
    subject.arrange_tasks(vec![task("t").max_retries(1_u32).backoff(no_backoff())]).await;
    for _ in 0..2 {
        let claimed = subject.claim("ada").await;
        subject.fail(&claimed, "broken").await.unwrap();
    }
    subject.advance(5);
    let before = subject.task("t").await;
    let redriven = subject.redrive(&["t"]).await.unwrap().remove(0);
    assert_eq!((redriven.status, redriven.attempt), (TaskStatus::Pending, 0));
    assert_eq!((redriven.run_at, redriven.version), (subject.now(), before.version + 1));
    assert_eq!((redriven.completed_at, redriven.assigned_at, redriven.started_at), (None, None, None));
    assert_eq!((redriven.agent_id.as_ref(), redriven.lease_token.as_ref()), (None, None));
    assert_eq!((redriven.errors.len(), &redriven.errors), (2, &before.errors));
    assert_eq!(subject.task("t").await, redriven);
    for (attempt, errors) in [(1, 3), (2, 4)] {
        let claimed = subject.claim("ada").await;
        assert_eq!(claimed.attempt, attempt);
        assert_eq!(subject.fail(&claimed, "broken").await.unwrap().errors.len(), errors);
    }
    assert_eq!(subject.status("t").await, TaskStatus::Failed);
    subject.redrive(&["t"]).await.unwrap();
    assert_eq!(subject.finish_next().await.status, TaskStatus::Completed);
}

pub async fn redriving_answers_in_the_order_given(subject: Subject) {
    subject.arrange(&["a", "b", "c"]).await;
    for _ in 0..3 {
        subject.ruin_next().await;
    }
    assert_eq!(ids(&subject.redrive(&["c", "a"]).await.unwrap()), ["c", "a"]);
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(9)).await, ["a", "c"]);
    assert!(subject.redrive(&[]).await.unwrap().is_empty());
}

pub async fn only_failed_tasks_are_redriven_all_or_none(subject: Subject) {
    subject.arrange(&["dead", "done", "called off", "pending", "running"]).await;
    subject.cancel("called off").await.unwrap();
    subject.ruin_next().await;
    subject.finish_next().await;
    for other in ["done", "called off", "pending", "dead"] {
        let error = refused(subject.redrive(&["dead", other]).await, Conflict);
        assert_eq!(error.detail().index, Some(1));
        assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("tasks"), Some(other)));
    }
    assert_eq!(refused(subject.redrive(&["dead", "unknown"]).await, NotFound).detail().index, Some(1));
    assert_eq!(subject.status("dead").await, TaskStatus::Failed);
}

pub async fn a_task_whose_unique_key_is_taken_meanwhile_is_not_redriven(subject: Subject) {
    subject.arrange_tasks(vec![task("a").unique_key("k"), task("b")]).await;
    subject.ruin_next().await;
    subject.ruin_next().await;
    subject.add_task(task("c").unique_key("k").priority(crate::Priority::HIGH)).await;
    let error = refused(subject.redrive(&["b", "a"]).await, Conflict);
    assert_eq!((error.detail().index, error.detail().id.as_deref()), (Some(1), Some("c")));
    assert_eq!(subject.status("b").await, TaskStatus::Failed);
    assert_eq!(subject.finish_next().await.id.as_str(), "c");
    subject.redrive(&["b", "a"]).await.unwrap();
    refused(subject.try_add_task(task("d").unique_key("k")).await, Conflict);
}

pub async fn what_holds_goes_on_when_its_redriven_dependency_is_completed(subject: Subject) {
    let held = |id: &str, on: &str| task_after(id, &[on]).on_dependency_failure(OnDependencyFailure::Hold);
    subject.arrange_tasks(vec![task("a"), held("b", "a"), task_after("c", &["b"]), task_after("gone", &["a"])]).await;
    subject.ruin_next().await;
    assert_eq!(subject.status("gone").await, TaskStatus::Cancelled);
    assert!(subject.nothing_for("ada").await);
    subject.redrive(&["a"]).await.unwrap();
    for expected in ["a", "b", "c"] {
        assert_eq!(subject.finish_next().await.id.as_str(), expected);
    }
    assert_eq!(subject.status("gone").await, TaskStatus::Cancelled);
}

pub async fn what_holds_goes_on_waiting_when_the_redriven_task_fails_again(subject: Subject) {
    let held = task_after("b", &["a"]).on_dependency_failure(OnDependencyFailure::Hold);
    subject.arrange_tasks(vec![task("a"), held]).await;
    for _ in 0..2 {
        subject.ruin_next().await;
        assert!(subject.nothing_for("ada").await);
        subject.redrive(&["a"]).await.unwrap();
    }
    subject.finish_next().await;
    assert_eq!(subject.claim("ada").await.id.as_str(), "b");
}

pub async fn a_task_added_after_a_redriven_one_waits_for_it(subject: Subject) {
    subject.arrange(&["a"]).await;
    subject.ruin_next().await;
    subject.redrive(&["a"]).await.unwrap();
    assert_eq!(subject.add_task(task_after("b", &["a"])).await.status, TaskStatus::Pending);
    subject.finish_next().await;
    assert_eq!(subject.claim("ada").await.id.as_str(), "b");
}

async fn dead_letters(subject: &Subject, query: Query<Task>) -> Vec<Task> {
    subject.read(move |tx| tx.tasks().dead_letters(query.clone())).await.expect("dead letters")
}
