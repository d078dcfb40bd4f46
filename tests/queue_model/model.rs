//! The queue as it should be, in the simplest way to say it.

use crate::operation::{Action, BACKOFF_MS, FlowRow, Operation, Token};
use crate::queue::{Outcome, Seen, State, agent_name, id_of, mark_waiting};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use swarmstore::ErrorCode;

/// A queue of tasks in a map.
#[derive(Default)]
pub struct Model {
    now: i64,
    added: usize,
    claimed: usize,
    tasks: BTreeMap<String, Modelled>,
    /// The claims that gave each task, also of tasks that are gone.
    claims: BTreeMap<String, Vec<usize>>,
    paused: BTreeSet<u8>,
}

#[derive(Clone)]
struct Modelled {
    seen: Seen,
    key: Option<u8>,
}

impl Model {
    pub fn state(&self) -> State {
        let mut state: State = self.tasks.iter().map(|(id, task)| (id.clone(), task.seen.clone())).collect();
        mark_waiting(&mut state);
        state
    }

    pub fn apply(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Add { .. } => self.add(operation),
            Operation::Flow { rows } => {
                let before = self.tasks.clone();
                self.flow(rows).inspect_err(|_| self.tasks = before)
            }
            Operation::Claim { agent, limit, lease_ms, queues } => {
                self.reclaim();
                Ok(self.claim(*agent, *limit, *lease_ms, queues))
            }
            Operation::Advance { millis } => {
                self.now += millis;
                Ok(vec![])
            }
            Operation::Act { task, action, token } => self.act(&self.named(*task), *action, *token),
            Operation::Cancel { task, subtree } => self.cancel(&self.named(*task), *subtree),
            Operation::Redrive { tasks } => {
                let before = self.tasks.clone();
                let ids: Vec<String> = tasks.iter().map(|number| self.named(*number)).collect();
                let redriven: Outcome = ids.into_iter().map(|id| self.redrive(id)).collect();
                redriven.inspect_err(|_| self.tasks = before)
            }
            Operation::Pause { queue } => {
                self.paused.insert(*queue);
                Ok(vec![])
            }
            Operation::Resume { queue } => {
                self.paused.remove(queue);
                Ok(vec![])
            }
            Operation::Purge { age } => Ok(vec![self.purge(self.now - age).to_string()]),
            Operation::Reclaim => Ok(self.reclaim()),
            Operation::Prioritise { task, priority } => {
                let id = self.named(*task);
                self.found(&id)?.priority = *priority;
                Ok(vec![id])
            }
            Operation::Depend { task, on } => self.depend(&self.named(*task), on),
            Operation::Delete { task } => self.delete(&self.named(*task)),
            Operation::RemoveAgent { agent } => {
                let gone = Some(agent_name(*agent));
                self.reclaim_from(|task| task.agent == gone);
                for task in self.tasks.values_mut().filter(|task| task.seen.agent == gone) {
                    match task.seen.lease {
                        Some(_) => give_back(&mut task.seen, true),
                        None => task.seen.agent = None,
                    }
                }
                Ok(vec![])
            }
        }
    }

    fn named(&self, number: usize) -> String {
        id_of(number % self.added.max(1))
    }

    fn found(&mut self, id: &str) -> Result<&mut Seen, ErrorCode> {
        self.tasks.get_mut(id).map(|task| &mut task.seen).ok_or(ErrorCode::NotFound)
    }

    fn add(&mut self, operation: &Operation) -> Outcome {
        let Operation::Add { priority, delay, dependencies, hold, key, existing, retries, queue, parent } = operation
        else {
            return Ok(vec![]);
        };
        let dependencies: Vec<String> = dependencies.iter().map(|number| self.named(*number)).collect();
        let id = id_of(self.added);
        if twice(&dependencies) {
            return Err(ErrorCode::InvalidArgument);
        }
        if let Some(holder) = self.holder(*key) {
            return if *existing { Ok(vec![holder]) } else { Err(ErrorCode::Conflict) };
        }
        let parent = parent.filter(|_| self.added > 0).map(|number| self.named(number));
        if parent.as_ref().is_some_and(|parent| !self.tasks.contains_key(parent)) {
            return Err(ErrorCode::Constraint);
        }
        self.check_dependencies(&id, &dependencies)?;
        let seen = Seen {
            priority: *priority,
            run_at: self.now + delay,
            max_retries: *retries,
            dependencies,
            hold: *hold,
            queue: *queue,
            parent,
            ..pending()
        };
        self.tasks.insert(id.clone(), Modelled { seen, key: *key });
        self.added += 1;
        self.cancel_if_lost(&id);
        Ok(vec![id])
    }

    /// The unfinished task with this key.
    fn holder(&self, key: Option<u8>) -> Option<String> {
        let holds = |task: &Modelled| key.is_some() && task.key == key && !task.seen.is_final();
        self.tasks.iter().find(|(_, task)| holds(task)).map(|(id, _)| id.clone())
    }

    fn flow(&mut self, rows: &[FlowRow]) -> Outcome {
        let id = |at: usize| id_of(self.added + at % rows.len());
        let named = |row: &FlowRow| -> Vec<String> {
            let rows = row.rows.iter().map(|at| id(*at));
            rows.chain(row.tasks.iter().map(|number| self.named(*number))).collect()
        };
        let needs: Vec<Vec<String>> = rows.iter().map(named).collect();
        let ids: Vec<String> = (0..rows.len()).map(id).collect();
        if needs.iter().any(|needs| twice(needs)) {
            return Err(ErrorCode::InvalidArgument);
        }
        let mut answers = Vec::new();
        for (row, id) in rows.iter().zip(&ids) {
            match self.holder(row.key) {
                Some(_) if !row.existing => return Err(ErrorCode::Conflict),
                Some(holder) => answers.push(holder),
                None => {
                    let seen =
                        Seen { priority: row.priority, run_at: self.now, max_retries: 3, hold: row.hold, ..pending() };
                    self.tasks.insert(id.clone(), Modelled { seen, key: row.key });
                    answers.push(id.clone());
                }
            }
        }
        for ((id, answer), needs) in ids.iter().zip(&answers).zip(needs) {
            if id != answer {
                continue;
            }
            let mut on: Vec<String> = Vec::new();
            for need in needs {
                let need = ids.iter().position(|id| *id == need).map_or(need, |at| answers[at].clone());
                if !on.contains(&need) {
                    on.push(need);
                }
            }
            self.check_dependencies(id, &on)?;
            self.found(id)?.dependencies = on;
        }
        self.added += rows.len();
        for id in &answers {
            if self.tasks[id].seen.status == "pending" {
                self.cancel_if_lost(id);
            }
        }
        Ok(answers)
    }

    fn cancel(&mut self, id: &str, subtree: bool) -> Outcome {
        if self.found(id)?.is_final() {
            return Err(ErrorCode::Conflict);
        }
        let below: Vec<String> =
            self.tasks.keys().filter(|other| subtree && *other != id && self.is_part(other, id)).cloned().collect();
        let mut cancelled = Vec::new();
        for id in std::iter::once(id.to_owned()).chain(below) {
            if !self.tasks[&id].seen.is_final() {
                self.end(&id, "cancelled");
                let lost = self.lose_dependents(&id);
                cancelled.push(id);
                cancelled.extend(lost);
            }
        }
        Ok(cancelled)
    }

    /// Whether one task is, near or far, a part of another, or is it.
    fn is_part(&self, id: &str, of: &str) -> bool {
        id == of || self.tasks[id].seen.parent.as_ref().is_some_and(|parent| self.is_part(parent, of))
    }

    fn redrive(&mut self, id: String) -> Result<String, ErrorCode> {
        if self.found(&id)?.status != "failed" || self.holder(self.tasks[&id].key).is_some() {
            return Err(ErrorCode::Conflict);
        }
        let now = self.now;
        let task = self.found(&id)?;
        *task = Seen { status: "pending", attempt: 0, run_at: now, agent: None, ended: None, ..task.clone() };
        Ok(id)
    }

    fn purge(&mut self, before: i64) -> usize {
        let mut purged = 0;
        loop {
            let goes = |(id, task): &(&String, &Modelled)| {
                let needed = |other: &Modelled| {
                    other.seen.parent.as_ref() == Some(*id)
                        || (!other.seen.is_final() && other.seen.dependencies.contains(*id))
                };
                task.seen.ended.is_some_and(|ended| ended < before) && !self.tasks.values().any(needed)
            };
            let Some(id) = self.tasks.iter().find(goes).map(|(id, _)| id.clone()) else { return purged };
            self.forget(&id);
            purged += 1;
        }
    }

    fn forget(&mut self, id: &str) {
        self.tasks.remove(id);
        for task in self.tasks.values_mut() {
            task.seen.dependencies.retain(|on| on != id);
        }
    }

    fn check_dependencies(&self, id: &str, dependencies: &[String]) -> Result<(), ErrorCode> {
        let known = dependencies.iter().all(|on| self.tasks.contains_key(on));
        let cycle = dependencies.iter().any(|on| self.reaches(on, id));
        if known && !twice(dependencies) && !cycle { Ok(()) } else { Err(ErrorCode::InvalidArgument) }
    }

    /// Whether one task waits, near or far, for another, or is it.
    fn reaches(&self, from: &str, to: &str) -> bool {
        let further =
            || self.tasks.get(from).is_some_and(|task| task.seen.dependencies.iter().any(|on| self.reaches(on, to)));
        from == to || further()
    }

    fn depend(&mut self, id: &str, on: &[usize]) -> Outcome {
        let on: Vec<String> = on.iter().map(|number| self.named(*number)).collect();
        let task = self.found(id)?;
        if task.dependencies == on {
            return Ok(vec![id.to_owned()]);
        }
        if task.status != "pending" {
            return Err(ErrorCode::Conflict);
        }
        self.check_dependencies(id, &on)?;
        self.found(id)?.dependencies = on;
        self.cancel_if_lost(id);
        Ok(vec![id.to_owned()])
    }

    /// Deletes a task with all that is a part of it, unless another waits for any of these.
    fn delete(&mut self, id: &str) -> Outcome {
        if !self.tasks.contains_key(id) {
            return Ok(vec!["false".to_owned()]);
        }
        let doomed: Vec<String> = self.tasks.keys().filter(|other| self.is_part(other, id)).cloned().collect();
        let waits = |(other, task): (&String, &Modelled)| {
            let open = |on: &&String| self.tasks[*on].seen.status != "completed";
            let on = task.seen.dependencies.iter().filter(|on| doomed.contains(on)).any(|on| open(&on));
            on && task.seen.status == "pending" && !doomed.contains(other)
        };
        if self.tasks.iter().any(waits) {
            return Err(ErrorCode::Conflict);
        }
        for id in &doomed {
            self.forget(id);
        }
        Ok(vec!["true".to_owned()])
    }

    fn claim(&mut self, agent: u8, limit: u32, lease_ms: i64, queues: &[u8]) -> Vec<String> {
        let met = |on: &String| self.tasks[on].seen.status == "completed";
        let mut due: Vec<(Reverse<u8>, i64, String)> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.seen.status == "pending" && task.seen.run_at <= self.now)
            .filter(|(_, task)| task.seen.dependencies.iter().all(met))
            .filter(|(_, task)| queues.is_empty() || queues.contains(&task.seen.queue))
            .filter(|(_, task)| !self.paused.contains(&task.seen.queue))
            .map(|(id, task)| (Reverse(task.seen.priority), task.seen.run_at, id.clone()))
            .collect();
        due.sort();
        due.truncate(limit as usize);
        for (_, _, id) in &due {
            if let Some(task) = self.tasks.get_mut(id) {
                task.seen.status = "assigned";
                task.seen.attempt += 1;
                task.seen.agent = Some(agent_name(agent));
                task.seen.lease = Some((self.claimed, self.now + lease_ms));
            }
            self.claims.entry(id.clone()).or_default().push(self.claimed);
        }
        self.claimed += usize::from(!due.is_empty());
        due.into_iter().map(|(_, _, id)| id).collect()
    }

    fn act(&mut self, id: &str, action: Action, token: Token) -> Outcome {
        let claims = self.claims.get(id).map(Vec::as_slice).unwrap_or_default();
        let shown = match token {
            Token::Latest => claims.last().copied(),
            Token::Older => claims.len().checked_sub(2).map(|at| claims[at]),
            Token::Guessed => None,
        };
        let now = self.now;
        let task = self.found(id)?;
        match task.lease {
            Some((claim, expires)) if Some(claim) == shown && expires > now => {}
            _ => return Err(ErrorCode::LeaseLost),
        }
        match action {
            Action::Start if task.status == "running" => return Err(ErrorCode::Conflict),
            Action::Start => task.status = "running",
            Action::Extend { lease_ms } => task.lease = task.lease.map(|(claim, _)| (claim, now + lease_ms)),
            Action::Complete => self.end(id, "completed"),
            Action::Fail => self.fail_attempt(id, true, BACKOFF_MS),
            Action::FailForGood => self.fail_attempt(id, false, 0),
            Action::Release => give_back(task, true),
            Action::Snooze { delay } => {
                give_back(task, true);
                task.run_at = now + delay;
            }
        }
        Ok(vec![id.to_owned()])
    }

    fn reclaim(&mut self) -> Vec<String> {
        self.reclaim_from(|_| true)
    }

    fn reclaim_from(&mut self, whose: impl Fn(&Seen) -> bool) -> Vec<String> {
        let mut expired: Vec<(i64, String)> = self
            .tasks
            .iter()
            .filter(|(_, task)| whose(&task.seen))
            .filter_map(|(id, task)| task.seen.lease.map(|(_, expires)| (expires, id.clone())))
            .filter(|(expires, _)| *expires <= self.now)
            .collect();
        expired.sort();
        for (_, id) in &expired {
            let run_at = self.tasks[id].seen.run_at;
            self.fail_attempt(id, true, 0);
            self.tasks.entry(id.clone()).and_modify(|task| task.seen.run_at = run_at);
        }
        expired.into_iter().map(|(_, id)| id).collect()
    }

    fn fail_attempt(&mut self, id: &str, again: bool, wait: i64) {
        let now = self.now;
        let Some(Modelled { seen: task, .. }) = self.tasks.get_mut(id) else { return };
        task.errors.push(task.attempt);
        if again && task.attempt <= task.max_retries {
            give_back(task, false);
            task.run_at = now + wait;
        } else {
            self.end(id, "failed");
            self.lose_dependents(id);
        }
    }

    fn end(&mut self, id: &str, status: &'static str) {
        let now = self.now;
        if let Some(task) = self.tasks.get_mut(id) {
            task.seen.ended = Some(now);
            task.seen.status = status;
            task.seen.lease = None;
        }
    }

    /// Cancels a task that waits for one that is lost already.
    fn cancel_if_lost(&mut self, id: &str) {
        let task = &self.tasks[id].seen;
        let lost = |on: &String| ["failed", "cancelled"].contains(&self.tasks[on].seen.status);
        if !task.hold && task.dependencies.iter().any(lost) {
            self.end(id, "cancelled");
            self.lose_dependents(id);
        }
    }

    /// Cancels all that wait, near or far, for a task that is lost; gives them in the order of the loss.
    fn lose_dependents(&mut self, id: &str) -> Vec<String> {
        let mut lost = Vec::new();
        let mut causes = vec![id.to_owned()];
        while let Some(cause) = causes.pop() {
            let waits = |task: &Modelled| {
                task.seen.status == "pending" && !task.seen.hold && task.seen.dependencies.contains(&cause)
            };
            let waiting: Vec<String> =
                self.tasks.iter().filter(|(_, task)| waits(task)).map(|(id, _)| id.clone()).collect();
            for id in waiting {
                self.end(&id, "cancelled");
                causes.push(id.clone());
                lost.push(id);
            }
        }
        lost
    }
}

fn pending() -> Seen {
    Seen {
        status: "pending",
        priority: 5,
        run_at: 0,
        attempt: 0,
        max_retries: 3,
        dependencies: vec![],
        hold: false,
        agent: None,
        lease: None,
        errors: vec![],
        queue: 0,
        parent: None,
        ended: None,
        waits_for_held: false,
    }
}

/// Whether one is named twice.
fn twice(dependencies: &[String]) -> bool {
    dependencies.iter().enumerate().any(|(at, on)| dependencies[..at].contains(on))
}

/// Back among the pending ones; the attempt counts or not.
fn give_back(task: &mut Seen, uncounted: bool) {
    task.status = "pending";
    task.attempt -= u32::from(uncounted);
    task.agent = None;
    task.lease = None;
}
