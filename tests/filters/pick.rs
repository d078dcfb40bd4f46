//! Random input as picks from what there is, so that what is asked has something to do with what is stored.

use crate::ask::{Ask, FIELDS, Sort, Test, is_optional};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// Text that means something to somebody: to SQL, to patterns, to JSON, to whoever compares without care.
pub const TEXTS: [&str; 20] = [
    "",
    " ",
    "a",
    "A",
    "ab",
    "b",
    "ä",
    "\u{1f41d}",
    "a%b",
    "a_b",
    "a\\b",
    "[a]",
    "*",
    "?",
    "'",
    "\"",
    "x' OR '1'='1",
    "NULL",
    "10",
    "\u{8}\n",
];

/// Ids of the tasks, in the order in which they are added.
pub const IDS: [&str; 12] = ["m", "A", "ä", "a%", "a_", "\u{1f41d}", "10", "9", "'", "\"\\", "[z]", "\u{1}z"];

pub fn payloads() -> Vec<Json> {
    vec![
        json!(null),
        json!(1),
        json!(1.0),
        json!("a"),
        json!([]),
        json!([1, "a", null, true]),
        json!([1.0, "ä\u{1f41d}", false]),
        json!([[1], { "a": 1 }, -2.5]),
        json!({ "a": 1 }),
        json!({ "0": "a" }),
    ]
}

fn elements() -> Vec<Json> {
    vec![json!(1), json!(-2.5), json!("a"), json!("ä\u{1f41d}"), json!(null), json!(true), json!(false), json!("")]
}

/// A task.
#[derive(Debug, Clone)]
pub struct Row {
    pub picks: [u8; 8],
    pub after: Vec<u8>,
}

/// What is asked, before it is known what the tasks are.
#[derive(Debug, Clone)]
pub enum Shape {
    All(Vec<Shape>),
    Any(Vec<Shape>),
    Not(Box<Shape>),
    Field(u8, Vec<Pick>),
}

/// What is asked of a field.
#[derive(Debug, Clone)]
pub struct Pick {
    test: u8,
    values: Vec<u8>,
    wild: u32,
}

/// A query.
#[derive(Debug, Clone)]
pub struct Asked {
    pub shape: Shape,
    pub keys: Vec<(u8, bool)>,
    pub limit: Option<usize>,
    pub offset: usize,
    pub after: Option<u8>,
}

pub fn row() -> impl Strategy<Value = Row> {
    (any::<[u8; 8]>(), prop::collection::vec(any::<u8>(), 0..3)).prop_map(|(picks, after)| Row { picks, after })
}

pub fn asked() -> impl Strategy<Value = Asked> {
    let keys = prop::collection::vec(any::<(u8, bool)>(), 0..4);
    let page = (prop::option::of(0..9_usize), 0..3_usize, prop::option::of(any::<u8>()));
    (shape(), keys, page).prop_map(|(shape, keys, (limit, offset, after))| Asked { shape, keys, limit, offset, after })
}

fn shape() -> impl Strategy<Value = Shape> {
    let pick = (any::<u8>(), prop::collection::vec(any::<u8>(), 0..4), any::<u32>());
    let pick = pick.prop_map(|(test, values, wild)| Pick { test, values, wild });
    let field = (any::<u8>(), prop::collection::vec(pick, 1..3));
    field.prop_map(|(field, picks)| Shape::Field(field, picks)).prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Shape::All),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Shape::Any),
            inner.prop_map(|shape| Shape::Not(Box::new(shape))),
        ]
    })
}

pub fn of<T>(list: &[T], pick: u8) -> &T {
    &list[usize::from(pick) % list.len()]
}

