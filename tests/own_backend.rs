//! The contract suite on a backend that a user could have written, over nothing but the public interface.
#![cfg(not(target_family = "wasm"))]

#[path = "../examples/own_backend.rs"]
mod own_backend;

use own_backend::OwnBackend;
use swarmstore::testing::{Opening, Place, block_on};
use swarmstore::{ErrorCode, NewAgent, Options, Query, Storage, Store};
use tempfile::TempDir;

struct Own(TempDir);

impl Own {
    fn new() -> Self {
        Own(tempfile::tempdir().expect("a temporary folder"))
    }

    fn backend(&self) -> swarmstore::Result<OwnBackend> {
        OwnBackend::open(&self.0.path().join("own.sqlite3"))
    }
}

impl Place for Own {
    fn open(&self, options: Options) -> Opening<'_> {
        Box::pin(async move { options.open_on(self.backend()?).await })
    }

    fn keeps(&self) -> bool {
        true
    }
}

swarmstore::contract!(contract_own, Own::new());

#[test]
fn a_store_over_a_backend_of_ones_own_may_be_read_only() {
    let place = Own::new();
    let read_only = || Store::options().read_only(true);
    let empty = block_on(read_only().open_on(place.backend().unwrap())).expect_err("no tables yet");
    assert_eq!(empty.code(), ErrorCode::InvalidArgument);

    let store = block_on(Store::options().open_on(place.backend().unwrap())).unwrap();
    assert_eq!(store.storage(), Storage::Own);
    store.write_blocking(|tx| tx.agents().add(NewAgent::new("worker"))).unwrap();
    let reading = block_on(read_only().open_on(place.backend().unwrap())).unwrap();
    assert_eq!(reading.read_blocking(|tx| tx.agents().count(&Query::new())).unwrap(), 1);
    let refused = reading.write_blocking(|tx| tx.agents().add(NewAgent::new("worker"))).expect_err("only to be read");
    assert_eq!(refused.code(), ErrorCode::Unsupported);
}
