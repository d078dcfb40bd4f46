//! What a store is opened with: each option is checked, and each does what it says.
#![cfg(not(target_family = "wasm"))]

use std::fmt::Debug;
use std::sync::Barrier;
use std::time::Duration;
use swarmstore::testing::block_on;
use swarmstore::{ErrorCode, Limits, NewAgent, Options, Query, Result, Store, Tx, Value};
use tempfile::TempDir;

/// A folder with a sound store in it, which is closed.
struct Closed(TempDir);

impl Closed {
    fn new() -> Self {
        let folder = Closed(tempfile::tempdir().expect("a temporary folder"));
        let store = folder.open(Store::options()).expect("the store opens");
        store.write_blocking(|tx| tx.agents().add(NewAgent::new("worker").name("ada"))).expect("an agent");
        block_on(store.close()).expect("the store closes");
        folder
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.0.path().join("store.sqlite3").display())
    }

    fn open(&self, options: Options) -> Result<Store> {
        options.open_blocking(&self.url())
    }

    fn files(&self) -> Vec<String> {
        let names =
            std::fs::read_dir(self.0.path()).expect("the folder").map(|entry| entry.expect("a file").file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }
}

fn count(store: &Store) -> i64 {
    store.read_blocking(|tx| tx.agents().count(&Query::new())).expect("a count")
}

#[track_caller]
fn refused<T: Debug>(result: Result<T>, code: ErrorCode) -> swarmstore::Error {
    let error = result.expect_err("a refusal");
    assert_eq!(error.code(), code, "{error}");
    error
}

/// Takes seconds, unless it is stopped.
fn count_for_long(tx: &Tx<'_>) -> Result<Value<'static>> {
    let sql =
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300000000) SELECT max(n) FROM n";
    Ok(tx.query(sql, &[])?.rows.remove(0).remove(0))
}

#[test]
fn an_option_out_of_range_is_refused_by_name() {
    let options = Store::options;
    let cases: [(&str, Options); 14] = [
        ("sync_interval_ms", options().sync_interval_ms(0)),
        ("sync_interval_ms", options().sync_interval_ms(3_600_001)),
        ("pool_max", options().pool_max(0)),
        ("pool_max", options().pool_max(1_001)),
        ("pool_min_idle", options().pool_max(3).pool_min_idle(4)),
        ("connect_timeout_ms", options().connect_timeout_ms(0)),
        ("connect_timeout_ms", options().connect_timeout_ms(u32::MAX)),
        ("idle_timeout_ms", options().idle_timeout_ms(0)),
        ("busy_timeout_ms", options().busy_timeout_ms(3_600_001)),
        ("statement_timeout_ms", options().statement_timeout_ms(3_600_001)),
        ("cache_kib", options().cache_kib(63)),
        ("cache_kib", options().cache_kib(u32::MAX)),
        ("max_json_bytes", options().limits(Limits { max_json_bytes: 0 })),
        ("read_only", options().read_only(true)),
    ];
    for (field, options) in cases {
        let error = refused(options.open_blocking("memory:"), ErrorCode::InvalidArgument);
        assert_eq!(error.detail().field.as_deref(), Some(field), "{error}");
        assert!(error.to_string().contains(field), "{error}");
    }
}

#[test]
fn options_at_their_ends_are_taken() {
    let least = Store::options().pool_max(1).pool_min_idle(0).connect_timeout_ms(1).idle_timeout_ms(1).cache_kib(64);
    let most =
        Store::options().pool_max(1_000).pool_min_idle(1_000).connect_timeout_ms(3_600_000).cache_kib(16_777_216);
    for options in [least.busy_timeout_ms(0), most.busy_timeout_ms(3_600_000).idle_timeout_ms(86_400_000)] {
        assert_eq!(count(&options.open_blocking("memory:").unwrap()), 0);
    }
}

#[test]
fn a_pool_that_is_used_up_is_waited_for_and_then_times_out() {
    let folder = Closed::new();
    let store = folder.open(Store::options().pool_max(2).pool_min_idle(0).connect_timeout_ms(30)).unwrap();
    let (inside, done) = (Barrier::new(3), Barrier::new(3));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                store.read_blocking(|_| {
                    inside.wait();
                    done.wait();
                    Ok::<_, swarmstore::Error>(())
                })
            });
        }
        inside.wait();
        refused(store.read_blocking(|tx| tx.agents().count(&Query::new())), ErrorCode::Timeout);
        done.wait();
    });
    assert_eq!(count(&store), 1);
}

#[test]
fn who_waits_for_a_connection_gets_the_one_that_comes_back() {
    let folder = Closed::new();
    let store = folder.open(Store::options().pool_max(1).pool_min_idle(0)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(count(&store), 1));
        }
    });
}

#[test]
fn the_cache_and_the_busy_timeout_hold_on_every_connection() {
    let folder = Closed::new();
    let store = folder.open(Store::options().cache_kib(640).busy_timeout_ms(70)).unwrap();
    let sql = "SELECT cache_size, timeout FROM pragma_cache_size, pragma_busy_timeout";
    let pragmas = |tx: &Tx<'_>| tx.query(sql, &[]);
    let expected = [vec![Value::Integer(-640), Value::Integer(70)]];
    assert_eq!(store.write_blocking(pragmas).unwrap().rows, expected);
    assert_eq!(store.read_blocking(pragmas).unwrap().rows, expected);
    assert_eq!(block_on(store.read(pragmas)).unwrap().rows, expected);
}

