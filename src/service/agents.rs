//! Agents: who they are, and whether they are still there.

use super::context::illegal;
use super::{Collection, Context, Rules, queue};
use crate::error::{Error, Result};
use crate::model::{Agent, AgentId, AgentPatch, AgentStatus, Millis, NewAgent, Record, Swept};
use crate::sql::{Dialect, Entity, Value, repository};
use std::ops::Deref;

/// The agents, inside a transaction: the operations of [`Collection`], and signs of life.
pub struct Agents<'a> {
    collection: Collection<'a, Agent>,
}

impl<'a> Agents<'a> {
    pub(crate) fn new(cx: &'a Context<'a>) -> Self {
        Agents { collection: Collection::new(cx) }
    }

    /// Notes that an agent is alive, now. One that was given up on ([`Failed`](AgentStatus::Failed)) is idle again.
    ///
    /// That alone is no change of the agent: `version` and `updated_at` stay.
    ///
    /// # Errors
    /// `NOT_FOUND`; `CONFLICT` when it is terminated.
    pub fn heartbeat(&self, id: &AgentId) -> Result<Agent> {
        let collection = &self.collection;
        let mut agent = collection.current(id.as_str())?;
        not_terminated(&agent)?;
        agent.last_heartbeat = collection.cx.now();
        let mut places: Vec<usize> = Agent::position("last_heartbeat").into_iter().collect();
        if agent.status == AgentStatus::Failed {
            agent.status = AgentStatus::Idle;
            places.extend(Agent::position("status"));
            return collection.store(agent, places);
        }
        repository::update(collection.cx.connection, &agent, &places)?;
        Ok(agent)
    }

    /// Says what an agent is doing.
    ///
    /// # Errors
    /// `NOT_FOUND`; `CONFLICT` when it is terminated, which is final.
    pub fn set_status(&self, id: &AgentId, status: AgentStatus) -> Result<Agent> {
        self.update(id, AgentPatch::new().status(status))
    }

    /// The agents that gave their last sign of life more than so many milliseconds ago, the one silent for longest first.
    /// Those that failed or are terminated are not among them: nobody expects a sign of theirs.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for less than 0 milliseconds.
    pub fn stale(&self, older_than_ms: i64) -> Result<Vec<Agent>> {
        let cx = self.collection.cx;
        let since = silent_since(cx, older_than_ms)?;
        let sql = format!("{}{STALE}", Agent::statements(cx.connection.dialect()).select);
        let mut stale = Vec::new();
        cx.connection.query(&sql, &[since], &mut |row| {
            stale.push(Agent::read(row)?);
            Ok(())
        })?;
        Ok(stale)
    }

    /// Marks the [`stale`](Self::stale) agents failed and takes their tasks back, all or none.
    ///
    /// As with a lease that expires, the attempt counts as failed: the task is claimable again at once, or failed for good
    /// when no retry is left, so that a task which kills its workers does not go round for ever.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for less than 0 milliseconds.
    pub fn sweep_stale(&self, older_than_ms: i64) -> Result<Swept> {
        let cx = self.collection.cx;
        let since = silent_since(cx, older_than_ms)?;
        let sql = match cx.connection.dialect() {
            Dialect::Sqlite => format!("SELECT id FROM agents{STALE}"),
            // One that somebody is changing just now is not given up on.
            #[cfg(feature = "postgres")]
            Dialect::Postgres => format!("SELECT id FROM agents{STALE} FOR NO KEY UPDATE SKIP LOCKED"),
        };
        let stale = cx.connection.texts_locked(&sql, &[since])?;
        cx.atomically(|| {
            let (mut agents, mut tasks) = (Vec::new(), Vec::new());
            for id in stale {
                let sql = "UPDATE agents SET status = 'failed', updated_at = ?2, version = version + 1 WHERE id = ?1";
                cx.connection.execute(sql, &[Value::text(&id), Value::Integer(cx.now().0)])?;
                tasks.extend(queue::take_back_all(cx, &id, Millis(i64::MAX), "agent stale")?);
                agents.push(AgentId::new(id)?);
            }
            Ok(Swept::new(agents, tasks))
        })
    }
}

/// Follows the name of the table; `?1` is the time since which nothing was heard.
const STALE: &str = " WHERE status IN ('initializing', 'active', 'idle', 'busy', 'paused') AND last_heartbeat < ?1
     ORDER BY last_heartbeat, id";

