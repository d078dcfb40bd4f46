//! The task queue: claim by lease, and what a claimed task can become.
//!
//! A claim carries a lease: a token and an expiry. Whoever acts on a claimed task shows the token; a worker thought
//! dead, whose lease has expired, can no longer finish what another has been given since.

#[cfg(feature = "postgres")]
use super::claim_beside;
use super::context::illegal;
use super::{Context, Tasks, dependencies, queues};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Agent, AgentId, Backoff, Claim, Json, Millis, Record, Scalar, Task, TaskId, TaskStatus, Value};
use crate::sql::{Dialect, Entity, repository};
use std::fmt::Write as _;

/// The most tasks that one claim gives.
const MAX_CLAIM: u32 = 1_000;
/// What an attempt that ran out of its lease is recorded with.
const LEASE_EXPIRED: &str = "lease expired";

impl Tasks<'_> {
    /// Gives an agent the most urgent tasks that are due: highest priority first, then the earliest `run_at`, then id.
    ///
    /// Expired leases are reclaimed first, in the same transaction. Only pending tasks are given whose queue is not paused,
    /// whose dependencies are all completed and whose required capabilities the agent has.
    ///
    /// # Errors
    /// `NOT_FOUND` for an unknown agent; `CONFLICT` when the agent is paused, failed or terminated;
    /// `INVALID_ARGUMENT` for a limit outside 1–1,000 or a lease under 1 ms.
    pub fn claim(&self, agent: &AgentId, claim: &Claim) -> Result<Vec<Task>> {
        let cx = self.context();
        for queue in &claim.queues {
            cx.check_text("queues", queue)?;
        }
        for task_type in &claim.types {
            cx.check_text("types", task_type)?;
        }
        if !(1..=MAX_CLAIM).contains(&claim.limit) {
            return Err(Error::invalid("limit", format!("expected 1 to {MAX_CLAIM}")));
        }
        let expires = lease_end(cx, claim.lease_ms)?;
        let agent = claimant(cx, agent)?;
        self.reclaim_expired()?;
        pick(cx, &agent, claim, expires)
    }

    /// Marks a claimed task as begun. Optional: complete and fail are legal from assigned.
    ///
    /// # Errors
    /// `NOT_FOUND`; `LEASE_LOST`; `CONFLICT` when it is running already.
    pub fn start(&self, id: &TaskId, token: &str) -> Result<Task> {
        let cx = self.context();
        if leased(cx, id, token)?.status == TaskStatus::Running {
            return Err(illegal(Task::TABLE, id.as_str(), "is running already"));
        }
        change(cx, id, "status = 'running', started_at = ?2", &[])
    }

    /// Lets the lease end so many milliseconds from now.
    ///
    /// # Errors
    /// `NOT_FOUND`; `LEASE_LOST`; `INVALID_ARGUMENT` for a lease under 1 ms.
    pub fn extend(&self, id: &TaskId, token: &str, lease_ms: i64) -> Result<Task> {
        let cx = self.context();
        leased(cx, id, token)?;
        let expires = lease_end(cx, lease_ms)?;
        change(cx, id, "lease_expires_at = ?3", &[Value::Integer(expires.0)])
    }

    /// Finishes a claimed task. Tasks that waited for it may become claimable.
    ///
    /// # Errors
    /// `NOT_FOUND`; `LEASE_LOST`; `INVALID_ARGUMENT` for a result that cannot be stored.
    pub fn complete(&self, id: &TaskId, token: &str, result: Option<&Json>) -> Result<Task> {
        let cx = self.context();
        leased(cx, id, token)?;
        if let Some(result) = result {
            if let Some(reason) = Scalar::refusal(result) {
                return Err(Error::invalid("result", reason));
            }
            cx.check_size("result", result.as_str())?;
        }
        dependencies::met(cx, id.as_str())?;
        let set = "status = 'completed', result = ?3, completed_at = ?2, lease_token = NULL, lease_expires_at = NULL";
        change(cx, id, set, &[result.map_or(Value::Null, Scalar::to_value)])
    }

    /// Records a failed attempt. The task is tried again after its backoff, until the attempts exceed `max_retries`;
    /// then it stays failed.
    ///
    /// # Errors
    /// `NOT_FOUND`; `LEASE_LOST`; `INVALID_ARGUMENT` for a message that cannot be stored.
    pub fn fail(&self, id: &TaskId, token: &str, message: &str) -> Result<Task> {
        let cx = self.context();
        let lease = leased(cx, id, token)?;
        cx.check_text("message", message)?;
        if lease.attempt > lease.max_retries {
            return give_up(cx, id, lease.attempt, message);
        }
        let wait = lease.backoff.delay_ms(lease.attempt, cx.random());
        let due = cx.now().plus(wait).min(Millis(crate::model::MAX_INTEGER));
        try_again(cx, id, lease.attempt, message, Some(due))
    }

    /// Records a failed attempt after which no other makes sense: the task stays failed.
    ///
    /// # Errors
    /// As [`fail`](Self::fail).
    pub fn fail_for_good(&self, id: &TaskId, token: &str, message: &str) -> Result<Task> {
        let cx = self.context();
        let lease = leased(cx, id, token)?;
        cx.check_text("message", message)?;
        give_up(cx, id, lease.attempt, message)
    }

    /// Gives a claimed task back as if it had not been claimed.
    ///
    /// # Errors
    /// `NOT_FOUND`; `LEASE_LOST`.
    pub fn release(&self, id: &TaskId, token: &str) -> Result<Task> {
        let cx = self.context();
        leased(cx, id, token)?;
        change(cx, id, GIVE_BACK, &[])
    }

    /// Gives a claimed task back as if it had not been claimed, to be claimed again so many milliseconds from now.
    ///
    /// # Errors
    /// `NOT_FOUND`; `LEASE_LOST`; `INVALID_ARGUMENT` for a delay under 0 ms.
    pub fn snooze(&self, id: &TaskId, token: &str, delay_ms: i64) -> Result<Task> {
        let cx = self.context();
        leased(cx, id, token)?;
        let due = cx.now().plus(delay_ms);
        if delay_ms < 0 || due.0 > crate::model::MAX_INTEGER {
            return Err(Error::invalid("delay_ms", "expected 0 or more milliseconds, to a time before 2^53"));
        }
        change(cx, id, &[GIVE_BACK, ", run_at = ?3"].concat(), &[Value::Integer(due.0)])
    }

    /// Calls off a task that is not finished, and what depends on it unless that holds. Gives all that were cancelled,
    /// the task itself first.
    ///
    /// # Errors
    /// `NOT_FOUND`; `CONFLICT` when it is finished.
    pub fn cancel(&self, id: &TaskId, reason: Option<&str>) -> Result<Vec<Task>> {
        let cx = self.context();
        cx.check_text("reason", reason.unwrap_or_default())?;
        let task = found(cx, id)?;
        if task.status.is_final() {
            return Err(illegal(Task::TABLE, id.as_str(), &format!("is {} already", task.status)));
        }
        let ids = call_off(cx, id.as_str(), reason)?;
        read_all(cx, &ids)
    }

    /// Calls off a task with all its unfinished subtasks.
    ///
    /// # Errors
    /// As [`cancel`](Self::cancel).
    pub fn cancel_subtree(&self, id: &TaskId, reason: Option<&str>) -> Result<Vec<Task>> {
        let mut cancelled = self.cancel(id, reason)?;
        let cx = self.context();
        let subtasks = "
            WITH RECURSIVE subtasks (id) AS (
                SELECT id FROM tasks WHERE parent_task_id = ?1
                UNION
                SELECT tasks.id FROM tasks JOIN subtasks ON tasks.parent_task_id = subtasks.id
            )
            SELECT id FROM subtasks
            WHERE (SELECT status FROM tasks WHERE tasks.id = subtasks.id) IN ('pending', 'assigned', 'running')
            ORDER BY id";
        for subtask in cx.connection.texts(subtasks, &[Value::text(id.as_str())])? {
            // One that depended on another subtask may have been cancelled with it meanwhile.
            if !found(cx, &TaskId::new(subtask.clone())?)?.status.is_final() {
                let ids = call_off(cx, &subtask, reason)?;
                cancelled.extend(read_all(cx, &ids)?);
            }
        }
        Ok(cancelled)
    }

    /// Takes back the tasks whose lease has expired. They are claimable again at once; the attempt counts as failed, so
    /// a task that kills its workers ends as failed for good. Gives the tasks taken back.
    ///
    /// # Errors
    /// What the database reports.
    pub fn reclaim_expired(&self) -> Result<Vec<Task>> {
        let cx = self.context();
        let expired = match cx.connection.dialect() {
            Dialect::Sqlite => "SELECT id FROM tasks WHERE lease_expires_at <= ?1 ORDER BY lease_expires_at, id",
            // What another takes back just now is left to it.
            #[cfg(feature = "postgres")]
            Dialect::Postgres => {
                "SELECT id FROM tasks WHERE lease_expires_at <= ?1 ORDER BY lease_expires_at, id \
                 FOR NO KEY UPDATE SKIP LOCKED"
            }
        };
        let mut reclaimed = Vec::new();
        for id in cx.connection.texts_locked(expired, &[Value::Integer(cx.now().0)])? {
            reclaimed.push(take_back(cx, &TaskId::new(id)?, LEASE_EXPIRED)?);
        }
        Ok(reclaimed)
    }
}

