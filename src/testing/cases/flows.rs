//! Tasks that are added together with what they wait for.

use crate::ErrorCode::{Conflict, Constraint};
use crate::model::{NewTask, OnConflict, OnDependencyFailure, TaskStatus};
use crate::testing::Subject;
use crate::testing::kit::{agent, ids, invalid, refused, task, task_after, task_id};
use crate::{Claim, Query};

pub async fn a_flow_is_added_in_any_order_and_answered_in_the_order_given(subject: Subject) {
    subject.arrange(&[]).await;
    let flow = vec![task_after("last", &["left", "right"]), task_after("left", &["plan"]), task("plan"), right()];
    let added = subject.add_flow(flow).await.unwrap();
    assert_eq!(ids(&added), ["last", "left", "plan", "right"]);
    for task in added {
        assert_eq!(subject.task(task.id.as_str()).await, task);
    }
    assert_eq!(subject.finish_next().await.id.as_str(), "plan");
    let both = subject.claim_many("ada", Claim::default().limit(9)).await;
    assert_eq!(ids(&both), ["left", "right"]);
    for task in both {
        assert!(subject.nothing_for("ada").await);
        subject.complete(&task).await.unwrap();
    }
    assert_eq!(subject.claim("ada").await.id.as_str(), "last");
}

pub async fn a_flow_may_depend_on_tasks_that_are_there(subject: Subject) {
    subject.arrange(&["done", "open"]).await;
    subject.finish_next().await;
    subject.add_flow(vec![task_after("b", &["a", "done"]), task_after("a", &["open", "done"])]).await.unwrap();
    for expected in ["open", "a", "b"] {
        assert_eq!(subject.finish_next().await.id.as_str(), expected);
    }
}

pub async fn parents_of_a_flow_may_come_after_their_parts(subject: Subject) {
    subject.arrange(&["above"]).await;
    let part = |id: &str, of: &str| task(id).parent_task_id(task_id(of));
    let flow = vec![part("leaf", "middle"), part("middle", "top"), part("top", "above")];
    assert_eq!(ids(&subject.add_flow(flow).await.unwrap()), ["leaf", "middle", "top"]);
    assert!(subject.write(|tx| tx.tasks().delete("above")).await.unwrap());
    assert_eq!(subject.read(|tx| tx.tasks().count(&Query::new())).await.unwrap(), 0);
}

pub async fn a_cycle_in_a_flow_is_refused_with_the_index_of_a_row_in_it(subject: Subject) {
    let flow = vec![task("a"), task_after("b", &["a", "d"]), task_after("c", &["b"]), task_after("d", &["c"])];
    let error = invalid(subject.add_flow(flow).await, "dependencies");
    assert!(matches!(error.detail().index, Some(1..=3)), "{error:?}");
    let itself = vec![task("a"), task_after("b", &["b"])];
    assert_eq!(invalid(subject.add_flow(itself).await, "dependencies").detail().index, Some(1));
    let parents = vec![task("a"), task("b").parent_task_id(task_id("c")), task("c").parent_task_id(task_id("b"))];
    let error = invalid(subject.add_flow(parents).await, "parent_task_id");
    assert!(matches!(error.detail().index, Some(1 | 2)), "{error:?}");
    assert!(is_empty(&subject).await);
}

pub async fn an_unknown_id_in_a_flow_is_refused_with_the_index_of_the_row(subject: Subject) {
    let flow = vec![task("a"), task_after("b", &["a", "unknown"])];
    let error = invalid(subject.add_flow(flow).await, "dependencies");
    assert_eq!(error.detail().index, Some(1));
    assert!(error.to_string().contains("unknown"));
    let orphan = vec![task("a"), task("b").parent_task_id(task_id("unknown"))];
    assert_eq!(refused(subject.add_flow(orphan).await, Constraint).detail().index, Some(1));
    assert!(is_empty(&subject).await);
}

pub async fn a_flow_is_all_or_nothing_and_names_the_row_that_failed(subject: Subject) {
    subject.arrange_tasks(vec![task("there"), task("holder").unique_key("k")]).await;
    for (row, code) in [
        (task_after("there", &["a"]), Conflict),
        (task_after("a", &[]), Conflict),
        (task_after("b", &["a"]).unique_key("k"), Conflict),
    ] {
        let error = refused(subject.add_flow(vec![task("a"), task("c"), row]).await, code);
        assert_eq!(error.detail().index, Some(2), "{error:?}");
    }
    let twice = vec![task("a"), task_after("b", &["a", "a"])];
    assert_eq!(invalid(subject.add_flow(twice).await, "dependencies").detail().index, Some(1));
    let nul = vec![task("a"), task("b").queue("\0")];
    assert_eq!(invalid(subject.add_flow(nul).await, "queue").detail().index, Some(1));
    assert_eq!(subject.read(|tx| tx.tasks().count(&Query::new())).await.unwrap(), 2);
}

