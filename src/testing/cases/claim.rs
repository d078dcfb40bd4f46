//! Who is given which task, in which order.

use crate::ErrorCode::{Conflict, NotFound};
use crate::model::{AgentStatus, Claim, Millis, Priority, TaskPatch, TaskStatus, TrustOperation};
use crate::testing::Subject;
use crate::testing::kit::{agent, ids, invalid, no_backoff, refused, task, task_after, texts};

pub async fn a_claimed_task_is_assigned_and_held_by_a_lease(subject: Subject) {
    subject.arrange(&["t"]).await;
    subject.advance(10);
    let claimed = subject.claim_many("ada", Claim::default().lease_ms(5_000)).await.remove(0);
    assert_eq!((claimed.status, claimed.attempt, claimed.version), (TaskStatus::Assigned, 1, 2));
    assert_eq!(claimed.agent_id.as_ref().map(AsRef::as_ref), Some("ada"));
    assert!(claimed.lease_token.as_ref().is_some_and(|token| token.len() >= 16));
    assert_eq!(claimed.lease_expires_at, Some(subject.now().plus(5_000)));
    assert_eq!((claimed.assigned_at, claimed.started_at), (Some(subject.now()), None));
    assert_eq!(claimed.updated_at, subject.now());
}

pub async fn a_claimed_task_is_visible_at_once_to_every_read(subject: Subject) {
    subject.arrange(&["t"]).await;
    let claimed = subject.claim("ada").await;
    assert_eq!(subject.task("t").await, claimed);
    let assigned = crate::Query::new().filter(crate::Task::STATUS.eq(TaskStatus::Assigned));
    assert_eq!(subject.read(move |tx| tx.tasks().list(&assigned)).await.unwrap(), [claimed]);
}

pub async fn a_claim_is_for_one_task_and_a_minute_by_default(subject: Subject) {
    subject.arrange(&["a", "b"]).await;
    let claimed = subject.claim_many("ada", Claim::default()).await;
    assert_eq!(ids(&claimed), ["a"]);
    assert_eq!(claimed[0].lease_expires_at, Some(subject.now().plus(60_000)));
}

pub async fn nothing_to_do_is_no_error(subject: Subject) {
    subject.arrange(&[]).await;
    assert!(subject.nothing_for("ada").await);
}

pub async fn the_highest_priority_is_claimed_first(subject: Subject) {
    let tasks = [("a", Priority::LOW), ("b", Priority::CRITICAL), ("c", Priority::MEDIUM), ("d", Priority::HIGH)];
    subject.arrange_tasks(tasks.map(|(id, priority)| task(id).priority(priority)).to_vec()).await;
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(9)).await, ["b", "d", "c", "a"]);
}

pub async fn of_one_priority_the_earliest_run_at_is_claimed_first(subject: Subject) {
    let now = subject.now();
    let tasks = [("a", -1), ("b", -3), ("c", -2)].map(|(id, ago)| task(id).run_at(now.plus(ago)));
    subject.arrange_tasks(tasks.to_vec()).await;
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(9)).await, ["b", "c", "a"]);
}

pub async fn of_one_time_the_smallest_id_is_claimed_first(subject: Subject) {
    subject.arrange(&["b", "a", "ä", "B"]).await;
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(9)).await, ["B", "a", "b", "ä"]);
}

pub async fn single_claims_come_in_the_same_order_as_one_of_many(subject: Subject) {
    let tasks = [("a", 1), ("b", 9), ("c", 5)].map(|(id, n)| task(id).priority(Priority::new(n).unwrap()));
    subject.arrange_tasks(tasks.to_vec()).await;
    let mut claimed = Vec::new();
    for _ in 0..3 {
        claimed.push(subject.claim("ada").await.id.to_string());
    }
    assert_eq!(claimed, ["b", "c", "a"]);
}

pub async fn a_task_is_not_claimed_before_its_run_at(subject: Subject) {
    let later = subject.now().plus(1_000);
    subject.arrange_tasks(vec![task("t").run_at(later)]).await;
    subject.advance(999);
    assert!(subject.nothing_for("ada").await);
    subject.advance(1);
    assert_eq!(subject.claim("ada").await.id.as_str(), "t");
}

pub async fn a_claim_gives_no_more_than_its_limit(subject: Subject) {
    subject.arrange(&["a", "b", "c"]).await;
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(2)).await, ["a", "b"]);
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(1_000)).await, ["c"]);
}

pub async fn a_claimed_task_is_not_given_again(subject: Subject) {
    subject.arrange(&["t"]).await;
    subject.add_agent(agent("eve")).await;
    let claimed = subject.claim("ada").await;
    assert!(subject.nothing_for("eve").await && subject.nothing_for("ada").await);
    subject.start(&claimed).await.unwrap();
    assert!(subject.nothing_for("eve").await && subject.nothing_for("ada").await);
}

