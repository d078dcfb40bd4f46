//! Several processes on one store.

#[path = "../shared/thousand.rs"]
mod shared;

use crate::support::{Schema, close};
use shared::{CALLERS, Held, check, fill, work};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use swarmstore::Store;

/// Tells a copy of this program that it is another process: which store to work on, and as which caller.
const STORE: &str = "SWARMSTORE_TEST_STORE";
const CALLER: &str = "SWARMSTORE_TEST_CALLER";

#[test]
fn eight_processes_do_each_of_a_thousand_tasks_once_and_no_task_is_under_two_live_leases() {
    if let Ok(url) = std::env::var(STORE) {
        return work_and_tell(&url, std::env::var(CALLER).unwrap().parse().unwrap());
    }
    let schema = Schema::new();
    let store = schema.open();
    fill(&store);
    let mut processes: Vec<Child> = (0..CALLERS).map(|caller| other_process(&schema, caller)).collect();
    let said = processes.iter_mut().map(|process| BufReader::new(process.stdout.take().unwrap()).lines());
    let mut said: Vec<_> = said.map(|lines| lines.map(Result::unwrap)).collect();
    // All are connected before the first of them begins.
    for lines in &mut said {
        assert!(lines.any(|line| line.ends_with("ready")), "it connects");
    }
    for process in &mut processes {
        process.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    let mut all = Vec::new();
    for (mut process, lines) in processes.into_iter().zip(said) {
        all.extend(lines.filter_map(|line| line.rsplit_once("held ").map(|(_, held)| read(held))));
        assert!(process.wait().unwrap().success());
    }
    check(&store, all);
    close(&store);
}

fn other_process(schema: &Schema, caller: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact"])
        .arg("processes::eight_processes_do_each_of_a_thousand_tasks_once_and_no_task_is_under_two_live_leases")
        .args(["--nocapture", "--test-threads=1"])
        .env(STORE, schema.url())
        .env(CALLER, caller.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn work_and_tell(url: &str, caller: usize) {
    let store = Store::options().pool_min_idle(0).open_blocking(url).unwrap();
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    for Held { task, agent, from, to, completed } in work(&store, caller) {
        println!("held {task} {agent} {from} {to} {completed}");
    }
    close(&store);
}

fn read(said: &str) -> Held {
    let mut words = said.split(' ');
    let mut next = || words.next().expect("five words").to_owned();
    Held {
        task: next(),
        agent: next(),
        from: next().parse().unwrap(),
        to: next().parse().unwrap(),
        completed: next().parse().unwrap(),
    }
}
