//! The operations of mutable records, shown on agents; ids, versions and times.

use crate::ErrorCode::{Conflict, InvalidArgument, NotFound};
use crate::model::{Agent, AgentPatch, AgentStatus, Expected, Millis, NewAgent, Patch};
use crate::sql::Query;
use crate::testing::Subject;
use crate::testing::kit::{agent, agent_id, done, event, ids, invalid, refused, task, texts};
use serde_json::json;

pub async fn a_missing_id_becomes_a_uuid_of_version_7(subject: Subject) {
    let added = subject.add_agent(NewAgent::new("worker")).await;
    let id: uuid::Uuid = added.id.as_str().parse().expect("a UUID");
    assert_eq!(id.get_version_num(), 7);
    let (seconds, nanos) = id.get_timestamp().expect("a time").to_unix();
    let millis = seconds * 1_000 + u64::from(nanos) / 1_000_000;
    assert_eq!(millis, u64::try_from(subject.now().0).unwrap());
}

pub async fn fresh_ids_increase_also_within_a_millisecond(subject: Subject) {
    let new = vec![NewAgent::new("worker"); 50];
    let added = subject.write(move |tx| tx.agents().add_many(new.clone())).await.unwrap();
    assert!(added.windows(2).all(|pair| pair[0].id < pair[1].id));
}

pub async fn a_given_id_is_kept(subject: Subject) {
    let longest = "é".repeat(127) + "x";
    for id in ["a", " ", "'; DROP TABLE agents; --", "\u{1f41d}", &longest] {
        assert_eq!(subject.add_agent(agent(id)).await.id.as_str(), id);
        assert_eq!(subject.agent(id).await.id.as_str(), id);
    }
}

pub async fn what_was_added_reads_back_equal(subject: Subject) {
    let new = NewAgent::new("researcher")
        .id(agent_id("ada"))
        .name("Ada \u{1f41d} \u{200b}\"quoted\" \\ \n end")
        .status(AgentStatus::Idle)
        .capabilities(texts(&["search", "résumé", "a \"b\"", ""]))
        .configuration(json!({ "model": "x", "temperature": 0.25, "nested": [[], {}, null] }))
        .metadata(json!(["anything", 1, true]))
        .last_heartbeat(Millis(123));
    let added = subject.add_agent(new).await;
    assert_eq!(added.name.as_deref(), Some("Ada \u{1f41d} \u{200b}\"quoted\" \\ \n end"));
    assert_eq!(added.capabilities, ["search", "résumé", "a \"b\"", ""]);
    assert_eq!(added.metadata.to_tree(), json!(["anything", 1, true]));
    assert_eq!(added.last_heartbeat, Millis(123));
    assert_eq!(subject.agent("ada").await, added);
}

pub async fn what_is_not_given_gets_its_default(subject: Subject) {
    let added = subject.add_agent(NewAgent::new("worker").id(agent_id("ada"))).await;
    assert_eq!(added.agent_type, "worker");
    assert_eq!(added.name, None);
    assert_eq!(added.status, AgentStatus::Initializing);
    assert!(added.capabilities.is_empty());
    assert_eq!(added.configuration.as_str(), "{}");
    assert_eq!(added.metadata.as_str(), "{}");
    assert_eq!(added.terminated_at, None);
    assert_eq!((added.created_at, added.updated_at), (subject.now(), subject.now()));
    assert_eq!(added.last_heartbeat, subject.now());
    assert_eq!(added.version, 1);
}

pub async fn adding_an_existing_id_is_a_conflict_and_changes_nothing(subject: Subject) {
    let first = subject.add_agent(agent("ada")).await;
    let error = refused(subject.try_add_agent(agent("ada").name("other")).await, Conflict);
    assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("agents"), Some("ada")));
    assert_eq!(subject.agent("ada").await, first);
}

pub async fn getting_what_is_not_there_gives_nothing(subject: Subject) {
    for id in ["nobody", "", &"x".repeat(1_000)] {
        let id = id.to_owned();
        assert_eq!(subject.read(move |tx| tx.agents().get(&id)).await.unwrap(), None);
    }
}

pub async fn updating_what_is_not_there_is_not_found(subject: Subject) {
    let error = refused(update(&subject, "nobody", AgentPatch::new().name("x")).await, NotFound);
    assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("agents"), Some("nobody")));
}

pub async fn deleting_answers_whether_it_was_there(subject: Subject) {
    subject.add_agent(agent("ada")).await;
    assert!(subject.write(|tx| tx.agents().delete("ada")).await.unwrap());
    assert!(!subject.write(|tx| tx.agents().delete("ada")).await.unwrap());
    assert_eq!(subject.read(|tx| tx.agents().get("ada")).await.unwrap(), None);
}

pub async fn a_deleted_id_and_name_can_be_added_again(subject: Subject) {
    subject.add_agent(agent("ada").name("Ada")).await;
    subject.write(|tx| tx.agents().delete("ada")).await.unwrap();
    let again = subject.add_agent(agent("ada").name("Ada")).await;
    assert_eq!(again.version, 1);
}

