//! An agent is no task.

use swarmstore::{AgentId, Task};

fn main() {
    drop(Task::PARENT_TASK_ID.eq(AgentId::new("ada").unwrap()));
}
