//! How SQLite means to carry out the statements of the queue.

#[path = "../shared/explained.rs"]
mod explained;

use explained::{claims, explained, fill};
use swarmstore::{AgentId, Store};

/// The ways to a task that cost the same however many are finished or blocked: what can be claimed, by queue; what has
/// expired; and what was picked, by its id.
const ALLOWED: [&str; 3] = [
    "SEARCH tasks USING COVERING INDEX tasks_claimable",
    "SEARCH tasks USING INDEX tasks_by_lease (lease_expires_at<?)",
    "INDEX sqlite_autoindex_tasks_1 (id=?)",
];

#[test]
fn a_claim_looks_for_tasks_only_in_the_index_of_what_can_be_claimed() {
    let store = Store::open_blocking("memory:").unwrap();
    fill(&store);
    let (explained, plans) = explained(&store);
    let ada = AgentId::new("ada").unwrap();
    for claim in claims() {
        let mut given = 0;
        let plan = plans.of(|| given = explained.write_blocking(|tx| tx.tasks().claim(&ada, &claim)).unwrap().len());
        let of_tasks: Vec<&String> = plan.iter().filter(|line| line.contains(" tasks")).collect();
        for line in &of_tasks {
            assert!(ALLOWED.iter().any(|allowed| line.contains(allowed)), "{claim:?}: {line}");
        }
        // One look for each priority, from the first task of a queue to the last that is due.
        let looks = "tasks_claimable (queue=? AND priority=? AND run_at<?)";
        assert!(of_tasks.iter().filter(|line| line.ends_with(looks)).count() >= 10, "{claim:?}: {plan:#?}");
        assert!(plan.iter().any(|line| line == "SEARCH queues USING PRIMARY KEY (name=?)"), "{claim:?}: {plan:#?}");
        assert!(given > 0, "{claim:?}");
    }
}