pub async fn an_update_changes_what_it_names_and_raises_the_version(subject: Subject) {
    let before = subject.add_agent(agent("ada").name("Ada").metadata(json!({ "kept": true }))).await;
    subject.advance(5);
    let after = update(&subject, "ada", AgentPatch::new().agent_type("manager")).await.unwrap();
    let expected = Agent { agent_type: "manager".to_owned(), version: 2, updated_at: subject.now(), ..before };
    assert_eq!(after, expected);
    assert_eq!(subject.agent("ada").await, expected);
}

pub async fn clearing_makes_an_optional_field_absent_and_another_its_default(subject: Subject) {
    subject.add_agent(agent("ada").name("Ada").capabilities(texts(&["search"])).metadata(json!(1))).await;
    let mut patch = AgentPatch::new();
    patch.name = Patch::Clear;
    patch.capabilities = Patch::Clear;
    patch.metadata = Patch::Clear;
    update(&subject, "ada", patch).await.unwrap();
    let after = subject.agent("ada").await;
    assert_eq!((after.name, after.capabilities, after.metadata.as_str()), (None, vec![], "{}"));
}

pub async fn clearing_a_required_field_is_refused_by_name(subject: Subject) {
    let before = subject.add_agent(agent("ada")).await;
    let mut patch = AgentPatch::new().name("Ada");
    patch.agent_type = Patch::Clear;
    invalid(update(&subject, "ada", patch).await, "agent_type");
    assert_eq!(subject.agent("ada").await, before);
}

pub async fn an_update_with_the_right_version_is_made(subject: Subject) {
    subject.add_agent(agent("ada")).await;
    let patch = AgentPatch::new().name("Ada");
    let updated = subject.write(move |tx| tx.agents().update_if_version("ada", 1, patch.clone())).await.unwrap();
    assert_eq!(updated.version, 2);
}

pub async fn an_update_with_an_old_version_is_a_conflict_that_tells_the_actual_one(subject: Subject) {
    subject.add_agent(agent("ada")).await;
    let before = update(&subject, "ada", AgentPatch::new().name("Ada")).await.unwrap();
    let late = subject.write(|tx| tx.agents().update_if_version("ada", 1, AgentPatch::new().name("Late"))).await;
    assert_eq!(refused(late, Conflict).detail().actual, Some(2));
    assert_eq!(subject.agent("ada").await, before);
}

pub async fn putting_adds_what_is_not_there(subject: Subject) {
    let put = subject.write(|tx| tx.agents().put(agent("ada").name("Ada"))).await.unwrap();
    assert_eq!((put.version, put.name.as_deref()), (1, Some("Ada")));
    let unnamed = subject.write(|tx| tx.agents().put(NewAgent::new("worker"))).await.unwrap();
    assert_ne!(unnamed.id, put.id);
}

pub async fn putting_replaces_the_whole_of_what_is_there(subject: Subject) {
    let first = subject.add_agent(agent("ada").name("Ada").capabilities(texts(&["search"]))).await;
    subject.advance(5);
    let put = subject.write(|tx| tx.agents().put(NewAgent::new("manager").id(agent_id("ada")))).await.unwrap();
    assert_eq!((put.agent_type.as_str(), put.name.as_ref(), put.capabilities.len()), ("manager", None, 0));
    assert_eq!((put.created_at, put.updated_at, put.version), (first.created_at, subject.now(), 2));
    assert_eq!(subject.agent("ada").await, put);
}

pub async fn a_text_that_is_looked_up_has_at_most_1024_bytes(subject: Subject) {
    // Nothing that could be made shorter by compressing it.
    let mut state = 1_u64;
    let mut text = |bytes: usize| -> String {
        let letter = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'!' + u8::try_from(state >> 33 & 0x3f).unwrap_or(0))
        };
        (0..bytes).map(letter).collect()
    };
    let (fits, long) = (text(1_024), text(1_025));
    subject.add_agent(agent("a").name(fits.clone())).await;
    subject.add_task(task("t").queue(fits.clone()).unique_key(fits.clone())).await;
    subject.append("s", vec![event("e").correlation_id(fits)], Expected::Any).await.unwrap();
    invalid(subject.try_add_agent(agent("b").name(long.clone())).await, "name");
    // Before anybody looks whether the name is free.
    for name in [long.clone(), "a\0b".to_owned()] {
        let (put, patch) = (agent("a").name(name.clone()), AgentPatch::new().name(name));
        invalid(subject.write(move |tx| tx.agents().put(put.clone())).await, "name");
        invalid(subject.write(move |tx| tx.agents().update("a", patch.clone())).await, "name");
    }
    invalid(subject.try_add_task(task("u").queue(long.clone())).await, "queue");
    invalid(subject.try_add_task(task("u").unique_key(long.clone())).await, "unique_key");
    let appended = subject.append("s", vec![event("e").correlation_id(long)], Expected::Any).await;
    invalid(appended, "correlation_id");
}

pub async fn adding_many_gives_them_in_the_order_given(subject: Subject) {
    let added = subject.write(|tx| tx.agents().add_many(["c", "a", "b"].map(agent))).await.unwrap();
    assert_eq!(ids(&added), ["c", "a", "b"]);
    assert_eq!(count(&subject).await, 3);
}

