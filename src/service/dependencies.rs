//! Dependencies between tasks: a task is claimable when none of them is unmet.

use super::Context;
use super::context::illegal;
use crate::error::{Error, Result};
use crate::model::{OnDependencyFailure, Record, Task, TaskStatus};
use crate::sql::{Dialect, Value};

/// Replaces the task's dependencies, and stores how many of them are unmet.
///
/// A dependency that has failed or was cancelled already counts as one that does so now.
pub(super) fn set(cx: &Context<'_>, task: &mut Task) -> Result<()> {
    let id = Value::text(task.id.as_str()).into_owned();
    are_distinct(task)?;
    cx.connection.execute("DELETE FROM task_dependencies WHERE task_id = ?1", std::slice::from_ref(&id))?;
    let found = link(cx, task)?;
    is_acyclic(cx, &id)?;
    judge(cx, task, found)
}

/// Stores the dependencies of a task that is new, so that nothing waits for it that it could wait for. They are distinct.
pub(super) fn set_new(cx: &Context<'_>, task: &mut Task) -> Result<()> {
    if task.dependencies.contains(&task.id) {
        return Err(waits_for_itself());
    }
    let found = link(cx, task)?;
    judge(cx, task, found)
}

/// Refuses a dependency that is named twice.
pub(super) fn are_distinct(task: &Task) -> Result<()> {
    let mut sorted: Vec<_> = task.dependencies.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(Error::invalid("dependencies", format!("{} is there twice", pair[0]))),
    }
}

/// Stores the edges; gives how many are unmet, and why the task is lost if it is.
fn link(cx: &Context<'_>, task: &Task) -> Result<(i64, Option<String>)> {
    let id = Value::text(task.id.as_str());
    let mut unmet = 0;
    let mut lost_one = None;
    for (place, dependency) in (0..).zip(&task.dependencies) {
        let on = Value::text(dependency.as_str());
        let status = cx.connection.texts("SELECT status FROM tasks WHERE id = ?1", std::slice::from_ref(&on))?;
        match status.first().map(String::as_str) {
            None => return Err(Error::invalid("dependencies", format!("there is no task {dependency}"))),
            Some("completed") => {}
            Some(status) => {
                unmet += 1;
                if matches!(status, "failed" | "cancelled") {
                    lost_one = Some(reason(dependency.as_str(), status));
                }
            }
        }
        let insert = "INSERT INTO task_dependencies (task_id, depends_on, place) VALUES (?1, ?2, ?3)";
        cx.connection.execute(insert, &[id.clone(), on, Value::Integer(place)])?;
    }
    Ok((unmet, lost_one))
}

/// Stores the counts; cancels the task if it is lost and does not hold.
fn judge(cx: &Context<'_>, task: &mut Task, (unmet, lost_one): (i64, Option<String>)) -> Result<()> {
    let id = Value::text(task.id.as_str()).into_owned();
    let count = i64::try_from(task.dependencies.len()).unwrap_or(i64::MAX);
    cx.connection.execute(
        "UPDATE tasks SET unmet_dependencies = ?2, dependency_count = ?3 WHERE id = ?1",
        &[id.clone(), Value::Integer(unmet), Value::Integer(count)],
    )?;
    if let (Some(reason), OnDependencyFailure::Cancel) = (lost_one, task.on_dependency_failure) {
        // The version is raised by whoever writes the task, and only once.
        let sql = "UPDATE tasks SET status = 'cancelled', cancel_reason = ?2, completed_at = ?3 WHERE id = ?1";
        cx.connection.execute(sql, &[id, Value::text(&reason), Value::Integer(cx.now().0)])?;
        task.status = TaskStatus::Cancelled;
        task.cancel_reason = Some(reason);
        task.completed_at = Some(cx.now());
        lost(cx, task.id.as_str(), TaskStatus::Cancelled)?;
    }
    Ok(())
}

/// What a cycle is refused with.
pub(super) fn waits_for_itself() -> Error {
    Error::invalid("dependencies", "would make the task wait for itself")
}

