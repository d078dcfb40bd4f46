//! One connection to the server, driven by the thread that uses it.

use super::socket::{Patience, Socket};
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tokio_postgres::tls::TlsConnect;
use tokio_postgres::{Client, Config, Error};

type Driver = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A connection: the client's half that asks, and the half that talks to the server.
pub(super) struct Link {
    /// There until the end.
    client: Option<Client>,
    socket: Socket,
    driver: RefCell<Option<Driver>>,
    woken: Arc<Woken>,
}

/// Whether something can go on, so that waiting for the server would be wrong.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Why a connection is of no use any more, or a request failed on it.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server or the client says so.
    Client(Error),
    /// The system says so.
    Io(io::Error),
    /// A statement was run while the rows of another were being read.
    Nested,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Client(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

impl Link {
    /// Logs in over a connected socket, for which the server has so long.
    pub(super) fn open<T>(socket: Socket, tls: T, config: &Config, timeout: Duration) -> Result<Self, Failure>
    where
        T: TlsConnect<Socket>,
        T::Stream: Send + 'static,
        T::Future: Send,
    {
        socket.set_timeout(Some(timeout))?;
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        let mut connecting = pin!(config.connect_raw(socket.clone(), tls));
        let (client, connection) = loop {
            woken.0.store(false, Ordering::Relaxed);
            if let Poll::Ready(connected) = connecting.as_mut().poll(&mut context) {
                break connected?;
            }
            if !woken.0.load(Ordering::Relaxed)
                && let Poll::Ready(connected) =
                    socket.with_patience(Patience::Once, || connecting.as_mut().poll(&mut context))?
            {
                break connected?;
            }
        };
        let driver: Driver = Box::pin(connection);
        Ok(Link { client: Some(client), socket, driver: RefCell::new(Some(driver)), woken })
    }

    /// What makes requests. They go out, and their answers come in, while [`wait`](Self::wait) runs.
    #[allow(clippy::expect_used)] // it is taken when this is dropped
    pub(super) fn client(&self) -> &Client {
        self.client.as_ref().expect("the client is there until the end")
    }

    /// How long the server is waited for each time that it has to say something; until it connects, that is the timeout of
    /// the connecting. `None` for ever.
    pub(super) fn wait_at_most(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.set_timeout(timeout)
    }

    /// Waits on this thread for what was asked.
    pub(super) fn wait<T>(&self, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        let mut driver = self.driver.try_borrow_mut().map_err(|_| Failure::Nested)?;
        let waker = Waker::from(self.woken.clone());
        let mut context = Context::from_waker(&waker);
        let mut asked = pin!(asked);
        loop {
            self.woken.0.store(false, Ordering::Relaxed);
            if let Poll::Ready(answer) = asked.as_mut().poll(&mut context) {
                return Ok(answer?);
            }
            let Some(running) = driver.as_mut() else { return Err(gone()) };
            let mut ended = running.as_mut().poll(&mut context);
            if ended.is_pending() && !self.woken.0.load(Ordering::Relaxed) {
                ended = self.socket.with_patience(Patience::Once, || running.as_mut().poll(&mut context))?;
            }
            if let Poll::Ready(ended) = ended {
                *driver = None;
                // The answer may have come just before the end.
                if let Poll::Ready(Ok(answer)) = asked.as_mut().poll(&mut context) {
                    return Ok(answer);
                }
                return Err(ended.map_or_else(Failure::Client, |()| gone()));
            }
        }
    }

    /// Sends a request without waiting for its answer, which has to matter to nobody.
    pub(super) fn send<T>(&self, asked: impl Future<Output = Result<T, Error>>) {
        let Ok(mut driver) = self.driver.try_borrow_mut() else { return };
        let waker = Waker::from(self.woken.clone());
        let mut context = Context::from_waker(&waker);
        let mut asked = pin!(asked);
        // What goes wrong is noticed by whoever asks next.
        if asked.as_mut().poll(&mut context).is_pending()
            && driver.as_mut().is_some_and(|running| running.as_mut().poll(&mut context).is_ready())
        {
            *driver = None;
        }
    }

    /// Whether the server has not ended the connection, as far as can be seen without asking it.
    pub(super) fn is_alive(&self) -> bool {
        let Ok(mut driver) = self.driver.try_borrow_mut() else { return true };
        let Some(running) = driver.as_mut() else { return false };
        let waker = Waker::from(self.woken.clone());
        let mut context = Context::from_waker(&waker);
        let looked = self.socket.with_patience(Patience::Look, || running.as_mut().poll(&mut context));
        if !matches!(looked, Ok(Poll::Pending)) {
            *driver = None;
        }
        driver.is_some()
    }
}

impl Drop for Link {
    /// Says farewell, so that the server need not wonder.
    fn drop(&mut self) {
        self.client = None;
        if let Some(mut running) = self.driver.get_mut().take() {
            let waker = Waker::from(self.woken.clone());
            let _ = self.socket.set_timeout(Some(FAREWELL));
            let _ = running.as_mut().poll(&mut Context::from_waker(&waker));
        }
    }
}

/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_millis(100);

fn gone() -> Failure {
    Failure::Io(io::Error::new(io::ErrorKind::ConnectionAborted, "the connection has ended"))
}
