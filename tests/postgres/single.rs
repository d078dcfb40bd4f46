//! A job that inserts one row and does nothing else is one statement, on a session that may write outside of a transaction.
//! Nothing else that goes out on that session may, and other writers are kept apart from it as from any.

use crate::support::{Other, Schema, agent, block_on, close, count_agents, refused, server, task};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use swarmstore::testing::TestClock;
use swarmstore::{ErrorCode, Options, Query, Store, TaskId, Value};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// A store whose connections can be told from those of others. It has a clock of its own: who asks the server for the time first
/// does more than insert a row.
fn open_with(schema: &Schema, options: Options) -> Store {
    let url = format!("{}&application_name=store%20of%20{}", schema.url(), schema.name());
    options.clock(TestClock::default()).pool_min_idle(0).open_blocking(&url).expect("the store opens")
}

fn open(schema: &Schema) -> Store {
    open_with(schema, Store::options())
}

/// Whoever inserts an agent stays in the middle of that until all are let go.
struct Held<'a>(&'a Other);

impl<'a> Held<'a> {
    fn new(other: &'a Other) -> Self {
        other.run(
            "CREATE TABLE go (); CREATE TABLE seen (query TEXT, mode TEXT);
             CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO seen SELECT current_query(), mode FROM pg_locks
                     WHERE pid = pg_backend_pid() AND granted AND relation = 'schema_migrations'::regclass;
                 FOR round IN 1..5000 LOOP
                     IF EXISTS (SELECT FROM go) THEN RETURN NEW; END IF;
                     PERFORM pg_sleep(0.002);
                 END LOOP;
                 RAISE 'not let go';
             END $$;
             CREATE TRIGGER hold AFTER INSERT ON agents FOR EACH ROW EXECUTE FUNCTION hold()",
        );
        Held(other)
    }

    fn let_go(&self) {
        self.0.run("INSERT INTO go DEFAULT VALUES");
    }

    /// Waits until somebody is in the middle of a statement that begins like this; `done` says whether they no longer are.
    fn wait_for(&self, schema: &Schema, statement: &str, done: impl Fn() -> bool) {
        let held = format!(
            "SELECT COUNT(*) FROM pg_stat_activity
             WHERE application_name = 'store of {}' AND wait_event = 'PgSleep' AND query LIKE '{statement}%'",
            schema.name()
        );
        while self.0.integer(&held) == 0 {
            assert!(!done(), "no {statement}");
            std::thread::yield_now();
        }
    }

