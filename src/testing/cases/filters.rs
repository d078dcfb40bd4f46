//! Filters: every comparison, for every kind of field, and what becomes of what is absent.

use crate::model::{AgentStatus, Backoff, Json, NewAgent, NewTask, Priority, Task, TaskStatus};
use crate::testing::Subject;
use crate::testing::kit::{agent, ids, invalid, task, task_after, task_id, texts};
use crate::{Agent, Filter, Millis, Query};
use serde_json::json;

/// The tasks that a filter leaves. What it leaves and what its opposite leaves are all there are, and counting and asking
/// whether there is one agree.
async fn found(subject: &Subject, filter: Filter<Task>) -> Vec<String> {
    let all = listed(subject, Filter::all([])).await;
    let these = listed(subject, filter.clone()).await;
    let others = listed(subject, filter.clone().not()).await;
    assert_eq!(listed(subject, filter.clone().not().not()).await, these, "{filter:?}");
    let mut together = [these.clone(), others].concat();
    together.sort();
    assert_eq!(together, all, "{filter:?}");
    let query = Query::new().filter(filter).limit(1).offset(7);
    let counted =
        subject.read(move |tx| Ok::<_, crate::Error>((tx.tasks().count(&query)?, tx.tasks().exists(&query)?)));
    assert_eq!(counted.await.expect("a count"), (i64::try_from(these.len()).unwrap(), !these.is_empty()));
    these
}

async fn listed(subject: &Subject, filter: Filter<Task>) -> Vec<String> {
    let query = Query::new().filter(filter).unlimited();
    let tasks = subject.read(move |tx| tx.tasks().list(&query)).await.expect("a list");
    ids(&tasks).into_iter().map(str::to_owned).collect()
}

/// Asks the same of a filter in every way that there is.
async fn refused(subject: &Subject, filter: Filter<Task>, field: &str) {
    let query = Query::new().filter(filter.clone());
    let (count, exists, sql) = (query.clone(), query.clone(), query.clone());
    invalid(subject.read(move |tx| tx.tasks().list(&query)).await, field);
    invalid(subject.read(move |tx| tx.tasks().count(&count)).await, field);
    invalid(subject.read(move |tx| tx.tasks().exists(&exists)).await, field);
    invalid(subject.read(move |tx| tx.tasks().to_sql(&sql)).await, field);
    let delete = filter.clone();
    invalid(subject.write(move |tx| tx.tasks().delete_where(&delete)).await, field);
    let patch = crate::TaskPatch::new().queue("x");
    invalid(subject.write(move |tx| tx.tasks().update_where(&filter, &patch)).await, field);
}

fn keyed(id: &str, key: &str) -> NewTask {
    task(id).unique_key(key)
}

pub async fn numbers_are_compared_by_size(subject: Subject) {
    for (id, priority) in [("a", 2), ("b", 5), ("c", 5), ("d", 9)] {
        subject.add_task(task(id).priority(Priority::new(priority).unwrap())).await;
    }
    let found = async |filter| found(&subject, filter).await;
    assert_eq!(found(Task::PRIORITY.eq(Priority::MEDIUM)).await, ["b", "c"]);
    assert_eq!(found(Task::PRIORITY.ne(Priority::MEDIUM)).await, ["a", "d"]);
    assert_eq!(found(Task::PRIORITY.lt(Priority::MEDIUM)).await, ["a"]);
    assert_eq!(found(Task::PRIORITY.le(Priority::MEDIUM)).await, ["a", "b", "c"]);
    assert_eq!(found(Task::PRIORITY.gt(Priority::MEDIUM)).await, ["d"]);
    assert_eq!(found(Task::PRIORITY.ge(Priority::MEDIUM)).await, ["b", "c", "d"]);
    assert_eq!(found(Task::PRIORITY.is_in([Priority::LOW, Priority::CRITICAL])).await, ["a", "d"]);
    assert_eq!(found(Task::MAX_RETRIES.eq(3).and(Task::VERSION.le(1))).await, ["a", "b", "c", "d"]);
    assert_eq!(found(Task::ATTEMPT.gt(0).or(Task::VERSION.lt(-5))).await, [""; 0]);
}

