//! The event store: streams that are only appended to, and one order over all of them.

use super::Context;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{
    AgentId, Argument, Event, EventId, Expected, Json, Millis, NewEvent, Record, Scalar, Stream, TaskId, given,
    is_camel_of, json,
};
use crate::sql::{Entity, Value, repository};
use std::fmt::Write as _;

/// Which way a stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// From older to newer.
    #[default]
    Forward,
    /// From newer to older.
    Backward,
}

/// Which part of a stream to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadStream {
    /// The sequence to begin with, itself included; the first or, backwards, the last when absent.
    pub from: Option<i64>,
    /// Which way.
    pub direction: Direction,
    /// At most so many; 100 by default.
    pub limit: u32,
}

impl Default for ReadStream {
    fn default() -> Self {
        ReadStream { from: None, direction: Direction::Forward, limit: 100 }
    }
}

/// Which events to read of all streams, in the order of their positions.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EventFilter {
    /// Only those after this position.
    pub after: i64,
    /// At most so many; 100 by default.
    pub limit: u32,
    /// Only of this kind of aggregate.
    pub aggregate_type: Option<String>,
    /// Only of this type.
    pub event_type: Option<String>,
    /// Only about this agent.
    pub agent_id: Option<AgentId>,
    /// Only about this task.
    pub task_id: Option<TaskId>,
    /// Only those that belong together.
    pub correlation_id: Option<String>,
    /// Only those that happened then or later.
    pub since: Option<Millis>,
}

impl Default for EventFilter {
    fn default() -> Self {
        EventFilter {
            after: 0,
            limit: 100,
            aggregate_type: None,
            event_type: None,
            agent_id: None,
            task_id: None,
            correlation_id: None,
            since: None,
        }
    }
}

/// The events, inside a transaction.
pub struct Events<'a> {
    cx: &'a Context<'a>,
}

impl<'a> Events<'a> {
    pub(crate) fn new(cx: &'a Context<'a>) -> Self {
        Events { cx }
    }

    /// Appends events to a stream, all or none; gives them as stored.
    ///
    /// Appending ids that the stream has already answers the stored events, whatever was expected, so a retry is safe.
    ///
    /// # Errors
    /// `CONFLICT` with the actual last sequence when the stream is not as expected; `CONFLICT` with the index when an id
    /// is taken by another stream, or only some of the ids are there already; `INVALID_ARGUMENT`.
    pub fn append(&self, stream: &Stream, events: Vec<NewEvent>, expected: Expected) -> Result<Vec<Event>> {
        Self::check_stream(stream)?;
        // One who appends at a time: positions become visible in their order, and no sequence is given twice.
        self.cx.connection.lock("events")?;
        if let Some(stored) = self.appended_before(stream, &events)? {
            return Ok(stored);
        }
        let last = self.last_sequence(stream)?;
        meets(stream, last, expected)?;
        let append = || {
            (1..)
                .zip(events)
                .map(|(step, event)| self.insert(stream, last + step, event))
                .enumerate()
                .map(|(at, inserted)| inserted.map_err(|error| error.at_index(at)))
                .collect()
        };
        self.cx.atomically(append)
    }

    /// The events of one stream.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when it is no name of a stream.
    pub fn read(&self, stream: &Stream, options: ReadStream) -> Result<Vec<Event>> {
        Self::check_stream(stream)?;
        let (compare, order, from) = match options.direction {
            Direction::Forward => (">=", "ASC", options.from.unwrap_or(1)),
            Direction::Backward => ("<=", "DESC", options.from.unwrap_or(i64::MAX)),
        };
        let select = &Event::statements(self.cx.connection.dialect()).select;
        let sql = format!(
            "{select} WHERE aggregate_type = ?1 AND aggregate_id = ?2 AND sequence {compare} ?3 \
             ORDER BY sequence {order} LIMIT ?4"
        );
        let [kind, id] = key(stream);
        self.collect(&sql, &[kind, id, Value::Integer(from), Value::Integer(i64::from(options.limit))])
    }

