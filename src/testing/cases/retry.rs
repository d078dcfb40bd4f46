//! Attempts that fail, and how often and when another is made.

use crate::ErrorCode::InvalidArgument;
use crate::model::{Backoff, BackoffKind, MAX_INTEGER, Task, TaskPatch, TaskStatus};
use crate::testing::Subject;
use crate::testing::kit::{invalid, no_backoff, refused, task};

pub async fn a_failed_attempt_is_tried_again_after_its_backoff(subject: Subject) {
    let claimed = subject.claimed(task("t").backoff(Backoff::fixed(1_000))).await;
    subject.advance(5);
    let failed = subject.fail(&claimed, "broken").await.unwrap();
    assert_eq!((failed.status, failed.run_at), (TaskStatus::Pending, subject.now().plus(1_000)));
    assert_eq!((failed.attempt, failed.completed_at), (1, None));
    subject.advance(999);
    assert!(subject.nothing_for("ada").await);
    subject.advance(1);
    assert_eq!(subject.claim("ada").await.attempt, 2);
}

pub async fn every_failed_attempt_leaves_an_error(subject: Subject) {
    subject.arrange_tasks(vec![task("t").backoff(no_backoff())]).await;
    let mut times = Vec::new();
    for message in ["first", "second: \"quoted\"", "third \u{1f41d}"] {
        subject.advance(10);
        times.push(subject.now());
        let claimed = subject.claim("ada").await;
        subject.fail(&claimed, message).await.unwrap();
    }
    let errors = subject.task("t").await.errors;
    let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(messages, ["first", "second: \"quoted\"", "third \u{1f41d}"]);
    assert_eq!(errors.iter().map(|error| error.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(errors.iter().map(|error| error.at).collect::<Vec<_>>(), times);
}

pub async fn a_task_is_tried_once_and_then_as_often_as_its_retries_say(subject: Subject) {
    subject.arrange_tasks(vec![task("t").max_retries(2_u32).backoff(no_backoff())]).await;
    for _ in 0..2 {
        assert_eq!(fail_next(&subject).await.status, TaskStatus::Pending);
    }
    subject.advance(4);
    let dead = fail_next(&subject).await;
    assert_eq!((dead.status, dead.attempt, dead.errors.len()), (TaskStatus::Failed, 3, 3));
    assert_eq!((dead.completed_at, &dead.lease_token), (Some(subject.now()), &None));
    assert!(subject.nothing_for("ada").await);
    assert_eq!(subject.task("t").await, dead);
}

pub async fn a_task_has_three_retries_unless_it_says_otherwise(subject: Subject) {
    subject.arrange_tasks(vec![task("t").backoff(no_backoff())]).await;
    for _ in 0..3 {
        assert_eq!(fail_next(&subject).await.status, TaskStatus::Pending);
    }
    assert_eq!(fail_next(&subject).await.status, TaskStatus::Failed);
}

pub async fn a_task_without_retries_fails_at_once(subject: Subject) {
    subject.arrange_tasks(vec![task("t").max_retries(0_u32)]).await;
    assert_eq!(fail_next(&subject).await.status, TaskStatus::Failed);
}

pub async fn failing_for_good_makes_no_other_attempt(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    let failed = subject.fail_for_good(&claimed).await.unwrap();
    assert_eq!((failed.status, failed.attempt, failed.errors.len()), (TaskStatus::Failed, 1, 1));
    assert_eq!(failed.completed_at, Some(subject.now()));
    assert_eq!(failed.agent_id.as_ref().map(AsRef::as_ref), Some("ada"));
}

pub async fn an_exponential_backoff_doubles_up_to_its_maximum(subject: Subject) {
    let backoff = Backoff { kind: BackoffKind::Exponential, base_ms: 1_000, max_ms: 5_000, jitter: 0.0 };
    subject.arrange_tasks(vec![task("t").backoff(backoff).max_retries(9_u32)]).await;
    for wait in [1_000, 2_000, 4_000, 5_000, 5_000] {
        let failed = fail_next(&subject).await;
        assert_eq!(failed.run_at, subject.now().plus(wait));
        subject.advance(wait);
    }
}

pub async fn a_fixed_backoff_stays_the_same(subject: Subject) {
    subject.arrange_tasks(vec![task("t").backoff(Backoff::fixed(700))]).await;
    for _ in 0..3 {
        assert_eq!(fail_next(&subject).await.run_at, subject.now().plus(700));
        subject.advance(700);
    }
}

pub async fn the_default_backoff_is_a_second_that_doubles_and_strays_by_a_fifth(subject: Subject) {
    subject.arrange(&["t"]).await;
    for wait in [1_000, 2_000, 4_000] {
        let strayed = fail_next(&subject).await.run_at.0 - subject.now().0;
        assert!((wait * 8 / 10..=wait * 12 / 10).contains(&strayed), "{strayed} instead of {wait}");
        subject.advance(wait * 2);
    }
}

pub async fn a_huge_backoff_stays_within_2_to_the_53(subject: Subject) {
    let backoff = Backoff { kind: BackoffKind::Exponential, base_ms: MAX_INTEGER, max_ms: MAX_INTEGER, jitter: 1.0 };
    subject.arrange_tasks(vec![task("t").backoff(backoff)]).await;
    let failed = fail_next(&subject).await;
    assert!((subject.now().0..=MAX_INTEGER).contains(&failed.run_at.0), "{}", failed.run_at);
    assert_eq!(subject.task("t").await, failed);
}

pub async fn a_backoff_is_kept_as_given(subject: Subject) {
    let own = Backoff { kind: BackoffKind::Exponential, base_ms: 1, max_ms: 2, jitter: 0.5 };
    subject.add_task(task("own").backoff(own)).await;
    subject.add_task(task("fixed").backoff(Backoff::fixed(9_999_999))).await;
    subject.add_task(task("default")).await;
    assert_eq!(subject.task("own").await.backoff, own);
    assert_eq!(subject.task("fixed").await.backoff, Backoff::fixed(9_999_999));
    assert_eq!(subject.task("default").await.backoff, Backoff::DEFAULT);
}

pub async fn a_jitter_comes_back_to_the_last_digit(subject: Subject) {
    subject.arrange(&["t"]).await;
    for jitter in [0.0, 1.0, 0.1, 0.125, 0.1 + 0.2, 1.0 / 3.0, 1.0 - f64::EPSILON, 1e-7, 1.5e-300, 5e-324] {
        let backoff = Backoff { jitter, ..Backoff::DEFAULT };
        let updated = subject.update_task("t", TaskPatch::new().backoff(backoff)).await.unwrap();
        assert_eq!((updated.backoff.jitter, subject.task("t").await.backoff.jitter), (jitter, jitter));
    }
}

pub async fn a_backoff_that_makes_no_sense_is_refused(subject: Subject) {
    let sound = Backoff::DEFAULT;
    for backoff in [
        Backoff { base_ms: -1, ..sound },
        Backoff { max_ms: -1, ..sound },
        Backoff { base_ms: MAX_INTEGER + 1, ..sound },
        Backoff { jitter: 1.1, ..sound },
        Backoff { jitter: -0.1, ..sound },
        Backoff { jitter: f64::NAN, ..sound },
        Backoff { jitter: f64::INFINITY, ..sound },
    ] {
        invalid(subject.try_add_task(task("t").backoff(backoff)).await, "backoff");
    }
    subject.add_task(task("t")).await;
    refused(
        subject.update_task("t", TaskPatch::new().backoff(Backoff { jitter: 2.0, ..sound })).await,
        InvalidArgument,
    );
}

pub async fn a_released_attempt_does_not_count(subject: Subject) {
    subject.arrange_tasks(vec![task("t").max_retries(1_u32).backoff(no_backoff())]).await;
    for _ in 0..5 {
        let claimed = subject.claim("ada").await;
        assert_eq!(claimed.attempt, 1);
        subject.release(&claimed).await.unwrap();
    }
    assert_eq!(fail_next(&subject).await.status, TaskStatus::Pending);
    assert_eq!(fail_next(&subject).await.status, TaskStatus::Failed);
}

pub async fn a_task_that_failed_before_can_be_completed(subject: Subject) {
    subject.arrange_tasks(vec![task("t").backoff(no_backoff())]).await;
    fail_next(&subject).await;
    let completed = subject.finish_next().await;
    assert_eq!((completed.status, completed.attempt, completed.errors.len()), (TaskStatus::Completed, 2, 1));
}

pub async fn a_message_that_cannot_be_stored_is_refused(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    invalid(subject.fail(&claimed, "a\0b").await, "message");
    assert_eq!(subject.task("t").await, claimed);
}

async fn fail_next(subject: &Subject) -> Task {
    let claimed = subject.claim("ada").await;
    subject.fail(&claimed, "broken").await.expect("it fails")
}
