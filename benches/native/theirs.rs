//! The same work by hand: rusqlite, one connection, cached statements, WAL, `synchronous=NORMAL`, the same schema.

use crate::filters;
use crate::rows::{Row, State};
use rusqlite::{Connection, OptionalExtension, Result, params};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use swarmstore::sql::{Dialect, Entity};
use swarmstore::{Task, Value};

/// A task as somebody would declare it who needs all of it.
#[allow(dead_code)] // what is read has to be kept, not used
pub struct TaskRow {
    pub id: String,
    pub task_type: String,
    pub payload: String,
    pub parent_task_id: Option<String>,
    pub trust_operation: Option<String>,
    pub unique_key: Option<String>,
    pub queue: String,
    pub priority: i64,
    pub dependencies: String,
    pub on_dependency_failure: String,
    pub required_capabilities: String,
    pub run_at: i64,
    pub max_retries: i64,
    pub backoff: Option<String>,
    pub status: String,
    pub agent_id: Option<String>,
    pub attempt: i64,
    pub lease_token: Option<String>,
    pub lease_expires_at: Option<i64>,
    pub result: Option<String>,
    pub errors: String,
    pub cancel_reason: Option<String>,
    pub assigned_at: Option<i64>,
    pub started_at: Option<i64>,
    pub completed_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
    pub version: i64,
}

impl TaskRow {
    fn read(row: &rusqlite::Row<'_>) -> Result<Self> {
        Ok(TaskRow {
            id: row.get(0)?,
            task_type: row.get(1)?,
            payload: row.get(2)?,
            parent_task_id: row.get(3)?,
            trust_operation: row.get(4)?,
            unique_key: row.get(5)?,
            queue: row.get(6)?,
            priority: row.get(7)?,
            dependencies: row.get(8)?,
            on_dependency_failure: row.get(9)?,
            required_capabilities: row.get(10)?,
            run_at: row.get(11)?,
            max_retries: row.get(12)?,
            backoff: row.get(13)?,
            status: row.get(14)?,
            agent_id: row.get(15)?,
            attempt: row.get(16)?,
            lease_token: row.get(17)?,
            lease_expires_at: row.get(18)?,
            result: row.get(19)?,
            errors: row.get(20)?,
            cancel_reason: row.get(21)?,
            assigned_at: row.get(22)?,
            started_at: row.get(23)?,
            completed_at: row.get(24)?,
            created_at: row.get(25)?,
            updated_at: row.get(26)?,
            version: row.get(27)?,
        })
    }
}

/// The statements, which are the store's own.
struct Sql {
    insert: &'static str,
    get: &'static str,
    queue: String,
    claim: String,
    complete: String,
    append: &'static str,
}

pub struct Theirs {
    connection: Connection,
    sql: Sql,
}

