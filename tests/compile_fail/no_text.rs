//! A number matches no pattern.

use swarmstore::Task;

fn main() {
    drop(Task::PRIORITY.like("1%"));
}
