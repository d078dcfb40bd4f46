//! Tasks as records: fields, parents, unique keys.

use crate::ErrorCode::{Conflict, Constraint, InvalidArgument};
use crate::model::{
    Backoff, Millis, OnConflict, OnDependencyFailure, Patch, Priority, Task, TaskPatch, TaskStatus, TrustOperation,
};
use crate::sql::Query;
use crate::testing::Subject;
use crate::testing::kit::{agent, done, ids, invalid, no_backoff, refused, task, task_after, task_id, texts};
use crate::{NewTask, Tx};
use serde_json::json;

pub async fn what_was_added_reads_back_equal(subject: Subject) {
    subject.arrange(&["parent", "first"]).await;
    let new = NewTask::new("draw \u{1f41d}", json!({ "tile": [1, 2.5], "text": "a\u{0}b\"" }))
        .id(task_id("t"))
        .parent_task_id(task_id("parent"))
        .trust_operation(TrustOperation::Verification)
        .unique_key("only one")
        .queue("slow")
        .priority(Priority::HIGH)
        .dependencies(vec![task_id("first")])
        .on_dependency_failure(OnDependencyFailure::Hold)
        .required_capabilities(texts(&["draw", "see"]))
        .run_at(Millis(1_900_000_000_000))
        .max_retries(7_u32)
        .backoff(Backoff::fixed(250));
    let added = subject.add_task(new).await;
    assert_eq!((added.status, added.attempt, added.version), (TaskStatus::Pending, 0, 1));
    assert_eq!((added.queue.as_str(), added.priority.get(), added.max_retries), ("slow", 7, 7));
    assert_eq!(added.payload.to_tree()["text"], "a\u{0}b\"");
    assert_eq!(subject.task("t").await, added);
}

pub async fn what_is_not_given_gets_its_default(subject: Subject) {
    let added = subject.add_task(NewTask::new("work", json!(null))).await;
    assert_eq!((added.queue.as_str(), added.priority, added.max_retries), ("default", Priority::MEDIUM, 3));
    assert_eq!((added.status, added.attempt, added.run_at), (TaskStatus::Pending, 0, subject.now()));
    assert_eq!((added.backoff, added.on_dependency_failure), (Backoff::DEFAULT, OnDependencyFailure::Cancel));
    assert_eq!((added.agent_id, added.lease_token, added.lease_expires_at), (None, None, None));
    assert_eq!((added.assigned_at, added.started_at, added.completed_at), (None, None, None));
    assert_eq!((added.result, added.cancel_reason, added.unique_key), (None, None, None));
    assert_eq!((added.payload.as_str(), added.errors.len()), ("null", 0));
    assert_eq!((added.created_at, added.updated_at, added.version), (subject.now(), subject.now(), 1));
}

pub async fn a_task_has_the_operations_of_every_record(subject: Subject) {
    let everything = |tx: &Tx<'_>| {
        let tasks = tx.tasks();
        tasks.add_many([task("a"), task("b")])?;
        tasks.put_many([task("b").queue("q"), task("c")])?;
        tasks.update("a", TaskPatch::new().queue("q"))?;
        tasks.update_if_version("a", 2, TaskPatch::new().priority(Priority::LOW))?;
        tasks.update_many([("c", TaskPatch::new().queue("q"))])?;
        tasks.put(task("d"))?;
        let counted = (tasks.delete("d")?, tasks.delete_many(["c", "none"])?, tasks.count(&Query::new())?);
        done((counted, tasks.list(&Query::new())?))
    };
    let (counted, listed) = subject.write(everything).await.unwrap();
    assert_eq!(counted, (true, 1, 2));
    assert_eq!(listed.iter().map(|task| (task.id.as_str(), task.version)).collect::<Vec<_>>(), [("a", 3), ("b", 2)]);
    assert_eq!(subject.read(|tx| tx.tasks().list(&Query::new())).await.unwrap(), listed);
}

pub async fn adding_an_existing_id_is_a_conflict(subject: Subject) {
    let first = subject.add_task(task("t")).await;
    let error =
        refused(subject.try_add_task(task("t").unique_key("k").on_conflict(OnConflict::Existing)).await, Conflict);
    assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("tasks"), Some("t")));
    assert_eq!(subject.task("t").await, first);
}

pub async fn a_parent_takes_its_subtasks_with_it(subject: Subject) {
    let child = task("child").parent_task_id(task_id("top"));
    let leaf = task("leaf").parent_task_id(task_id("child"));
    subject.arrange_tasks(vec![task("top"), child, leaf, task("other")]).await;
    assert!(subject.write(|tx| tx.tasks().delete("top")).await.unwrap());
    let left = subject.read(|tx| tx.tasks().list(&Query::new())).await.unwrap();
    assert_eq!(ids(&left), ["other"]);
}

