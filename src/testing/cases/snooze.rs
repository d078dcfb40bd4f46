//! Giving a task back for later.

use crate::ErrorCode::{LeaseLost, NotFound};
use crate::model::TaskStatus;
use crate::testing::Subject;
use crate::testing::kit::{invalid, no_backoff, refused, task, task_id};

pub async fn a_snoozed_task_is_claimable_again_after_its_delay(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.advance(3);
    let snoozed = subject.snooze(&claimed, 500).await.unwrap();
    assert_eq!((snoozed.status, snoozed.attempt), (TaskStatus::Pending, 0));
    assert_eq!((snoozed.agent_id.as_ref(), snoozed.lease_token.as_ref(), snoozed.lease_expires_at), (None, None, None));
    assert_eq!((snoozed.assigned_at, snoozed.started_at), (None, None));
    assert_eq!(snoozed.run_at, subject.now().plus(500));
    assert_eq!(subject.task("t").await, snoozed);
    subject.advance(499);
    assert!(subject.nothing_for("ada").await);
    subject.advance(1);
    assert_eq!(subject.claim("ada").await.attempt, 1);
}

pub async fn a_snoozed_attempt_does_not_count(subject: Subject) {
    subject.arrange_tasks(vec![task("t").max_retries(1_u32).backoff(no_backoff())]).await;
    for _ in 0..5 {
        let claimed = subject.claim("ada").await;
        subject.start(&claimed).await.unwrap();
        assert!(subject.snooze(&claimed, 0).await.unwrap().errors.is_empty());
    }
    for status in [TaskStatus::Pending, TaskStatus::Failed] {
        let claimed = subject.claim("ada").await;
        assert_eq!(subject.fail(&claimed, "broken").await.unwrap().status, status);
    }
}

pub async fn snoozing_needs_the_lease(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    refused(subject.write(|tx| tx.tasks().snooze(&task_id("t"), "guess", 1)).await, LeaseLost);
    refused(subject.write(|tx| tx.tasks().snooze(&task_id("unknown"), "guess", 1)).await, NotFound);
    subject.advance(60_000);
    refused(subject.snooze(&claimed, 1).await, LeaseLost);
    assert_eq!(subject.task("t").await, claimed);
}

pub async fn a_delay_under_0_or_beyond_2_to_the_53_is_refused(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    for delay in [-1, i64::MIN, i64::MAX, crate::MAX_INTEGER] {
        invalid(subject.snooze(&claimed, delay).await, "delay_ms");
    }
    assert_eq!(subject.task("t").await, claimed);
}
