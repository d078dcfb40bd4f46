//! Values by key.

use crate::model::{ConfigEntry, Json};
use crate::testing::Subject;
use crate::testing::kit::{done, invalid};
use crate::{Error, Result};
use serde_json::json;

pub async fn what_was_set_reads_back_equal(subject: Subject) {
    for (key, text) in [
        ("limits.tokens", r#"{"max":1000,"why":["a",null,0.5]}"#),
        ("a key \u{1f41d}", "\"text\""),
        ("nothing", "null"),
        ("flag", "false"),
        ("zero", "0"),
    ] {
        set(&subject, key, text, None).await.unwrap();
        assert_eq!(get(&subject, key).await.as_deref(), Some(text));
    }
}

pub async fn an_unknown_key_has_no_value(subject: Subject) {
    set(&subject, "a", "1", None).await.unwrap();
    assert_eq!(get(&subject, "A").await, None);
    assert_eq!(get(&subject, "a ").await, None);
}

pub async fn setting_again_replaces_value_time_and_who(subject: Subject) {
    set(&subject, "a", "1", Some("ada")).await.unwrap();
    assert_eq!(all(&subject, "").await, [entry(&subject, "a", "1", Some("ada"))]);
    subject.advance(5);
    set(&subject, "a", "[2]", None).await.unwrap();
    assert_eq!(all(&subject, "").await, [entry(&subject, "a", "[2]", None)]);
}

pub async fn deleting_answers_whether_the_key_was_there(subject: Subject) {
    set(&subject, "a", "1", None).await.unwrap();
    set(&subject, "b", "1", None).await.unwrap();
    assert!(subject.write(|tx| tx.config().delete("a")).await.unwrap());
    assert!(!subject.write(|tx| tx.config().delete("a")).await.unwrap());
    assert_eq!((get(&subject, "a").await, keys(&subject, "").await), (None, vec!["b".to_owned()]));
}

pub async fn all_gives_every_value_in_the_order_of_the_bytes_of_its_key(subject: Subject) {
    for key in ["é", "b", "B", "_", "a.b", "a", "\u{1f41d}", "\u{ffff}"] {
        set(&subject, key, "1", None).await.unwrap();
    }
    assert_eq!(keys(&subject, "").await, ["B", "_", "a", "a.b", "b", "é", "\u{ffff}", "\u{1f41d}"]);
}

pub async fn a_prefix_is_compared_by_bytes_and_nothing_in_it_has_a_meaning(subject: Subject) {
    let all = [
        "a",
        "a%",
        "a%b",
        "a*",
        "a.",
        "a.x",
        "a.y.z",
        "a?",
        "a[b]",
        "a\\",
        "a_",
        "a_b",
        "aa",
        "ab",
        "b",
        "A.x",
        "é",
        "éa",
        "\u{d7ff}x",
        "\u{e000}x",
        "\u{10ffff}",
        "\u{10ffff}x",
    ];
    for key in all {
        set(&subject, key, "1", None).await.unwrap();
    }
    for prefix in [
        "",
        "a",
        "a.",
        "a%",
        "a_",
        "a*",
        "a?",
        "a[",
        "a\\",
        "A",
        "aaa",
        "é",
        "e",
        "\u{d7ff}",
        "\u{e000}",
        "\u{10ffff}",
        "%",
    ] {
        let mut expected: Vec<&str> = all.into_iter().filter(|key| key.starts_with(prefix)).collect();
        expected.sort_unstable();
        assert_eq!(keys(&subject, prefix).await, expected, "{prefix}");
    }
}

pub async fn a_key_has_1_to_1024_bytes_without_nul(subject: Subject) {
    let longest = "é".repeat(512);
    set(&subject, &longest, "1", None).await.unwrap();
    assert_eq!(get(&subject, &longest).await.as_deref(), Some("1"));
    for key in [String::new(), format!("{longest}x"), "a\0b".to_owned()] {
        invalid(set(&subject, &key, "1", None).await, "key");
        let again = key.clone();
        invalid(subject.read(move |tx| tx.config().get(&again)).await, "key");
        invalid(subject.write(move |tx| tx.config().delete(&key)).await, "key");
    }
    invalid(subject.read(|tx| tx.config().all("a\0")).await, "prefix");
    assert_eq!(keys(&subject, "").await.len(), 1);
}

pub async fn a_value_that_is_no_sound_json_is_refused_by_name(subject: Subject) {
    set(&subject, "a", "1", None).await.unwrap();
    let deep = (0..129).fold(json!(0), |inner, _| json!([inner]));
    for value in [json!(9_007_199_254_740_992_i64), deep] {
        let value = Json::from(value);
        invalid(subject.write(move |tx| tx.config().set("a", &value, None)).await, "value");
    }
    subject.change_options(|options| options.limits(crate::Limits { max_json_bytes: 1_000 })).await;
    set(&subject, "b", "1", None).await.unwrap();
    let long = format!("\"{}\"", "x".repeat(1_000));
    invalid(set(&subject, "b", &long, None).await, "value");
    invalid(set(&subject, "b", "2", Some("a\0b")).await, "updated_by");
    assert_eq!(get(&subject, "b").await.as_deref(), Some("1"));
}

pub async fn a_value_that_is_set_and_rolled_back_is_as_before(subject: Subject) {
    set(&subject, "a", "1", None).await.unwrap();
    let outcome: Result<()> = subject
        .write(|tx| {
            tx.config().set("a", &json!(2).into(), None)?;
            tx.config().set("b", &json!(2).into(), None)?;
            assert_eq!(tx.config().get("a")?.map(|value| value.to_tree()), Some(json!(2)));
            Err(Error::invalid("x", "no"))
        })
        .await;
    invalid(outcome, "x");
    assert_eq!(all(&subject, "").await, [entry(&subject, "a", "1", None)]);
}

fn entry(subject: &Subject, key: &str, value: &str, updated_by: Option<&str>) -> ConfigEntry {
    let value = Json::parse(value).expect("JSON");
    ConfigEntry::new(key.to_owned(), value, subject.now(), updated_by.map(str::to_owned))
}

async fn set(subject: &Subject, key: &str, value: &str, by: Option<&str>) -> Result<()> {
    let (key, value, by) = (key.to_owned(), Json::parse(value).expect("JSON"), by.map(str::to_owned));
    subject.write(move |tx| tx.config().set(&key, &value, by.as_deref())).await
}

async fn get(subject: &Subject, key: &str) -> Option<String> {
    let key = key.to_owned();
    let value = subject.read(move |tx| tx.config().get(&key)).await.expect("a read");
    value.map(|value| value.as_str().to_owned())
}

async fn all(subject: &Subject, prefix: &str) -> Vec<ConfigEntry> {
    let prefix = prefix.to_owned();
    subject.read(move |tx| done(tx.config().all(&prefix)?)).await.expect("a read")
}

async fn keys(subject: &Subject, prefix: &str) -> Vec<String> {
    all(subject, prefix).await.into_iter().map(|entry| entry.key).collect()
}
