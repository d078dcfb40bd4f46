//! The same work by hand.

use crate::{filters, payload, timed};
use std::time::Duration;
use swarmstore::sql::{Dialect, Entity};
use swarmstore::{Task, Value};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Statement};

pub struct Theirs {
    /// Everything on the thread that waits: the quickest for one.
    alone: Runtime,
    many: Runtime,
    server: String,
    schema: String,
}

/// A task as somebody would declare it who needs all of it.
#[allow(dead_code)] // what is read has to be kept, not used
struct TaskRow {
    texts: [Option<String>; 17],
    numbers: [Option<i64>; 11],
}

impl TaskRow {
    fn read(row: &Row) -> Self {
        let (mut texts, mut numbers) = (<[Option<String>; 17]>::default(), <[Option<i64>; 11]>::default());
        let (mut text, mut number) = (0, 0);
        for (at, column) in row.columns().iter().enumerate() {
            if *column.type_() == tokio_postgres::types::Type::INT8 {
                numbers[number] = row.get(at);
                number += 1;
            } else {
                texts[text] = row.get(at);
                text += 1;
            }
        }
        TaskRow { texts, numbers }
    }
}

struct Worker {
    client: Client,
    insert: Statement,
    get: Statement,
    agent: Statement,
    expired: Statement,
    claim: Statement,
    lease: Statement,
    met: Statement,
    complete: Statement,
    lock: Statement,
    last: Statement,
    append: Statement,
    /// The statement of a filter, and its values.
    filter: Option<(Statement, Vec<Box<dyn ToSql + Sync + Send>>)>,
}

const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

impl Worker {
    async fn connect(server: &str, schema: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(server, NoTls).await.expect("the server is there");
        tokio::spawn(connection);
        client.batch_execute(&format!("SET search_path = {schema}")).await.unwrap();
        let task = Task::statements(Dialect::Postgres);
        let columns = &task.columns;
        let claim = format!(
            "WITH picked AS MATERIALIZED (
                 SELECT due.id FROM (VALUES (9), (8), (7), (6), (5), (4), (3), (2), (1), (0)) AS urgency (priority)
                 CROSS JOIN LATERAL (
                     SELECT id FROM tasks
                     WHERE status = 'pending' AND unmet_dependencies = 0 AND priority = urgency.priority AND run_at <= {NOW}
                       AND trust_operation IS NULL
                       AND (required_capabilities = '[]' OR NOT EXISTS (
                           SELECT 1 FROM jsonb_array_elements_text(required_capabilities::jsonb) AS required (name)
                           WHERE name NOT IN (SELECT jsonb_array_elements_text($3::jsonb))))
                     ORDER BY run_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS due
                 LIMIT 1)
             UPDATE tasks
             SET status = 'assigned', agent_id = $1, lease_token = $2, lease_expires_at = {NOW} + 60000, assigned_at = {NOW},
                 started_at = NULL, attempt = attempt + 1, updated_at = {NOW}, version = version + 1
             WHERE id IN (SELECT id FROM picked) RETURNING {columns}"
        );
        let complete = format!(
            "UPDATE tasks SET status = 'completed', result = $2, completed_at = {NOW}, lease_token = NULL,
                 lease_expires_at = NULL, updated_at = {NOW}, version = version + 1 WHERE id = $1 RETURNING {columns}"
        );
        let rendered = |sql: &str| sql.replace('?', "$");
        let expired = format!(
            "SELECT id FROM tasks WHERE lease_expires_at <= {NOW} ORDER BY lease_expires_at, id
             FOR NO KEY UPDATE SKIP LOCKED"
        );
        let lease =
            format!("SELECT lease_token, lease_expires_at > {NOW}, status FROM tasks WHERE id = $1 FOR NO KEY UPDATE");
        let append = format!(
            "INSERT INTO events (id, aggregate_type, aggregate_id, sequence, event_type, data, metadata, timestamp)
             VALUES ($1, $2, $3, $4, $5, $6, '{{}}', {NOW}) RETURNING position"
        );
        let met = "UPDATE tasks SET unmet_dependencies = unmet_dependencies - 1
                   WHERE id IN (SELECT id FROM tasks WHERE id IN (SELECT task_id FROM task_dependencies WHERE depends_on = $1)
                                ORDER BY id FOR NO KEY UPDATE)";
        let last = "SELECT MAX(sequence) FROM events WHERE aggregate_type = $1 AND aggregate_id = $2";
        Worker {
            insert: client.prepare(&rendered(&task.insert)).await.unwrap(),
            get: client.prepare(&rendered(&task.get)).await.unwrap(),
            agent: client.prepare("SELECT status, capabilities FROM agents WHERE id = $1").await.unwrap(),
            expired: client.prepare(&expired).await.unwrap(),
            claim: client.prepare(&claim).await.unwrap(),
            lease: client.prepare(&lease).await.unwrap(),
            met: client.prepare(met).await.unwrap(),
            complete: client.prepare(&complete).await.unwrap(),
            lock: client.prepare("SELECT pg_advisory_xact_lock(hashtext(current_schema()))").await.unwrap(),
            last: client.prepare(last).await.unwrap(),
            append: client.prepare(&append).await.unwrap(),
            filter: None,
            client,
        }
    }

