//! Deleting what was finished long ago.

use super::{Context, Tasks};
use crate::error::Result;
use crate::model::{Millis, Row, Value};

/// So many tasks are looked for together.
const TOGETHER: usize = 500;

/// What can go: nothing unfinished depends on it, and it has no subtasks, which would go with it.
const CAN_GO: &str = "
    AND NOT EXISTS (SELECT 1 FROM tasks AS part WHERE part.parent_task_id = tasks.id)
    AND NOT EXISTS (
        SELECT 1 FROM task_dependencies AS edge JOIN tasks AS waiting ON waiting.id = edge.task_id
        WHERE edge.depends_on = tasks.id
          AND (waiting.status = 'pending' OR waiting.status = 'assigned' OR waiting.status = 'running'))";

impl Tasks<'_> {
    /// Deletes the tasks that were completed, failed for good or cancelled before a time, with their errors; gives how many.
    ///
    /// Those stay that an unfinished task depends on, and those that have a subtask which stays.
    ///
    /// # Errors
    /// What the database reports.
    pub fn purge(&self, finished_before: Millis) -> Result<u64> {
        let cx = self.context();
        // What refers to them, and will in a moment, cannot be locked.
        cx.connection.be_alone()?;
        let sql = format!(
            "SELECT id, completed_at, parent_task_id FROM tasks
             WHERE completed_at < ?1 AND (completed_at, id) > (?2, ?3) {CAN_GO}
             ORDER BY completed_at, id
             LIMIT {TOGETHER}"
        );
        let (mut purged, mut last) = (0, (Value::Integer(i64::MIN), Value::text("")));
        loop {
            let mut found = Found::default();
            let from = [Value::Integer(finished_before.0), last.0.clone(), last.1.clone()];
            cx.connection.query(&sql, &from, &mut |row| found.take(row))?;
            let Some(end) = found.last.take() else { return Ok(purged) };
            last = end;
            purged += found.delete(cx, finished_before)?;
        }
    }
}

/// Tasks that can go.
#[derive(Default)]
struct Found {
    ids: Vec<Value<'static>>,
    parents: Vec<Value<'static>>,
    last: Option<(Value<'static>, Value<'static>)>,
}

impl Found {
    fn take(&mut self, row: &dyn Row) -> Result<()> {
        let (id, parent) = (row.get(0)?.into_owned(), row.get(2)?.into_owned());
        self.last = Some((row.get(1)?.into_owned(), id.clone()));
        self.ids.push(id);
        if parent != Value::Null && !self.parents.contains(&parent) {
            self.parents.push(parent);
        }
        Ok(())
    }

    /// Deletes them, and then those of their parents that can go by that, as far up as it takes.
    fn delete(mut self, cx: &Context<'_>, finished_before: Millis) -> Result<u64> {
        let sql =
            format!("SELECT id, completed_at, parent_task_id FROM tasks WHERE id = ?1 AND completed_at < ?2 {CAN_GO}");
        let mut deleted = 0;
        while !self.ids.is_empty() {
            deleted += cx.connection.execute_each("DELETE FROM tasks WHERE id = ?1", 1, &self.ids)?;
            let mut above = Found::default();
            for parent in self.parents {
                let values = [parent, Value::Integer(finished_before.0)];
                cx.connection.query(&sql, &values, &mut |row| above.take(row))?;
            }
            self = above;
        }
        Ok(deleted as u64)
    }
}
