//! Lists: filters, order, pages; and a caller's own statements.

use crate::ErrorCode::InvalidArgument;
use crate::model::{AgentStatus, Backoff, NewAgent, Priority, Task, TaskStatus, Value};
use crate::sql::Query;
use crate::testing::Subject;
use crate::testing::kit::{agent, agent_id, ids, invalid, refused, task, task_after, task_id, texts};
use crate::{Agent, Order};
use serde_json::json;

pub async fn a_list_is_the_first_hundred_by_id(subject: Subject) {
    let new: Vec<NewAgent> = (0..120).rev().map(|number| agent(&format!("{number:03}"))).collect();
    subject.write(move |tx| tx.agents().add_many(new.clone())).await.unwrap();
    let listed = agents(&subject, Query::new()).await;
    let expected: Vec<String> = (0..100).map(|number| format!("{number:03}")).collect();
    assert_eq!(ids(&listed), expected);
    assert_eq!(agents(&subject, Query::new().unlimited()).await.len(), 120);
}

pub async fn an_empty_table_gives_an_empty_list(subject: Subject) {
    assert!(agents(&subject, Query::new()).await.is_empty());
    assert_eq!(subject.read(|tx| tx.agents().count(&Query::new())).await.unwrap(), 0);
}

pub async fn limit_and_offset_cut_a_page_out(subject: Subject) {
    add_agents(&subject, &["a", "b", "c", "d", "e"]).await;
    assert_eq!(ids(&agents(&subject, Query::new().limit(2).offset(1)).await), ["b", "c"]);
    assert_eq!(ids(&agents(&subject, Query::new().limit(9).offset(4)).await), ["e"]);
    assert_eq!(ids(&agents(&subject, Query::new().unlimited().offset(3)).await), ["d", "e"]);
    assert!(agents(&subject, Query::new().limit(0)).await.is_empty());
    assert!(agents(&subject, Query::new().offset(5)).await.is_empty());
}

pub async fn several_order_keys_rank_one_after_another_and_the_id_breaks_ties(subject: Subject) {
    for (id, kind, name) in
        [("1", "b", Some("x")), ("2", "a", Some("y")), ("3", "b", None), ("4", "a", Some("w")), ("5", "b", None)]
    {
        let new = NewAgent::new(kind).id(agent_id(id));
        subject
            .add_agent(match name {
                Some(name) => new.name(name),
                None => new,
            })
            .await;
    }
    let order = |first, second| Query::new().order_by(Agent::AGENT_TYPE, first).order_by(Agent::NAME, second);
    let by = async |query| ids_of(&agents(&subject, query).await);
    assert_eq!(by(order(Order::Ascending, Order::Ascending)).await, ["4", "2", "3", "5", "1"]);
    assert_eq!(by(order(Order::Descending, Order::Ascending)).await, ["3", "5", "1", "4", "2"]);
    assert_eq!(by(order(Order::Ascending, Order::Descending)).await, ["2", "4", "1", "3", "5"]);
    assert_eq!(by(Query::new().order_by(Agent::ID, Order::Descending)).await, ["5", "4", "3", "2", "1"]);
}

pub async fn absent_values_sort_first(subject: Subject) {
    subject.add_agent(agent("a").name("x")).await;
    subject.add_agent(agent("b")).await;
    let by_name = |order| Query::new().order_by(Agent::NAME, order);
    assert_eq!(ids(&agents(&subject, by_name(Order::Ascending)).await), ["b", "a"]);
    assert_eq!(ids(&agents(&subject, by_name(Order::Descending)).await), ["a", "b"]);
}

pub async fn text_is_ordered_by_bytes(subject: Subject) {
    add_agents(&subject, &["a", "B", "ä", "b", "\u{1f41d}", "\u{ffff}", "A", "10", "9"]).await;
    let listed = agents(&subject, Query::new()).await;
    assert_eq!(ids(&listed), ["10", "9", "A", "B", "a", "b", "ä", "\u{ffff}", "\u{1f41d}"]);
}

