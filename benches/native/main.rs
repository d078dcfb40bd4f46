//! The store next to rusqlite by hand, in one run: `cargo bench --bench native -- [--rows 1000,10000] [--runs 5]`.
//!
//! Both work on byte-for-byte the same database, in turns, and every operation is committed when it is done
//! (WAL, `synchronous=NORMAL`). `benches/README.md` says more.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]

mod executor;
mod figures;
mod filters;
mod ours;
mod rows;
mod theirs;

use figures::{Figures, OURS, THEIRS, Workload, per_operation};
use ours::Ours;
use rows::{PENDING_OF, Row, State, URGENT, row, rows, some_ids};
use serde_json::json;
use std::error::Error;
use std::path::{Path, PathBuf};
use swarmstore::{AgentId, Stream};
use theirs::Theirs;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const INSERTS: u64 = 2_000;
const BULK: u64 = 10_000;
const READS: u64 = 20_000;
const QUERIES: u64 = 2_000;
const COUNTS: u64 = 200;
const ROUNDS: u64 = 500;
/// Of all callers together.
const ROUNDS_TOGETHER: u64 = 1_024;
const APPENDS: u64 = 2_000;
const CALLERS: u64 = 64;
const EACH: u64 = 100;
/// Rows that a workload adds and removes again are numbered from here.
const ADDED_FROM: u64 = 1 << 40;

const WORKLOADS: &[Workload] = &[
    Workload { name: "insert", title: "insert, blocking", target: Some(("insert", 0.9)) },
    Workload { name: "bulk", title: "bulk insert of 10,000 rows, per row", target: Some(("bulk", 0.9)) },
    Workload { name: "read", title: "point read, blocking", target: Some(("read", 0.9)) },
    Workload { name: "queue", title: "20 pending tasks by priority, blocking", target: Some(("queue", 0.9)) },
    Workload {
        name: "filter-range",
        title: "filter: 20 pending tasks of priority 7 or more, by priority",
        target: Some(("filter-range", 0.9)),
    },
    Workload {
        name: "filter-in",
        title: "filter: the 20 newest of two types and a time",
        target: Some(("filter-in", 0.9)),
    },
    Workload {
        name: "filter-or",
        title: "filter: 20 by a pattern or an element of a list, finished, no subtasks",
        target: Some(("filter-or", 0.9)),
    },
    Workload { name: "filter-count", title: "count of the pending tasks", target: Some(("filter-count", 0.9)) },
    Workload { name: "claim", title: "claim + complete, blocking", target: Some(("claim", 0.9)) },
    Workload {
        name: "claim-8",
        title: "the same by 8 threads (by hand one connection behind a lock)",
        target: Some(("claim-8", 0.9)),
    },
    Workload { name: "claim-64", title: "the same by 64 threads", target: Some(("claim-64", 0.9)) },
    Workload {
        name: "async-claim-1",
        title: "claim + complete, async, one caller (against blocking by hand)",
        target: Some(("claim", 0.5)),
    },
    Workload {
        name: "async-claim-8",
        title: "the same by 8 callers (against one by hand)",
        target: Some(("claim", 0.9)),
    },
    Workload {
        name: "async-claim-64",
        title: "the same by 64 callers (against one by hand)",
        target: Some(("claim", 2.0)),
    },
    Workload { name: "append", title: "append one event, blocking", target: Some(("append", 0.9)) },
    Workload {
        name: "async-insert",
        title: "insert, async, one caller (against blocking by hand)",
        target: Some(("insert", 0.5)),
    },
    Workload { name: "async-insert", title: "the same against one hop to a thread and back by hand", target: None },
    Workload {
        name: "async-read",
        title: "point read, async, one caller (against blocking by hand)",
        target: Some(("read", 0.5)),
    },
    Workload {
        name: "async-64",
        title: "insert, async, 64 callers (against autocommit by hand)",
        target: Some(("insert", 2.0)),
    },
];

