//! Tasks as records: what may be added, changed and deleted. How they are worked on is in `queue`.

use super::context::illegal;
use super::{Collection, Context, Rules, dependencies};
use crate::error::{Error, Result};
use crate::model::{NewTask, OnConflict, Record, Task, TaskId, TaskPatch, TaskStatus};
use crate::sql::{Value, repository};
use std::ops::Deref;

/// The tasks, inside a transaction: the operations of [`Collection`], and the queue's own.
pub struct Tasks<'a> {
    collection: Collection<'a, Task>,
}

impl<'a> Tasks<'a> {
    pub(crate) fn new(cx: &'a Context<'a>) -> Self {
        Tasks { collection: Collection::new(cx) }
    }

    pub(super) fn context(&self) -> &'a Context<'a> {
        self.collection.cx
    }
}

impl<'a> Deref for Tasks<'a> {
    type Target = Collection<'a, Task>;
    fn deref(&self) -> &Self::Target {
        &self.collection
    }
}

/// A new task, and what to do when its unique key is taken.
pub(crate) struct Draft {
    pub(super) task: Task,
    pub(super) on_conflict: OnConflict,
}

impl AsRef<Task> for Draft {
    fn as_ref(&self) -> &Task {
        &self.task
    }
}

impl From<Draft> for Task {
    fn from(draft: Draft) -> Task {
        draft.task
    }
}

impl Rules for Task {
    const COMPOUND: bool = true;

    type Draft = Draft;

    fn draft(cx: &Context<'_>, mut new: NewTask) -> Result<Draft> {
        let id = match new.id.take() {
            Some(id) => id,
            None => TaskId::new(cx.fresh_id())?,
        };
        let on_conflict = new.on_conflict;
        let task = from_new(new, id, cx);
        cx.check(&task)?;
        if task.parent_task_id.as_ref() == Some(&task.id) {
            return Err(part_of_itself());
        }
        dependencies::are_distinct(&task)?;
        Ok(Draft { task, on_conflict })
    }

    fn is_plain(draft: &Draft) -> bool {
        draft.task.dependencies.is_empty()
    }

    fn create(cx: &Context<'_>, Draft { mut task, on_conflict }: Draft) -> Result<Self> {
        if task.dependencies.is_empty() {
            return insert(cx, &task, on_conflict).map(|there| there.unwrap_or(task));
        }
        cx.atomically(|| match insert(cx, &task, on_conflict)? {
            Some(there) => Ok(there),
            None => dependencies::set_new(cx, &mut task).map(|()| task),
        })
    }

    fn change(cx: &Context<'_>, current: Self, patch: TaskPatch) -> Result<(Self, Vec<usize>)> {
        let mut task = current.clone();
        let places = task.apply(patch, cx.now())?;
        settle(cx, &current, &mut task)?;
        Ok((task, places))
    }

    fn replace(cx: &Context<'_>, current: Self, new: NewTask) -> Result<Self> {
        let mut task = from_new(new, current.id.clone(), cx);
        task.status = current.status;
        task.agent_id.clone_from(&current.agent_id);
        task.attempt = current.attempt;
        task.lease_token.clone_from(&current.lease_token);
        task.lease_expires_at = current.lease_expires_at;
        task.result.clone_from(&current.result);
        task.errors.clone_from(&current.errors);
        task.cancel_reason.clone_from(&current.cancel_reason);
        task.assigned_at = current.assigned_at;
        task.started_at = current.started_at;
        task.completed_at = current.completed_at;
        task.created_at = current.created_at;
        task.version = current.version;
        settle(cx, &current, &mut task)?;
        Ok(task)
    }

    fn given_id(new: &NewTask) -> Option<&str> {
        new.id.as_ref().map(TaskId::as_str)
    }

    fn before_delete(cx: &Context<'_>, id: &str) -> Result<()> {
        dependencies::nobody_waits_for(cx, id)?;
        shorten(cx, id)
    }
}

/// A pending task.
fn from_new(new: NewTask, id: TaskId, cx: &Context<'_>) -> Task {
    let none = (None, None, None, None, None, None, None, None);
    let (agent, token, expires, result, reason, assigned, started, completed) = none;
    let pending = TaskStatus::Pending;
    Task::from_new(
        new,
        id,
        cx.now(),
        pending,
        agent,
        0,
        token,
        expires,
        result,
        Vec::new(),
        reason,
        assigned,
        started,
        completed,
    )
}

