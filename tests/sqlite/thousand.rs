//! A thousand tasks and eight callers at once, each task done once: on threads that block and on asynchronous ones.

#[path = "../shared/thousand.rs"]
mod shared;

use crate::support::{Folder, block_on};
use shared::{CALLERS, Held, check, claim, end, fill, work};
use std::sync::Barrier;
use swarmstore::{Result, Store};

#[test]
fn eight_threads_do_each_of_a_thousand_tasks_once_in_a_file() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store);
    check(&store, on_threads(|caller| work(&store, caller)));
}

#[test]
fn eight_threads_with_stores_of_their_own_do_each_of_a_thousand_tasks_once() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store);
    check(&store, on_threads(|caller| work(&folder.open(), caller)));
}

#[test]
fn eight_threads_do_each_of_a_thousand_tasks_once_in_memory() {
    let store = Store::open_blocking("memory:").unwrap();
    fill(&store);
    check(&store, on_threads(|caller| work(&store, caller)));
}

#[test]
fn eight_asynchronous_callers_on_threads_do_each_of_a_thousand_tasks_once() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store);
    check(&store, on_threads(|caller| block_on(work_async(store.clone(), caller)).unwrap()));
}

#[test]
fn eight_asynchronous_callers_on_one_thread_do_each_of_a_thousand_tasks_once() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let all = runtime.block_on(async {
        let callers: Vec<_> = (0..CALLERS).map(|caller| tokio::spawn(work_async(store.clone(), caller))).collect();
        let mut all = Vec::new();
        for caller in callers {
            all.extend(caller.await.expect("a caller").unwrap());
        }
        all
    });
    check(&store, all);
}

async fn work_async(store: Store, caller: usize) -> Result<Vec<Held>> {
    let mut held = Vec::new();
    loop {
        let claimed = store.write(claim(caller)).await?;
        if claimed.is_empty() {
            return Ok(held);
        }
        for task in claimed {
            held.push(store.write(end(task)).await?);
        }
    }
}

/// What eight callers held who began together.
fn on_threads(work: impl Fn(usize) -> Vec<Held> + Sync) -> Vec<Held> {
    let together = Barrier::new(CALLERS);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let (work, together) = (&work, &together);
                scope.spawn(move || {
                    together.wait();
                    work(caller)
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().expect("a caller")).collect()
    })
}
