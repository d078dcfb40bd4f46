//! Stores on the server, each in a schema of its own, and what the tests share.

use serde_json::json;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use swarmstore::testing::Url;
pub use swarmstore::testing::block_on;
use swarmstore::{AgentId, ErrorCode, NewAgent, NewTask, Options, Query, Result, Store, TaskId};
use tokio_postgres::{Client, NoTls};

/// Says where the server is: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
const SERVER: &str = "SWARMSTORE_TEST_POSTGRES";

/// The server, which `cargo xtask test` starts.
pub fn server() -> String {
    let hint = "names no server; `cargo xtask test --only postgres` starts one";
    std::env::var(SERVER).unwrap_or_else(|_| panic!("{SERVER} {hint}"))
}

/// A schema of its own, dropped in the end.
pub struct Schema {
    name: String,
    url: String,
}

impl Schema {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let server = server();
        let separator = if server.contains('?') { '&' } else { '?' };
        Schema { url: format!("{server}{separator}schema={name}"), name }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// A store in it; a new one each time.
    pub fn open(&self) -> Store {
        self.open_with(Store::options()).expect("the store opens")
    }

    /// Connections are opened when they are needed, and no others.
    pub fn open_with(&self, options: Options) -> Result<Store> {
        options.pool_min_idle(0).open_blocking(&self.url)
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let destroyed = block_on(Store::destroy(&self.url));
        if !std::thread::panicking() {
            destroyed.expect("the store is destroyed");
        }
    }
}

/// A place for one case of the contract suite.
pub fn a_store() -> Url {
    let schema = Schema::new();
    Url::kept(schema.url().to_owned()).with(schema)
}

/// Another client of the server, which knows nothing of us.
pub struct Other {
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Other {
    pub fn new(schema: &Schema) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&server(), NoTls).await.expect("the server is there");
            tokio::spawn(connection);
            client.batch_execute(&format!("SET search_path = {}", schema.name())).await.unwrap();
            client
        });
        Other { client, runtime }
    }

    pub fn run(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).expect("the statement runs");
    }

    /// The first column of the first row.
    pub fn integer(&self, sql: &str) -> i64 {
        self.runtime.block_on(self.client.query_one(sql, &[])).expect("a row").get(0)
    }

    /// The first column as text.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.runtime.block_on(self.client.query(sql, &[])).expect("rows");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Cuts every connection of the stores in a schema; gives how many there were.
    pub fn cut(&self, schema: &Schema) -> i64 {
        self.integer(&format!(
            "SELECT COUNT(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'store of {}' OFFSET 0) AS cut",
            schema.name()
        ))
    }
}

/// A store whose connections can be told from those of others.
pub fn named_store(schema: &Schema) -> Store {
    let url = format!("{}&application_name=store%20of%20{}", schema.url(), schema.name());
    Store::options().pool_min_idle(0).open_blocking(&url).expect("the store opens")
}

pub fn agent(id: &str) -> NewAgent {
    NewAgent::new("worker").id(agent_id(id))
}

pub fn agent_id(id: &str) -> AgentId {
    AgentId::new(id).expect("an id")
}

pub fn task(id: &str) -> NewTask {
    NewTask::new("work", json!({})).id(TaskId::new(id).expect("an id"))
}

pub fn count_agents(store: &Store) -> i64 {
    store.read_blocking(|tx| tx.agents().count(&Query::new())).expect("a count")
}

pub fn close(store: &Store) {
    block_on(store.close()).expect("the store closes");
}

#[track_caller]
pub fn refused<T: Debug>(result: Result<T>, code: ErrorCode) -> swarmstore::Error {
    let error = result.expect_err("a refusal");
    assert_eq!(error.code(), code, "{error}");
    error
}
