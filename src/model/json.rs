//! JSON as it is stored: a text that was checked to be I-JSON within our limits, and the reader that does the checking.
//!
//! Values stay text from the caller to the page and back; nothing is parsed into a tree on the way. The one walk over
//! the text refuses what another reader would lose or read differently: duplicate keys, lone surrogates, integers that
//! a double cannot hold, and nesting deeper than [`MAX_DEPTH`].

use super::plain;
use crate::error::{Error, Result};
use crate::platform::double;
use std::borrow::Cow;
use std::collections::BinaryHeap;
use std::fmt;

/// The deepest nesting of arrays and objects.
pub const MAX_DEPTH: usize = 128;
/// The largest integer, and its negative the smallest: 2^53 − 1, what a double counts without gaps.
pub const MAX_INTEGER: i64 = 9_007_199_254_740_991;

/// How many levels of arrays and objects there are around a value in the arguments of a call.
const AROUND: usize = 8;

/// A JSON value, kept as text.
///
/// Text given to [`Json::parse`] is checked at once; what comes from a `serde_json::Value` and cannot be stored is refused when
/// it is written to the store.
#[derive(Debug, Clone)]
pub struct Json {
    text: Box<str>,
    checked: bool,
}

/// Equal when the texts are.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Json {}

impl Json {
    /// Takes a JSON text.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when it is no I-JSON: bad syntax, an integer beyond ±(2^53 − 1), a lone surrogate, a key twice,
    /// or nesting over 128.
    pub fn parse(text: &str) -> Result<Self> {
        let text = whole(text).map_err(|reason| Error::invalid("json", reason))?;
        Ok(Self::checked(text))
    }

    /// A text that the reader has walked over already.
    pub(crate) fn checked(text: &str) -> Self {
        Json { text: text.into(), checked: true }
    }

    /// Why it cannot be stored, if so.
    pub(crate) fn refusal(&self) -> Option<String> {
        if self.checked { None } else { whole(&self.text).err() }
    }

    /// The value as JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The value as a tree.
    #[must_use]
    pub fn to_tree(&self) -> serde_json::Value {
        // serde_json goes one level less deep than we do, so the outermost is taken apart here.
        let tree = |raw: &str| serde_json::from_str(raw).unwrap_or_default();
        match self.text.bytes().next() {
            Some(b'[') => elements(&self.text).unwrap_or_default().into_iter().map(tree).collect(),
            Some(b'{') => {
                let mut object = serde_json::Map::new();
                // A text that was checked is an object to its end; the closure refuses nothing.
                let _ = members(&self.text, "json", |key, value| {
                    object.insert(key.to_owned(), tree(value));
                    Ok(())
                });
                object.into()
            }
            _ => tree(&self.text),
        }
    }
}

impl Default for Json {
    /// `null`.
    fn default() -> Self {
        Json::checked("null")
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        // As `to_string`, without going through a formatter.
        let text = serde_json::to_string(&value).unwrap_or_else(|_| value.to_string());
        Json { text: text.into(), checked: is_storable(&value, 0) }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// One JSON value and nothing else; the text without the white space around it.
pub(crate) fn whole(text: &str) -> Result<&str, String> {
    let mut reader = Reader::new(text);
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

/// Walks over a JSON text, giving out the raw text of its parts.
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    deepest: usize,
    /// The keys of the objects around the place where it is, innermost last.
    keys: Vec<Cow<'a, str>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Reader { text, at: 0, deepest: MAX_DEPTH, keys: Vec::new() }
    }

    /// For arguments: a value in them may be nested as deep as any, so what is around it may be a little deeper.
    pub(crate) fn around(text: &'a str) -> Self {
        Reader { deepest: MAX_DEPTH + AROUND, ..Reader::new(text) }
    }

    /// The raw text of the next value, checked.
    pub(crate) fn value(&mut self) -> Result<&'a str, String> {
        self.space();
        let from = self.at;
        self.skip(0)?;
        Ok(&self.text[from..self.at])
    }