pub async fn numbers_are_ordered_by_size(subject: Subject) {
    for (id, at) in [("a", 10), ("b", 9), ("c", -1), ("d", 100)] {
        subject.add_task(task(id).run_at(crate::Millis(at))).await;
    }
    let by_time = Query::new().order_by(Task::RUN_AT, Order::Ascending);
    assert_eq!(ids(&tasks(&subject, by_time).await), ["c", "b", "a", "d"]);
}

pub async fn a_list_may_be_ordered_by_what_is_kept_in_another_table(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task_after("b", &["a"]), task("c")]).await;
    let by_dependencies = || Query::new().order_by(Task::DEPENDENCIES, Order::Descending);
    let listed = tasks(&subject, by_dependencies()).await;
    assert_eq!(listed.len(), 3);
    let paged = tasks(&subject, by_dependencies().after(listed[0].id.as_str())).await;
    assert_eq!(ids(&paged), ids(&listed[1..]));
}

pub async fn filters_leave_what_is_equal(subject: Subject) {
    subject.add_agent(agent("a").status(AgentStatus::Idle).name("x")).await;
    subject.add_agent(agent("b").status(AgentStatus::Idle)).await;
    subject.add_agent(NewAgent::new("boss").id(agent_id("c"))).await;
    let idle = || Query::new().filter(Agent::STATUS.eq(AgentStatus::Idle));
    assert_eq!(ids(&agents(&subject, idle()).await), ["a", "b"]);
    let idle_without_name = idle().filter(Agent::NAME.is_null());
    assert_eq!(ids(&agents(&subject, idle_without_name).await), ["b"]);
    let boss = Query::new().filter(Agent::AGENT_TYPE.eq("boss"));
    assert_eq!(ids(&agents(&subject, boss).await), ["c"]);
    let capital = Query::new().filter(Agent::AGENT_TYPE.eq("Boss"));
    assert!(agents(&subject, capital).await.is_empty());
}

pub async fn filters_fit_every_kind_of_field(subject: Subject) {
    subject.arrange(&["a"]).await;
    let own = task_after("b", &["a"])
        .priority(Priority::LOW)
        .required_capabilities(texts(&["fly", "see"]))
        .backoff(Backoff::fixed(5))
        .unique_key("k");
    subject.add_task(own).await;
    let found = async |filter| ids_of(&tasks(&subject, Query::new().filter(filter)).await);
    assert_eq!(found(Task::PRIORITY.eq(Priority::LOW)).await, ["b"]);
    assert_eq!(found(Task::RUN_AT.eq(subject.now())).await, ["a", "b"]);
    assert_eq!(found(Task::REQUIRED_CAPABILITIES.eq(texts(&["fly", "see"]))).await, ["b"]);
    assert_eq!(found(Task::DEPENDENCIES.eq(vec![task_id("a")])).await, ["b"]);
    assert_eq!(found(Task::DEPENDENCIES.eq(vec![])).await, ["a"]);
    assert_eq!(found(Task::BACKOFF.eq(Backoff::fixed(5))).await, ["b"]);
    assert_eq!(found(Task::BACKOFF.eq(Backoff::DEFAULT)).await, ["a"]);
    assert_eq!(found(Task::UNIQUE_KEY.eq("k")).await, ["b"]);
    assert_eq!(found(Task::VERSION.eq(1)).await, ["a", "b"]);
    assert_eq!(found(Task::STATUS.eq(TaskStatus::Failed)).await, [""; 0]);
}

pub async fn counting_ignores_the_page(subject: Subject) {
    add_agents(&subject, &["a", "b", "c"]).await;
    let query = Query::new().limit(1).offset(1).after("a");
    assert_eq!(subject.read(move |tx| tx.agents().count(&query)).await.unwrap(), 3);
    let none = Query::new().filter(Agent::STATUS.eq(AgentStatus::Busy));
    assert_eq!(subject.read(move |tx| tx.agents().count(&none)).await.unwrap(), 0);
}