pub async fn putting_a_parent_keeps_its_subtasks(subject: Subject) {
    subject.arrange_tasks(vec![task("top"), task("child").parent_task_id(task_id("top"))]).await;
    let before = subject.task("child").await;
    subject.write(|tx| tx.tasks().put(task("top").queue("other"))).await.unwrap();
    assert_eq!(subject.task("child").await, before);
}

pub async fn putting_a_task_keeps_its_errors_and_its_dependents(subject: Subject) {
    subject.arrange_tasks(vec![task("a").backoff(no_backoff()), task_after("b", &["a"])]).await;
    let claimed = subject.claim("ada").await;
    subject.fail(&claimed, "broken").await.unwrap();
    let put = subject.write(|tx| tx.tasks().put(task("a").queue("other"))).await.unwrap();
    assert_eq!((put.errors.len(), put.attempt), (1, 1));
    assert_eq!(subject.task("a").await, put);
    assert_eq!(subject.task("b").await.dependencies, [task_id("a")]);
}

pub async fn an_unknown_parent_is_refused_by_the_database(subject: Subject) {
    refused(subject.try_add_task(task("t").parent_task_id(task_id("unknown"))).await, Constraint);
    assert_eq!(subject.read(|tx| tx.tasks().get("t")).await.unwrap(), None);
    let before = subject.add_task(task("t")).await;
    refused(subject.update_task("t", TaskPatch::new().parent_task_id(task_id("unknown"))).await, Constraint);
    assert_eq!(subject.task("t").await, before);
}

pub async fn a_task_cannot_be_a_part_of_itself(subject: Subject) {
    let child = task("child").parent_task_id(task_id("top"));
    subject.arrange_tasks(vec![task("top"), child]).await;
    for parent in ["top", "child"] {
        let patch = TaskPatch::new().parent_task_id(task_id(parent));
        invalid(subject.update_task("top", patch).await, "parent_task_id");
    }
    invalid(subject.try_add_task(task("own").parent_task_id(task_id("own"))).await, "parent_task_id");
    assert_eq!(subject.task("top").await.parent_task_id, None);
    assert_eq!(subject.read(|tx| tx.tasks().get("own")).await.unwrap(), None);
}

pub async fn a_second_unfinished_task_with_a_unique_key_is_a_conflict(subject: Subject) {
    let first = subject.add_task(task("a").unique_key("k")).await;
    let error = refused(subject.try_add_task(task("b").unique_key("k")).await, Conflict);
    assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("tasks"), Some("a")));
    assert_eq!(subject.read(|tx| tx.tasks().list(&Query::new())).await.unwrap(), [first]);
}

pub async fn a_second_unfinished_task_with_a_unique_key_answers_the_first_when_asked_to(subject: Subject) {
    let first = subject.add_task(task("a").unique_key("k")).await;
    let again = task("b").unique_key("k").queue("other").on_conflict(OnConflict::Existing);
    assert_eq!(subject.add_task(again).await, first);
    assert_eq!(subject.read(|tx| tx.tasks().count(&Query::new())).await.unwrap(), 1);
    let new = task("c").unique_key("k2").on_conflict(OnConflict::Existing);
    assert_eq!(subject.add_task(new).await.id.as_str(), "c");
}

pub async fn a_unique_key_is_held_until_its_task_is_finished(subject: Subject) {
    subject.arrange_tasks(vec![task("a").unique_key("k").backoff(no_backoff())]).await;
    let taken = || task("b").unique_key("k");
    let claimed = subject.claim("ada").await;
    refused(subject.try_add_task(taken()).await, Conflict);
    subject.start(&claimed).await.unwrap();
    refused(subject.try_add_task(taken()).await, Conflict);
    subject.fail(&claimed, "broken").await.unwrap();
    refused(subject.try_add_task(taken()).await, Conflict);
    subject.finish_next().await;
    subject.add_task(taken()).await;
}

pub async fn a_dead_letter_gives_its_unique_key_free(subject: Subject) {
    subject.arrange_tasks(vec![task("a").unique_key("k")]).await;
    subject.ruin_next().await;
    subject.add_task(task("b").unique_key("k")).await;
}

pub async fn an_update_or_put_to_a_taken_unique_key_is_a_conflict(subject: Subject) {
    subject.add_task(task("a").unique_key("k")).await;
    let before = subject.add_task(task("b")).await;
    refused(subject.update_task("b", TaskPatch::new().unique_key("k")).await, Conflict);
    refused(subject.write(|tx| tx.tasks().put(task("b").unique_key("k"))).await, Conflict);
    refused(subject.write(|tx| tx.tasks().put(task("c").unique_key("k"))).await, Conflict);
    assert_eq!(subject.task("b").await, before);
    subject.write(|tx| tx.tasks().put(task("a").unique_key("k"))).await.unwrap();
}

