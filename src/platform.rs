//! Every difference between wasm and native outside the backends: threads, boxed futures, the clock.

use crate::model::Millis;
use std::future::Future;
use std::pin::Pin;

/// `Send` natively; nothing in wasm, where there is one thread and JavaScript values cannot leave it.
#[cfg(not(target_family = "wasm"))]
pub trait MaybeSend: Send {}
#[cfg(not(target_family = "wasm"))]
impl<T: Send + ?Sized> MaybeSend for T {}

/// `Send` natively; nothing in wasm, where there is one thread and JavaScript values cannot leave it.
#[cfg(target_family = "wasm")]
pub trait MaybeSend {}
#[cfg(target_family = "wasm")]
impl<T: ?Sized> MaybeSend for T {}

/// `Sync` natively; nothing in wasm.
#[cfg(not(target_family = "wasm"))]
pub trait MaybeSync: Sync {}
#[cfg(not(target_family = "wasm"))]
impl<T: Sync + ?Sized> MaybeSync for T {}

/// `Sync` natively; nothing in wasm.
#[cfg(target_family = "wasm")]
pub trait MaybeSync {}
#[cfg(target_family = "wasm")]
impl<T: ?Sized> MaybeSync for T {}

/// A boxed future, `Send` natively.
#[cfg(not(target_family = "wasm"))]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// A boxed future, `Send` natively.
#[cfg(target_family = "wasm")]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Tells the time. Give your own to [`Options::clock`](crate::Options::clock) so that no test sleeps.
pub trait Clock: MaybeSend + MaybeSync {
    /// Milliseconds since the Unix epoch, UTC.
    fn now(&self) -> Millis;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[cfg(not(target_family = "wasm"))]
    fn now(&self) -> Millis {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Millis(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
    }

    #[cfg(target_family = "wasm")]
    #[allow(clippy::cast_possible_truncation)] // Date.now() is a whole number far below 2^53
    fn now(&self) -> Millis {
        Millis(js_sys::Date::now() as i64)
    }
}

impl<F: Fn() -> Millis + MaybeSend + MaybeSync> Clock for F {
    fn now(&self) -> Millis {
        self()
    }
}

/// Waits for a future on this thread.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> Option<T> {
    use std::task::{Context, Poll, Wake, Waker};

    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return Some(value),
            Poll::Pending => std::thread::park(),
        }
    }
}

/// What a future answers at once; `None` when it would have to be waited for, which this thread cannot do.
#[cfg(target_family = "wasm")]
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> Option<T> {
    use std::task::{Context, Poll, Waker};

    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// The double that a JSON number stands for; `None` for what is none.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn double(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// The double that a JSON number stands for; `None` for what is none. JavaScript reads it: Rust's own tables for that are
/// 10 KB of the module.
#[cfg(target_family = "wasm")]
pub(crate) fn double(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    Some(short_double(text, digits).unwrap_or_else(|| js_sys::parse_float(text)))
}

/// As [`double`], of few digits and no exponent: both sides of the division are exact, so its result is the nearest.
#[cfg(target_family = "wasm")]
#[allow(clippy::cast_precision_loss)] // fifteen digits are within 2^53
fn short_double(text: &str, digits: &str) -> Option<f64> {
    let (mut number, mut scale, mut fraction) = (0_u64, 1_u64, false);
    if digits.len() > 16 {
        return None;
    }
    for byte in digits.bytes() {
        match byte {
            b'0'..=b'9' => {
                number = number * 10 + u64::from(byte - b'0');
                scale *= if fraction { 10 } else { 1 };
            }
            b'.' if !fraction => fraction = true,
            _ => return None,
        }
    }
    if number >= 1 << 53 {
        return None;
    }
    let number = number as f64 / scale as f64;
    Some(if digits.len() == text.len() { number } else { -number })
}

/// Appends a finite double as JSON.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn push_double(number: f64, out: &mut String) {
    use std::fmt::Write as _;
    let _ = write!(out, "{number}"); // writing to a String cannot fail
}

/// Appends a finite double as JSON.
#[cfg(target_family = "wasm")]
pub(crate) fn push_double(number: f64, out: &mut String) {
    let text = js_sys::Number::from(number).to_string_with_radix(10);
    out.push_str(&text.map_or_else(|_| "null".to_owned(), String::from)); // 10 is a radix
}

/// Whether the module carries what only documentation and types are made of. It does not in wasm.
const TOLD: bool = cfg!(not(target_family = "wasm"));

/// A text for documentation and types; empty where nobody makes any.
pub(crate) const fn told(text: &'static str) -> &'static str {
    if TOLD { text } else { "" }
}
