//! Appending to a stream of events: what is expected of it, and what a retry gives.

use crate::ErrorCode::{Conflict, InvalidArgument};
use crate::model::{Expected, Millis, NewEvent, Stream};
use crate::service::ReadStream;
use crate::testing::Subject;
use crate::testing::kit::{agent_id, event, event_id, invalid, refused, task_id};
use serde_json::json;

pub async fn what_was_appended_reads_back_equal(subject: Subject) {
    let mut new = NewEvent::new("drawn \u{1f41d}", json!({ "tile": [1, 2.5] }))
        .id(event_id("e"))
        .agent_id(agent_id("nobody"))
        .task_id(task_id("nothing"))
        .correlation_id("together");
    new.metadata = Some(json!({ "by": "test" }).into());
    new.causation_id = Some("cause".to_owned());
    new.timestamp = Some(Millis(9_000_000_000_000));
    let appended = subject.append("s", vec![new], Expected::Any).await.unwrap().remove(0);
    assert_eq!((appended.aggregate_type.as_str(), appended.aggregate_id.as_str()), ("task", "s"));
    assert_eq!((appended.sequence, appended.timestamp), (1, Millis(9_000_000_000_000)));
    assert_eq!(
        (appended.correlation_id.as_deref(), appended.causation_id.as_deref()),
        (Some("together"), Some("cause"))
    );
    assert_eq!(subject.read_stream("s", ReadStream::default()).await, [appended]);
}

pub async fn what_is_not_given_gets_its_default(subject: Subject) {
    subject.advance(1);
    let appended = subject.append("s", vec![event("made")], Expected::Any).await.unwrap().remove(0);
    let id: uuid::Uuid = appended.id.as_str().parse().expect("a UUID");
    assert_eq!((id.get_version_num(), appended.timestamp), (7, subject.now()));
    assert_eq!((appended.metadata.as_str(), appended.agent_id), ("{}", None));
}

pub async fn sequences_count_each_stream_from_1_without_gaps(subject: Subject) {
    let first = subject.append("a", vec![event("1"), event("2")], Expected::Any).await.unwrap();
    let other = subject.append("b", vec![event("1")], Expected::Any).await.unwrap();
    let more = subject.append("a", vec![event("3")], Expected::Any).await.unwrap();
    let sequences: Vec<i64> = first.iter().chain(&more).map(|event| event.sequence).collect();
    assert_eq!((sequences, other[0].sequence), (vec![1, 2, 3], 1));
}

pub async fn streams_of_one_id_and_two_types_are_two(subject: Subject) {
    subject.append("x", vec![event("1")], Expected::None).await.unwrap();
    let agent = |tx: &crate::Tx<'_>| tx.events().append(&Stream::new("agent", "x"), vec![event("1")], Expected::None);
    assert_eq!(subject.write(agent).await.unwrap()[0].sequence, 1);
}

pub async fn an_append_that_expects_anything_is_made(subject: Subject) {
    subject.append("s", vec![event("1")], Expected::Any).await.unwrap();
    assert_eq!(subject.append("s", vec![event("2")], Expected::Any).await.unwrap()[0].sequence, 2);
}

pub async fn an_append_that_expects_no_event_is_made_only_to_a_new_stream(subject: Subject) {
    subject.append("s", vec![event("1"), event("2")], Expected::None).await.unwrap();
    conflicts(&subject, Expected::None, 2).await;
}

pub async fn an_append_that_expects_an_event_is_made_only_to_a_stream_that_has_one(subject: Subject) {
    let early = refused(subject.append("new", vec![event("1")], Expected::Exists).await, Conflict);
    assert_eq!(early.detail().actual, Some(0));
    assert!(subject.read_stream("new", ReadStream::default()).await.is_empty());
    subject.append("new", vec![event("1")], Expected::None).await.unwrap();
    subject.append("new", vec![event("2")], Expected::Exists).await.unwrap();
}

pub async fn an_append_that_expects_an_exact_sequence_is_made_only_then(subject: Subject) {
    subject.append("s", vec![event("1")], Expected::Sequence(0)).await.unwrap();
    subject.append("s", vec![event("2")], Expected::Sequence(1)).await.unwrap();
    for wrong in [0, 1, 3, -1, i64::MAX] {
        conflicts(&subject, Expected::Sequence(wrong), 2).await;
    }
}

pub async fn of_two_who_expect_the_same_one_wins(subject: Subject) {
    subject.append("s", vec![event("1")], Expected::None).await.unwrap();
    subject.append("s", vec![event("mine")], Expected::Sequence(1)).await.unwrap();
    let late = refused(subject.append("s", vec![event("yours")], Expected::Sequence(1)).await, Conflict);
    assert_eq!((late.detail().actual, late.detail().table), (Some(2), Some("events")));
}

