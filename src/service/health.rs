//! Whether the database is sound.

use super::Context;
use crate::error::Result;
use crate::sql::Dialect;

/// What is wrong with the database; `["ok"]` when nothing is.
pub(crate) fn integrity(cx: &Context<'_>) -> Result<Vec<String>> {
    match cx.connection.dialect() {
        Dialect::Sqlite => sqlite(cx),
        #[cfg(feature = "postgres")]
        Dialect::Postgres => postgres(cx),
    }
}

#[cfg(feature = "postgres")]
/// What the server holds for unsound, and references that lead nowhere.
fn postgres(cx: &Context<'_>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (what, sql) in POSTGRES {
        let rows = cx.connection.texts(sql, &[])?;
        found.extend(rows.into_iter().map(|name| format!("{name}: {what}")));
    }
    if found.is_empty() {
        found.push("ok".to_owned());
    }
    Ok(found)
}

#[cfg(feature = "postgres")]
const POSTGRES: [(&str, &str); 6] = [
    (
        "an index is not valid",
        "SELECT relname::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
         WHERE relnamespace = current_schema()::regnamespace AND NOT (indisvalid AND indisready)",
    ),
    (
        "a constraint is not checked",
        "SELECT conname::text FROM pg_constraint
         WHERE connamespace = current_schema()::regnamespace AND NOT convalidated",
    ),
    (
        "the task it belongs to is not there",
        "SELECT 'task_dependencies' FROM task_dependencies
         WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE id = task_id) OR NOT EXISTS (SELECT 1 FROM tasks WHERE id = depends_on)
         UNION ALL
         SELECT 'task_errors' FROM task_errors WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE id = task_id)",
    ),
    (
        "its parent or agent is not there",
        "SELECT id FROM tasks
         WHERE (parent_task_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tasks AS parent WHERE parent.id = tasks.parent_task_id))
            OR (agent_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM agents WHERE agents.id = tasks.agent_id))",
    ),
    (
        "a member or its group is not there",
        "SELECT group_id FROM agent_group_members
         WHERE NOT EXISTS (SELECT 1 FROM agent_groups WHERE id = group_id) OR NOT EXISTS (SELECT 1 FROM agents WHERE id = agent_id)",
    ),
    (
        "a number of its stream is missing",
        "SELECT aggregate_type || '/' || aggregate_id FROM events GROUP BY aggregate_type, aggregate_id
         HAVING MAX(sequence) <> COUNT(*)",
    ),
];

/// What SQLite's integrity check and foreign key check find.
fn sqlite(cx: &Context<'_>) -> Result<Vec<String>> {
    let mut found = cx.connection.texts("PRAGMA integrity_check", &[])?;
    let broken = cx.connection.texts("SELECT \"table\" FROM pragma_foreign_key_check", &[])?;
    found.extend(broken.into_iter().map(|table| format!("{table}: a foreign key leads nowhere")));
    if found.len() > 1 {
        found.retain(|line| line != "ok");
    }
    Ok(found)
}
