//! Deleting what was finished long ago.

use crate::model::{NewTask, OnDependencyFailure, TaskStatus};
use crate::testing::Subject;
use crate::testing::kit::{done, task, task_after, task_id};
use crate::{Claim, Query};

pub async fn purging_deletes_what_was_finished_before_a_time(subject: Subject) {
    subject.arrange(&["a completed", "b failed", "c cancelled", "d later", "e running", "f pending"]).await;
    subject.finish_next().await;
    subject.ruin_next().await;
    subject.cancel("c cancelled").await.unwrap();
    subject.advance(1);
    let then = subject.now();
    subject.finish_next().await;
    subject.claim("ada").await;
    assert_eq!(subject.write(move |tx| tx.tasks().purge(then)).await.unwrap(), 3);
    assert_eq!(left(&subject).await, ["d later", "e running", "f pending"]);
    subject.advance(1);
    assert_eq!((subject.purge().await, subject.purge().await), (1, 0));
    assert_eq!(left(&subject).await, ["e running", "f pending"]);
}

pub async fn purging_nothing_is_nothing(subject: Subject) {
    assert_eq!(subject.purge().await, 0);
    subject.arrange(&["a"]).await;
    subject.advance(1_000_000);
    assert_eq!(subject.purge().await, 0);
}

pub async fn what_an_unfinished_task_depends_on_stays(subject: Subject) {
    let held = task_after("held", &["lost"]).on_dependency_failure(OnDependencyFailure::Hold);
    subject.arrange_tasks(vec![task("done"), task("lost"), task_after("z", &["done"]), held]).await;
    subject.finish_next().await;
    subject.ruin_next().await;
    subject.advance(1);
    assert_eq!(subject.purge().await, 0);
    assert_eq!(subject.task("z").await.dependencies, [task_id("done")]);
    assert_eq!(subject.finish_next().await.id.as_str(), "z");
    subject.cancel("held").await.unwrap();
    assert_eq!(subject.purge().await, 2);
    assert_eq!(left(&subject).await, ["held", "z"]);
}

pub async fn a_task_with_an_unfinished_subtask_stays_with_all_between(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), part("b", "a"), part("c", "b"), part("d", "a")]).await;
    for _ in 0..2 {
        subject.finish_next().await;
    }
    let c = subject.claim("ada").await;
    assert_eq!(c.id.as_str(), "c");
    subject.finish_next().await;
    subject.advance(1);
    assert_eq!(subject.purge().await, 1);
    assert_eq!(left(&subject).await, ["a", "b", "c"]);
    subject.complete(&c).await.unwrap();
    // It was finished too late itself, and so those above it stay.
    assert_eq!(subject.purge().await, 0);
    subject.advance(1);
    assert_eq!(subject.purge().await, 3);
}

pub async fn a_tree_is_purged_as_a_whole(subject: Subject) {
    let mut tasks = vec![task("top")];
    for branch in 0..3 {
        let name = format!("branch {branch}");
        tasks.push(part(&name, "top"));
        tasks.extend((0..3).map(|leaf| part(&format!("{name} leaf {leaf}"), &name)));
    }
    subject.arrange_tasks(tasks).await;
    let all = subject.claim_many("ada", Claim::default().limit(99)).await;
    assert_eq!(all.len(), 13);
    for task in all {
        subject.complete(&task).await.unwrap();
    }
    subject.advance(1);
    assert_eq!(subject.purge().await, 13);
}

pub async fn a_long_line_of_subtasks_is_purged_as_a_whole(subject: Subject) {
    let name = |number: i32| format!("{number:04}");
    let flow: Vec<NewTask> =
        [task("0000")].into_iter().chain((1..1_200).map(|number| part(&name(number), &name(number - 1)))).collect();
    subject.add_flow(flow).await.unwrap();
    subject.write(|tx| tx.tasks().cancel_subtree(&task_id("0000"), None)).await.unwrap();
    subject.advance(1);
    assert_eq!(subject.purge().await, 1_200);
}

pub async fn many_are_purged_and_those_between_stay(subject: Subject) {
    let all: Vec<NewTask> = (0..1_300).map(|number| task(&format!("{number:04}"))).collect();
    subject.arrange_tasks(all).await;
    subject
        .write(|tx| {
            for number in (0..1_300).filter(|number| number % 13 != 0) {
                tx.tasks().cancel(&task_id(&format!("{number:04}")), None)?;
            }
            done(())
        })
        .await
        .unwrap();
    subject.advance(1);
    assert_eq!(subject.purge().await, 1_200);
    let left = subject.read(|tx| tx.tasks().list(&Query::new().unlimited())).await.unwrap();
    assert!(left.len() == 100 && left.iter().all(|task| task.status == TaskStatus::Pending));
}

pub async fn a_task_that_is_left_forgets_what_was_purged(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task_after("b", &["a"])]).await;
    subject.finish_next().await;
    subject.advance(1);
    subject.ruin_next().await;
    assert_eq!(subject.purge().await, 1);
    assert!(subject.task("b").await.dependencies.is_empty());
    subject.redrive(&["b"]).await.unwrap();
    assert_eq!(subject.finish_next().await.id.as_str(), "b");
}

fn part(id: &str, of: &str) -> NewTask {
    task(id).parent_task_id(task_id(of))
}

async fn left(subject: &Subject) -> Vec<String> {
    let tasks = subject.read(|tx| tx.tasks().list(&Query::new())).await.unwrap();
    tasks.into_iter().map(|task| task.id.to_string()).collect()
}
