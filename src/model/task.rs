//! Tasks: what there is to do, and how far it got.

use super::field::{integer_from_json, words};
use super::json::{self, Json, elements, members, write_text};
use super::record::mutable_record;
use super::{AgentId, Kind, Millis, Scalar, TaskId, Value};
use crate::platform::{double, push_double};
use std::borrow::Cow;
use std::fmt::Write as _;

words! {
    /// How far a task got.
    TaskStatus {
        /// Waiting to be claimed.
        Pending = "pending",
        /// Claimed, not begun.
        Assigned = "assigned",
        /// Claimed and begun.
        Running = "running",
        /// Done.
        Completed = "completed",
        /// Failed for good: a dead letter.
        Failed = "failed",
        /// Called off.
        Cancelled = "cancelled",
    }
}

impl TaskStatus {
    /// Whether nothing more will happen to it.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// How many tasks there are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskCounts([i64; TaskStatus::ALL.len()]);

impl TaskCounts {
    /// How many are in this state.
    #[must_use]
    pub fn of(&self, status: TaskStatus) -> i64 {
        self.0[status as usize]
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.0.iter().sum()
    }

    pub(crate) fn set(&mut self, status: TaskStatus, count: i64) {
        self.0[status as usize] = count;
    }
}

/// A queue: a name that tasks have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Since when it is paused, if it is.
    pub paused_at: Option<Millis>,
    /// How many tasks it has in each state.
    pub counts: TaskCounts,
}

words! {
    /// What becomes of a task when one that it depends on fails for good or is cancelled.
    OnDependencyFailure {
        /// It is cancelled too, with a reason.
        Cancel = "cancel",
        /// It waits, until somebody decides.
        Hold = "hold",
    }
}

words! {
    /// What adding a task does when an unfinished one has the same unique key.
    #[derive(Default)]
    OnConflict {
        /// `CONFLICT`.
        #[default]
        Error = "error",
        /// Answers the one that is there.
        Existing = "existing",
    }
}

words! {
    /// What an agent has to be trusted with before it is given a task.
    ///
    /// A task that names one is given only to an agent whose trust reaches the threshold. No agent has a trust score
    /// yet in this version, so such a task waits.
    TrustOperation {
        /// An ordinary task.
        BasicTask = "basic_task",
        /// A critical one.
        CriticalTask = "critical_task",
        /// Handing work to others.
        Delegation = "delegation",
        /// Checking the work of others.
        Verification = "verification",
        /// Having a say in a decision.
        Consensus = "consensus",
    }
}

/// How urgent a task is: 0 to 9, 9 first. In JavaScript also `'low'` (2), `'medium'` (5), `'high'` (7), `'critical'` (9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// 2.
    pub const LOW: Priority = Priority(2);
    /// 5, the default.
    pub const MEDIUM: Priority = Priority(5);
    /// 7.
    pub const HIGH: Priority = Priority(7);
    /// 9.
    pub const CRITICAL: Priority = Priority(9);

    /// A priority from 0 to 9.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when it is larger.
    pub fn new(priority: u8) -> crate::Result<Self> {
        if priority <= 9 { Ok(Priority(priority)) } else { Err(crate::Error::invalid("priority", "expected 0 to 9")) }
    }

    /// The priority as a number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Priority {
    fn within(priority: i64) -> Result<Self, String> {
        let priority = u8::try_from(priority).ok().filter(|priority| *priority <= 9);
        priority.map(Priority).ok_or_else(|| "expected 0 to 9, 'low', 'medium', 'high' or 'critical'".to_owned())
    }
}

impl Scalar for Priority {
    const KIND: Kind = Kind::Integer;
    const TS: &'static str = "number";
    const TS_IN: &'static str = "Priority";

    fn to_value(&self) -> Value<'_> {
        Value::Integer(i64::from(self.0))
    }
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        match value {
            Value::Integer(priority) => Self::within(priority),
            _ => Err("expected 0 to 9".to_owned()),
        }
    }
    fn from_json(raw: &str) -> Result<Self, String> {
        let refused = || "expected 0 to 9, 'low', 'medium', 'high' or 'critical'".to_owned();
        match raw {
            "\"low\"" => Ok(Self::LOW),
            "\"medium\"" => Ok(Self::MEDIUM),
            "\"high\"" => Ok(Self::HIGH),
            "\"critical\"" => Ok(Self::CRITICAL),
            _ => match integer_from_json(raw) {
                Ok(priority) => Self::within(priority),
                Err(_) => Err(refused()),
            },
        }
    }
}

words! {
    /// How the wait between attempts grows.
    BackoffKind {
        /// It doubles each time.
        Exponential = "exponential",
        /// It stays the same.
        Fixed = "fixed",
    }
}