pub async fn times_are_compared_by_size(subject: Subject) {
    for (id, at) in [("a", -1), ("b", 0), ("c", 9), ("d", 10), ("e", crate::MAX_INTEGER)] {
        subject.add_task(task(id).run_at(Millis(at))).await;
    }
    let found = async |filter| found(&subject, filter).await;
    assert_eq!(found(Task::RUN_AT.lt(Millis(9))).await, ["a", "b"]);
    assert_eq!(found(Task::RUN_AT.ge(Millis(10))).await, ["d", "e"]);
    assert_eq!(found(Task::RUN_AT.is_in([-1, 10, crate::MAX_INTEGER].map(Millis))).await, ["a", "d", "e"]);
    assert_eq!(found(Task::RUN_AT.gt(Millis(crate::MAX_INTEGER - 1))).await, ["e"]);
}

pub async fn between_takes_both_ends(subject: Subject) {
    for (id, at) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        subject.add_task(task(id).run_at(Millis(at)).queue(id)).await;
    }
    let found = async |filter| found(&subject, filter).await;
    assert_eq!(found(Task::RUN_AT.between(Millis(2), Millis(3))).await, ["b", "c"]);
    assert_eq!(found(Task::RUN_AT.between(Millis(3), Millis(2))).await, [""; 0]);
    assert_eq!(found(Task::QUEUE.between("b", "d")).await, ["b", "c", "d"]);
    assert_eq!(found(Task::STARTED_AT.between(Millis(0), Millis(9))).await, [""; 0]);
}

pub async fn text_is_compared_by_bytes_as_it_is(subject: Subject) {
    let queues = ["", " a", "A", "a", "a ", "b", "ä", "\u{ffff}", "\u{1f41d}"];
    for (at, queue) in queues.iter().enumerate() {
        subject.add_task(task(&at.to_string()).queue(*queue)).await;
    }
    let found = async |filter| found(&subject, filter).await;
    for (at, queue) in queues.iter().enumerate() {
        let places = |range: std::ops::Range<usize>| range.map(|at| at.to_string()).collect::<Vec<_>>();
        assert_eq!(found(Task::QUEUE.eq(*queue)).await, places(at..at + 1));
        assert_eq!(found(Task::QUEUE.lt(*queue)).await, places(0..at));
        assert_eq!(found(Task::QUEUE.ge(*queue)).await, places(at..queues.len()));
        assert_eq!(found(Task::QUEUE.is_in([*queue, "no such"])).await, places(at..at + 1));
    }
    assert_eq!(found(Task::ID.gt(task_id("7"))).await, ["8"]);
}

pub async fn enums_are_compared_by_their_words(subject: Subject) {
    subject.arrange(&["a", "b", "c"]).await;
    subject.finish_next().await;
    subject.claim("ada").await;
    let found = async |filter| found(&subject, filter).await;
    assert_eq!(found(Task::STATUS.eq(TaskStatus::Completed)).await, ["a"]);
    assert_eq!(found(Task::STATUS.ne(TaskStatus::Completed)).await, ["b", "c"]);
    assert_eq!(found(Task::STATUS.is_in([TaskStatus::Completed, TaskStatus::Pending])).await, ["a", "c"]);
    assert_eq!(found(Task::STATUS.lt(TaskStatus::Completed)).await, ["b"]);
    assert_eq!(found(Task::STATUS.like("%ed")).await, ["a", "b"]);
}

pub async fn what_is_absent_is_equal_to_nothing_and_not_smaller_or_larger(subject: Subject) {
    subject.add_task(keyed("a", "k")).await;
    subject.add_task(task("b")).await;
    let found = async |filter| found(&subject, filter).await;
    assert_eq!(found(Task::UNIQUE_KEY.is_null()).await, ["b"]);
    assert_eq!(found(Task::UNIQUE_KEY.eq(None::<String>)).await, ["b"]);
    assert_eq!(found(Task::UNIQUE_KEY.ne(None::<String>)).await, ["a"]);
    assert_eq!(found(Task::UNIQUE_KEY.eq("k")).await, ["a"]);
    assert_eq!(found(Task::UNIQUE_KEY.ne("k")).await, ["b"]);
    assert_eq!(found(Task::UNIQUE_KEY.ne("other")).await, ["a", "b"]);
    for smaller_or_larger in [
        Task::UNIQUE_KEY.lt("k"),
        Task::UNIQUE_KEY.gt("k"),
        Task::UNIQUE_KEY.like("x%"),
        Task::UNIQUE_KEY.between("l", "z"),
        Task::UNIQUE_KEY.is_in(["x", "y"]),
        Task::UNIQUE_KEY.is_in([""; 0]),
        Task::STARTED_AT.le(Millis(i64::MAX)),
        Task::STARTED_AT.ge(Millis(i64::MIN)),
        Task::RESULT.contains(json!(null)),
    ] {
        assert_eq!(found(smaller_or_larger.clone()).await, [""; 0], "{smaller_or_larger:?}");
        assert_eq!(found(smaller_or_larger.not()).await, ["a", "b"]);
    }
    assert_eq!(found(Task::UNIQUE_KEY.le("k")).await, ["a"]);
    assert_eq!(found(Task::UNIQUE_KEY.like("%")).await, ["a"]);
    assert_eq!(found(Task::UNIQUE_KEY.is_in([None, Some("x".to_owned())])).await, ["b"]);
    assert_eq!(found(Task::UNIQUE_KEY.is_in([Some("k".to_owned()), None])).await, ["a", "b"]);
}

