//! The tables are the same on both databases, and text is compared by bytes whatever the database thinks.

use crate::support::{Other, Schema, agent, close};
use std::collections::{BTreeMap, BTreeSet};
use swarmstore::{Order, Query, Store, Value};

#[test]
fn both_databases_have_the_same_tables_and_columns() {
    let memory = Store::open_blocking("memory:").unwrap();
    let sql = "SELECT tables.name || '.' || columns.name || ' ' || columns.\"notnull\"
               FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns
               WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite%'";
    let rows = memory.read_blocking(|tx| tx.query(sql, &[])).unwrap().rows;
    let text = |value: &Value<'_>| match value {
        Value::Text(text) => text.clone().into_owned(),
        _ => panic!("text"),
    };
    let mut sqlite: BTreeSet<String> = rows.iter().map(|row| text(&row[0])).collect();
    // The key of a table with a rowid cannot be NULL either.
    sqlite.remove("events.position 0");
    sqlite.insert("events.position 1".to_owned());

    let schema = Schema::new();
    let store = schema.open();
    let postgres: BTreeSet<String> = Other::new(&schema)
        .texts(
            "SELECT table_name || '.' || column_name || ' ' || CASE is_nullable WHEN 'NO' THEN 1 ELSE 0 END
             FROM information_schema.columns WHERE table_schema = current_schema()",
        )
        .into_iter()
        .collect();
    assert_eq!(postgres, sqlite);
    close(&store);
}

#[test]
fn every_column_of_text_is_compared_by_bytes() {
    let schema = Schema::new();
    let store = schema.open();
    let other = Other::new(&schema);
    let collations: BTreeMap<String, String> = other
        .texts(
            "SELECT table_name || '.' || column_name || '=' || COALESCE(collation_name, 'none')
             FROM information_schema.columns WHERE table_schema = current_schema() AND data_type = 'text'
               AND table_name <> 'schema_migrations'",
        )
        .into_iter()
        .filter_map(|pair| pair.split_once('=').map(|(column, name)| (column.to_owned(), name.to_owned())))
        .collect();
    assert!(collations.len() > 30);
    let wrong: Vec<_> = collations.iter().filter(|(_, name)| *name != "C").collect();
    assert!(wrong.is_empty(), "{wrong:?}");

    store.write_blocking(|tx| tx.agents().add_many(["b", "B", "a", "é", "_", "Z"].map(agent))).unwrap();
    let agents = store
        .read_blocking(|tx| tx.agents().list(&Query::new().order_by(swarmstore::Agent::ID, Order::Ascending)))
        .unwrap();
    assert_eq!(agents.iter().map(|agent| agent.id.as_str()).collect::<Vec<_>>(), ["B", "Z", "_", "a", "b", "é"]);
    close(&store);
}

#[test]
fn a_text_too_long_for_an_index_is_refused_and_changes_nothing() {
    let schema = Schema::new();
    let store = schema.open();
    let name: String =
        (0..40_000_u32).map(|n| char::from_u32(0x4E00 + n.wrapping_mul(7919) % 20_000).unwrap()).collect();
    let long = store.write_blocking(|tx| tx.agents().add(agent("ada").name(name.clone())));
    crate::support::refused(long, swarmstore::ErrorCode::InvalidArgument);
    assert_eq!(crate::support::count_agents(&store), 0);
    close(&store);
}
