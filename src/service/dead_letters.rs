//! Dead letters: tasks that failed for good, and their second life.

use super::context::illegal;
use super::tasks::{holder_of_key, key_is_taken};
use super::{Context, Tasks, queue};
use crate::error::Result;
use crate::model::{Record, Task, TaskId, TaskStatus};
use crate::sql::Query;

impl Tasks<'_> {
    /// The tasks that failed for good: those of them that the query asks for.
    ///
    /// # Errors
    /// As [`list`](super::Collection::list).
    pub fn dead_letters(&self, query: Query<Task>) -> Result<Vec<Task>> {
        self.list(&self.failed(query))
    }

    /// A query of dead letters only.
    #[allow(clippy::unused_self)] // it belongs to the tasks
    pub(crate) fn failed(&self, query: Query<Task>) -> Query<Task> {
        query.filter(Task::STATUS.eq(TaskStatus::Failed))
    }

    /// Makes tasks that failed for good pending again, all or none: due now, with attempt 0. Their errors stay. Tasks that
    /// hold because of one go on when it is completed; those that were cancelled stay so. Gives them in the order given.
    ///
    /// # Errors
    /// With the index of the id: `NOT_FOUND`; `CONFLICT` when the task is not failed, or when an unfinished one has its
    /// unique key.
    pub fn redrive(&self, ids: &[TaskId]) -> Result<Vec<Task>> {
        let cx = self.context();
        let each = |(at, id)| redrive(cx, id).map_err(|error| error.at_index(at));
        cx.atomically(|| ids.iter().enumerate().map(each).collect())
    }
}

fn redrive(cx: &Context<'_>, id: &TaskId) -> Result<Task> {
    let task = queue::found(cx, id)?;
    if task.status != TaskStatus::Failed {
        return Err(illegal(Task::TABLE, id.as_str(), &format!("is {} and not failed", task.status)));
    }
    if let Some(holder) = holder_of_key(cx, &task)? {
        return Err(key_is_taken(&holder));
    }
    let set = "status = 'pending', attempt = 0, run_at = ?2, agent_id = NULL, assigned_at = NULL, started_at = NULL, \
         completed_at = NULL";
    queue::change(cx, id, set, &[])
}