    /// Begins the array that follows; [`next`](Self::next) says whether it has an element.
    pub(crate) fn open_array(&mut self) -> Result<(), String> {
        if self.eat(b'[') { Ok(()) } else { Err(format!("expected an array, got {}", self.type_name())) }
    }

    /// Whether the array has another element; `first` for the first one.
    pub(crate) fn next(&mut self, first: bool) -> Result<bool, String> {
        if self.eat(b']') {
            return Ok(false);
        }
        if !first {
            self.expect(b',')?;
        }
        Ok(true)
    }

    /// Calls `each` with key and raw value of every member of the object that follows. What is no object is refused by `name`.
    pub(crate) fn members(
        &mut self,
        name: &str,
        each: &mut dyn FnMut(&str, &'a str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let refused = |reason| Error::invalid(name, reason);
        if !self.eat(b'{') {
            return Err(refused(format!("expected an object, got {}", self.type_name())));
        }
        if self.eat(b'}') {
            return Ok(());
        }
        let outer = self.keys.len();
        loop {
            self.space();
            let key = unescape(self.string().map_err(refused)?);
            self.expect(b':').map_err(refused)?;
            let value = self.value().map_err(|reason| Error::invalid(&*key, reason))?;
            each(&key, value)?;
            self.keys.push(key);
            if self.eat(b'}') {
                break;
            }
            self.expect(b',').map_err(refused)?;
        }
        let twice = repeated(&self.keys[outer..]).map(|key| format!("the key {key:?} is there twice"));
        self.keys.truncate(outer);
        twice.map_or(Ok(()), |reason| Err(refused(reason)))
    }

    /// How many bytes are left to read.
    pub(crate) fn left(&self) -> usize {
        self.text.len() - self.at
    }

    /// Whether the text ends here.
    pub(crate) fn end(&mut self) -> Result<(), String> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.syntax()) }
    }

    /// Goes to the next thing that is no white space; gives the byte where it begins.
    #[allow(dead_code)] // only the backend of JSON files, which is native, counts lines
    pub(crate) fn skip_space(&mut self) -> usize {
        self.space();
        self.at
    }

    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.eat(byte) { Ok(()) } else { Err(self.syntax()) }
    }

    fn syntax(&self) -> String {
        format!("not valid JSON at byte {}", self.at)
    }

    fn type_name(&self) -> &'static str {
        type_name(&self.text[self.at..])
    }

    fn skip(&mut self, depth: usize) -> Result<(), String> {
        self.space();
        match self.peek() {
            b'{' => self.skip_object(depth + 1),
            b'[' => self.skip_array(depth + 1),
            b'"' => self.string().map(|_| ()),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.syntax()),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.syntax())
        }
    }

    fn check_depth(&self, depth: usize) -> Result<(), String> {
        if depth > self.deepest { Err(too_deep()) } else { Ok(()) }
    }

    fn skip_array(&mut self, depth: usize) -> Result<(), String> {
        self.check_depth(depth)?;
        self.at += 1;
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            self.skip(depth)?;
            if self.eat(b']') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    fn skip_object(&mut self, depth: usize) -> Result<(), String> {
        self.check_depth(depth)?;
        self.at += 1;
        if self.eat(b'}') {
            return Ok(());
        }
        let outer = self.keys.len();
        loop {
            self.space();
            let key = self.string()?;
            let key = unescape(key);
            self.keys.push(key);
            self.expect(b':')?;
            self.skip(depth)?;
            if self.eat(b'}') {
                break;
            }
            self.expect(b',')?;
        }
        let twice = repeated(&self.keys[outer..]).map(|key| format!("the key {key:?} is there twice"));
        self.keys.truncate(outer);
        twice.map_or(Ok(()), Err)
    }

    /// The text between the quotes, escapes still in it.
    fn string(&mut self) -> Result<&'a str, String> {
        if self.peek() != b'"' {
            return Err(self.syntax());
        }
        self.at += 1;
        let from = self.at;
        loop {
            self.at += plain::length(&self.text.as_bytes()[self.at..]);
            match self.peek() {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return Err(self.syntax()),
            }
        }
        self.at += 1;
        Ok(&self.text[from..self.at - 1])
    }

    fn escape(&mut self) -> Result<(), String> {
        self.at += 1;
        let escaped = self.peek();
        self.at += 1;
        match escaped {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                let first = self.hex()?;
                let low_follows = || self.text.as_bytes()[self.at..].starts_with(b"\\u");
                match first {
                    0xD800..=0xDBFF if low_follows() => {
                        self.at += 2;
                        if (0xDC00..=0xDFFF).contains(&self.hex()?) { Ok(()) } else { Err(lone_surrogate()) }
                    }
                    0xD800..=0xDFFF => Err(lone_surrogate()),
                    _ => Ok(()),
                }
            }
            _ => Err(self.syntax()),
        }
    }

    fn hex(&mut self) -> Result<u32, String> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or_else(|| self.syntax())?;
        let digits = std::str::from_utf8(digits).map_err(|_| self.syntax())?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(self.syntax());
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| self.syntax())
    }

    fn digits(&mut self) -> Result<(), String> {
        let from = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == from { Err(self.syntax()) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), String> {
        let from = self.at;
        self.at += usize::from(self.peek() == b'-');
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let whole = self.at;
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), b'+' | b'-'));
            self.digits()?;
        }
        // Fifteen digits and a sign are within 2^53 whatever they are.
        if self.at == whole && whole - from <= 15 {
            return Ok(());
        }
        number_in_range(&self.text[from..self.at])
    }
}