    /// Waits until somebody waits for the lock of writers; `done` says whether they have not waited.
    fn wait_for_a_waiter(&self, done: impl Fn() -> bool) {
        let waits = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = 'schema_migrations'::regclass";
        while self.0.integer(waits) == 0 {
            assert!(!done(), "it did not wait");
            std::thread::yield_now();
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.let_go();
        self.0.run("DROP FUNCTION hold() CASCADE; DROP TABLE go, seen");
    }
}

#[test]
fn a_single_insert_is_one_statement_that_takes_the_lock_which_writers_share() {
    let schema = Schema::new();
    let (store, other) = (open(&schema), Other::new(&schema));
    let held = Held::new(&other);
    held.let_go();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    let seen = other.texts("SELECT query || ' | ' || mode FROM seen");
    assert!(seen.len() == 1 && seen[0].starts_with("WITH beside"), "{seen:?}");
    assert!(seen[0].ends_with(" | RowExclusiveLock"), "{seen:?}");
    drop(held);
    close(&store);
}

#[test]
fn an_import_waits_for_a_single_insert_and_a_single_insert_for_an_import() {
    let schema = Schema::new();
    let (store, another, other) = (open(&schema), open(&schema), Other::new(&schema));
    let empty = block_on(store.export()).unwrap();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    let one = block_on(store.export()).unwrap();

    let held = Held::new(&other);
    std::thread::scope(|scope| {
        let insert = scope.spawn(|| store.write_blocking(|tx| tx.agents().add(agent("eve"))).unwrap());
        held.wait_for(&schema, "WITH beside", || insert.is_finished());
        let import = scope.spawn(|| block_on(another.import(empty)).unwrap());
        held.wait_for_a_waiter(|| import.is_finished());
        assert_eq!((insert.is_finished(), count_agents(&store)), (false, 1));
        held.let_go();
    });
    // It came after the insert, and has replaced it.
    assert_eq!(count_agents(&store), 0);

    other.run("DELETE FROM go");
    std::thread::scope(|scope| {
        let import = scope.spawn(|| block_on(another.import(one)).unwrap());
        held.wait_for(&schema, "COPY agents", || import.is_finished());
        let insert = scope.spawn(|| store.write_blocking(|tx| tx.tasks().add(task("task"))).unwrap());
        held.wait_for_a_waiter(|| insert.is_finished());
        assert!(!import.is_finished());
        held.let_go();
    });
    // It came after the import, which would have taken it away.
    assert!(store.read_blocking(|tx| tx.tasks().get("task")).unwrap().is_some());
    drop(held);
    [store, another].iter().for_each(close);
}

#[test]
fn the_first_insert_into_a_table_waits_for_the_only_writer_like_any_other() {
    let schema = Schema::new();
    let (store, other) = (open_with(&schema, Store::options().pool_max(1)), Other::new(&schema));
    // From here on the session may write, and has prepared this insert and no other.
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();

    other.run("BEGIN; LOCK TABLE schema_migrations IN EXCLUSIVE MODE");
    let waiting = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = 'schema_migrations'::regclass";
    std::thread::scope(|scope| {
        let insert = scope.spawn(|| store.write_blocking(|tx| tx.tasks().add(task("task"))));
        // To prepare it takes the lock too, and waits for it 50 ms at most; then it waits in a transaction.
        std::thread::sleep(Duration::from_millis(200));
        while other.integer(waiting) == 0 {
            assert!(!insert.is_finished(), "it did not wait: {:?}", insert.join());
            std::thread::yield_now();
        }
        other.run("COMMIT");
        insert.join().unwrap().unwrap();
    });
    assert!(store.read_blocking(|tx| tx.tasks().get("task")).unwrap().is_some());
    close(&store);
}

#[test]
fn nothing_is_written_by_a_reader_after_a_single_insert_on_the_same_connection() {
    let schema = Schema::new();
    let store = open_with(&schema, Store::options().pool_max(1).busy_timeout_ms(1_234));
    let id = TaskId::new("task").unwrap();
    let single = |name: &str| store.write_blocking(|tx| tx.agents().add(agent(name))).unwrap();
    store.write_blocking(|tx| tx.tasks().add(task("task"))).unwrap();

    single("ada");
    refused(store.read_blocking(|tx| tx.agents().add(agent("eve"))), ErrorCode::Unsupported);
    single("ida");
    // Its first question, which is asked outside of a transaction, locks a row.
    refused(store.read_blocking(|tx| tx.tasks().start(&id, "token")), ErrorCode::Unsupported);
    single("joan");
    let own = "WITH gone AS (DELETE FROM agents RETURNING id) SELECT COUNT(*) FROM gone";
    store.read_blocking(|tx| tx.query(own, &[])).unwrap_err();
    single("mary");
    let settings = "SELECT current_setting('default_transaction_read_only'), current_setting('lock_timeout')";
    let found = store.read_blocking(|tx| tx.query(settings, &[])).unwrap();
    assert_eq!(found.rows, [["on", "1234ms"].map(Value::text).to_vec()]);
    assert_eq!(count_agents(&store), 4);
    close(&store);
}

#[test]
fn a_single_insert_that_fails_leaves_its_connection_usable() {
    let schema = Schema::new();
    let store = open_with(&schema, Store::options().pool_max(1));
    let orphan = |id: &str| task(id).parent_task_id(TaskId::new("nobody").unwrap());
    for round in 0..4 {
        let id = format!("task {round}");
        store.write_blocking(|tx| tx.tasks().add(task(&id))).unwrap();
        refused(store.write_blocking(|tx| tx.tasks().add(orphan("orphan"))), ErrorCode::Constraint);
        store.write_blocking(|tx| tx.agents().add(agent(&id))).unwrap();
        refused(store.write_blocking(|tx| tx.tasks().add(task(&id))), ErrorCode::Conflict);
        assert_eq!(store.read_blocking(|tx| tx.tasks().count(&Query::new())).unwrap(), round + 1);
    }
    assert_eq!(count_agents(&store), 4);
    close(&store);
}

#[test]
fn a_single_insert_that_takes_too_long_is_a_timeout_and_leaves_nothing() {
    let schema = Schema::new();
    let other = Other::new(&schema);
    let store = open_with(&schema, Store::options().pool_max(1).statement_timeout_ms(50));
    let held = Held::new(&other);
    refused(store.write_blocking(|tx| tx.agents().add(agent("ada"))), ErrorCode::Timeout);
    assert_eq!(count_agents(&store), 0);
    held.let_go();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    drop(held);
    close(&store);
}

#[test]
fn a_single_insert_that_the_server_gave_up_in_the_middle_is_made_once() {
    let schema = Schema::new();
    let (store, other) = (open(&schema), Other::new(&schema));
    let held = Held::new(&other);
    std::thread::scope(|scope| {
        let insert = scope.spawn(|| {
            let mut runs = 0;
            let add = |tx: &swarmstore::Tx<'_>| {
                runs += 1;
                tx.agents().add(agent("ada"))
            };
            store.write_blocking(add).map(|_| runs)
        });
        held.wait_for(&schema, "WITH beside", || insert.is_finished());
        other.cut(&schema);
        held.let_go();
        // The server said that it had not committed.
        assert_eq!(insert.join().unwrap().unwrap(), 2);
    });
    assert_eq!(count_agents(&store), 1);
    drop(held);
    close(&store);
}

