//! A store on PostgreSQL as a SQLite file, out and in: the same tables with the same rows.

use super::connection::{Mode, PgConnection};
use super::error::from_postgres;
use super::pool::Pool;
use super::run;
use crate::backend::sqlite::{self, SqliteConnection, from_sqlite};
use crate::error::{Error, Result};
use crate::model::{Millis, Value};
use crate::sql::{Connection, migrate};
use bytes::Bytes;
use futures_util::SinkExt as _;
use rusqlite::types::ValueRef;
use std::fmt::Write as _;
use std::pin::pin;
use std::sync::Arc;

/// How much is sent at once.
const CHUNK: usize = 256 * 1024;

/// A table that both databases have.
pub(super) struct Table {
    pub(super) name: String,
    columns: Vec<String>,
}

impl Table {
    fn select(&self) -> String {
        format!("SELECT {} FROM {}", self.columns.join(", "), self.name)
    }

    fn insert(&self) -> String {
        let places: Vec<String> = (1..=self.columns.len()).map(|at| format!("?{at}")).collect();
        format!("INSERT INTO {} ({}) VALUES ({})", self.name, self.columns.join(", "), places.join(", "))
    }
}

/// An empty store in memory.
fn blank(now: Millis) -> Result<SqliteConnection> {
    let blank = SqliteConnection::nowhere()?;
    blank.in_transaction("BEGIN", &mut |connection| migrate(connection, now))?;
    Ok(blank)
}

/// All tables that hold a store's data, those that others refer to first.
pub(super) fn tables(now: Millis) -> Result<Vec<Table>> {
    tables_of(&blank(now)?)
}

fn tables_of(store: &SqliteConnection) -> Result<Vec<Table>> {
    let store: &dyn Connection = store;
    let names = "SELECT name FROM sqlite_schema
                 WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'schema_migrations' ORDER BY rowid";
    let columns = "SELECT name FROM pragma_table_info(?1) ORDER BY cid";
    let table = |name: String| {
        let columns = store.texts(columns, &[Value::text(&name)])?;
        Ok(Table { name, columns })
    };
    store.texts(names, &[])?.into_iter().map(table).collect()
}

/// The committed state as a SQLite file.
pub(super) fn export(pool: &Arc<Pool>, now: Millis) -> Result<Vec<u8>> {
    let mut file = None;
    run::read(pool, &mut |server| {
        let copy = blank(now)?;
        // All of it is one state of a database that has checked this already.
        copy.execute_script("PRAGMA foreign_keys = OFF")?;
        copy.in_transaction("BEGIN", &mut |copy| {
            let mut values = Vec::new();
            for table in tables(now)? {
                let insert = table.insert();
                server.query(&table.select(), &[], &mut |row| {
                    values.clear();
                    for at in 0..table.columns.len() {
                        values.push(row.get(at)?.into_owned());
                    }
                    copy.execute(&insert, &values).map(|_| ())
                })?;
            }
            keep_position(server, copy)
        })?;
        file = Some(copy);
        Ok(())
    })?;
    let mut file = file.ok_or_else(|| Error::internal("an export ended without a file"))?;
    sqlite::export(&mut file)
}

/// The last position that was given, also when its event is not there.
fn keep_position(server: &dyn Connection, copy: &dyn Connection) -> Result<()> {
    let last = "SELECT pg_sequence_last_value(pg_get_serial_sequence('events', 'position')::regclass)";
    let last = server.integer(last, &[])?;
    if last > 0
        && copy.execute("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'events'", &[Value::Integer(last)])? == 0
    {
        let sql = "INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?1)";
        copy.execute(sql, &[Value::Integer(last)])?;
    }
    Ok(())
}

/// Replaces all rows by those of a SQLite file that is verified before, in one transaction.
pub(super) fn import(pool: &Arc<Pool>, file: &[u8], now: Millis) -> Result<()> {
    let staged = sqlite::stage(file, now)?;
    let tables = tables_of(&staged)?;
    let server = pool.borrow()?;
    server.begin_now(Mode::Alone, false)?;
    for table in tables.iter().rev() {
        // Not TRUNCATE: whoever reads an older state must go on seeing it.
        server.execute(&format!("DELETE FROM {}", table.name), &[])?;
    }
    for table in &tables {
        copy_in(&server, &staged, table)?;
    }
    let staged: &dyn Connection = &staged;
    let last = "SELECT MAX(COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0),
                           COALESCE((SELECT MAX(position) FROM events), 0))";
    let last = staged.integer(last, &[])?;
    let sequence = "SELECT pg_get_serial_sequence('events', 'position')";
    for sequence in (&*server as &dyn Connection).texts(sequence, &[])? {
        // Undone with the rest, which setval() would not be.
        server.execute_script(&format!("ALTER SEQUENCE {sequence} RESTART WITH {}", last + 1))?;
    }
    server.commit()
}

fn copy_in(server: &PgConnection, staged: &SqliteConnection, table: &Table) -> Result<()> {
    let mut statement = staged.raw.prepare(&table.select()).map_err(from_sqlite)?;
    let mut rows = statement.raw_query();
    let mut damaged = None;
    let copied = server.link().wait(async {
        let client = server.link().client();
        let sql = format!("COPY {} ({}) FROM STDIN", table.name, table.columns.join(", "));
        let mut sink = pin!(client.copy_in::<_, Bytes>(&sql).await?);
        let mut text = String::with_capacity(CHUNK * 2);
        loop {
            match rows.next() {
                Ok(Some(row)) => {
                    for at in 0..table.columns.len() {
                        text.push_str(if at == 0 { "" } else { "\t" });
                        match row.get_ref(at) {
                            Ok(value) => write_text(value, &mut text),
                            Err(error) => damaged = Some(error),
                        }
                    }
                    text.push('\n');
                }
                Ok(None) => break,
                Err(error) => damaged = Some(error),
            }
            if damaged.is_some() {
                // Ends the transaction, and with it this.
                return Ok(());
            }
            if text.len() >= CHUNK {
                sink.send(Bytes::from(std::mem::take(&mut text))).await?;
            }
        }
        if !text.is_empty() {
            sink.send(Bytes::from(text)).await?;
        }
        sink.finish().await.map(|_| ())
    });
    match damaged {
        Some(error) => Err(from_sqlite(error)),
        None => copied.map_err(|failure| from_postgres(&failure)),
    }
}

/// A value in the text form of COPY.
fn write_text(value: ValueRef<'_>, out: &mut String) {
    let _ = match value {
        ValueRef::Null => write!(out, "\\N"),
        ValueRef::Integer(integer) => write!(out, "{integer}"),
        ValueRef::Real(real) => write!(out, "{real}"),
        ValueRef::Blob(bytes) => {
            out.push_str("\\\\x");
            bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
        }
        ValueRef::Text(text) => {
            let text = String::from_utf8_lossy(text);
            let mut rest = &*text;
            while let Some(at) = rest.find(['\\', '\n', '\r', '\t']) {
                out.push_str(&rest[..at]);
                out.push_str(match rest.as_bytes()[at] {
                    b'\\' => "\\\\",
                    b'\n' => "\\n",
                    b'\r' => "\\r",
                    _ => "\\t",
                });
                rest = &rest[at + 1..];
            }
            out.push_str(rest);
            Ok(())
        }
    };
}
