//! The opening handshake of WebSockets (RFC 6455 §4.2).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, Request, StatusCode, Version};
use hyper_util::rt::TokioIo;
use ordercast_hub::session::Session;
use ordercast_hub::{Slot, Upgraded, ws};
use ordercast_protocol::channel::Channel;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::principal::Principal;
use sha1::{Digest, Sha1};
use tokio::net::TcpStream;

use crate::app::App;
use crate::problem::Problem;
use crate::session::PlainSession;

/// The constant that RFC 6455 §1.3 appends to the client's key.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What is to speak over a WebSocket.
pub(crate) struct Opening {
    /// The session.
    pub(crate) session: Box<dyn Session>,
    /// Who is connected, as far as that is known.
    pub(crate) principal: Principal,
    /// Which of the offered subprotocols is spoken.
    pub(crate) subprotocol: Option<&'static str>,
    /// Largest message, when it is not the hub's.
    pub(crate) max_message_bytes: Option<usize>,
}

/// `GET /ws`: the plain JSON protocol.
pub(crate) fn websocket(app: &Arc<App>, peer: SocketAddr, request: Request<Incoming>) -> Result<Response, Problem> {
    let channels = match query_value(request.uri().query(), "channels") {
        None => app.config.default_channels.clone(),
        Some(names) => parse_channels(app, &names)?,
    };
    let session = Box::new(PlainSession::new(Arc::clone(app), peer.ip(), channels));
    let principal = Principal::local_admin();
    open(app, peer, request, Opening { session, principal, subprotocol: None, max_message_bytes: None })
}

/// Checks the handshake, makes room, and hands the socket to the hub once hyper lets go of it. Messages are
/// compressed if the client offers it and the setting allows it.
pub(crate) fn open(
    app: &Arc<App>,
    peer: SocketAddr,
    request: Request<Incoming>,
    opening: Opening,
) -> Result<Response, Problem> {
    open_with_compression(app, peer, request, opening, app.config.compression)
}

/// As [`open`], whatever the setting says.
pub(crate) fn open_with_compression(
    app: &Arc<App>,
    peer: SocketAddr,
    mut request: Request<Incoming>,
    opening: Opening,
    may_compress: bool,
) -> Result<Response, Problem> {
    let accept = check(&request)?;
    let agreement = if may_compress { negotiate(request.headers()) } else { None };
    let answer = agreement.and_then(|agreement| HeaderValue::try_from(agreement.answer()).ok());
    let compression = answer.is_some();
    let slot = reserve(app)?;
    let upgrade = hyper::upgrade::on(&mut request);
    let subprotocol = opening.subprotocol;
    let (app, timeout) = (Arc::clone(app), app.config.handshake_timeout);
    let runtime = app.runtime.clone();
    runtime.spawn(async move {
        match tokio::time::timeout(timeout, upgrade).await {
            Ok(Ok(upgraded)) => adopt(&app, slot, peer, opening, compression, upgraded),
            Ok(Err(error)) => tracing::debug!(%peer, %error, "an upgrade failed"),
            Err(_) => tracing::debug!(%peer, "an upgrade took too long"),
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(subprotocol) = subprotocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
    }
    if let Some(answer) = answer {
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, answer);
    }
    Ok(response)
}

/// Makes room for a connection that stays, or says that there is none.
pub(crate) fn reserve(app: &App) -> Result<Slot, Problem> {
    app.hub.reserve().map_err(|_| {
        let limit = app.hub.stats().limit;
        let detail = format!("{limit} connections are open, which is the limit (websocket.max_connections)");
        Problem::new(ErrorCode::ConnectionLimit, detail)
    })
}

/// What the client's offers of extensions come to. A header that is no text offers nothing.
fn negotiate(headers: &HeaderMap) -> Option<ws::Agreement> {
    let lines = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).into_iter().map(HeaderValue::to_str);
    ws::negotiate(lines.collect::<Result<Vec<_>, _>>().ok()?)
}

fn adopt(
    app: &App,
    slot: Slot,
    peer: SocketAddr,
    opening: Opening,
    compression: bool,
    upgraded: hyper::upgrade::Upgraded,
) {
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
        tracing::error!("an upgraded connection is not a plain socket");
        return;
    };
    let Opening { session, principal, subprotocol: _, max_message_bytes } = opening;
    let adopted = parts.io.into_inner().into_std().and_then(|stream| {
        let upgraded = Upgraded { stream, already_read: &parts.read_buf, max_message_bytes, compression };
        app.hub.adopt(slot, upgraded, principal, session)
    });
    if let Err(error) = adopted {
        tracing::debug!(%peer, %error, "a socket broke before it was taken over");
    }
}

fn check(request: &Request<Incoming>) -> Result<HeaderValue, Problem> {
    let wrong = |detail: &str| Err(Problem::new(ErrorCode::InvalidQuery, detail));
    let headers = request.headers();
    if *request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return wrong("a WebSocket is opened by GET in HTTP/1.1");
    }
    if !has_token(headers, UPGRADE, "websocket") || !has_token(headers, CONNECTION, "upgrade") {
        return wrong("this address is for WebSockets; connect with a WebSocket client, or use GET /events");
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let detail = "only version 13 of the WebSocket protocol is spoken (Sec-WebSocket-Version: 13)";
        return Err(Problem::new(ErrorCode::UpgradeRequired, detail));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    if STANDARD.decode(key).map_or(0, |nonce| nonce.len()) != 16 {
        return wrong("Sec-WebSocket-Key must be 16 bytes in base64");
    }
    let digest = Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize();
    HeaderValue::from_str(&STANDARD.encode(digest))
        .map_err(|_| Problem::new(ErrorCode::Internal, "the handshake could not be answered"))
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// The channels of a comma-separated list.
pub(crate) fn parse_channels(app: &App, names: &str) -> Result<Vec<Channel>, Problem> {
    let parse = |name: &str| {
        app.config
            .channels
            .resolve(name)
            .map_err(|error| Problem::new(ErrorCode::UnknownChannel, format!("{name:?}: {error}")))
    };
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(parse).collect()
}

/// The first value of a name in a query, percent-decoded.
pub(crate) fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    let pair = query?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })?;
    let mut bytes = Vec::with_capacity(pair.len());
    let mut rest = pair.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = (byte == b'%').then(|| tail.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &tail[2..];
            }
            None => {
                bytes.push(if byte == b'+' { b' ' } else { byte });
                rest = tail;
            }
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        for (query, value) in [
            (Some("channels=orders%2Cstats&x=1"), Some("orders,stats")),
            (Some("x=1&channels=a+b%zz"), Some("a b%zz")),
            (Some("channels"), Some("")),
            (Some("x=1"), None),
            (None, None),
        ] {
            assert_eq!(query_value(query, "channels").as_deref(), value, "{query:?}");
        }
    }
}