pub async fn appending_the_same_ids_again_answers_the_stored_events(subject: Subject) {
    let new = vec![event("1").id(event_id("a")), event("2").id(event_id("b"))];
    let first = subject.append("s", new.clone(), Expected::None).await.unwrap();
    subject.append("s", vec![event("3")], Expected::Any).await.unwrap();
    subject.advance(1_000);
    for expected in [Expected::Any, Expected::None, Expected::Exists, Expected::Sequence(0), Expected::Sequence(99)] {
        assert_eq!(subject.append("s", new.clone(), expected).await.unwrap(), first, "{expected:?}");
    }
    let changed = vec![event("changed").id(event_id("a"))];
    assert_eq!(subject.append("s", changed, Expected::Any).await.unwrap(), first[..1]);
    assert_eq!(subject.read_stream("s", ReadStream::default()).await.len(), 3);
}

pub async fn appending_some_ids_again_and_some_new_is_a_conflict(subject: Subject) {
    subject.append("s", vec![event("1").id(event_id("a"))], Expected::Any).await.unwrap();
    for other in [event("2").id(event_id("b")), event("2")] {
        let mixed = vec![event("1").id(event_id("a")), other];
        refused(subject.append("s", mixed, Expected::Any).await, Conflict);
    }
    assert_eq!(subject.read_stream("s", ReadStream::default()).await.len(), 1);
}

pub async fn an_id_that_another_stream_has_is_a_conflict(subject: Subject) {
    subject.append("one", vec![event("1").id(event_id("a"))], Expected::Any).await.unwrap();
    let stolen = vec![event("0"), event("1").id(event_id("a"))];
    let error = refused(subject.append("two", stolen, Expected::Any).await, Conflict);
    assert_eq!((error.detail().index, error.detail().id.as_deref()), (Some(1), Some("a")));
    assert!(subject.read_stream("two", ReadStream::default()).await.is_empty());
}

pub async fn one_id_twice_in_an_append_is_refused(subject: Subject) {
    let twice = vec![event("1").id(event_id("a")), event("2").id(event_id("a"))];
    let error = refused(subject.append("s", twice, Expected::Any).await, InvalidArgument);
    assert_eq!(error.detail().index, Some(1));
    assert_eq!(subject.read(|tx| tx.events().count()).await.unwrap(), 0);
}

pub async fn an_append_is_all_or_nothing_and_names_the_event_that_failed(subject: Subject) {
    let bad = NewEvent::new("bad\0", json!({}));
    let error = invalid(subject.append("s", vec![event("1"), bad], Expected::Any).await, "event_type");
    assert_eq!(error.detail().index, Some(1));
    assert_eq!(subject.read(|tx| tx.events().count()).await.unwrap(), 0);
}

pub async fn a_refused_append_leaves_no_gap(subject: Subject) {
    subject.append("s", vec![event("1")], Expected::Any).await.unwrap();
    let caught = |tx: &crate::Tx<'_>| {
        let stream = Stream::new("task", "s");
        refused(tx.events().append(&stream, vec![event("2"), event("bad\0")], Expected::Any), InvalidArgument);
        tx.events().append(&stream, vec![event("2")], Expected::Sequence(1))
    };
    assert_eq!(subject.write(caught).await.unwrap()[0].sequence, 2);
    let failed = |tx: &crate::Tx<'_>| {
        tx.events().append(&Stream::new("task", "s"), vec![event("3")], Expected::Any)?;
        Err::<(), _>(crate::ErrorCode::Aborted.error("never mind"))
    };
    refused(subject.write(failed).await, crate::ErrorCode::Aborted);
    assert_eq!(subject.append("s", vec![event("3")], Expected::Any).await.unwrap()[0].sequence, 3);
}

pub async fn appending_nothing_appends_nothing(subject: Subject) {
    assert!(subject.append("s", vec![], Expected::Any).await.unwrap().is_empty());
    assert!(subject.read_stream("s", ReadStream::default()).await.is_empty());
    refused(subject.append("s", vec![], Expected::Exists).await, Conflict);
}

pub async fn a_stream_name_that_is_no_id_is_refused(subject: Subject) {
    for (kind, id, field) in [
        ("", "x", "aggregate_type"),
        ("t\0", "x", "aggregate_type"),
        ("t", "", "aggregate_id"),
        ("t", "\0", "aggregate_id"),
        ("t", &"x".repeat(256), "aggregate_id"),
    ] {
        let stream = Stream::new(kind, id);
        let reading = stream.clone();
        invalid(subject.write(move |tx| tx.events().append(&stream, vec![event("1")], Expected::Any)).await, field);
        invalid(subject.read(move |tx| tx.events().read(&reading, ReadStream::default())).await, field);
    }
    assert_eq!(subject.read(|tx| tx.events().count()).await.unwrap(), 0);
}

async fn conflicts(subject: &Subject, expected: Expected, actual: i64) {
    let error = refused(subject.append("s", vec![event("late")], expected).await, Conflict);
    assert_eq!((error.detail().actual, error.detail().id.as_deref()), (Some(actual), Some("s")));
    let stored = subject.read_stream("s", ReadStream::default()).await;
    assert_eq!(i64::try_from(stored.len()).unwrap(), actual);
}