fn too_deep() -> String {
    format!("nested deeper than {MAX_DEPTH}")
}

/// A value that the reader has walked over as a part of something larger: whether it is nested too deep by itself.
pub(crate) fn check_depth(raw: &str) -> Result<(), String> {
    // What is short or has few brackets cannot be nested deep; that is all there is to do for almost every value.
    if raw.len() <= 2 * MAX_DEPTH {
        return Ok(());
    }
    let brackets = raw.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
    if brackets > MAX_DEPTH { whole(raw).map(|_| ()) } else { Ok(()) }
}

/// Whether a tree holds nothing that its text would be refused for. It has no bad syntax, no lone surrogate and no key twice.
fn is_storable(tree: &serde_json::Value, depth: usize) -> bool {
    use serde_json::Value as Tree;
    match tree {
        Tree::Null | Tree::Bool(_) | Tree::String(_) => true,
        Tree::Number(number) => match number.as_i64() {
            Some(integer) => integer.unsigned_abs() <= MAX_INTEGER.unsigned_abs(),
            None => number.as_f64().is_some_and(is_in_range),
        },
        Tree::Array(elements) => depth < MAX_DEPTH && elements.iter().all(|element| is_storable(element, depth + 1)),
        Tree::Object(members) => depth < MAX_DEPTH && members.values().all(|member| is_storable(member, depth + 1)),
    }
}

fn lone_surrogate() -> String {
    "holds a lone surrogate".to_owned()
}

/// A number is refused when a double would not give it back: an integer beyond ±(2^53 − 1), or one that overflows.
fn number_in_range(text: &str) -> Result<(), String> {
    let number = double(text).ok_or_else(|| format!("{text} is not a number"))?;
    if !number.is_finite() {
        return Err("a number overflows a double".to_owned());
    }
    if !is_in_range(number) {
        return Err("an integer is beyond ±(2^53 − 1)".to_owned());
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)] // MAX_INTEGER is exact as a double
fn is_in_range(number: f64) -> bool {
    number.is_finite() && (number.fract() != 0.0 || number.abs() <= MAX_INTEGER as f64)
}

