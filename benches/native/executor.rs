//! Just enough of an executor to be an async caller, so that no runtime is measured along with the store.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Wakes the thread that polls, and says which future it was.
struct Bell {
    rung: AtomicBool,
    thread: Thread,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// One caller that waits.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let bell = Arc::new(Bell { rung: AtomicBool::new(true), thread: thread::current() });
    let waker = Waker::from(Arc::clone(&bell));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if bell.rung.swap(false, Ordering::AcqRel) {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
        } else {
            thread::park();
        }
    }
}

/// Many callers on one thread, each polled when it was woken; returns when all are done.
pub fn together<'a>(futures: impl IntoIterator<Item = Pin<Box<dyn Future<Output = ()> + 'a>>>) {
    let mut waiting: Vec<_> = futures
        .into_iter()
        .map(|future| (Arc::new(Bell { rung: AtomicBool::new(true), thread: thread::current() }), future))
        .collect();
    while !waiting.is_empty() {
        let mut idle = true;
        waiting.retain_mut(|(bell, future)| {
            if !bell.rung.swap(false, Ordering::AcqRel) {
                return true;
            }
            idle = false;
            let waker = Waker::from(Arc::clone(bell));
            future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
        });
        if idle {
            thread::park();
        }
    }
}
