//! Whose time it is.

use crate::support::{Other, Schema, close};
use swarmstore::testing::TestClock;
use swarmstore::{Millis, Store};

const SERVERS_TIME: &str = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

#[test]
fn the_servers_clock_is_the_one_to_go_by() {
    let schema = Schema::new();
    let other = Other::new(&schema);
    let store = schema.open();
    let before = other.integer(SERVERS_TIME);
    let written = store.write_blocking(|tx| Ok::<_, swarmstore::Error>(tx.now())).unwrap();
    let read = store.read_blocking(|tx| Ok::<_, swarmstore::Error>(tx.now())).unwrap();
    let after = other.integer(SERVERS_TIME);
    // Reckoned from an earlier reading it may be behind by what an answer takes, and by two roundings.
    assert!(
        before - 2 <= written.0 && written.0 - 2 <= read.0 && read.0 <= after,
        "{before} {written:?} {read:?} {after}"
    );
    close(&store);
}

#[test]
fn a_clock_that_was_given_goes_before_the_servers() {
    let schema = Schema::new();
    let clock = TestClock::default();
    let store = schema.open_with(Store::options().clock(clock.clone())).unwrap();
    clock.advance(5);
    let now = store.write_blocking(|tx| Ok::<_, swarmstore::Error>(tx.now())).unwrap();
    assert_eq!(now, Millis(swarmstore::testing::START.0 + 5));
    close(&store);
}

#[test]
fn every_step_of_an_explicit_transaction_has_its_own_time() {
    let schema = Schema::new();
    let store = schema.open();
    let other = Other::new(&schema);
    let mut transaction = crate::support::block_on(store.begin()).unwrap();
    let first = transaction.run(|tx| Ok::<_, swarmstore::Error>(tx.now())).unwrap();
    let between = other.integer(SERVERS_TIME);
    let second = transaction.run(|tx| Ok::<_, swarmstore::Error>(tx.now())).unwrap();
    assert!(first.0 <= between && between <= second.0);
    transaction.rollback().unwrap();
    close(&store);
}
