//! A change of one field.

/// What an update does to a field.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Patch<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Back to absent, or to its default. A required field cannot be cleared.
    Clear,
    /// Give it this value.
    Set(T),
}

impl<T> Patch<T> {
    /// Whether the field is left alone.
    #[must_use]
    pub fn is_keep(&self) -> bool {
        matches!(self, Patch::Keep)
    }

    /// The value it sets, if any.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        match self {
            Patch::Set(value) => Some(value),
            Patch::Keep | Patch::Clear => None,
        }
    }
}

impl<T> From<T> for Patch<T> {
    fn from(value: T) -> Self {
        Patch::Set(value)
    }
}