pub async fn a_cleared_unique_key_is_free(subject: Subject) {
    subject.add_task(task("a").unique_key("k")).await;
    let mut patch = TaskPatch::new();
    patch.unique_key = Patch::Clear;
    subject.update_task("a", patch).await.unwrap();
    subject.add_task(task("b").unique_key("k")).await;
}

pub async fn tasks_without_a_unique_key_do_not_clash(subject: Subject) {
    subject.arrange(&["a", "b", "c"]).await;
}

pub async fn the_events_of_a_task_outlive_it(subject: Subject) {
    subject.add_task(task("t")).await;
    let about = crate::testing::kit::event("made").task_id(task_id("t"));
    subject.append("t", vec![about], crate::Expected::None).await.unwrap();
    subject.write(|tx| tx.tasks().delete("t")).await.unwrap();
    let events = subject.read_stream("t", crate::ReadStream::default()).await;
    assert_eq!(events[0].task_id, Some(task_id("t")));
}

pub async fn deleting_a_claimed_task_leaves_its_worker_with_nothing(subject: Subject) {
    let claimed = subject.claimed(task("t").backoff(no_backoff())).await;
    subject.fail(&claimed, "broken").await.unwrap();
    let claimed = subject.claim("ada").await;
    assert!(subject.write(|tx| tx.tasks().delete("t")).await.unwrap());
    refused(subject.complete(&claimed).await, crate::ErrorCode::NotFound);
    let again: Task = subject.add_task(task("t")).await;
    assert!(again.errors.is_empty());
    subject.add_agent(agent("eve")).await;
}

pub async fn a_long_line_of_subtasks_is_deleted_as_a_whole(subject: Subject) {
    let line = |tx: &Tx<'_>| {
        tx.tasks().add(task("0"))?;
        for depth in 1..1_500 {
            tx.tasks().add(task(&depth.to_string()).parent_task_id(task_id(&(depth - 1).to_string())))?;
        }
        done(())
    };
    subject.write(line).await.unwrap();
    assert!(subject.write(|tx| tx.tasks().delete("0")).await.unwrap());
    assert_eq!(subject.read(|tx| tx.tasks().count(&Query::new())).await.unwrap(), 0);
}

pub async fn adding_many_tasks_is_all_or_nothing_and_names_the_row_that_failed(subject: Subject) {
    subject.arrange_tasks(vec![task("k").unique_key("key")]).await;
    // Enough that they are inserted together, and that rows differ in what those before had in common.
    let varied = |number: usize| {
        let task = task(&format!("t{number}")).priority(Priority::LOW).max_retries(u32::from(number.is_multiple_of(5)));
        match number {
            400.. if number.is_multiple_of(2) => task.queue("late").unique_key(format!("key {number}")),
            _ => task,
        }
    };
    let many = |odd: NewTask| {
        let mut tasks: Vec<_> = (0..700).map(varied).collect();
        tasks[550] = odd;
        tasks
    };
    for (odd, code, index) in [
        (task("t3"), Conflict, 550),
        (task("t549"), Conflict, 550),
        (task("t551"), Conflict, 551),
        (task("u").unique_key("key"), Conflict, 550),
        (task("u").unique_key("key 548"), Conflict, 550),
        (task("u").parent_task_id(task_id("nobody")), Constraint, 550),
        (task("u").parent_task_id(task_id("t560")), Constraint, 550),
        (task_after("u", &["nobody"]), InvalidArgument, 550),
    ] {
        let tasks = many(odd);
        let error = refused(subject.write(move |tx| tx.tasks().add_many(tasks.clone())).await, code);
        assert_eq!(error.detail().index, Some(index));
        assert_eq!(subject.read(|tx| tx.tasks().count(&Query::new())).await.unwrap(), 1);
    }
    let tasks = many(task("u").unique_key("key").on_conflict(OnConflict::Existing).run_at(Millis(7)));
    let added = subject.write(move |tx| tx.tasks().add_many(tasks.clone())).await.unwrap();
    assert_eq!((added.len(), added[550].id.as_str(), added[551].id.as_str()), (700, "k", "t551"));
    assert_eq!(subject.read(|tx| tx.tasks().count(&Query::new())).await.unwrap(), 700);
    subject.write(|tx| tx.tasks().delete_where(&Task::ID.ne(task_id("k")))).await.unwrap();

    let tasks = many(task("u"));
    let mut added = subject.write(move |tx| tx.tasks().add_many(tasks.clone())).await.unwrap();
    added.sort_by(|a, b| a.id.cmp(&b.id));
    let stored = subject.read(|tx| tx.tasks().list(&Query::new().filter(Task::ID.ne(task_id("k"))).unlimited())).await;
    assert_eq!(stored.unwrap(), added);
}