    /// Prepares what a workload asks, if it is a filter: the statement that the store prints.
    async fn prepare(&mut self, workload: &str) {
        if !workload.starts_with("filter") {
            return;
        }
        let (sql, values) = if workload == "filter-count" {
            ("SELECT COUNT(*) FROM tasks WHERE status = 'pending'".to_owned(), Vec::new())
        } else {
            let sql = filters::query(workload).to_sql(Dialect::Postgres).unwrap();
            (sql.text.replace('?', "$"), sql.params)
        };
        let value = |value: Value<'_>| -> Box<dyn ToSql + Sync + Send> {
            match value {
                Value::Integer(number) => Box::new(number),
                Value::Text(text) => Box::new(Text(text.into_owned())),
                other => unreachable!("no filter compares with {other:?}"),
            }
        };
        // Or the server would plan it anew for every call, since the limit is a value.
        self.client.batch_execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
        self.filter = Some((self.client.prepare(&sql).await.unwrap(), values.into_iter().map(value).collect()));
    }

    async fn filter(&self) -> Vec<Row> {
        let (statement, values) = self.filter.as_ref().unwrap();
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
        self.client.query(statement, &values).await.unwrap()
    }

    async fn insert(&self, id: &str, number: u64) {
        let (text, long): (Option<&str>, Option<i64>) = (None, None);
        let payload = payload(number).to_string();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        let values: [&(dyn ToSql + Sync); 26] = [
            &id, &"tile", &payload, &text, &text, &text, &"default", &1_i64, &"cancel", &"[]", &now, &3_i64, &text,
            &"pending", &text, &0_i64, &text, &long, &text, &text, &long, &long, &long, &now, &now, &1_i64,
        ];
        assert_eq!(self.client.execute(&self.insert, &values).await.unwrap(), 1);
    }

    async fn claim(&self, agent: &str) -> (String, String) {
        self.client.batch_execute("BEGIN").await.unwrap();
        let found = self.client.query_one(&self.agent, &[&agent]).await.unwrap();
        let capabilities: &str = found.get(1);
        assert_ne!(found.get::<_, &str>(0), "paused");
        assert!(self.client.query(&self.expired, &[]).await.unwrap().is_empty());
        let token = uuid::Uuid::new_v4().simple().to_string();
        let capabilities: serde_json::Value = serde_json::from_str(capabilities).unwrap();
        let row = self.client.query_one(&self.claim, &[&agent, &token, &Text(capabilities.to_string())]).await.unwrap();
        let task = TaskRow::read(&row);
        self.client.batch_execute("COMMIT").await.unwrap();
        (task.texts[0].clone().unwrap(), token)
    }

    async fn complete(&self, id: &str, token: &str) {
        self.client.batch_execute("BEGIN").await.unwrap();
        let lease = self.client.query_one(&self.lease, &[&id]).await.unwrap();
        assert!(lease.get::<_, &str>(0) == token && lease.get::<_, bool>(1));
        self.client.execute(&self.met, &[&id]).await.unwrap();
        let row = self.client.query_one(&self.complete, &[&id, &"{\"ok\":true}"]).await.unwrap();
        let _task = TaskRow::read(&row);
        self.client.batch_execute("COMMIT").await.unwrap();
    }

    async fn append(&self, stream: &str, number: u64) {
        self.client.batch_execute("BEGIN").await.unwrap();
        self.client.execute(&self.lock, &[]).await.unwrap();
        let last: Option<i64> = self.client.query_one(&self.last, &[&"bench", &stream]).await.unwrap().get(0);
        let id = uuid::Uuid::now_v7().to_string();
        let values: [&(dyn ToSql + Sync); 6] =
            [&id, &"bench", &stream, &(last.unwrap_or(0) + 1), &"tile", &payload(number).to_string()];
        let _position: i64 = self.client.query_one(&self.append, &values).await.unwrap().get(0);
        self.client.batch_execute("COMMIT").await.unwrap();
    }

    async fn work(&self, workload: &str, workers: usize, worker: usize, each: u64, first: u64, rows: u64) {
        for n in 0..each {
            match workload {
                "insert" => self.insert(&format!("insert {workers} {worker} {first} {n}"), n).await,
                "claim + complete" => {
                    let (id, token) = self.claim(&format!("agent {worker}")).await;
                    self.complete(&id, &token).await;
                }
                "append" => self.append(&format!("{workers} {worker}"), n).await,
                "filter-count" => assert!(self.filter().await[0].get::<_, i64>(0) >= rows as i64 / 2),
                filter if filter.starts_with("filter") => {
                    let tasks: Vec<TaskRow> = self.filter().await.iter().map(TaskRow::read).collect();
                    assert_eq!(tasks.len(), 20);
                }
                _ => {
                    let id = format!("row {}", (n * 7919 + worker as u64) % rows);
                    let row = self.client.query_one(&self.get, &[&id]).await.unwrap();
                    let _task = TaskRow::read(&row);
                }
            }
        }
    }
}