pub async fn a_list_of_values_may_be_long_and_empty(subject: Subject) {
    subject.arrange(&["a", "b", "c"]).await;
    let found = async |filter| found(&subject, filter).await;
    assert_eq!(found(Task::ID.is_in((0..40_000).map(|number| task_id(&number.to_string())))).await, [""; 0]);
    let long = (0..40_000).map(|number| number.to_string()).chain(texts(&["b", "\"", "'", "\\", "\u{1}"]));
    assert_eq!(found(Task::ID.is_in(long.map(|id| task_id(&id)))).await, ["b"]);
    assert_eq!(found(Task::PRIORITY.is_in([Priority::LOW; 0])).await, [""; 0]);
    assert_eq!(found(Task::RUN_AT.is_in((0..9_999).map(Millis).chain([subject.now()]))).await, ["a", "b", "c"]);
    refused(&subject, Task::RUN_AT.is_in((0..100_001).map(Millis)), "run_at").await;
}

pub async fn a_pattern_matches_the_whole_text_character_by_character(subject: Subject) {
    let keys = [
        "abc",
        "ABC",
        "äbc",
        "a%c",
        "a_c",
        "a*c",
        "a?c",
        "a[b]c",
        "a\\c",
        "^c",
        "\u{1f41d}",
        "a\nc",
        "abcabc",
        "]",
        "[",
        "-",
    ];
    for (at, key) in keys.iter().enumerate() {
        subject.add_task(keyed(&format!("{at:02}"), key)).await;
    }
    subject.add_task(task("none")).await;
    for (pattern, expected) in [
        ("abc", &["abc", "ABC"] as &[&str]),
        ("aBC", &["abc", "ABC"]),
        ("%", &keys),
        ("", &[]),
        ("_", &["\u{1f41d}", "]", "[", "-"]),
        ("__", &["^c"]),
        ("_bc", &["abc", "ABC", "äbc"]),
        ("Ä%", &[]),
        ("äB%", &["äbc"]),
        ("a_c", &["abc", "ABC", "a%c", "a_c", "a*c", "a?c", "a\\c", "a\nc"]),
        ("a\\_c", &["a_c"]),
        ("a\\%c", &["a%c"]),
        ("a\\\\c", &["a\\c"]),
        ("\\a\\B\\c", &["abc", "ABC"]),
        ("a*c", &["a*c"]),
        ("a?c", &["a?c"]),
        ("a[b]c", &["a[b]c"]),
        ("[a]bc", &[]),
        ("[^a]%", &[]),
        ("^c", &["^c"]),
        ("%abc", &["abc", "ABC", "abcabc"]),
        ("%b%b%", &["abcabc"]),
        ("%%%c", &["abc", "ABC", "äbc", "a%c", "a_c", "a*c", "a?c", "a[b]c", "a\\c", "^c", "a\nc", "abcabc"]),
        ("a%_%c", &["abc", "ABC", "a%c", "a_c", "a*c", "a?c", "a[b]c", "a\\c", "a\nc", "abcabc"]),
        ("\u{1f41d}", &["\u{1f41d}"]),
        ("]", &["]"]),
        ("[", &["["]),
        ("\\[", &["["]),
        ("-", &["-"]),
        ("\\*", &[]),
    ] {
        let places = found(&subject, Task::UNIQUE_KEY.like(pattern)).await;
        let matched: Vec<&str> = places.iter().map(|id| keys[id.parse::<usize>().unwrap()]).collect();
        assert_eq!(matched, expected, "{pattern:?}");
    }
    assert_eq!(found(&subject, Task::ID.like("no%")).await, ["none"]);
}