/// A key that is there twice. A long list goes through a heap, so that an object of many keys costs no square.
fn repeated<'k>(keys: &'k [Cow<'_, str>]) -> Option<&'k str> {
    if keys.len() > 8 {
        let mut keys: BinaryHeap<&str> = keys.iter().map(|key| &**key).collect();
        while let Some(key) = keys.pop() {
            if keys.peek() == Some(&key) {
                return Some(key);
            }
        }
        return None;
    }
    keys.iter().enumerate().find(|(at, key)| keys[..*at].contains(key)).map(|(_, key)| &**key)
}

/// The name of a raw value's type, for messages.
pub(crate) fn type_name(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(_) => "a number",
        None => "nothing",
    }
}

/// Calls `each` with key and raw value of every member of the object `raw`.
///
/// What is no object is refused by `name`.
pub(crate) fn members<'a>(
    raw: &'a str,
    name: &str,
    mut each: impl FnMut(&str, &'a str) -> Result<(), Error>,
) -> Result<(), Error> {
    Reader::around(raw).members(name, &mut each)
}

/// The elements of the array `raw`.
pub(crate) fn elements(raw: &str) -> Result<Vec<&str>, String> {
    let mut found = Vec::new();
    if raw == "[]" {
        return Ok(found);
    }
    let mut reader = Reader::around(raw);
    reader.open_array()?;
    while reader.next(found.is_empty())? {
        found.push(reader.value()?);
    }
    Ok(found)
}

/// The text that a raw JSON string, or what is between its quotes, stands for. The raw text has been checked.
pub(crate) fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    unescaped(raw).map_or(Cow::Borrowed(raw), Cow::Owned)
}

/// `None` for what the reader would have refused.
fn unescaped(raw: &str) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escaped = *rest.as_bytes().get(at + 1)?;
        rest = rest.get(at + 2..)?;
        let letter = match escaped {
            b'b' => '\x08',
            b'f' => '\x0C',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = unit(&mut rest)?;
                if (0xD800..0xDC00).contains(&first) {
                    rest = rest.strip_prefix("\\u")?;
                    let second = unit(&mut rest)?.checked_sub(0xDC00)?;
                    char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + second)?
                } else {
                    char::from_u32(first)?
                }
            }
            other => char::from(other),
        };
        out.push(letter);
    }
    out.push_str(rest);
    Some(out)
}

/// The UTF-16 unit that four hexadecimal digits stand for, which it takes away.
fn unit(rest: &mut &str) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    u32::from_str_radix(digits, 16).ok()
}

/// The text of a raw JSON string with its quotes.
pub(crate) fn text(raw: &str) -> Result<Cow<'_, str>, String> {
    raw.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .map(unescape)
        .ok_or_else(|| format!("expected text, got {}", type_name(raw)))
}

