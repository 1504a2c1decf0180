//! The transports: WebSockets, and two halves over HTTP, of which one is a response that does not end and the other
//! posts commands.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::Response;
use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Uri};
use ordercast_hub::handler::ConnectionHandler;
use ordercast_protocol::centrifuge::codec::{Encoding, decode_emulation};
use ordercast_protocol::envelope::Wire;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::fields::without_byte_order_mark;
use uuid::Uuid;

use super::handler::CentrifugeHandler;
use super::stage::ReturnPath;
use crate::access::authenticate::not_yet;
use crate::app::App;
use crate::http::body::read_body;
use crate::http::parameters::query_value;
use crate::http::response::Infallible;
use crate::problem::Problem;
use crate::upgrade::{self, Granted, Opening, reserve};

/// The path of WebSockets; the front answers it.
pub(crate) const WEBSOCKET_PATH: &str = "/connection/websocket";
/// Where all transports begin. A page of a foreign origin could have commands carried out by opening one.
pub(crate) const TRANSPORT_PATHS: &str = "/connection/";
const PROTOBUF_SUBPROTOCOL: &str = "centrifuge-protobuf";
const JSON_SUBPROTOCOL: &str = "centrifuge-json";
const BINARY: &str = "application/octet-stream";

/// `GET /connection/websocket`.
pub(crate) fn websocket(app: &Arc<App>, peer: SocketAddr, head: &Parts) -> Result<Granted, Problem> {
    let subprotocol = subprotocol(&head.headers);
    let query = head.uri.query();
    let says = |name: &str, value: &str| query_value(query, name).as_deref() == Some(value);
    let is_asked = says("format", "protobuf") || says("cf_protocol", "protobuf");
    let wire = match subprotocol {
        Some(PROTOBUF_SUBPROTOCOL) => Wire::CentrifugeProtobuf,
        None if is_asked => Wire::CentrifugeProtobuf,
        _ => Wire::CentrifugeJson,
    };
    let mut handler = CentrifugeHandler::new(Arc::clone(app), wire);
    // For tools that answer no pings but those of RFC 6455.
    handler.client.has_own_pings = says("cf_ws_frame_ping_pong", "true");
    let max_message_bytes = Some(app.config.centrifuge.max_message_bytes);
    let origin = not_yet(&head.headers, peer.ip());
    let opening = Opening { handler: Box::new(handler), origin, subprotocol, max_message_bytes };
    upgrade::grant(app, head, opening)
}

/// The first subprotocol in the client's order that is spoken here.
fn subprotocol(headers: &HeaderMap) -> Option<&'static str> {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter().filter_map(|value| value.to_str().ok());
    let mut offers = offers.flat_map(|value| value.split(',')).map(str::trim);
    offers.find_map(|offer| [PROTOBUF_SUBPROTOCOL, JSON_SUBPROTOCOL].into_iter().find(|known| *known == offer))
}

/// `POST /connection/http_stream`: the body holds the first commands, the answer is a stream of replies.
pub(crate) async fn http_stream(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let first = read_commands(&app, &headers, body).await?;
    let (wire, content_type) = match encoding(&headers) {
        Encoding::Json => (Wire::CentrifugeLines, "application/json"),
        Encoding::Protobuf => (Wire::CentrifugeDelimited, BINARY),
    };
    open_stream(&app, peer, &headers, wire, content_type, first)
}

/// `GET /connection/sse?cf_connect=…`, or `POST` with a body: as above, as Server-Sent Events.
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<SocketAddr>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let first = match method {
        Method::POST => read_commands(&app, &headers, body).await?,
        _ => {
            let commands = query_value(uri.query(), "cf_connect").ok_or_else(|| {
                Problem::new(ErrorCode::InvalidQuery, "give the connect command as cf_connect, URL-encoded JSON")
            })?;
            Bytes::from(commands)
        }
    };
    open_stream(&app, peer, &headers, Wire::CentrifugeEvents, "text/event-stream", first)
}

fn open_stream(
    app: &Arc<App>,
    peer: SocketAddr,
    headers: &HeaderMap,
    wire: Wire,
    content_type: &'static str,
    first: Bytes,
) -> Result<Response, Problem> {
    let slot = reserve(app)?;
    let secret: Arc<str> = Uuid::new_v4().to_string().into();
    let mut handler = CentrifugeHandler::new(Arc::clone(app), wire);
    handler.client.return_path =
        Some(Box::new(ReturnPath { secret: Arc::clone(&secret), node: app.hub.node().to_owned() }));
    let handler: Box<dyn ConnectionHandler> = Box::new(handler);
    let stream = app.hub.open_handler(slot, not_yet(headers, peer.ip()), handler, secret, first);
    let mut response = Response::new(Body::from_stream(Infallible(stream)));
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    answer.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// `POST /emulation`: commands of a stream's client.
pub(crate) async fn emulation(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read_commands(&app, &headers, body).await?;
    let request = decode_emulation(encoding(&headers), &body)
        .map_err(|malformed| Problem::new(ErrorCode::MalformedJson, malformed.to_string()))?;
    if request.node != app.hub.node() {
        return Err(Problem::new(ErrorCode::NotFound, "no node of this name is known; connect again"));
    }
    if !app.hub.deliver(&request.session, request.data) {
        return Err(Problem::new(ErrorCode::NotFound, "there is no such session; connect again"));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

fn encoding(headers: &HeaderMap) -> Encoding {
    match headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) {
        Some(BINARY) => Encoding::Protobuf,
        _ => Encoding::Json,
    }
}

async fn read_commands(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let body = read_body(app, headers, body).await?;
    let most = app.config.centrifuge.max_message_bytes;
    if body.len() > most {
        return Err(Problem::new(ErrorCode::TooLarge, format!("commands have at most {most} bytes in one body")));
    }
    Ok(match encoding(headers) {
        Encoding::Json => body.slice_ref(without_byte_order_mark(&body)),
        Encoding::Protobuf => body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_subprotocol_is_taken() {
        for (offers, taken) in [
            (vec!["centrifuge-protobuf"], Some(PROTOBUF_SUBPROTOCOL)),
            (vec!["other, centrifuge-json, centrifuge-protobuf"], Some(JSON_SUBPROTOCOL)),
            (vec!["other", "centrifuge-protobuf"], Some(PROTOBUF_SUBPROTOCOL)),
            (vec!["other"], None),
            (vec![], None),
        ] {
            let mut headers = HeaderMap::new();
            for offer in &offers {
                headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(offer));
            }
            assert_eq!(subprotocol(&headers), taken, "{offers:?}");
        }
    }
}
