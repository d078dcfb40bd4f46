//! Reading events: one stream, or all of them.

use crate::model::{Event, Expected, Millis, NewEvent, Stream};
use crate::service::{Direction, EventFilter, ReadStream};
use crate::testing::Subject;
use crate::testing::kit::{agent_id, event, task_id};

pub async fn a_stream_is_read_forwards_from_its_first(subject: Subject) {
    fill(&subject).await;
    assert_eq!(sequences(&subject.read_stream("a", ReadStream::default()).await), [1, 2, 3, 4, 5]);
}

pub async fn a_stream_is_read_forwards_from_a_sequence_itself_included(subject: Subject) {
    fill(&subject).await;
    let from = |from| ReadStream { from: Some(from), ..ReadStream::default() };
    assert_eq!(sequences(&subject.read_stream("a", from(3)).await), [3, 4, 5]);
    assert_eq!(sequences(&subject.read_stream("a", from(0)).await), [1, 2, 3, 4, 5]);
    assert_eq!(sequences(&subject.read_stream("a", from(6)).await), [0; 0]);
}

pub async fn a_stream_is_read_backwards_from_its_last(subject: Subject) {
    fill(&subject).await;
    let backward = ReadStream { direction: Direction::Backward, ..ReadStream::default() };
    assert_eq!(sequences(&subject.read_stream("a", backward).await), [5, 4, 3, 2, 1]);
}

pub async fn a_stream_is_read_backwards_from_a_sequence_itself_included(subject: Subject) {
    fill(&subject).await;
    let backward = |from| ReadStream { direction: Direction::Backward, from: Some(from), ..ReadStream::default() };
    assert_eq!(sequences(&subject.read_stream("a", backward(3)).await), [3, 2, 1]);
    assert_eq!(sequences(&subject.read_stream("a", backward(99)).await), [5, 4, 3, 2, 1]);
    assert_eq!(sequences(&subject.read_stream("a", backward(0)).await), [0; 0]);
}

pub async fn a_read_gives_no_more_than_its_limit(subject: Subject) {
    fill(&subject).await;
    let two = |direction| ReadStream { direction, limit: 2, ..ReadStream::default() };
    assert_eq!(sequences(&subject.read_stream("a", two(Direction::Forward)).await), [1, 2]);
    assert_eq!(sequences(&subject.read_stream("a", two(Direction::Backward)).await), [5, 4]);
    let none = ReadStream { limit: 0, ..ReadStream::default() };
    assert!(subject.read_stream("a", none).await.is_empty());
}

pub async fn a_read_gives_a_hundred_by_default(subject: Subject) {
    subject.append("s", vec![event("e"); 120], Expected::Any).await.unwrap();
    assert_eq!(subject.read_stream("s", ReadStream::default()).await.len(), 100);
    assert_eq!(subject.read_all(EventFilter::default()).await.len(), 100);
}

pub async fn an_unknown_stream_is_empty(subject: Subject) {
    assert!(subject.read_stream("unknown", ReadStream::default()).await.is_empty());
}

pub async fn positions_increase_over_all_streams(subject: Subject) {
    fill(&subject).await;
    let all = subject.read_all(EventFilter::default()).await;
    assert_eq!(all.len(), 7);
    assert!(all.windows(2).all(|pair| pair[0].position < pair[1].position));
    assert!(all[0].position > 0);
    let streams: Vec<&str> = all.iter().map(|event| event.aggregate_id.as_str()).collect();
    assert_eq!(streams, ["a", "a", "b", "a", "a", "a", "x"]);
}

pub async fn a_position_is_not_given_twice_also_after_a_rollback(subject: Subject) {
    fill(&subject).await;
    let last = subject.read_all(EventFilter::default()).await[6].position;
    let failed = |tx: &crate::Tx<'_>| {
        tx.events().append(&Stream::new("task", "a"), vec![event("gone")], Expected::Any)?;
        Err::<(), _>(crate::ErrorCode::Aborted.error("never mind"))
    };
    subject.write(failed).await.unwrap_err();
    let next = subject.append("a", vec![event("6")], Expected::Any).await.unwrap();
    assert!(next[0].position > last);
}

pub async fn reading_all_goes_on_after_a_position(subject: Subject) {
    fill(&subject).await;
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let page = subject.read_all(EventFilter { after, limit: 3, ..EventFilter::default() }).await;
        let Some(last) = page.last() else { break };
        after = last.position;
        seen.extend(page);
    }
    assert_eq!(seen, subject.read_all(EventFilter::default()).await);
}

pub async fn reading_all_by_type_agent_task_time_and_correlation(subject: Subject) {
    fill(&subject).await;
    let all = EventFilter::default;
    let found = async |filter: EventFilter| {
        let events = subject.read_all(filter).await;
        events.iter().map(|event| event.event_type.clone()).collect::<Vec<_>>()
    };
    assert_eq!(found(EventFilter { aggregate_type: Some("agent".into()), ..all() }).await, ["other"]);
    assert_eq!(found(EventFilter { event_type: Some("2".into()), ..all() }).await, ["2"]);
    assert_eq!(found(EventFilter { agent_id: Some(agent_id("ada")), ..all() }).await, ["1", "5"]);
    assert_eq!(found(EventFilter { task_id: Some(task_id("t")), ..all() }).await, ["2"]);
    assert_eq!(found(EventFilter { correlation_id: Some("c".into()), ..all() }).await, ["b", "5"]);
    let since = Some(subject.now());
    assert_eq!(found(EventFilter { since, ..all() }).await, ["4", "5", "other"]);
    let since = Some(subject.now().plus(1));
    assert_eq!(found(EventFilter { since, ..all() }).await, ["4"]);
    let both = EventFilter { agent_id: Some(agent_id("ada")), correlation_id: Some("c".into()), ..all() };
    assert_eq!(found(both).await, ["5"]);
    assert_eq!(found(EventFilter { event_type: Some("none".into()), ..all() }).await, [""; 0]);
}

pub async fn all_events_are_counted(subject: Subject) {
    assert_eq!(subject.read(|tx| tx.events().count()).await.unwrap(), 0);
    fill(&subject).await;
    assert_eq!(subject.read(|tx| tx.events().count()).await.unwrap(), 7);
}

/// Streams `a` (1 to 5) and `b` (one event) of tasks and `x` of an agent, appended at two times.
async fn fill(subject: &Subject) {
    let ada = || agent_id("ada");
    subject
        .append("a", vec![event("1").agent_id(ada()), event("2").task_id(task_id("t"))], Expected::None)
        .await
        .unwrap();
    subject.append("b", vec![event("b").correlation_id("c")], Expected::None).await.unwrap();
    subject.append("a", vec![event("3")], Expected::Exists).await.unwrap();
    subject.advance(1_000);
    let mut future: NewEvent = event("4");
    future.timestamp = Some(Millis(subject.now().0 + 5_000));
    let last = event("5").agent_id(ada()).correlation_id("c");
    subject.append("a", vec![future, last], Expected::Sequence(3)).await.unwrap();
    let other =
        |tx: &crate::Tx<'_>| tx.events().append(&Stream::new("agent", "x"), vec![event("other")], Expected::None);
    subject.write(other).await.unwrap();
}

fn sequences(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.sequence).collect()
}