#[test]
fn a_single_insert_whose_answer_is_lost_is_not_repeated_and_says_so() {
    let schema = Schema::new();
    let between = Between::new();
    let store =
        Store::options().clock(TestClock::default()).pool_min_idle(0).open_blocking(&between.url(&schema)).unwrap();
    for round in 1..=3 {
        // The next one is prepared by then.
        store.write_blocking(|tx| tx.agents().add(agent(&format!("known {round}")))).unwrap();
        between.loses_what_comes_next();
        let mut runs = 0;
        let lost = store.write_blocking(|tx| {
            runs += 1;
            tx.agents().add(agent(&format!("agent {round}")))
        });
        let error = refused(lost, ErrorCode::Unavailable);
        assert!(error.detail().uncertain && !error.is_retryable(), "{error}");
        assert_eq!((runs, count_agents(&store)), (1, 2 * round));
    }
    close(&store);
}

/// Stands between a store and the server.
struct Between {
    port: u16,
    loses: Arc<AtomicBool>,
}

impl Between {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, loses) = (listener.local_addr().unwrap().port(), Arc::<AtomicBool>::default());
        let config: Config = server().parse().unwrap();
        let [Host::Tcp(host), ..] = config.get_hosts() else { panic!("the server is reached over TCP") };
        let server = (host.clone(), config.get_ports().first().copied().unwrap_or(5432));
        let losing = loses.clone();
        // Until the tests end.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&server).expect("the server is there");
                server.set_nodelay(true).unwrap();
                client.set_nodelay(true).unwrap();
                let (to_server, from_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let losing = losing.clone();
                std::thread::spawn(move || pass_on(from_client, to_server, || false));
                std::thread::spawn(move || pass_on(server, client, || losing.swap(false, Ordering::SeqCst)));
            }
        });
        Between { port, loses }
    }

    fn url(&self, schema: &Schema) -> String {
        let (before, after) = schema.url().split_once('@').expect("a user and a host");
        let rest = &after[after.find(['/', '?']).expect("a schema")..];
        format!("{before}@127.0.0.1:{}{rest}", self.port)
    }

    /// What the server says next is not passed on, and the connection ends.
    fn loses_what_comes_next(&self) {
        self.loses.store(true, Ordering::SeqCst);
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, loses: impl Fn() -> bool) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if loses() || to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
