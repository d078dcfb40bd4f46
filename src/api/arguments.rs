//! Arguments and results that are no records: lists, options, counts.

use crate::error::{Error, Result};
use crate::model::json::Reader;
use crate::model::{Answer, Argument, Claim, Expected, Json, Queue, TaskCounts, TaskStatus, given, json, refusal};

/// The arguments of a call, taken one after another from the text of an array, which is walked over once.
pub(crate) struct Arguments<'a> {
    reader: Reader<'a>,
    taken: usize,
    ended: bool,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self> {
        let mut reader = Reader::around(text);
        reader.open_array().map_err(refused)?;
        Ok(Arguments { reader, taken: 0, ended: false })
    }

    /// The next argument; what the caller left out is absent.
    pub(super) fn take<T: Argument>(&mut self, name: &str) -> Result<T> {
        self.ended = self.ended || !self.reader.next(self.taken == 0).map_err(refused)?;
        if self.ended {
            return T::argument(None, name);
        }
        self.taken += 1;
        T::read(&mut self.reader, name)
    }

    /// There are no more.
    pub(super) fn end(&mut self) -> Result<()> {
        let more = !self.ended && self.reader.next(self.taken == 0).map_err(refused)?;
        if more {
            return Err(refused(format!("expected at most {}", self.taken)));
        }
        self.reader.end().map_err(refused)
    }
}

fn refused(reason: String) -> Error {
    Error::invalid("arguments", reason)
}

/// Several rows; a refusal names the index of the row.
pub(super) struct Rows<T>(pub(super) Vec<T>);

impl<T: Argument> Argument for Rows<T> {
    const TYPE: &'static str = "rows";

    fn argument(raw: Option<&str>, name: &str) -> Result<Self> {
        let raw = raw.ok_or_else(|| Error::invalid(name, "is required"))?;
        Self::read(&mut Reader::around(raw), name)
    }

    fn read(reader: &mut Reader<'_>, name: &str) -> Result<Self> {
        let refused = |reason| Error::invalid(name, reason);
        let mut rows = Vec::new();
        reader.open_array().map_err(refused)?;
        while reader.next(rows.is_empty()).map_err(refused)? {
            let before = reader.left();
            rows.push(T::read(reader, name).map_err(|error| error.at_index(rows.len()))?);
            if rows.len() == 1 {
                // The others will be about as long; if not, this was no more than a guess.
                rows.reserve((reader.left() / (before - reader.left()).max(1)).min(10_000));
            }
        }
        Ok(Rows(rows))
    }
}

/// A patch with the id of the record that it changes.
pub(super) struct PatchOf<P> {
    pub(super) id: String,
    pub(super) patch: P,
}

/// A patch that can be read member by member.
pub(super) trait Members: Default {
    fn take(&mut self, key: &str, raw: &str) -> Result<bool>;
}

impl<P: Members> Argument for PatchOf<P> {
    const TYPE: &'static str = "patch";

    fn argument(raw: Option<&str>, name: &str) -> Result<Self> {
        let raw = raw.ok_or_else(|| Error::invalid(name, "is required"))?;
        let (mut id, mut patch) = (None, P::default());
        json::members(raw, name, |key, value| {
            if key == "id" {
                let given: String = given(value, key)?;
                if let Some(reason) = refusal(&given) {
                    return Err(Error::invalid(key, reason));
                }
                id = Some(given);
            } else if !patch.take(key, value)? {
                return Err(Error::unknown(key, "is no field that an update can change"));
            }
            Ok(())
        })?;
        Ok(PatchOf { id: id.ok_or_else(|| Error::invalid("id", "is required"))?, patch })
    }
}

/// The `ifVersion` of an update.
#[derive(Default)]
pub(super) struct UpdateOptions {
    pub(super) if_version: Option<i64>,
}

/// The `retry` of a failure.
pub(super) struct FailOptions {
    pub(super) retry: bool,
}

/// The `subtree` and `reason` of a cancellation.
#[derive(Default)]
pub(super) struct CancelOptions {
    pub(super) subtree: bool,
    pub(super) reason: Option<String>,
}

/// Options of an operation: an object all of whose members may be left out.
macro_rules! options {
    ($type:ty, $ts:literal, $default:expr; $($key:literal => |$options:ident, $value:ident| $set:expr;)*) => {
        impl Argument for $type {
            const TYPE: &'static str = $ts;
            const OPTIONAL: bool = true;

            fn argument(raw: Option<&str>, name: &str) -> Result<Self> {
                let mut read: Self = $default;
                let Some(raw) = raw else { return Ok(read) };
                json::members(raw, name, |key, value| {
                    match key {
                        $($key => {
                            let ($options, $value) = (&mut read, value);
                            $set;
                        })*
                        _ => return Err(Error::unknown(key, "is no option that this operation has")),
                    }
                    Ok(())
                })?;
                Ok(read)
            }
        }
    };
}

