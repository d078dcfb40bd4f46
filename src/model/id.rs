//! Names of records.

use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// The longest id, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 255;

/// Why this text cannot be an id, if so.
pub(crate) fn refusal(text: &str) -> Option<&'static str> {
    match text {
        "" => Some("an id must not be empty"),
        text if text.len() > MAX_ID_BYTES => Some("an id has at most 255 bytes"),
        text if text.contains('\0') => Some("an id must not contain NUL"),
        _ => None,
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Any text of 1 to 255 bytes without NUL.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes a name.
            ///
            /// # Errors
            /// `INVALID_ARGUMENT` when it is empty, longer than 255 bytes or holds a NUL.
            pub fn new(text: impl Into<String>) -> Result<Self> {
                let text = text.into();
                match refusal(&text) {
                    None => Ok(Self(text)),
                    Some(reason) => Err(Error::invalid("id", reason)),
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;
            fn try_from(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

ids! {
    /// Names an agent.
    AgentId;
    /// Names a group of agents.
    GroupId;
    /// Names a task.
    TaskId;
    /// Names an event.
    EventId;
}
