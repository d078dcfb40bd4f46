//! Groups of agents, and who belongs to them.

use super::record::{mutable_record, write_members};
use super::{AgentId, Answer, GroupId, Json, Kind, Millis, Scalar};

mutable_record! {
    /// A group of agents.
    Group (NewGroup, GroupPatch) in "agent_groups", id GroupId;
    required {
        /// Its name; no two groups have the same.
        name: String,
        /// What kind of group it is; any text.
        group_type: String,
    }
    optional {}
    defaulted {
        /// How it is set up.
        configuration: Json = |_| Json::checked("{}"),
    }
    managed {}
    only_new {}
}

/// An agent as a member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Membership {
    /// Who it is.
    pub agent_id: AgentId,
    /// What it does there; any text.
    pub role: Option<String>,
    /// When it joined.
    pub joined_at: Millis,
}

impl Membership {
    pub(crate) fn new(agent_id: AgentId, role: Option<String>, joined_at: Millis) -> Self {
        Membership { agent_id, role, joined_at }
    }
}

impl Answer for Membership {
    const TYPE: &'static str = "Membership";

    fn write_json(&self, out: &mut String) -> bool {
        let members = [
            ("agentId", Kind::Text, self.agent_id.to_value()),
            ("role", Kind::Text, self.role.to_value()),
            ("joinedAt", Kind::Time, self.joined_at.to_value()),
        ];
        write_members(&members, out);
        true
    }
}
