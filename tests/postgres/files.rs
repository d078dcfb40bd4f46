//! Exported files on other backends, and theirs here.

use crate::support::{Schema, agent, agent_id, block_on, close, task};
use serde_json::json;
use swarmstore::{Claim, EventFilter, Expected, NewAgent, NewEvent, NewTask, Query, Store, Stream};

/// What is hard to carry over: every kind of character, numbers at their ends, things that refer to each other.
fn fill(store: &Store) {
    let text = "a\tb\nc\r\\d\\n\u{1}\u{7f}\"'é\u{1F600}\\N";
    store
        .write_blocking(|tx| {
            tx.agents().add(agent("ada"))?;
            tx.agents()
                .add(NewAgent::new(text).id(agent_id(text)).name(text).metadata(json!({ text: [1.5, null, text] })))?;
            let parent = tx.tasks().add(task("z-parent"))?;
            tx.tasks().add(task("a-child").parent_task_id(parent.id.clone()).dependencies(vec![parent.id.clone()]))?;
            tx.tasks()
                .add(NewTask::new(text, json!("\u{1}\u{1F600}")).run_at(swarmstore::Millis(9_007_199_254_740_991)))?;
            let claimed = tx.tasks().claim(&agent_id("ada"), &Claim::default())?.remove(0);
            tx.tasks().fail(&claimed.id, claimed.lease_token.as_deref().unwrap_or_default(), text)?;
            let events = vec![NewEvent::new(text, json!({ "text": text })), NewEvent::new("second", json!(1.5e-300))];
            tx.events().append(&Stream::new("kind", "id"), events, Expected::None)
        })
        .unwrap();
}

fn everything(store: &Store) -> String {
    let read = store.read_blocking(|tx| {
        let (agents, tasks) = (tx.agents().list(&Query::default())?, tx.tasks().list(&Query::default())?);
        Ok::<_, swarmstore::Error>(format!("{agents:?} {tasks:?} {:?}", tx.events().read_all(&EventFilter::default())?))
    });
    read.unwrap()
}

#[test]
fn a_store_goes_to_sqlite_and_back_and_stays_the_same() {
    let schema = Schema::new();
    let store = schema.open();
    fill(&store);
    let before = everything(&store);
    let file = block_on(store.export()).unwrap();

    let memory = Store::open_blocking("memory:").unwrap();
    block_on(memory.import(file)).unwrap();
    assert_eq!(everything(&memory), before);
    assert_eq!(block_on(memory.check_integrity()).unwrap(), ["ok"]);
    let rescued = block_on(Store::rescue(schema.url())).unwrap();
    let memory_of_it = Store::open_blocking("memory:").unwrap();
    block_on(memory_of_it.import(rescued)).unwrap();
    assert_eq!(everything(&memory_of_it), before);

    let other = Schema::new();
    let back = other.open();
    back.write_blocking(|tx| tx.agents().add(agent("gone"))).unwrap();
    block_on(back.import(block_on(memory.export()).unwrap())).unwrap();
    assert_eq!(everything(&back), before);
    assert_eq!(block_on(back.check_integrity()).unwrap(), ["ok"]);
    close(&store);
    close(&back);
}

#[test]
fn positions_go_on_where_they_were_after_an_import() {
    let schema = Schema::new();
    let store = schema.open();
    let append = |store: &Store| {
        let stream = Stream::new("kind", "id");
        let event = vec![NewEvent::new("made", json!({}))];
        store.write_blocking(|tx| tx.events().append(&stream, event.clone(), Expected::Any)).unwrap()[0].position
    };
    let empty = block_on(store.export()).unwrap();
    assert_eq!((append(&store), append(&store)), (1, 2));
    let two = block_on(store.export()).unwrap();
    assert_eq!((append(&store), append(&store)), (3, 4));

    block_on(store.import(two.clone())).unwrap();
    assert_eq!(append(&store), 3);
    block_on(store.import(empty)).unwrap();
    assert_eq!(append(&store), 1);
    let memory = Store::open_blocking("memory:").unwrap();
    block_on(memory.import(two)).unwrap();
    assert_eq!(append(&memory), 3);
    close(&store);
}

#[test]
fn a_reader_sees_one_state_whatever_is_imported() {
    let schema = Schema::new();
    let store = schema.open();
    let empty = block_on(store.export()).unwrap();
    fill(&store);
    let (before, after) = store
        .read_blocking(|tx| {
            let before = tx.tasks().count(&Query::default())?;
            std::thread::scope(|scope| {
                scope.spawn(|| block_on(store.import(empty.clone())).unwrap());
            });
            Ok::<_, swarmstore::Error>((before, tx.tasks().count(&Query::default())?))
        })
        .unwrap();
    assert_eq!(before, after);
    assert_eq!(store.read_blocking(|tx| tx.tasks().count(&Query::default())).unwrap(), 0);
    close(&store);
}
