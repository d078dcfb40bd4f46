//! What a claimed task can become, and who may say so. Every transition by name.

use crate::ErrorCode::{Conflict, LeaseLost, NotFound};
use crate::model::{Claim, Json, Task, TaskStatus};
use crate::testing::Subject;
use crate::testing::kit::{agent, invalid, no_backoff, refused, task, task_id};
use serde_json::json;

pub async fn an_assigned_task_can_be_started(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.advance(3);
    let started = subject.start(&claimed).await.unwrap();
    assert_eq!((started.status, started.started_at), (TaskStatus::Running, Some(subject.now())));
    assert_eq!((&started.lease_token, started.lease_expires_at), (&claimed.lease_token, claimed.lease_expires_at));
    assert_eq!((started.attempt, started.version), (1, claimed.version + 1));
    assert_eq!(subject.task("t").await, started);
}

pub async fn a_running_task_cannot_be_started_again(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    let before = subject.start(&claimed).await.unwrap();
    let error = refused(subject.start(&claimed).await, Conflict);
    assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("tasks"), Some("t")));
    assert_eq!(subject.task("t").await, before);
}

pub async fn an_assigned_task_can_be_completed_without_a_start(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    let completed = subject.complete(&claimed).await.unwrap();
    assert_eq!((completed.status, completed.started_at), (TaskStatus::Completed, None));
}