/// How long a failed task waits before it may be claimed again.
///
/// Exponential: `base · 2^(attempt − 1)`, at most `max`; fixed: `base`. The wait is then drawn evenly from
/// `(1 − jitter) … (1 + jitter)` times that, and never exceeds `max`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// How it grows.
    pub kind: BackoffKind,
    /// The first wait, in milliseconds.
    pub base_ms: i64,
    /// The longest wait, in milliseconds.
    pub max_ms: i64,
    /// How far a wait strays, as a share from 0 to 1.
    pub jitter: f64,
}

impl Backoff {
    /// Doubling from 1 second up to 1 hour, with a jitter of 0.2.
    pub const DEFAULT: Backoff =
        Backoff { kind: BackoffKind::Exponential, base_ms: 1_000, max_ms: 3_600_000, jitter: 0.2 };

    /// Always the same wait, with no jitter.
    #[must_use]
    pub fn fixed(base_ms: i64) -> Self {
        Backoff { kind: BackoffKind::Fixed, base_ms, max_ms: base_ms.max(Self::DEFAULT.max_ms), jitter: 0.0 }
    }

    /// The wait after this attempt (from 1), given a random number from 0 to 1.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // below 2^53
    pub fn delay_ms(&self, attempt: u32, random: f64) -> i64 {
        let doublings = match self.kind {
            BackoffKind::Exponential => attempt.saturating_sub(1).min(62),
            BackoffKind::Fixed => 0,
        };
        let wait = (self.base_ms as f64 * 2f64.powi(doublings as i32)).min(self.max_ms as f64);
        let strayed = wait * (1.0 + self.jitter * (2.0 * random - 1.0));
        // Not `clamp`: its panic would print doubles, and what prints them is 12 KB of the module.
        #[allow(clippy::manual_clamp)]
        let within = strayed.max(0.0).min(self.max_ms as f64);
        within.round() as i64
    }

    /// Why it makes no sense, if so.
    pub(crate) fn refusal(&self) -> Option<String> {
        let range = 0..=super::MAX_INTEGER;
        if !range.contains(&self.base_ms) {
            return Some("baseMs: expected 0 or more milliseconds".to_owned());
        }
        if !range.contains(&self.max_ms) {
            return Some("maxMs: expected 0 or more milliseconds".to_owned());
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Some("jitter: expected 0 to 1".to_owned());
        }
        None
    }
}

const DEFAULT_BACKOFF: &str = r#"{"kind":"exponential","baseMs":1000,"maxMs":3600000,"jitter":0.2}"#;

impl Scalar for Backoff {
    const KIND: Kind = Kind::Json(DEFAULT_BACKOFF);
    const TS: &'static str = "Backoff";

    /// NULL for the default, so that it costs a row nothing.
    fn to_value(&self) -> Value<'_> {
        if *self == Backoff::DEFAULT {
            return Value::Null;
        }
        let Backoff { kind, base_ms, max_ms, jitter } = self;
        let mut text = format!(r#"{{"kind":"{kind}","baseMs":{base_ms},"maxMs":{max_ms},"jitter":"#);
        push_double(*jitter, &mut text);
        text.push('}');
        Value::Text(Cow::Owned(text))
    }
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        match value {
            Value::Null => Ok(Backoff::DEFAULT),
            Value::Text(text) => Self::from_json(&text),
            other => Err(format!("expected JSON, found {}", other.type_name())),
        }
    }
    fn from_json(raw: &str) -> Result<Self, String> {
        let (mut kind, mut base, mut max, mut jitter) = (None, None, None, None);
        members(raw, "backoff", |key, value| {
            let refused = |reason| crate::Error::invalid(key, reason);
            match key {
                "kind" => kind = Some(BackoffKind::from_json(value).map_err(refused)?),
                "baseMs" => base = Some(integer_from_json(value).map_err(refused)?),
                "maxMs" => max = Some(integer_from_json(value).map_err(refused)?),
                "jitter" => jitter = Some(double(value).ok_or_else(|| refused("expected a number".to_owned()))?),
                _ => return Err(crate::Error::unknown(key, "is no field that Backoff has")),
            }
            Ok(())
        })
        .map_err(|error| error.to_string())?;
        let kind = kind.ok_or("kind: is required")?;
        let base_ms = base.ok_or("baseMs: is required")?;
        let backoff = Backoff {
            kind,
            base_ms,
            max_ms: max.unwrap_or(Backoff::DEFAULT.max_ms.max(base_ms)),
            jitter: jitter.unwrap_or(if kind == BackoffKind::Fixed { 0.0 } else { Backoff::DEFAULT.jitter }),
        };
        Backoff::refusal(&backoff).map_or(Ok(backoff), Err)
    }
    fn refusal(&self) -> Option<String> {
        Backoff::refusal(self)
    }
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskError {
    /// Which attempt, from 1.
    pub attempt: u32,
    /// When it failed.
    pub at: Millis,
    /// Why.
    pub message: String,
}

impl Scalar for Vec<TaskError> {
    const KIND: Kind = Kind::Json("[]");
    const TS: &'static str = "TaskError[]";