impl Shape {
    /// What it asks of these records.
    pub fn resolve(&self, records: &[Json]) -> Ask {
        let all = |shapes: &[Shape]| shapes.iter().map(|shape| shape.resolve(records)).collect();
        match self {
            Shape::All(shapes) => Ask::All(all(shapes)),
            Shape::Any(shapes) => Ask::Any(all(shapes)),
            Shape::Not(shape) => Ask::Not(Box::new(shape.resolve(records))),
            Shape::Field(field, picks) => {
                let (name, sort, _) = *of(&FIELDS, *field);
                let candidates = candidates(name, sort, records);
                let mut tests: Vec<Test> = picks.iter().map(|pick| pick.test(name, sort, &candidates)).collect();
                match tests[0] {
                    Test::Direct(_) => tests.truncate(1),
                    _ => tests.retain(|test| !matches!(test, Test::Direct(_))),
                }
                Ask::Field(name, tests)
            }
        }
    }
}

/// What a field may be compared with: what some record has, and what none has.
fn candidates(name: &str, sort: Sort, records: &[Json]) -> Vec<Json> {
    let mut values: Vec<Json> = records.iter().filter_map(|record| record.get(name).cloned()).collect();
    values.extend(match (name, sort) {
        ("status", _) => vec![json!("pending"), json!("cancelled")],
        ("onDependencyFailure", _) => vec![json!("hold")],
        ("trustOperation", _) => vec![json!("basic_task")],
        (_, Sort::Text | Sort::Word) => TEXTS.iter().map(|text| json!(text)).collect(),
        (_, Sort::Number) => vec![json!(0), json!(-1), json!(3), json!(9_007_199_254_740_991_i64)],
        (_, Sort::List) => vec![json!([]), json!(["a"])],
        (_, Sort::Json) => payloads(),
    });
    if is_optional(name) {
        // There it would mean what is absent, which is asked for elsewhere.
        values.retain(|value| !value.is_null());
    }
    values
}

impl Pick {
    fn test(&self, name: &str, sort: Sort, candidates: &[Json]) -> Test {
        let at = |place: usize| of(candidates, self.values.get(place).copied().unwrap_or(self.test)).clone();
        let or_absent = |place: usize| match is_optional(name) && (self.wild >> (2 * place)).is_multiple_of(4) {
            true => Json::Null,
            false => at(place),
        };
        let is_text = matches!(sort, Sort::Text | Sort::Word);
        let is_ordered = is_text || sort == Sort::Number;
        match self.test % 12 {
            0 => match or_absent(0) {
                object @ Json::Object(_) => Test::Compare("eq", object),
                value => Test::Direct(value),
            },
            1 => Test::Compare("eq", or_absent(0)),
            2 => Test::Compare("ne", or_absent(0)),
            3 => Test::In((0..self.values.len()).map(or_absent).collect()),
            4 => Test::IsNull(self.wild & 1 == 0),
            5 if is_ordered => Test::Between(at(0), at(1)),
            6 | 7 if is_text => Test::Like(pattern(at(0).as_str().expect("text"), self.wild)),
            5..=9 if sort == Sort::List => Test::Contains(json!(of(&TEXTS, self.test / 12))),
            5..=9 if sort == Sort::Json => Test::Contains(of(&elements(), self.test / 12).clone()),
            _ if is_ordered => Test::Compare(["lt", "le", "gt", "ge"][usize::from(self.test / 12 % 4)], at(0)),
            _ => Test::Compare("ne", at(0)),
        }
    }
}

/// A pattern that this text may well match.
fn pattern(text: &str, mut wild: u32) -> String {
    let mut pattern = String::new();
    for character in text.chars() {
        match wild % 8 {
            0 => pattern.push('_'),
            1 => pattern.push('%'),
            2 => pattern.extend(['%', '\\', character]),
            3 => pattern.extend(['\\', character]),
            4 | 5 if character.is_ascii_uppercase() => pattern.push(character.to_ascii_lowercase()),
            4 | 5 if character.is_ascii_lowercase() => pattern.push(character.to_ascii_uppercase()),
            _ if character == '\\' => pattern.push_str("\\\\"),
            _ => pattern.push(character),
        }
        wild = wild.rotate_right(3);
    }
    pattern
}
