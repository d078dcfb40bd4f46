//! Positions: whoever follows them sees every event once, in their order.

use crate::support::{Schema, close};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use swarmstore::{Event, EventFilter, Expected, NewEvent, Result, Store, Stream, Tx};

const APPENDERS: usize = 6;
const EACH: usize = 15;

fn append(tx: &Tx<'_>, stream: &str, number: usize) -> Result<Vec<Event>> {
    let event = NewEvent::new("made", serde_json::json!({ "number": number }));
    tx.events().append(&Stream::new("test", stream), vec![event], Expected::Any)
}

/// Reads on from a position until it has seen so many.
fn follow(store: &Store, wanted: usize, stop: &AtomicBool) -> Vec<Event> {
    let mut seen: Vec<Event> = Vec::new();
    while seen.len() < wanted && !stop.load(Ordering::Relaxed) {
        let mut filter = EventFilter::default();
        filter.after = seen.last().map_or(0, |event| event.position);
        seen.extend(store.read_blocking(|tx| tx.events().read_all(&filter)).unwrap());
    }
    seen
}

#[test]
fn a_reader_that_follows_positions_sees_every_event_once_in_order_also_with_slow_commits() {
    let schema = Schema::new();
    let stores = [schema.open(), schema.open()];
    let follower = schema.open();
    let stop = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let following = scope.spawn(|| follow(&follower, APPENDERS * EACH, &stop));
        let appending: Vec<_> = (0..APPENDERS)
            .map(|appender| {
                let store = &stores[appender % 2];
                scope.spawn(move || {
                    for number in 0..EACH {
                        store
                            .write_blocking(|tx| {
                                let appended = append(tx, &appender.to_string(), number)?;
                                if number % 5 == appender % 5 {
                                    // The commit comes late; one with a higher position must not be seen before it.
                                    std::thread::sleep(Duration::from_millis(3));
                                }
                                Ok::<_, swarmstore::Error>(appended)
                            })
                            .unwrap();
                    }
                })
            })
            .collect();
        let failed = appending.into_iter().map(std::thread::ScopedJoinHandle::join).filter(Result::is_err).count() > 0;
        stop.store(failed, Ordering::Relaxed);
        following.join().unwrap()
    });
    assert_eq!(seen.len(), APPENDERS * EACH);
    assert!(seen.windows(2).all(|pair| pair[0].position < pair[1].position));
    for appender in 0..APPENDERS {
        let of = seen.iter().filter(|event| event.aggregate_id == appender.to_string());
        let sequences: Vec<i64> = of.map(|event| event.sequence).collect();
        assert_eq!(sequences, (1..=i64::try_from(EACH).unwrap()).collect::<Vec<_>>());
    }
    stores.iter().for_each(close);
    close(&follower);
}

#[test]
fn of_many_who_append_to_one_stream_at_once_none_is_lost() {
    let schema = Schema::new();
    let stores = [schema.open(), schema.open()];
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let store = &stores[thread % 2];
            scope.spawn(move || {
                for number in 0..20 {
                    store.write_blocking(|tx| append(tx, "one", number)).unwrap();
                }
            });
        }
    });
    let mut all = EventFilter::default();
    all.limit = 1_000;
    let events = stores[0].read_blocking(|tx| tx.events().read_all(&all)).unwrap();
    let sequences: Vec<i64> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..=120).collect::<Vec<i64>>());
    stores.iter().for_each(close);
}
