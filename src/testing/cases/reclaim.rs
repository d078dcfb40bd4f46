//! Leases that end by themselves.

use crate::ErrorCode::LeaseLost;
use crate::model::{Backoff, Claim, Task, TaskStatus};
use crate::testing::Subject;
use crate::testing::kit::{ids, refused, task, task_after};

pub async fn reclaiming_takes_back_only_what_has_expired(subject: Subject) {
    subject.arrange(&["a", "b", "c"]).await;
    let short = Claim::default().lease_ms(1_000);
    subject.claim_many("ada", short).await;
    let long = subject.claim("ada").await;
    assert!(reclaim(&subject).await.is_empty());
    subject.advance(1_000);
    let reclaimed = reclaim(&subject).await;
    assert_eq!(ids(&reclaimed), ["a"]);
    assert_eq!(subject.task("a").await, reclaimed[0]);
    assert_eq!(subject.task("b").await, long);
    assert!(reclaim(&subject).await.is_empty());
}

pub async fn reclaiming_gives_the_longest_expired_first(subject: Subject) {
    subject.arrange(&["a", "b", "c"]).await;
    for lease_ms in [3_000, 1_000, 2_000] {
        subject.claim_many("ada", Claim::default().lease_ms(lease_ms)).await;
    }
    subject.advance(10_000);
    assert_eq!(ids(&reclaim(&subject).await), ["b", "c", "a"]);
}

pub async fn an_expired_lease_counts_as_a_failed_attempt(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.start(&claimed).await.unwrap();
    subject.advance(60_000);
    let task = reclaim(&subject).await.remove(0);
    assert_eq!((task.status, task.attempt), (TaskStatus::Pending, 1));
    assert_eq!((task.agent_id, task.lease_token, task.lease_expires_at), (None, None, None));
    assert_eq!((task.assigned_at, task.started_at), (None, None));
    assert_eq!((task.errors[0].attempt, task.errors[0].message.as_str()), (1, "lease expired"));
    assert_eq!(task.errors[0].at, subject.now());
}

pub async fn an_expired_lease_can_be_claimed_again_at_once(subject: Subject) {
    let claimed = subject.claimed(task("t").backoff(Backoff::fixed(1_000_000))).await;
    subject.advance(60_000);
    let reclaimed = reclaim(&subject).await.remove(0);
    assert_eq!(reclaimed.run_at, claimed.run_at);
    assert_eq!(subject.claim("ada").await.attempt, 2);
}

pub async fn a_task_that_kills_its_workers_ends_as_a_dead_letter(subject: Subject) {
    subject.arrange_tasks(vec![task("t").max_retries(2_u32)]).await;
    for attempt in 1..=3 {
        assert_eq!(subject.claim("ada").await.attempt, attempt);
        subject.advance(60_000);
    }
    assert!(subject.nothing_for("ada").await);
    let dead = subject.task("t").await;
    assert_eq!((dead.status, dead.attempt), (TaskStatus::Failed, 3));
    assert!(dead.errors.iter().all(|error| error.message == "lease expired"));
    assert_eq!((dead.errors.len(), dead.completed_at), (3, Some(subject.now())));
}

pub async fn the_last_expired_lease_cancels_what_waits_for_the_task(subject: Subject) {
    subject.arrange_tasks(vec![task("a").max_retries(0_u32), task_after("b", &["a"])]).await;
    subject.claim("ada").await;
    subject.advance(60_000);
    assert_eq!(ids(&reclaim(&subject).await), ["a"]);
    let cancelled = subject.task("b").await;
    assert_eq!(cancelled.status, TaskStatus::Cancelled);
    assert!(cancelled.cancel_reason.is_some_and(|reason| reason.contains('a') && reason.contains("failed")));
}

pub async fn an_extended_lease_is_not_reclaimed(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.advance(30_000);
    subject.extend(&claimed, 60_000).await.unwrap();
    subject.advance(30_000);
    assert!(reclaim(&subject).await.is_empty());
}

pub async fn an_expired_task_cannot_be_extended_back_to_life(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.advance(60_000);
    refused(subject.extend(&claimed, 60_000).await, LeaseLost);
    reclaim(&subject).await;
    refused(subject.extend(&claimed, 60_000).await, LeaseLost);
    assert_eq!(subject.status("t").await, TaskStatus::Pending);
}

async fn reclaim(subject: &Subject) -> Vec<Task> {
    subject.write(|tx| tx.tasks().reclaim_expired()).await.expect("a reclaim")
}
