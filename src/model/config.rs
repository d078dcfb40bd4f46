//! The swarm's configuration: values by key.

use super::record::write_members;
use super::{Answer, Json, Kind, Millis, Scalar};

/// A value of the configuration with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigEntry {
    /// Its key.
    pub key: String,
    /// The value.
    pub value: Json,
    /// When it was set last.
    pub updated_at: Millis,
    /// Who set it last, if that was said.
    pub updated_by: Option<String>,
}

impl ConfigEntry {
    pub(crate) fn new(key: String, value: Json, updated_at: Millis, updated_by: Option<String>) -> Self {
        ConfigEntry { key, value, updated_at, updated_by }
    }
}

impl Answer for ConfigEntry {
    const TYPE: &'static str = "ConfigEntry";

    fn write_json(&self, out: &mut String) -> bool {
        let members = [
            ("key", Kind::Text, self.key.to_value()),
            ("value", Json::KIND, self.value.to_value()),
            ("updatedAt", Kind::Time, self.updated_at.to_value()),
            ("updatedBy", Kind::Text, self.updated_by.to_value()),
        ];
        write_members(&members, out);
        true
    }
}
