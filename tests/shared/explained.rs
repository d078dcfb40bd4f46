//! A backend around another one that notes how the database means to carry out each statement.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use swarmstore::backend::{Backend, Job, OwnedJob, Transaction};
use swarmstore::platform::BoxFuture;
use swarmstore::sql::{Connection, Dialect, Row, Value};
use swarmstore::testing::block_on;
use swarmstore::{Claim, Durability, Millis, NewTask, Options, Result, Store};

/// What was noted: the lines of the plans.
#[derive(Clone, Default)]
pub struct Plans {
    lines: Arc<Mutex<Vec<String>>>,
    noting: Arc<AtomicBool>,
}

impl Plans {
    /// The plans of the statements that this runs.
    pub fn of(&self, body: impl FnOnce()) -> Vec<String> {
        self.noting.store(true, Ordering::Relaxed);
        body();
        self.noting.store(false, Ordering::Relaxed);
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

/// The same store, over a backend that notes.
pub fn explained(store: &Store) -> (Store, Plans) {
    let plans = Plans::default();
    let backend = Explained { inner: store.backend().clone(), plans: plans.clone() };
    (block_on(Options::default().open_on(backend)).expect("a store"), plans)
}

struct Explained {
    inner: Arc<dyn Backend>,
    plans: Plans,
}

impl Backend for Explained {
    fn read_blocking(&self, job: &mut Job<'_>) -> Result<()> {
        self.inner.read_blocking(&mut |connection| job(&Noting { inner: connection, plans: &self.plans }))
    }

    fn write_blocking(&self, job: &mut Job<'_>) -> Result<()> {
        self.inner.write_blocking(&mut |connection| job(&Noting { inner: connection, plans: &self.plans }))
    }

    fn write(&self, job: OwnedJob, durability: Option<Durability>) -> BoxFuture<'_, Result<()>> {
        self.inner.write(job, durability)
    }

    fn begin(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>>> {
        self.inner.begin()
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.close()
    }
}

struct Noting<'a> {
    inner: &'a dyn Connection,
    plans: &'a Plans,
}

impl Noting<'_> {
    fn note(&self, sql: &str, params: &[Value<'_>]) -> Result<()> {
        let planned = ["SELECT", "WITH", "UPDATE", "INSERT", "DELETE"];
        if !self.plans.noting.load(Ordering::Relaxed) || !planned.iter().any(|word| sql.trim_start().starts_with(word))
        {
            return Ok(());
        }
        let (explain, column) = match self.inner.dialect() {
            Dialect::Sqlite => ("EXPLAIN QUERY PLAN", 3),
            _ => ("EXPLAIN", 0),
        };
        self.inner.query_locked(&format!("{explain} {sql}"), params, &mut |row| {
            if let Value::Text(line) = row.get(column)? {
                self.plans.lines.lock().unwrap().push(line.into_owned());
            }
            Ok(())
        })
    }
}

impl Connection for Noting<'_> {
    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        self.note(sql, params)?;
        self.inner.execute(sql, params)
    }

    fn query(&self, sql: &str, params: &[Value<'_>], each_row: &mut dyn FnMut(&dyn Row) -> Result<()>) -> Result<()> {
        self.note(sql, params)?;
        self.inner.query(sql, params, each_row)
    }

    fn query_locked(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each_row: &mut dyn FnMut(&dyn Row) -> Result<()>,
    ) -> Result<()> {
        self.note(sql, params)?;
        self.inner.query_locked(sql, params, each_row)
    }

    fn is_beside_others(&self) -> bool {
        self.inner.is_beside_others()
    }

    fn be_alone(&self) -> Result<()> {
        self.inner.be_alone()
    }

    fn lock(&self, name: &'static str) -> Result<()> {
        self.inner.lock(name)
    }

    fn now(&self) -> Option<Millis> {
        self.inner.now()
    }

    fn execute_script(&self, sql: &str) -> Result<()> {
        self.inner.execute_script(sql)
    }

    fn columns(&self, sql: &str) -> Result<Vec<String>> {
        self.inner.columns(sql)
    }
}

/// Claims of every kind that has a statement of its own.
pub fn claims() -> Vec<Claim> {
    let many: Vec<String> = (0..9).map(|number| format!("q{number}")).collect();
    vec![
        Claim::default(),
        Claim::default().types(["work", "play"]),
        Claim::default().queues(["default"]),
        Claim::default().queues(["default", "b"]),
        Claim::default().queues(many.clone()),
        Claim::default().queues(many).types(["work"]),
        Claim::default().limit(50),
    ]
}

/// Finished and blocked tasks, and some that can be claimed, a few of them only by an agent that can see.
pub fn fill(store: &Store) {
    let task = |queue: &str| NewTask::new("work", serde_json::json!({})).queue(queue);
    store
        .write_blocking(|tx| -> Result<()> {
            let agent = swarmstore::NewAgent::new("worker").id("ada".parse()?).capabilities(vec!["see".to_owned()]);
            let ada = tx.agents().add(agent)?.id;
            tx.tasks().add_many((0..200).map(|_| task("default")))?;
            for done in tx.tasks().claim(&ada, &Claim::default().limit(200))? {
                tx.tasks().complete(&done.id, &done.lease_token.unwrap_or_default(), None)?;
            }
            let last = tx.tasks().add(task("default"))?;
            tx.tasks().add_flow((0..100).map(|_| task("default").dependencies(vec![last.id.clone()])))?;
            tx.tasks().add_many((0..12).map(|_| task("default")))?;
            tx.tasks().add_many((0..12).map(|number| task(&format!("q{number}"))))?;
            tx.tasks().add_many((0..12).map(|_| task("b").required_capabilities(vec!["see".to_owned()])))?;
            tx.tasks().pause("q11")?;
            Ok(())
        })
        .expect("tasks");
}
