//! What is particular to agents.

use crate::ErrorCode::{Conflict, LeaseLost, NotFound};
use crate::model::{Agent, AgentPatch, AgentStatus, Claim, Expected, Swept, TaskStatus};
use crate::testing::Subject;
use crate::testing::kit::{agent, agent_id, event, invalid, refused, task, task_after, task_id, texts};
use crate::{Error, Result};

pub async fn no_two_agents_have_the_same_name(subject: Subject) {
    subject.add_agent(agent("ada").name("Ada")).await;
    let error = refused(subject.try_add_agent(agent("eve").name("Ada")).await, Conflict);
    assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("agents"), Some("ada")));
    subject.add_agent(agent("eve").name("ada")).await;
}

pub async fn an_update_or_put_to_a_taken_name_is_a_conflict(subject: Subject) {
    subject.add_agent(agent("ada").name("Ada")).await;
    let eve = subject.add_agent(agent("eve").name("Eve")).await;
    refused(subject.write(|tx| tx.agents().update("eve", AgentPatch::new().name("Ada"))).await, Conflict);
    refused(subject.write(|tx| tx.agents().put(agent("eve").name("Ada"))).await, Conflict);
    assert_eq!(subject.agent("eve").await, eve);
    subject.write(|tx| tx.agents().put(agent("eve").name("Eve"))).await.unwrap();
}

pub async fn agents_without_a_name_do_not_clash(subject: Subject) {
    subject.add_agent(agent("ada")).await;
    subject.add_agent(agent("eve")).await;
}

pub async fn a_terminated_agent_has_the_time_of_its_end(subject: Subject) {
    subject.add_agent(agent("ada")).await;
    subject.advance(7);
    set_status(&subject, AgentStatus::Terminated).await.unwrap();
    assert_eq!(subject.agent("ada").await.terminated_at, Some(subject.now()));
    let born_dead = subject.add_agent(agent("eve").status(AgentStatus::Terminated)).await;
    assert_eq!(born_dead.terminated_at, Some(subject.now()));
}

pub async fn terminated_is_final(subject: Subject) {
    subject.add_agent(agent("ada").status(AgentStatus::Terminated)).await;
    for status in AgentStatus::ALL {
        if *status != AgentStatus::Terminated {
            refused(set_status(&subject, *status).await, Conflict);
            refused(subject.write(move |tx| tx.agents().put(agent("ada").status(*status))).await, Conflict);
        }
    }
    set_status(&subject, AgentStatus::Terminated).await.unwrap();
    subject.write(|tx| tx.agents().update("ada", AgentPatch::new().name("Ada"))).await.unwrap();
    assert_eq!(subject.agent("ada").await.status, AgentStatus::Terminated);
}

pub async fn any_other_state_may_follow_any_other(subject: Subject) {
    subject.add_agent(agent("ada")).await;
    for from in AgentStatus::ALL.iter().filter(|status| **status != AgentStatus::Terminated) {
        for to in AgentStatus::ALL.iter().filter(|status| **status != AgentStatus::Terminated) {
            set_status(&subject, *from).await.unwrap();
            set_status(&subject, *to).await.unwrap();
        }
    }
    assert_eq!(subject.agent("ada").await.terminated_at, None);
}

pub async fn deleting_an_agent_gives_its_tasks_back(subject: Subject) {
    subject.arrange(&["assigned", "running"]).await;
    let tasks = subject.claim_many("ada", Claim::default().limit(2)).await;
    subject.start(&tasks[1]).await.unwrap();
    subject.write(|tx| tx.agents().delete("ada")).await.unwrap();
    for id in ["assigned", "running"] {
        let task = subject.task(id).await;
        assert_eq!((task.status, task.attempt, task.agent_id), (TaskStatus::Pending, 0, None));
        assert_eq!((task.lease_token, task.lease_expires_at), (None, None));
        assert_eq!((task.assigned_at, task.started_at), (None, None));
        assert!(task.errors.is_empty());
    }
    subject.add_agent(agent("eve")).await;
    assert_eq!(subject.claim_ids("eve", Claim::default().limit(9)).await, ["assigned", "running"]);
}