    /// The events of all streams after a position, in the order of their positions.
    ///
    /// # Errors
    /// What the database reports.
    pub fn read_all(&self, filter: &EventFilter) -> Result<Vec<Event>> {
        let mut sql = format!("{} WHERE position > ?1", Event::statements(self.cx.connection.dialect()).select);
        let mut values = vec![Value::Integer(filter.after)];
        let wanted = [
            ("aggregate_type =", filter.aggregate_type.to_value()),
            ("event_type =", filter.event_type.to_value()),
            ("agent_id =", filter.agent_id.to_value()),
            ("task_id =", filter.task_id.to_value()),
            ("correlation_id =", filter.correlation_id.to_value()),
            ("timestamp >=", filter.since.to_value()),
        ];
        for (condition, value) in wanted {
            if value != Value::Null {
                values.push(value);
                let _ = write!(sql, " AND {condition} ?{}", values.len());
            }
        }
        values.push(Value::Integer(i64::from(filter.limit)));
        let _ = write!(sql, " ORDER BY position LIMIT ?{}", values.len());
        self.collect(&sql, &values)
    }

    /// How many events there are.
    ///
    /// # Errors
    /// What the database reports.
    pub fn count(&self) -> Result<i64> {
        self.cx.connection.integer("SELECT COUNT(*) FROM events", &[])
    }

    fn collect(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        self.cx.connection.query(sql, values, &mut |row| {
            events.push(Event::read(row)?);
            Ok(())
        })?;
        Ok(events)
    }

    fn check_stream(stream: &Stream) -> Result<()> {
        for (field, name) in [("aggregate_type", &stream.aggregate_type), ("aggregate_id", &stream.aggregate_id)] {
            if let Some(reason) = crate::model::refusal(name) {
                return Err(Error::invalid(field, reason));
            }
        }
        Ok(())
    }

    fn last_sequence(&self, stream: &Stream) -> Result<i64> {
        let sql = "SELECT MAX(sequence) FROM events WHERE aggregate_type = ?1 AND aggregate_id = ?2";
        self.cx.connection.integer_locked(sql, &key(stream))
    }

    /// The stored events when the stream has all the given ids already.
    fn appended_before(&self, stream: &Stream, events: &[NewEvent]) -> Result<Option<Vec<Event>>> {
        let mut stored = Vec::new();
        for (at, event) in events.iter().enumerate() {
            let Some(id) = &event.id else { continue };
            if events[..at].iter().any(|other| other.id.as_ref() == Some(id)) {
                return Err(Error::invalid("id", "the same id twice in one append").at_index(at));
            }
            let Some(found) = repository::peek::<Event>(self.cx.connection, id.as_str())? else { continue };
            if found.aggregate_type != stream.aggregate_type || found.aggregate_id != stream.aggregate_id {
                let message = format!("event {id} is in another stream already");
                return Err(Error::conflict(Event::TABLE, id.as_str(), message).at_index(at));
            }
            stored.push(found);
        }
        if stored.is_empty() {
            return Ok(None);
        }
        if stored.len() < events.len() {
            let id = stored[0].id.as_str();
            let message = "some of these events are in the stream already, others are not";
            return Err(Error::conflict(Event::TABLE, id, message));
        }
        Ok(Some(stored))
    }

