//! How PostgreSQL means to carry out the statements of the queue.

#[path = "../shared/explained.rs"]
mod explained;

use crate::support::{Schema, agent_id, close};
use explained::{claims, explained, fill};

/// The ways to a row that cost the same however many tasks are finished or blocked: what can be claimed, of a queue or of all;
/// what has expired; what was picked, what it has, and who claims, by their ids; the paused queues.
const ALLOWED: [&str; 8] = [
    "tasks_claimable",
    "tasks_claimable_anywhere",
    "tasks_by_lease",
    "tasks_pkey",
    "agents_pkey",
    "queues_pkey",
    "task_dependencies_pkey",
    "task_errors_pkey",
];

#[test]
fn a_claim_looks_for_tasks_only_in_the_index_of_what_can_be_claimed() {
    let schema = Schema::new();
    let store = schema.open();
    fill(&store);
    let (explained, plans) = explained(&store);
    for claim in claims() {
        let mut given = 0;
        let plan = plans
            .of(|| given = explained.write_blocking(|tx| tx.tasks().claim(&agent_id("ada"), &claim)).unwrap().len());
        assert!(!plan.iter().any(|line| line.contains("Seq Scan")), "{claim:?}: {plan:#?}");
        let index = |line: &String| {
            let name = line.split(" using ").nth(1).or_else(|| line.split("Bitmap Index Scan on ").nth(1));
            name.and_then(|name| name.split(' ').next()).map(str::to_owned)
        };
        let used: Vec<String> = plan.iter().filter_map(index).collect();
        assert!(used.iter().all(|index| ALLOWED.contains(&index.as_str())), "{claim:?}: {plan:#?}");
        assert!(used.iter().any(|index| index.starts_with("tasks_claimable")), "{claim:?}: {plan:#?}");
        assert!(plan.iter().any(|line| line.contains("LockRows")), "{claim:?}: {plan:#?}");
        assert!(given > 0, "{claim:?}");
    }
    close(&store);
}