/// Writes text as a JSON string, in the very form in which JavaScript and the databases write it: lists that they made are
/// compared with ours as text.
pub(crate) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    loop {
        let (clean, special) = rest.split_at(plain::length(rest.as_bytes()));
        out.push_str(clean);
        let Some(&byte) = special.as_bytes().first() else { break };
        rest = &special[1..];
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x8 => out.push_str("\\b"),
            0xc => out.push_str("\\f"),
            _ => {
                use fmt::Write as _;
                let _ = write!(out, "\\u{byte:04x}"); // writing to a String cannot fail
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Json::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn plain_values_are_kept_as_they_are() {
        for text in ["null", "[]", "{}", r#"{"a":[1,2.5e-3,"x\u00e9\ud83d\ude00"],"b":{"a":true}}"#, "-0", "0.1"] {
            assert_eq!(Json::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(Json::parse(" [1 , 2]\n").unwrap().as_str(), "[1 , 2]");
    }

    #[test]
    fn bad_syntax_is_refused() {
        for text in ["", "{", "[1,]", "01", "1.", "+1", "nul", r#""a"#, r#"{"a"}"#, "[1] 2", "\"\t\"", r#""\x""#] {
            assert!(refusal(text).contains("JSON"), "{text}");
        }
    }

    #[test]
    fn integers_beyond_two_to_the_53_are_refused() {
        assert!(Json::parse("9007199254740991").is_ok());
        assert!(Json::parse("-9007199254740991").is_ok());
        for text in ["9007199254740993", "-9007199254740993", "1e300", "12345678901234567890"] {
            assert!(refusal(text).contains("2^53"), "{text}");
        }
        assert!(refusal("1e400").contains("overflows"));
    }

    #[test]
    fn lone_surrogates_are_refused() {
        for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#"{"\ud800":1}"#] {
            assert!(refusal(text).contains("surrogate"), "{text}");
        }
    }

    #[test]
    fn a_key_twice_is_refused_also_when_escaped() {
        assert!(refusal(r#"{"a":1,"a":2}"#).contains("twice"));
        assert!(refusal(r#"{"a":1,"\u0061":2}"#).contains("twice"));
        assert!(Json::parse(r#"{"a":{"a":1},"b":{"a":2}}"#).is_ok());
        let many: Vec<String> = (0..50).map(|n| format!("\"k{}\":0", n % 49)).collect();
        assert!(refusal(&format!("{{{}}}", many.join(","))).contains("twice"));
    }

    #[test]
    fn a_tree_is_judged_as_its_text_is() {
        use serde_json::{Value, json};
        let nested = |depth: usize| (0..depth).fold(Value::Null, |inner, _| json!([inner]));
        let mixed = |depth: usize| {
            (0..depth).fold(json!(1), |inner, n| if n % 2 == 0 { json!([inner]) } else { json!({ "a": inner }) })
        };
        let trees = [
            json!(null),
            json!({ "a": [1, -2.5, "x\u{0}\u{e9}", true], "b": {} }),
            json!(MAX_INTEGER),
            json!(-MAX_INTEGER),
            json!(MAX_INTEGER + 1),
            json!([-MAX_INTEGER - 1]),
            json!(i64::MIN),
            json!({ "a": u64::MAX }),
            json!(9_007_199_254_740_991.0),
            json!(9_007_199_254_740_992.0),
            json!([[1e300]]),
            json!(1.5e-300),
            json!(0.1),
            json!(-0.0),
            nested(MAX_DEPTH),
            nested(MAX_DEPTH + 1),
            mixed(MAX_DEPTH),
            mixed(MAX_DEPTH + 1),
        ];
        for tree in trees {
            let text = tree.to_string();
            let json = Json::from(tree);
            assert_eq!(json.checked, whole(&text).is_ok(), "{text}");
            assert_eq!(json.refusal(), whole(&text).err());
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(&nested(MAX_DEPTH)).is_ok());
        assert!(refusal(&nested(MAX_DEPTH + 1)).contains("nested"));
        assert!(refusal(&nested(10_000)).contains("nested"));
    }

    #[test]
    fn text_is_written_so_that_it_reads_back() {
        for plain in ["", "plain", "quote \" slash \\ line\n tab\t bell\u{7} é 😀 \u{2028}"] {
            let mut out = String::new();
            write_text(plain, &mut out);
            assert_eq!(text(&out).unwrap(), plain);
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), plain);
        }
    }

    #[test]
    fn every_escape_is_undone() {
        for raw in [
            r#""\"\\\/\b\f\n\r\t""#,
            r#""\u0000\u001f\u00e9\u00E9\uffff""#,
            r#""a\ud83d\ude00b\uD800\uDC00\udbff\udfff""#,
            r#""\\u0041\\\u0041 é\u00e9""#,
        ] {
            assert_eq!(text(raw).unwrap(), serde_json::from_str::<String>(raw).unwrap(), "{raw}");
        }
    }
}
