//! The pool, lost connections, and calls from any runtime and from none.

use crate::support::{Other, Schema, agent, block_on, close, count_agents, named_store, refused};
use std::future::Future as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use swarmstore::{ErrorCode, Query, Result, Store, Tx, Value};

#[test]
fn what_holds_on_one_connection_holds_on_every_one() {
    let schema = Schema::new();
    let store = schema.open_with(Store::options().busy_timeout_ms(1_234).statement_timeout_ms(5_678)).unwrap();
    let together = Barrier::new(6);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let settings = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'),
                                current_setting('standard_conforming_strings'), current_schema()";
                let found = store.read_blocking(|tx| {
                    together.wait();
                    tx.query(settings, &[])
                });
                let expected = ["1234ms", "5678ms", "on", schema.name()].map(Value::text).to_vec();
                assert_eq!(found.unwrap().rows, [expected]);
            });
        }
    });
    close(&store);
}

#[test]
fn more_threads_than_connections_wait_for_their_turn() {
    let schema = Schema::new();
    let store = schema.open_with(Store::options().pool_max(2)).unwrap();
    std::thread::scope(|scope| {
        for number in 0..12 {
            let store = &store;
            scope.spawn(move || store.write_blocking(|tx| tx.agents().add(agent(&number.to_string()))).unwrap());
        }
    });
    assert_eq!(count_agents(&store), 12);
    close(&store);
}

#[test]
fn who_waits_too_long_for_a_connection_is_told() {
    let schema = Schema::new();
    let store = schema.open_with(Store::options().pool_max(1).connect_timeout_ms(200)).unwrap();
    let waited = store.read_blocking(|_| Ok::<_, swarmstore::Error>(refused(try_count(&store), ErrorCode::Timeout)));
    assert!(waited.unwrap().is_retryable());
    assert_eq!(count_agents(&store), 0);
    close(&store);
}

fn try_count(store: &Store) -> Result<i64> {
    store.read_blocking(|tx| tx.agents().count(&Query::new()))
}

#[test]
fn idle_connections_are_kept_up_to_the_least_number_and_closed_beyond_it() {
    let schema = Schema::new();
    let url = format!("{}&application_name=store%20of%20{}", schema.url(), schema.name());
    let options = Store::options().pool_min_idle(2).idle_timeout_ms(50);
    let store = options.open_blocking(&url).unwrap();
    let together = Barrier::new(5);
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                store.read_blocking(|tx| {
                    together.wait();
                    tx.agents().get("ada")
                })
            });
        }
    });
    let other = Other::new(&schema);
    let open = format!("SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'store of {}'", schema.name());
    assert!((0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        other.integer(&open) == 2
    }));
    close(&store);
}

#[test]
fn every_connection_cut_at_once_is_survived() {
    let schema = Schema::new();
    let store = named_store(&schema);
    let other = Other::new(&schema);
    let together = Barrier::new(8);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (store, together) = (&store, &together);
            scope.spawn(move || {
                store
                    .write_blocking(|tx| {
                        together.wait();
                        tx.agents().add(agent(&number.to_string()))
                    })
                    .unwrap();
            });
        }
    });
    for round in 0..5 {
        assert!(other.cut(&schema) > 0);
        // Each asks on a connection that was cut without its knowledge, and gets another.
        assert_eq!(count_agents(&store), 8 + round);
        other.cut(&schema);
        store.write_blocking(|tx| tx.agents().add(agent(&format!("after {round}")))).unwrap();
        other.cut(&schema);
        let mut transaction = block_on(store.begin()).unwrap();
        transaction.run(|tx| tx.agents().get("0")).unwrap();
        transaction.rollback().unwrap();
    }
    close(&store);
}

#[test]
fn a_transaction_whose_connection_is_cut_is_run_again_and_never_half_done() {
    let schema = Schema::new();
    let store = named_store(&schema);
    let other = Other::new(&schema);
    let runs = AtomicU32::new(0);
    let written = store.write_blocking(|tx| {
        tx.agents().add(agent("first"))?;
        if runs.fetch_add(1, Ordering::Relaxed) == 0 {
            other.cut(&schema);
        }
        tx.agents().add(agent("second"))
    });
    assert_eq!((written.unwrap().id.as_str(), runs.into_inner(), count_agents(&store)), ("second", 2, 2));

    let always = store.write_blocking(|tx| {
        tx.agents().add(agent("third"))?;
        other.cut(&schema);
        tx.agents().add(agent("fourth"))
    });
    assert!(refused(always, ErrorCode::Unavailable).is_retryable());
    assert_eq!(count_agents(&store), 2);
    close(&store);
}