pub async fn finished_tasks_are_not_given_again(subject: Subject) {
    subject.arrange(&["a", "b", "c"]).await;
    subject.finish_next().await;
    subject.ruin_next().await;
    subject.cancel("c").await.unwrap();
    subject.advance(1_000_000_000);
    assert!(subject.nothing_for("ada").await);
}

pub async fn two_claims_have_different_tokens(subject: Subject) {
    subject.arrange(&["a", "b"]).await;
    let (first, second) = (subject.claim("ada").await, subject.claim("ada").await);
    assert_ne!(first.lease_token, second.lease_token);
    subject.release(&first).await.unwrap();
    assert_ne!(subject.claim("ada").await.lease_token, first.lease_token);
}

pub async fn only_the_queues_asked_for_are_claimed_from(subject: Subject) {
    let tasks = [("a", "one"), ("b", "two"), ("c", "three"), ("d", "one")];
    subject.arrange_tasks(tasks.map(|(id, queue)| task(id).queue(queue)).to_vec()).await;
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(9).queues(["none"])).await, [""; 0]);
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(9).queues(["one", "three"])).await, ["a", "c", "d"]);
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(9)).await, ["b"]);
}

pub async fn any_number_of_queues_and_types_may_be_asked_for(subject: Subject) {
    let tasks = [("a", "with \"quotes\""), ("b", "17"), ("c", "none of them")];
    subject.arrange_tasks(tasks.map(|(id, queue)| task(id).queue(queue)).to_vec()).await;
    let mut names: Vec<String> = (0..40_000).map(|number| number.to_string()).collect();
    names.extend(texts(&["with \"quotes\"", "work"]));
    let claim = Claim::default().limit(9).queues(names.clone()).types(names);
    assert_eq!(subject.claim_ids("ada", claim).await, ["a", "b"]);
}

pub async fn several_queues_are_served_as_one_by_priority_and_run_at(subject: Subject) {
    let now = subject.now();
    let waiting = |id: &str, queue: &str, priority, late: i64| {
        task(id).queue(queue).priority(Priority::new(priority).unwrap()).run_at(now.plus(late - 1_000))
    };
    let of = |prefix: &str| {
        let id = |id: &str| format!("{prefix}{id}");
        vec![
            waiting(&id("5"), "z", 3, 0),
            waiting(&id("3"), "x", 5, 2),
            waiting(&id("2"), "y", 5, 1),
            waiting(&id("4"), "y", 5, 3),
            waiting(&id("1"), "z", 9, 9),
        ]
    };
    subject.add_agent(agent("ada")).await;
    for (prefix, queues) in
        [("all", vec![]), ("few", vec!["x", "z", "y", "y"]), ("many", vec!["t", "u", "v", "w", "z", "y", "x"])]
    {
        let tasks = of(prefix);
        subject.write(move |tx| tx.tasks().add_many(tasks.clone())).await.unwrap();
        let claim = Claim::default().queues(queues);
        for place in 1..=5 {
            assert_eq!(subject.claim_ids("ada", claim.clone()).await, [format!("{prefix}{place}")]);
        }
        assert_eq!(subject.claim_ids("ada", claim).await, [""; 0]);
    }
}

pub async fn a_task_without_a_queue_is_in_the_default_one(subject: Subject) {
    subject.arrange(&["t"]).await;
    assert_eq!(subject.claim_ids("ada", Claim::default().queues(["default"])).await, ["t"]);
}

pub async fn only_the_types_asked_for_are_claimed(subject: Subject) {
    let draw = || crate::NewTask::new("draw", serde_json::json!({})).id(crate::testing::kit::task_id("d"));
    subject.arrange_tasks(vec![task("a"), draw(), task("e").queue("other")]).await;
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(9).types(["draw", "none"])).await, ["d"]);
    let both = Claim::default().limit(9).types(["work"]).queues(["other"]);
    assert_eq!(subject.claim_ids("ada", both).await, ["e"]);
}

pub async fn a_task_goes_only_to_an_agent_with_all_its_required_capabilities(subject: Subject) {
    let needed = texts(&["search", "write"]);
    subject.arrange_tasks(vec![task("t").required_capabilities(needed)]).await;
    for (id, capabilities) in
        [("one", &["search"][..]), ("near", &["Search", "write"]), ("all", &["write", "x", "search"])]
    {
        subject.add_agent(agent(id).capabilities(texts(capabilities))).await;
    }
    for id in ["ada", "one", "near"] {
        assert!(subject.nothing_for(id).await, "{id}");
    }
    assert_eq!(subject.claim("all").await.id.as_str(), "t");
}

