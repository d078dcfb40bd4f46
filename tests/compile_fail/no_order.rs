//! JSON has no order.

use swarmstore::Task;

fn main() {
    drop(Task::PAYLOAD.lt(serde_json::json!(1)));
}