/// Takes a task from whoever holds it; the attempt counts as failed.
fn take_back(cx: &Context<'_>, id: &TaskId, why: &str) -> Result<Task> {
    let task = found(cx, id)?;
    if task.attempt > task.max_retries {
        give_up(cx, id, task.attempt, why)
    } else {
        try_again(cx, id, task.attempt, why, None)
    }
}

/// Takes back all that an agent holds by a lease which ends by then; the attempts count as failed. Gives the ids of the tasks.
pub(super) fn take_back_all(cx: &Context<'_>, agent: &str, until: Millis, why: &str) -> Result<Vec<TaskId>> {
    let held = format!(
        "SELECT id FROM tasks WHERE agent_id = ?1 AND lease_expires_at <= ?2 ORDER BY id{}",
        cx.connection.dialect().for_update()
    );
    let mut taken = Vec::new();
    for id in cx.connection.texts_locked(&held, &[Value::text(agent), Value::Integer(until.0)])? {
        taken.push(take_back(cx, &TaskId::new(id)?, why)?.id);
    }
    Ok(taken)
}

const GIVE_BACK: &str = "status = 'pending', attempt = attempt - 1, agent_id = NULL, lease_token = NULL, \
     lease_expires_at = NULL, assigned_at = NULL, started_at = NULL";