impl Theirs {
    pub fn open(path: &Path) -> Result<Self> {
        let connection = Connection::open(path)?;
        connection.set_prepared_statement_cache_capacity(200);
        // Without it every query by status is prepared anew when it is bound, because of the partial indexes.
        connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;",
        )?;
        Ok(Theirs { connection, sql: Sql::new() })
    }

    /// Fills an empty database with tasks and one agent.
    pub fn fill(&self, rows: impl Iterator<Item = (Row, State)>) -> Result<()> {
        let now = now();
        self.connection.execute_batch("BEGIN")?;
        let mut first = None;
        for (row, state) in rows {
            let (status, done) = if state == State::Finished { ("completed", Some(now)) } else { ("pending", None) };
            self.insert_with(&row, status, done, now)?;
            let first = first.get_or_insert_with(|| row.id.clone());
            if state == State::Blocked {
                let wait = "UPDATE tasks SET unmet_dependencies = 1, dependency_count = 1 WHERE id = ?1";
                self.connection.prepare_cached(wait)?.execute([&row.id])?;
                let on = "INSERT INTO task_dependencies (task_id, depends_on, place) VALUES (?1, ?2, 0)";
                self.connection.prepare_cached(on)?.execute([&row.id, first])?;
            }
        }
        self.connection.execute(
            "INSERT INTO agents (id, agent_type, status, capabilities, configuration, metadata, last_heartbeat, created_at, \
             updated_at, version) VALUES ('bench', 'bench', 'active', '[]', '{}', '{}', ?1, ?1, ?1, 1)",
            [now],
        )?;
        self.connection.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE);")
    }

    pub fn insert(&self, row: &Row) -> Result<()> {
        self.insert_with(row, "pending", None, now())
    }

    fn insert_with(&self, row: &Row, status: &str, completed_at: Option<i64>, now: i64) -> Result<()> {
        let none: Option<&str> = None;
        let inserted = self.connection.prepare_cached(self.sql.insert)?.execute(params![
            row.id,
            row.task_type,
            row.payload.to_string(),
            none,
            none,
            none,
            "default",
            row.priority,
            "cancel",
            "[]",
            now,
            3,
            none,
            status,
            none,
            0,
            none,
            none,
            none,
            none,
            none,
            none,
            completed_at,
            now,
            now,
            1,
        ])?;
        assert_eq!(inserted, 1);
        Ok(())
    }

    pub fn insert_many(&self, rows: Vec<Row>) -> Result<()> {
        self.in_transaction(|| rows.into_iter().try_for_each(|row| self.insert(&row)))
    }

    /// Each row is handed to a thread that inserts it, and its answer is waited for: what an asynchronous caller cannot
    /// avoid, without anything around it.
    pub fn insert_on_thread(path: &Path, rows: Vec<Row>) -> Result<std::time::Duration> {
        let (requests, waiting) = std::sync::mpsc::channel::<Row>();
        let (answers, done) = std::sync::mpsc::channel();
        let theirs = Theirs::open(path)?;
        let writer = std::thread::spawn(move || {
            for row in waiting {
                let _ = answers.send(theirs.insert(&row)); // the caller waits for every answer
            }
        });
        let start = std::time::Instant::now();
        for row in rows {
            let _ = requests.send(row);
            done.recv().expect("the thread answers")?;
        }
        let took = start.elapsed();
        drop(requests);
        writer.join().expect("the thread ends");
        Ok(took)
    }

    pub fn get(&self, id: &str) -> Result<Option<TaskRow>> {
        self.connection.prepare_cached(self.sql.get)?.query_row([id], TaskRow::read).optional()
    }

    pub fn queue(&self) -> Result<Vec<TaskRow>> {
        self.connection.prepare_cached(&self.sql.queue)?.query_map(params!["pending", 20], TaskRow::read)?.collect()
    }

    /// The statement of a filter, which somebody who writes it by hand knows beforehand, and its values.
    pub fn filter_sql(name: &str) -> (String, Vec<rusqlite::types::Value>) {
        let sql = filters::query(name).to_sql(Dialect::Sqlite).expect("a filter that can be asked");
        let bound = sql.params.into_iter().map(|value| match value {
            Value::Integer(integer) => integer.into(),
            Value::Text(text) => text.into_owned().into(),
            value => unreachable!("{value:?} is in none of the filters"),
        });
        (sql.text, bound.collect())
    }

    pub fn filter(&self, (sql, values): &(String, Vec<rusqlite::types::Value>)) -> Result<Vec<TaskRow>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.query_map(rusqlite::params_from_iter(values), TaskRow::read)?.collect()
    }

    pub fn count(&self) -> Result<i64> {
        let sql = "SELECT COUNT(*) FROM tasks WHERE status = ?1";
        self.connection.prepare_cached(sql)?.query_row(["pending"], |row| row.get(0))
    }

    /// The agent and the expired leases are looked at, then one task is taken; all in one transaction.
    pub fn claim(&self, agent: &str) -> Result<TaskRow> {
        self.in_transaction(|| {
            let now = now();
            let capabilities: String = self
                .connection
                .prepare_cached("SELECT status, capabilities FROM agents WHERE id = ?1")?
                .query_row([agent], |row| {
                    assert_eq!(row.get_ref(0)?.as_str()?, "active");
                    row.get(1)
                })?;
            let expired = "SELECT id FROM tasks WHERE lease_expires_at <= ?1 ORDER BY lease_expires_at, id";
            assert!(!self.connection.prepare_cached(expired)?.exists([now])?);
            let token = uuid::Uuid::new_v4().simple().to_string();
            self.connection
                .prepare_cached(&self.sql.claim)?
                .query_row(params![agent, token, now + 60_000, now, capabilities, 1], TaskRow::read)
        })
    }

    /// The token is checked, dependents are told, the task is finished; all in one transaction.
    pub fn complete(&self, id: &str, token: &str, result: &serde_json::Value) -> Result<TaskRow> {
        self.in_transaction(|| {
            let now = now();
            let lease = "SELECT lease_token, lease_expires_at, status FROM tasks WHERE id = ?1";
            self.connection.prepare_cached(lease)?.query_row([id], |row| {
                assert_eq!(row.get_ref(0)?.as_str()?, token);
                assert!(row.get::<_, i64>(1)? > now);
                Ok(())
            })?;
            let met = "UPDATE tasks SET unmet_dependencies = unmet_dependencies - 1 \
                       WHERE id IN (SELECT task_id FROM task_dependencies WHERE depends_on = ?1)";
            self.connection.prepare_cached(met)?.execute([id])?;
            self.connection
                .prepare_cached(&self.sql.complete)?
                .query_row(params![id, now, result.to_string()], TaskRow::read)
        })
    }

    /// So many rounds on each of so many threads, which share a connection.
    pub fn rounds_on_threads(path: &Path, callers: u64, each: u64) -> Result<std::time::Duration> {
        let theirs = std::sync::Mutex::new(Theirs::open(path)?);
        let result = serde_json::json!({ "ok": true });
        let start = std::time::Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..callers {
                scope.spawn(|| {
                    for _ in 0..each {
                        let task = theirs.lock().expect("nobody panics").claim("bench").expect("claimed");
                        let token = task.lease_token.as_deref().unwrap_or_default();
                        theirs.lock().expect("nobody panics").complete(&task.id, token, &result).expect("completed");
                    }
                });
            }
        });
        Ok(start.elapsed())
    }

    pub fn append(&self, aggregate_type: &str, aggregate_id: &str, data: &serde_json::Value) -> Result<i64> {
        self.in_transaction(|| {
            let last = "SELECT MAX(sequence) FROM events WHERE aggregate_type = ?1 AND aggregate_id = ?2";
            let last: Option<i64> =
                self.connection.prepare_cached(last)?.query_row([aggregate_type, aggregate_id], |row| row.get(0))?;
            let none: Option<&str> = None;
            self.connection.prepare_cached(self.sql.append)?.query_row(
                params![
                    uuid::Uuid::now_v7().to_string(),
                    aggregate_type,
                    aggregate_id,
                    last.unwrap_or(0) + 1,
                    "tile",
                    data.to_string(),
                    "{}",
                    none,
                    none,
                    none,
                    none,
                    now(),
                ],
                |row| row.get(0),
            )
        })
    }

    pub fn delete(&self, ids: &[String]) -> Result<()> {
        let delete = &Task::statements(Dialect::Sqlite).delete;
        self.in_transaction(|| {
            ids.iter().try_for_each(|id| self.connection.prepare_cached(delete)?.execute([id]).map(|_| ()))
        })
    }

    fn in_transaction<T>(&self, body: impl FnOnce() -> Result<T>) -> Result<T> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let done = body()?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(done)
    }
}

