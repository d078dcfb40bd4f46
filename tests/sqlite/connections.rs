//! What holds on every connection, and who may be on which thread.

use crate::support::{Folder, agent, block_on, count_agents, open, refused};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use swarmstore::{Durability, ErrorCode, Query, Result, Store, Tx, Value};

/// Every pragma that has to hold, as one row.
const PRAGMAS: &str = "
    SELECT foreign_keys, journal_mode, timeout, synchronous, query_only, trusted_schema, recursive_triggers
    FROM pragma_foreign_keys, pragma_journal_mode, pragma_busy_timeout, pragma_synchronous, pragma_query_only,
         pragma_trusted_schema, pragma_recursive_triggers";

fn pragmas(tx: &Tx<'_>) -> Result<Vec<Value<'static>>> {
    Ok(tx.query(PRAGMAS, &[])?.rows.remove(0))
}

fn expected(synchronous: i64, query_only: i64) -> Vec<Value<'static>> {
    let integer = Value::Integer;
    vec![
        integer(1),
        Value::text("wal"),
        integer(5_000),
        integer(synchronous),
        integer(query_only),
        integer(0),
        integer(1),
    ]
}

#[test]
fn the_pragmas_hold_on_every_connection() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.write_blocking(pragmas).unwrap(), expected(1, 0));
    let mut transaction = block_on(store.begin()).unwrap();
    assert_eq!(transaction.run(pragmas).unwrap(), expected(1, 0));
    transaction.rollback().unwrap();

    // All of them read at once, so each has a connection of its own.
    let readers = 12;
    let together = Barrier::new(readers);
    std::thread::scope(|scope| {
        for _ in 0..readers {
            scope.spawn(|| {
                let found = store.read_blocking(|tx| {
                    together.wait();
                    pragmas(tx)
                });
                assert_eq!(found.unwrap(), expected(1, 1));
            });
        }
    });
    assert_eq!(block_on(store.read(pragmas)).unwrap(), expected(1, 1));
    assert_eq!(block_on(store.write(pragmas)).unwrap(), expected(1, 0));
}

#[test]
fn strict_stores_and_strict_writes_sync_every_commit() {
    let folder = Folder::new();
    let strict = Store::options().durability(Durability::Strict);
    let store = block_on(strict.open(folder.file().to_str().unwrap())).unwrap();
    assert_eq!(store.write_blocking(pragmas).unwrap(), expected(2, 0));
    block_on(store.close()).unwrap();

    let store = folder.open();
    assert_eq!(block_on(store.write_with(Some(Durability::Strict), pragmas)).unwrap(), expected(2, 0));
    assert_eq!(block_on(store.write(pragmas)).unwrap(), expected(1, 0));
}

#[test]
fn more_threads_than_connections_read_at_once() {
    let folder = Folder::new();
    let store = folder.open();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..60 {
            scope.spawn(|| assert_eq!(count_agents(&store), 1));
        }
    });
}

#[test]
fn blocking_calls_from_several_threads_lose_nothing() {
    let folder = Folder::new();
    let store = folder.open();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..25 {
                    store.write_blocking(|tx| tx.agents().add(agent(&format!("{thread}-{number}")))).unwrap();
                    let own = store.read_blocking(|tx| tx.agents().get(format!("{thread}-{number}"))).unwrap();
                    assert!(own.is_some());
                }
            });
        }
    });
    assert_eq!(count_agents(&store), 200);
}

#[test]
fn readers_go_on_while_a_writer_writes() {
    let folder = Folder::new();
    for store in [folder.open(), Store::open_blocking("memory:").unwrap()] {
        let seen = store.write_blocking(|tx| {
            tx.agents().add(agent("ada"))?;
            // Another thread, in the middle of the transaction.
            let seen = std::thread::scope(|scope| scope.spawn(|| count_agents(&store)).join());
            Ok::<_, swarmstore::Error>(seen.expect("a read"))
        });
        assert_eq!((seen.unwrap(), count_agents(&store)), (0, 1));
    }
}

#[test]
fn a_long_read_sees_one_state_throughout() {
    let folder = Folder::new();
    for store in [folder.open(), Store::open_blocking("memory:").unwrap()] {
        let (before, after) = store
            .read_blocking(|tx| {
                let before = tx.agents().count(&Query::new())?;
                std::thread::scope(|scope| {
                    scope.spawn(|| store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap());
                });
                Ok::<_, swarmstore::Error>((before, tx.agents().count(&Query::new())?))
            })
            .unwrap();
        assert_eq!((before, after, count_agents(&store)), (0, 0, 1));
    }
}