pub async fn a_refused_flow_leaves_nothing_even_when_its_error_is_caught(subject: Subject) {
    let caught = |tx: &crate::Tx<'_>| {
        let flow = vec![task("a"), task_after("b", &["a"]), task_after("c", &["b", "unknown"])];
        invalid(tx.tasks().add_flow(flow), "dependencies");
        tx.agents().add(agent("eve"))
    };
    subject.write(caught).await.unwrap();
    assert!(is_empty(&subject).await);
    subject.agent("eve").await;
}

pub async fn a_flow_waits_for_the_task_that_answers_for_a_row_whose_key_is_taken(subject: Subject) {
    subject.arrange_tasks(vec![task("plan").unique_key("the plan")]).await;
    let flow = || {
        let again = task("again").unique_key("the plan").on_conflict(OnConflict::Existing);
        vec![task_after("tile", &["again"]).parent_task_id(task_id("again")), again]
    };
    let added = subject.add_flow(flow()).await.unwrap();
    assert_eq!(ids(&added), ["tile", "plan"]);
    assert_eq!(subject.task("plan").await, added[1]);
    assert_eq!(added[0].dependencies, [task_id("plan")]);
    assert_eq!(added[0].parent_task_id, Some(task_id("plan")));
    assert_eq!(subject.task("tile").await, added[0]);
    assert_eq!(subject.finish_next().await.id.as_str(), "plan");
    assert_eq!(subject.claim("ada").await.id.as_str(), "tile");
}

pub async fn rows_of_a_flow_with_one_key_are_one_task(subject: Subject) {
    subject.arrange(&[]).await;
    let keyed = |id: &str| task(id).unique_key("k").on_conflict(OnConflict::Existing);
    let flow = vec![task_after("after", &["b", "a", "c"]), keyed("a"), keyed("b"), task("c")];
    let added = subject.add_flow(flow).await.unwrap();
    assert_eq!(ids(&added), ["after", "a", "a", "c"]);
    assert_eq!(added[0].dependencies, [task_id("a"), task_id("c")]);
    let crossed = vec![keyed("x").dependencies(vec![task_id("y")]), keyed("y")];
    assert_eq!(ids(&subject.add_flow(crossed).await.unwrap()), ["a", "a"]);
    subject.finish_next().await;
    let crossed = vec![keyed("x").dependencies(vec![task_id("y")]), keyed("y")];
    assert_eq!(invalid(subject.add_flow(crossed).await, "dependencies").detail().index, Some(0));
}

pub async fn a_flow_after_a_lost_task_is_cancelled_as_far_as_it_waits_for_it(subject: Subject) {
    use TaskStatus::{Cancelled, Pending};
    subject.arrange(&["lost"]).await;
    subject.ruin_next().await;
    let held = task_after("held", &["a"]).on_dependency_failure(OnDependencyFailure::Hold);
    let flow = vec![task_after("c", &["b"]), task_after("b", &["a"]), task_after("a", &["lost"]), held, task("free")];
    let added = subject.add_flow(flow).await.unwrap();
    let found: Vec<TaskStatus> = added.iter().map(|task| task.status).collect();
    assert_eq!(found, [Cancelled, Cancelled, Cancelled, Pending, Pending]);
    assert_eq!(added[0].cancel_reason.as_deref(), Some("dependency b was cancelled"));
    for task in added {
        assert_eq!(subject.task(task.id.as_str()).await, task);
    }
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(9)).await, ["free"]);
}

pub async fn a_flow_of_nothing_is_nothing(subject: Subject) {
    assert!(subject.add_flow(Vec::new()).await.unwrap().is_empty());
}

pub async fn a_long_line_of_tasks_is_a_flow(subject: Subject) {
    subject.arrange(&[]).await;
    let name = |number: i32| format!("{number:04}");
    let flow: Vec<NewTask> = (0..1_500)
        .map(|number| task_after(&name(number), &[name(number + 1).as_str()]))
        .chain([task("1500")])
        .collect();
    assert_eq!(subject.add_flow(flow).await.unwrap().len(), 1_501);
    for expected in ["1500", "1499", "1498"] {
        assert_eq!(subject.finish_next().await.id.as_str(), expected);
    }
}

fn right() -> NewTask {
    task_after("right", &["plan"])
}

async fn is_empty(subject: &Subject) -> bool {
    subject.read(|tx| tx.tasks().count(&Query::new())).await.unwrap() == 0
}
