//! Opening, closing, flushing, and what a store says of itself.

use crate::ErrorCode::Closed;
use crate::model::Expected;
use crate::sql::{Query, SCHEMA_VERSION};
use crate::testing::Subject;
use crate::testing::kit::{agent, event, ids, refused, task, task_after};

pub async fn everything_is_closed_after_close(subject: Subject) {
    let store = subject.store();
    store.close().await.unwrap();
    refused(store.read(|tx| tx.agents().get("x")).await, Closed);
    refused(store.write(|tx| tx.agents().add(agent("x"))).await, Closed);
    refused(store.begin().await.map(|_| ()), Closed);
    refused(store.flush().await, Closed);
    refused(store.export().await.map(|_| ()), Closed);
    refused(store.import(vec![]).await, Closed);
    refused(store.health().await.map(|_| ()), Closed);
    refused(store.check_integrity().await, Closed);
}

pub async fn closing_twice_is_no_error(subject: Subject) {
    let (store, clone) = (subject.store(), subject.store());
    store.close().await.unwrap();
    clone.close().await.unwrap();
    store.close().await.unwrap();
}

pub async fn closing_one_clone_closes_the_store(subject: Subject) {
    let (store, clone) = (subject.store(), subject.store());
    store.close().await.unwrap();
    refused(clone.read(|tx| tx.agents().get("x")).await, Closed);
}

pub async fn what_was_written_is_there_when_the_store_is_opened_again(subject: Subject) {
    let mut tasks = vec![task("a"), task_after("b", &["a"])];
    tasks.extend((0..50).map(|number| task(&format!("many-{number:02}"))));
    subject.arrange_tasks(tasks).await;
    subject.append("s", vec![event("1"), event("2")], Expected::None).await.unwrap();
    let before = subject.read(|tx| tx.tasks().list(&Query::new())).await.unwrap();
    subject.reopen().await;
    assert_eq!(subject.read(|tx| tx.tasks().list(&Query::new())).await.unwrap(), before);
    subject.reopen().await;
    let again = subject.append("s", vec![event("3")], Expected::Sequence(2)).await.unwrap();
    assert_eq!(again[0].sequence, 3);
    subject.finish_next().await;
    assert_eq!(subject.claim("ada").await.id.as_str(), "b");
}

pub async fn what_was_deleted_stays_deleted_when_the_store_is_opened_again(subject: Subject) {
    subject.arrange(&["a", "b", "c"]).await;
    subject.reopen().await;
    subject.write(|tx| tx.tasks().delete_many(["a", "b"])).await.unwrap();
    subject.reopen().await;
    let left = subject.read(|tx| tx.tasks().list(&Query::new())).await.unwrap();
    assert_eq!(ids(&left), ["c"]);
}

pub async fn flushing_is_always_allowed(subject: Subject) {
    subject.store().flush().await.unwrap();
    subject.add_agent(agent("ada")).await;
    subject.store().flush().await.unwrap();
    subject.store().flush().await.unwrap();
    subject.agent("ada").await;
}

pub async fn a_sound_store_is_healthy(subject: Subject) {
    subject.arrange(&["t"]).await;
    let health = subject.store().health().await.unwrap();
    assert!(health.healthy, "{:?}", health.problems);
    assert_eq!((health.schema_version, health.problems.len()), (SCHEMA_VERSION, 0));
    assert!(health.flush.size_bytes > 0);
    assert_eq!(health.flush.last_error, None);
}

pub async fn the_integrity_check_of_a_sound_store_is_ok(subject: Subject) {
    subject.arrange(&["a", "b"]).await;
    assert_eq!(subject.store().check_integrity().await.unwrap(), ["ok"]);
}