pub async fn a_lease_that_had_expired_when_its_agent_is_deleted_counts_as_a_failed_attempt(subject: Subject) {
    let last = || task("last").max_retries(0_u32);
    subject.arrange_tasks(vec![task("again"), last(), task_after("lost", &["last"]), task("live")]).await;
    let claimed = subject.claim_many("ada", Claim::default().limit(3)).await;
    let live = claimed.iter().find(|task| task.id.as_str() == "live").unwrap();
    subject.extend(live, 60_001).await.unwrap();
    subject.advance(60_000);
    subject.write(|tx| tx.agents().delete("ada")).await.unwrap();
    let seen = async |id| {
        let task = subject.task(id).await;
        (
            task.status,
            task.attempt,
            task.errors.into_iter().map(|error| error.message).collect::<Vec<_>>(),
            task.agent_id,
        )
    };
    assert_eq!(seen("again").await, (TaskStatus::Pending, 1, vec!["lease expired".to_owned()], None));
    assert_eq!(seen("last").await, (TaskStatus::Failed, 1, vec!["lease expired".to_owned()], None));
    assert_eq!(seen("live").await, (TaskStatus::Pending, 0, vec![], None));
    assert_eq!(subject.status("lost").await, TaskStatus::Cancelled);
}

pub async fn deleting_an_agent_leaves_what_it_finished(subject: Subject) {
    let task = subject.claimed(task("t")).await;
    let before = subject.complete(&task).await.unwrap();
    assert!(before.agent_id.is_some());
    subject.write(|tx| tx.agents().delete("ada")).await.unwrap();
    let after = subject.task("t").await;
    assert_eq!((after.status, after.agent_id), (TaskStatus::Completed, None));
    assert_eq!(after.completed_at, before.completed_at);
}

pub async fn the_events_of_an_agent_outlive_it(subject: Subject) {
    let ada = subject.add_agent(agent("ada")).await;
    subject.append("s", vec![event("did").agent_id(ada.id)], Expected::Any).await.unwrap();
    subject.write(|tx| tx.agents().delete("ada")).await.unwrap();
    let events = subject.read_stream("s", crate::ReadStream::default()).await;
    assert_eq!(events[0].agent_id.as_ref().map(AsRef::as_ref), Some("ada"));
}

pub async fn putting_an_agent_takes_nothing_from_its_tasks(subject: Subject) {
    let before = subject.claimed(task("t")).await;
    subject.write(|tx| tx.agents().put(agent("ada").name("Ada"))).await.unwrap();
    assert_eq!(subject.task("t").await, before);
    subject.complete(&before).await.unwrap();
}

pub async fn a_heartbeat_is_the_time_of_its_sending_and_no_new_version(subject: Subject) {
    let before = subject.add_agent(agent("ada").status(AgentStatus::Busy)).await;
    subject.advance(7);
    let beaten = heartbeat(&subject, "ada").await.unwrap();
    assert_eq!(beaten.last_heartbeat, subject.now());
    assert_eq!(subject.agent("ada").await, beaten);
    let others = |agent: Agent| (agent.status, agent.version, agent.updated_at);
    assert_eq!(others(beaten), others(before));
}

pub async fn a_heartbeat_brings_a_failed_agent_back_to_idle(subject: Subject) {
    let before = subject.add_agent(agent("ada").status(AgentStatus::Failed)).await;
    subject.advance(7);
    let back = heartbeat(&subject, "ada").await.unwrap();
    assert_eq!((back.status, back.last_heartbeat), (AgentStatus::Idle, subject.now()));
    assert_eq!((back.version, back.updated_at), (before.version + 1, subject.now()));
    assert_eq!(subject.agent("ada").await, back);
    subject.add_task(task("t")).await;
    assert_eq!(subject.claim_ids("ada", Claim::default()).await, ["t"]);
}

pub async fn a_heartbeat_changes_no_other_status(subject: Subject) {
    for status in AgentStatus::ALL {
        if !matches!(status, AgentStatus::Failed | AgentStatus::Terminated) {
            subject.add_agent(agent(status.as_str()).status(*status)).await;
            assert_eq!(heartbeat(&subject, status.as_str()).await.unwrap().status, *status);
        }
    }
}