/// Gives back all that an agent holds, before it is deleted. A lease that has expired counts as a failed attempt all the same.
pub(super) fn give_back_all(cx: &Context<'_>, agent: &str) -> Result<()> {
    take_back_all(cx, agent, cx.now(), LEASE_EXPIRED)?;
    let sql = format!(
        "UPDATE tasks SET {GIVE_BACK}, updated_at = ?2, version = version + 1 WHERE agent_id = ?1 AND lease_token IS NOT NULL"
    );
    cx.connection.execute(&sql, &[Value::text(agent), Value::Integer(cx.now().0)]).map(|_| ())
}

/// The end of a lease that begins now.
fn lease_end(cx: &Context<'_>, lease_ms: i64) -> Result<Millis> {
    let end = cx.now().plus(lease_ms);
    if lease_ms < 1 || end.0 > crate::model::MAX_INTEGER {
        return Err(Error::invalid("lease_ms", "expected 1 or more milliseconds, to a time before 2^53"));
    }
    Ok(end)
}

/// The agent, if it may claim.
fn claimant(cx: &Context<'_>, id: &AgentId) -> Result<Agent> {
    // Not locked: claims of one agent would wait for each other. A claim beside a change of its state comes before it.
    let agent: Agent =
        repository::peek(cx.connection, id.as_str())?.ok_or_else(|| Error::not_found(Agent::TABLE, id.as_str()))?;
    if !agent.status.may_claim() {
        return Err(illegal(Agent::TABLE, id.as_str(), &format!("is {} and may not claim", agent.status)));
    }
    Ok(agent)
}

