//! A whole store as a SQLite file, out and in.

use crate::ErrorCode::Corrupt;
use crate::model::Expected;
use crate::sql::Query;
use crate::testing::Subject;
use crate::testing::kit::{agent, done, event, ids, refused, task, task_after};
use crate::{Event, EventFilter, Task, Tx};

pub async fn an_export_is_a_sqlite_file(subject: Subject) {
    subject.arrange(&["a"]).await;
    let file = subject.store().export().await.unwrap();
    assert!(file.starts_with(b"SQLite format 3\0"));
    assert_eq!(file.len() % 4096, 0);
    // A journal, not a log beside it: one file that opens anywhere.
    assert_eq!(file[18..20], [1, 1]);
}

pub async fn an_import_replaces_everything(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task_after("b", &["a"])]).await;
    subject.append("s", vec![event("1"), event("2")], Expected::None).await.unwrap();
    let before = everything(&subject).await;
    let file = subject.store().export().await.unwrap();

    subject.finish_next().await;
    subject.add_agent(agent("later")).await;
    subject.append("s", vec![event("3")], Expected::Any).await.unwrap();
    subject.store().import(file).await.unwrap();
    assert_eq!(everything(&subject).await, before);
    assert_eq!(subject.read(|tx| tx.agents().get("later")).await.unwrap(), None);

    subject.finish_next().await;
    assert_eq!(subject.claim("ada").await.id.as_str(), "b");
    assert_eq!(subject.append("s", vec![event("3")], Expected::Sequence(2)).await.unwrap()[0].sequence, 3);
}

pub async fn an_import_is_kept(subject: Subject) {
    let empty = subject.store().export().await.unwrap();
    subject.arrange(&["a"]).await;
    let full = subject.store().export().await.unwrap();
    subject.store().import(empty).await.unwrap();
    subject.reopen().await;
    if subject.keeps() {
        assert!(everything(&subject).await.0.is_empty());
    }
    subject.store().import(full).await.unwrap();
    subject.reopen().await;
    if subject.keeps() {
        assert_eq!(ids(&everything(&subject).await.0), ["a"]);
    }
}

pub async fn an_export_of_a_grown_store_goes_into_a_small_one(subject: Subject) {
    let large = |tx: &Tx<'_>| {
        for number in 0..300 {
            let payload = serde_json::json!({ "text": "0123456789abcdef".repeat(100), "number": number });
            tx.tasks().add(crate::NewTask::new("work", payload))?;
        }
        done(())
    };
    let small = subject.store().export().await.unwrap();
    subject.write(large).await.unwrap();
    let grown = subject.store().export().await.unwrap();
    assert!(grown.len() > small.len());
    subject.store().import(small).await.unwrap();
    assert!(everything(&subject).await.0.is_empty());
    subject.store().import(grown).await.unwrap();
    assert_eq!(subject.read(|tx| tx.tasks().count(&Query::new())).await.unwrap(), 300);
    assert_eq!(subject.store().check_integrity().await.unwrap(), ["ok"]);
}

pub async fn a_file_that_is_no_database_is_corrupt_and_changes_nothing(subject: Subject) {
    subject.arrange(&["a"]).await;
    let file = subject.store().export().await.unwrap();
    let before = everything(&subject).await;
    let mut scribbled = file.clone();
    scribbled[4096..8192].fill(0xA5);
    let header_alone = b"SQLite format 3\0".to_vec();
    let zeroes = vec![0; 8192];
    let cut = file[..file.len() - 4096].to_vec();
    let half_a_page = file[..5000].to_vec();
    for bad in [vec![], b"hello".to_vec(), zeroes, header_alone, cut, half_a_page, scribbled] {
        refused(subject.store().import(bad).await, Corrupt);
        assert_eq!(everything(&subject).await, before);
    }
    subject.finish_next().await;
}

/// All tasks and all events.
async fn everything(subject: &Subject) -> (Vec<Task>, Vec<Event>) {
    let all = |tx: &Tx<'_>| done((tx.tasks().list(&Query::new())?, tx.events().read_all(&EventFilter::default())?));
    subject.read(all).await.unwrap()
}
