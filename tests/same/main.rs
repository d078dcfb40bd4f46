//! The same answers on every backend: one course of random operations runs on all of them, and everything is compared.
#![cfg(not(target_family = "wasm"))]

mod course;
mod step;
mod stores;

use course::course;
use proptest::prelude::*;
use stores::Stores;

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_backend_gives_the_same_answers(steps in course()) {
        let stores = Stores::open();
        for step in &steps {
            stores.compare(step);
        }
        stores.compare_everything();
    }
}