impl Sql {
    fn new() -> Self {
        let tasks = Task::statements(Dialect::Sqlite);
        let columns = &tasks.columns;
        Sql {
            insert: &tasks.insert,
            get: &tasks.get,
            queue: format!("{} WHERE status = ?1 ORDER BY priority DESC, created_at, id LIMIT ?2", tasks.select),
            claim: format!(
                "UPDATE tasks
                 SET status = 'assigned', agent_id = ?1, lease_token = ?2, lease_expires_at = ?3, assigned_at = ?4,
                     started_at = NULL, attempt = attempt + 1, updated_at = ?4, version = version + 1
                 WHERE id IN (
                     SELECT id FROM tasks INDEXED BY tasks_claimable
                     WHERE status = 'pending' AND unmet_dependencies = 0 AND queue = 'default' AND run_at <= ?4
                       AND priority IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AND trust_operation IS NULL
                       AND (required_capabilities = '[]' OR NOT EXISTS (
                           SELECT 1 FROM json_each(required_capabilities) AS required
                           WHERE required.value NOT IN (SELECT value FROM json_each(?5))))
                     ORDER BY priority DESC, run_at, id
                     LIMIT ?6)
                 RETURNING {columns}"
            ),
            complete: format!(
                "UPDATE tasks SET status = 'completed', result = ?3, completed_at = ?2, lease_token = NULL, \
                 lease_expires_at = NULL, updated_at = ?2, version = version + 1 WHERE id = ?1 RETURNING {columns}"
            ),
            append: "INSERT INTO events (id, aggregate_type, aggregate_id, sequence, event_type, data, metadata, agent_id, \
                     task_id, correlation_id, causation_id, timestamp) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) RETURNING position",
        }
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
