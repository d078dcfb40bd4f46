//! One closure, one transaction, over any mix of services; and explicit ones.

use crate::ErrorCode::{Aborted, Closed, Conflict};
use crate::model::{Claim, Expected, Stream, TaskStatus};
use crate::sql::Query;
use crate::testing::Subject;
use crate::testing::kit::{agent, done, event, is_ready, refused, task, task_id};
use crate::{Durability, Error, NewTask, Tx};
use serde_json::json;
use std::pin::pin;

pub async fn a_transaction_spans_all_services(subject: Subject) {
    let all = |tx: &Tx<'_>| {
        let ada = tx.agents().add(agent("ada"))?;
        tx.tasks().add(task("t"))?;
        let claimed = tx.tasks().claim(&ada.id, &Claim::default())?.remove(0);
        let token = claimed.lease_token.clone().unwrap_or_default();
        tx.tasks().complete(&claimed.id, &token, None)?;
        tx.events().append(&Stream::new("task", "t"), vec![event("done")], Expected::None)?;
        done(())
    };
    subject.write(all).await.unwrap();
    assert_eq!(counts(&subject).await, (1, 1, 1));
    assert_eq!(subject.status("t").await, TaskStatus::Completed);
}

pub async fn an_error_rolls_everything_back(subject: Subject) {
    let failing = |tx: &Tx<'_>| {
        tx.agents().add(agent("ada"))?;
        tx.tasks().add_many([task("a"), task("b")])?;
        tx.events().append(&Stream::new("task", "a"), vec![event("made")], Expected::None)?;
        Err::<(), Error>(Aborted.error("never mind"))
    };
    refused(subject.write(failing).await, Aborted);
    assert_eq!(counts(&subject).await, (0, 0, 0));
    subject.add_agent(agent("ada")).await;
}

pub async fn a_callers_own_error_comes_out_unchanged(subject: Subject) {
    #[derive(Debug, PartialEq)]
    enum Own {
        Mine(String),
        Stores(String),
    }
    impl From<Error> for Own {
        fn from(error: Error) -> Self {
            Own::Stores(error.to_string())
        }
    }
    let failing = |tx: &Tx<'_>| {
        tx.agents().add(agent("ada"))?;
        Err::<(), Own>(Own::Mine("as it was".to_owned()))
    };
    assert_eq!(subject.write(failing).await, Err(Own::Mine("as it was".to_owned())));
    assert_eq!(subject.read(|_| Err::<(), Own>(Own::Mine("read".to_owned()))).await, Err(Own::Mine("read".to_owned())));
    assert_eq!(counts(&subject).await, (0, 0, 0));
}

pub async fn a_transaction_sees_its_own_writes(subject: Subject) {
    let seen = |tx: &Tx<'_>| {
        tx.agents().add(agent("ada"))?;
        let listed = tx.agents().list(&Query::new())?.len();
        tx.agents().delete("ada")?;
        done((listed, tx.agents().get("ada")?))
    };
    assert_eq!(subject.write(seen).await.unwrap(), (1, None));
}

pub async fn a_caught_error_leaves_nothing_of_what_failed_and_all_before_it(subject: Subject) {
    let caught = |tx: &Tx<'_>| {
        tx.agents().add(agent("first"))?;
        refused(tx.agents().add_many([agent("second"), agent("first")]), Conflict);
        refused(tx.agents().put_many([agent("second").name("x"), agent("third").name("x")]), Conflict);
        tx.agents().add(agent("last"))?;
        done(())
    };
    subject.write(caught).await.unwrap();
    let listed = subject.read(|tx| tx.agents().list(&Query::new())).await.unwrap();
    assert_eq!(crate::testing::kit::ids(&listed), ["first", "last"]);
}

pub async fn time_stands_still_in_a_transaction(subject: Subject) {
    let other = subject.clone();
    let mut transaction = subject.begin().await;
    let (before, after) = transaction
        .run(|tx| {
            let before = tx.now();
            other.advance(1_000);
            done((before, tx.now()))
        })
        .unwrap();
    assert_eq!(before, after);
    transaction.rollback().unwrap();
}

pub async fn a_closure_that_only_reads_may_be_written_with(subject: Subject) {
    assert_eq!(subject.write(|tx| tx.agents().count(&Query::new())).await.unwrap(), 0);
}

