//! The rows that both sides store: the same ids, the same payloads of about 200 bytes of JSON.

use serde_json::{Value, json};

/// One row in this many is pending; the others are finished, as in a queue that has been in use.
pub const PENDING_OF: u64 = 4;

/// More urgent than any row that is stored before a workload begins: what a claim is given first.
pub const URGENT: u8 = 9;

/// 2026-01-01.
pub const EPOCH_MS: i64 = 1_767_225_600_000;

/// What has become of a row that is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It can be claimed.
    Pending,
    /// It waits for the first row, which nobody claims.
    Blocked,
    Finished,
}

/// What a caller has in hand before it writes a task.
#[derive(Clone)]
pub struct Row {
    pub id: String,
    pub task_type: &'static str,
    pub priority: u8,
    pub payload: Value,
}

/// Row `n`. Its id is a UUIDv7 whose time part grows with `n`, as the ids of real rows do.
pub fn row(n: u64) -> Row {
    let mut random = Random::new(n);
    let id = format!(
        "{:08x}-{:04x}-7{:03x}-a{:03x}-{:012x}",
        (EPOCH_MS as u64 + n) >> 16,
        (EPOCH_MS as u64 + n) & 0xffff,
        random.next() & 0xfff,
        random.next() & 0xfff,
        random.next() & 0xffff_ffff_ffff,
    );
    let payload = json!({
        "tile": { "x": random.next() % 4096, "y": random.next() % 4096, "zoom": random.next() % 24 },
        "iterations": random.next() % 5000,
        "palette": format!("{:016x}", random.next()),
        "checksum": format!("{:024x}", random.next()),
        "prompt": format!("render the tile and report {:016x}", random.next()),
        "source": format!("run/{n}/{:08x}", random.next() as u32),
    });
    let task_type = ["tile", "check", "summarise", "embed"][(n % 4) as usize];
    Row { id, task_type, priority: (random.next() % u64::from(URGENT)) as u8, payload }
}

pub fn rows(from: u64, count: u64) -> Vec<Row> {
    (from..from + count).map(row).collect()
}

/// Ids of stored rows, spread evenly and in no order.
pub fn some_ids(count: u64, stored: u64, seed: u64) -> Vec<String> {
    let mut random = Random::new(seed);
    (0..count).map(|_| row(random.next() % stored).id).collect()
}

/// splitmix64: the same everywhere is all that is asked of it.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        random.0 = random.next(); // so that neighbouring seeds have nothing in common
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
