//! Writers that wait together share a commit; each stands for itself all the same.

use crate::support::{Folder, agent, block_on, count_agents, refused, task};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use swarmstore::{Agent, Claim, Error, ErrorCode, Expected, NewEvent, Result, Store, Stream, Tx};

type Writing = Pin<Box<dyn Future<Output = Result<Agent>> + Send>>;

/// A write that is on its way to the writer when this returns.
fn submitted(store: &Store, body: impl FnMut(&Tx<'_>) -> Result<Agent> + Send + 'static) -> Writing {
    let store = store.clone();
    let mut writing: Writing = Box::pin(async move { store.write(body).await });
    let waits = writing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
    assert!(waits, "the writer is held");
    writing
}

fn adding(id: usize) -> impl FnMut(&Tx<'_>) -> Result<Agent> + Send + 'static {
    move |tx| tx.agents().add(agent(&id.to_string()))
}

#[test]
fn a_job_that_fails_undoes_itself_alone() {
    let folder = Folder::new();
    let store = folder.open();
    let held = block_on(store.begin()).unwrap();
    let mut writes: Vec<Writing> = (0..10).map(|id| submitted(&store, adding(id))).collect();
    writes.insert(
        5,
        submitted(&store, |tx| {
            tx.agents().add(agent("half"))?;
            tx.agents().add(agent("0"))
        }),
    );
    block_on(held.commit()).unwrap();
    let outcomes: Vec<_> = writes.into_iter().map(block_on).collect();
    for (at, outcome) in outcomes.into_iter().enumerate() {
        if at == 5 {
            refused(outcome, ErrorCode::Conflict);
        } else {
            outcome.unwrap();
        }
    }
    assert_eq!(count_agents(&store), 10);
    assert_eq!(store.read_blocking(|tx| tx.agents().get("half")).unwrap(), None);
}

#[test]
fn a_job_that_panics_fails_alone() {
    let folder = Folder::new();
    let store = folder.open();
    let held = block_on(store.begin()).unwrap();
    let mut writes: Vec<Writing> = (0..4).map(|id| submitted(&store, adding(id))).collect();
    let panicking = submitted(&store, |tx| {
        tx.agents().add(agent("half"))?;
        panic!("on purpose");
    });
    writes.extend((4..8).map(|id| submitted(&store, adding(id))));
    block_on(held.commit()).unwrap();
    refused(block_on(panicking), ErrorCode::Internal);
    for write in writes {
        block_on(write).unwrap();
    }
    assert_eq!(count_agents(&store), 8);
    block_on(store.write(adding(9))).unwrap();
}

#[test]
fn a_single_job_that_panics_fails_and_leaves_the_writer_working() {
    let folder = Folder::new();
    let store = folder.open();
    let panicking = |tx: &Tx<'_>| -> Result<Agent> {
        tx.agents().add(agent("half"))?;
        panic!("on purpose")
    };
    refused(block_on(store.write(panicking)), ErrorCode::Internal);
    assert_eq!(count_agents(&store), 0);
    block_on(store.write(adding(1))).unwrap();
}

#[test]
fn jobs_that_share_a_commit_see_those_before_them() {
    let folder = Folder::new();
    let store = folder.open();
    let held = block_on(store.begin()).unwrap();
    let first = submitted(&store, adding(1));
    let second = submitted(&store, |tx| tx.agents().update("1", swarmstore::AgentPatch::new().name("seen")));
    held.rollback().unwrap();
    block_on(first).unwrap();
    assert_eq!(block_on(second).unwrap().name.as_deref(), Some("seen"));
}

#[test]
fn every_job_runs_once_when_nothing_fails() {
    let folder = Folder::new();
    let store = folder.open();
    let runs = Arc::new(AtomicU32::new(0));
    let held = block_on(store.begin()).unwrap();
    let writes: Vec<Writing> = (0..300)
        .map(|id| {
            let (runs, mut add) = (runs.clone(), adding(id));
            submitted(&store, move |tx| {
                runs.fetch_add(1, Ordering::SeqCst);
                add(tx)
            })
        })
        .collect();
    block_on(held.commit()).unwrap();
    for write in writes {
        block_on(write).unwrap();
    }
    assert_eq!((runs.load(Ordering::SeqCst), count_agents(&store)), (300, 300));
}

#[test]
fn a_caller_that_goes_away_does_not_disturb_the_others() {
    let folder = Folder::new();
    let store = folder.open();
    let held = block_on(store.begin()).unwrap();
    let gone = submitted(&store, adding(1));
    let stays = submitted(&store, adding(2));
    drop(gone);
    block_on(held.commit()).unwrap();
    block_on(stays).unwrap();
    store.write_blocking(|tx| tx.agents().add(agent("3"))).unwrap();
}

#[test]
fn what_was_called_before_close_is_done_before_it() {
    let folder = Folder::new();
    let store = folder.open();
    let held = block_on(store.begin()).unwrap();
    let before = submitted(&store, adding(1));
    let mut closing = Box::pin(store.close());
    assert!(closing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    block_on(held.commit()).unwrap();
    block_on(closing).unwrap();
    block_on(before).unwrap();
    refused(block_on(store.write(adding(2))), ErrorCode::Closed);
    assert_eq!(count_agents(&folder.open()), 1);
}

#[test]
fn no_read_modify_write_is_outside_the_lock() {
    let folder = Folder::new();
    let store = folder.open();
    store.write_blocking(|tx| tx.agents().add(agent("counter").name("0"))).unwrap();
    let count_one = |tx: &Tx<'_>| {
        let counter = tx.agents().get("counter")?.expect("the counter");
        let count: u32 = counter.name.as_deref().unwrap_or_default().parse().expect("a number");
        tx.agents().update("counter", swarmstore::AgentPatch::new().name((count + 1).to_string()))
    };
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for _ in 0..25 {
                    let counted = if thread % 2 == 0 {
                        store.write_blocking(count_one)
                    } else {
                        block_on(store.write(count_one))
                    };
                    counted.unwrap();
                }
            });
        }
    });
    let counter = store.read_blocking(|tx| tx.agents().get("counter")).unwrap().unwrap();
    assert_eq!((counter.name.as_deref(), counter.version), (Some("200"), 201));
}