/// Picks and assigns in one statement.
fn pick(cx: &Context<'_>, agent: &Agent, claim: &Claim, expires: Millis) -> Result<Vec<Task>> {
    #[cfg(feature = "postgres")]
    if cx.connection.dialect() == Dialect::Postgres {
        return claim_beside::pick(cx, agent, claim, expires);
    }
    let queues = match claim.queues.is_empty() {
        true => waiting_queues(cx)?,
        false => queues::not_paused(cx, claim.queues.clone())?,
    };
    if queues.is_empty() {
        return Ok(Vec::new());
    }
    let token = cx.fresh_token();
    let mut values = vec![
        Value::text(agent.id.as_str()),
        Value::text(&token),
        Value::Integer(expires.0),
        Value::Integer(cx.now().0),
        agent.capabilities.to_value(),
        Value::Integer(i64::from(claim.limit)),
    ];
    let mut only = String::new();
    if !claim.types.is_empty() {
        // One parameter however many names, so that the statements are few and their parameters too.
        values.push(claim.types.to_value());
        let _ = write!(only, " AND task_type IN (SELECT value FROM json_each(?{}))", values.len());
    }
    let first = values.len() + 1;
    let few = queues.len() <= FEW_QUEUES;
    if few {
        values.extend(queues.iter().map(|queue| Value::text(queue)));
    } else {
        values.push(queues.to_value());
    }
    let candidates = candidates(&only, first, few.then_some(queues.len()));
    let columns = &Task::statements(Dialect::Sqlite).columns;
    let sql = format!(
        "UPDATE tasks
         SET status = 'assigned', agent_id = ?1, lease_token = ?2, lease_expires_at = ?3, assigned_at = ?4,
             started_at = NULL, attempt = attempt + 1, updated_at = ?4, version = version + 1
         WHERE id IN (SELECT id FROM ({candidates}) LIMIT ?6)
         RETURNING {columns}"
    );
    let mut tasks = Vec::new();
    cx.connection.query(&sql, &values, &mut |row| {
        tasks.push(Task::read(row)?);
        Ok(())
    })?;
    tasks.sort_by(|a, b| b.priority.cmp(&a.priority).then(a.run_at.cmp(&b.run_at)).then_with(|| a.id.cmp(&b.id)));
    Ok(tasks)
}

/// The queues that are not paused and in which a task waits that could be claimed: one step through the index for each.
fn waiting_queues(cx: &Context<'_>) -> Result<Vec<String>> {
    let claimable = "tasks INDEXED BY tasks_claimable WHERE status = 'pending' AND unmet_dependencies = 0";
    let sql = format!(
        "WITH RECURSIVE waiting (queue) AS (
             SELECT MIN(queue) FROM {claimable}
             UNION ALL
             SELECT (SELECT MIN(queue) FROM {claimable} AND queue > waiting.queue) FROM waiting
             WHERE waiting.queue IS NOT NULL
         )
         SELECT queue FROM waiting WHERE queue IS NOT NULL AND NOT EXISTS (SELECT 1 FROM queues WHERE name = waiting.queue)"
    );
    cx.connection.texts(&sql, &[])
}

/// So many queues are written out in the statement; more are looped over in it.
const FEW_QUEUES: usize = 3;

