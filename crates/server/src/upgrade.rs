//! The opening handshake of WebSockets (RFC 6455 §4.2): judged here, answered by the HTTP library or without it
//! (see [`crate::entrance::handshakes`]).

pub(crate) mod begun;

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode, Version};
use hyper_util::rt::TokioIo;
use ordercast_access::Origin;
use ordercast_hub::handler::ConnectionHandler;
use ordercast_hub::{LimitReached, Slot, Upgraded, ws};
use ordercast_protocol::error::ErrorCode;
use sha1::{Digest, Sha1};

use self::begun::Begun;
use crate::app::App;
use crate::problem::Problem;

/// The constant that RFC 6455 §1.3 appends to the client's key.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Capacity for the answer to a handshake; most have about 130 bytes.
const ANSWER_BYTES: usize = 192;

/// What is to speak over a WebSocket.
pub(crate) struct Opening {
    /// Speaks with the client.
    pub(crate) handler: Box<dyn ConnectionHandler>,
    /// Who is connected, as far as that is known, and from where.
    pub(crate) origin: Origin,
    /// Which of the offered subprotocols is spoken.
    pub(crate) subprotocol: Option<&'static str>,
    /// Largest message, when it is not the hub's.
    pub(crate) max_message_bytes: Option<usize>,
}

/// A handshake that is in order, with room made for its connection.
pub(crate) struct Granted {
    slot: Slot,
    opening: Opening,
    accept: HeaderValue,
    /// What is agreed upon of the extensions that the client offered.
    extensions: Option<HeaderValue>,
}

/// Judges a handshake at one address.
pub(crate) type Grant = fn(&Arc<App>, SocketAddr, &Parts) -> Result<Granted, Problem>;

/// Checks a handshake and makes room. Messages are compressed if the client offers it and the setting allows it.
pub(crate) fn grant(app: &App, head: &Parts, opening: Opening) -> Result<Granted, Problem> {
    grant_with_compression(app, head, opening, app.config.compression)
}

/// As [`grant`], whatever the setting says.
pub(crate) fn grant_with_compression(
    app: &App,
    head: &Parts,
    opening: Opening,
    may_compress: bool,
) -> Result<Granted, Problem> {
    let accept = check(head)?;
    let agreement = if may_compress { negotiate(&head.headers) } else { None };
    let extensions = agreement.and_then(|agreement| HeaderValue::try_from(agreement.answer()).ok());
    Ok(Granted { slot: reserve(app)?, opening, accept, extensions })
}

impl Granted {
    fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let subprotocol = self.opening.subprotocol.map(HeaderValue::from_static);
        let fixed = [
            (CONNECTION, HeaderValue::from_static("Upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_ACCEPT, self.accept.clone()),
        ];
        let subprotocol = subprotocol.map(|name| (SEC_WEBSOCKET_PROTOCOL, name));
        let extensions = self.extensions.clone().map(|agreed| (SEC_WEBSOCKET_EXTENSIONS, agreed));
        fixed.into_iter().chain(subprotocol).chain(extensions)
    }

    /// The answer, as it is sent.
    pub(crate) fn answer(&self) -> Bytes {
        let mut answer = Vec::with_capacity(ANSWER_BYTES);
        answer.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        for (name, value) in self.headers() {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                answer.extend_from_slice(part);
            }
        }
        answer.extend_from_slice(b"\r\n");
        answer.into()
    }

    /// Hands the socket to the hub: `answer` is what is still to be sent of the handshake, `already_read` what was
    /// read beyond it.
    pub(crate) fn adopt(self, app: &App, peer: SocketAddr, stream: TcpStream, answer: Bytes, already_read: &[u8]) {
        let Self { slot, opening: Opening { handler, origin, max_message_bytes, .. }, extensions, .. } = self;
        let compression = extensions.is_some();
        let upgraded = Upgraded { stream, answer, already_read, max_message_bytes, compression };
        if let Err(error) = app.hub.adopt(slot, upgraded, origin, handler) {
            tracing::debug!(%peer, %error, "a socket broke before it was taken over");
        }
    }

    /// Answers through hyper, and hands the socket to the hub once hyper lets go of it.
    pub(crate) fn respond(self, app: &Arc<App>, peer: SocketAddr, mut request: Request<Incoming>) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().extend(self.headers());
        let upgrade = hyper::upgrade::on(&mut request);
        let (app, timeout) = (Arc::clone(app), app.config.handshake_timeout);
        let runtime = app.runtime.clone();
        runtime.spawn(async move {
            match tokio::time::timeout(timeout, upgrade).await {
                Ok(Ok(upgraded)) => self.adopt_upgraded(&app, peer, upgraded),
                Ok(Err(error)) => tracing::debug!(%peer, %error, "an upgrade failed"),
                Err(_) => tracing::debug!(%peer, "an upgrade took too long"),
            }
        });
        response
    }

    fn adopt_upgraded(self, app: &App, peer: SocketAddr, upgraded: hyper::upgrade::Upgraded) {
        let Ok(parts) = upgraded.downcast::<TokioIo<Begun>>() else {
            tracing::error!("an upgraded connection is not a plain socket");
            return;
        };
        let (stream, unread) = parts.io.into_inner().into_parts();
        match stream.into_std() {
            Ok(stream) => self.adopt(app, peer, stream, Bytes::new(), &[&*parts.read_buf, &*unread].concat()),
            Err(error) => tracing::debug!(%peer, %error, "a socket broke before it was taken over"),
        }
    }
}

/// Makes room for a connection that stays, or says that there is none.
pub(crate) fn reserve(app: &App) -> Result<Slot, Problem> {
    app.hub.reserve().map_err(|reached| {
        let stats = app.hub.stats();
        let detail = match reached {
            LimitReached::Connections => {
                format!("{} connections are open, which is the limit (websocket.max_connections)", stats.limit)
            }
            LimitReached::WaitingBytes => {
                let most = stats.max_waiting_bytes;
                format!("more than {most} bytes wait for slow clients, which is the limit (websocket.waiting_bytes)")
            }
        };
        Problem::new(ErrorCode::ConnectionLimit, detail)
    })
}

/// What the client's offers of extensions come to. A header that is no text offers nothing.
fn negotiate(headers: &HeaderMap) -> Option<ws::Agreement> {
    let lines = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).into_iter().map(HeaderValue::to_str);
    ws::negotiate(lines.collect::<Result<Vec<_>, _>>().ok()?)
}

fn check(head: &Parts) -> Result<HeaderValue, Problem> {
    let wrong = |detail: &str| Err(Problem::new(ErrorCode::InvalidQuery, detail));
    let headers = &head.headers;
    if head.method != Method::GET || head.version != Version::HTTP_11 {
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