fn silent_since(cx: &Context<'_>, older_than_ms: i64) -> Result<Value<'static>> {
    if older_than_ms < 0 {
        return Err(Error::invalid("older_than_ms", "expected 0 or more milliseconds"));
    }
    Ok(Value::Integer(cx.now().0.saturating_sub(older_than_ms)))
}

impl<'a> Deref for Agents<'a> {
    type Target = Collection<'a, Agent>;
    fn deref(&self) -> &Self::Target {
        &self.collection
    }
}

impl AsRef<Agent> for Agent {
    fn as_ref(&self) -> &Agent {
        self
    }
}

impl Rules for Agent {
    const COMPOUND: bool = false;

    type Draft = Agent;

    fn draft(cx: &Context<'_>, new: NewAgent) -> Result<Self> {
        let id = match new.id.clone() {
            Some(id) => id,
            None => AgentId::new(cx.fresh_id())?,
        };
        let now = cx.now();
        let mut agent = Agent::from_new(new, id, now, None);
        agent.terminated_at = ended(agent.status, now);
        cx.check(&agent)?;
        Ok(agent)
    }

    fn is_plain(_: &Self) -> bool {
        true
    }

    fn create(cx: &Context<'_>, agent: Self) -> Result<Self> {
        if repository::insert(cx.connection, &agent)? {
            return Ok(agent);
        }
        name_is_free(cx, &agent, agent.name.as_deref())?;
        let message = format!("an agent with the id {} exists already", agent.id);
        Err(Error::conflict(Agent::TABLE, agent.id.as_str(), message))
    }

    fn change(cx: &Context<'_>, current: Self, patch: AgentPatch) -> Result<(Self, Vec<usize>)> {
        let mut agent = current.clone();
        let mut places = agent.apply(patch, cx.now())?;
        if agent.status != current.status {
            not_terminated(&current)?;
            agent.terminated_at = ended(agent.status, cx.now());
            places.extend(Agent::position("terminated_at"));
        }
        if agent.name != current.name {
            name_is_free(cx, &agent, agent.name.as_deref())?;
        }
        Ok((agent, places))
    }

    fn replace(cx: &Context<'_>, current: Self, new: NewAgent) -> Result<Self> {
        let mut agent = Agent::from_new(new, current.id.clone(), cx.now(), current.terminated_at);
        if agent.status != current.status {
            not_terminated(&current)?;
            agent.terminated_at = ended(agent.status, cx.now());
        }
        agent.created_at = current.created_at;
        agent.version = current.version;
        name_is_free(cx, &agent, agent.name.as_deref())?;
        Ok(agent)
    }

    fn given_id(new: &NewAgent) -> Option<&str> {
        new.id.as_ref().map(AgentId::as_str)
    }

    /// Its tasks are given back; its events stay.
    fn before_delete(cx: &Context<'_>, id: &str) -> Result<()> {
        queue::give_back_all(cx, id)
    }
}

fn ended(status: AgentStatus, now: Millis) -> Option<Millis> {
    (status == AgentStatus::Terminated).then_some(now)
}

fn not_terminated(agent: &Agent) -> Result<()> {
    if agent.status == AgentStatus::Terminated {
        return Err(illegal(Agent::TABLE, agent.id.as_str(), "terminated is final"));
    }
    Ok(())
}

/// Refuses a record whose name another one of its table has.
pub(super) fn name_is_free<R: Record>(cx: &Context<'_>, record: &R, name: Option<&str>) -> Result<()> {
    // Not every database can be asked for a name that nothing can have.
    cx.check(record)?;
    let Some(name) = name else { return Ok(()) };
    let sql = format!("SELECT id FROM {} WHERE name = ?1 AND id <> ?2", R::TABLE);
    match cx.connection.texts(&sql, &[Value::text(name), Value::text(record.id())])?.first() {
        None => Ok(()),
        Some(other) => Err(Error::conflict(R::TABLE, other, "another one has this name already")),
    }
}

#[cfg(test)]
mod tests {
    use super::STALE;
    use crate::{Store, Value};

    #[test]
    fn the_stale_are_found_through_an_index() {
        let store = Store::open_blocking("memory:").unwrap();
        let sql = format!("EXPLAIN QUERY PLAN SELECT id FROM agents{STALE}");
        let plan = store.read_blocking(|tx| tx.query(&sql, &[Value::Integer(1)])).unwrap();
        let plan = format!("{:?}", plan.rows);
        assert!(plan.contains("agents_by_status (status=? AND last_heartbeat<?)"), "{plan}");
    }
}
