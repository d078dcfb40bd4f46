//! Groups of agents, and who belongs to them.

use crate::ErrorCode::{Conflict, NotFound};
use crate::Result;
use crate::model::{AgentId, Group, GroupId, GroupPatch, Membership, NewGroup};
use crate::sql::{Order, Query};
use crate::testing::Subject;
use crate::testing::kit::{agent, agent_id, done, ids, invalid, refused};
use serde_json::json;

pub async fn what_was_added_reads_back_equal(subject: Subject) {
    let new = group("g").configuration(json!({ "quorum": 2, "nested": [null, 0.5] }));
    let added = subject.write(move |tx| tx.groups().add(new.clone())).await.unwrap();
    assert_eq!((&*added.name, &*added.group_type), ("the g", "team"));
    assert_eq!(added.configuration.to_tree(), json!({ "quorum": 2, "nested": [null, 0.5] }));
    assert_eq!((added.created_at, added.updated_at, added.version), (subject.now(), subject.now(), 1));
    assert_eq!(get(&subject, "g").await, Some(added));
}

pub async fn what_is_not_given_gets_its_default(subject: Subject) {
    let added = subject.write(|tx| tx.groups().add(NewGroup::new("readers", "team"))).await.unwrap();
    assert_eq!(added.configuration.as_str(), "{}");
    assert_eq!(added.id.as_str().parse::<uuid::Uuid>().expect("a UUID").get_version_num(), 7);
}

pub async fn a_group_has_the_operations_of_every_record(subject: Subject) {
    let added =
        subject.write(|tx| tx.groups().add_many([group("a"), group("b"), group("c").name_of("third")])).await.unwrap();
    assert_eq!(ids(&added), ["a", "b", "c"]);
    subject.advance(5);
    let updated = subject.write(|tx| tx.groups().update("a", GroupPatch::new().group_type("crew"))).await.unwrap();
    assert_eq!((&*updated.group_type, updated.version, updated.updated_at), ("crew", 2, subject.now()));
    let old = subject.write(|tx| tx.groups().update_if_version("a", 1, GroupPatch::new().name("x"))).await;
    assert_eq!(refused(old, Conflict).detail().actual, Some(2));
    let put = subject.write(|tx| tx.groups().put_many([group("b").configuration(json!([1])), group("d")])).await;
    assert_eq!(put.unwrap().iter().map(|group| group.version).collect::<Vec<_>>(), [2, 1]);
    subject.write(|tx| tx.groups().update_many([("b", GroupPatch::new().name("B"))])).await.unwrap();
    let found = subject
        .read(|tx| {
            let crews = Query::new().filter(Group::GROUP_TYPE.eq("team")).order_by(Group::NAME, Order::Ascending);
            done((tx.groups().list(&crews)?, tx.groups().count(&crews)?))
        })
        .await
        .unwrap();
    assert_eq!((ids(&found.0), found.1), (vec!["b", "d", "c"], 3));
    assert_eq!(subject.write(|tx| tx.groups().delete_many(["a", "nobody", "b"])).await.unwrap(), 2);
    assert!(subject.write(|tx| tx.groups().delete("c")).await.unwrap());
    assert!(!subject.write(|tx| tx.groups().delete("c")).await.unwrap());
    refused(subject.write(|tx| tx.groups().update("c", GroupPatch::new())).await, NotFound);
    assert_eq!(get(&subject, "c").await, None);
}

pub async fn no_two_groups_have_the_same_name(subject: Subject) {
    add(&subject, "g").await;
    for error in [
        refused(subject.write(|tx| tx.groups().add(group("h").name_of("the g"))).await, Conflict),
        refused(subject.write(|tx| tx.groups().add(group("g").name_of("other"))).await, Conflict),
    ] {
        assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("agent_groups"), Some("g")));
    }
    add(&subject, "h").await;
    refused(subject.write(|tx| tx.groups().update("h", GroupPatch::new().name("the g"))).await, Conflict);
    refused(subject.write(|tx| tx.groups().put(group("h").name_of("the g"))).await, Conflict);
    subject.write(|tx| tx.groups().put(group("h").name_of("The g"))).await.unwrap();
}

pub async fn a_name_of_a_group_has_at_most_1024_bytes(subject: Subject) {
    let longest = "é".repeat(512);
    let long = format!("{longest}x");
    invalid(subject.write(move |tx| tx.groups().add(NewGroup::new(long.clone(), "team"))).await, "name");
    let added = subject.write(move |tx| tx.groups().add(NewGroup::new(longest.clone(), "team"))).await.unwrap();
    assert_eq!(added.name.len(), 1_024);
}

pub async fn an_agent_joins_in_a_role_or_in_none(subject: Subject) {
    arrange(&subject).await;
    join(&subject, "g", "eve", None).await.unwrap();
    subject.advance(5);
    join(&subject, "g", "ada", Some("lead \u{1f41d}")).await.unwrap();
    let now = subject.now();
    assert_eq!(
        members(&subject, "g").await,
        [member("eve", None, now.plus(-5)), member("ada", Some("lead \u{1f41d}"), now),]
    );
    assert_eq!(members(&subject, "h").await, []);
}

pub async fn joining_again_changes_the_role_and_not_the_time(subject: Subject) {
    arrange(&subject).await;
    let joined = subject.now();
    for role in [Some("reader"), Some("writer"), None, Some("")] {
        join(&subject, "g", "ada", role).await.unwrap();
        subject.advance(5);
        assert_eq!(members(&subject, "g").await, [member("ada", role, joined)]);
    }
    assert_eq!(get(&subject, "g").await.unwrap().version, 1);
}