fn main() -> Outcome {
    let options = Options::from_arguments()?;
    let mut figures = Figures::default();
    let folder = tempfile::tempdir()?;
    for &stored in &options.sizes {
        let state = |n: u64| if n.is_multiple_of(PENDING_OF) { State::Pending } else { State::Finished };
        let pair = Pair::fill(folder.path(), &format!("mixed-{stored}"), stored, state)?;
        for run in 0..options.runs {
            for name in names() {
                if options.wants(name) {
                    pair.measure(name, stored, run, options.sides, &mut figures)?;
                }
            }
            eprintln!("{stored}: run {} of {}", run + 1, options.runs);
        }
        pair.ours.close()?;
    }
    println!(
        "## Native\n\n{} runs, each cell the median (slowest–fastest), SQLite {}.\n",
        options.runs,
        rusqlite::version()
    );
    figures.print(WORKLOADS, &options.sizes);
    if options.wants("claim-growth") {
        claim_growth(folder.path(), &options)?;
    }
    Ok(())
}

/// The workloads, each once: one may be printed against several.
fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
    names.dedup();
    names
}

/// A claim must not become slower by what is finished, nor by what waits for something.
fn claim_growth(folder: &Path, options: &Options) -> Outcome {
    const PENDING: u64 = 1_000;
    const BLOCKED: u64 = 100_000;
    let (few, many) = (1_000, options.most_finished);
    let mut figures = Figures::default();
    let pairs = [("claim", few, 0), ("claim-blocked", few, BLOCKED), ("claim-blocked", many, BLOCKED)]
        .into_iter()
        .map(|(name, finished, blocked)| {
            let state = |n: u64| match n {
                n if n < PENDING => State::Pending,
                n if n < PENDING + blocked => State::Blocked,
                _ => State::Finished,
            };
            let pair = Pair::fill(folder, &format!("{name}-{finished}"), PENDING + blocked + finished, state)?;
            Ok((name, finished, pair))
        })
        .collect::<Outcome<Vec<_>>>()?;
    for run in 0..options.runs {
        for (name, finished, pair) in &pairs {
            pair.measure(name, *finished, run, options.sides, &mut figures)?;
        }
        eprintln!("claim by finished tasks: run {} of {}", run + 1, options.runs);
    }
    println!("\nClaim and complete with 1,000 tasks pending, by the number of finished ones:\n");
    let workloads = [
        Workload { name: "claim", title: "claim + complete", target: None },
        Workload { name: "claim-blocked", title: "the same with 100,000 tasks that wait for another", target: None },
    ];
    figures.print(&workloads, &[few, many]);
    let alone = figures.get("claim", few, OURS);
    let crowded = figures.get("claim-blocked", many, OURS);
    if let (Some(alone), Some(crowded)) = (alone, crowded) {
        let ratio = crowded.median / alone.median;
        let verdict = if ratio <= 1.2 { "met" } else { "MISSED" };
        println!(
            "\nThe time with {many} finished and {BLOCKED} blocked is {ratio:.2} × that with {few} finished; target ≤ 1.2 ×: \
             {verdict}"
        );
    }
    Ok(())
}

/// The same database twice.
struct Pair {
    ours: Ours,
    theirs: Theirs,
    their_path: PathBuf,
    stored: u64,
}

impl Pair {
    fn fill(folder: &Path, name: &str, stored: u64, state: impl Fn(u64) -> State) -> Outcome<Self> {
        let (a, b) = (folder.join(format!("{name}-a.sqlite3")), folder.join(format!("{name}-b.sqlite3")));
        Ours::open(&a)?.close()?;
        Theirs::open(&a)?.fill((0..stored).map(|n| (row(n), state(n))))?;
        std::fs::copy(&a, &b)?;
        Ok(Pair { ours: Ours::open(&a)?, theirs: Theirs::open(&b)?, their_path: b, stored })
    }