/// Inserts; gives the task that is there instead when the caller is content with that.
pub(super) fn insert(cx: &Context<'_>, task: &Task, on_conflict: OnConflict) -> Result<Option<Task>> {
    if repository::insert(cx.connection, task)? { Ok(None) } else { taken(cx, task, on_conflict).map(Some) }
}

/// An id or unique key is there already.
fn taken(cx: &Context<'_>, task: &Task, on_conflict: OnConflict) -> Result<Task> {
    let id = task.id.as_str();
    if repository::exists::<Task>(cx.connection, id)? {
        return Err(Error::conflict(Task::TABLE, id, format!("a task with the id {id} exists already")));
    }
    let Some(holder) = holder_of_key(cx, task)? else {
        return Err(Error::internal("a task was not inserted, and nothing stood in its way"));
    };
    match on_conflict {
        OnConflict::Existing => {
            repository::get(cx.connection, &holder)?.ok_or_else(|| Error::not_found(Task::TABLE, &holder))
        }
        OnConflict::Error => Err(key_is_taken(&holder)),
    }
}

/// The other unfinished task that has the same unique key.
pub(super) fn holder_of_key(cx: &Context<'_>, task: &Task) -> Result<Option<String>> {
    let Some(key) = &task.unique_key else { return Ok(None) };
    let sql = "
        SELECT id FROM tasks
        WHERE unique_key = ?1 AND (status = 'pending' OR status = 'assigned' OR status = 'running') AND id <> ?2";
    Ok(cx.connection.texts(sql, &[Value::text(key), Value::text(task.id.as_str())])?.pop())
}

pub(super) fn key_is_taken(holder: &str) -> Error {
    Error::conflict(Task::TABLE, holder, "an unfinished task has this unique key already")
}

/// What a changed task has to obey beyond its own fields.
fn settle(cx: &Context<'_>, current: &Task, task: &mut Task) -> Result<()> {
    cx.check(task)?;
    if task.unique_key != current.unique_key
        && !task.status.is_final()
        && let Some(holder) = holder_of_key(cx, task)?
    {
        return Err(key_is_taken(&holder));
    }
    if task.parent_task_id != current.parent_task_id {
        is_no_descendant(cx, task)?;
    }
    let held_no_more =
        task.on_dependency_failure != current.on_dependency_failure && task.status == TaskStatus::Pending;
    if task.dependencies != current.dependencies || (held_no_more && !task.dependencies.is_empty()) {
        if task.status != TaskStatus::Pending {
            return Err(illegal(Task::TABLE, task.id.as_str(), "dependencies change only while it is pending"));
        }
        dependencies::set(cx, task)?;
    }
    Ok(())
}

/// A task cannot be a part of itself.
fn is_no_descendant(cx: &Context<'_>, task: &Task) -> Result<()> {
    let Some(parent) = &task.parent_task_id else { return Ok(()) };
    let sql = "
        WITH RECURSIVE ancestors (id) AS (
            SELECT id FROM tasks WHERE id = ?1
            UNION
            SELECT tasks.parent_task_id FROM tasks JOIN ancestors ON tasks.id = ancestors.id
            WHERE tasks.parent_task_id IS NOT NULL
        )
        SELECT COUNT(*) FROM ancestors WHERE id = ?2";
    let found = cx.connection.integer(sql, &[Value::text(parent.as_str()), Value::text(task.id.as_str())])?;
    if found > 0 { Err(part_of_itself()) } else { Ok(()) }
}

pub(super) fn part_of_itself() -> Error {
    Error::invalid("parent_task_id", "would make the task a part of itself")
}

/// Deletes the far ends of a long line of subtasks, before the database deletes the rest with the first: SQLite goes down
/// no more than 1,000 levels at once, and each costs it more than the one above.
fn shorten(cx: &Context<'_>, id: &str) -> Result<()> {
    let ends = "
        WITH RECURSIVE subtasks (id, depth) AS (
            SELECT id, 0 FROM tasks WHERE id = ?1
            UNION ALL
            SELECT tasks.id, subtasks.depth + 1 FROM tasks JOIN subtasks ON tasks.parent_task_id = subtasks.id
        )
        SELECT id FROM subtasks WHERE depth > 0 AND depth % 50 = 0 ORDER BY depth DESC";
    for end in cx.connection.texts(ends, &[Value::text(id)])? {
        repository::delete::<Task>(cx.connection, &end)?;
    }
    Ok(())
}
