//! The store, called as its users call it, from as many threads as there are workers.

use crate::{filters, payload, timed};
use serde_json::json;
use std::time::Duration;
use swarmstore::testing::block_on;
use swarmstore::{AgentId, Claim, Expected, NewAgent, NewEvent, NewTask, Priority, Store, Stream, TaskId};

pub struct Ours(Store);

fn url(server: &str, schema: &str) -> String {
    format!("{server}{}schema={schema}", if server.contains('?') { '&' } else { '?' })
}

pub fn destroy(server: &str, schema: &str) {
    block_on(Store::destroy(&url(server, schema))).expect("destroyed");
}

fn task(id: String, number: u64, priority: u8) -> NewTask {
    let new = NewTask::new("tile", payload(number)).id(TaskId::new(id).expect("an id"));
    new.priority(Priority::new(priority).expect("a priority"))
}

/// A row that is stored before a workload begins: of four types, and less urgent than what is claimed.
fn row(n: u64) -> NewTask {
    let task_type = ["tile", "check", "summarise", "embed"][(n % 4) as usize];
    let new = NewTask::new(task_type, payload(n)).id(TaskId::new(format!("row {n}")).expect("an id"));
    new.priority(Priority::new((n % 9) as u8).expect("a priority"))
}

impl Ours {
    /// A store with so many rows, and an agent per worker.
    pub fn open(server: &str, schema: &str, rows: u64) -> Self {
        let store = Store::open_blocking(&url(server, schema)).expect("the store opens");
        let agents = (0..64).map(|worker| NewAgent::new("worker").id(AgentId::new(format!("agent {worker}")).unwrap()));
        store.write_blocking(|tx| tx.agents().add_many(agents.clone())).expect("agents");
        for first in (0..rows).step_by(1_000) {
            let some = |tx: &swarmstore::Tx<'_>| tx.tasks().add_many((first..first + 1_000).map(row));
            store.write_blocking(some).expect("rows");
        }
        Ours(store)
    }

    pub fn close(&self) {
        block_on(self.0.close()).expect("closed");
    }

    pub fn run(&self, workload: &str, workers: usize, each: u64, first: u64, rows: u64) -> Duration {
        let store = &self.0;
        if workload == "claim + complete" {
            let total = workers as u64 * each;
            let new = (0..total).map(|n| task(format!("claim {workers} {first} {n}"), n, 9));
            store.write_blocking(|tx| tx.tasks().add_many(new.clone())).expect("tasks to claim");
        }
        timed(|| {
            std::thread::scope(|scope| {
                for worker in 0..workers {
                    scope.spawn(move || {
                        let agent = AgentId::new(format!("agent {worker}")).expect("an id");
                        let stream = Stream::new("bench", format!("{workers} {worker}"));
                        let result = json!({ "ok": true }).into();
                        for n in 0..each {
                            match workload {
                                "insert" => {
                                    let new = task(format!("insert {workers} {worker} {first} {n}"), n, 1);
                                    store.write_blocking(|tx| tx.tasks().add(new.clone())).expect("inserted");
                                }
                                "claim + complete" => {
                                    let claimed =
                                        store.write_blocking(|tx| tx.tasks().claim(&agent, &Claim::default()));
                                    let task = claimed.expect("claimed").pop().expect("a task");
                                    let token = task.lease_token.expect("a token");
                                    let complete =
                                        store.write_blocking(|tx| tx.tasks().complete(&task.id, &token, Some(&result)));
                                    complete.expect("completed");
                                }
                                "append" => {
                                    let event = vec![NewEvent::new("tile", payload(n))];
                                    let append = store
                                        .write_blocking(|tx| tx.events().append(&stream, event.clone(), Expected::Any));
                                    append.expect("appended");
                                }
                                "filter-count" => {
                                    let count = store.read_blocking(|tx| tx.tasks().count(&filters::pending()));
                                    assert!(count.expect("counted") >= rows as i64 / 2);
                                }
                                filter if filter.starts_with("filter") => {
                                    let query = filters::query(filter);
                                    let found = store.read_blocking(|tx| tx.tasks().list(&query)).expect("listed");
                                    assert_eq!(found.len(), 20);
                                }
                                _ => {
                                    let id = format!("row {}", (n * 7919 + worker as u64) % rows);
                                    assert!(store.read_blocking(|tx| tx.tasks().get(&id)).expect("read").is_some());
                                }
                            }
                        }
                    });
                }
            });
        })
    }
}
