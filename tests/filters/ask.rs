//! Filters and orders as this test understands them: made into what JavaScript would give, and judged over records that are
//! plain JSON, without any SQL.

use serde_json::{Map, Value as Json, json};
use std::cmp::Ordering::{self, Equal, Greater, Less};

/// A filter.
#[derive(Debug, Clone)]
pub enum Ask {
    All(Vec<Ask>),
    Any(Vec<Ask>),
    Not(Box<Ask>),
    Field(&'static str, Vec<Test>),
}

/// What is asked of a field.
#[derive(Debug, Clone)]
pub enum Test {
    Direct(Json),
    Compare(&'static str, Json),
    Between(Json, Json),
    In(Vec<Json>),
    Like(String),
    Contains(Json),
    IsNull(bool),
}

/// What kinds of comparison a field knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sort {
    Text,
    Word,
    Number,
    List,
    Json,
}

/// The fields that are asked for, and which of them may be absent. `backoff` and `errors` are left out: JSON with several keys
/// would come back in another order from this test's reader.
pub const FIELDS: [(&str, Sort, bool); 22] = [
    ("id", Sort::Text, false),
    ("taskType", Sort::Text, false),
    ("queue", Sort::Text, false),
    ("uniqueKey", Sort::Text, true),
    ("parentTaskId", Sort::Text, true),
    ("agentId", Sort::Text, true),
    ("cancelReason", Sort::Text, true),
    ("status", Sort::Word, false),
    ("onDependencyFailure", Sort::Word, false),
    ("trustOperation", Sort::Word, true),
    ("priority", Sort::Number, false),
    ("runAt", Sort::Number, false),
    ("maxRetries", Sort::Number, false),
    ("attempt", Sort::Number, false),
    ("version", Sort::Number, false),
    ("startedAt", Sort::Number, true),
    ("completedAt", Sort::Number, true),
    ("dependencies", Sort::List, false),
    ("requiredCapabilities", Sort::List, false),
    ("payload", Sort::Json, false),
    ("result", Sort::Json, true),
    ("leaseExpiresAt", Sort::Number, true),
];

impl Ask {
    /// As JavaScript gives it.
    pub fn object(&self) -> Json {
        match self {
            Ask::All(asks) => json!({ "and": asks.iter().map(Ask::object).collect::<Vec<_>>() }),
            Ask::Any(asks) => json!({ "or": asks.iter().map(Ask::object).collect::<Vec<_>>() }),
            Ask::Not(ask) => json!({ "not": ask.object() }),
            Ask::Field(name, tests) => match &tests[..] {
                [Test::Direct(value)] => json!({ *name: value }),
                tests => {
                    let mut condition = Map::new();
                    for test in tests {
                        let (key, value) = test.member();
                        condition.insert(key.to_owned(), value);
                    }
                    json!({ *name: condition })
                }
            },
        }
    }

    /// Whether it is true for a record.
    pub fn holds(&self, record: &Json) -> bool {
        match self {
            Ask::All(asks) => asks.iter().all(|ask| ask.holds(record)),
            Ask::Any(asks) => asks.iter().any(|ask| ask.holds(record)),
            Ask::Not(ask) => !ask.holds(record),
            Ask::Field(name, tests) => {
                // As in an object, what is given twice counts once, the last time.
                let last = |at: usize| tests[at + 1..].iter().all(|later| later.member().0 != tests[at].member().0);
                let holds = |at: usize| tests[at].holds(name, record.get(*name));
                (0..tests.len()).filter(|at| last(*at)).all(holds)
            }
        }
    }
}

impl Test {
    fn member(&self) -> (&'static str, Json) {
        match self {
            Test::Direct(value) => ("eq", value.clone()),
            Test::Compare(sign, value) => (*sign, value.clone()),
            Test::Between(low, high) => ("between", json!([low, high])),
            Test::In(values) => ("in", json!(values)),
            Test::Like(pattern) => ("like", json!(pattern)),
            Test::Contains(element) => ("contains", element.clone()),
            Test::IsNull(absent) => ("isNull", json!(absent)),
        }
    }

    fn holds(&self, name: &str, field: Option<&Json>) -> bool {
        let sort = FIELDS.iter().find(|(known, ..)| *known == name).expect("a field").1;
        let is = |value: &Json| match field {
            None => value.is_null() && is_optional(name),
            // A lone null is the value of JSON that is never absent.
            Some(_) if value.is_null() && is_optional(name) => false,
            Some(field) => compare(sort, field, value).is_eq(),
        };
        let stands =
            |value: &Json, signs: &[Ordering]| field.is_some_and(|field| signs.contains(&compare(sort, field, value)));
        match self {
            Test::Direct(value) | Test::Compare("eq", value) => is(value),
            Test::Compare("ne", value) => !is(value),
            Test::Compare("lt", value) => stands(value, &[Less]),
            Test::Compare("le", value) => stands(value, &[Less, Equal]),
            Test::Compare("gt", value) => stands(value, &[Greater]),
            Test::Compare(_, value) => stands(value, &[Greater, Equal]),
            Test::Between(low, high) => stands(low, &[Greater, Equal]) && stands(high, &[Less, Equal]),
            Test::In(values) => values.iter().any(is),
            Test::Like(pattern) => field.is_some_and(|field| {
                let pattern: Vec<char> = pattern.chars().collect();
                let text: Vec<char> = field.as_str().expect("text").chars().collect();
                matches(&pattern, &text)
            }),
            Test::Contains(element) => field.and_then(Json::as_array).is_some_and(|list| {
                list.iter().any(|one| match (one.as_f64(), element.as_f64()) {
                    (Some(one), Some(element)) => (one - element).abs() == 0.0,
                    _ => one == element,
                })
            }),
            Test::IsNull(absent) => field.is_none() == *absent,
        }
    }
}

pub fn is_optional(name: &str) -> bool {
    FIELDS.iter().any(|(known, _, optional)| *known == name && *optional)
}

/// Text by its bytes, numbers by size, JSON as the bytes of its text.
fn compare(sort: Sort, one: &Json, other: &Json) -> Ordering {
    match sort {
        Sort::Text | Sort::Word => one.as_str().expect("text").as_bytes().cmp(other.as_str().expect("text").as_bytes()),
        Sort::Number => one.as_i64().expect("an integer").cmp(&other.as_i64().expect("an integer")),
        Sort::List | Sort::Json => one.to_string().as_bytes().cmp(other.to_string().as_bytes()),
    }
}

/// Whether a pattern matches a text from here to its end, ASCII letters of either case being the same.
fn matches(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['%', rest @ ..], text) => (0..=text.len()).any(|from| matches(rest, &text[from..])),
        (['_', rest @ ..], [_, text @ ..]) => matches(rest, text),
        (['\\', literal, rest @ ..] | [literal, rest @ ..], [first, text @ ..]) => {
            literal.eq_ignore_ascii_case(first) && matches(rest, text)
        }
        (_, []) => false,
    }
}

/// The order of two records by these keys (`true`: descending) and the id: what is absent is smaller than all.
pub fn order(keys: &[(&'static str, bool)], one: &Json, other: &Json) -> Ordering {
    keys.iter().chain(&[("id", false)]).fold(Equal, |decided, (name, descending)| {
        let sort = FIELDS.iter().find(|(known, ..)| known == name).expect("a field").1;
        let by_this = match (one.get(*name), other.get(*name)) {
            (Some(one), Some(other)) => compare(sort, one, other),
            (one, other) => one.is_some().cmp(&other.is_some()),
        };
        decided.then(if *descending { by_this.reverse() } else { by_this })
    })
}
