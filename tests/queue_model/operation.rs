//! What can be done to a queue.

use proptest::prelude::*;

/// One step. Tasks are named by a number, taken modulo how many were added so far.
#[derive(Debug, Clone)]
pub enum Operation {
    Add {
        priority: u8,
        delay: i64,
        dependencies: Vec<usize>,
        hold: bool,
        key: Option<u8>,
        existing: bool,
        retries: u32,
    },
    Claim {
        agent: u8,
        limit: u32,
        lease_ms: i64,
    },
    Advance {
        millis: i64,
    },
    Act {
        task: usize,
        action: Action,
        token: Token,
    },
    Cancel {
        task: usize,
    },
    Reclaim,
    Prioritise {
        task: usize,
        priority: u8,
    },
    Depend {
        task: usize,
        on: Vec<usize>,
    },
    Delete {
        task: usize,
    },
    RemoveAgent {
        agent: u8,
    },
}

/// What needs a lease.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    Start,
    Extend { lease_ms: i64 },
    Complete,
    Fail,
    FailForGood,
    Release,
}

/// Which token is shown.
#[derive(Debug, Clone, Copy)]
pub enum Token {
    /// That of the task's latest claim.
    Latest,
    /// That of the claim before it.
    Older,
    /// One that never was.
    Guessed,
}

/// How long a failed task waits.
pub const BACKOFF_MS: i64 = 15;

pub fn operations() -> impl Strategy<Value = Operation> {
    let task = || any::<prop::sample::Index>().prop_map(|index| index.index(1_000));
    let tasks = move || prop_oneof![3 => Just(vec![]), 2 => prop::collection::vec(task(), 1..4)];
    let key = || prop::option::weighted(0.3, 0..3_u8);
    prop_oneof![
        16 => (0..10_u8, prop_oneof![Just(0), -20..40_i64], tasks(), any::<bool>(), key(), any::<bool>(), 0..3_u32).prop_map(
            |(priority, delay, dependencies, hold, key, existing, retries)| Operation::Add {
                priority, delay, dependencies, hold, key, existing, retries
            }
        ),
        12 => (0..3_u8, 1..4_u32, prop_oneof![1..20_i64, 40..200_i64]).prop_map(|(agent, limit, lease_ms)| Operation::Claim { agent, limit, lease_ms }),
        8 => (0..25_i64).prop_map(|millis| Operation::Advance { millis }),
        40 => (task(), action(), token()).prop_map(|(task, action, token)| Operation::Act { task, action, token }),
        1 => task().prop_map(|task| Operation::Cancel { task }),
        2 => Just(Operation::Reclaim),
        2 => (task(), 0..10_u8).prop_map(|(task, priority)| Operation::Prioritise { task, priority }),
        5 => (task(), tasks()).prop_map(|(task, on)| Operation::Depend { task, on }),
        1 => task().prop_map(|task| Operation::Delete { task }),
        1 => (0..3_u8).prop_map(|agent| Operation::RemoveAgent { agent }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => Just(Action::Start),
        1 => (1..40_i64).prop_map(|lease_ms| Action::Extend { lease_ms }),
        4 => Just(Action::Complete),
        3 => Just(Action::Fail),
        1 => Just(Action::FailForGood),
        1 => Just(Action::Release),
    ]
}

fn token() -> impl Strategy<Value = Token> {
    prop_oneof![8 => Just(Token::Latest), 1 => Just(Token::Older), 1 => Just(Token::Guessed)]
}
