//! How to make another connection to one store.

use super::address::Address;
use super::connection::PgConnection;
use super::error::from_postgres;
use super::link::Link;
use super::reading::LastTime;
use super::socket::Socket;
use crate::backend::Settings;
use crate::error::{Error, ErrorCode, Result};
use std::fmt::Write as _;
use std::time::Duration;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The oldest server that will do.
const OLDEST: u32 = 140_000;

/// How much later than the server's own timeout its answer may come.
const GRACE: Duration = Duration::from_secs(5);

/// The numbers of the advisory locks of one store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Locks {
    /// Held by every connection: somebody has the store open.
    pub(super) open: i64,
    /// Held while the tables are made.
    pub(super) migrate: i64,
    /// Held by the one who appends events.
    pub(super) events: i64,
}

impl Locks {
    /// Two stores in one database have different ones.
    fn of(schema: &str) -> Self {
        let number = |what: &str| {
            // FNV-1a over 64 bits.
            let hash = format!("swarmstore/{schema}/{what}")
                .bytes()
                .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            hash.cast_signed()
        };
        Locks { open: number("open"), migrate: number("migrate"), events: number("events") }
    }
}

/// Where connections lead, and what holds on every one.
pub(super) struct Target {
    address: Address,
    tls: MakeRustlsConnect,
    last_time: LastTime,
    pub(super) settings: Settings,
}

impl Target {
    pub(super) fn new(url: &str, settings: Settings) -> Result<Self> {
        let address = Address::parse(url)?;
        let tls = address.trust.connector()?;
        Ok(Target { address, tls, last_time: LastTime::default(), settings })
    }

    /// How long a connection is waited for.
    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.settings.connect_timeout_ms.into())
    }

    /// The schema that was asked for by name.
    pub(super) fn schema(&self) -> Option<&str> {
        self.address.schema.as_deref()
    }

    /// Connects to the first host that answers and is of the kind that was asked for.
    ///
    /// # Errors
    /// `UNAVAILABLE`; `UNSUPPORTED` when the server is too old.
    pub(super) fn connect(&self) -> Result<PgConnection> {
        let config = &self.address.config;
        let hosts = config.get_hosts().len().max(config.get_hostaddrs().len()).max(1);
        let timeout = config.get_connect_timeout().copied().unwrap_or(self.connect_timeout());
        let mut refused = None;
        for number in 0..hosts {
            match self.connect_to(number, timeout) {
                Ok(connection) => return Ok(connection),
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(|| ErrorCode::Unavailable.error("there is no host to connect to")))
    }

    fn connect_to(&self, number: usize, timeout: Duration) -> Result<PgConnection> {
        let config = &self.address.config;
        let name = match config.get_hosts().get(number) {
            Some(Host::Tcp(name)) => name.as_str(),
            _ => "localhost",
        };
        let socket = Socket::connect(config, number, timeout).map_err(|error| from_postgres(&error.into()))?;
        let tls = <MakeRustlsConnect as tokio_postgres::tls::MakeTlsConnect<Socket>>::make_tls_connect(
            &mut self.tls.clone(),
            name,
        );
        let tls = tls.map_err(|_| Error::internal("TLS could not be set up"))?;
        let link = Link::open(socket, tls, config, timeout).map_err(|error| from_postgres(&error))?;
        self.set_up(link)
    }

    /// What holds on every connection.
    fn set_up(&self, link: Link) -> Result<PgConnection> {
        // Planned once: our statements are made for indexes, also while a table is still small, and planning a claim costs as
        // much as carrying it out.
        let mut text = String::from("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;");
        text.push_str(
            "SET client_min_messages = warning; SET standard_conforming_strings = on; \
             SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off;",
        );
        // For the server 0 is for ever; for us it is not at all.
        let lock_timeout = self.settings.busy_timeout_ms.max(1);
        let _ = write!(text, "SET lock_timeout = {lock_timeout};");
        if self.settings.statement_timeout_ms > 0 {
            let _ = write!(text, "SET statement_timeout = {};", self.settings.statement_timeout_ms);
        }
        if let Some(schema) = self.schema() {
            let _ = write!(text, "SET search_path = {};", quoted(schema));
        }
        let said = |failure| from_postgres(&failure);
        link.wait(link.client().batch_execute(&text)).map_err(said)?;
        let found = "SELECT current_setting('server_version_num'), current_setting('transaction_read_only'), \
                     current_schema()";
        let answer = link.wait(link.client().simple_query(found)).map_err(said)?;
        let row = answer.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let row = row.ok_or_else(|| Error::internal("the server says nothing about itself"))?;
        let version: u32 = row.get(0).and_then(|version| version.parse().ok()).unwrap_or(0);
        if version < OLDEST {
            return Err(ErrorCode::Unsupported.error("the server is older than PostgreSQL 14"));
        }
        let read_only = row.get(1) == Some("on");
        let fits = match self.address.config.get_target_session_attrs() {
            TargetSessionAttrs::ReadWrite => !read_only,
            TargetSessionAttrs::ReadOnly => read_only,
            _ => true,
        };
        if !fits {
            return Err(ErrorCode::Unavailable.error("the server is not of the kind that the URL asks for"));
        }
        let schema = self.schema().or_else(|| row.get(2)).ok_or_else(|| {
            ErrorCode::Unavailable.error("the search path names no schema; name one in the URL with ?schema=")
        })?;
        let locks = Locks::of(schema);
        // Who writes says so when it begins, or for a single insert.
        let open = format!("SET default_transaction_read_only = on; SELECT pg_advisory_lock_shared({})", locks.open);
        link.wait(link.client().batch_execute(&open)).map_err(said)?;
        // The server keeps to its own timeout; one that is stopped, or out of reach without a word, keeps to none.
        let at_most = (self.settings.statement_timeout_ms > 0)
            .then(|| Duration::from_millis(self.settings.statement_timeout_ms.into()) + GRACE);
        link.wait_at_most(at_most).map_err(|error| from_postgres(&error.into()))?;
        let clock = (!self.settings.own_clock).then(|| self.last_time.clone());
        Ok(PgConnection::new(link, locks, lock_timeout, clock))
    }
}

/// A name in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