fn is_acyclic(cx: &Context<'_>, id: &Value<'_>) -> Result<()> {
    let sql = "
        WITH RECURSIVE prerequisites (id) AS (
            SELECT depends_on FROM task_dependencies WHERE task_id = ?1
            UNION
            SELECT edge.depends_on FROM task_dependencies AS edge JOIN prerequisites ON edge.task_id = prerequisites.id
        )
        SELECT COUNT(*) FROM prerequisites WHERE id = ?1";
    if cx.connection.integer(sql, std::slice::from_ref(id))? > 0 {
        return Err(waits_for_itself());
    }
    Ok(())
}

/// A task was completed: those that wait for it have one less to wait for.
pub(super) fn met(cx: &Context<'_>, id: &str) -> Result<()> {
    let sql = match cx.connection.dialect() {
        Dialect::Sqlite => {
            "UPDATE tasks SET unmet_dependencies = unmet_dependencies - 1
             WHERE id IN (SELECT task_id FROM task_dependencies WHERE depends_on = ?1)"
        }
        // Locked in one order, so that two who finish at once do not wait for each other crosswise.
        #[cfg(feature = "postgres")]
        Dialect::Postgres => {
            "UPDATE tasks SET unmet_dependencies = unmet_dependencies - 1
             WHERE id IN (SELECT id FROM tasks
                          WHERE id IN (SELECT task_id FROM task_dependencies WHERE depends_on = ?1)
                          ORDER BY id FOR NO KEY UPDATE)"
        }
    };
    cx.connection.execute(sql, &[Value::text(id)]).map(|_| ())
}

/// A task failed for good or was cancelled: those that wait for it are cancelled too, unless they hold.
/// Gives the ids of the cancelled ones.
pub(super) fn lost(cx: &Context<'_>, id: &str, status: TaskStatus) -> Result<Vec<String>> {
    let waiting = format!(
        "SELECT task_id FROM task_dependencies JOIN tasks ON tasks.id = task_dependencies.task_id
         WHERE depends_on = ?1 AND tasks.status = 'pending' AND tasks.on_dependency_failure = 'cancel'
         ORDER BY task_id{}",
        cx.connection.dialect().for_update_of("tasks")
    );
    let mut cancelled = Vec::new();
    let mut causes = vec![(id.to_owned(), status)];
    while let Some((cause, status)) = causes.pop() {
        for dependent in cx.connection.texts_locked(&waiting, &[Value::text(&cause)])? {
            cancel(cx, &dependent, &reason(&cause, status.as_str()))?;
            causes.push((dependent.clone(), TaskStatus::Cancelled));
            cancelled.push(dependent);
        }
    }
    Ok(cancelled)
}

fn cancel(cx: &Context<'_>, id: &str, reason: &str) -> Result<()> {
    let sql = "
        UPDATE tasks SET status = 'cancelled', cancel_reason = ?2, completed_at = ?3, updated_at = ?3, version = version + 1
        WHERE id = ?1";
    cx.connection.execute(sql, &[Value::text(id), Value::text(reason), Value::Integer(cx.now().0)]).map(|_| ())
}

fn reason(cause: &str, status: &str) -> String {
    let what = if status == "failed" { "failed" } else { "was cancelled" };
    format!("dependency {cause} {what}")
}

/// Refuses to delete a task, with its subtasks, that others still wait for.
pub(super) fn nobody_waits_for(cx: &Context<'_>, id: &str) -> Result<()> {
    let sql = "
        WITH RECURSIVE doomed (id) AS (
            SELECT id FROM tasks WHERE id = ?1
            UNION
            SELECT tasks.id FROM tasks JOIN doomed ON tasks.parent_task_id = doomed.id
        )
        SELECT edge.task_id
        FROM task_dependencies AS edge
        WHERE edge.depends_on IN (SELECT id FROM doomed)
          AND edge.task_id NOT IN (SELECT id FROM doomed)
          AND (SELECT status FROM tasks WHERE id = edge.depends_on) <> 'completed'
          AND (SELECT status FROM tasks WHERE id = edge.task_id) = 'pending'
        LIMIT 1";
    match cx.connection.texts(sql, &[Value::text(id)])?.first() {
        None => Ok(()),
        Some(waiting) => Err(illegal(Task::TABLE, id, &format!("task {waiting} depends on it"))),
    }
}