pub async fn pages_after_an_id_visit_every_row_once_under_any_order(subject: Subject) {
    use Order::{Ascending, Descending};

    for number in 0..23_u8 {
        let new =
            NewAgent::new(["b", "a", "c"][usize::from(number % 3)]).id(agent_id(&format!("{:02}", number * 7 % 23)));
        subject.add_agent(if number % 2 == 0 { new } else { new.name(format!("n{}", number / 4 + number * 10)) }).await;
        subject.advance(i64::from(number % 4));
    }
    let orders: [Query<Agent>; 8] = [
        Query::new(),
        Query::new().order_by(Agent::ID, Descending),
        Query::new().order_by(Agent::AGENT_TYPE, Descending),
        Query::new().order_by(Agent::NAME, Ascending),
        Query::new().order_by(Agent::NAME, Descending).order_by(Agent::AGENT_TYPE, Ascending),
        Query::new()
            .order_by(Agent::AGENT_TYPE, Ascending)
            .order_by(Agent::NAME, Descending)
            .order_by(Agent::CREATED_AT, Ascending),
        Query::new().order_by(Agent::UPDATED_AT, Descending).order_by(Agent::ID, Descending),
        Query::new().order_by(Agent::AGENT_TYPE, Descending).order_by(Agent::AGENT_TYPE, Ascending),
    ];
    for order in orders {
        let query = || order.clone();
        let whole = ids_of(&agents(&subject, query()).await);
        let mut paged: Vec<String> = Vec::new();
        loop {
            let page = paged.last().map_or_else(query, |last| query().after(last.clone())).limit(4);
            let page = ids_of(&agents(&subject, page).await);
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, whole, "{order:?}");
        assert_eq!(whole.len(), 23);
    }
}

pub async fn pages_after_an_id_neither_skip_nor_repeat_while_rows_come_and_go(subject: Subject) {
    for number in 0..20_u8 {
        subject.add_agent(agent(&format!("m{number:02}")).last_heartbeat(crate::Millis(i64::from(number % 3)))).await;
    }
    let order = || Query::new().order_by(Agent::LAST_HEARTBEAT, Order::Descending).limit(4);
    let mut paged: Vec<String> = Vec::new();
    loop {
        let page = ids_of(&agents(&subject, paged.last().map_or_else(order, |last| order().after(last.clone()))).await);
        let Some(first) = page.first() else { break };
        // One comes before the page, and the first that was read goes.
        let new = agent(&format!("a{}", paged.len())).last_heartbeat(crate::Millis(9));
        subject.add_agent(new).await;
        let first = first.clone();
        if page.len() > 1 {
            subject.write(move |tx| tx.agents().delete(&first)).await.unwrap();
        }
        paged.extend(page);
    }
    let mut expected: Vec<u8> = (0..20).collect();
    expected.sort_by_key(|number| (std::cmp::Reverse(number % 3), *number));
    assert_eq!(paged, expected.iter().map(|number| format!("m{number:02}")).collect::<Vec<_>>());
}

pub async fn pages_after_an_id_keep_to_the_filter(subject: Subject) {
    add_agents(&subject, &["a", "b", "c", "d"]).await;
    subject.write(|tx| tx.agents().update("b", crate::AgentPatch::new().status(AgentStatus::Idle))).await.unwrap();
    let initializing = Query::new().filter(Agent::STATUS.eq(AgentStatus::Initializing));
    assert_eq!(ids(&agents(&subject, initializing.after("b")).await), ["c", "d"]);
}

pub async fn a_page_after_an_unknown_id_is_refused(subject: Subject) {
    invalid(subject.read(|tx| tx.agents().list(&Query::new().after("nobody"))).await, "after");
}

