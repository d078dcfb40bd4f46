//! Queues that are paused, and what is in them.

use crate::model::{Queue, TaskCounts, TaskStatus};
use crate::testing::Subject;
use crate::testing::kit::{ids, invalid, task, task_after};
use crate::{Claim, Priority, TaskPatch};

pub async fn a_paused_queue_is_passed_over_until_it_is_resumed(subject: Subject) {
    subject
        .arrange_tasks(vec![task("a").queue("q").priority(Priority::CRITICAL), task("b"), task("c").queue("r")])
        .await;
    subject.pause("q").await;
    let all = || Claim::default().limit(9);
    assert_eq!(subject.claim_ids("ada", all().queues(["q"])).await, [""; 0]);
    assert_eq!(subject.claim_ids("ada", all().queues(["q", "r"])).await, ["c"]);
    assert_eq!(subject.claim_ids("ada", all()).await, ["b"]);
    subject.resume("q").await;
    assert_eq!(subject.claim_ids("ada", all()).await, ["a"]);
}

pub async fn when_every_queue_is_paused_nothing_is_claimed(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task("b").queue("q")]).await;
    subject.pause("q").await;
    subject.pause("default").await;
    assert!(subject.nothing_for("ada").await);
    subject.resume("default").await;
    assert_eq!(subject.claim("ada").await.id.as_str(), "a");
    assert!(subject.nothing_for("ada").await);
}

pub async fn many_queues_may_be_paused_and_named(subject: Subject) {
    let name = |number: usize| format!("q{number}");
    let tasks = (0..8).map(|number| task(&number.to_string()).queue(name(number))).collect();
    subject.arrange_tasks(tasks).await;
    for queue in ["q0", "q2", "q4", "q6"] {
        subject.pause(queue).await;
    }
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(2)).await, ["1", "3"]);
    let named = Claim::default().limit(9).queues((0..8).map(name));
    assert_eq!(subject.claim_ids("ada", named).await, ["5", "7"]);
}

pub async fn pausing_and_resuming_twice_changes_nothing(subject: Subject) {
    subject.arrange(&["a"]).await;
    subject.pause("default").await;
    let since = subject.now();
    subject.advance(5);
    subject.pause("default").await;
    assert_eq!(queues(&subject).await[0].paused_at, Some(since));
    subject.resume("default").await;
    subject.resume("default").await;
    assert_eq!(queues(&subject).await[0].paused_at, None);
    assert_eq!(subject.claim("ada").await.id.as_str(), "a");
}

pub async fn a_queue_may_be_paused_before_anything_is_in_it(subject: Subject) {
    subject.arrange(&[]).await;
    subject.pause("später").await;
    subject.pause("").await;
    subject.add_task(task("a").queue("später")).await;
    subject.add_task(task("b").queue("")).await;
    assert!(subject.nothing_for("ada").await);
    subject.resume("später").await;
    assert_eq!(subject.claim("ada").await.id.as_str(), "a");
}

pub async fn what_is_claimed_from_a_queue_goes_on_when_it_is_paused(subject: Subject) {
    let claimed = subject.claimed(task("a")).await;
    subject.pause("default").await;
    subject.start(&claimed).await.unwrap();
    subject.extend(&claimed, 90_000).await.unwrap();
    assert_eq!(subject.complete(&claimed).await.unwrap().status, TaskStatus::Completed);
}

pub async fn what_expires_or_is_given_back_in_a_paused_queue_waits(subject: Subject) {
    subject.arrange(&["a", "b"]).await;
    let a = subject.claim("ada").await;
    subject.claim("ada").await;
    subject.pause("default").await;
    subject.release(&a).await.unwrap();
    subject.advance(60_000);
    assert!(subject.nothing_for("ada").await);
    // The claim has taken back what had expired all the same.
    assert_eq!(subject.task("b").await.errors.len(), 1);
    subject.resume("default").await;
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(9)).await, ["a", "b"]);
}

pub async fn a_task_moved_out_of_a_paused_queue_is_claimable(subject: Subject) {
    subject.arrange_tasks(vec![task("a").queue("q"), task("b")]).await;
    subject.pause("q").await;
    subject.update_task("a", TaskPatch::new().queue("r")).await.unwrap();
    subject.update_task("b", TaskPatch::new().queue("q")).await.unwrap();
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(9)).await, ["a"]);
}

