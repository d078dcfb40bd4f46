//! The store next to tokio-postgres by hand, in one run, on the server that `SWARMSTORE_TEST_POSTGRES` names:
//! `cargo bench --features postgres --bench postgres -- [--runs 5] [--rows 10000]`.
//!
//! Each side has a schema of its own with the same tables and the same rows. By hand means: prepared statements, one
//! connection per worker, a transaction where several statements belong together, the same statements and the same promises
//! (positions that become visible in their order), and the server's clock inside of the statements. `benches/README.md` says
//! more.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_possible_wrap)]

#[path = "../native/filters.rs"]
mod filters;
mod ours;
mod theirs;

use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A figure to compare: its name, how many work at once, how many operations each carries out.
const WORKLOADS: [(&str, usize, u64); 17] = [
    ("insert", 1, 2_000),
    ("insert", 8, 500),
    ("insert", 32, 150),
    ("claim + complete", 1, 800),
    ("claim + complete", 8, 200),
    ("claim + complete", 32, 60),
    ("claim + complete", 64, 30),
    ("append", 1, 1_000),
    ("append", 8, 150),
    ("point read", 1, 5_000),
    ("point read", 8, 2_000),
    ("filter-urgent", 1, 1_000),
    ("filter-urgent", 8, 250),
    ("filter-range", 1, 1_000),
    ("filter-in", 1, 1_000),
    ("filter-or", 1, 1_000),
    ("filter-count", 1, 200),
];

fn main() {
    let (mut runs, mut rows, mut finished, mut blocked, mut only) = (5, 10_000, 0, 0, String::new());
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    for pair in arguments.chunks(2) {
        match (pair[0].as_str(), pair.get(1).and_then(|value| value.parse().ok())) {
            ("--runs", Some(value)) => runs = value,
            ("--rows", Some(value)) => rows = value,
            ("--finished", Some(value)) => finished = value,
            ("--blocked", Some(value)) => blocked = value,
            ("--only", None) if pair.len() == 2 => only.clone_from(&pair[1]),
            _ => panic!("there is no option {pair:?}"),
        }
    }
    let server = std::env::var("SWARMSTORE_TEST_POSTGRES").expect("SWARMSTORE_TEST_POSTGRES names a server");
    let name = |side| format!("bench_{side}_{}", std::process::id());
    let ours = ours::Ours::open(&server, &name("ours"), rows);
    // Made by the store, so that the tables are the same.
    drop(ours::Ours::open(&server, &name("theirs"), rows));
    let theirs = theirs::Theirs::open(&server, &name("theirs"));
    for schema in [name("ours"), name("theirs")] {
        theirs.grow(&schema, finished, blocked);
    }

    println!("{rows} rows, {finished} finished, {blocked} blocked\n");
    println!("| Workload | workers | ours, µs | by hand, µs | ours / by hand (speed) |\n|---|---|---|---|---|");
    for (workload, workers, each) in WORKLOADS.into_iter().filter(|(workload, ..)| workload.contains(&only)) {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for run in 0..runs {
            let first = run * 1_000_000;
            if run % 2 == 0 {
                a.push(ours.run(workload, workers, each, first, rows));
                b.push(theirs.run(workload, workers, each, first, rows));
            } else {
                b.push(theirs.run(workload, workers, each, first, rows));
                a.push(ours.run(workload, workers, each, first, rows));
            }
        }
        let operations = workers as f64 * each as f64;
        let (a, b) = (middle(a, operations), middle(b, operations));
        println!("| {workload} | {workers} | {} | {} | {:.2} |", a.1, b.1, b.0 / a.0);
    }
    ours.close();
    ours::destroy(&server, &name("ours"));
    ours::destroy(&server, &name("theirs"));
}

/// The median in microseconds per operation, and the same with its extremes.
fn middle(mut runs: Vec<Duration>, operations: f64) -> (f64, String) {
    runs.sort_unstable();
    let micros = |run: &Duration| run.as_secs_f64() * 1e6 / operations;
    let median = micros(&runs[runs.len() / 2]);
    (median, format!("{median:.0} ({:.0}–{:.0})", micros(&runs[0]), micros(&runs[runs.len() - 1])))
}

/// A payload of about 200 bytes.
fn payload(number: u64) -> Value {
    json!({ "number": number, "prompt": format!("render the tile and report {number:016x}"), "palette": "0123456789abcdef",
            "tile": { "x": number % 4096, "y": number / 4096, "zoom": number % 24 }, "source": format!("run/{number}") })
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