/// JSON as the text that it is.
#[derive(Debug)]
struct Text(String);

impl ToSql for Text {
    fn to_sql(
        &self,
        _: &tokio_postgres::types::Type,
        out: &mut bytes::BytesMut,
    ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(tokio_postgres::types::IsNull::No)
    }
    fn accepts(_: &tokio_postgres::types::Type) -> bool {
        true
    }
    fn encode_format(&self, _: &tokio_postgres::types::Type) -> tokio_postgres::types::Format {
        tokio_postgres::types::Format::Text
    }
    tokio_postgres::types::to_sql_checked!();
}

impl Theirs {
    pub fn open(server: &str, schema: &str) -> Self {
        let alone = Builder::new_current_thread().enable_all().build().unwrap();
        let many = Builder::new_multi_thread().enable_all().build().unwrap();
        Theirs { alone, many, server: server.to_owned(), schema: schema.to_owned() }
    }

    /// Finishes a fifth of the rows; adds so many tasks that are finished, and so many that wait for one which is not. The server
    /// then knows what is in the table, as it does of one that has been in use.
    pub fn grow(&self, schema: &str, finished: u64, blocked: u64) {
        let columns = "id, task_type, payload, queue, priority, on_dependency_failure, required_capabilities, run_at,
             max_retries, attempt, created_at, updated_at, version, status, completed_at, unmet_dependencies, dependency_count";
        let values = format!("'tile', '{{}}', 'default', n % 9, 'cancel', '[]', {NOW}, 3, 0, {NOW}, {NOW}, 1");
        let sql = format!(
            "SET search_path = {schema};
             UPDATE tasks SET status = 'completed', completed_at = {NOW} WHERE id ~ '[37]$';
             INSERT INTO tasks ({columns})
                 SELECT 'finished ' || n, {values}, 'completed', {NOW}, 0, 0 FROM generate_series(1, {finished}) AS n;
             INSERT INTO tasks ({columns})
                 SELECT 'blocked ' || n, {values}, 'pending', NULL, 1, 1 FROM generate_series(1, {blocked}) AS n;
             INSERT INTO task_dependencies (task_id, depends_on, place)
                 SELECT 'blocked ' || n, 'row 0', 0 FROM generate_series(1, {blocked}) AS n"
        );
        self.alone.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.server, NoTls).await.expect("the server is there");
            tokio::spawn(connection);
            client.batch_execute(&sql).await.unwrap();
            client.batch_execute("VACUUM ANALYZE tasks").await.unwrap();
        });
    }

    pub fn run(&self, workload: &'static str, workers: usize, each: u64, first: u64, rows: u64) -> Duration {
        let runtime = if workers == 1 { &self.alone } else { &self.many };
        let connected: Vec<Worker> = runtime.block_on(async {
            let mut connected = Vec::new();
            for _ in 0..workers {
                let mut worker = Worker::connect(&self.server, &self.schema).await;
                worker.prepare(workload).await;
                connected.push(worker);
            }
            connected
        });
        if workload == "claim + complete" {
            let total = workers as u64 * each;
            runtime.block_on(async {
                let client = &connected[0].client;
                let sql = format!(
                    "INSERT INTO tasks (id, task_type, payload, queue, priority, on_dependency_failure, required_capabilities,
                         run_at, max_retries, status, attempt, created_at, updated_at, version)
                     SELECT 'claim {workers} {first} ' || n, 'tile', $1, 'default', 9, 'cancel', '[]', {NOW}, 3, 'pending', 0, {NOW},
                         {NOW}, 1 FROM generate_series(1, {total}) AS n"
                );
                client.execute(&sql, &[&payload(total).to_string()]).await.unwrap();
            });
        }
        timed(|| {
            if workers == 1 {
                runtime.block_on(connected[0].work(workload, 1, 0, each, first, rows));
                return;
            }
            runtime.block_on(async {
                let tasks: Vec<_> = connected
                    .into_iter()
                    .enumerate()
                    .map(|(worker, own)| {
                        tokio::spawn(async move { own.work(workload, workers, worker, each, first, rows).await })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
            });
        })
    }
}