options! {
    UpdateOptions, "{ ifVersion?: number }", UpdateOptions::default();
    "ifVersion" => |options, value| options.if_version = Some(given(value, "if_version")?);
}

options! {
    FailOptions, "{ retry?: boolean }", FailOptions { retry: true };
    "retry" => |options, value| options.retry = boolean(value, "retry")?;
}

options! {
    CancelOptions, "{ subtree?: boolean; reason?: string }", CancelOptions::default();
    "subtree" => |options, value| options.subtree = boolean(value, "subtree")?;
    "reason" => |options, value| options.reason = Some(given(value, "reason")?);
}

/// What a stream must look like for an append.
#[derive(Default)]
pub(super) struct AppendOptions {
    pub(super) expected: Expected,
}

options! {
    AppendOptions, "{ expected?: 'any' | 'none' | 'exists' | number }", AppendOptions::default();
    "expected" => |options, value| options.expected = Expected::argument(Some(value), "expected")?;
}

options! {
    Claim, "{ limit?: number; queues?: string[]; types?: string[]; leaseMs?: number }", Claim::default();
    "limit" => |claim, value| claim.limit = given(value, "limit")?;
    "queues" => |claim, value| claim.queues = given(value, "queues")?;
    "types" => |claim, value| claim.types = given(value, "types")?;
    "leaseMs" => |claim, value| claim.lease_ms = given(value, "lease_ms")?;
}

fn boolean(raw: &str, name: &str) -> Result<bool> {
    match raw {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::invalid(name, format!("expected true or false, got {}", json::type_name(raw)))),
    }
}

impl<T: Answer> Answer for Vec<T> {
    const TYPE: &'static str = "list";

    fn write_json(&self, out: &mut String) -> bool {
        write_list(self, out, T::write_json)
    }

    fn pack(&self, out: &mut String) -> bool {
        write_list(self, out, T::pack)
    }
}

fn write_list<T>(list: &[T], out: &mut String, write: impl Fn(&T, &mut String) -> bool) -> bool {
    out.push('[');
    let start = out.len();
    for (at, element) in list.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(element, out);
        if at == 0 {
            // The others will be about as long: a list of thousands is not copied again and again as it grows.
            out.reserve((out.len() - start + 16) * (list.len() - 1));
        }
    }
    out.push(']');
    true
}

impl<T: Answer> Answer for Option<T> {
    const TYPE: &'static str = "option";

    fn write_json(&self, out: &mut String) -> bool {
        self.as_ref().is_some_and(|answer| answer.write_json(out))
    }

    fn pack(&self, out: &mut String) -> bool {
        self.as_ref().is_some_and(|answer| answer.pack(out))
    }
}

/// Nothing: `undefined`.
impl Answer for () {
    const TYPE: &'static str = "void";

    fn write_json(&self, _: &mut String) -> bool {
        false
    }
}

impl Answer for Json {
    const TYPE: &'static str = "Json";

    fn write_json(&self, out: &mut String) -> bool {
        out.push_str(self.as_str());
        true
    }
}

impl Answer for bool {
    const TYPE: &'static str = "boolean";

    fn write_json(&self, out: &mut String) -> bool {
        out.push_str(if *self { "true" } else { "false" });
        true
    }
}

impl Answer for TaskCounts {
    const TYPE: &'static str = "Record<Task['status'], number>";

    fn write_json(&self, out: &mut String) -> bool {
        for (at, status) in TaskStatus::ALL.iter().enumerate() {
            out.push_str(if at == 0 { "{\"" } else { ",\"" });
            out.push_str(status.as_str());
            out.push_str("\":");
            self.of(*status).write_json(out);
        }
        out.push('}');
        true
    }
}

impl Answer for Queue {
    const TYPE: &'static str = "Queue";

    fn write_json(&self, out: &mut String) -> bool {
        out.push_str("{\"name\":");
        json::write_text(&self.name, out);
        out.push_str(",\"paused\":");
        self.paused_at.is_some().write_json(out);
        if let Some(at) = self.paused_at {
            out.push_str(",\"pausedAt\":");
            at.0.write_json(out);
        }
        out.push_str(",\"counts\":");
        self.counts.write_json(out);
        out.push('}');
        true
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Answer for $type {
            const TYPE: &'static str = "number";

            fn write_json(&self, out: &mut String) -> bool {
                out.push_str(&self.to_string());
                true
            }
        }
    )*};
}
numbers!(i64, u64);

/// JSON text that is made already.
pub(super) struct Text(pub(super) String);

impl Answer for Text {
    const TYPE: &'static str = "text";

    fn write_json(&self, out: &mut String) -> bool {
        out.push_str(&self.0);
        true
    }
}
