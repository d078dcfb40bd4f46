//! The task queue against a model of it: random operations, after each of which both have to be in the same state.
#![cfg(not(target_family = "wasm"))]

mod model;
mod operation;
mod queue;

use model::Model;
use operation::{Operation, operations};
use proptest::prelude::*;
use queue::{Queue, Seen};

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_queue_does_what_its_model_does(operations in prop::collection::vec(operations(), 1..150)) {
        let (mut model, mut queue) = (Model::default(), Queue::new());
        let mut before = queue.state();
        for operation in &operations {
            let expected = model.apply(operation);
            let outcome = queue.apply(operation);
            prop_assert_eq!(&outcome, &expected, "{:?}", operation);
            let after = queue.state();
            if outcome.is_err() {
                prop_assert_eq!(&after, &before, "{:?} was refused and changed something", operation);
            }
            let touched = outcome.as_deref().unwrap_or_default();
            check_step(operation, queue.now(), &before, &after, touched)?;
            prop_assert_eq!(&after, &model.state(), "{:?}", operation);
            before = after;
        }
        queue.is_sound();
    }

    #[test]
    fn whatever_happened_the_queue_can_be_worked_off(operations in prop::collection::vec(operations(), 1..40)) {
        let mut queue = Queue::new();
        for operation in &operations {
            let _ = queue.apply(operation);
        }
        queue.work_off();
        for (id, task) in queue.state() {
            // What is left waits for a task that was lost, because it says that it would rather hold.
            let held = task.hold && task.status == "pending";
            prop_assert!(task.is_final() || held || task.waits_for_held, "{} is {:?}", id, task);
        }
        queue.is_sound();
    }
}

/// 64 random runs, or a quarter of what `PROPTEST_CASES` says.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases / 4, failure_persistence: None, ..default }
}

/// What holds for every step, whatever the model says.
fn check_step(
    operation: &Operation,
    now: i64,
    before: &queue::State,
    after: &queue::State,
    touched: &[String],
) -> Result<(), TestCaseError> {
    for (id, was) in before {
        let Some(is) = after.get(id) else {
            prop_assert!(
                matches!(operation, Operation::Delete { .. } | Operation::Purge { .. }),
                "{id} was lost by {operation:?}"
            );
            if matches!(operation, Operation::Purge { .. }) {
                let needs = |task: &Seen| task.dependencies.contains(id) || task.parent.as_ref() == Some(id);
                let needed = before.values().any(|task| !task.is_final() && needs(task));
                prop_assert!(was.is_final() && !needed, "{id} was purged too early");
            }
            continue;
        };
        if matches!(operation, Operation::Redrive { .. }) && was.status == "failed" && is.status == "pending" {
            prop_assert_eq!((is.attempt, &is.errors), (0, &was.errors));
        } else if was.is_final() {
            let finished = |task: &Seen| (task.status, task.attempt, task.errors.clone());
            prop_assert_eq!(finished(was), finished(is), "{} was finished twice by {:?}", id, operation);
        }
        prop_assert_eq!(is.lease.is_some(), is.status == "assigned" || is.status == "running");
        prop_assert!(is.attempt <= is.max_retries + 1, "{id} was tried too often");
    }
    if let Operation::Claim { limit, queues, .. } = operation {
        prop_assert!(touched.len() <= *limit as usize);
        for id in touched {
            let task = &after[id];
            prop_assert!(queues.is_empty() || queues.contains(&task.queue), "{} was claimed from another queue", id);
            let met = task.dependencies.iter().all(|dependency| after[dependency].status == "completed");
            prop_assert!(met, "{} was claimed before what it depends on", id);
            let live = before.get(id).and_then(|task| task.lease.as_ref()).map(|lease| lease.1);
            prop_assert!(live.is_none_or(|expires| expires <= now), "{} was under a live lease", id);
        }
        let rank = |id: &String| (std::cmp::Reverse(after[id].priority), after[id].run_at, id.clone());
        prop_assert!(touched.is_sorted_by_key(rank), "claimed out of order: {:?}", touched);
    }
    Ok(())
}
