//! SIGKILL, 200 times on each kind of store, at random moments of opening, writing and closing.

use crate::child;
use crate::place::{Kind, folder, written};
use crate::writing::{Dice, write_for_ever};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::Duration;
use swarmstore::testing::block_on;

const KILLS: u64 = 200;
/// Kills per folder, so that a store has some history and stays small.
const PER_FOLDER: u64 = 10;

/// What a store has to hold.
#[derive(Default)]
struct Expected {
    kept: BTreeSet<String>,
    /// Every event ever acknowledged; events stay.
    events: Vec<String>,
}

#[test]
fn what_was_acknowledged_survives_200_kills_on_sqlite() {
    if let Some((kind, folder)) = child::orders() {
        be_killed(kind, &folder);
    }
    survives("kill::what_was_acknowledged_survives_200_kills_on_sqlite", Kind::Sqlite);
}

#[test]
fn what_was_acknowledged_survives_200_kills_on_json() {
    if let Some((kind, folder)) = child::orders() {
        be_killed(kind, &folder);
    }
    survives("kill::what_was_acknowledged_survives_200_kills_on_json", Kind::Json);
}

/// The other process.
fn be_killed(kind: Kind, folder: &Path) -> ! {
    write_for_ever(|| kind.open(folder).expect("the store opens"), u64::from(std::process::id()))
}

fn survives(test: &str, kind: Kind) {
    // Another course each time; a failure names it.
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |now| now.as_secs());
    let mut dice = Dice::new(seed);
    let (mut acknowledged, mut while_writing) = (0, 0);
    for round in 0..KILLS / PER_FOLDER {
        let (_guard, folder) = folder();
        let mut expected = Expected::default();
        for kill in 0..PER_FOLDER {
            let place = format!("seed {seed}, round {round}, kill {kill}");
            let opened = kill_one(test, kind, &folder, &mut dice, &mut expected, &place);
            while_writing += u64::from(opened);
        }
        acknowledged += expected.events.len();
    }
    assert!(while_writing >= KILLS / 2, "most kills ({while_writing}) hit a process that wrote");
    assert!(acknowledged as u64 >= KILLS / 2, "the processes wrote something: {acknowledged}");
}

/// Starts a process, kills it and looks at what it left. Says whether it had begun to write.
fn kill_one(test: &str, kind: Kind, folder: &Path, dice: &mut Dice, expected: &mut Expected, place: &str) -> bool {
    let mut other = child::command(test, kind, folder, None).spawn().expect("a process");
    let (mut kept, mut going, mut opened) = (Vec::new(), None, false);
    let lines = BufReader::new(other.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let mut said = lines.filter_map(|line| child::said(&line).map(str::to_owned));
    let mut heard = Vec::new();
    if dice.below(5) > 0 {
        // Killed while it writes, mostly; else while it opens. However slow the machine is, something was acknowledged.
        let acknowledged = 1 + dice.below(5);
        heard.extend(said.by_ref().take(usize::try_from(acknowledged).expect("a few")));
    }
    std::thread::sleep(Duration::from_micros(dice.below(15_000)));
    other.kill().expect("a kill");
    for line in heard.into_iter().chain(said) {
        match line.split_once(' ') {
            Some(("kept", id)) => kept.push(id.to_owned()),
            Some(("going", id)) => going = Some(id.to_owned()),
            Some(("gone", id)) => {
                going = None;
                kept.retain(|kept| kept != id);
                expected.kept.remove(id);
                // Its event is acknowledged all the same.
                expected.events.push(id.to_owned());
            }
            _ => opened = true,
        }
    }
    other.wait().expect("its end");
    opened |= !kept.is_empty();
    expected.events.extend(kept.iter().cloned());
    expected.kept.extend(kept);

    let store = kind.open(folder).unwrap_or_else(|error| panic!("{place}: it does not open: {error}"));
    assert_eq!(block_on(store.check_integrity()).expect("a check"), ["ok"], "{place}");
    let (agents, events) = written(&store);
    let (agents, events): (BTreeSet<String>, BTreeSet<String>) =
        (agents.into_iter().collect(), events.into_iter().collect());
    if let Some(going) = going.filter(|going| !agents.contains(going)) {
        expected.kept.remove(&going);
    }
    let lost: Vec<&String> = expected.kept.difference(&agents).collect();
    assert!(lost.is_empty(), "{place}: acknowledged and lost: {lost:?}");
    let lost: Vec<&String> = expected.events.iter().filter(|event| !events.contains(*event)).collect();
    assert!(lost.is_empty(), "{place}: acknowledged events lost: {lost:?}");
    let more: Vec<&String> = agents.difference(&expected.kept).collect();
    assert!(more.len() <= 1, "{place}: more than the last write is there unasked: {more:?}");
    assert!(more.iter().all(|id| events.contains(*id)), "{place}: an agent without its event");
    // What is there now stays there.
    expected.events.extend(more.iter().map(|id| (*id).clone()));
    expected.kept = agents;
    block_on(store.close()).unwrap_or_else(|error| panic!("{place}: {error}"));
    opened
}