pub async fn adding_many_is_all_or_nothing_and_names_the_row_that_failed(subject: Subject) {
    subject.add_agent(agent("b")).await;
    let error = refused(subject.write(|tx| tx.agents().add_many(["a", "c", "b", "d"].map(agent))).await, Conflict);
    assert_eq!((error.detail().index, error.detail().id.as_deref()), (Some(2), Some("b")));
    assert_eq!(count(&subject).await, 1);
}

pub async fn putting_many_is_all_or_nothing_and_names_the_row_that_failed(subject: Subject) {
    subject.add_agent(agent("a").name("Ada")).await;
    let put = |tx: &crate::Tx<'_>| tx.agents().put_many([agent("b"), agent("a"), agent("c").name("Ada"), agent("c")]);
    let added = subject.write(put).await.unwrap();
    assert_eq!(ids(&added), ["b", "a", "c", "c"]);
    assert_eq!(added[3].version, 2);

    let error =
        refused(subject.write(|tx| tx.agents().put_many([agent("d").name("D"), agent("e").name("D")])).await, Conflict);
    assert_eq!(error.detail().index, Some(1));
    assert_eq!(count(&subject).await, 3);
}

pub async fn updating_many_is_all_or_nothing_and_names_the_row_that_failed(subject: Subject) {
    let before = subject.add_agent(agent("a")).await;
    let patch = || AgentPatch::new().agent_type("manager");
    let error = refused(
        subject.write(move |tx| tx.agents().update_many([("a", patch()), ("nobody", patch())])).await,
        NotFound,
    );
    assert_eq!(error.detail().index, Some(1));
    assert_eq!(subject.agent("a").await, before);

    let updated = subject.write(move |tx| tx.agents().update_many([("a", patch()), ("a", patch())])).await.unwrap();
    assert_eq!((updated[0].version, updated[1].version), (2, 3));
}

pub async fn deleting_many_skips_what_is_not_there(subject: Subject) {
    subject.write(|tx| tx.agents().add_many(["a", "b", "c"].map(agent))).await.unwrap();
    let deleted = subject.write(|tx| tx.agents().delete_many(["a", "nobody", "c", "a"])).await.unwrap();
    assert_eq!((deleted, count(&subject).await), (2, 1));
}

pub async fn many_of_nothing_is_nothing(subject: Subject) {
    let nothing = |tx: &crate::Tx<'_>| {
        let agents = tx.agents();
        let updated = agents.update_many(Vec::<(String, AgentPatch)>::new())?.len();
        let deleted = agents.delete_many(Vec::<String>::new())?;
        done((agents.add_many([])?.len(), agents.put_many([])?.len(), updated, deleted))
    };
    assert_eq!(subject.write(nothing).await.unwrap(), (0, 0, 0, 0));
}

pub async fn times_in_the_future_and_the_past_are_data(subject: Subject) {
    for (id, time) in [("far", crate::model::MAX_INTEGER), ("early", -crate::model::MAX_INTEGER), ("epoch", 0)] {
        subject.add_agent(agent(id).last_heartbeat(Millis(time))).await;
        assert_eq!(subject.agent(id).await.last_heartbeat, Millis(time));
    }
}

pub async fn an_integer_beyond_2_to_the_53_is_refused_by_name(subject: Subject) {
    for time in [crate::model::MAX_INTEGER + 1, i64::MAX, i64::MIN] {
        invalid(subject.try_add_agent(agent("ada").last_heartbeat(Millis(time))).await, "last_heartbeat");
    }
    assert_eq!(count(&subject).await, 0);
}

pub async fn text_with_nul_is_refused_by_name(subject: Subject) {
    invalid(subject.try_add_agent(agent("ada").name("a\0b")).await, "name");
    refused(subject.try_add_agent(NewAgent::new("\0")).await, InvalidArgument);
    assert_eq!(count(&subject).await, 0);
}

pub async fn columns_and_what_readers_read_change_together(subject: Subject) {
    subject.add_agent(agent("ada")).await;
    update(&subject, "ada", AgentPatch::new().status(AgentStatus::Busy).name("Ada")).await.unwrap();
    let busy = Query::new().filter(Agent::STATUS.eq(AgentStatus::Busy)).filter(Agent::NAME.eq("Ada"));
    let found = subject.read(move |tx| tx.agents().list(&busy)).await.unwrap();
    assert_eq!((found[0].status, found[0].name.as_deref()), (AgentStatus::Busy, Some("Ada")));
    let old = Query::new().filter(Agent::STATUS.eq(AgentStatus::Initializing));
    assert_eq!(subject.read(move |tx| tx.agents().count(&old)).await.unwrap(), 0);
}

async fn update(subject: &Subject, id: &'static str, patch: AgentPatch) -> crate::Result<Agent> {
    subject.write(move |tx| tx.agents().update(id, patch.clone())).await
}

async fn count(subject: &Subject) -> i64 {
    subject.read(|tx| tx.agents().count(&Query::new())).await.unwrap()
}
