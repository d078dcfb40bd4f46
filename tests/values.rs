//! Values that refuse by themselves to be what they cannot be, before any store sees them.
#![cfg(not(target_family = "wasm"))]

use swarmstore::{AgentId, ErrorCode, EventId, Json, Priority, Result, TaskId};

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, field: &str) {
    let error = result.expect_err("a refusal");
    assert_eq!((error.code(), error.detail().field.as_deref()), (ErrorCode::InvalidArgument, Some(field)), "{error}");
    assert!(error.to_string().contains(field), "{error}");
}

#[test]
fn an_id_that_is_empty_too_long_or_holds_nul_is_refused() {
    for id in ["", "a\0b", &"x".repeat(256), &"é".repeat(128)] {
        refused(AgentId::new(id), "id");
        refused(TaskId::new(id), "id");
        refused(EventId::new(id), "id");
        refused(id.parse::<TaskId>(), "id");
    }
    assert_eq!(AgentId::new("é".repeat(127)).unwrap().as_str().len(), 254);
}

#[test]
fn the_named_priorities_are_2_5_7_and_9() {
    let named = [Priority::LOW, Priority::MEDIUM, Priority::HIGH, Priority::CRITICAL];
    assert_eq!(named.map(Priority::get), [2, 5, 7, 9]);
}

#[test]
fn a_priority_over_9_is_refused() {
    assert!((0..=9).all(|priority| Priority::new(priority).is_ok()));
    refused(Priority::new(10), "priority");
}

#[test]
fn a_json_value_is_as_deep_as_allowed_and_reads_back_as_a_tree() {
    for (open, inner, close) in [("[", "1", "]"), (r#"{"a":"#, "1", "}")] {
        let text = open.repeat(128) + inner + &close.repeat(128);
        assert_eq!(Json::parse(&text).unwrap().to_tree().to_string(), text);
        refused(Json::parse(&(open.repeat(129) + inner + &close.repeat(129))), "json");
    }
}

#[test]
fn json_is_equal_when_its_text_is() {
    assert_eq!(Json::parse("[1]").unwrap(), Json::from(serde_json::json!([1])));
    assert_ne!(Json::parse("[1]").unwrap(), Json::parse("[1.0]").unwrap());
}

#[test]
fn every_code_has_its_name_and_says_whether_to_try_again() {
    let retryable: Vec<&str> =
        ErrorCode::ALL.iter().filter(|code| code.is_retryable()).map(|code| code.as_str()).collect();
    assert_eq!(retryable, ["LOCKED", "TIMEOUT", "QUOTA", "PERSISTENCE_LOST", "UNAVAILABLE"]);
    assert_eq!(ErrorCode::ALL.len(), 17);
    for code in ErrorCode::ALL {
        let error = code.error("why");
        assert_eq!(
            (error.code(), error.to_string().as_str(), error.is_retryable()),
            (*code, "why", code.is_retryable())
        );
    }
}