pub async fn a_heartbeat_of_a_terminated_agent_is_a_conflict(subject: Subject) {
    let before = subject.add_agent(agent("ada").status(AgentStatus::Terminated)).await;
    subject.advance(7);
    let error = refused(heartbeat(&subject, "ada").await, Conflict);
    assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("agents"), Some("ada")));
    assert_eq!(subject.agent("ada").await, before);
}

pub async fn a_heartbeat_or_status_of_an_unknown_agent_is_not_found(subject: Subject) {
    for error in [
        refused(heartbeat(&subject, "ada").await, NotFound),
        refused(set_status(&subject, AgentStatus::Idle).await, NotFound),
    ] {
        assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("agents"), Some("ada")));
    }
}

pub async fn setting_the_status_changes_nothing_else(subject: Subject) {
    let before = subject.add_agent(agent("ada").name("Ada").capabilities(texts(&["see"]))).await;
    subject.advance(7);
    let after = set_status(&subject, AgentStatus::Paused).await.unwrap();
    let expected = Agent { status: AgentStatus::Paused, version: 2, updated_at: subject.now(), ..before };
    assert_eq!(after, expected);
    assert_eq!(subject.agent("ada").await, expected);
}

pub async fn a_stale_agent_is_silent_for_longer_than_was_asked_for(subject: Subject) {
    for id in ["first", "second", "third"] {
        subject.add_agent(agent(id)).await;
        subject.advance(10);
    }
    // They were heard of 30, 20 and 10 milliseconds ago.
    assert_eq!(stale(&subject, 30).await, Vec::<String>::new());
    assert_eq!(stale(&subject, 29).await, ["first"]);
    assert_eq!(stale(&subject, 19).await, ["first", "second"]);
    assert_eq!(stale(&subject, 0).await, ["first", "second", "third"]);
    heartbeat(&subject, "first").await.unwrap();
    assert_eq!(stale(&subject, 0).await, ["second", "third"]);
    subject.advance(1);
    assert_eq!(stale(&subject, 0).await, ["second", "third", "first"]);
    assert_eq!(stale(&subject, crate::MAX_INTEGER).await, Vec::<String>::new());
}

pub async fn failed_and_terminated_agents_are_not_stale(subject: Subject) {
    for status in AgentStatus::ALL {
        subject.add_agent(agent(status.as_str()).status(*status)).await;
    }
    subject.advance(1);
    assert_eq!(stale(&subject, 0).await, ["active", "busy", "idle", "initializing", "paused"]);
}

pub async fn stale_since_less_than_no_time_is_refused(subject: Subject) {
    invalid(subject.read(|tx| tx.agents().stale(-1)).await, "older_than_ms");
    invalid(subject.write(|tx| tx.agents().sweep_stale(-1)).await, "older_than_ms");
}

pub async fn a_sweep_marks_the_stale_failed_and_nobody_else(subject: Subject) {
    subject.add_agent(agent("ada").status(AgentStatus::Busy)).await;
    subject.add_agent(agent("gone").status(AgentStatus::Terminated)).await;
    let given_up = subject.add_agent(agent("given up").status(AgentStatus::Failed)).await;
    subject.advance(1_000);
    let alive = subject.add_agent(agent("eve").status(AgentStatus::Busy)).await;
    let swept = sweep(&subject, 999).await;
    assert_eq!((swept.agents, swept.tasks), (vec![agent_id("ada")], Vec::new()));
    let ada = subject.agent("ada").await;
    assert_eq!((ada.status, ada.version, ada.updated_at), (AgentStatus::Failed, 2, subject.now()));
    assert_eq!(ada.last_heartbeat, ada.created_at);
    assert_eq!((subject.agent("eve").await, subject.agent("given up").await), (alive, given_up));
    assert!(sweep(&subject, 999).await.agents.is_empty());
}

