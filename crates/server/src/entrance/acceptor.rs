//! The thread that accepts connections. It looks at what each has sent by the time that it is its turn: a WebSocket
//! goes to the hub from here, everything else to the runtime.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::{Events, Poll, Token, Waker};
use tokio::sync::mpsc;

use super::admission::Admission;
use super::handshakes;
use super::listener::Listener;
use crate::app::App;

const LISTENER: Token = Token(0);
const STOP: Token = Token(1);
/// Bytes of a connection that are looked at before the HTTP library is set up for it; a handshake fits.
pub(crate) const FIRST_BYTES: usize = 4 * 1024;
/// Pause after the system refused a socket (out of files, mostly), so that the thread does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Most connections accepted before those whose turn it is are begun.
const ACCEPT_BURST: usize = 256;

/// A connection that HTTP is to be spoken with.
pub(crate) struct Fresh {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    /// What it has sent.
    pub(crate) first: Bytes,
    pub(crate) counted: Counted,
}

/// Counts an HTTP connection for as long as it lives.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// The thread, as its owner sees it.
pub(crate) struct Acceptor {
    thread: JoinHandle<()>,
    stop: Arc<(AtomicBool, Waker)>,
}

impl Acceptor {
    /// Starts it.
    ///
    /// # Errors
    /// When the system gives no poll or no thread.
    pub(crate) fn start(app: Arc<App>, mut listener: Listener, fresh: mpsc::Sender<Fresh>) -> io::Result<Self> {
        let poll = Poll::new()?;
        listener.register(poll.registry(), LISTENER)?;
        let stop = Arc::new((AtomicBool::new(false), Waker::new(poll.registry(), STOP)?));
        let admission = Admission::new(app.config.handshakes_per_s, Instant::now());
        let is_stopping = Arc::clone(&stop);
        // Streams are carried by HTTP connections; sockets leave HTTP when they are upgraded.
        let most = app.hub.stats().limit + app.config.max_http_connections;
        let (open, is_acceptable) = (Arc::clone(&app.http_connections), true);
        let accepting = Accepting { app, listener, fresh, admission, open, most, is_acceptable };
        let thread = std::thread::Builder::new()
            .name("acceptor".to_owned())
            .spawn(move || accepting.run(poll, || is_stopping.0.load(Relaxed)))?;
        Ok(Self { thread, stop })
    }

    /// Ends it; the address is free again.
    pub(crate) fn stop(self) {
        self.stop.0.store(true, Relaxed);
        if let Err(error) = self.stop.1.wake() {
            tracing::warn!(%error, "the acceptor could not be woken; it goes on until its next connection");
            return;
        }
        if self.thread.join().is_err() {
            tracing::error!("the acceptor panicked");
        }
    }
}

struct Accepting {
    app: Arc<App>,
    listener: Listener,
    fresh: mpsc::Sender<Fresh>,
    admission: Admission<(mio::net::TcpStream, SocketAddr)>,
    /// HTTP connections that are open.
    open: Arc<AtomicUsize>,
    /// And how many may be.
    most: usize,
    /// The poll tells of new connections once, until there are none.
    is_acceptable: bool,
}

impl Accepting {
    fn run(mut self, mut poll: Poll, is_stopping: impl Fn() -> bool) {
        let mut events = Events::with_capacity(8);
        let mut first = vec![0; FIRST_BYTES];
        while !is_stopping() {
            let paused = self.accept();
            let now = Instant::now();
            while let Some((stream, peer)) = self.admission.next(now) {
                // A panic, were there one, must cost this connection and not the thread.
                let begun = catch_unwind(AssertUnwindSafe(|| self.begin(stream, peer, &mut first)));
                if begun.is_err() {
                    tracing::error!(%peer, "the first look at a connection panicked");
                }
            }
            let more = (self.is_acceptable && self.admission.has_capacity()).then_some(paused);
            let timeout = more.into_iter().chain(self.admission.until_next(Instant::now())).min();
            if let Err(error) = poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the poll of the acceptor failed; nobody new comes in");
                self.app.has_acceptor_failed.store(true, Relaxed);
                return;
            }
            self.is_acceptable |= events.iter().any(|event| event.token() == LISTENER);
        }
    }

    /// Takes what the kernel has; gives how long to pause before there may be more.
    fn accept(&mut self) -> Duration {
        for _ in 0..ACCEPT_BURST {
            if !self.is_acceptable || !self.admission.has_capacity() {
                break;
            }
            match self.listener.accept() {
                Ok(Some(connection)) => self.admission.wait(connection),
                Ok(None) => self.is_acceptable = false,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    return ACCEPT_PAUSE;
                }
            }
        }
        Duration::ZERO
    }

    /// The first look: most clients have sent their request by the time that it is their turn.
    fn begin(&self, mut stream: mio::net::TcpStream, peer: SocketAddr, first: &mut [u8]) {
        let read = match stream.read(first) {
            // It was closed again.
            Ok(0) => return,
            Ok(count) => &first[..count],
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => &[],
            Err(error) => {
                tracing::debug!(%peer, %error, "a connection broke before its first request");
                return;
            }
        };
        let stream = OwnedFd::from(stream).into();
        if let Some((granted, length)) = handshakes::grant(&self.app, peer, read) {
            let answer = granted.answer();
            return granted.adopt(&self.app, peer, stream, answer, &read[length..]);
        }
        if self.open.load(Relaxed) >= self.most {
            self.app.http_refused.fetch_add(1, Relaxed);
            tracing::warn!(%peer, most = self.most, "too many HTTP connections; this one is closed");
            return;
        }
        self.open.fetch_add(1, Relaxed);
        let counted = Counted(Arc::clone(&self.open));
        // There is room for as many as may be open. When the server stops, the connection is closed by dropping it.
        let _ = self.fresh.try_send(Fresh { stream, peer, first: Bytes::copy_from_slice(read), counted });
    }
}
