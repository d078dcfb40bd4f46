//! A process that writes all the time, in every way there is, and says what was acknowledged.

use crate::child::say;
use crate::place::stream;
use serde_json::json;
use swarmstore::testing::block_on;
use swarmstore::{AgentId, AgentPatch, Claim, Expected, NewAgent, NewEvent, NewTask, Query, Result, Store, TaskId, Tx};

/// Numbers that look random, the same for the same seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// An agent and the event that tells of it: both or none.
fn add(tx: &Tx<'_>, id: &str) -> Result<()> {
    let text = "é".repeat(id.len() * 20);
    tx.agents().add(NewAgent::new("worker").id(AgentId::new(id)?).metadata(json!({ "text": text })))?;
    tx.events().append(&stream(), vec![NewEvent::new(id, json!({}))], Expected::Any)?;
    Ok(())
}

/// A task through its whole life, with an error on the way; it leaves nothing but its agent's version.
fn work(tx: &Tx<'_>, id: &str) -> Result<()> {
    let worker = AgentId::new(id)?;
    tx.agents().update(&worker, AgentPatch::new().name(format!("busy-{id}")).status(swarmstore::AgentStatus::Idle))?;
    let task = TaskId::new(format!("task-{id}"))?;
    tx.tasks()
        .put(NewTask::new("work", json!({ "of": id })).id(task.clone()).priority(swarmstore::Priority::CRITICAL))?;
    for claimed in tx.tasks().claim(&worker, &Claim::default())? {
        let token = claimed.lease_token.unwrap_or_default();
        tx.tasks().fail(&claimed.id, &token, "on purpose")?;
    }
    Ok(())
}

/// Writes for ever, and closes and opens the store again now and then. `kept ID` and `gone ID` are acknowledged; `going ID`
/// may be or not.
pub fn write_for_ever(open: impl Fn() -> Store, seed: u64) -> ! {
    let mut dice = Dice::new(seed);
    let mut store = open();
    say("open");
    for number in 0_u64.. {
        if dice.below(8) == 0 {
            block_on(store.close()).expect("the store closes");
            store = open();
        }
        let id = format!("{seed}-{number}");
        let adding = id.clone();
        match dice.below(4) {
            0 => store.write_blocking(|tx| add(tx, &id)),
            1 => block_on(store.write(move |tx| add(tx, &adding))),
            2 => block_on(async {
                let mut transaction = store.begin().await?;
                transaction.run(|tx| add(tx, &id))?;
                transaction.commit().await
            }),
            _ => store.write_blocking(|tx| add(tx, &id).and_then(|()| work(tx, &id))),
        }
        .expect("a write");
        say(&format!("kept {id}"));
        if dice.below(5) == 0 {
            let gone = store.read_blocking(|tx| tx.agents().list(&Query::new().limit(1))).expect("a read");
            let gone = &gone[0].id;
            say(&format!("going {gone}"));
            let delete = |tx: &Tx<'_>| {
                tx.tasks().delete(format!("task-{gone}"))?;
                tx.agents().delete(gone)
            };
            store.write_blocking(delete).expect("a deletion");
            say(&format!("gone {gone}"));
        }
    }
    unreachable!("it is killed before")
}
