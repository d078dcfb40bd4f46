//! A socket that the calling thread waits on, in the form that the asynchronous client wants.
//!
//! The client is made for a runtime. We have none: a transaction's code is synchronous, and it runs on whatever thread the
//! caller has, inside of any runtime or none. So a read waits right here, and only when whoever polls has nothing else left to
//! do; see [`Link`](super::link::Link).

use socket2::{SockRef, TcpKeepalive};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// What a read does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Patience {
    /// It is put off.
    None,
    /// It waits for the server, once.
    Once,
    /// It takes what is there.
    Look,
}

/// A connected socket. Clones are one socket.
#[derive(Clone)]
pub(super) struct Socket(Arc<Inner>);

struct Inner {
    stream: Stream,
    patience: AtomicU8,
}

enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    /// Connects to one of the hosts of the configuration, by its number.
    pub(super) fn connect(config: &Config, number: usize, timeout: Duration) -> io::Result<Self> {
        let port = match config.get_ports() {
            [] => 5432,
            [port] => *port,
            ports => *ports.get(number).unwrap_or(&5432),
        };
        let stream = match (config.get_hostaddrs().get(number), config.get_hosts().get(number)) {
            (Some(address), _) => Stream::Tcp(TcpStream::connect_timeout(&(*address, port).into(), timeout)?),
            (None, Some(Host::Tcp(host))) => Stream::Tcp(connect_tcp(host, port, timeout)?),
            #[cfg(unix)]
            (None, Some(Host::Unix(folder))) => {
                Stream::Unix(UnixStream::connect(folder.join(format!(".s.PGSQL.{port}")))?)
            }
            (None, None) => Stream::Tcp(connect_tcp("localhost", port, timeout)?),
        };
        let socket = Socket(Arc::new(Inner { stream, patience: AtomicU8::new(Patience::None as u8) }));
        socket.configure(config)?;
        Ok(socket)
    }

    fn configure(&self, config: &Config) -> io::Result<()> {
        let Stream::Tcp(stream) = &self.0.stream else { return Ok(()) };
        stream.set_nodelay(true)?;
        if config.get_keepalives() {
            // So that a server that vanished without a word is noticed.
            let mut keepalive = TcpKeepalive::new().with_time(config.get_keepalives_idle().min(KEEPALIVE));
            keepalive = keepalive.with_interval(config.get_keepalives_interval().unwrap_or(KEEPALIVE / 3));
            self.raw().set_tcp_keepalive(&keepalive)?;
        }
        // Keepalives are not sent while something waits to be acknowledged.
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
        self.raw().set_tcp_user_timeout(Some(config.get_tcp_user_timeout().copied().unwrap_or(UNACKNOWLEDGED)))?;
        Ok(())
    }

    fn raw(&self) -> SockRef<'_> {
        match &self.0.stream {
            Stream::Tcp(stream) => SockRef::from(stream),
            #[cfg(unix)]
            Stream::Unix(stream) => SockRef::from(stream),
        }
    }

    /// How long a read or write may wait; `None` for ever.
    pub(super) fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.raw().set_read_timeout(timeout)?;
        self.raw().set_write_timeout(timeout)
    }

    /// Runs `poll` with reads of this patience.
    pub(super) fn with_patience<T>(&self, patience: Patience, poll: impl FnOnce() -> T) -> io::Result<T> {
        if patience == Patience::Look {
            self.set_nonblocking(true)?;
        }
        self.0.patience.store(patience as u8, Ordering::Relaxed);
        let polled = poll();
        self.0.patience.store(Patience::None as u8, Ordering::Relaxed);
        if patience == Patience::Look {
            self.set_nonblocking(false)?;
        }
        Ok(polled)
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match &self.0.stream {
            Stream::Tcp(stream) => stream.set_nonblocking(nonblocking),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.set_nonblocking(nonblocking),
        }
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.0.stream {
            Stream::Tcp(stream) => { stream }.read(buffer),
            #[cfg(unix)]
            Stream::Unix(stream) => { stream }.read(buffer),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0.stream {
            Stream::Tcp(stream) => { stream }.write(bytes),
            #[cfg(unix)]
            Stream::Unix(stream) => { stream }.write(bytes),
        }
    }
}

const KEEPALIVE: Duration = Duration::from_secs(30);
/// So long may what was sent, a keepalive included, be unacknowledged before the server counts as gone.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
const UNACKNOWLEDGED: Duration = Duration::from_mins(1);

fn connect_tcp(host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream> {
    let deadline = Instant::now() + timeout;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let patience = self.0.patience.load(Ordering::Relaxed);
        if patience == Patience::None as u8 {
            return Poll::Pending;
        }
        if patience == Patience::Once as u8 {
            self.0.patience.store(Patience::None as u8, Ordering::Relaxed);
        }
        loop {
            return match self.read(buffer.initialize_unfilled()) {
                Ok(length) => {
                    buffer.advance(length);
                    Poll::Ready(Ok(()))
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && patience == Patience::Look as u8 => {
                    Poll::Pending
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the server does not answer")))
                }
                Err(error) => Poll::Ready(Err(error)),
            };
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A look at an idle connection has nothing to say.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the server does not listen")));
                }
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An answer to the farewell is not waited for.
        let _ = self.raw().shutdown(std::net::Shutdown::Both);
        Poll::Ready(Ok(()))
    }
}
