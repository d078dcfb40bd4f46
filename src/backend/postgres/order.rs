//! Requests that go out together, in their order.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

/// A request that goes out before another.
pub(super) type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + 'a>>;

/// Polls each in turn, so that the requests go out in their order; the first error is the answer.
pub(super) async fn in_order<T>(
    mut first: Vec<Sending<'_>>,
    request: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, tokio_postgres::Error> {
    let mut request = pin!(request);
    let mut done = vec![false; first.len()];
    let mut answer = None;
    poll_fn(|context| {
        for (step, done) in first.iter_mut().zip(&mut done) {
            if !*done && let Poll::Ready(outcome) = step.as_mut().poll(context) {
                *done = true;
                if let Err(error) = outcome {
                    return Poll::Ready(Err(error));
                }
            }
        }
        if answer.is_none()
            && let Poll::Ready(outcome) = request.as_mut().poll(context)
        {
            answer = Some(outcome);
        }
        if done.iter().all(|done| *done)
            && let Some(answer) = answer.take()
        {
            return Poll::Ready(answer);
        }
        Poll::Pending
    })
    .await
}