    /// One run of one workload, ours and theirs, the first one changing with the runs.
    fn measure(
        &self,
        name: &'static str,
        stored: u64,
        run: u64,
        sides: &[&'static str],
        figures: &mut Figures,
    ) -> Outcome {
        let mut sides = sides.to_vec();
        if !run.is_multiple_of(2) {
            sides.reverse();
        }
        for who in sides {
            let nanos = if who == OURS { self.run_ours(name, run)? } else { self.run_theirs(name, run)? };
            if let Some(nanos) = nanos {
                figures.add(name, stored, who, nanos);
            }
        }
        Ok(())
    }

    fn run_ours(&self, name: &str, run: u64) -> Outcome<Option<f64>> {
        let ours = &self.ours;
        let input = Input::new(name, run, self.stored);
        let added = input.added();
        let nanos = match name {
            "insert" => per_operation(INSERTS, || {
                for row in input.rows {
                    ours.insert(row).expect("inserted");
                }
            }),
            "bulk" => per_operation(BULK, || {
                ours.insert_many(input.rows).expect("inserted");
            }),
            "read" => per_operation(READS, || {
                for id in &input.ids {
                    assert!(ours.get(id).expect("read").is_some());
                }
            }),
            "queue" => per_operation(QUERIES, || {
                for _ in 0..QUERIES {
                    assert_eq!(ours.queue().expect("read").len(), 20);
                }
            }),
            "filter-count" => per_operation(COUNTS, || {
                for _ in 0..COUNTS {
                    assert!(ours.count().expect("a count") > 0);
                }
            }),
            name if name.starts_with("filter") => per_operation(QUERIES, || {
                for _ in 0..QUERIES {
                    assert_eq!(ours.filter(name).expect("read").len(), 20);
                }
            }),
            "claim-8" | "claim-64" | "async-claim-1" | "async-claim-8" | "async-claim-64" => {
                ours.insert_many(input.rows)?;
                let callers = callers_of(name);
                let each = ROUNDS_TOGETHER / callers;
                per_operation(ROUNDS_TOGETHER, || match name.starts_with("async") {
                    true => ours.rounds_together(callers, each),
                    false => ours.rounds_on_threads(callers, each),
                })
            }
            "claim" | "claim-blocked" => {
                ours.insert_many(input.rows)?;
                let agent = AgentId::new("bench")?;
                let result = json!({ "ok": true });
                per_operation(ROUNDS, || {
                    for _ in 0..ROUNDS {
                        let task = ours.claim(&agent).expect("claimed");
                        ours.complete(&task, &result).expect("completed");
                    }
                })
            }
            "append" => {
                let stream = Stream::new("bench", format!("stream-{run}"));
                let data: Vec<_> = (0..APPENDS).map(|n| json!({ "n": n, "what": "a tile was rendered" })).collect();
                per_operation(APPENDS, || {
                    for data in data {
                        ours.append(&stream, data).expect("appended");
                    }
                })
            }
            "async-insert" => per_operation(INSERTS, || ours.insert_async(input.rows).expect("inserted")),
            "async-read" => {
                per_operation(READS / 4, || ours.get_async(&input.ids[..(READS / 4) as usize]).expect("read"))
            }
            "async-64" => {
                // The callers' ids are of one time, as fresh UUIDv7s are: dealt out in turn.
                let callers = CALLERS as usize;
                let dealt = |caller| input.rows.iter().skip(caller).step_by(callers).cloned().collect();
                let lists: Vec<Vec<Row>> = (0..callers).map(dealt).collect();
                per_operation(CALLERS * EACH, || ours.insert_together(lists))
            }
            _ => unreachable!("{name} is no workload"),
        };
        ours.delete(&added)?;
        Ok(Some(nanos))
    }

    fn run_theirs(&self, name: &str, run: u64) -> Outcome<Option<f64>> {
        let theirs = &self.theirs;
        let input = Input::new(name, run, self.stored);
        let added = input.added();
        let nanos = match name {
            "insert" => per_operation(INSERTS, || {
                for row in input.rows {
                    theirs.insert(&row).expect("inserted");
                }
            }),
            "bulk" => per_operation(BULK, || theirs.insert_many(input.rows).expect("inserted")),
            "read" => per_operation(READS, || {
                for id in &input.ids {
                    assert!(theirs.get(id).expect("read").is_some());
                }
            }),
            "queue" => per_operation(QUERIES, || {
                for _ in 0..QUERIES {
                    assert_eq!(theirs.queue().expect("read").len(), 20);
                }
            }),
            "filter-count" => per_operation(COUNTS, || {
                for _ in 0..COUNTS {
                    assert!(theirs.count().expect("a count") > 0);
                }
            }),
            name if name.starts_with("filter") => {
                let sql = Theirs::filter_sql(name);
                per_operation(QUERIES, || {
                    for _ in 0..QUERIES {
                        assert_eq!(theirs.filter(&sql).expect("read").len(), 20);
                    }
                })
            }
            "claim-8" | "claim-64" => {
                theirs.insert_many(input.rows)?;
                let callers = callers_of(name);
                let took = Theirs::rounds_on_threads(&self.their_path, callers, ROUNDS_TOGETHER / callers)?;
                took.as_nanos() as f64 / ROUNDS_TOGETHER as f64
            }
            "claim" | "claim-blocked" => {
                theirs.insert_many(input.rows)?;
                let result = json!({ "ok": true });
                per_operation(ROUNDS, || {
                    for _ in 0..ROUNDS {
                        let task = theirs.claim("bench").expect("claimed");
                        let token = task.lease_token.as_deref().unwrap_or_default();
                        theirs.complete(&task.id, token, &result).expect("completed");
                    }
                })
            }
            "append" => {
                let stream = format!("stream-{run}");
                let data: Vec<_> = (0..APPENDS).map(|n| json!({ "n": n, "what": "a tile was rendered" })).collect();
                per_operation(APPENDS, || {
                    for data in &data {
                        theirs.append("bench", &stream, data).expect("appended");
                    }
                })
            }
            "async-insert" => {
                Theirs::insert_on_thread(&self.their_path, input.rows)?.as_nanos() as f64 / INSERTS as f64
            }
            // The other asynchronous workloads are compared with the blocking ones.
            _ => return Ok(None),
        };
        theirs.delete(&added)?;
        Ok(Some(nanos))
    }
}

/// How many callers a workload such as `claim-8` has.
fn callers_of(name: &str) -> u64 {
    name.rsplit('-').next().and_then(|number| number.parse().ok()).expect("a name that ends with a number")
}

/// What a workload is given, made before the clock starts.
struct Input {
    rows: Vec<Row>,
    ids: Vec<String>,
}

impl Input {
    fn new(name: &str, run: u64, stored: u64) -> Self {
        let count = match name {
            "insert" | "async-insert" => INSERTS,
            "bulk" => BULK,
            "claim" | "claim-blocked" => ROUNDS,
            name if name.contains("claim") => ROUNDS_TOGETHER,
            "async-64" => CALLERS * EACH,
            _ => 0,
        };
        let ids = if name.ends_with("read") { some_ids(READS, stored, run) } else { Vec::new() };
        let mut rows = rows(ADDED_FROM + run * 100_000, count);
        if name.contains("claim") {
            for row in &mut rows {
                row.priority = URGENT;
            }
        }
        Input { rows, ids }
    }

    fn added(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.id.clone()).collect()
    }
}

struct Options {
    sizes: Vec<u64>,
    runs: u64,
    only: Option<Vec<String>>,
    most_finished: u64,
    sides: &'static [&'static str],
}

impl Options {
    fn from_arguments() -> Outcome<Self> {
        let mut options = Options {
            sizes: vec![1_000, 10_000, 100_000, 1_000_000],
            runs: 5,
            only: None,
            most_finished: 1_000_000,
            sides: &[OURS, THEIRS],
        };
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} wants a value"))?;
            match name.as_str() {
                "--rows" => options.sizes = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
                "--runs" => options.runs = value.parse()?,
                "--only" => options.only = Some(value.split(',').map(str::to_owned).collect()),
                "--finished" => options.most_finished = value.parse()?,
                "--side" if value == "ours" => options.sides = &[OURS],
                "--side" if value == "theirs" => options.sides = &[THEIRS],
                _ => return Err(format!("there is no option {name} {value}; see benches/README.md").into()),
            }
        }
        Ok(options)
    }

    fn wants(&self, workload: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|name| name == workload))
    }
}