pub async fn a_read_cannot_write(subject: Subject) {
    assert!(subject.store().read(|tx| tx.agents().add(agent("ada"))).await.is_err());
    assert_eq!(counts(&subject).await, (0, 0, 0));
    subject.add_agent(agent("ada")).await;
}

pub async fn a_read_that_fails_leaves_the_store_usable(subject: Subject) {
    refused(subject.read(|_| Err::<(), Error>(Aborted.error("never mind"))).await, Aborted);
    assert_eq!(counts(&subject).await, (0, 0, 0));
}

pub async fn every_durability_keeps_a_write(subject: Subject) {
    for (number, durability) in [Durability::Relaxed, Durability::Durable, Durability::Strict].into_iter().enumerate() {
        let id = number.to_string();
        subject.store().write_with(Some(durability), move |tx| tx.agents().add(agent(&id))).await.unwrap();
        subject.reopen().await;
        if subject.keeps() {
            subject.agent(&number.to_string()).await;
        }
    }
}

pub async fn an_explicit_transaction_commits_as_a_whole(subject: Subject) {
    let mut transaction = subject.begin().await;
    transaction.run(|tx| tx.agents().add(agent("ada"))).unwrap();
    transaction.run(|tx| tx.tasks().add(task("t"))).unwrap();
    let claimed = transaction.run(|tx| tx.tasks().claim(&crate::testing::kit::agent_id("ada"), &Claim::default()));
    assert_eq!(claimed.unwrap()[0].id, task_id("t"));
    transaction.commit().await.unwrap();
    assert_eq!(counts(&subject).await, (1, 1, 0));
    assert_eq!(subject.status("t").await, TaskStatus::Assigned);
}

pub async fn an_explicit_transaction_commits_as_durably_as_asked(subject: Subject) {
    for (number, durability) in [Durability::Relaxed, Durability::Durable, Durability::Strict].into_iter().enumerate() {
        let id = number.to_string();
        let mut transaction = subject.begin().await;
        transaction.run(|tx| tx.agents().add(agent(&id))).unwrap();
        transaction.commit_with(durability).await.unwrap();
        subject.agent(&id).await;
    }
}

pub async fn a_transaction_runs_on_the_same_connection_as_its_writes(subject: Subject) {
    subject.add_agent(agent("ada")).await;
    let mut transaction = subject.begin().await;
    for number in 1..=3 {
        transaction
            .run(move |tx| tx.agents().update("ada", crate::AgentPatch::new().name(number.to_string())))
            .unwrap();
        let own = transaction.run(|tx| tx.agents().get("ada")).unwrap().expect("the agent");
        assert_eq!((own.version, own.name), (number + 1, Some(number.to_string())));
    }
    transaction.rollback().unwrap();
    let after = subject.agent("ada").await;
    assert_eq!((after.version, after.name), (1, None));
}

pub async fn a_rolled_back_transaction_leaves_nothing(subject: Subject) {
    let mut transaction = subject.begin().await;
    transaction.run(|tx| tx.agents().add(agent("ada"))).unwrap();
    transaction.rollback().unwrap();
    assert_eq!(counts(&subject).await, (0, 0, 0));
    subject.add_agent(agent("ada")).await;
}

pub async fn a_dropped_transaction_leaves_nothing(subject: Subject) {
    let mut transaction = subject.begin().await;
    transaction.run(|tx| tx.agents().add(agent("ada"))).unwrap();
    drop(transaction);
    assert_eq!(counts(&subject).await, (0, 0, 0));
    subject.add_agent(agent("ada")).await;
}

pub async fn a_failed_step_leaves_the_steps_before_it(subject: Subject) {
    let mut transaction = subject.begin().await;
    transaction.run(|tx| tx.agents().add(agent("ada"))).unwrap();
    let failing = transaction.run(|tx| {
        tx.tasks().add(task("half"))?;
        tx.agents().add(agent("ada"))
    });
    refused(failing, Conflict);
    transaction.run(|tx| tx.tasks().add(task("after"))).unwrap();
    transaction.commit().await.unwrap();
    let tasks = subject.read(|tx| tx.tasks().list(&Query::new())).await.unwrap();
    assert_eq!(crate::testing::kit::ids(&tasks), ["after"]);
    assert_eq!(counts(&subject).await, (1, 1, 0));
}

