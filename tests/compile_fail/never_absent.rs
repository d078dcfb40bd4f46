//! A queue is never absent.

use swarmstore::Task;

fn main() {
    drop(Task::QUEUE.is_null());
}
