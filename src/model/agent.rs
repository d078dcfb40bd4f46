//! Agents: who works in the swarm.

use super::field::words;
use super::json::write_text;
use super::record::mutable_record;
use super::{AgentId, Answer, Json, Millis, TaskId};

words! {
    /// What an agent is doing.
    AgentStatus {
        /// Made, not at work yet.
        Initializing = "initializing",
        /// At work.
        Active = "active",
        /// Waiting for work.
        Idle = "idle",
        /// Working on a task.
        Busy = "busy",
        /// Told to wait; it may not claim.
        Paused = "paused",
        /// Given up on; it may not claim.
        Failed = "failed",
        /// Gone for good. Final.
        Terminated = "terminated",
    }
}

impl AgentStatus {
    /// Whether an agent in this state may claim tasks.
    #[must_use]
    pub fn may_claim(self) -> bool {
        matches!(self, Self::Initializing | Self::Active | Self::Idle | Self::Busy)
    }
}

mutable_record! {
    /// An agent of the swarm.
    Agent (NewAgent, AgentPatch) in "agents", id AgentId;
    required {
        /// What kind of agent it is; any text.
        agent_type: String,
    }
    optional {
        /// A name for people; no two agents have the same.
        name: String,
    }
    defaulted {
        /// What it is doing. `terminated` is final.
        status: AgentStatus = |_| AgentStatus::Initializing,
        /// What it can do; a task's required capabilities are compared with these.
        capabilities: Vec<String> = |_| Vec::new(),
        /// How it is set up.
        configuration: Json = |_| Json::checked("{}"),
        /// Whatever else is to be remembered of it.
        metadata: Json = |_| Json::checked("{}"),
        /// When it last gave a sign of life.
        last_heartbeat: Millis = |now| now,
    }
    managed {
        /// When it was terminated.
        terminated_at: Option<Millis>,
    }
    only_new {}
}

/// What a sweep of the stale agents did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// The agents that were marked failed, the one silent for longest first.
    pub agents: Vec<AgentId>,
    /// The tasks that were taken from them.
    pub tasks: Vec<TaskId>,
}

impl Swept {
    pub(crate) fn new(agents: Vec<AgentId>, tasks: Vec<TaskId>) -> Self {
        Swept { agents, tasks }
    }
}

impl Answer for Swept {
    const TYPE: &'static str = "{ agents: string[]; tasks: string[] }";

    fn write_json(&self, out: &mut String) -> bool {
        out.push_str("{\"agents\":");
        write_ids(&mut self.agents.iter().map(AgentId::as_str), out);
        out.push_str(",\"tasks\":");
        write_ids(&mut self.tasks.iter().map(TaskId::as_str), out);
        out.push('}');
        true
    }
}

fn write_ids(ids: &mut dyn Iterator<Item = &str>, out: &mut String) {
    let mut separator = '[';
    for id in &mut *ids {
        out.push(separator);
        write_text(id, out);
        separator = ',';
    }
    out.push_str(if separator == '[' { "[]" } else { "]" });
}
