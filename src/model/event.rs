//! Events: what happened, in streams that are only appended to.

use super::json::{Reader, members, unescape};
use super::record::{given, is_camel_of, record};
use super::{AgentId, Argument, EventId, Json, Millis, TaskId};
use crate::error::{Error, Result};

record! {
    /// Something that happened to an aggregate.
    Event in "events" {
        /// Its id.
        id: EventId,
        /// Its place among all events, increasing in the order of commits.
        position: i64,
        /// The kind of thing that it happened to.
        aggregate_type: String,
        /// Which one of its kind.
        aggregate_id: String,
        /// Its place in the stream of that aggregate: from 1, without gaps.
        sequence: i64,
        /// What happened.
        event_type: String,
        /// The particulars.
        data: Json,
        /// What is known about how it came to be recorded.
        metadata: Json,
        /// The agent it concerns. It stays when the agent is deleted.
        agent_id: Option<AgentId>,
        /// The task it concerns. It stays when the task is deleted.
        task_id: Option<TaskId>,
        /// What belongs together across streams.
        correlation_id: Option<String>,
        /// What led to it.
        causation_id: Option<String>,
        /// When it happened.
        timestamp: Millis,
    }
}

/// What is given to append an [`Event`]. Storage gives position and sequence.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NewEvent {
    /// Its id; a UUIDv7 when absent. Appending an id that the stream already has answers the stored event.
    pub id: Option<EventId>,
    /// What happened.
    pub event_type: String,
    /// The particulars.
    pub data: Json,
    /// What is known about how it came to be recorded; `{}` when absent.
    pub metadata: Option<Json>,
    /// The agent it concerns.
    pub agent_id: Option<AgentId>,
    /// The task it concerns.
    pub task_id: Option<TaskId>,
    /// What belongs together across streams.
    pub correlation_id: Option<String>,
    /// What led to it.
    pub causation_id: Option<String>,
    /// When it happened; the time of the write when absent.
    pub timestamp: Option<Millis>,
}

impl NewEvent {
    /// An event with the required fields.
    #[must_use]
    pub fn new(event_type: impl Into<String>, data: impl Into<Json>) -> Self {
        NewEvent {
            id: None,
            event_type: event_type.into(),
            data: data.into(),
            metadata: None,
            agent_id: None,
            task_id: None,
            correlation_id: None,
            causation_id: None,
            timestamp: None,
        }
    }

    /// With this id, so that a retry is recognised.
    #[must_use]
    pub fn id(mut self, id: EventId) -> Self {
        self.id = Some(id);
        self
    }

    /// About this agent.
    #[must_use]
    pub fn agent_id(mut self, agent: AgentId) -> Self {
        self.agent_id = Some(agent);
        self
    }

    /// About this task.
    #[must_use]
    pub fn task_id(mut self, task: TaskId) -> Self {
        self.task_id = Some(task);
        self
    }

    /// Belonging together with others.
    #[must_use]
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// The names of the fields with their TypeScript types, and whether each must be given.
    pub(crate) const GIVEN: &'static [(&'static str, &'static str, bool)] = &[
        ("id", "string", false),
        ("event_type", "string", true),
        ("data", "Json", true),
        ("metadata", "Json", false),
        ("agent_id", "string", false),
        ("task_id", "string", false),
        ("correlation_id", "string", false),
        ("causation_id", "string", false),
        ("timestamp", "Time", false),
    ];
}

impl Argument for NewEvent {
    const TYPE: &'static str = "NewEvent";

    fn argument(raw: Option<&str>, name: &str) -> Result<Self> {
        let raw = raw.ok_or_else(|| Error::invalid(name, "is required"))?;
        Self::read(&mut Reader::around(raw), name)
    }

    fn read(reader: &mut Reader<'_>, name: &str) -> Result<Self> {
        let mut event = NewEvent::new("", Json::default());
        let (mut has_type, mut has_data) = (false, false);
        reader.members(name, &mut |key, value| {
            match key {
                "id" => event.id = Some(given(value, key)?),
                "data" => {
                    event.data = given(value, key)?;
                    has_data = true;
                }
                "metadata" => event.metadata = Some(given(value, key)?),
                "timestamp" => event.timestamp = Some(given(value, key)?),
                _ if is_camel_of(key, "event_type") => {
                    event.event_type = given(value, key)?;
                    has_type = true;
                }
                _ if is_camel_of(key, "agent_id") => event.agent_id = Some(given(value, key)?),
                _ if is_camel_of(key, "task_id") => event.task_id = Some(given(value, key)?),
                _ if is_camel_of(key, "correlation_id") => event.correlation_id = Some(given(value, key)?),
                _ if is_camel_of(key, "causation_id") => event.causation_id = Some(given(value, key)?),
                _ => return Err(Error::unknown(key, "is no field that NewEvent has")),
            }
            Ok(())
        })?;
        match (has_type, has_data) {
            (true, true) => Ok(event),
            (false, _) => Err(Error::invalid("event_type", "is required")),
            (_, false) => Err(Error::invalid("data", "is required")),
        }
    }
}

/// A stream of events: those of one aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stream {
    /// The kind of thing, such as `task`.
    pub aggregate_type: String,
    /// Which one of its kind.
    pub aggregate_id: String,
}

impl Stream {
    /// Names a stream.
    #[must_use]
    pub fn new(aggregate_type: impl Into<String>, aggregate_id: impl Into<String>) -> Self {
        Stream { aggregate_type: aggregate_type.into(), aggregate_id: aggregate_id.into() }
    }
}

impl Argument for Stream {
    const TYPE: &'static str = "Stream";

    fn argument(raw: Option<&str>, name: &str) -> Result<Self> {
        let raw = raw.ok_or_else(|| Error::invalid(name, "is required"))?;
        let (mut aggregate_type, mut aggregate_id) = (None, None);
        members(raw, name, |key, value| {
            match key {
                "aggregateType" => aggregate_type = Some(given(value, key)?),
                "aggregateId" => aggregate_id = Some(given(value, key)?),
                _ => return Err(Error::unknown(key, "is no field that Stream has")),
            }
            Ok(())
        })?;
        Ok(Stream {
            aggregate_type: aggregate_type.ok_or_else(|| Error::invalid("aggregate_type", "is required"))?,
            aggregate_id: aggregate_id.ok_or_else(|| Error::invalid("aggregate_id", "is required"))?,
        })
    }
}

/// What a stream must look like for an append to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expected {
    /// Anything.
    #[default]
    Any,
    /// No event yet.
    None,
    /// At least one event.
    Exists,
    /// Exactly this last sequence; 0 is the same as [`Expected::None`].
    Sequence(i64),
}

impl Argument for Expected {
    const TYPE: &'static str = "'any' | 'none' | 'exists' | number";
    const OPTIONAL: bool = true;

    fn argument(raw: Option<&str>, name: &str) -> Result<Self> {
        let refused = || Error::invalid(name, "expected 'any', 'none', 'exists' or a sequence of 0 or more");
        match raw {
            None => Ok(Expected::Any),
            Some(raw) if raw.starts_with('"') => match &*unescape(raw.trim_matches('"')) {
                "any" => Ok(Expected::Any),
                "none" => Ok(Expected::None),
                "exists" => Ok(Expected::Exists),
                _ => Err(refused()),
            },
            Some(raw) => match super::field::integer_from_json(raw) {
                Ok(sequence) if sequence >= 0 => Ok(Expected::Sequence(sequence)),
                _ => Err(refused()),
            },
        }
    }
}
