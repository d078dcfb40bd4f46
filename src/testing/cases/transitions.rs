//! What can become of a task: every operation on a task in every state, legal or not.
//!
//! A task that is `Expired` is assigned, and its lease has ended. What shows a token shows that of the last claim.

use crate::ErrorCode::{self, Conflict, LeaseLost};
use crate::TaskPatch;
use crate::model::{Claim, NewTask, Priority, Task, TaskStatus};
use crate::testing::Subject;
use crate::testing::kit::{ids, refused, task};
use Expected::{Becomes, Gone, Refused, Stays, Untouched};
use Operation::{
    Cancel, Claim as Claiming, Complete, Delete, Extend, Fail, FailForGood, FailLast, Put, Reclaim, ReclaimLast,
    Redrive, Release, Snooze, Start, Update,
};
use State::{Assigned, Cancelled, Completed, Expired, Failed, Pending, Running};

/// One case per line: its name, the operation, the state before, and what is expected.
macro_rules! transitions {
    ($(pub async fn $name:ident($operation:ident, $state:ident, $($expected:tt)+);)*) => {$(
        pub async fn $name(subject: Subject) {
            check(subject, $operation, $state, $($expected)+).await;
        }
    )*};
}

transitions! {
    pub async fn starting_a_pending_task_is_lease_lost                         (Start,       Pending,   Refused(LeaseLost));
    pub async fn starting_an_assigned_task_makes_it_running                    (Start,       Assigned,  Becomes(Running));
    pub async fn starting_a_running_task_is_a_conflict                         (Start,       Running,   Refused(Conflict));
    pub async fn starting_a_completed_task_is_lease_lost                       (Start,       Completed, Refused(LeaseLost));
    pub async fn starting_a_failed_task_is_lease_lost                          (Start,       Failed,    Refused(LeaseLost));
    pub async fn starting_a_cancelled_task_is_lease_lost                       (Start,       Cancelled, Refused(LeaseLost));
    pub async fn starting_an_expired_task_is_lease_lost                        (Start,       Expired,   Refused(LeaseLost));

    pub async fn extending_a_pending_task_is_lease_lost                        (Extend,      Pending,   Refused(LeaseLost));
    pub async fn extending_an_assigned_task_leaves_it_assigned                 (Extend,      Assigned,  Stays);
    pub async fn extending_a_running_task_leaves_it_running                    (Extend,      Running,   Stays);
    pub async fn extending_a_completed_task_is_lease_lost                      (Extend,      Completed, Refused(LeaseLost));
    pub async fn extending_a_failed_task_is_lease_lost                         (Extend,      Failed,    Refused(LeaseLost));
    pub async fn extending_a_cancelled_task_is_lease_lost                      (Extend,      Cancelled, Refused(LeaseLost));
    pub async fn extending_an_expired_task_is_lease_lost                       (Extend,      Expired,   Refused(LeaseLost));

    pub async fn completing_a_pending_task_is_lease_lost                       (Complete,    Pending,   Refused(LeaseLost));
    pub async fn completing_an_assigned_task_makes_it_completed                (Complete,    Assigned,  Becomes(Completed));
    pub async fn completing_a_running_task_makes_it_completed                  (Complete,    Running,   Becomes(Completed));
    pub async fn completing_a_completed_task_is_lease_lost                     (Complete,    Completed, Refused(LeaseLost));
    pub async fn completing_a_failed_task_is_lease_lost                        (Complete,    Failed,    Refused(LeaseLost));
    pub async fn completing_a_cancelled_task_is_lease_lost                     (Complete,    Cancelled, Refused(LeaseLost));
    pub async fn completing_an_expired_task_is_lease_lost                      (Complete,    Expired,   Refused(LeaseLost));

    pub async fn failing_a_pending_task_is_lease_lost                          (Fail,        Pending,   Refused(LeaseLost));
    pub async fn failing_an_assigned_task_makes_it_pending                     (Fail,        Assigned,  Becomes(Pending));
    pub async fn failing_a_running_task_makes_it_pending                       (Fail,        Running,   Becomes(Pending));
    pub async fn failing_a_completed_task_is_lease_lost                        (Fail,        Completed, Refused(LeaseLost));
    pub async fn failing_a_failed_task_is_lease_lost                           (Fail,        Failed,    Refused(LeaseLost));
    pub async fn failing_a_cancelled_task_is_lease_lost                        (Fail,        Cancelled, Refused(LeaseLost));
    pub async fn failing_an_expired_task_is_lease_lost                         (Fail,        Expired,   Refused(LeaseLost));
    pub async fn failing_the_last_attempt_of_an_assigned_task_makes_it_failed  (FailLast,    Assigned,  Becomes(Failed));
    pub async fn failing_the_last_attempt_of_a_running_task_makes_it_failed    (FailLast,    Running,   Becomes(Failed));

    pub async fn failing_for_good_a_pending_task_is_lease_lost                 (FailForGood, Pending,   Refused(LeaseLost));
    pub async fn failing_for_good_an_assigned_task_makes_it_failed             (FailForGood, Assigned,  Becomes(Failed));
    pub async fn failing_for_good_a_running_task_makes_it_failed               (FailForGood, Running,   Becomes(Failed));
    pub async fn failing_for_good_a_completed_task_is_lease_lost               (FailForGood, Completed, Refused(LeaseLost));
    pub async fn failing_for_good_a_failed_task_is_lease_lost                  (FailForGood, Failed,    Refused(LeaseLost));
    pub async fn failing_for_good_a_cancelled_task_is_lease_lost               (FailForGood, Cancelled, Refused(LeaseLost));
    pub async fn failing_for_good_an_expired_task_is_lease_lost                (FailForGood, Expired,   Refused(LeaseLost));

    pub async fn releasing_a_pending_task_is_lease_lost                        (Release,     Pending,   Refused(LeaseLost));
    pub async fn releasing_an_assigned_task_makes_it_pending                   (Release,     Assigned,  Becomes(Pending));
    pub async fn releasing_a_running_task_makes_it_pending                     (Release,     Running,   Becomes(Pending));
    pub async fn releasing_a_completed_task_is_lease_lost                      (Release,     Completed, Refused(LeaseLost));
    pub async fn releasing_a_failed_task_is_lease_lost                         (Release,     Failed,    Refused(LeaseLost));
    pub async fn releasing_a_cancelled_task_is_lease_lost                      (Release,     Cancelled, Refused(LeaseLost));
    pub async fn releasing_an_expired_task_is_lease_lost                       (Release,     Expired,   Refused(LeaseLost));

    pub async fn snoozing_a_pending_task_is_lease_lost                         (Snooze,      Pending,   Refused(LeaseLost));
    pub async fn snoozing_an_assigned_task_makes_it_pending                    (Snooze,      Assigned,  Becomes(Pending));
    pub async fn snoozing_a_running_task_makes_it_pending                      (Snooze,      Running,   Becomes(Pending));
    pub async fn snoozing_a_completed_task_is_lease_lost                       (Snooze,      Completed, Refused(LeaseLost));
    pub async fn snoozing_a_failed_task_is_lease_lost                          (Snooze,      Failed,    Refused(LeaseLost));
    pub async fn snoozing_a_cancelled_task_is_lease_lost                       (Snooze,      Cancelled, Refused(LeaseLost));
    pub async fn snoozing_an_expired_task_is_lease_lost                        (Snooze,      Expired,   Refused(LeaseLost));

    pub async fn cancelling_a_pending_task_makes_it_cancelled                  (Cancel,      Pending,   Becomes(Cancelled));
    pub async fn cancelling_an_assigned_task_makes_it_cancelled                (Cancel,      Assigned,  Becomes(Cancelled));
    pub async fn cancelling_a_running_task_makes_it_cancelled                  (Cancel,      Running,   Becomes(Cancelled));
    pub async fn cancelling_a_completed_task_is_a_conflict                     (Cancel,      Completed, Refused(Conflict));
    pub async fn cancelling_a_failed_task_is_a_conflict                        (Cancel,      Failed,    Refused(Conflict));
    pub async fn cancelling_a_cancelled_task_is_a_conflict                     (Cancel,      Cancelled, Refused(Conflict));
    pub async fn cancelling_an_expired_task_makes_it_cancelled                 (Cancel,      Expired,   Becomes(Cancelled));

    pub async fn redriving_a_pending_task_is_a_conflict                        (Redrive,     Pending,   Refused(Conflict));
    pub async fn redriving_an_assigned_task_is_a_conflict                      (Redrive,     Assigned,  Refused(Conflict));
    pub async fn redriving_a_running_task_is_a_conflict                        (Redrive,     Running,   Refused(Conflict));
    pub async fn redriving_a_completed_task_is_a_conflict                      (Redrive,     Completed, Refused(Conflict));
    pub async fn redriving_a_failed_task_makes_it_pending                      (Redrive,     Failed,    Becomes(Pending));
    pub async fn redriving_a_cancelled_task_is_a_conflict                      (Redrive,     Cancelled, Refused(Conflict));
    pub async fn redriving_an_expired_task_is_a_conflict                       (Redrive,     Expired,   Refused(Conflict));

    pub async fn reclaiming_leaves_a_pending_task_alone                        (Reclaim,     Pending,   Untouched);
    pub async fn reclaiming_leaves_an_assigned_task_alone                      (Reclaim,     Assigned,  Untouched);
    pub async fn reclaiming_leaves_a_running_task_alone                        (Reclaim,     Running,   Untouched);
    pub async fn reclaiming_leaves_a_completed_task_alone                      (Reclaim,     Completed, Untouched);
    pub async fn reclaiming_leaves_a_failed_task_alone                         (Reclaim,     Failed,    Untouched);
    pub async fn reclaiming_leaves_a_cancelled_task_alone                      (Reclaim,     Cancelled, Untouched);
    pub async fn reclaiming_an_expired_task_makes_it_pending                   (Reclaim,     Expired,   Becomes(Pending));
    pub async fn reclaiming_the_last_attempt_of_an_expired_task_makes_it_failed(ReclaimLast, Expired,   Becomes(Failed));

    pub async fn claiming_a_pending_task_makes_it_assigned                     (Claiming,    Pending,   Becomes(Assigned));
    pub async fn claiming_passes_an_assigned_task_over                         (Claiming,    Assigned,  Untouched);
    pub async fn claiming_passes_a_running_task_over                           (Claiming,    Running,   Untouched);
    pub async fn claiming_passes_a_completed_task_over                         (Claiming,    Completed, Untouched);
    pub async fn claiming_passes_a_failed_task_over                            (Claiming,    Failed,    Untouched);
    pub async fn claiming_passes_a_cancelled_task_over                         (Claiming,    Cancelled, Untouched);
    pub async fn claiming_an_expired_task_makes_it_assigned_anew               (Claiming,    Expired,   Becomes(Assigned));

    pub async fn updating_a_pending_task_leaves_its_state                      (Update,      Pending,   Stays);
    pub async fn updating_an_assigned_task_leaves_its_state_and_its_lease      (Update,      Assigned,  Stays);
    pub async fn updating_a_running_task_leaves_its_state_and_its_lease        (Update,      Running,   Stays);
    pub async fn updating_a_completed_task_leaves_its_state                    (Update,      Completed, Stays);
    pub async fn updating_a_failed_task_leaves_its_state                       (Update,      Failed,    Stays);
    pub async fn updating_a_cancelled_task_leaves_its_state                    (Update,      Cancelled, Stays);
    pub async fn updating_an_expired_task_leaves_its_state_and_its_lease       (Update,      Expired,   Stays);

    pub async fn putting_a_pending_task_leaves_its_state                       (Put,         Pending,   Stays);
    pub async fn putting_an_assigned_task_leaves_its_state_and_its_lease       (Put,         Assigned,  Stays);
    pub async fn putting_a_running_task_leaves_its_state_and_its_lease         (Put,         Running,   Stays);
    pub async fn putting_a_completed_task_leaves_its_state                     (Put,         Completed, Stays);
    pub async fn putting_a_failed_task_leaves_its_state                        (Put,         Failed,    Stays);
    pub async fn putting_a_cancelled_task_leaves_its_state                     (Put,         Cancelled, Stays);
    pub async fn putting_an_expired_task_leaves_its_state_and_its_lease        (Put,         Expired,   Stays);

    pub async fn deleting_a_pending_task_is_allowed                            (Delete,      Pending,   Gone);
    pub async fn deleting_an_assigned_task_is_allowed                          (Delete,      Assigned,  Gone);
    pub async fn deleting_a_running_task_is_allowed                            (Delete,      Running,   Gone);
    pub async fn deleting_a_completed_task_is_allowed                          (Delete,      Completed, Gone);
    pub async fn deleting_a_failed_task_is_allowed                             (Delete,      Failed,    Gone);
    pub async fn deleting_a_cancelled_task_is_allowed                          (Delete,      Cancelled, Gone);
    pub async fn deleting_an_expired_task_is_allowed                           (Delete,      Expired,   Gone);
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Pending,
    Assigned,
    Running,
    Completed,
    Failed,
    Cancelled,
    Expired,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operation {
    Start,
    Extend,
    Complete,
    Fail,
    FailLast,
    FailForGood,
    Release,
    Snooze,
    Cancel,
    Redrive,
    Reclaim,
    ReclaimLast,
    Claim,
    Update,
    Put,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    /// It is in this state afterwards.
    Becomes(State),
    /// Something of it changes; its state, its lease, its attempt and its times do not.
    Stays,
    /// Nothing of it changes, and that is no error.
    Untouched,
    /// The error has this code, and nothing changes.
    Refused(ErrorCode),
    /// It is there no more.
    Gone,
}

impl State {
    fn status(self) -> TaskStatus {
        match self {
            Pending => TaskStatus::Pending,
            Assigned | Expired => TaskStatus::Assigned,
            Running => TaskStatus::Running,
            Completed => TaskStatus::Completed,
            Failed => TaskStatus::Failed,
            Cancelled => TaskStatus::Cancelled,
        }
    }
}

/// The task `t`, as it is in a state after its first claim; and the claim, with a token that may have lost its worth.
async fn arrange(subject: &Subject, operation: Operation, state: State) -> (Task, Task) {
    let last = matches!(operation, FailLast | ReclaimLast);
    let claimed = subject.claimed(task("t").max_retries(u32::from(!last))).await;
    subject.advance(10);
    match state {
        Pending => drop(subject.release(&claimed).await.unwrap()),
        Assigned => {}
        Running => drop(subject.start(&claimed).await.unwrap()),
        Completed => drop(subject.complete(&claimed).await.unwrap()),
        Failed => drop(subject.fail_for_good(&claimed).await.unwrap()),
        Cancelled => drop(subject.cancel("t").await.unwrap()),
        Expired => subject.advance(60_000),
    }
    subject.advance(10);
    let task = subject.task("t").await;
    assert_eq!(task.status, state.status());
    (task, claimed)
}

/// What the operation answers: the task, unless it has nothing to say.
async fn act(subject: &Subject, operation: Operation, claimed: &Task) -> crate::Result<Option<Task>> {
    let one = |answer: crate::Result<Task>| answer.map(Some);
    let first = |answer: crate::Result<Vec<Task>>| answer.map(|mut tasks| tasks.pop());
    match operation {
        Start => one(subject.start(claimed).await),
        Extend => one(subject.extend(claimed, 90_000).await),
        Complete => one(subject.complete(claimed).await),
        Fail | FailLast => one(subject.fail(claimed, "broken").await),
        FailForGood => one(subject.fail_for_good(claimed).await),
        Release => one(subject.release(claimed).await),
        Snooze => one(subject.snooze(claimed, 500).await),
        Cancel => first(subject.cancel("t").await),
        Redrive => first(subject.redrive(&["t"]).await),
        Reclaim | ReclaimLast => first(subject.write(|tx| tx.tasks().reclaim_expired()).await),
        Claiming => first(subject.try_claim("ada", Claim::default()).await),
        Update => one(subject.update_task("t", TaskPatch::new().priority(Priority::HIGH)).await),
        Put => one(subject.write(|tx| tx.tasks().put(urgent())).await),
        Delete => {
            assert!(subject.write(|tx| tx.tasks().delete("t")).await?);
            Ok(None)
        }
    }
}

fn urgent() -> NewTask {
    task("t").priority(Priority::HIGH)
}

async fn check(subject: Subject, operation: Operation, state: State, expected: Expected) {
    let (before, claimed) = arrange(&subject, operation, state).await;
    let outcome = act(&subject, operation, &claimed).await;
    if expected == Gone {
        outcome.unwrap();
        assert_eq!(subject.read(|tx| tx.tasks().get("t")).await.unwrap(), None);
        return;
    }
    let after = subject.task("t").await;
    match expected {
        Refused(code) => {
            refused(outcome, code);
            assert_eq!(after, before);
        }
        Untouched => assert_eq!((outcome.unwrap(), after), (None, before)),
        Stays | Gone => {
            assert_eq!(outcome.unwrap().as_ref(), Some(&after));
            let kept = |task: &Task| (held(task), task.status, task.attempt, task.errors.clone(), times(task));
            assert_eq!(kept(&after), kept(&before));
            assert_eq!((after.version, after.updated_at), (before.version + 1, subject.now()));
        }
        Becomes(new) => {
            assert_eq!(outcome.unwrap().as_ref(), Some(&after));
            became(&subject, operation, &before, &after, new);
        }
    }
}

/// Who has it by which token.
fn held(task: &Task) -> (Option<String>, Option<String>) {
    (task.agent_id.as_ref().map(ToString::to_string), task.lease_token.clone())
}

fn times(task: &Task) -> [Option<crate::Millis>; 3] {
    [task.assigned_at, task.started_at, task.completed_at]
}

/// What holds of a task that has come into a new state.
fn became(subject: &Subject, operation: Operation, before: &Task, after: &Task, new: State) {
    let now = Some(subject.now());
    let leased = matches!(new, Assigned | Running);
    let finished = matches!(new, Completed | Failed | Cancelled);
    // A claim takes back first what has expired, which is a change of its own.
    let steps = if operation == Claiming && before.status != TaskStatus::Pending { 2 } else { 1 };
    assert_eq!((after.status, after.version), (new.status(), before.version + steps));
    assert_eq!(Some(after.updated_at), now);
    assert_eq!((after.lease_token.is_some(), after.lease_expires_at.is_some()), (leased, leased));
    assert_eq!(after.agent_id.is_some(), leased || (finished && before.agent_id.is_some()));
    assert_eq!(after.completed_at, now.filter(|_| finished));
    assert_eq!(after.started_at.is_some(), new == Running || (finished && before.started_at.is_some()));
    let attempt = match operation {
        Release | Snooze => before.attempt - 1,
        Redrive => 0,
        Claiming => before.attempt + 1,
        _ => before.attempt,
    };
    assert_eq!(after.attempt, attempt);
    let failed = matches!(operation, Fail | FailLast | FailForGood | Reclaim | ReclaimLast) || steps == 2;
    assert_eq!(after.errors.len(), before.errors.len() + usize::from(failed));
    if operation == Claiming {
        assert_ne!(after.lease_token, before.lease_token);
        assert_eq!((after.assigned_at, ids(std::slice::from_ref(after))), (now, vec!["t"]));
    }
}