#[test]
fn a_thread_that_writes_without_end_lets_others_write() {
    let folder = Folder::new();
    let store = folder.open();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1_000_000.. {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                store.write_blocking(adding(number)).unwrap();
            }
        });
        for number in 0..5 {
            store.write_blocking(adding(number)).unwrap();
            block_on(store.write(adding(1_000 + number))).unwrap();
            block_on(async { store.begin().await?.commit().await }).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn of_many_who_claim_at_once_each_task_goes_to_one() {
    let folder = Folder::new();
    let store = folder.open();
    store.write_blocking(|tx| tx.tasks().add_many((0..120).map(|id| task(&format!("{id:03}"))))).unwrap();
    let claimed = std::thread::scope(|scope| {
        let agents: Vec<_> = (0..6)
            .map(|number| {
                let store = &store;
                scope.spawn(move || {
                    let id = swarmstore::AgentId::new(format!("agent-{number}")).unwrap();
                    store.write_blocking(|tx| tx.agents().add(agent(id.as_str()))).unwrap();
                    let mut own = Vec::new();
                    loop {
                        let (agent, claim) = (id.clone(), Claim::default().limit(1 + number % 3));
                        let claimed = block_on(store.write(move |tx| tx.tasks().claim(&agent, &claim))).unwrap();
                        if claimed.is_empty() {
                            return own;
                        }
                        own.extend(claimed.into_iter().map(|task| task.id.to_string()));
                    }
                })
            })
            .collect();
        let mut all: Vec<String> = agents.into_iter().flat_map(|agent| agent.join().expect("an agent")).collect();
        all.sort_unstable();
        all
    });
    assert_eq!(claimed, (0..120).map(|id| format!("{id:03}")).collect::<Vec<_>>());
}

#[test]
fn asynchronous_and_blocking_callers_on_many_threads_lose_nothing() {
    let folder = Folder::new();
    let store = folder.open();
    let stream = || Stream::new("test", "shared");
    std::thread::scope(|scope| {
        for thread in 0..6_u32 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..30 {
                    let event = NewEvent::new(format!("{thread}-{number}"), serde_json::json!({}));
                    let append = move |tx: &Tx<'_>| tx.events().append(&stream(), vec![event.clone()], Expected::Any);
                    let appended = match thread % 3 {
                        0 => store.write_blocking(append),
                        1 => block_on(store.write(append)),
                        _ => block_on(async {
                            let mut transaction = store.begin().await?;
                            let appended = transaction.run(append)?;
                            transaction.commit().await?;
                            Ok::<_, Error>(appended)
                        }),
                    };
                    appended.unwrap();
                }
            });
        }
    });
    let all = store.read_blocking(|tx| {
        let mut options = swarmstore::ReadStream::default();
        options.limit = 1_000;
        tx.events().read(&stream(), options)
    });
    let all = all.unwrap();
    let sequences: Vec<i64> = all.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..=180).collect::<Vec<_>>());
    assert!(all.windows(2).all(|pair| pair[0].position < pair[1].position));
}
