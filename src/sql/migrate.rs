//! Bringing a database to the version of this code.

use super::{Connection, Dialect, Value, schema};
use crate::error::{Error, ErrorCode, Result};
use crate::model::Millis;

/// The schema version that this code writes.
#[allow(clippy::cast_possible_wrap)] // a handful
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

struct Migration {
    name: &'static str,
    sqlite: &'static str,
    #[cfg(feature = "postgres")]
    postgres: &'static str,
}

impl Migration {
    fn up(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            #[cfg(feature = "postgres")]
            Dialect::Postgres => self.postgres,
        }
    }
}

const MIGRATIONS: &[Migration] = &[Migration {
    name: "agents, groups, configuration, tasks and events",
    sqlite: schema::V1,
    #[cfg(feature = "postgres")]
    postgres: schema::postgres::V1,
}];

const CREATE: &str = "
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    INTEGER NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    checksum   TEXT    NOT NULL,
    applied_at INTEGER NOT NULL
)";

/// The newest migration that was applied; 0 for an empty database.
///
/// # Errors
/// What the database reports.
pub fn schema_version(connection: &dyn Connection) -> Result<i64> {
    if connection.integer(connection.dialect().table_exists(), &[Value::text("schema_migrations")])? == 0 {
        return Ok(0);
    }
    connection.integer("SELECT MAX(version) FROM schema_migrations", &[])
}

/// Applies the migrations that are missing, in the transaction that is open.
///
/// # Errors
/// `MIGRATION` when the database is newer than this code, or was made with another text of a migration.
pub fn migrate(connection: &dyn Connection, now: Millis) -> Result<()> {
    let version = schema_version(connection)?;
    if version > SCHEMA_VERSION {
        return Err(ErrorCode::Migration.error(format!(
            "the database has schema version {version}; this version of swarmstore knows up to {SCHEMA_VERSION}"
        )));
    }
    let dialect = connection.dialect();
    if version == 0 {
        match dialect {
            Dialect::Sqlite => connection.execute_script(CREATE)?,
            #[cfg(feature = "postgres")]
            Dialect::Postgres => connection.execute_script(&CREATE.replace("INTEGER", "BIGINT"))?,
        }
    }
    for (number, migration) in (1..).zip(MIGRATIONS) {
        if number <= version {
            verify(connection, number, migration)?;
        } else {
            connection.execute_script(migration.up(dialect))?;
            connection.execute(
                "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
                &[
                    Value::Integer(number),
                    Value::text(migration.name),
                    Value::Text(checksum(migration.up(dialect)).into()),
                    Value::Integer(now.0),
                ],
            )?;
        }
    }
    Ok(())
}

/// Checks that a database which may not be changed has the tables that this code expects.
///
/// # Errors
/// `MIGRATION` when it is older or newer than this code; `INVALID_ARGUMENT` when it is none of swarmstore's.
pub fn require_current(connection: &dyn Connection) -> Result<()> {
    match schema_version(connection)? {
        SCHEMA_VERSION => (1..).zip(MIGRATIONS).try_for_each(|(number, known)| verify(connection, number, known)),
        0 => Err(Error::invalid("url", "names a database that is none of swarmstore's")),
        version => Err(ErrorCode::Migration
            .error(format!("the database has schema version {version}, not {SCHEMA_VERSION}, and is to be read only"))),
    }
}

fn verify(connection: &dyn Connection, number: i64, migration: &Migration) -> Result<()> {
    let applied =
        connection.texts("SELECT checksum FROM schema_migrations WHERE version = ?1", &[Value::Integer(number)])?;
    if applied.first() == Some(&checksum(migration.up(connection.dialect()))) {
        Ok(())
    } else {
        Err(ErrorCode::Migration.error(format!(
            "migration {number} ({}) was applied with another text than this version of swarmstore has",
            migration.name
        )))
    }
}

/// FNV-1a over 64 bits: enough to notice an edited text.
fn checksum(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}
