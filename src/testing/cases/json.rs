//! JSON values: what is refused, and that the rest comes back as it went in.

use crate::ErrorCode::InvalidArgument;
use crate::model::{Json, MAX_DEPTH, TaskPatch};
use crate::sql::Query;
use crate::testing::Subject;
use crate::testing::kit::{agent, done, event, invalid, refused, task, task_id};
use crate::{Expected, Limits, NewTask};
use serde_json::json;

pub async fn a_value_comes_back_as_the_text_that_went_in(subject: Subject) {
    for (id, text) in [
        ("a", r#"{"b":1,"a":[true,false,null],"c":{"é":"\u00e9\ud83d\ude00","":""}}"#),
        ("b", "9007199254740991"),
        ("c", "-9007199254740991"),
        ("d", "[1.0,-0,1e-7,0.1,123456789.125]"),
        ("e", r#""\u0000 is text too""#),
        ("f", "\"\u{1f41d}\u{200b}\""),
        ("g", "null"),
        ("h", "[ 1 , 2 ]"),
    ] {
        let payload = Json::parse(text).unwrap();
        subject.add_task(NewTask::new("work", payload).id(task_id(id))).await;
        assert_eq!(subject.task(id).await.payload.as_str(), text);
    }
}

pub async fn an_integer_beyond_2_to_the_53_is_refused(subject: Subject) {
    for payload in [
        json!(9_007_199_254_740_992_i64),
        json!([{ "deep": -9_007_199_254_740_992_i64 }]),
        json!(u64::MAX),
        json!(1e300),
    ] {
        refused_everywhere(&subject, payload).await;
    }
    for text in ["9007199254740993", "1e400", "[12345678901234567890]"] {
        refused(Json::parse(text), InvalidArgument);
    }
}

pub async fn nesting_over_128_is_refused(subject: Subject) {
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    refused_everywhere(&subject, nested(MAX_DEPTH + 1)).await;
    subject.add_task(NewTask::new("work", nested(MAX_DEPTH)).id(task_id("deep"))).await;
    assert_eq!(subject.task("deep").await.payload.to_tree(), nested(MAX_DEPTH));
    let bottomless = "[".repeat(10_000) + &"]".repeat(10_000);
    refused(Json::parse(&bottomless), InvalidArgument);
    refused(Json::parse(&"{\"a\":".repeat(10_000)), InvalidArgument);
}

pub async fn a_value_over_the_limit_is_refused_by_name(subject: Subject) {
    subject.change_options(|options| options.limits(Limits { max_json_bytes: 1_000 })).await;
    let long = |bytes: usize| json!("x".repeat(bytes - 2));
    invalid(subject.try_add_task(NewTask::new("work", long(1_001))).await, "payload");
    invalid(subject.try_add_agent(agent("a").metadata(long(1_001))).await, "metadata");
    let stream_event = crate::NewEvent::new("e", long(1_001));
    invalid(subject.append("s", vec![stream_event], Expected::Any).await, "data");
    let claimed = subject.claimed(NewTask::new("work", long(1_000)).id(task_id("t"))).await;
    invalid(subject.complete_with(&claimed, Some(long(1_001).into())).await, "result");
    invalid(subject.update_task("t", TaskPatch::new().payload(long(1_001))).await, "payload");
    invalid(subject.fail(&claimed, &"x".repeat(1_001)).await, "message");
    assert_eq!(subject.task("t").await, claimed);
    assert_eq!(subject.read(|tx| tx.events().count()).await.unwrap(), 0);
}

pub async fn a_value_over_16_mebibytes_is_refused_unless_more_is_allowed(subject: Subject) {
    let payload = || json!("x".repeat(16 * 1024 * 1024 - 1));
    invalid(subject.try_add_task(NewTask::new("work", payload()).id(task_id("t"))).await, "payload");
    assert_eq!(subject.read(|tx| tx.tasks().get("t")).await.unwrap(), None);
    subject.change_options(|options| options.limits(Limits { max_json_bytes: 17 * 1024 * 1024 })).await;
    subject.add_task(NewTask::new("work", payload()).id(task_id("t"))).await;
    assert_eq!(subject.task("t").await.payload.as_str().len(), 16 * 1024 * 1024 + 1);
}

pub async fn a_value_of_megabytes_is_kept(subject: Subject) {
    let payload = json!({ "text": "0123456789abcdef".repeat(250_000) });
    subject.add_task(NewTask::new("work", payload.clone()).id(task_id("big"))).await;
    assert_eq!(subject.task("big").await.payload.to_tree(), payload);
}

/// Refused as a payload, as metadata, as an event's data and as a result, with nothing written.
async fn refused_everywhere(subject: &Subject, value: serde_json::Value) {
    invalid(subject.try_add_task(NewTask::new("work", value.clone())).await, "payload");
    invalid(subject.try_add_agent(agent("x").metadata(value.clone())).await, "metadata");
    let mut with_metadata = event("e");
    with_metadata.metadata = Some(value.clone().into());
    invalid(subject.append("s", vec![with_metadata], Expected::Any).await, "metadata");
    invalid(subject.append("s", vec![crate::NewEvent::new("e", value.clone())], Expected::Any).await, "data");
    let nothing = subject
        .read(|tx| {
            let records = tx.tasks().count(&Query::new())? + tx.agents().count(&Query::new())?;
            done(records + tx.events().count()?)
        })
        .await;
    assert_eq!(nothing.unwrap(), 0);

    let claimed = subject.claimed(task("t")).await;
    invalid(subject.complete_with(&claimed, Some(value.clone().into())).await, "result");
    invalid(subject.update_task("t", TaskPatch::new().payload(value)).await, "payload");
    assert_eq!(subject.task("t").await, claimed);
    subject
        .write(|tx| {
            tx.tasks().delete("t")?;
            tx.agents().delete("ada")
        })
        .await
        .unwrap();
}