    fn to_value(&self) -> Value<'_> {
        if self.is_empty() {
            return Value::text("[]");
        }
        let mut out = String::from("[");
        for (at, error) in self.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            // Writing to a String cannot fail.
            let _ = write!(out, r#"{{"attempt":{},"at":{},"message":"#, error.attempt, error.at);
            write_text(&error.message, &mut out);
            out.push('}');
        }
        out.push(']');
        Value::Text(Cow::Owned(out))
    }
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        match value {
            Value::Null => Ok(Vec::new()),
            Value::Text(text) => Self::from_json(&text),
            other => Err(format!("expected a JSON array, found {}", other.type_name())),
        }
    }
    fn from_json(raw: &str) -> Result<Self, String> {
        elements(raw)?.into_iter().map(error_from_json).collect()
    }
}

fn error_from_json(raw: &str) -> Result<TaskError, String> {
    let mut error = TaskError { attempt: 0, at: Millis(0), message: String::new() };
    members(raw, "errors", |key, value| {
        let refused = |reason| crate::Error::invalid(key, reason);
        match key {
            "attempt" => error.attempt = u32::from_json(value).map_err(refused)?,
            "at" => error.at = Millis::from_json(value).map_err(refused)?,
            _ => error.message = json::text(value).map_err(refused)?.into_owned(),
        }
        Ok(())
    })
    .map_err(|error| error.to_string())?;
    Ok(error)
}

mutable_record! {
    /// A piece of work in the queue.
    ///
    /// Status, attempt, lease and times change only through the queue's operations, not through an update.
    Task (NewTask, TaskPatch) in "tasks", id TaskId;
    required {
        /// What kind of work it is; any text.
        task_type: String,
        /// What a worker needs to know.
        payload: Json,
    }
    optional {
        /// The task that it is a part of; deleted with it.
        parent_task_id: TaskId,
        /// What an agent has to be trusted with to be given it.
        trust_operation: TrustOperation,
        /// No two unfinished tasks have the same key.
        unique_key: String,
    }
    defaulted {
        /// The queue that it waits in.
        queue: String = |_| "default".to_owned(),
        /// How urgent it is: 0 to 9, 9 first.
        priority: Priority = |_| Priority::MEDIUM,
        /// The tasks that have to be completed before it can be claimed.
        dependencies: Vec<TaskId> = |_| Vec::new(),
        /// What becomes of it when one of them fails for good or is cancelled.
        on_dependency_failure: OnDependencyFailure = |_| OnDependencyFailure::Cancel,
        /// What an agent must be able to do to be given it.
        required_capabilities: Vec<String> = |_| Vec::new(),
        /// The earliest time for it to be claimed.
        run_at: Millis = |now| now,
        /// How often it is tried again after the first attempt.
        max_retries: u32 = |_| 3,
        /// How long it waits between attempts.
        backoff: Backoff = |_| Backoff::DEFAULT,
    }
    managed {
        /// How far it got.
        status: TaskStatus,
        /// Who has it, or had it last when it is finished.
        agent_id: Option<AgentId>,
        /// How often it has been claimed and not given back.
        attempt: u32,
        /// The secret of the claim; start, extend, complete, fail, release and snooze need it.
        lease_token: Option<String>,
        /// When the claim ends by itself.
        lease_expires_at: Option<Millis>,
        /// What came out of it.
        result: Option<Json>,
        /// One entry for every failed attempt.
        errors: Vec<TaskError>,
        /// Why it was cancelled.
        cancel_reason: Option<String>,
        /// When it was claimed last.
        assigned_at: Option<Millis>,
        /// When the work on it began.
        started_at: Option<Millis>,
        /// When it was finished: completed, failed for good or cancelled.
        completed_at: Option<Millis>,
    }
    only_new {
        /// What to do when an unfinished task has the same unique key.
        on_conflict: OnConflict,
    }
}

/// What an agent asks for when it claims.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// How many tasks at most; 1 to 1,000.
    pub limit: u32,
    /// Only from these queues; from all when empty.
    pub queues: Vec<String>,
    /// Only of these types; of all when empty.
    pub types: Vec<String>,
    /// How long the lease holds, in milliseconds; at least 1.
    pub lease_ms: i64,
}

impl Default for Claim {
    /// One task of any kind, for 60 seconds.
    fn default() -> Self {
        Claim { limit: 1, queues: Vec::new(), types: Vec::new(), lease_ms: 60_000 }
    }
}

impl Claim {
    /// At most so many tasks.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// Only from these queues.
    #[must_use]
    pub fn queues(mut self, queues: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.queues = queues.into_iter().map(Into::into).collect();
        self
    }

    /// Only of these types.
    #[must_use]
    pub fn types(mut self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.types = types.into_iter().map(Into::into).collect();
        self
    }

    /// For so many milliseconds.
    #[must_use]
    pub fn lease_ms(mut self, lease_ms: i64) -> Self {
        self.lease_ms = lease_ms;
        self
    }
}
