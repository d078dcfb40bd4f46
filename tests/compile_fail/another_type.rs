//! A text is no priority.

use swarmstore::Task;

fn main() {
    drop(Task::PRIORITY.ge("high"));
}
