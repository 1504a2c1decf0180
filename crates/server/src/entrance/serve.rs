//! Accepting connections, until it is time to stop.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::acceptor::{Acceptor, FIRST_BYTES, Fresh};
pub use super::listener::{Listener, bind};
use super::{front, handshakes, routes};
use crate::app::App;
use crate::telemetry::ticker;
use crate::upgrade::begun::Begun;

/// Read buffer of an HTTP connection. Bodies beyond it come in pieces.
const HTTP_BUFFER_BYTES: usize = 16 * 1024;

/// Serves until `stop` is ready; then it stops accepting, lets requests under way finish, drains the hub, and
/// stops the engine: everything that was acknowledged is durable, and clients get a close code that makes them reconnect.
///
/// # Errors
/// When the system gives no thread to accept connections; then nothing was served, and all is stopped as above.
pub async fn serve(app: Arc<App>, listener: Listener, stop: impl Future<Output = ()>) -> io::Result<()> {
    let today = begin_today(&app).await;
    let ticker = tokio::spawn(ticker::run(Arc::clone(&app)));
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let most = app.hub.stats().limit + app.config.max_http_connections;
    let (tell, fresh) = mpsc::channel(most.clamp(1, Semaphore::MAX_PERMITS));
    let started = Acceptor::start(Arc::clone(&app), listener, tell);
    let outcome = match started {
        Ok(acceptor) => {
            answer_until(&app, stop, fresh, &mut connections, &stopped).await;
            acceptor.stop();
            Ok(())
        }
        Err(error) => Err(error),
    };
    stop_parts(&app, &stopping, &mut connections).await;
    for task in today.into_iter().chain([ticker]) {
        task.abort();
        // Cancelled, as it should be.
        let _ = task.await;
    }
    outcome
}

/// Begins to count the orders of the day before anybody is answered; those of earlier runs are read beside.
async fn begin_today(app: &Arc<App>) -> Option<JoinHandle<()>> {
    let begun = app.today.begin(app.engine.stats(), &*app.store, &app.config.time_zone).await;
    let unread = begun.map_err(|error| tracing::warn!(%error, "the figures of today are not known")).ok()?;
    let app = Arc::clone(app);
    Some(tokio::spawn(async move {
        if let Err(error) = app.today.read(&*app.store, unread).await {
            tracing::warn!(%error, "the figures of today are not known");
        }
    }))
}

async fn answer_until(
    app: &Arc<App>,
    stop: impl Future<Output = ()>,
    mut fresh: mpsc::Receiver<Fresh>,
    connections: &mut JoinSet<()>,
    stopped: &watch::Receiver<bool>,
) {
    let routes = routes::routes(Arc::clone(app));
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            Some(fresh) = fresh.recv() => {
                connections.spawn(answer_one(Arc::clone(app), routes.clone(), fresh, stopped.clone()));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// Everything within the drain timeout: answers first, so that they still find their sockets, then the sockets and
/// streams, then what is left of requests, then the orders in work.
async fn stop_parts(app: &App, stopping: &watch::Sender<bool>, connections: &mut JoinSet<()>) {
    let deadline = Instant::now() + app.config.drain_timeout;
    let rest = || deadline.saturating_duration_since(Instant::now());
    tracing::info!(connections = app.hub.stats().active, "stopping: finishing what was taken");
    app.engine.close_intake();
    stopping.send_replace(true);
    app.engine.settle(rest()).await;
    app.hub.drain(rest() / 2).await;
    let finish = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(rest() / 2, finish).await.is_err() {
        tracing::warn!(left = connections.len(), "requests were cut off");
        connections.shutdown().await;
    }
    app.engine.stop(rest()).await;
}

/// Waits for a client that had sent nothing at the first look. `None` when nothing remains to be done.
async fn second_look(app: &Arc<App>, stream: std::net::TcpStream, mut first: Bytes, peer: SocketAddr) -> Option<Begun> {
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%peer, %error, "a connection could not be polled");
            return None;
        }
    };
    if first.is_empty() {
        tokio::time::timeout(app.config.handshake_timeout, stream.readable()).await.ok()?.ok()?;
        let mut read = BytesMut::with_capacity(FIRST_BYTES);
        match stream.try_read_buf(&mut read) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                tracing::debug!(%peer, %error, "a connection broke before its first request");
                return None;
            }
        }
        first = read.freeze();
        if let Some((granted, length)) = handshakes::grant(app, peer, &first) {
            let answer = granted.answer();
            granted.adopt(app, peer, stream.into_std().ok()?, answer, &first[length..]);
            return None;
        }
    }
    Some(Begun::new(first, stream))
}

async fn answer_one(app: Arc<App>, routes: axum::Router, fresh: Fresh, mut stopped: watch::Receiver<bool>) {
    let Fresh { stream, peer, first, counted: _counted } = fresh;
    let handshake_timeout = app.config.handshake_timeout;
    let told = async {
        // A sender that is gone has stopped too.
        let _ = stopped.wait_for(|&stopped| stopped).await;
    };
    let mut told = pin!(told);
    let stream = tokio::select! {
        stream = second_look(&app, stream, first, peer) => stream,
        // Nothing has been asked for yet.
        () = told.as_mut() => None,
    };
    let Some(stream) = stream else { return };
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, routes) = (Arc::clone(&app), routes.clone());
        async move { Ok::<_, Infallible>(front::answer(app, routes, peer, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(handshake_timeout)
        .max_buf_size(HTTP_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection broke");
    }
}
