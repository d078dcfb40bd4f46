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
        queue: u8,
        parent: Option<usize>,
    },
    Flow {
        rows: Vec<FlowRow>,
    },
    Claim {
        agent: u8,
        limit: u32,
        lease_ms: i64,
        /// All queues when empty.
        queues: Vec<u8>,
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
        subtree: bool,
    },
    Redrive {
        tasks: Vec<usize>,
    },
    Pause {
        queue: u8,
    },
    Resume {
        queue: u8,
    },
    /// Deletes what was finished longer ago than this.
    Purge {
        age: i64,
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

/// A task of a flow.
#[derive(Debug, Clone)]
pub struct FlowRow {
    pub priority: u8,
    pub hold: bool,
    pub key: Option<u8>,
    pub existing: bool,
    /// Rows of the flow, by their place, that it waits for; taken modulo how many there are.
    pub rows: Vec<usize>,
    /// Tasks that are there, which it waits for.
    pub tasks: Vec<usize>,
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
    Snooze { delay: i64 },
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
    let some =
        |most: usize| prop::collection::vec(any::<prop::sample::Index>().prop_map(|index| index.index(1_000)), 0..most);
    let parent = || prop::option::weighted(0.2, any::<prop::sample::Index>().prop_map(|index| index.index(1_000)));
    let add = (
        (0..10_u8, prop_oneof![Just(0), -20..40_i64], tasks(), any::<bool>(), key()),
        (any::<bool>(), 0..3_u32, 0..3_u8, parent()),
    );
    let row = (0..10_u8, any::<bool>(), key(), any::<bool>(), some(3), prop_oneof![2 => Just(vec![]), 1 => some(2)])
        .prop_map(|(priority, hold, key, existing, rows, tasks)| FlowRow {
            priority,
            hold,
            key,
            existing,
            rows,
            tasks,
        });
    let queues = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(0..3_u8, 1..4)];
    prop_oneof![
        16 => add.prop_map(|((priority, delay, dependencies, hold, key), (existing, retries, queue, parent))| Operation::Add {
            priority, delay, dependencies, hold, key, existing, retries, queue, parent
        }),
        4 => prop::collection::vec(row, 0..5).prop_map(|rows| Operation::Flow { rows }),
        12 => (0..3_u8, 1..4_u32, prop_oneof![1..20_i64, 40..200_i64], queues)
            .prop_map(|(agent, limit, lease_ms, queues)| Operation::Claim { agent, limit, lease_ms, queues }),
        14 => (0..25_i64).prop_map(|millis| Operation::Advance { millis }),
        80 => (task(), action(), token()).prop_map(|(task, action, token)| Operation::Act { task, action, token }),
        1 => (task(), any::<bool>()).prop_map(|(task, subtree)| Operation::Cancel { task, subtree }),
        4 => prop::collection::vec(task(), 1..3).prop_map(|tasks| Operation::Redrive { tasks }),
        2 => (0..3_u8).prop_map(|queue| Operation::Pause { queue }),
        3 => (0..3_u8).prop_map(|queue| Operation::Resume { queue }),
        1 => (-1..40_i64).prop_map(|age| Operation::Purge { age }),
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
        1 => (0..30_i64).prop_map(|delay| Action::Snooze { delay }),
    ]
}

fn token() -> impl Strategy<Value = Token> {
    prop_oneof![8 => Just(Token::Latest), 1 => Just(Token::Older), 1 => Just(Token::Guessed)]
}