/// The ids of what may be claimed, the most urgent first, one query per priority and queue. `queue` is the number of the
/// parameter with the first queue; with `few` given there are so many of them, else it holds a JSON array.
///
/// Each reads the index from the first task of its queue and priority to the last that is due, and stops at the limit. So
/// neither the tasks of other queues nor those that are not due yet nor those that are not reached cost anything.
fn candidates(only: &str, queue: usize, few: Option<usize>) -> String {
    let of = |priority: u8, queue: &str| {
        format!(
            "SELECT id, run_at FROM (
                 SELECT id, run_at FROM tasks INDEXED BY tasks_claimable
                 WHERE status = 'pending' AND unmet_dependencies = 0 AND queue = {queue} AND priority = {priority}
                   AND run_at <= ?4{only} AND trust_operation IS NULL
                   AND (required_capabilities = '[]' OR NOT EXISTS (
                       SELECT 1 FROM json_each(required_capabilities) AS required
                       WHERE required.value NOT IN (SELECT value FROM json_each(?5))))
                 ORDER BY run_at, id
                 LIMIT ?6)"
        )
    };
    let merged = |rows: &str| format!("SELECT id FROM ({rows} ORDER BY run_at, id LIMIT ?6)");
    let of_priority = |priority| {
        match few {
        Some(1) => format!("SELECT id FROM ({})", of(priority, &format!("?{queue}"))),
        Some(several) => {
            let each = (queue..queue + several).map(|queue| of(priority, &format!("?{queue}")));
            // Not UNION ALL: a queue may be named twice.
            merged(&each.collect::<Vec<_>>().join(" UNION "))
        }
        None => merged(&format!(
            "SELECT tasks.id, tasks.run_at FROM (SELECT DISTINCT value AS name FROM json_each(?{queue})) AS named CROSS JOIN tasks
             WHERE tasks.id IN (SELECT id FROM ({}))",
            of(priority, "named.name")
        )),
    }
    };
    (0..=9).rev().map(of_priority).collect::<Vec<_>>().join(" UNION ALL ")
}

/// What is needed to know of a task that is held by lease.
struct Leased {
    status: TaskStatus,
    attempt: u32,
    max_retries: u32,
    backoff: Backoff,
}

/// The task, if this token is its current one and has not expired. Checked before anything else.
fn leased(cx: &Context<'_>, id: &TaskId, token: &str) -> Result<Leased> {
    let sql = match cx.connection.dialect() {
        Dialect::Sqlite => {
            "SELECT lease_token, lease_expires_at, status, attempt, max_retries, backoff FROM tasks WHERE id = ?1"
        }
        #[cfg(feature = "postgres")]
        Dialect::Postgres => {
            "SELECT lease_token, lease_expires_at, status, attempt, max_retries, backoff FROM tasks WHERE id = ?1 \
             FOR NO KEY UPDATE"
        }
    };
    // Not asked for between the rows: on a server it may be a question too.
    let now = cx.now();
    let mut lease = None;
    cx.connection.query_locked(sql, &[Value::text(id.as_str())], &mut |row| {
        let held = row.get(0)? == Value::text(token);
        let unexpired = matches!(row.get(1)?, Value::Integer(expires) if expires > now.0);
        let damaged = |reason| ErrorCode::Corrupt.error(format!("task {id}: {reason}"));
        lease = Some(if held && unexpired {
            Some(Leased {
                status: TaskStatus::from_value(row.get(2)?).map_err(damaged)?,
                attempt: u32::from_value(row.get(3)?).map_err(damaged)?,
                max_retries: u32::from_value(row.get(4)?).map_err(damaged)?,
                backoff: Backoff::from_value(row.get(5)?).map_err(damaged)?,
            })
        } else {
            None
        });
        Ok(())
    })?;
    let lease = lease.ok_or_else(|| Error::not_found(Task::TABLE, id.as_str()))?;
    lease.ok_or_else(|| {
        let message = format!("task {id}: this lease is not its current one or has expired");
        ErrorCode::LeaseLost.error(message).of(Task::TABLE, id.as_str())
    })
}