    fn insert(&self, stream: &Stream, sequence: i64, new: NewEvent) -> Result<Event> {
        let mut event = Event {
            id: match new.id {
                Some(id) => id,
                None => EventId::new(self.cx.fresh_id())?,
            },
            position: 0,
            aggregate_type: stream.aggregate_type.clone(),
            aggregate_id: stream.aggregate_id.clone(),
            sequence,
            event_type: new.event_type,
            data: new.data,
            metadata: new.metadata.unwrap_or_else(|| Json::checked("{}")),
            agent_id: new.agent_id,
            task_id: new.task_id,
            correlation_id: new.correlation_id,
            causation_id: new.causation_id,
            timestamp: new.timestamp.unwrap_or_else(|| self.cx.now()),
        };
        self.cx.check(&event)?;
        let sql = "
            INSERT INTO events (id, aggregate_type, aggregate_id, sequence, event_type, data, metadata, agent_id,
                task_id, correlation_id, causation_id, timestamp)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
            RETURNING position";
        let values = [
            event.id.to_value(),
            event.aggregate_type.to_value(),
            event.aggregate_id.to_value(),
            event.sequence.to_value(),
            event.event_type.to_value(),
            Scalar::to_value(&event.data),
            Scalar::to_value(&event.metadata),
            event.agent_id.to_value(),
            event.task_id.to_value(),
            event.correlation_id.to_value(),
            event.causation_id.to_value(),
            event.timestamp.to_value(),
        ];
        let position = self.cx.connection.integer_locked(sql, &values)?;
        event.position = position;
        Ok(event)
    }
}

fn key(stream: &Stream) -> [Value<'_>; 2] {
    [Value::text(&stream.aggregate_type), Value::text(&stream.aggregate_id)]
}

fn meets(stream: &Stream, last: i64, expected: Expected) -> Result<()> {
    let (met, wanted) = match expected {
        Expected::Any => (true, String::new()),
        Expected::None => (last == 0, "none".to_owned()),
        Expected::Exists => (last > 0, "one or more".to_owned()),
        Expected::Sequence(sequence) => (last == sequence, sequence.to_string()),
    };
    if met {
        return Ok(());
    }
    let Stream { aggregate_type, aggregate_id } = stream;
    let message = format!("stream {aggregate_type}/{aggregate_id}: expected last sequence {wanted}, actual {last}");
    Err(ErrorCode::Conflict.error(message).of(Event::TABLE, aggregate_id).with_actual(last))
}

fn limit(raw: &str, key: &str) -> Result<u32> {
    given(raw, key)
}

impl Argument for ReadStream {
    const TYPE: &'static str = "{ from?: number; direction?: 'forward' | 'backward'; limit?: number }";
    const OPTIONAL: bool = true;

    fn argument(raw: Option<&str>, name: &str) -> Result<Self> {
        let mut options = ReadStream::default();
        let Some(raw) = raw else { return Ok(options) };
        json::members(raw, name, |key, value| {
            match key {
                "from" => options.from = Some(given(value, key)?),
                "limit" => options.limit = limit(value, key)?,
                "direction" => {
                    options.direction = match value {
                        "\"forward\"" => Direction::Forward,
                        "\"backward\"" => Direction::Backward,
                        _ => return Err(Error::invalid(key, "expected 'forward' or 'backward'")),
                    }
                }
                _ => return Err(Error::unknown(key, "is no option of events.read")),
            }
            Ok(())
        })?;
        Ok(options)
    }
}

impl Argument for EventFilter {
    const TYPE: &'static str = "{ after?: number; limit?: number; aggregateType?: string; eventType?: string; \
         agentId?: string; taskId?: string; correlationId?: string; since?: Time }";
    const OPTIONAL: bool = true;

    fn argument(raw: Option<&str>, name: &str) -> Result<Self> {
        let mut filter = EventFilter::default();
        let Some(raw) = raw else { return Ok(filter) };
        json::members(raw, name, |key, value| {
            match key {
                "after" => filter.after = given(value, key)?,
                "limit" => filter.limit = limit(value, key)?,
                "since" => filter.since = Some(given(value, key)?),
                _ if is_camel_of(key, "aggregate_type") => filter.aggregate_type = Some(given(value, key)?),
                _ if is_camel_of(key, "event_type") => filter.event_type = Some(given(value, key)?),
                _ if is_camel_of(key, "agent_id") => filter.agent_id = Some(given(value, key)?),
                _ if is_camel_of(key, "task_id") => filter.task_id = Some(given(value, key)?),
                _ if is_camel_of(key, "correlation_id") => filter.correlation_id = Some(given(value, key)?),
                _ => return Err(Error::unknown(key, "is no filter of events")),
            }
            Ok(())
        })?;
        Ok(filter)
    }
}
