//! Filters are of use to the indexes.

use crate::store::Place;
use swarmstore::{
    Dialect, ErrorCode, Filter, Millis, NewTask, Order, Priority, Query, Task, TaskId, TaskStatus, Value,
};

/// How SQLite goes about a query.
fn plan(place: &Place, query: &Query<Task>) -> Vec<String> {
    let sql = query.to_sql(Dialect::Sqlite).expect("a statement");
    let explain = format!("EXPLAIN QUERY PLAN {}", sql.text);
    let steps = place.store.read_blocking(|tx| tx.query(&explain, &sql.params)).expect("a plan");
    // What has a parent is read for the dependencies and errors of the rows that were found.
    let outermost = steps.rows.iter().filter(|row| row[1] == Value::Integer(0));
    let step = |row: &Vec<Value<'static>>| match row.last() {
        Some(Value::Text(step)) => step.to_string(),
        other => panic!("{other:?}"),
    };
    outermost.map(step).filter(|step| step.contains(" tasks") || step.contains("ORDER BY")).collect()
}

fn pending() -> Filter<Task> {
    Task::STATUS.eq(TaskStatus::Pending)
}

fn by_urgency(query: Query<Task>) -> Query<Task> {
    query.order_by(Task::PRIORITY, Order::Descending).order_by(Task::CREATED_AT, Order::Ascending).limit(20)
}

#[test]
fn the_most_urgent_pending_tasks_are_read_from_their_index_in_its_order() {
    let place = Place::memory();
    let index = ["SEARCH tasks USING INDEX tasks_by_status (status=?)"];
    assert_eq!(plan(&place, &by_urgency(Query::new().filter(pending()))), index);
    let filtered = pending().and(Task::QUEUE.like("q%")).and(Task::AGENT_ID.is_null());
    assert_eq!(plan(&place, &by_urgency(Query::new().filter(filtered))), index);
    let urgent = pending().and(Task::PRIORITY.ge(Priority::HIGH));
    let steps = plan(&place, &by_urgency(Query::new().filter(urgent)));
    assert_eq!(steps, ["SEARCH tasks USING INDEX tasks_by_status (status=? AND priority>?)"]);
}

#[test]
fn lists_of_values_and_ranges_are_looked_up_in_indexes() {
    let place = Place::memory();
    let steps = plan(&place, &Query::new().filter(Task::ID.is_in(["a", "b"].map(|id| TaskId::new(id).unwrap()))));
    assert_eq!(steps, ["SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id=?)"]);
    let states = Task::STATUS.is_in([TaskStatus::Assigned, TaskStatus::Running]);
    let steps = plan(&place, &Query::new().filter(states));
    assert!(steps[0].starts_with("SEARCH tasks USING INDEX tasks_by_status (status=?)"), "{steps:?}");
    let expiring = Task::LEASE_EXPIRES_AT.lt(Millis(5));
    let steps = plan(&place, &Query::new().filter(expiring).order_by(Task::LEASE_EXPIRES_AT, Order::Ascending));
    assert!(steps[0].starts_with("SEARCH tasks USING INDEX tasks_by_lease (lease_expires_at<?)"), "{steps:?}");
}

#[test]
fn the_text_of_a_statement_depends_on_the_form_of_the_query_alone() {
    let text = |list: &[&str], pattern: &str, priority: Priority| {
        let filter = Task::QUEUE.is_in(list.iter().copied()).and(Task::TASK_TYPE.like(pattern));
        let query = Query::new().filter(filter.and(Task::PRIORITY.eq(priority))).limit(u32::from(priority.get()));
        query.to_sql(Dialect::Sqlite).unwrap().text
    };
    assert_eq!(text(&[], "", Priority::LOW), text(&["a", "b", "'"], "x[%", Priority::HIGH));
    let sql = by_urgency(Query::new().filter(pending())).to_sql(Dialect::Sqlite).unwrap();
    let (_, condition) = sql.text.split_once(" FROM tasks WHERE ").unwrap();
    assert_eq!(condition, "status = ?1 ORDER BY priority DESC, created_at, id LIMIT ?2");
    assert_eq!(sql.params, [Value::text("pending"), Value::Integer(20)]);
}

#[test]
fn a_page_after_a_task_has_no_statement_without_a_store() {
    let place = Place::memory();
    let error = Query::<Task>::new().after("a").to_sql(Dialect::Sqlite).expect_err("a refusal");
    assert_eq!((error.code(), error.detail().field.as_deref()), (ErrorCode::InvalidArgument, Some("after")));
    let new = NewTask::new("work", serde_json::json!({})).id(TaskId::new("a").unwrap());
    place.store.write_blocking(|tx| tx.tasks().add(new.clone())).unwrap();
    let sql = place.store.read_blocking(|tx| tx.tasks().to_sql(&Query::new().after("a"))).unwrap();
    assert!(sql.text.ends_with(" FROM tasks WHERE id > ?1 ORDER BY id LIMIT ?2"), "{}", sql.text);
}
