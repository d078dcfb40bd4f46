//! Opening, who may, and what a refusal says.

use crate::support::{Other, Schema, agent, block_on, close, count_agents, refused, server};
use std::sync::Barrier;
use swarmstore::{ErrorCode, Storage, Store};

#[test]
fn many_who_open_a_new_schema_at_once_all_get_it() {
    for _ in 0..3 {
        let schema = Schema::new();
        let together = Barrier::new(6);
        std::thread::scope(|scope| {
            for number in 0..6 {
                let (schema, together) = (&schema, &together);
                scope.spawn(move || {
                    together.wait();
                    let store = schema.open();
                    store.write_blocking(|tx| tx.agents().add(agent(&number.to_string()))).unwrap();
                    close(&store);
                });
            }
        });
        let store = schema.open();
        assert_eq!((count_agents(&store), store.storage()), (6, Storage::Postgres));
        close(&store);
    }
}

#[test]
fn stores_in_two_schemas_know_nothing_of_each_other() {
    let (one, other) = (Schema::new(), Schema::new());
    let (first, second) = (one.open(), other.open());
    first.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    assert_eq!((count_agents(&first), count_agents(&second)), (1, 0));
    close(&first);
    close(&second);
}

#[test]
fn who_cannot_log_in_is_told_so_without_the_password() {
    let wrong = server().replacen(":swarmstore@", ":wr0ng@", 1).replacen(":secret@", ":wr0ng@", 1);
    assert!(wrong.contains("wr0ng"), "the test knows the password of the server");
    let error = refused(Store::open_blocking(&wrong), ErrorCode::Unavailable);
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    assert!(!format!("{error:?}").contains("wr0ng"), "{error:?}");
}

#[test]
fn a_database_or_server_that_is_not_there_is_unavailable() {
    let (base, _) = server().rsplit_once('/').map(|(base, name)| (base.to_owned(), name.to_owned())).unwrap();
    let error = refused(Store::open_blocking(&format!("{base}/nowhere")), ErrorCode::Unavailable);
    assert!(error.to_string().contains("nowhere") && error.is_retryable(), "{error}");
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("postgres://me:s3cret@127.0.0.1:{port}/db");
    let error = refused(Store::open_blocking(&nobody), ErrorCode::Unavailable);
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}

#[test]
fn a_server_that_must_be_believed_but_cannot_is_refused() {
    for mode in ["require", "verify-full"] {
        let url = format!("{}?sslmode={mode}", server().split('?').next().unwrap());
        let error = refused(Store::open_blocking(&url), ErrorCode::Unavailable);
        assert!(error.to_string().contains("TLS"), "{error}");
    }
}

#[test]
fn a_store_that_is_open_is_not_destroyed() {
    let schema = Schema::new();
    let store = schema.open();
    store.write_blocking(|tx| tx.agents().add(agent("ada"))).unwrap();
    refused(block_on(Store::destroy(schema.url())), ErrorCode::Locked);
    assert_eq!(count_agents(&store), 1);
    close(&store);
    block_on(Store::destroy(schema.url())).unwrap();
    refused(block_on(Store::rescue(schema.url())).map(|_| ()), ErrorCode::NotFound);
}

#[test]
fn destroying_leaves_what_is_not_ours() {
    let schema = Schema::new();
    close(&schema.open());
    let other = Other::new(&schema);
    other.run("CREATE TABLE mine (id INT); INSERT INTO mine VALUES (1)");
    block_on(Store::destroy(schema.url())).unwrap();
    assert_eq!(other.integer("SELECT COUNT(*) FROM mine"), 1);
    assert_eq!(other.integer("SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema()"), 1);
    other.run("DROP TABLE mine");
}

#[test]
fn a_store_opened_to_read_creates_nothing_and_writes_nothing() {
    let schema = Schema::new();
    refused(schema.open_with(Store::options().read_only(true)), ErrorCode::NotFound);
    close(&schema.open());
    let store = schema.open_with(Store::options().read_only(true)).unwrap();
    assert_eq!(count_agents(&store), 0);
    refused(store.write_blocking(|tx| tx.agents().add(agent("ada"))), ErrorCode::Unsupported);
    close(&store);
}

#[test]
fn an_edited_migration_is_refused() {
    let schema = Schema::new();
    close(&schema.open());
    let other = Other::new(&schema);
    other.run("UPDATE schema_migrations SET checksum = 'edited'");
    refused(schema.open_with(Store::options()), ErrorCode::Migration);
    other.run("UPDATE schema_migrations SET version = 1000");
    refused(schema.open_with(Store::options()), ErrorCode::Migration);
}
