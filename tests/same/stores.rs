//! One store of each kind, doing the same.

use crate::step::{Answer, Step};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};
use swarmstore::testing::{TestClock, block_on};
use swarmstore::{Store, Value};
use tempfile::TempDir;

/// Says where a PostgreSQL server is, if there is one to be compared as well; each course has a schema of its own there.
const POSTGRES: &str = "SWARMSTORE_TEST_POSTGRES";

/// Whether a server is among the stores.
pub fn compares_a_server() -> bool {
    std::env::var_os(POSTGRES).is_some()
}

/// Rows that no operation shows, and the order in which they are kept.
const TABLES: [&str; 2] = [
    "SELECT task_id, depends_on, place FROM task_dependencies ORDER BY task_id, depends_on",
    "SELECT task_id, number, attempt, at, message FROM task_errors ORDER BY task_id, number",
];

pub struct Stores {
    all: Vec<Kind>,
    _folder: TempDir,
}

/// One store, its clock, and how to open it again.
pub struct Kind {
    url: String,
    keeps: bool,
    pub clock: TestClock,
    store: RefCell<Store>,
}

impl Kind {
    fn open(url: String, keeps: bool) -> Self {
        let clock = TestClock::default();
        let store = RefCell::new(open(&url, &clock));
        Kind { url, keeps, clock, store }
    }

    pub fn store(&self) -> Store {
        self.store.borrow().clone()
    }

    /// Closes the store and opens it again, where it is kept.
    pub fn reopen(&self) {
        if self.keeps {
            block_on(self.store().close()).expect("the store closes");
            self.store.replace(open(&self.url, &self.clock));
        }
    }
}

fn open(url: &str, clock: &TestClock) -> Store {
    let opened = Store::options().clock(clock.clone()).open_blocking(url);
    opened.unwrap_or_else(|error| panic!("{url}: {error}"))
}

impl Drop for Stores {
    /// What lies outside of the temporary folder goes away as well.
    fn drop(&mut self) {
        for kind in self.all.iter().filter(|kind| kind.url.starts_with("postgres")) {
            let _ = block_on(kind.store().close());
            let destroyed = block_on(Store::destroy(&kind.url));
            assert!(std::thread::panicking() || destroyed.is_ok(), "the store is destroyed: {destroyed:?}");
        }
    }
}

impl Stores {
    pub fn open() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut all = vec![
            Kind::open("memory:".to_owned(), false),
            Kind::open(format!("sqlite:{}", path("store.sqlite3")), true),
            Kind::open(format!("json:{}", path("json")), true),
        ];
        if let Ok(server) = std::env::var(POSTGRES) {
            static SCHEMAS: AtomicU32 = AtomicU32::new(0);
            let schema = format!("same_{}_{}", std::process::id(), SCHEMAS.fetch_add(1, Ordering::Relaxed));
            let separator = if server.contains('?') { '&' } else { '?' };
            all.push(Kind::open(format!("{server}{separator}schema={schema}"), true));
        }
        Stores { all, _folder: folder }
    }

    /// Does one thing on every store.
    pub fn compare(&self, step: &Step) {
        let first = step.run(&self.all[0]);
        for kind in &self.all[1..] {
            assert_eq!(step.run(kind), first, "{} and {}: {step:?}", kind.url, self.all[0].url);
        }
    }

    /// Compares all that is stored, also after opening again.
    pub fn compare_everything(&self) {
        let everything = |kind: &Kind| -> Vec<Answer> {
            assert_eq!(block_on(kind.store().check_integrity()).expect("a check"), ["ok"]);
            Step::everything().iter().flat_map(|step| step.run(kind)).collect()
        };
        let rows = |kind: &Kind| -> Vec<Vec<Vec<Value<'static>>>> {
            let rows = |sql: &&str| kind.store().read_blocking(|tx| tx.query(sql, &[])).expect("rows").rows;
            TABLES.iter().map(rows).collect()
        };
        let first = (everything(&self.all[0]), rows(&self.all[0]));
        for kind in &self.all {
            assert_eq!((everything(kind), rows(kind)), first, "{}", kind.url);
            kind.reopen();
            assert_eq!((everything(kind), rows(kind)), first, "{} opened again", kind.url);
        }
    }
}
