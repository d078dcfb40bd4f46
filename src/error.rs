//! What can go wrong, as one enum with a code per variant.

use std::error::Error as StdError;
use std::fmt;

/// The result of every fallible call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn StdError + Send + Sync>;

/// What is known about a failure besides its kind. Never holds payloads: agents' data does not belong in logs.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Detail {
    /// What happened, for a person.
    pub message: String,
    /// The table concerned.
    pub table: Option<&'static str>,
    /// The id of the record concerned.
    pub id: Option<String>,
    /// The field that was refused, as a path such as `payload.steps[3]`.
    pub field: Option<String>,
    /// Which row of a "many" call, or which operation of a batch, failed.
    pub index: Option<usize>,
    /// What was found where something else was expected: a version or a stream's last sequence.
    pub actual: Option<i64>,
    /// True when the change is committed and visible in memory, but not kept yet: do not repeat it.
    pub committed: bool,
    /// True when the connection was lost while it was committed: whether the change is there is not known. Look before you
    /// repeat it.
    pub uncertain: bool,
    /// What caused it.
    pub source: Option<Source>,
    /// Whether the field is named as the caller named it, not as we do.
    pub(crate) verbatim: bool,
}

macro_rules! errors {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $retryable:literal;)*) => {
        /// Everything that can go wrong. Each variant says when it happens; the [`Detail`] says where.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum Error { $($(#[$doc])* $variant(Box<Detail>),)* }

        /// The kind of an [`Error`], equal to the `code` that JavaScript sees.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode { $($(#[$doc])* $variant,)* }

        impl ErrorCode {
            /// Every code there is.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant,)*];

            /// The code as text, such as `NOT_FOUND`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$variant => $code,)* }
            }

            /// Whether the same call may succeed later without a change of its arguments.
            #[must_use]
            pub fn is_retryable(self) -> bool {
                match self { $(ErrorCode::$variant => $retryable,)* }
            }

            /// Makes an error of this kind.
            pub fn error(self, message: impl Into<String>) -> Error {
                let detail = Box::new(Detail { message: message.into(), ..Detail::default() });
                match self { $(ErrorCode::$variant => Error::$variant(detail),)* }
            }
        }

        impl Error {
            /// The kind of this error.
            #[must_use]
            pub fn code(&self) -> ErrorCode {
                match self { $(Error::$variant(_) => ErrorCode::$variant,)* }
            }

            /// What is known about it.
            #[must_use]
            pub fn detail(&self) -> &Detail {
                match self { $(Error::$variant(detail) => detail,)* }
            }

            fn detail_mut(&mut self) -> &mut Detail {
                match self { $(Error::$variant(detail) => detail,)* }
            }
        }
    };
}

errors! {
    /// The record that was to be changed is not there.
    NotFound = "NOT_FOUND", false;
    /// It exists already, another version won, or the state does not allow this transition.
    Conflict = "CONFLICT", false;
    /// A foreign key or CHECK that only the database can judge was violated.
    Constraint = "CONSTRAINT", false;
    /// An argument is of the wrong type, out of range or missing. Nothing was written.
    InvalidArgument = "INVALID_ARGUMENT", false;
    /// The lease token is not the task's current one, or the lease has expired. Nothing was changed.
    LeaseLost = "LEASE_LOST", false;
    /// The store, or the transaction, was closed before.
    Closed = "CLOSED", false;
    /// Somebody else has the store open for writing.
    Locked = "LOCKED", true;
    /// The transaction or the wait for it took too long; it was rolled back.
    Timeout = "TIMEOUT", true;
    /// No space left to keep the change.
    Quota = "QUOTA", true;
    /// The storage below could not be written, or another writer has taken over.
    PersistenceLost = "PERSISTENCE_LOST", true;
    /// What is stored is damaged, or is no database.
    Corrupt = "CORRUPT", false;
    /// The database was written by newer code, or a migration was altered.
    Migration = "MIGRATION", false;
    /// A backup could not be made, verified or restored.
    Backup = "BACKUP", false;
    /// This platform or backend cannot do that.
    Unsupported = "UNSUPPORTED", false;
    /// The caller's signal aborted the call.
    Aborted = "ABORTED", false;
    /// The storage or server cannot be reached.
    Unavailable = "UNAVAILABLE", true;
    /// A defect of swarmstore, or of what it stands on.
    Internal = "INTERNAL", false;
}

impl Error {
    /// [`Error::NotFound`] for a record.
    pub(crate) fn not_found(table: &'static str, id: &str) -> Self {
        ErrorCode::NotFound.error(format!("no such record in {table}: {id}")).of(table, id)
    }

    /// [`Error::Conflict`] about a record.
    pub(crate) fn conflict(table: &'static str, id: &str, message: impl Into<String>) -> Self {
        ErrorCode::Conflict.error(message).of(table, id)
    }

    /// [`Error::InvalidArgument`] that names the field and the reason.
    pub fn invalid(field: impl Into<String>, reason: impl fmt::Display) -> Self {
        let field = field.into();
        let mut error = ErrorCode::InvalidArgument.error(format!("{field}: {reason}"));
        error.detail_mut().field = Some(field);
        error
    }

    /// [`Error::InvalidArgument`] about a name that means nothing here, given back as it came.
    pub(crate) fn unknown(name: &str, reason: impl fmt::Display) -> Self {
        let mut error = Self::invalid(name, reason);
        error.detail_mut().verbatim = true;
        error
    }

    /// [`Error::Internal`].
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        ErrorCode::Internal.error(message)
    }

    /// Names the record.
    #[must_use]
    pub(crate) fn of(mut self, table: &'static str, id: &str) -> Self {
        let detail = self.detail_mut();
        detail.table = Some(table);
        detail.id = Some(id.to_owned());
        self
    }

    /// Names the row of a "many" call or the operation of a batch.
    #[must_use]
    pub(crate) fn at_index(mut self, index: usize) -> Self {
        self.detail_mut().index = Some(index);
        self
    }

    /// Tells what was found instead of what was expected.
    #[must_use]
    pub(crate) fn with_actual(mut self, actual: i64) -> Self {
        self.detail_mut().actual = Some(actual);
        self
    }

    /// Marks the change as committed in memory.
    #[must_use]
    #[allow(dead_code)] // only the browser's backend flushes
    pub(crate) fn committed(mut self) -> Self {
        self.detail_mut().committed = true;
        self
    }

    /// Marks the outcome as not known.
    #[must_use]
    #[allow(dead_code)] // only a server can be lost at the worst moment
    pub(crate) fn uncertain(mut self) -> Self {
        self.detail_mut().uncertain = true;
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Source>) -> Self {
        self.detail_mut().source = Some(source.into());
        self
    }

    /// The same failure once more, for everybody who waited for one flush or one commit.
    /// The cause is kept as text.
    #[must_use]
    #[allow(dead_code)] // as above
    pub(crate) fn copy(&self) -> Self {
        let from = self.detail();
        let mut copy = self.code().error(from.message.clone());
        let to = copy.detail_mut();
        to.table = from.table;
        to.id.clone_from(&from.id);
        to.field.clone_from(&from.field);
        to.index = from.index;
        to.actual = from.actual;
        to.committed = from.committed;
        to.uncertain = from.uncertain;
        to.verbatim = from.verbatim;
        to.source = from.source.as_ref().map(|source| source.to_string().into());
        copy
    }

    /// Whether the same call may succeed later without a change of its arguments.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.code().is_retryable() && !self.detail().uncertain
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.detail().message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.detail().source.as_deref().map(|source| source as _)
    }
}
