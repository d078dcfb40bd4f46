//! Queues: which are paused, and how many tasks are in them.

use super::{Context, Tasks};
use crate::error::Result;
use crate::model::{Millis, Queue, Row, Scalar, TaskCounts, TaskStatus, Value};

impl Tasks<'_> {
    /// Lets claims pass a queue over, also when they name it, until it is resumed. What is claimed already goes on. Any name
    /// will do, since a queue exists by being named; pausing again changes nothing.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a name that no queue can have.
    pub fn pause(&self, queue: &str) -> Result<()> {
        let cx = self.context();
        cx.check_key("queue", queue)?;
        let sql = "INSERT INTO queues (name, paused_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        cx.connection.execute(sql, &[Value::text(queue), Value::Integer(cx.now().0)]).map(|_| ())
    }

    /// Lets a paused queue be claimed from again; does nothing when it is not paused.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a name that no queue can have.
    pub fn resume(&self, queue: &str) -> Result<()> {
        let cx = self.context();
        cx.check_key("queue", queue)?;
        cx.connection.execute("DELETE FROM queues WHERE name = ?1", &[Value::text(queue)]).map(|_| ())
    }

    /// How many tasks there are in each state, of one queue or of all.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a name that no queue can have.
    pub fn counts(&self, queue: Option<&str>) -> Result<TaskCounts> {
        let cx = self.context();
        let mut counts = TaskCounts::default();
        let mut read = |row: &dyn Row| count(&mut counts, &row.get(0)?, &row.get(1)?);
        match queue {
            None => {
                cx.connection.query("SELECT status, COUNT(*) FROM tasks GROUP BY status", &[], &mut read)?;
            }
            Some(queue) => {
                cx.check_key("queue", queue)?;
                let sql = "SELECT status, COUNT(*) FROM tasks WHERE queue = ?1 GROUP BY status";
                cx.connection.query(sql, &[Value::text(queue)], &mut read)?;
            }
        }
        Ok(counts)
    }

    /// All queues in which a task is or that are paused, by name.
    ///
    /// # Errors
    /// What the database reports.
    pub fn queues(&self) -> Result<Vec<Queue>> {
        let mut queues: Vec<Queue> = Vec::new();
        let sql = "
            SELECT queue AS name, status, COUNT(*) FROM tasks GROUP BY queue, status
            UNION ALL
            SELECT name, NULL, paused_at FROM queues
            ORDER BY name";
        self.context().connection.query(sql, &[], &mut |row| {
            let name = row.get(0)?;
            let Value::Text(name) = name else { return Ok(()) };
            if queues.last().is_none_or(|last| last.name != name) {
                queues.push(Queue { name: name.into_owned(), paused_at: None, counts: TaskCounts::default() });
            }
            let Some(queue) = queues.last_mut() else { return Ok(()) };
            match (row.get(1)?, row.get(2)?) {
                (Value::Null, Value::Integer(at)) => queue.paused_at = Some(Millis(at)),
                (status, number) => count(&mut queue.counts, &status, &number)?,
            }
            Ok(())
        })?;
        Ok(queues)
    }
}

fn count(counts: &mut TaskCounts, status: &Value<'_>, number: &Value<'_>) -> Result<()> {
    let damaged = |reason| crate::ErrorCode::Corrupt.error(format!("tasks.status: {reason}"));
    if let Value::Integer(number) = number {
        counts.set(TaskStatus::from_value(status.clone()).map_err(damaged)?, *number);
    }
    Ok(())
}

/// Those of these queues that are not paused.
pub(super) fn not_paused(cx: &Context<'_>, mut queues: Vec<String>) -> Result<Vec<String>> {
    let sql = "SELECT name FROM queues WHERE name IN (SELECT value FROM json_each(?1))";
    let paused = cx.connection.texts(sql, &[queues.to_value()])?;
    queues.retain(|queue| !paused.contains(queue));
    Ok(queues)
}
