//! What the server says, by its meaning.

use super::link::Failure;
use crate::error::{Error, ErrorCode};
use tokio_postgres::error::{DbError, SqlState};

/// A failure in our terms. Only the server's own message is passed on: its details hold values.
pub(super) fn from_postgres(failure: &Failure) -> Error {
    match failure {
        Failure::Client(error) => match error.as_db_error() {
            Some(said) => from_server(said),
            None if is_about_values(error) => ErrorCode::InvalidArgument.error(with_cause(error)),
            None => unreachable_because(&with_cause(error)),
        },
        Failure::Io(error) => unreachable_because(&error.to_string()),
        Failure::Nested => Error::internal("a statement was run while the rows of another were being read"),
    }
}

fn unreachable_because(reason: &str) -> Error {
    ErrorCode::Unavailable
        .error(format!("the PostgreSQL server cannot be reached, or the connection was lost: {reason}"))
}

/// The client's errors name their kind only; the cause says more, and is no message of the server's.
fn with_cause(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn is_about_values(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    text.starts_with("error serializing") || text.starts_with("error deserializing")
}

/// Whether the connection is of no use any more.
pub(super) fn ends_connection(failure: &Failure) -> bool {
    match failure {
        Failure::Client(error) => match error.as_db_error() {
            Some(said) => matches!(said.severity(), "FATAL" | "PANIC") || said.code().code().starts_with("57P"),
            None => !is_about_values(error),
        },
        Failure::Io(_) => true,
        Failure::Nested => false,
    }
}

/// What the server calls the failure.
pub(super) fn state_of(failure: &Failure) -> Option<&SqlState> {
    match failure {
        Failure::Client(error) => error.code(),
        _ => None,
    }
}

/// Whether it happened only because of others, so that the same transaction may succeed if it is run again.
pub(super) fn is_conflict(failure: &Failure) -> bool {
    matches!(state_of(failure), Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED))
}

fn from_server(said: &DbError) -> Error {
    let state = said.code().code();
    let message = said.message();
    let code = code(state);
    let text = match code {
        ErrorCode::Constraint => format!("the database refused the change: {message}"),
        ErrorCode::Timeout => format!("it took too long and was rolled back: {message}"),
        // After the colon comes the value that was refused.
        ErrorCode::InvalidArgument if state.starts_with("22") => {
            format!("PostgreSQL: {}", message.split(':').next().unwrap_or(message))
        }
        _ => format!("PostgreSQL: {message}"),
    };
    code.error(text).caused_by(format!("SQLSTATE {state}"))
}

fn code(state: &str) -> ErrorCode {
    match state {
        // Nobody waits longer for a lock, or for a statement, than was said.
        "40001" | "40P01" | "55P03" | "57014" | "25P03" | "25P04" => ErrorCode::Timeout,
        "53100" | "53200" => ErrorCode::Quota,
        "25006" | "42501" | "0A000" => ErrorCode::Unsupported,
        "XX001" | "XX002" => ErrorCode::Corrupt,
        _ => match state.get(..2) {
            Some("23") => ErrorCode::Constraint,
            Some("08" | "28" | "3D" | "53" | "57" | "58") => ErrorCode::Unavailable,
            Some("22" | "54") => ErrorCode::InvalidArgument,
            _ => ErrorCode::Internal,
        },
    }
}

/// Whether it is the text of a statement that is wrong, and not what happened to it.
pub(super) fn is_about_the_statement(failure: &Failure) -> bool {
    state_of(failure).is_some_and(|state| {
        let state = state.code();
        state == "25006" || matches!(state.get(..2), Some("42" | "22" | "0A" | "26"))
    })
}

#[cfg(test)]
mod tests {
    use super::code;
    use crate::ErrorCode;

    #[test]
    fn what_the_server_says_has_a_code_of_ours() {
        for (state, expected) in [
            ("23503", ErrorCode::Constraint),
            ("23514", ErrorCode::Constraint),
            ("40001", ErrorCode::Timeout),
            ("40P01", ErrorCode::Timeout),
            ("55P03", ErrorCode::Timeout),
            ("57014", ErrorCode::Timeout),
            ("57P01", ErrorCode::Unavailable),
            ("08006", ErrorCode::Unavailable),
            ("28P01", ErrorCode::Unavailable),
            ("3D000", ErrorCode::Unavailable),
            ("53300", ErrorCode::Unavailable),
            ("53100", ErrorCode::Quota),
            ("54000", ErrorCode::InvalidArgument),
            ("XX001", ErrorCode::Corrupt),
            ("25006", ErrorCode::Unsupported),
            ("42P01", ErrorCode::Internal),
        ] {
            assert_eq!(code(state), expected, "{state}");
        }
    }
}