pub async fn a_pattern_folds_ascii_letters_and_no_others(subject: Subject) {
    for (id, key) in [("1", "Straße Ä"), ("2", "STRASSE ä"), ("3", "STRAßE Ä"), ("4", "\u{212a}[{@`")] {
        subject.add_task(keyed(id, key)).await;
    }
    let found = async |pattern: &str| found(&subject, Task::UNIQUE_KEY.like(pattern)).await;
    assert_eq!(found("sTRA%").await, ["1", "2", "3"]);
    assert_eq!(found("straße%").await, ["1", "3"]);
    assert_eq!(found("%ä").await, ["2"]);
    // The sign for kelvin is no K, and what is between the letters has no case.
    assert_eq!(found("k%").await, [""; 0]);
    assert_eq!(found("_[{@`").await, ["4"]);
    assert_eq!(found("_{[`@").await, [""; 0]);
    assert_eq!(found("\\STR\\A\\SSE%").await, ["2"]);
}

pub async fn nothing_is_compared_by_size_with_what_is_absent(subject: Subject) {
    subject.arrange(&["a"]).await;
    let none = None::<Millis>;
    for filter in [
        Task::STARTED_AT.lt(none),
        Task::STARTED_AT.le(none).not(),
        Task::STARTED_AT.gt(none),
        Task::STARTED_AT.ge(none).or(Task::VERSION.eq(1)),
        Task::STARTED_AT.between(Millis(1), none),
    ] {
        refused(&subject, filter, "started_at").await;
    }
}

pub async fn a_pattern_that_means_nothing_is_refused(subject: Subject) {
    for pattern in ["\\", "a\\", "a\\\\\\", "a\0", "\u{fffe}", "\u{ffff}%", &"x".repeat(4_097)] {
        refused(&subject, Task::UNIQUE_KEY.like(pattern), "unique_key").await;
    }
    subject.add_task(keyed("a", "x\\")).await;
    assert_eq!(found(&subject, Task::UNIQUE_KEY.like("x\\\\")).await, ["a"]);
    assert_eq!(found(&subject, Task::UNIQUE_KEY.like("%".repeat(4_096))).await, ["a"]);
}

pub async fn a_list_contains_its_elements(subject: Subject) {
    let capabilities = [
        ("a", texts(&[])),
        ("b", texts(&["fly"])),
        ("c", texts(&["see", "fly", "ä\u{1f41d}\"\\\u{1}\n"])),
        ("d", texts(&["1", "true"])),
    ];
    for (id, list) in capabilities {
        subject.add_task(task(id).required_capabilities(list)).await;
    }
    let found = async |filter| found(&subject, filter).await;
    let contains = |capability: &str| Task::REQUIRED_CAPABILITIES.contains(capability);
    assert_eq!(found(contains("fly")).await, ["b", "c"]);
    assert_eq!(found(contains("see").and(contains("fly"))).await, ["c"]);
    assert_eq!(found(contains("fl")).await, [""; 0]);
    assert_eq!(found(contains("")).await, [""; 0]);
    assert_eq!(found(contains("Fly")).await, [""; 0]);
    assert_eq!(found(contains("ä\u{1f41d}\"\\\u{1}\n")).await, ["c"]);
    assert_eq!(found(contains("1").and(contains("true"))).await, ["d"]);
    refused(&subject, contains("a\0"), "required_capabilities").await;
}

