//! The options of `SwarmStore.open`.

use crate::error::{Error, ErrorCode, Result};
use crate::model::{Argument, given, json};
use crate::store::{Durability, Limits};

/// The most time that a relaxed write may wait: one hour, in milliseconds.
const MAX_SYNC_INTERVAL: i64 = 3_600_000;

pub(super) struct OpenOptions {
    pub(super) url: String,
    pub(super) durability: Durability,
    pub(super) sync_interval_ms: u32,
    pub(super) limits: Limits,
    pub(super) read_only: bool,
}

impl OpenOptions {
    /// Reads the JSON text of the options.
    pub(super) fn read(text: &str) -> Result<Self> {
        let text = json::whole(text).map_err(|reason| Error::invalid("options", reason))?;
        let (mut name, mut memory) = (None, None);
        let mut options = OpenOptions {
            url: String::new(),
            durability: Durability::Durable,
            sync_interval_ms: 250,
            limits: Limits::default(),
            read_only: false,
        };
        json::members(text, "options", |key, value| {
            match key {
                "name" => name = Some(given::<String>(value, key)?),
                "storage" => memory = Some(storage(value)?),
                "durability" => options.durability = durability(value)?,
                "syncInterval" => options.sync_interval_ms = interval(value)?,
                "limits" => options.limits = limits(value)?,
                "readOnly" => options.read_only = read_only(value)?,
                _ => return Err(Error::unknown(key, "is no option that open has")),
            }
            Ok(())
        })?;
        let name = name.ok_or_else(|| Error::invalid("name", "is required"))?;
        options.url = match memory {
            Some(true) => "memory:".to_owned(),
            _ => name,
        };
        Ok(options)
    }
}

fn storage(raw: &str) -> Result<bool> {
    match raw {
        "\"memory\"" => Ok(true),
        "\"indexeddb\"" => Ok(false),
        _ => Err(Error::invalid("storage", "expected 'indexeddb' or 'memory'")),
    }
}

fn read_only(raw: &str) -> Result<bool> {
    raw.parse().map_err(|_| Error::invalid("read_only", "expected true or false"))
}

/// A durability by its JavaScript name.
pub(super) fn durability(raw: &str) -> Result<Durability> {
    match raw.trim_matches('"') {
        "relaxed" => Ok(Durability::Relaxed),
        "durable" => Ok(Durability::Durable),
        "strict" => Ok(Durability::Strict),
        _ => Err(Error::invalid("durability", "expected 'relaxed', 'durable' or 'strict'")),
    }
}

fn interval(raw: &str) -> Result<u32> {
    match i64::argument(Some(raw), "sync_interval")? {
        millis @ 1..=MAX_SYNC_INTERVAL => Ok(u32::try_from(millis).unwrap_or(u32::MAX)),
        _ => Err(Error::invalid("sync_interval", "expected 1 to 3,600,000 milliseconds")),
    }
}

fn limits(raw: &str) -> Result<Limits> {
    let mut limits = Limits::default();
    json::members(raw, "limits", |key, value| {
        if key != "maxJsonBytes" {
            return Err(Error::unknown(key, "is no limit"));
        }
        let bytes = i64::argument(Some(value), "max_json_bytes")?;
        limits.max_json_bytes = usize::try_from(bytes)
            .ok()
            .filter(|bytes| *bytes > 0)
            .ok_or_else(|| ErrorCode::InvalidArgument.error("maxJsonBytes: expected 1 or more bytes"))?;
        Ok(())
    })?;
    Ok(limits)
}
