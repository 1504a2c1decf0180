//! Accepting connections, until it is time to stop.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::admission::Admission;
use crate::app::App;
use crate::{front, routes, ticker};

/// Connections that the kernel completes before they are accepted. Below a storm's size each client beyond it
/// loses a second to a repeated SYN.
const BACKLOG: u32 = 4096;
/// Read buffer of an HTTP connection. Bodies beyond it come in pieces.
const HTTP_BUFFER_BYTES: usize = 16 * 1024;
/// HTTP connections beyond those that the hub may hold: requests are short, and sockets leave HTTP when they are
/// upgraded.
const EXTRA_HTTP_CONNECTIONS: usize = 1024;
/// Pause after the system refused a socket (out of files, mostly), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Binds the listening socket.
///
/// # Errors
/// When the address is taken or not this machine's.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `stop` is ready; then it stops accepting, lets requests under way finish, drains the hub, and
/// stops the engine: whatever was acknowledged is durable, and clients are told to come back.
pub async fn serve(app: Arc<App>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let routes = routes::routes(Arc::clone(&app));
    let ticker = tokio::spawn(ticker::run(Arc::clone(&app)));
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let most = app.hub.stats().limit + EXTRA_HTTP_CONNECTIONS;
    let mut stop = pin!(stop);
    let mut admission = Admission::new(app.config.handshakes_per_s);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept(), if admission.has_room() => match accepted {
                Ok((stream, peer)) if connections.len() >= most => {
                    tracing::warn!(%peer, most, "too many HTTP connections; this one is closed");
                    drop(stream);
                }
                Ok(connection) => admission.wait(connection),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            (stream, peer) = admission.next() => {
                connections.spawn(answer_one(Arc::clone(&app), routes.clone(), stream, peer, stopped.clone()));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    drop(listener);
    stop_parts(&app, &stopping, &mut connections).await;
    ticker.abort();
    // Cancelled, as it should be.
    let _ = ticker.await;
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

async fn answer_one(
    app: Arc<App>,
    routes: axum::Router,
    stream: TcpStream,
    peer: SocketAddr,
    mut stopped: watch::Receiver<bool>,
) {
    // Answers are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    let handshake_timeout = app.config.handshake_timeout;
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
    let told = async {
        // A sender that is gone has stopped too.
        let _ = stopped.wait_for(|&stopped| stopped).await;
    };
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