#[test]
fn a_lock_is_waited_for_as_long_as_asked() {
    let folder = Closed::new();
    let impatient = folder.open(Store::options().busy_timeout_ms(0)).unwrap();
    let patient = folder.open(Store::options().busy_timeout_ms(60_000)).unwrap();
    let other = folder.open(Store::options()).unwrap();
    let held = block_on(other.begin()).unwrap();
    refused(impatient.write_blocking(|tx| tx.agents().add(NewAgent::new("worker"))), ErrorCode::Timeout);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| patient.write_blocking(|tx| tx.agents().add(NewAgent::new("worker"))));
        std::thread::sleep(Duration::from_millis(20));
        held.rollback().unwrap();
        waiting.join().expect("the writer").unwrap();
    });
}

#[test]
fn a_statement_that_takes_too_long_is_stopped_and_the_store_goes_on() {
    let folder = Closed::new();
    for store in [
        folder.open(Store::options().statement_timeout_ms(20)).unwrap(),
        Store::options().statement_timeout_ms(20).open_blocking("memory:").unwrap(),
    ] {
        let before = count(&store);
        refused(store.read_blocking(count_for_long), ErrorCode::Timeout);
        refused(block_on(store.read(count_for_long)), ErrorCode::Timeout);
        let write = |tx: &Tx<'_>| {
            tx.agents().add(NewAgent::new("worker"))?;
            count_for_long(tx)
        };
        refused(store.write_blocking(write), ErrorCode::Timeout);
        refused(block_on(store.write(write)), ErrorCode::Timeout);
        assert_eq!(count(&store), before);
        store.write_blocking(|tx| tx.agents().add(NewAgent::new("worker"))).unwrap();
        assert_eq!(count(&store), before + 1);
    }
}

#[test]
fn a_store_that_is_read_only_refuses_every_write() {
    let folder = Closed::new();
    let store = folder.open(Store::options().read_only(true)).unwrap();
    let add = |tx: &Tx<'_>| tx.agents().add(NewAgent::new("worker"));
    refused(store.write_blocking(add), ErrorCode::Unsupported);
    refused(block_on(store.write(add)), ErrorCode::Unsupported);
    refused(block_on(store.begin()).map(|_| ()), ErrorCode::Unsupported);
    refused(block_on(store.import(vec![])), ErrorCode::Unsupported);
    // Also from within: a reading closure has the same handles.
    assert!(store.read_blocking(add).is_err());
    assert_eq!(count(&store), 1);
    assert!(block_on(store.health()).unwrap().healthy);
    assert_eq!(block_on(store.check_integrity()).unwrap(), ["ok"]);
    assert!(block_on(store.export()).unwrap().starts_with(b"SQLite format 3\0"));
    block_on(store.flush()).unwrap();
    block_on(store.close()).unwrap();
}

#[test]
fn a_store_that_is_read_only_sees_what_another_writes() {
    let folder = Closed::new();
    let (reading, writing) =
        (folder.open(Store::options().read_only(true)).unwrap(), folder.open(Store::options()).unwrap());
    writing.write_blocking(|tx| tx.agents().add(NewAgent::new("worker"))).unwrap();
    assert_eq!(count(&reading), 2);
}

#[test]
fn reading_only_creates_and_changes_nothing() {
    let empty = tempfile::tempdir().unwrap();
    let nowhere = format!("sqlite:{}", empty.path().join("none.sqlite3").display());
    refused(Store::options().read_only(true).open_blocking(&nowhere), ErrorCode::NotFound);
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);

    let folder = Closed::new();
    let path = folder.0.path().join("store.sqlite3");
    let before = std::fs::read(&path).unwrap();
    let store = folder.open(Store::options().read_only(true)).unwrap();
    assert_eq!(count(&store), 1);
    block_on(store.close()).unwrap();
    drop(store);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // SQLite's own helpers for whoever else has the file open; the log is empty.
    assert!(folder.files().iter().all(|name| name.starts_with("store.sqlite3")), "{:?}", folder.files());
    let log = std::fs::metadata(folder.0.path().join("store.sqlite3-wal"));
    assert!(log.map_or(0, |log| log.len()) == 0);
}

#[test]
fn a_database_of_another_version_or_kind_is_not_read_only() {
    let folder = Closed::new();
    let raw = rusqlite::Connection::open(folder.0.path().join("store.sqlite3")).unwrap();
    raw.execute_batch(
        "INSERT INTO schema_migrations SELECT 999, name, checksum, applied_at FROM schema_migrations LIMIT 1",
    )
    .unwrap();
    refused(folder.open(Store::options().read_only(true)), ErrorCode::Migration);
    raw.execute_batch("DROP TABLE schema_migrations").unwrap();
    refused(folder.open(Store::options().read_only(true)), ErrorCode::InvalidArgument);
}

#[test]
fn a_url_of_no_backend_is_refused_without_telling_what_is_in_it() {
    for url in [
        "POSTGRES://me:s3cret@127.0.0.1:1/app",
        "postgre://me:s3cret@127.0.0.1:1/app",
        "sqlite:mysql://me:s3cret@h/app",
    ] {
        let error = Store::open_blocking(url).map(|_| ()).expect_err("a refusal");
        assert_eq!(error.code(), ErrorCode::Unsupported);
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
}