pub async fn a_running_task_can_be_completed(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.start(&claimed).await.unwrap();
    subject.advance(9);
    let completed = subject.complete_with(&claimed, Some(json!({ "answer": 42 }).into())).await.unwrap();
    assert_eq!((completed.status, completed.completed_at), (TaskStatus::Completed, Some(subject.now())));
    assert_eq!(completed.result.as_ref().map(Json::as_str), Some(r#"{"answer":42}"#));
    assert_eq!((&completed.lease_token, completed.lease_expires_at), (&None, None));
    assert_eq!(completed.agent_id.as_ref().map(AsRef::as_ref), Some("ada"));
    assert_eq!(subject.task("t").await, completed);
}

pub async fn a_result_of_null_is_not_the_same_as_none(subject: Subject) {
    subject.arrange(&["a", "b"]).await;
    let (a, b) = (subject.claim("ada").await, subject.claim("ada").await);
    subject.complete_with(&a, None).await.unwrap();
    subject.complete_with(&b, Some(Json::default())).await.unwrap();
    assert_eq!(subject.task("a").await.result, None);
    assert_eq!(subject.task("b").await.result.as_ref().map(Json::as_str), Some("null"));
}

pub async fn an_assigned_task_can_fail(subject: Subject) {
    let claimed = subject.claimed(task("t").backoff(no_backoff())).await;
    assert_eq!(subject.fail(&claimed, "broken").await.unwrap().status, TaskStatus::Pending);
}

pub async fn a_running_task_can_fail(subject: Subject) {
    let claimed = subject.claimed(task("t").backoff(no_backoff())).await;
    subject.start(&claimed).await.unwrap();
    let failed = subject.fail(&claimed, "broken").await.unwrap();
    assert_eq!((failed.status, failed.agent_id, failed.lease_token), (TaskStatus::Pending, None, None));
    assert_eq!((failed.lease_expires_at, failed.assigned_at, failed.started_at), (None, None, None));
}

pub async fn an_assigned_task_can_be_released(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    let released = subject.release(&claimed).await.unwrap();
    assert_eq!((released.status, released.attempt, released.agent_id), (TaskStatus::Pending, 0, None));
    assert!(released.errors.is_empty());
    assert_eq!(subject.claim("ada").await.attempt, 1);
}

pub async fn a_running_task_can_be_released(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.start(&claimed).await.unwrap();
    let released = subject.release(&claimed).await.unwrap();
    assert_eq!((released.status, released.attempt), (TaskStatus::Pending, 0));
    assert_eq!((released.assigned_at, released.started_at), (None, None));
    assert_eq!((released.lease_token, released.lease_expires_at), (None, None));
}

pub async fn an_assigned_task_can_be_extended(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.advance(59_999);
    let extended = subject.extend(&claimed, 10_000).await.unwrap();
    assert_eq!(extended.lease_expires_at, Some(subject.now().plus(10_000)));
    assert_eq!((extended.status, &extended.lease_token), (TaskStatus::Assigned, &claimed.lease_token));
    subject.advance(9_999);
    subject.complete(&claimed).await.unwrap();
}

pub async fn a_running_task_can_be_extended(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.start(&claimed).await.unwrap();
    let extended = subject.extend(&claimed, 120_000).await.unwrap();
    assert_eq!(extended.status, TaskStatus::Running);
    subject.advance(100_000);
    subject.complete(&claimed).await.unwrap();
}

pub async fn extending_can_shorten_a_lease(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.extend(&claimed, 1).await.unwrap();
    subject.advance(1);
    refused(subject.complete(&claimed).await, LeaseLost);
}

pub async fn extending_by_no_time_is_refused(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    for lease_ms in [0, -5, i64::MIN, i64::MAX] {
        invalid(subject.extend(&claimed, lease_ms).await, "lease_ms");
    }
    assert_eq!(subject.task("t").await, claimed);
}

pub async fn a_lease_holds_until_the_millisecond_before_its_expiry(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.advance(59_999);
    subject.complete(&claimed).await.unwrap();
}

pub async fn a_lease_is_lost_at_the_millisecond_of_its_expiry(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.advance(60_000);
    everything_is_lost(&subject, &claimed).await;
    assert_eq!(subject.task("t").await, claimed);
}

pub async fn a_pending_task_has_no_lease_to_show(subject: Subject) {
    subject.arrange(&["t"]).await;
    let pending = subject.task("t").await;
    for token in [None, Some(String::new()), Some("guess".to_owned())] {
        let mut guess = pending.clone();
        guess.lease_token = token;
        everything_is_lost(&subject, &guess).await;
    }
    assert_eq!(subject.task("t").await, pending);
}

pub async fn a_wrong_token_changes_nothing(subject: Subject) {
    subject.arrange(&["a", "b"]).await;
    let (a, b) = (subject.claim("ada").await, subject.claim("ada").await);
    for token in [b.lease_token.as_deref().unwrap(), "", "guess", &a.lease_token.as_deref().unwrap()[1..]] {
        let mut stolen = a.clone();
        stolen.lease_token = Some(token.to_owned());
        everything_is_lost(&subject, &stolen).await;
    }
    assert_eq!((subject.task("a").await, subject.task("b").await), (a, b));
}

pub async fn a_completed_task_can_become_nothing_else(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    let completed = subject.complete(&claimed).await.unwrap();
    everything_is_lost(&subject, &claimed).await;
    refused(subject.cancel("t").await, Conflict);
    assert_eq!(subject.task("t").await, completed);
}

pub async fn a_failed_task_can_become_nothing_else(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    let failed = subject.fail_for_good(&claimed).await.unwrap();
    everything_is_lost(&subject, &claimed).await;
    refused(subject.cancel("t").await, Conflict);
    assert_eq!(subject.task("t").await, failed);
}

pub async fn a_cancelled_task_can_become_nothing_else(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    let cancelled = subject.cancel("t").await.unwrap().remove(0);
    everything_is_lost(&subject, &claimed).await;
    refused(subject.cancel("t").await, Conflict);
    assert_eq!(subject.task("t").await, cancelled);
}

pub async fn a_released_task_needs_a_new_claim(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    let released = subject.release(&claimed).await.unwrap();
    everything_is_lost(&subject, &claimed).await;
    assert_eq!(subject.task("t").await, released);
}

pub async fn a_task_that_failed_and_waits_needs_a_new_claim(subject: Subject) {
    let claimed = subject.claimed(task("t").backoff(no_backoff())).await;
    let failed = subject.fail(&claimed, "broken").await.unwrap();
    everything_is_lost(&subject, &claimed).await;
    assert_eq!(subject.task("t").await, failed);
}

pub async fn a_worker_thought_dead_cannot_finish_anothers_attempt(subject: Subject) {
    subject.arrange(&["t"]).await;
    subject.add_agent(agent("eve")).await;
    let dead = subject.claim_many("ada", Claim::default().lease_ms(10)).await.remove(0);
    subject.advance(10);
    let alive = subject.claim("eve").await;
    everything_is_lost(&subject, &dead).await;
    assert_eq!(subject.task("t").await, alive);
    subject.complete(&alive).await.unwrap();
}

pub async fn the_token_is_checked_before_the_state(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.start(&claimed).await.unwrap();
    let mut wrong = claimed.clone();
    wrong.lease_token = Some("guess".to_owned());
    refused(subject.start(&wrong).await, LeaseLost);
}

pub async fn the_token_is_checked_before_what_is_given_with_it(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    let mut wrong = claimed.clone();
    wrong.lease_token = Some("guess".to_owned());
    let deep = (0..129).fold(json!(0), |inner, _| json!([inner]));
    let everything = async |task: &Task| {
        [
            subject.extend(task, 0).await,
            subject.complete_with(task, Some(deep.clone().into())).await,
            subject.fail(task, "a\0b").await,
            subject.snooze(task, -1).await,
        ]
    };
    for outcome in everything(&wrong).await {
        refused(outcome, LeaseLost);
    }
    for (outcome, field) in everything(&claimed).await.into_iter().zip(["lease_ms", "result", "message", "delay_ms"]) {
        invalid(outcome, field);
    }
    subject.advance(60_000);
    for outcome in everything(&claimed).await {
        refused(outcome, LeaseLost);
    }
    assert_eq!(subject.task("t").await, claimed);
}

pub async fn an_unknown_task_is_not_found(subject: Subject) {
    let mut unknown = subject.claimed(task("t")).await;
    unknown.id = task_id("unknown");
    for outcome in everything(&subject, &unknown).await {
        let error = refused(outcome, NotFound);
        assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("tasks"), Some("unknown")));
    }
    refused(subject.cancel("unknown").await, NotFound);
}

