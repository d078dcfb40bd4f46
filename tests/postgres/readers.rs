//! Readers see one committed state, whatever others write meanwhile; one that asks a single question needs no transaction.

use crate::support::{Other, Schema, agent, close, count_agents, named_store, refused, task};
use swarmstore::{Agent, ErrorCode, Query, Result, Store, Tx};

fn count(tx: &Tx<'_>) -> Result<i64> {
    tx.agents().count(&Query::new())
}

/// Asks two questions; between them, in its first run, `meanwhile` is done. Gives the answers of the last run, and how many
/// runs there were.
fn ask_twice<T>(store: &Store, second: impl Fn(&Tx<'_>) -> Result<T>, mut meanwhile: impl FnMut()) -> (i64, T, u32) {
    let mut runs = 0;
    let (first, second) = store
        .read_blocking(|tx| {
            runs += 1;
            let first = count(tx)?;
            if runs == 1 {
                meanwhile();
            }
            Ok::<_, swarmstore::Error>((first, second(tx)?))
        })
        .unwrap();
    (first, second, runs)
}

#[test]
fn a_reader_that_asks_twice_sees_one_state_whatever_is_written_in_between() {
    let schema = Schema::new();
    let (store, writer) = (schema.open(), schema.open());
    let list = |tx: &Tx<'_>| tx.agents().list(&Query::<Agent>::new());
    // First as one whose first question is asked outside of a transaction, then as one that is known to go on.
    for round in 0..3 {
        let add = || drop(writer.write_blocking(|tx| tx.agents().add(agent(&format!("agent {round}")))).unwrap());
        let (counted, listed, runs) = ask_twice(&store, list, add);
        assert_eq!(counted, i64::try_from(listed.len()).unwrap());
        assert!(runs <= 2);
        assert_eq!(count_agents(&writer), round + 1);
    }
    // A question of the caller's own as the second one.
    let own = |tx: &Tx<'_>| tx.query("SELECT COUNT(*) FROM agents", &[]);
    assert_eq!(count_agents(&store), 3);
    let add = || drop(writer.write_blocking(|tx| tx.agents().add(agent("another"))).unwrap());
    let (counted, own, _) = ask_twice(&store, own, add);
    assert_eq!(swarmstore::Value::Integer(counted), own.rows[0][0]);
    close(&store);
    close(&writer);
}

#[test]
fn a_reader_that_nobody_disturbs_runs_once() {
    let schema = Schema::new();
    let (store, writer) = (schema.open(), schema.open());
    for round in 0..3 {
        let (first, second, runs) = ask_twice(&store, count, || ());
        assert_eq!((first, second, runs), (0, 0, 1));
        // What is written elsewhere does not disturb it either.
        let tasks = |tx: &Tx<'_>| tx.tasks().count(&Query::new());
        let add = || drop(writer.write_blocking(|tx| tx.tasks().add(task(&format!("task {round}")))).unwrap());
        let (agents, _, runs) = ask_twice(&store, tasks, add);
        assert_eq!((agents, runs), (0, 1));
        // The next round begins as one whose first question was the only one the last time.
        assert_eq!(count_agents(&store), 0);
    }
    close(&store);
    close(&writer);
}

#[test]
fn a_single_question_is_asked_outside_of_a_transaction_and_two_in_one() {
    let schema = Schema::new();
    let (store, other) = (named_store(&schema), Other::new(&schema));
    let open = || {
        other.integer(&format!(
            "SELECT COUNT(*) FROM pg_stat_activity
             WHERE application_name = 'store of {}' AND state = 'idle in transaction'",
            schema.name()
        ))
    };
    let after_each = |questions: u32| {
        store.read_blocking(|tx| (0..questions).map(|_| count(tx).map(|_| open())).collect::<Result<Vec<_>>>()).unwrap()
    };
    assert_eq!(after_each(1), [0]);
    assert_eq!(after_each(2), [0, 1]);
    // Known to go on by now, until it does not.
    assert_eq!(after_each(2), [1, 1]);
    assert_eq!(after_each(1), [1]);
    assert_eq!(after_each(1), [0]);
    assert_eq!(open(), 0);
    close(&store);
}

#[test]
fn nothing_is_written_by_a_reader_neither_at_first_nor_later() {
    let schema = Schema::new();
    let store = schema.open();
    refused(store.read_blocking(|tx| tx.agents().add(agent("ada"))), ErrorCode::Unsupported);
    let later = store.read_blocking(|tx| {
        count(tx)?;
        tx.agents().add(agent("ada"))
    });
    refused(later, ErrorCode::Unsupported);
    // Its first question locks a row.
    store.write_blocking(|tx| tx.tasks().add(task("task"))).unwrap();
    let id = swarmstore::TaskId::new("task").unwrap();
    refused(store.read_blocking(|tx| tx.tasks().start(&id, "token")), ErrorCode::Unsupported);
    assert_eq!(count_agents(&store), 0);
    close(&store);
}
