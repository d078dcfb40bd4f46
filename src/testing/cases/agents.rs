//! What is particular to agents.

use crate::ErrorCode::Conflict;
use crate::model::{AgentPatch, AgentStatus, Claim, Expected, TaskStatus};
use crate::testing::Subject;
use crate::testing::kit::{agent, event, refused, task};

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

async fn set_status(subject: &Subject, status: AgentStatus) -> crate::Result<crate::Agent> {
    subject.write(move |tx| tx.agents().update("ada", AgentPatch::new().status(status))).await
}