pub async fn json_contains_an_element_if_it_is_an_array_that_has_it(subject: Subject) {
    let payloads = [
        ("array", r#"[1, 2.5, "x", true, null, [3], {"k": 4}]"#),
        ("escaped", r#"["\u0078", 1.0, 25e-1, "a\u00e9\ud83d\udc1d"]"#),
        ("false", "[false, 0, \"\"]"),
        ("nul", r#"["a\u0000b", "\\u0000", 7]"#),
        ("number", "1"),
        ("object", r#"{"x": 1, "1": "x", "2": true}"#),
        ("text", r#""x""#),
        ("tiny", "[1e-400, 1e-20000, 0.5]"),
        ("true", "true"),
    ];
    for (id, payload) in payloads {
        subject.add_task(NewTask::new("work", Json::parse(payload).unwrap()).id(task_id(id))).await;
    }
    let contains = async |element: serde_json::Value| found(&subject, Task::PAYLOAD.contains(element)).await;
    assert_eq!(contains(json!(1)).await, ["array", "escaped"]);
    assert_eq!(contains(json!(1.0)).await, ["array", "escaped"]);
    assert_eq!(contains(json!(2.5)).await, ["array", "escaped"]);
    assert_eq!(contains(json!("x")).await, ["array", "escaped"]);
    assert_eq!(contains(json!(true)).await, ["array"]);
    assert_eq!(contains(json!(false)).await, ["false"]);
    assert_eq!(contains(json!(null)).await, ["array"]);
    assert_eq!(contains(json!("")).await, ["false"]);
    assert_eq!(contains(json!("aé\u{1f41d}")).await, ["escaped"]);
    assert_eq!(contains(json!("\\u0000")).await, ["nul"]);
    assert_eq!(contains(json!("a")).await, [""; 0]);
    assert_eq!(contains(json!(7)).await, ["nul"]);
    assert_eq!(contains(json!(0.5)).await, ["tiny"]);
    for absent in [json!(3), json!(4), json!("k"), json!(-1), json!(1.000_000_1)] {
        assert_eq!(contains(absent).await, [""; 0]);
    }
    for unlike in [json!([3]), json!({ "k": 4 }), json!([])] {
        refused(&subject, Task::PAYLOAD.contains(unlike), "payload").await;
    }
}

pub async fn json_is_compared_as_text(subject: Subject) {
    for (id, payload) in [("a", r#"{"x":1}"#), ("b", r#"{"x":1.0}"#), ("c", "null"), ("d", "\"null\"")] {
        subject.add_task(NewTask::new("work", Json::parse(payload).unwrap()).id(task_id(id))).await;
    }
    subject.update_task("a", crate::TaskPatch::new().backoff(Backoff::fixed(5))).await.unwrap();
    let found = async |filter| found(&subject, filter).await;
    assert_eq!(found(Task::PAYLOAD.eq(json!({ "x": 1 }))).await, ["a"]);
    assert_eq!(found(Task::PAYLOAD.ne(json!({ "x": 1 }))).await, ["b", "c", "d"]);
    assert_eq!(found(Task::PAYLOAD.eq(json!(null))).await, ["c"]);
    assert_eq!(found(Task::PAYLOAD.is_in([json!(null), json!("null")])).await, ["c", "d"]);
    assert_eq!(found(Task::RESULT.eq(json!(null))).await, [""; 0]);
    assert_eq!(found(Task::RESULT.is_null()).await, ["a", "b", "c", "d"]);
    assert_eq!(found(Task::BACKOFF.eq(Backoff::DEFAULT)).await, ["b", "c", "d"]);
    assert_eq!(found(Task::BACKOFF.is_in([Backoff::DEFAULT, Backoff::fixed(5)])).await, ["a", "b", "c", "d"]);
    assert_eq!(found(Task::BACKOFF.is_in([Backoff::fixed(6)])).await, [""; 0]);
}

pub async fn what_is_kept_in_another_table_can_be_asked_for(subject: Subject) {
    subject.arrange_tasks(vec![task("a"), task("b"), task_after("c", &["b", "a"]), task_after("d", &["b"])]).await;
    subject.ruin_next().await;
    let found = async |filter| found(&subject, filter).await;
    assert_eq!(found(Task::DEPENDENCIES.contains(task_id("b"))).await, ["c", "d"]);
    assert_eq!(found(Task::DEPENDENCIES.contains(task_id("a"))).await, ["c"]);
    assert_eq!(found(Task::DEPENDENCIES.eq(vec![task_id("b"), task_id("a")])).await, ["c"]);
    assert_eq!(found(Task::DEPENDENCIES.is_in([vec![], vec![task_id("b")]])).await, ["a", "b", "d"]);
    let errors = subject.task("a").await.errors;
    assert_eq!(errors.len(), 1);
    assert_eq!(found(Task::ERRORS.eq(errors)).await, ["a"]);
    assert_eq!(found(Task::ERRORS.ne(vec![])).await, ["a"]);
}

pub async fn the_errors_of_a_task_are_compared_whatever_their_text(subject: Subject) {
    let message = "\u{1} \u{8} \u{c} \t \n \r \" \\ / \u{7f} \u{2028} é \u{1f41d}";
    let claimed = subject.claimed(task("a").max_retries(0_u32).required_capabilities(texts(&[]))).await;
    subject.fail(&claimed, message).await.unwrap();
    let errors = subject.task("a").await.errors;
    assert_eq!(errors[0].message, message);
    assert_eq!(found(&subject, Task::ERRORS.eq(errors)).await, ["a"]);
    subject.add_task(task("\u{8}\u{c}\u{1}")).await;
    subject.add_task(task_after("b", &["\u{8}\u{c}\u{1}"])).await;
    assert_eq!(found(&subject, Task::DEPENDENCIES.eq(vec![task_id("\u{8}\u{c}\u{1}")])).await, ["b"]);
}

pub async fn and_or_and_not_are_what_they_say(subject: Subject) {
    for (id, priority, key) in [("a", 1, Some("x")), ("b", 1, None), ("c", 2, Some("y")), ("d", 2, None)] {
        let new = task(id).priority(Priority::new(priority).unwrap());
        subject
            .add_task(match key {
                Some(key) => new.unique_key(key),
                None => new,
            })
            .await;
    }
    let low = || Task::PRIORITY.eq(Priority::new(1).unwrap());
    let keyed = || Task::UNIQUE_KEY.is_null().not();
    let x = || Task::UNIQUE_KEY.eq("x");
    let found = async |filter| found(&subject, filter).await;
    assert_eq!(found(low().and(keyed())).await, ["a"]);
    assert_eq!(found(low().or(keyed())).await, ["a", "b", "c"]);
    assert_eq!(found(low().and(keyed()).not()).await, ["b", "c", "d"]);
    assert_eq!(found(low().or(keyed()).not()).await, ["d"]);
    assert_eq!(found(!x()).await, ["b", "c", "d"]);
    assert_eq!(found(low().and(keyed().or(x().not()))).await, ["a", "b"]);
    assert_eq!(found(low().or(x()).and(keyed())).await, ["a"]);
    assert_eq!(found(low().not().and(x().not()).not()).await, ["a", "b"]);
    assert_eq!(found(Filter::all([])).await, ["a", "b", "c", "d"]);
    assert_eq!(found(Filter::any([])).await, [""; 0]);
    assert_eq!(found(Filter::any([]).or(x()).and(Filter::all([]))).await, ["a"]);
    assert_eq!(found(low().and(Filter::any([]))).await, [""; 0]);
    assert_eq!(found(Filter::all([low(), keyed(), x()])).await, ["a"]);
    assert_eq!(found(Filter::any(["a", "d"].map(|id| Task::ID.eq(task_id(id))))).await, ["a", "d"]);
}

pub async fn filters_of_a_query_add_up(subject: Subject) {
    subject.add_agent(agent("a").status(AgentStatus::Idle).name("x")).await;
    subject.add_agent(agent("b").status(AgentStatus::Idle)).await;
    subject.add_agent(NewAgent::new("boss").id(crate::AgentId::new("c").unwrap()).name("y")).await;
    let query = Query::new()
        .filter(Agent::STATUS.eq(AgentStatus::Idle).or(Agent::AGENT_TYPE.eq("boss")))
        .filter(Agent::NAME.is_null().not())
        .filter(Filter::all([]));
    let listed = subject.read(move |tx| tx.agents().list(&query)).await.unwrap();
    assert_eq!(ids(&listed), ["a", "c"]);
}

pub async fn a_filter_that_is_too_deep_or_too_large_is_refused(subject: Subject) {
    subject.arrange(&["a"]).await;
    let never = || Task::VERSION.eq(2);
    let nested = |depth| {
        (0..depth).fold(never(), |filter, at| if at % 2 == 0 { filter.or(never()) } else { filter.and(never()) })
    };
    assert_eq!(found(&subject, nested(30)).await, [""; 0]);
    refused(&subject, nested(33), "where").await;
    refused(&subject, nested(100_000).not(), "where").await;
    let wide = |count: usize| Filter::any((0..count).map(|_| never()));
    assert_eq!(found(&subject, wide(490)).await, [""; 0]);
    refused(&subject, wide(500), "where").await;
    refused(&subject, wide(100_000), "where").await;
}

pub async fn text_with_nul_cannot_be_asked_for(subject: Subject) {
    for filter in [
        Task::QUEUE.eq("a\0"),
        Task::QUEUE.ne("\0"),
        Task::QUEUE.lt("\0"),
        Task::QUEUE.is_in(["a", "a\0b"]),
        Task::QUEUE.like("\0%"),
    ] {
        refused(&subject, filter, "queue").await;
    }
}
