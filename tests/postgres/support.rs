//! Stores on the server, each in a schema of its own, and what the tests share.

use std::sync::atomic::{AtomicU32, Ordering};
use swarmstore::Store;
use swarmstore::testing::{Url, block_on};

/// Says where the server is: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
const SERVER: &str = "SWARMSTORE_TEST_POSTGRES";

/// The server, which `cargo xtask test` starts.
pub fn server() -> String {
    let hint = "names no server; `cargo xtask test --only postgres` starts one";
    std::env::var(SERVER).unwrap_or_else(|_| panic!("{SERVER} {hint}"))
}

/// A schema of its own, dropped in the end.
pub struct Schema {
    url: String,
}

impl Schema {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let server = server();
        let separator = if server.contains('?') { '&' } else { '?' };
        Schema { url: format!("{server}{separator}schema={name}") }
    }

    pub fn url(&self) -> &str {
        &self.url
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