pub async fn nobody_sees_what_is_not_committed_and_readers_do_not_wait(subject: Subject) {
    subject.add_agent(agent("before")).await;
    let store = subject.store();
    let mut transaction = subject.begin().await;
    transaction.run(|tx| tx.agents().add(agent("ada"))).unwrap();
    transaction.run(|tx| tx.agents().delete("before")).unwrap();
    let seen = store.read(|tx| tx.agents().list(&Query::new())).await.unwrap();
    assert_eq!(crate::testing::kit::ids(&seen), ["before"]);
    transaction.commit().await.unwrap();
    let seen = store.read(|tx| tx.agents().list(&Query::new())).await.unwrap();
    assert_eq!(crate::testing::kit::ids(&seen), ["ada"]);
}

pub async fn a_writer_waits_for_the_open_transaction(subject: Subject) {
    let store = subject.store();
    let mut transaction = subject.begin().await;
    transaction.run(|tx| tx.agents().add(agent("ada"))).unwrap();
    {
        let mut waiting = pin!(store.write(|tx| tx.agents().get("ada")));
        assert!(!is_ready(waiting.as_mut()).await);
        transaction.run(|tx| tx.agents().update("ada", crate::AgentPatch::new().name("Ada"))).unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(waiting.await.unwrap().and_then(|ada| ada.name).as_deref(), Some("Ada"));
    }
}

pub async fn a_transaction_waits_for_the_open_one(subject: Subject) {
    let store = subject.store();
    let mut first = subject.begin().await;
    first.run(|tx| tx.agents().add(agent("ada"))).unwrap();
    let mut waiting = pin!(store.begin());
    assert!(!is_ready(waiting.as_mut()).await);
    first.rollback().unwrap();
    let mut second = waiting.await.unwrap();
    second.run(|tx| tx.agents().add(agent("ada"))).unwrap();
    second.commit().await.unwrap();
    assert_eq!(counts(&subject).await, (1, 0, 0));
}

pub async fn a_waiting_writer_that_gives_up_does_not_block_the_others(subject: Subject) {
    let store = subject.store();
    let transaction = subject.begin().await;
    {
        let mut given_up = pin!(store.begin());
        assert!(!is_ready(given_up.as_mut()).await);
    }
    transaction.rollback().unwrap();
    subject.add_agent(agent("ada")).await;
}

pub async fn closing_waits_for_the_open_transaction(subject: Subject) {
    let store = subject.store();
    let mut transaction = subject.begin().await;
    {
        let mut closing = pin!(store.close());
        assert!(!is_ready(closing.as_mut()).await);
        transaction.run(|tx| tx.agents().add(agent("ada"))).unwrap();
        transaction.commit().await.unwrap();
        closing.await.unwrap();
    }
    refused(store.read(|tx| tx.agents().get("ada")).await, Closed);
    if subject.keeps() {
        subject.reopen().await;
        subject.agent("ada").await;
    }
}

pub async fn a_large_transaction_that_is_rolled_back_leaves_nothing(subject: Subject) {
    subject.add_task(task("before")).await;
    let before = subject.task("before").await;
    let large = |tx: &Tx<'_>| {
        for number in 0..400 {
            let payload = json!({ "number": number, "text": "0123456789abcdef".repeat(1_500) });
            tx.tasks().add(NewTask::new("work", payload))?;
        }
        tx.tasks().update("before", crate::TaskPatch::new().queue("changed"))?;
        Err::<(), Error>(Aborted.error("never mind"))
    };
    refused(subject.write(large).await, Aborted);
    assert_eq!(counts(&subject).await, (0, 1, 0));
    assert_eq!(subject.task("before").await, before);
}

pub async fn a_large_transaction_is_kept_as_a_whole(subject: Subject) {
    let large = |tx: &Tx<'_>| {
        for number in 0..400 {
            let payload = json!({ "number": number, "text": "0123456789abcdef".repeat(500) });
            tx.tasks().add(NewTask::new("work", payload))?;
        }
        done(())
    };
    subject.write(large).await.unwrap();
    assert_eq!(counts(&subject).await, (0, 400, 0));
}

/// How many agents, tasks and events there are.
async fn counts(subject: &Subject) -> (i64, i64, i64) {
    let count =
        |tx: &Tx<'_>| done((tx.agents().count(&Query::new())?, tx.tasks().count(&Query::new())?, tx.events().count()?));
    subject.read(count).await.unwrap()
}
