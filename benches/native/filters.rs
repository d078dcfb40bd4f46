//! Filters as programs ask them, of the first twenty rows that they leave.

use swarmstore::{Filter, Millis, Order, Priority, Query, Task, TaskStatus};

/// 2026-01-01; no row is older.
const NEW_YEAR: Millis = Millis(1_767_225_600_000);

/// The query of a workload such as `filter-range`, made anew each time, as a caller does.
pub fn query(name: &str) -> Query<Task> {
    match name {
        "filter-urgent" => {
            pending().order_by(Task::PRIORITY, Order::Descending).order_by(Task::CREATED_AT, Order::Ascending)
        }
        "filter-range" => Query::new()
            .filter(Task::STATUS.eq(TaskStatus::Pending).and(Task::PRIORITY.ge(Priority::HIGH)))
            .order_by(Task::PRIORITY, Order::Descending)
            .order_by(Task::CREATED_AT, Order::Ascending),
        "filter-in" => Query::new()
            .filter(Task::TASK_TYPE.is_in(["tile", "check"]))
            .filter(Task::CREATED_AT.between(NEW_YEAR, Millis(NEW_YEAR.0 * 2)))
            .order_by(Task::ID, Order::Descending),
        "filter-or" => Query::new().filter(Filter::all([
            Task::TASK_TYPE.like("em%").or(Task::REQUIRED_CAPABILITIES.contains("gpu")),
            Task::STATUS.ne(TaskStatus::Pending),
            Task::PARENT_TASK_ID.is_null(),
        ])),
        _ => unreachable!("{name} is no filter"),
    }
    .limit(20)
}

/// What is counted.
pub fn pending() -> Query<Task> {
    Query::new().filter(Task::STATUS.eq(TaskStatus::Pending))
}