#[test]
fn a_commit_whose_answer_is_lost_is_not_repeated_and_says_so() {
    let schema = Schema::new();
    let store = named_store(&schema);
    let other = Other::new(&schema);
    let mut runs = 0;
    let lost = store.write_blocking(|tx| {
        runs += 1;
        tx.agents().add(agent("ada"))?;
        // What comes next on this connection is the commit.
        other.cut(&schema);
        Ok::<_, swarmstore::Error>(())
    });
    let error = refused(lost, ErrorCode::Unavailable);
    assert!(error.detail().uncertain && !error.is_retryable(), "{error}");
    assert!(error.to_string().contains("not known"), "{error}");
    assert_eq!((runs, count_agents(&store)), (1, 0));
    close(&store);
}

#[test]
fn an_explicit_transaction_whose_connection_is_cut_has_left_nothing() {
    let schema = Schema::new();
    let store = named_store(&schema);
    let other = Other::new(&schema);
    let mut transaction = block_on(store.begin()).unwrap();
    transaction.run(|tx| tx.agents().add(agent("ada"))).unwrap();
    other.cut(&schema);
    refused(transaction.run(|tx| tx.agents().add(agent("eve"))), ErrorCode::Unavailable);
    refused(transaction.run(|tx| tx.agents().get("ada")), ErrorCode::Closed);
    refused(block_on(transaction.commit()), ErrorCode::Closed);
    assert_eq!(count_agents(&store), 0);
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    close(&store);
}

#[test]
fn a_statement_that_takes_too_long_is_a_timeout() {
    let schema = Schema::new();
    let store = schema.open_with(Store::options().statement_timeout_ms(50)).unwrap();
    refused(store.read_blocking(|tx| tx.query("SELECT pg_sleep(60)::text", &[])), ErrorCode::Timeout);
    assert_eq!(count_agents(&store), 0);
    close(&store);
}

#[test]
fn a_write_that_panics_leaves_nothing_and_the_store_usable() {
    let schema = Schema::new();
    let store = schema.open_with(Store::options().pool_max(1)).unwrap();
    let panicking = |tx: &Tx<'_>| -> Result<()> {
        tx.agents().add(agent("ada"))?;
        panic!("on purpose")
    };
    for _ in 0..3 {
        assert!(catch_unwind(AssertUnwindSafe(|| store.write_blocking(panicking))).is_err());
        refused(block_on(store.write(panicking)), ErrorCode::Internal);
        assert_eq!(count_agents(&store), 0);
    }
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    close(&store);
}

#[test]
fn it_works_inside_of_a_runtime_and_of_another_and_without() {
    let schema = Schema::new();
    let call = async {
        let store = Store::options().pool_min_idle(0).open(schema.url()).await.unwrap();
        store.write(|tx| tx.agents().put(agent("ada"))).await.unwrap();
        // Blocking calls in the middle of a runtime's thread: slow for that runtime, but no panic.
        store.write_blocking(|tx| tx.agents().put(agent("eve"))).unwrap();
        assert_eq!(count_agents(&store), 2);
        let mut transaction = store.begin().await.unwrap();
        transaction.run(|tx| tx.agents().get("ada")).unwrap();
        transaction.commit().await.unwrap();
        store.close().await.unwrap();
    };
    let single = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    single.block_on(async {
        let store = schema.open();
        assert_eq!(count_agents(&store), 0);
        close(&store);
    });
    many.block_on(call);
    block_on(async {
        let store = Store::open(schema.url()).await.unwrap();
        assert_eq!(store.read(|tx| tx.agents().count(&Query::new())).await.unwrap(), 2);
        store.close().await.unwrap();
    });
}

#[test]
fn what_a_store_gives_may_go_to_other_threads() {
    fn goes<T: Send>(value: T) -> T {
        value
    }
    let schema = Schema::new();
    block_on(goes(async {
        let store = goes(Store::open(schema.url())).await.unwrap();
        goes(store.write(|tx| tx.agents().add(agent("ada")))).await.unwrap();
        let transaction = goes(goes(store.begin()).await.unwrap());
        goes(transaction.commit()).await.unwrap();
        let file = goes(store.export()).await.unwrap();
        goes(store.import(file)).await.unwrap();
        goes(store.close()).await.unwrap();
    }));
}

#[test]
fn a_transaction_on_the_only_connection_commits_although_others_wait_for_it() {
    let schema = Schema::new();
    let store = schema.open_with(Store::options().pool_max(1).connect_timeout_ms(5_000)).unwrap();
    block_on(async {
        let open = store.begin().await.unwrap();
        let mut read = Box::pin(store.read(|tx| tx.agents().count(&Query::new())));
        // It begins before the commit does, and its thread waits for the connection.
        assert!(read.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        open.commit().await.unwrap();
        assert_eq!(read.await.unwrap(), 0);
    });
    close(&store);
}
