//! The store, as its users call it.

use crate::executor::{block_on, together};
use crate::filters;
use crate::rows::Row;
use serde_json::{Value, json};
use std::path::Path;
use swarmstore::{
    AgentId, Claim, Expected, NewEvent, NewTask, Order, Priority, Query, Result, Store, Stream, Task, TaskId,
};

pub struct Ours {
    store: Store,
}

fn new_task(row: Row) -> Result<NewTask> {
    let new = NewTask::new(row.task_type, row.payload);
    Ok(new.id(TaskId::new(row.id)?).priority(Priority::new(row.priority)?))
}

impl Ours {
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Ours { store: Store::open_blocking(&path.to_string_lossy())? })
    }

    pub fn close(&self) -> Result<()> {
        block_on(self.store.close())
    }

    pub fn insert(&self, row: Row) -> Result<Task> {
        let new = new_task(row)?;
        self.store.write_blocking(|tx| tx.tasks().add(new.clone()))
    }

    pub fn insert_many(&self, rows: Vec<Row>) -> Result<Vec<Task>> {
        let new: Vec<_> = rows.into_iter().map(new_task).collect::<Result<_>>()?;
        self.store.write_blocking(|tx| tx.tasks().add_many(new.iter().cloned()))
    }

    pub fn get(&self, id: &str) -> Result<Option<Task>> {
        self.store.read_blocking(|tx| tx.tasks().get(id))
    }

    pub fn queue(&self) -> Result<Vec<Task>> {
        let query = Query::<Task>::new()
            .filter(Task::STATUS.eq(swarmstore::TaskStatus::Pending))
            .order_by(Task::PRIORITY, Order::Descending)
            .order_by(Task::CREATED_AT, Order::Ascending)
            .limit(20);
        self.store.read_blocking(|tx| tx.tasks().list(&query))
    }

    pub fn filter(&self, name: &str) -> Result<Vec<Task>> {
        let query = filters::query(name);
        self.store.read_blocking(|tx| tx.tasks().list(&query))
    }

    pub fn count(&self) -> Result<i64> {
        let query = filters::pending();
        self.store.read_blocking(|tx| tx.tasks().count(&query))
    }

    pub fn claim(&self, agent: &AgentId) -> Result<Task> {
        let claim = Claim::default();
        let mut tasks = self.store.write_blocking(|tx| tx.tasks().claim(agent, &claim))?;
        Ok(tasks.remove(0))
    }

    pub fn complete(&self, task: &Task, result: &Value) -> Result<Task> {
        let token = task.lease_token.as_deref().unwrap_or_default();
        self.store.write_blocking(|tx| tx.tasks().complete(&task.id, token, Some(&result.clone().into())))
    }

    /// So many rounds on each of so many threads.
    pub fn rounds_on_threads(&self, callers: u64, each: u64) {
        let agent = AgentId::new("bench").expect("an id");
        let result = json!({ "ok": true });
        std::thread::scope(|scope| {
            for _ in 0..callers {
                scope.spawn(|| {
                    for _ in 0..each {
                        let task = self.claim(&agent).expect("claimed");
                        self.complete(&task, &result).expect("completed");
                    }
                });
            }
        });
    }

    /// So many rounds of each of so many callers, who wait on one thread.
    pub fn rounds_together(&self, callers: u64, each: u64) {
        together((0..callers).map(|_| {
            let caller: std::pin::Pin<Box<dyn Future<Output = ()> + '_>> = Box::pin(async move {
                for _ in 0..each {
                    self.round().await.expect("claimed and completed");
                }
            });
            caller
        }));
    }

    async fn round(&self) -> Result<Task> {
        let agent = AgentId::new("bench")?;
        let mut claimed = self.store.write(move |tx| tx.tasks().claim(&agent, &Claim::default())).await?;
        let task = claimed.remove(0);
        let token = task.lease_token.unwrap_or_default();
        let result = json!({ "ok": true }).into();
        self.store.write(move |tx| tx.tasks().complete(&task.id, &token, Some(&result))).await
    }

    pub fn append(&self, stream: &Stream, data: Value) -> Result<i64> {
        let event = NewEvent::new("tile", data);
        let stored = self.store.write_blocking(|tx| tx.events().append(stream, vec![event.clone()], Expected::Any))?;
        Ok(stored[0].position)
    }

    pub fn insert_async(&self, rows: Vec<Row>) -> Result<()> {
        block_on(self.one_after_another(rows))
    }

    pub fn get_async(&self, ids: &[String]) -> Result<()> {
        block_on(async {
            for id in ids {
                let id = id.clone();
                let found = self.store.read(move |tx| tx.tasks().get(&id)).await?;
                assert!(found.is_some());
            }
            Ok(())
        })
    }

    /// As many callers as there are lists, each waiting for its row before it writes the next.
    pub fn insert_together(&self, lists: Vec<Vec<Row>>) {
        together(lists.into_iter().map(|rows| {
            let caller: std::pin::Pin<Box<dyn Future<Output = ()> + '_>> =
                Box::pin(async move { self.one_after_another(rows).await.expect("every row is written") });
            caller
        }));
    }

    async fn one_after_another(&self, rows: Vec<Row>) -> Result<()> {
        for row in rows {
            let new = new_task(row)?;
            self.store.write(move |tx| tx.tasks().add(new.clone())).await?;
        }
        Ok(())
    }

    pub fn delete(&self, ids: &[String]) -> Result<u64> {
        self.store.write_blocking(|tx| tx.tasks().delete_many(ids))
    }
}