#[test]
fn a_read_inside_a_read_goes_on_while_a_transaction_is_open() {
    let folder = Folder::new();
    for store in [folder.open(), Store::open_blocking("memory:").unwrap()] {
        let mut transaction = block_on(store.begin()).unwrap();
        transaction.run(|tx| tx.agents().add(agent("ada"))).unwrap();
        let inner = store
            .read_blocking(|tx| Ok::<_, swarmstore::Error>((tx.agents().count(&Query::new())?, count_agents(&store))));
        assert_eq!(inner.unwrap(), (0, 0));
        block_on(transaction.commit()).unwrap();
        assert_eq!(count_agents(&store), 1);
    }
}

#[test]
fn a_blocking_write_that_panics_leaves_nothing_and_the_store_usable() {
    for store in [Store::open_blocking("memory:").unwrap(), Folder::new().open()] {
        for _ in 0..3 {
            let panicking = || {
                store.write_blocking(|tx| {
                    tx.agents().add(agent("ada"))?;
                    panic!("on purpose");
                    #[allow(unreachable_code)]
                    Ok::<(), swarmstore::Error>(())
                })
            };
            assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
        }
        assert_eq!(count_agents(&store), 0);
        store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    }
}

#[test]
fn reads_that_panic_cost_no_connections() {
    let folder = Folder::new();
    let store = folder.open();
    let panicking = |_: &Tx<'_>| -> Result<()> { panic!("on purpose") };
    for _ in 0..40 {
        assert!(catch_unwind(AssertUnwindSafe(|| store.read_blocking(panicking))).is_err());
        refused(block_on(store.read(panicking)), ErrorCode::Internal);
    }
    assert_eq!(count_agents(&store), 0);
    assert_eq!(block_on(store.read(|tx| tx.agents().count(&Query::new()))).unwrap(), 0);
}

#[test]
fn an_explicit_transaction_whose_step_panics_can_be_rolled_back() {
    for store in [Store::open_blocking("memory:").unwrap(), Folder::new().open()] {
        let mut transaction = block_on(store.begin()).unwrap();
        let panicking = |tx: &Tx<'_>| -> Result<()> {
            tx.agents().add(agent("ada"))?;
            panic!("on purpose")
        };
        assert!(catch_unwind(AssertUnwindSafe(|| transaction.run(panicking))).is_err());
        drop(transaction);
        assert_eq!(count_agents(&store), 0);
        store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    }
}

#[test]
fn a_store_in_memory_is_read_while_an_explicit_transaction_is_open() {
    let store = Store::open_blocking("memory:").unwrap();
    for round in 0..20 {
        let mut transaction = block_on(store.begin()).unwrap();
        transaction.run(|tx| tx.agents().add(agent(&round.to_string()))).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(count_agents(&store), round));
            }
        });
        block_on(transaction.commit()).unwrap();
        assert_eq!(count_agents(&store), round + 1);
    }
}

#[test]
fn two_stores_in_memory_are_two() {
    let (one, other) = (Store::open_blocking("memory:").unwrap(), Store::open_blocking("memory:").unwrap());
    one.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    assert_eq!((count_agents(&one), count_agents(&other)), (1, 0));
}

#[test]
fn what_a_store_gives_may_go_to_other_threads() {
    fn goes<T: Send>(value: T) -> T {
        value
    }
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Store>();
    is_shared::<swarmstore::Options>();
    is_shared::<swarmstore::Error>();
    let folder = Folder::new();
    let path = folder.file();
    block_on(goes(async {
        let store = goes(Store::open(path.to_str().unwrap())).await.unwrap();
        goes(store.write(|tx| tx.agents().add(agent("ada")))).await.unwrap();
        goes(store.read(|tx| tx.agents().get("ada"))).await.unwrap();
        let transaction = goes(goes(store.begin()).await.unwrap());
        goes(transaction.commit()).await.unwrap();
        goes(store.flush()).await.unwrap();
        goes(store.health()).await.unwrap();
        let file = goes(store.export()).await.unwrap();
        goes(store.import(file)).await.unwrap();
        goes(store.close()).await.unwrap();
    }));
}

#[test]
fn another_program_that_holds_the_file_makes_a_write_time_out() {
    let folder = Folder::new();
    let store = folder.open();
    let other = folder.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(refused(store.write_blocking(|tx| tx.agents().add(agent("ada"))), ErrorCode::Timeout).is_retryable());
    other.execute_batch("ROLLBACK").unwrap();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
}

#[test]
fn the_linked_sqlite_has_no_known_way_to_lose_commits() {
    let folder = Folder::new();
    let version = open(&folder.file()).unwrap().read_blocking(|tx| tx.query("SELECT sqlite_version()", &[])).unwrap();
    let Value::Text(version) = &version.rows[0][0] else { panic!("a version") };
    let numbers: Vec<u32> = version.split('.').map(|number| number.parse().unwrap()).collect();
    assert!(numbers >= vec![3, 51, 3], "{version} may lose commits when the log is reset");
}
