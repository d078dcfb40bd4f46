//! Groups of agents, and who belongs to them.

use super::agents::name_is_free;
use super::{Collection, Context, Rules};
use crate::error::{Error, Result};
use crate::model::{Agent, AgentId, Group, GroupId, GroupPatch, Membership, Millis, NewGroup, Record, Row, Scalar};
use crate::sql::{Entity, Value, repository};
use std::ops::Deref;

/// The groups, inside a transaction: the eleven operations of [`Collection`], and who belongs to them. Deleting a group
/// or an agent removes its memberships.
pub struct Groups<'a> {
    collection: Collection<'a, Group>,
}

impl<'a> Groups<'a> {
    pub(crate) fn new(cx: &'a Context<'a>) -> Self {
        Groups { collection: Collection::new(cx) }
    }

    /// Makes an agent a member of a group, in a role or in none. A member that joins again has the new role, and joined
    /// when it did.
    ///
    /// # Errors
    /// `NOT_FOUND` for an unknown group or agent; `INVALID_ARGUMENT` for a role that cannot be stored; `CONSTRAINT` when
    /// group or agent are deleted at this moment, which only a server's writers can do.
    pub fn join(&self, group: &GroupId, agent: &AgentId, role: Option<&str>) -> Result<()> {
        let cx = self.collection.cx;
        cx.check_text("role", role.unwrap_or_default())?;
        // Not locked: whatever happens to them meanwhile, the database looks for them again.
        if repository::peek::<Group>(cx.connection, group.as_str())?.is_none() {
            return Err(Error::not_found(Group::TABLE, group.as_str()));
        }
        if repository::peek::<Agent>(cx.connection, agent.as_str())?.is_none() {
            return Err(Error::not_found(Agent::TABLE, agent.as_str()));
        }
        let sql = "INSERT INTO agent_group_members (group_id, agent_id, role, joined_at) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (group_id, agent_id) DO UPDATE SET role = excluded.role";
        let values =
            [group.to_value(), agent.to_value(), role.map_or(Value::Null, Value::text), Value::Integer(cx.now().0)];
        cx.connection.execute(sql, &values).map(|_| ())
    }

    /// Ends a membership; `false` when there was none.
    ///
    /// # Errors
    /// What the database reports.
    pub fn leave(&self, group: &GroupId, agent: &AgentId) -> Result<bool> {
        let sql = "DELETE FROM agent_group_members WHERE group_id = ?1 AND agent_id = ?2";
        Ok(self.collection.cx.connection.execute(sql, &[group.to_value(), agent.to_value()])? > 0)
    }

    /// Who belongs to a group, who joined first first; nobody when there is no such group.
    ///
    /// # Errors
    /// What the database reports.
    pub fn members(&self, group: &GroupId) -> Result<Vec<Membership>> {
        let sql = "SELECT agent_id, role, joined_at FROM agent_group_members WHERE group_id = ?1
                   ORDER BY joined_at, agent_id";
        let mut members = Vec::new();
        self.collection.cx.connection.query(sql, &[group.to_value()], &mut |row| {
            members.push(membership(row)?);
            Ok(())
        })?;
        Ok(members)
    }

    /// The groups that an agent belongs to, in the order of their ids; none when there is no such agent.
    ///
    /// # Errors
    /// What the database reports.
    pub fn of(&self, agent: &AgentId) -> Result<Vec<Group>> {
        let connection = self.collection.cx.connection;
        let sql = format!(
            "{} WHERE id IN (SELECT group_id FROM agent_group_members WHERE agent_id = ?1) ORDER BY id",
            Group::statements(connection.dialect()).select
        );
        let mut groups = Vec::new();
        connection.query(&sql, &[agent.to_value()], &mut |row| {
            groups.push(Group::read(row)?);
            Ok(())
        })?;
        Ok(groups)
    }
}

fn membership(row: &dyn Row) -> Result<Membership> {
    let damaged = |reason| crate::ErrorCode::Corrupt.error(format!("agent_group_members: {reason}"));
    Ok(Membership::new(
        AgentId::from_value(row.get(0)?).map_err(damaged)?,
        Option::from_value(row.get(1)?).map_err(damaged)?,
        Millis::from_value(row.get(2)?).map_err(damaged)?,
    ))
}

impl<'a> Deref for Groups<'a> {
    type Target = Collection<'a, Group>;
    fn deref(&self) -> &Self::Target {
        &self.collection
    }
}

impl AsRef<Group> for Group {
    fn as_ref(&self) -> &Group {
        self
    }
}

impl Rules for Group {
    const COMPOUND: bool = false;

    type Draft = Group;

    fn draft(cx: &Context<'_>, new: NewGroup) -> Result<Self> {
        let id = match new.id.clone() {
            Some(id) => id,
            None => GroupId::new(cx.fresh_id())?,
        };
        let group = Group::from_new(new, id, cx.now());
        cx.check(&group)?;
        Ok(group)
    }

    fn is_plain(_: &Self) -> bool {
        true
    }

    fn create(cx: &Context<'_>, group: Self) -> Result<Self> {
        if repository::insert(cx.connection, &group)? {
            return Ok(group);
        }
        name_is_free(cx, &group, Some(&group.name))?;
        let message = format!("a group with the id {} exists already", group.id);
        Err(Error::conflict(Group::TABLE, group.id.as_str(), message))
    }

    fn change(cx: &Context<'_>, current: Self, patch: GroupPatch) -> Result<(Self, Vec<usize>)> {
        let mut group = current.clone();
        let places = group.apply(patch, cx.now())?;
        if group.name != current.name {
            name_is_free(cx, &group, Some(&group.name))?;
        }
        Ok((group, places))
    }

    fn replace(cx: &Context<'_>, current: Self, new: NewGroup) -> Result<Self> {
        let mut group = Group::from_new(new, current.id, cx.now());
        group.created_at = current.created_at;
        group.version = current.version;
        name_is_free(cx, &group, Some(&group.name))?;
        Ok(group)
    }

    fn given_id(new: &NewGroup) -> Option<&str> {
        new.id.as_ref().map(GroupId::as_str)
    }

    /// Its memberships go with it, by the database's own hand.
    fn before_delete(_: &Context<'_>, _: &str) -> Result<()> {
        Ok(())
    }
}
