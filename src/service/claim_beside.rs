//! Picking tasks where many claim at once: on PostgreSQL, where each row is locked as it is reached, and those that others
//! have locked are passed over. So claims never wait for each other, and no task is given twice.

use super::Context;
use crate::error::Result;
use crate::model::{Agent, Claim, Millis, Record as _, Scalar, Task, Value};
use crate::sql::{Dialect, Entity};
use std::fmt::Write as _;

/// Picks and assigns in one statement.
pub(super) fn pick(cx: &Context<'_>, agent: &Agent, claim: &Claim, expires: Millis) -> Result<Vec<Task>> {
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
    if let [queue] = claim.queues.as_slice() {
        values.push(Value::text(queue));
        let _ = write!(only, " AND queue = ?{}", values.len());
    } else {
        one_of("queue", &claim.queues, &mut only, &mut values);
    }
    one_of("task_type", &claim.types, &mut only, &mut values);
    let columns = &Task::statements(Dialect::Postgres).columns;
    // One step through the index per priority, from its first task to the last that is due: those that are not due yet cost
    // nothing. Materialized, because what locks must not run twice.
    let sql = format!(
        "WITH picked AS MATERIALIZED (
             SELECT due.id FROM (VALUES (9), (8), (7), (6), (5), (4), (3), (2), (1), (0)) AS urgency (priority)
             CROSS JOIN LATERAL (
                 SELECT id FROM tasks
                 WHERE status = 'pending' AND unmet_dependencies = 0 AND priority = urgency.priority AND run_at <= ?4{only}
                   AND queue NOT IN (SELECT name FROM queues) AND trust_operation IS NULL
                   AND (required_capabilities = '[]' OR NOT EXISTS (
                       SELECT 1 FROM jsonb_array_elements_text(required_capabilities::jsonb) AS required (name)
                       WHERE name NOT IN (SELECT jsonb_array_elements_text(?5::jsonb))))
                 ORDER BY run_at, id
                 LIMIT ?6
                 FOR NO KEY UPDATE SKIP LOCKED
             ) AS due
             LIMIT ?6)
         UPDATE tasks
         SET status = 'assigned', agent_id = ?1, lease_token = ?2, lease_expires_at = ?3, assigned_at = ?4,
             started_at = NULL, attempt = attempt + 1, updated_at = ?4, version = version + 1
         WHERE id IN (SELECT id FROM picked)
         RETURNING {columns}"
    );
    let mut tasks = Vec::new();
    cx.connection.query_locked(&sql, &values, &mut |row| {
        tasks.push(Task::read(row)?);
        Ok(())
    })?;
    tasks.sort_by(|a, b| b.priority.cmp(&a.priority).then(a.run_at.cmp(&b.run_at)).then_with(|| a.id.cmp(&b.id)));
    Ok(tasks)
}

/// One parameter however many names, so that the statements are few and their parameters too.
fn one_of<'a>(column: &str, names: &'a Vec<String>, only: &mut String, values: &mut Vec<Value<'a>>) {
    if !names.is_empty() {
        values.push(names.to_value());
        let _ = write!(only, " AND {column} IN (SELECT jsonb_array_elements_text(?{}::jsonb))", values.len());
    }
}