pub async fn a_callers_own_statement_reads(subject: Subject) {
    subject.arrange(&["a", "b"]).await;
    let own = |tx: &crate::Tx<'_>| {
        tx.query(
            "SELECT id, priority, ?1 AS given, NULL AS none, 1.5 AS real, x'00ff' AS bytes FROM tasks WHERE id <> ?2 ORDER BY id",
            &[Value::text("héllo"), Value::text("b")],
        )
    };
    let result = subject.read(own).await.unwrap();
    assert_eq!(result.columns, ["id", "priority", "given", "none", "real", "bytes"]);
    let bytes = Value::Blob(vec![0, 255].into());
    let row = vec![Value::text("a"), Value::Integer(5), Value::text("héllo"), Value::Null, Value::Real(1.5), bytes];
    assert_eq!(result.rows, [row]);
}

pub async fn a_callers_own_statement_that_answers_no_row_has_its_columns(subject: Subject) {
    let result = subject.read(|tx| tx.query("SELECT id FROM agents", &[])).await.unwrap();
    assert_eq!((result.columns, result.rows), (vec!["id".to_owned()], vec![]));
}

pub async fn a_callers_own_statement_cannot_write(subject: Subject) {
    subject.arrange(&["a"]).await;
    for sql in [
        "DELETE FROM tasks",
        "UPDATE tasks SET queue = 'x'",
        "INSERT INTO agents SELECT * FROM agents",
        "DROP TABLE tasks",
        "PRAGMA foreign_keys = OFF",
        "ATTACH ':memory:' AS other",
        "BEGIN",
        "COMMIT",
        "VACUUM",
        "WITH gone AS (SELECT 1) DELETE FROM tasks",
        "/* SELECT */ DELETE FROM tasks",
    ] {
        invalid(subject.write(move |tx| tx.query(sql, &[])).await, "sql");
        invalid(subject.read(move |tx| tx.query(sql, &[])).await, "sql");
    }
    assert_eq!(subject.status("a").await, TaskStatus::Pending);
}

pub async fn a_callers_own_statement_is_one_and_sound(subject: Subject) {
    for sql in [
        "",
        "   ",
        "-- nothing",
        "SELECT 1; SELECT 2",
        "SELECT 1; DELETE FROM tasks",
        "SELECT",
        "SELECT nothing FROM nowhere",
    ] {
        invalid(subject.read(move |tx| tx.query(sql, &[])).await, "sql");
    }
    let commented = subject.read(|tx| tx.query("-- why\n SELECT 1 AS one; -- and\n", &[])).await.unwrap();
    assert_eq!(commented.rows, [[Value::Integer(1)]]);
}

pub async fn a_callers_own_statement_takes_as_many_parameters_as_it_names(subject: Subject) {
    invalid(subject.read(|tx| tx.query("SELECT ?1", &[])).await, "params");
    let two = [Value::Integer(1), Value::Integer(2)];
    refused(subject.read(move |tx| tx.query("SELECT ?1", &two)).await, InvalidArgument);
}

pub async fn a_callers_own_statement_sees_the_json_of_a_record(subject: Subject) {
    subject.add_agent(agent("a").metadata(json!({ "level": 3 }))).await;
    let sql = "SELECT json_extract(metadata, '$.level') FROM agents";
    let result = subject.read(move |tx| tx.query(sql, &[])).await.unwrap();
    assert_eq!(result.rows, [[Value::Integer(3)]]);
}

async fn add_agents(subject: &Subject, names: &[&str]) {
    for id in names {
        subject.add_agent(agent(id)).await;
    }
}

async fn agents(subject: &Subject, query: Query<Agent>) -> Vec<Agent> {
    subject.read(move |tx| tx.agents().list(&query)).await.expect("a list")
}

async fn tasks(subject: &Subject, query: Query<Task>) -> Vec<Task> {
    subject.read(move |tx| tx.tasks().list(&query)).await.expect("a list")
}

fn ids_of<R: crate::Record>(records: &[R]) -> Vec<String> {
    records.iter().map(|record| record.id().to_owned()).collect()
}
