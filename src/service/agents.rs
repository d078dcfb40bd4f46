//! Agents.

use super::context::illegal;
use super::{Collection, Context, Rules, queue};
use crate::error::{Error, Result};
use crate::model::{Agent, AgentId, AgentPatch, AgentStatus, Millis, NewAgent, Record};
use crate::sql::{Value, repository};
use std::ops::Deref;

/// The agents, inside a transaction: the eleven operations of [`Collection`].
pub struct Agents<'a> {
    collection: Collection<'a, Agent>,
}

impl<'a> Agents<'a> {
    pub(crate) fn new(cx: &'a Context<'a>) -> Self {
        Agents { collection: Collection::new(cx) }
    }
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
        name_is_free(cx, &agent)?;
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
            name_is_free(cx, &agent)?;
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
        name_is_free(cx, &agent)?;
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

fn name_is_free(cx: &Context<'_>, agent: &Agent) -> Result<()> {
    // Not every database can be asked for a name that no agent can have.
    cx.check(agent)?;
    let Some(name) = &agent.name else { return Ok(()) };
    let sql = "SELECT id FROM agents WHERE name = ?1 AND id <> ?2";
    match cx.connection.texts(sql, &[Value::text(name), Value::text(agent.id.as_str())])?.first() {
        None => Ok(()),
        Some(other) => Err(Error::conflict(Agent::TABLE, other, "another agent has this name already")),
    }
}
