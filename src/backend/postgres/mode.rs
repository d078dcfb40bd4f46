//! What a transaction may do, and why it has to be begun again.

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It reads one committed state.
    Read,
    /// It writes beside others; the rows that it works on are its own.
    Beside,
    /// It is the only writer.
    Alone,
    /// It makes or drops the tables.
    Setup,
}

impl Mode {
    /// What a transaction begins with. Every database of ours has the table of migrations, and nobody writes to it: its lock
    /// is the one that writers share, or that one of them has alone. It is the first that a transaction takes.
    ///
    /// Outside of a transaction nothing can be written, on a session where anything begins
    /// ([`PgConnection::keep_from_writing`](super::connection::PgConnection::keep_from_writing)). So what was sent along with a
    /// beginning that failed does nothing.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Mode::Beside => "BEGIN READ WRITE; LOCK TABLE schema_migrations IN ROW EXCLUSIVE MODE",
            Mode::Alone => "BEGIN READ WRITE; LOCK TABLE schema_migrations IN EXCLUSIVE MODE",
            Mode::Setup => "BEGIN READ WRITE",
        }
    }
}

/// Why a job has to be run again from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It wants to be the only writer, or to catch an error: each statement then has a savepoint.
    Alone,
    /// It got into another's way.
    Conflict,
    /// The connection was lost before the commit.
    Lost,
    /// It waited long after it had looked at the time.
    Late,
    /// What it had read before its transaction began is another by now.
    Changed,
    /// A row that it took to be inserted was not.
    Unlikely,
}