pub async fn an_unknown_group_or_agent_cannot_be_joined(subject: Subject) {
    arrange(&subject).await;
    let error = refused(join(&subject, "nowhere", "ada", None).await, NotFound);
    assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("agent_groups"), Some("nowhere")));
    let error = refused(join(&subject, "g", "nobody", None).await, NotFound);
    assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("agents"), Some("nobody")));
    assert_eq!(members(&subject, "g").await, []);
}

pub async fn a_role_with_nul_is_refused_by_name(subject: Subject) {
    arrange(&subject).await;
    invalid(join(&subject, "g", "ada", Some("a\0b")).await, "role");
    assert_eq!(members(&subject, "g").await, []);
}

pub async fn leaving_answers_whether_there_was_a_membership(subject: Subject) {
    arrange(&subject).await;
    join(&subject, "g", "ada", None).await.unwrap();
    join(&subject, "h", "ada", None).await.unwrap();
    assert!(leave(&subject, "g", "ada").await);
    assert!(!leave(&subject, "g", "ada").await);
    assert!(!leave(&subject, "g", "nobody").await);
    assert!(!leave(&subject, "nowhere", "ada").await);
    assert_eq!((members(&subject, "g").await.len(), members(&subject, "h").await.len()), (0, 1));
    subject.advance(5);
    join(&subject, "g", "ada", None).await.unwrap();
    assert_eq!(members(&subject, "g").await, [member("ada", None, subject.now())]);
}

pub async fn the_groups_of_an_agent_are_found(subject: Subject) {
    arrange(&subject).await;
    join(&subject, "h", "ada", None).await.unwrap();
    join(&subject, "g", "ada", Some("lead")).await.unwrap();
    join(&subject, "h", "eve", None).await.unwrap();
    assert_eq!(groups_of(&subject, "ada").await, ["g", "h"]);
    assert_eq!(groups_of(&subject, "eve").await, ["h"]);
    assert_eq!(groups_of(&subject, "nobody").await, Vec::<String>::new());
}

pub async fn a_deleted_group_takes_its_memberships_with_it(subject: Subject) {
    arrange(&subject).await;
    join(&subject, "g", "ada", None).await.unwrap();
    join(&subject, "h", "ada", None).await.unwrap();
    subject.write(|tx| tx.groups().delete("g")).await.unwrap();
    assert_eq!(groups_of(&subject, "ada").await, ["h"]);
    add(&subject, "g").await;
    assert_eq!(members(&subject, "g").await, []);
    assert_eq!(subject.agent("ada").await.version, 1);
}

pub async fn a_deleted_agent_loses_its_memberships(subject: Subject) {
    arrange(&subject).await;
    join(&subject, "g", "ada", None).await.unwrap();
    join(&subject, "g", "eve", None).await.unwrap();
    subject.write(|tx| tx.agents().delete("ada")).await.unwrap();
    assert_eq!(members(&subject, "g").await, [member("eve", None, subject.now())]);
    subject.add_agent(agent("ada")).await;
    assert_eq!(groups_of(&subject, "ada").await, Vec::<String>::new());
}

pub async fn putting_a_group_or_an_agent_keeps_its_memberships(subject: Subject) {
    arrange(&subject).await;
    join(&subject, "g", "ada", Some("lead")).await.unwrap();
    subject.write(|tx| tx.groups().put(group("g").name_of("renamed"))).await.unwrap();
    subject.write(|tx| tx.agents().put(agent("ada").name("Ada"))).await.unwrap();
    assert_eq!(members(&subject, "g").await, [member("ada", Some("lead"), subject.now())]);
}

fn group(id: &str) -> NewGroup {
    NewGroup::new(format!("the {id}"), "team").id(GroupId::new(id).expect("an id"))
}

impl NewGroup {
    fn name_of(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }
}

fn member(agent: &str, role: Option<&str>, joined_at: crate::Millis) -> Membership {
    Membership::new(agent_id(agent), role.map(str::to_owned), joined_at)
}

fn pair(group: &str, agent: &str) -> (GroupId, AgentId) {
    (GroupId::new(group).expect("an id"), agent_id(agent))
}

/// The agents `ada` and `eve` and the groups `g` and `h`.
async fn arrange(subject: &Subject) {
    for id in ["ada", "eve"] {
        subject.add_agent(agent(id)).await;
    }
    for id in ["g", "h"] {
        add(subject, id).await;
    }
}

async fn add(subject: &Subject, id: &'static str) -> Group {
    subject.write(move |tx| tx.groups().add(group(id))).await.expect("a group is added")
}

async fn get(subject: &Subject, id: &'static str) -> Option<Group> {
    subject.read(move |tx| tx.groups().get(id)).await.expect("a read")
}

async fn join(subject: &Subject, group: &str, agent: &str, role: Option<&str>) -> Result<()> {
    let ((group, agent), role) = (pair(group, agent), role.map(str::to_owned));
    subject.write(move |tx| tx.groups().join(&group, &agent, role.as_deref())).await
}

async fn leave(subject: &Subject, group: &str, agent: &str) -> bool {
    let (group, agent) = pair(group, agent);
    subject.write(move |tx| tx.groups().leave(&group, &agent)).await.expect("an answer")
}

async fn members(subject: &Subject, group: &str) -> Vec<Membership> {
    let group = GroupId::new(group).expect("an id");
    subject.read(move |tx| tx.groups().members(&group)).await.expect("a read")
}

async fn groups_of(subject: &Subject, agent: &str) -> Vec<String> {
    let agent = agent_id(agent);
    let groups = subject.read(move |tx| tx.groups().of(&agent)).await.expect("a read");
    groups.into_iter().map(|group| group.id.to_string()).collect()
}
