//! Stores, and calls as JavaScript makes them.

use serde_json::{Value as Json, json};
use swarmstore::api::{Access, OPERATIONS, Operation, unpack};
use swarmstore::testing::block_on;
use swarmstore::{Error, Result, Store, Tx};

/// A store that goes away in the end.
pub struct Place {
    url: String,
    pub store: Store,
}

impl Place {
    pub fn memory() -> Self {
        Place::at("memory:".to_owned())
    }

    /// A store on the server that `SWARMSTORE_TEST_POSTGRES` names, in a schema of its own.
    #[cfg(feature = "postgres")]
    pub fn server() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static SCHEMAS: AtomicU32 = AtomicU32::new(0);
        let server =
            std::env::var("SWARMSTORE_TEST_POSTGRES").expect("cargo xtask test --only postgres starts a server");
        let schema = format!("filters_{}_{}", std::process::id(), SCHEMAS.fetch_add(1, Ordering::Relaxed));
        let separator = if server.contains('?') { '&' } else { '?' };
        Place::at(format!("{server}{separator}schema={schema}"))
    }

    fn at(url: String) -> Self {
        let store = Store::open_blocking(&url).expect("a store");
        Place { url, store }
    }

    /// Runs an operation, by its name in JavaScript, with an array of arguments.
    pub fn call(&self, name: &str, arguments: &Json) -> Result<Json> {
        let plain = |text: &str| text.replace('_', "").to_lowercase();
        let named =
            |operation: &&Operation| plain(name) == plain(&format!("{}.{}", operation.namespace, operation.name));
        let operation = OPERATIONS.iter().copied().flatten().find(named).expect("an operation");
        let arguments = arguments.to_string();
        let run = |tx: &Tx<'_>| {
            let mut out = String::new();
            Ok::<_, Error>(operation.call(tx, &arguments, &mut out)?.then_some(out))
        };
        let answer = match operation.access {
            Access::Read => self.store.read_blocking(run),
            Access::Write => self.store.write_blocking(run),
        }?;
        let answer = answer.map_or(Json::Null, |text| serde_json::from_str(&text).expect("JSON"));
        Ok(unpack(operation, answer))
    }

    /// As [`call`](Self::call), of what has to succeed.
    #[track_caller]
    pub fn answer(&self, name: &str, arguments: &Json) -> Json {
        self.call(name, arguments).unwrap_or_else(|error| panic!("{name} {arguments}: {error}"))
    }

    /// All tasks, by id.
    pub fn tasks(&self) -> Vec<Json> {
        let tasks = self.answer("tasks.list", &json!([{ "limit": 10_000 }]));
        tasks.as_array().expect("tasks").clone()
    }

    /// All that is stored, in one text.
    pub fn dump(&self) -> String {
        let tables = ["agents", "tasks", "task_dependencies", "task_errors", "events"];
        let rows = |table: &&str| {
            let rows = self.store.read_blocking(|tx| tx.query(&format!("SELECT * FROM {table} ORDER BY 1, 2"), &[]));
            format!("{:?}", rows.expect("rows"))
        };
        tables.iter().map(rows).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.url.starts_with("postgres") {
            let closed = block_on(self.store.close()).and_then(|()| block_on(Store::destroy(&self.url)));
            assert!(std::thread::panicking() || closed.is_ok(), "the store is destroyed: {closed:?}");
        }
    }
}
