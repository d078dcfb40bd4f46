//! Waiting without a runtime.

use std::future::Future;

/// Waits for a future on this thread.
///
/// # Panics
/// Never natively, where a thread can wait.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    crate::platform::block_on(future).expect("a thread that can wait")
}
