//! Opens a SQLite file of swarmstore with the native backend and prints what is in it as JSON: `inspect FILE`.

#[cfg(not(target_family = "wasm"))]
fn main() -> swarmstore::Result<()> {
    use swarmstore::{Answer, EventFilter, Query, Store};

    fn list<T: Answer>(rows: &[T]) -> String {
        let texts = rows.iter().map(|row| {
            let mut text = String::new();
            row.write_json(&mut text);
            text
        });
        format!("[{}]", texts.collect::<Vec<_>>().join(","))
    }

    let file = std::env::args().nth(1).expect("usage: inspect FILE");
    let store = Store::open_blocking(&format!("sqlite:{file}"))?;
    let found = store.read_blocking(|tx| {
        let mut events = EventFilter::default();
        events.limit = u32::MAX;
        swarmstore::Result::Ok((
            list(&tx.agents().list(&Query::new().unlimited())?),
            list(&tx.tasks().list(&Query::new().unlimited())?),
            list(&tx.events().read_all(&events)?),
            tx.integrity()?,
        ))
    })?;
    let (agents, tasks, events, integrity) = found;
    let integrity = serde_json::json!(integrity);
    println!(r#"{{"integrity":{integrity},"agents":{agents},"tasks":{tasks},"events":{events}}}"#);
    Ok(())
}

#[cfg(target_family = "wasm")]
fn main() {}
