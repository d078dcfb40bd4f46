//! Several processes on one store.

use crate::support::{Schema, agent, agent_id, close, task};
use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use swarmstore::{Claim, Query, Store, TaskStatus};

/// Tells a copy of this program that it is another process, and which store to work on.
const STORE: &str = "SWARMSTORE_TEST_STORE";
const PROCESSES: usize = 8;
const TASKS: usize = 300;

#[test]
fn eight_processes_claim_from_one_queue_and_no_task_is_under_two_live_leases() {
    if let Ok(url) = std::env::var(STORE) {
        return work(&url);
    }
    let schema = Schema::new();
    let store = schema.open();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    let new: Vec<_> = (0..TASKS).map(|number| task(&format!("{number:03}")).max_retries(0_u32)).collect();
    store.write_blocking(|tx| tx.tasks().add_many(new.iter().cloned())).unwrap();
    let processes: Vec<Child> = (0..PROCESSES).map(|_| other_process(&schema)).collect();
    let mut given = Vec::new();
    for process in processes {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        given.extend(text.lines().filter_map(|line| line.rsplit_once("given ")).map(|(_, id)| id.to_owned()));
    }
    assert_eq!((given.len(), given.iter().collect::<BTreeSet<_>>().len()), (TASKS, TASKS));
    let done = Query::new().filter("status", &TaskStatus::Completed).unwrap();
    assert_eq!(store.read_blocking(|tx| tx.tasks().count(&done)).unwrap(), i64::try_from(TASKS).unwrap());
    close(&store);
}

fn other_process(schema: &Schema) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::eight_processes_claim_from_one_queue_and_no_task_is_under_two_live_leases"])
        .args(["--nocapture", "--test-threads=1"])
        .env(STORE, schema.url())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Claims and finishes until there is nothing left.
fn work(url: &str) {
    let store = Store::options().pool_min_idle(0).open_blocking(url).unwrap();
    loop {
        let claimed = store.write_blocking(|tx| tx.tasks().claim(&agent_id("ada"), &Claim::default())).unwrap();
        let Some(task) = claimed.first() else { break };
        // A second live lease on it would make this fail.
        let token = task.lease_token.as_deref().unwrap();
        store.write_blocking(|tx| tx.tasks().complete(&task.id, token, None)).unwrap();
        println!("given {}", task.id);
    }
    close(&store);
}
