//! Agents: who works in the swarm.

use super::field::words;
use super::record::mutable_record;
use super::{AgentId, Json, Millis};

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