pub async fn a_sweep_gives_the_tasks_of_the_stale_back_at_once(subject: Subject) {
    let backoff = crate::Backoff::fixed(60_000);
    subject
        .arrange_tasks(vec![task("assigned").backoff(backoff), task("running").backoff(backoff), task("done")])
        .await;
    subject.add_agent(agent("eve")).await;
    let tasks = subject.claim_many("ada", Claim::default().limit(3).lease_ms(1_000_000)).await;
    subject.complete(&tasks[1]).await.unwrap();
    subject.start(&tasks[2]).await.unwrap();
    subject.add_task(task("hers")).await;
    let hers = subject.claim_many("eve", Claim::default().lease_ms(1_000_000)).await.remove(0);
    subject.advance(1_000);
    heartbeat(&subject, "eve").await.unwrap();

    let swept = sweep(&subject, 999).await;
    assert_eq!((swept.agents, swept.tasks), (vec![agent_id("ada")], vec![task_id("assigned"), task_id("running")]));
    for id in ["assigned", "running"] {
        let task = subject.task(id).await;
        assert_eq!((task.status, task.attempt, task.agent_id), (TaskStatus::Pending, 1, None));
        assert_eq!((task.lease_token, task.lease_expires_at), (None, None));
        let errors: Vec<_> = task.errors.iter().map(|error| (error.attempt, error.at, &*error.message)).collect();
        assert_eq!(errors, [(1, subject.now(), "agent stale")]);
    }
    assert_eq!(subject.status("done").await, TaskStatus::Completed);
    assert_eq!(subject.task("hers").await, hers);
    refused(subject.complete(&tasks[0]).await, LeaseLost);
    assert_eq!(subject.claim_ids("eve", Claim::default().limit(9)).await, ["assigned", "running"]);
}

pub async fn a_task_that_kills_its_workers_ends_as_a_dead_letter_by_sweeps_as_well(subject: Subject) {
    subject.arrange_tasks(vec![task("t").max_retries(1_u32), task_after("waits", &["t"])]).await;
    for attempt in 1..=2 {
        assert_eq!(subject.status("t").await, TaskStatus::Pending, "before attempt {attempt}");
        subject.claim_many("ada", Claim::default().lease_ms(1_000_000)).await;
        subject.advance(1_000);
        assert_eq!(sweep(&subject, 999).await.tasks, [task_id("t")]);
        heartbeat(&subject, "ada").await.unwrap();
    }
    let dead = subject.task("t").await;
    assert_eq!((dead.status, dead.attempt, dead.errors.len()), (TaskStatus::Failed, 2, 2));
    assert_eq!(subject.status("waits").await, TaskStatus::Cancelled);
    assert!(subject.nothing_for("ada").await);
}

pub async fn a_sweep_that_is_rolled_back_leaves_agents_and_tasks_as_they_were(subject: Subject) {
    let claimed = subject.claimed(task("t")).await;
    subject.advance(1_000);
    let before = subject.agent("ada").await;
    let outcome: Result<(), Error> = subject
        .write(|tx| {
            assert_eq!(tx.agents().sweep_stale(0)?.tasks.len(), 1);
            assert_eq!(tx.agents().get("ada")?.map(|ada| ada.status), Some(AgentStatus::Failed));
            Err(Error::invalid("x", "no"))
        })
        .await;
    invalid(outcome, "x");
    assert_eq!((subject.agent("ada").await, subject.task("t").await), (before, claimed));
}

async fn heartbeat(subject: &Subject, id: &str) -> Result<Agent> {
    let id = agent_id(id);
    subject.write(move |tx| tx.agents().heartbeat(&id)).await
}

async fn stale(subject: &Subject, older_than_ms: i64) -> Vec<String> {
    let stale = subject.read(move |tx| tx.agents().stale(older_than_ms)).await.expect("a read");
    stale.into_iter().map(|agent| agent.id.to_string()).collect()
}

async fn sweep(subject: &Subject, older_than_ms: i64) -> Swept {
    subject.write(move |tx| tx.agents().sweep_stale(older_than_ms)).await.expect("a sweep")
}

async fn set_status(subject: &Subject, status: AgentStatus) -> Result<Agent> {
    subject.write(move |tx| tx.agents().set_status(&agent_id("ada"), status)).await
}
