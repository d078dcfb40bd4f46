//! In headless Chromium: the contract suite on `memory:` and on IndexedDB, and our VFS on its own suite.
#![cfg(target_family = "wasm")]

use std::cell::Cell;
use swarmstore::testing::Url;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

thread_local! {
    static STORES: Cell<u32> = const { Cell::new(0) };
}

/// A store of this run that nobody has had before.
fn fresh() -> Url {
    let number = STORES.replace(STORES.get() + 1);
    Url::kept(format!("indexeddb:contract-{number}-{}", js_sys::Date::now()))
}

swarmstore::contract!(contract_memory_browser, Url::memory());
swarmstore::contract!(contract_indexeddb, fresh());
swarmstore::contract!(contract_indexeddb_reopened, fresh().reopened());

#[wasm_bindgen_test]
fn the_vfs_passes_the_suite_of_its_traits() {
    swarmstore::testing::check_vfs().expect("the suite passes");
}

#[wasm_bindgen_test]
fn segments_come_back_as_they_were_packed_and_damage_stays_in_its_block() {
    swarmstore::testing::check_segments().expect("the same");
}