pub async fn a_pause_that_is_rolled_back_is_none(subject: Subject) {
    subject.arrange(&["a"]).await;
    let mut transaction = subject.begin().await;
    transaction.run(|tx| tx.tasks().pause("default")).unwrap();
    transaction.rollback().unwrap();
    assert_eq!(subject.claim("ada").await.id.as_str(), "a");
}

pub async fn a_pause_survives_a_restart(subject: Subject) {
    subject.arrange(&["a"]).await;
    subject.pause("default").await;
    subject.reopen().await;
    assert!(subject.nothing_for("ada").await);
}

pub async fn counts_has_every_status_of_one_queue_or_of_all(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task("b"), task("c"), task("d"), task("e"), task("f").queue("q")]).await;
    subject.finish_next().await;
    subject.ruin_next().await;
    let running = subject.claim("ada").await;
    subject.start(&running).await.unwrap();
    subject.claim("ada").await;
    subject.cancel("e").await.unwrap();
    subject.add_task(task_after("g", &["f"]).queue("q")).await;
    let default = [0, 1, 1, 1, 1, 1];
    assert_eq!(in_order(counts(&subject, Some("default")).await), default);
    assert_eq!(in_order(counts(&subject, Some("q")).await), [2, 0, 0, 0, 0, 0]);
    assert_eq!(in_order(counts(&subject, Some("unknown")).await), [0; 6]);
    let all = counts(&subject, None).await;
    assert_eq!((in_order(all), all.total()), ([2, 1, 1, 1, 1, 1], 7));
}

pub async fn counts_of_an_empty_store_are_all_0(subject: Subject) {
    assert_eq!(in_order(counts(&subject, None).await), [0; 6]);
}

pub async fn queues_are_listed_by_name_with_their_counts_and_whether_they_are_paused(subject: Subject) {
    assert!(queues(&subject).await.is_empty());
    subject.arrange_tasks(vec![task("a").queue("z"), task("b"), task("c").queue("ä"), task("d")]).await;
    subject.claim_many("ada", Claim::default().queues(["default"])).await;
    subject.pause("z").await;
    subject.pause("nothing in it").await;
    let found = queues(&subject).await;
    let names: Vec<&str> = found.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["default", "nothing in it", "z", "ä"]);
    let paused: Vec<bool> = found.iter().map(|queue| queue.paused_at.is_some()).collect();
    assert_eq!(paused, [false, true, true, false]);
    assert_eq!(in_order(found[0].counts), [1, 1, 0, 0, 0, 0]);
    assert_eq!((found[1].counts.total(), found[2].counts.total(), found[3].counts.total()), (0, 1, 1));
}

pub async fn a_name_that_no_queue_can_have_is_refused(subject: Subject) {
    subject.arrange(&["a"]).await;
    let long = "x".repeat(crate::MAX_KEY_BYTES + 1);
    for name in ["\0", &long] {
        let name = name.to_owned();
        let (paused, resumed, counted) = (name.clone(), name.clone(), name.clone());
        invalid(subject.write(move |tx| tx.tasks().pause(&paused)).await, "queue");
        invalid(subject.write(move |tx| tx.tasks().resume(&resumed)).await, "queue");
        invalid(subject.read(move |tx| tx.tasks().counts(Some(&counted))).await, "queue");
    }
    invalid(subject.try_claim("ada", Claim::default().queues(["q", "\0"])).await, "queues");
    invalid(subject.try_claim("ada", Claim::default().types(["\0"])).await, "types");
    assert_eq!(ids(&subject.claim_many("ada", Claim::default()).await), ["a"]);
}

fn in_order(counts: TaskCounts) -> [i64; 6] {
    use TaskStatus::{Assigned, Cancelled, Completed, Failed, Pending, Running};
    [Pending, Assigned, Running, Completed, Failed, Cancelled].map(|status| counts.of(status))
}

async fn counts(subject: &Subject, queue: Option<&'static str>) -> TaskCounts {
    subject.read(move |tx| tx.tasks().counts(queue)).await.expect("counts")
}

async fn queues(subject: &Subject) -> Vec<Queue> {
    subject.read(|tx| tx.tasks().queues()).await.expect("queues")
}
