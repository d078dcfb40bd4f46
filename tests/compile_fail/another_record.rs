//! A column of agents says nothing about tasks.

use swarmstore::{Agent, AgentStatus, Query, Task, TaskStatus};

fn main() {
    let mixed = Task::STATUS.eq(TaskStatus::Pending).and(Agent::STATUS.eq(AgentStatus::Idle));
    let query: Query<Task> = Query::new().filter(Agent::STATUS.eq(AgentStatus::Idle));
    let ordered: Query<Task> = Query::new().order_by(Agent::NAME, swarmstore::Order::Ascending);
    drop((mixed, query, ordered));
}