pub(super) fn found(cx: &Context<'_>, id: &TaskId) -> Result<Task> {
    repository::get(cx.connection, id.as_str())?.ok_or_else(|| Error::not_found(Task::TABLE, id.as_str()))
}

fn read_all(cx: &Context<'_>, ids: &[String]) -> Result<Vec<Task>> {
    ids.iter().map(|id| found(cx, &TaskId::new(id.clone())?)).collect()
}

/// Changes one task: `?1` is its id, `?2` the time, `?3` and on are `more`.
pub(super) fn change(cx: &Context<'_>, id: &TaskId, set: &str, more: &[Value<'_>]) -> Result<Task> {
    let sql = format!("UPDATE tasks SET {set}, updated_at = ?2, version = version + 1 WHERE id = ?1");
    let mut values = vec![Value::text(id.as_str()), Value::Integer(cx.now().0)];
    values.extend_from_slice(more);
    let dialect = cx.connection.dialect();
    if dialect == Dialect::Sqlite {
        // Cheaper than RETURNING, for which SQLite makes a temporary table.
        cx.connection.execute(&sql, &values)?;
        return found(cx, id);
    }
    let mut changed = None;
    let sql = format!("{sql} RETURNING {}", Task::statements(dialect).columns);
    cx.connection.query_locked(&sql, &values, &mut |row| {
        changed = Some(Task::read(row)?);
        Ok(())
    })?;
    changed.ok_or_else(|| Error::not_found(Task::TABLE, id.as_str()))
}

fn record_error(cx: &Context<'_>, id: &TaskId, attempt: u32, message: &str) -> Result<()> {
    let sql = "
        INSERT INTO task_errors (task_id, number, attempt, at, message)
        SELECT ?1, COALESCE(MAX(number), 0) + 1, ?2, ?3, ?4 FROM task_errors WHERE task_id = ?1";
    let values = [
        Value::text(id.as_str()),
        Value::Integer(i64::from(attempt)),
        Value::Integer(cx.now().0),
        Value::text(message),
    ];
    cx.connection.execute(sql, &values).map(|_| ())
}

/// The attempt failed, and no other will be made.
fn give_up(cx: &Context<'_>, id: &TaskId, attempt: u32, message: &str) -> Result<Task> {
    record_error(cx, id, attempt, message)?;
    let set = "status = 'failed', completed_at = ?2, error_count = error_count + 1, lease_token = NULL, \
         lease_expires_at = NULL";
    let task = change(cx, id, set, &[])?;
    dependencies::lost(cx, id.as_str(), TaskStatus::Failed)?;
    Ok(task)
}

/// The attempt failed; another will be made, not before `run_at` if that is given.
fn try_again(cx: &Context<'_>, id: &TaskId, attempt: u32, message: &str, run_at: Option<Millis>) -> Result<Task> {
    record_error(cx, id, attempt, message)?;
    let set = "status = 'pending', run_at = COALESCE(?3, run_at), error_count = error_count + 1, agent_id = NULL, \
         lease_token = NULL, lease_expires_at = NULL, assigned_at = NULL, started_at = NULL";
    change(cx, id, set, &[run_at.to_value()])
}

/// Cancels a task and what depends on it; gives their ids.
fn call_off(cx: &Context<'_>, id: &str, reason: Option<&str>) -> Result<Vec<String>> {
    let set =
        "status = 'cancelled', cancel_reason = ?3, completed_at = ?2, lease_token = NULL, lease_expires_at = NULL";
    change(cx, &TaskId::new(id)?, set, &[reason.map_or(Value::Null, Value::text)])?;
    let mut ids = vec![id.to_owned()];
    ids.extend(dependencies::lost(cx, id, TaskStatus::Cancelled)?);
    Ok(ids)
}
