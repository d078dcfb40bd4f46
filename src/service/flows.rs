//! Flows: tasks that wait for each other, added together.

use super::tasks::{self, Draft, part_of_itself};
use super::{Context, Rules, Tasks, dependencies};
use crate::error::{Error, Result};
use crate::model::{NewTask, Record, Task, TaskId};
use crate::sql::repository;

impl Tasks<'_> {
    /// Adds tasks that may name each other as dependencies and as parents, in any order, all or none. Gives them in the
    /// order given.
    ///
    /// A task whose unique key is taken by an unfinished one is answered by that one if it asks for it
    /// (`on_conflict: existing`): those of the flow that name it then wait for, or are a part of, the one that is there, whose
    /// own dependencies stay as they are.
    ///
    /// # Errors
    /// As [`add`](super::Collection::add), with the index of the row that failed. `INVALID_ARGUMENT` with the field
    /// `dependencies` when an id is unknown or a task would wait for itself, with `parent_task_id` when one would be a part of
    /// itself.
    pub fn add_flow(&self, rows: impl IntoIterator<Item = NewTask>) -> Result<Vec<Task>> {
        let cx = self.context();
        let mut drafts = Vec::new();
        for (at, row) in rows.into_iter().enumerate() {
            drafts.push(Task::draft(cx, row).map_err(|error| error.at_index(at))?);
        }
        cx.atomically(|| add(cx, drafts))
    }
}

/// Inserts the rows, then the edges among them.
fn add(cx: &Context<'_>, mut drafts: Vec<Draft>) -> Result<Vec<Task>> {
    let names = Names::of(&drafts);
    let parents: Vec<_> = drafts.iter().map(|draft| names.places(draft.task.parent_task_id.as_slice())).collect();
    // The tasks that answer for those whose key is taken.
    let mut instead: Vec<Option<TaskId>> = vec![None; drafts.len()];
    for at in order(&parents).map_err(|at| part_of_itself().at_index(at))? {
        let Draft { task, on_conflict } = &mut drafts[at];
        if let Some(parent) = &mut task.parent_task_id {
            names.replace(parent, &instead);
        }
        instead[at] = tasks::insert(cx, task, *on_conflict).map_err(|error| error.at_index(at))?.map(|there| there.id);
    }
    for (draft, instead_of_it) in drafts.iter_mut().zip(&instead) {
        let needed = &mut draft.task.dependencies;
        if instead_of_it.is_some() {
            needed.clear();
        }
        let replaced = needed.iter_mut().fold(false, |any, on| names.replace(on, &instead) | any);
        if replaced {
            // Two that are answered by one task are one dependency.
            let mut place = 0;
            let all = needed.clone();
            needed.retain(|on| {
                place += 1;
                !all[..place - 1].contains(on)
            });
        }
    }
    let needs: Vec<_> = drafts.iter().map(|draft| names.places(&draft.task.dependencies)).collect();
    // Those that others wait for come first, so that what is lost already cancels the others as they come.
    for at in order(&needs).map_err(|at| dependencies::waits_for_itself().at_index(at))? {
        let task = &mut drafts[at].task;
        if !task.dependencies.is_empty() {
            dependencies::set_new(cx, task).map_err(|error| error.at_index(at))?;
        }
    }
    let answer = |(draft, instead): (Draft, Option<TaskId>)| match instead {
        None => Ok(draft.task),
        Some(id) => {
            repository::get(cx.connection, id.as_str())?.ok_or_else(|| Error::not_found(Task::TABLE, id.as_str()))
        }
    };
    drafts.into_iter().zip(instead).map(answer).collect()
}

/// The places of the rows by their ids, sorted.
struct Names(Vec<(TaskId, usize)>);

impl Names {
    fn of(drafts: &[Draft]) -> Self {
        let mut names: Vec<_> = (0..).zip(drafts).map(|(at, draft)| (draft.task.id.clone(), at)).collect();
        names.sort_unstable();
        Names(names)
    }

    fn place(&self, id: &TaskId) -> Option<usize> {
        self.0.binary_search_by(|(name, _)| name.cmp(id)).ok().map(|at| self.0[at].1)
    }

    /// The places of those that are rows of the flow.
    fn places(&self, ids: &[TaskId]) -> Vec<usize> {
        ids.iter().filter_map(|id| self.place(id)).collect()
    }

    /// Puts the id of the task that answers for a row in the place of the row's, if one does.
    fn replace(&self, id: &mut TaskId, instead: &[Option<TaskId>]) -> bool {
        let other = self.place(id).and_then(|at| instead[at].as_ref()).filter(|other| *other != &*id);
        if let Some(other) = other {
            *id = other.clone();
        }
        other.is_some()
    }
}

/// The places in an order in which each comes after those that it needs, and else stays where it is; or one that needs
/// itself, near or far.
fn order(needs: &[Vec<usize>]) -> Result<Vec<usize>, usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Unseen,
        Open,
        Done,
    }
    let mut states = vec![State::Unseen; needs.len()];
    let mut ordered = Vec::with_capacity(needs.len());
    // Not by recursion: a flow may be a line of any length.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for start in 0..needs.len() {
        if states[start] == State::Unseen {
            states[start] = State::Open;
            path.push((start, 0));
        }
        while let Some((at, looked_at)) = path.last_mut() {
            let at = *at;
            let Some(&need) = needs[at].get(*looked_at) else {
                states[at] = State::Done;
                ordered.push(at);
                path.pop();
                continue;
            };
            *looked_at += 1;
            match states[need] {
                State::Unseen => {
                    states[need] = State::Open;
                    path.push((need, 0));
                }
                State::Open => return Err(at),
                State::Done => {}
            }
        }
    }
    Ok(ordered)
}
