//! Points in time.

use std::fmt;

/// Milliseconds since the Unix epoch, UTC. Times in the future are data, not errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub i64);

impl Millis {
    /// This time moved by so many milliseconds, held within what an `i64` can say.
    #[must_use]
    pub fn plus(self, millis: i64) -> Self {
        Millis(self.0.saturating_add(millis))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