pub async fn an_update_leaves_the_lease_alone(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    let patch = crate::TaskPatch::new().payload(json!("new")).max_retries(9_u32);
    subject.update_task("t", patch).await.unwrap();
    let after = subject.task("t").await;
    assert_eq!((after.status, &after.lease_token), (TaskStatus::Assigned, &claimed.lease_token));
    assert_eq!(after.lease_expires_at, claimed.lease_expires_at);
    subject.complete(&claimed).await.unwrap();
}

pub async fn putting_a_task_leaves_the_lease_alone(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    let put = subject.write(|tx| tx.tasks().put(task("t").queue("other"))).await.unwrap();
    assert_eq!((put.status, put.attempt, &put.lease_token), (TaskStatus::Assigned, 1, &claimed.lease_token));
    assert_eq!((put.queue.as_str(), put.version), ("other", claimed.version + 1));
    assert_eq!(subject.task("t").await, put);
    subject.complete(&claimed).await.unwrap();
}

pub async fn a_lease_survives_a_restart(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.reopen().await;
    if subject.keeps() {
        subject.start(&claimed).await.unwrap();
        subject.complete(&claimed).await.unwrap();
    }
}

/// The outcomes of all that needs a lease, one after another.
async fn everything(subject: &Subject, task: &Task) -> [crate::Result<Task>; 6] {
    [
        subject.start(task).await,
        subject.extend(task, 1_000).await,
        subject.complete(task).await,
        subject.fail(task, "broken").await,
        subject.fail_for_good(task).await,
        subject.release(task).await,
    ]
}

async fn everything_is_lost(subject: &Subject, task: &Task) {
    for outcome in everything(subject, task).await {
        let error = refused(outcome, LeaseLost);
        assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("tasks"), Some(task.id.as_str())));
    }
}