pub async fn a_task_that_somebody_else_must_do_does_not_stand_in_the_way(subject: Subject) {
    let hard = task("a").priority(Priority::CRITICAL).required_capabilities(texts(&["fly"]));
    subject.arrange_tasks(vec![hard, task("b")]).await;
    assert_eq!(subject.claim("ada").await.id.as_str(), "b");
}

pub async fn a_task_that_needs_trust_waits_for_an_agent_that_has_it(subject: Subject) {
    subject.arrange_tasks(vec![task("t").trust_operation(TrustOperation::BasicTask)]).await;
    assert!(subject.nothing_for("ada").await);
}

pub async fn initializing_active_idle_and_busy_agents_may_claim(subject: Subject) {
    for status in [AgentStatus::Initializing, AgentStatus::Active, AgentStatus::Idle, AgentStatus::Busy] {
        subject.add_agent(agent(status.as_str()).status(status)).await;
        subject.add_task(task(status.as_str())).await;
        assert_eq!(subject.claim(status.as_str()).await.id.as_str(), status.as_str());
    }
}

pub async fn paused_failed_and_terminated_agents_may_not_claim(subject: Subject) {
    subject.arrange(&["t"]).await;
    for status in [AgentStatus::Paused, AgentStatus::Failed, AgentStatus::Terminated] {
        subject.add_agent(agent(status.as_str()).status(status)).await;
        let error = refused(subject.try_claim(status.as_str(), Claim::default()).await, Conflict);
        assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("agents"), Some(status.as_str())));
    }
    assert_eq!(subject.status("t").await, TaskStatus::Pending);
}

pub async fn an_unknown_agent_is_not_found(subject: Subject) {
    subject.arrange(&["t"]).await;
    let error = refused(subject.try_claim("nobody", Claim::default()).await, NotFound);
    assert_eq!((error.detail().table, error.detail().id.as_deref()), (Some("agents"), Some("nobody")));
    assert_eq!(subject.status("t").await, TaskStatus::Pending);
}

pub async fn a_limit_outside_1_to_1000_is_refused(subject: Subject) {
    subject.arrange(&["t"]).await;
    for limit in [0, 1_001, u32::MAX] {
        invalid(subject.try_claim("ada", Claim::default().limit(limit)).await, "limit");
    }
    assert_eq!(subject.status("t").await, TaskStatus::Pending);
}

pub async fn a_lease_of_no_time_or_beyond_2_to_the_53_is_refused(subject: Subject) {
    subject.arrange(&["t"]).await;
    for lease_ms in [0, -1, i64::MIN, i64::MAX, crate::model::MAX_INTEGER] {
        invalid(subject.try_claim("ada", Claim::default().lease_ms(lease_ms)).await, "lease_ms");
    }
    assert_eq!(subject.status("t").await, TaskStatus::Pending);
}

pub async fn a_changed_task_is_claimed_as_changed(subject: Subject) {
    subject.arrange(&["a", "b", "c"]).await;
    let critical = TaskPatch::new().priority(Priority::CRITICAL).queue("fast");
    subject.update_task("c", critical).await.unwrap();
    subject.update_task("a", TaskPatch::new().run_at(Millis(i64::from(u32::MAX)))).await.unwrap();
    subject.update_task("b", TaskPatch::new().run_at(subject.now().plus(1))).await.unwrap();
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(9)).await, ["c", "a"]);
}

pub async fn one_agent_may_hold_many_tasks(subject: Subject) {
    subject.arrange(&["a", "b", "c"]).await;
    let held = subject.claim_many("ada", Claim::default().limit(3)).await;
    for task in &held {
        subject.complete(task).await.unwrap();
    }
    assert_eq!(subject.status("c").await, TaskStatus::Completed);
}

pub async fn a_claim_takes_expired_tasks_back_first(subject: Subject) {
    subject.arrange(&["t"]).await;
    subject.add_agent(agent("eve")).await;
    let dead = subject.claim_many("ada", Claim::default().lease_ms(1_000)).await.remove(0);
    subject.advance(999);
    assert!(subject.nothing_for("eve").await);
    subject.advance(1);
    let again = subject.claim("eve").await;
    assert_eq!((again.attempt, again.errors.len()), (2, 1));
    assert_ne!(again.lease_token, dead.lease_token);
    assert_eq!(again.agent_id.as_ref().map(AsRef::as_ref), Some("eve"));
}

pub async fn blocked_and_waiting_tasks_do_not_hide_one_that_is_due(subject: Subject) {
    let now = subject.now();
    subject
        .arrange_tasks(vec![
            task("a").priority(Priority::CRITICAL).run_at(now.plus(1_000)),
            task_after("b", &["a"]).priority(Priority::CRITICAL),
            task("c").priority(Priority::LOW).backoff(no_backoff()),
        ])
        .await;
    assert_eq!(subject.claim_ids("ada", Claim::default().limit(9)).await, ["c"]);
}
