//! Routes of streams, of figures about the server, of its API for other programs, and of this documentation.

use ordercast_protocol::error::ErrorCode;
use serde_json::{Value, json};

use super::methods::{answer_of, request_of};
use super::operation::Operation;
use super::schema::{named, one_of, string};
use crate::centrifuge::endpoints::WEBSOCKET_PATH;
use crate::server_api;
use crate::telemetry::ticker::MAX_TICKS;

const STREAMS: &str = "Streams";
const FIGURES: &str = "Figures";
const SERVER_API: &str = "Server API";
const DOCUMENTATION: &str = "Documentation";
const TEXT: &[&str] = &["text/plain"];
const HTML: &[&str] = &["text/html"];
const CSS: &[&str] = &["text/css"];
const EVENTS: &[&str] = &["text/event-stream"];
const METRICS: &[&str] = &["text/plain", "application/openmetrics-text"];
const CENTRIFUGE: &[&str] = &["application/json", "application/octet-stream"];

/// Streams; what they carry stands in the AsyncAPI document.
pub(super) fn streams() -> Vec<Operation> {
    let socket = |path: &str, id: &str, summary: &str| {
        Operation::new("get", path, id, STREAMS, summary)
            .gives_as(101, "The socket is open; see /asyncapi.json.", &[], Value::Null)
            .fails(&[ErrorCode::InvalidQuery, ErrorCode::UpgradeRequired, ErrorCode::ConnectionLimit])
    };
    let plain = socket("/ws", "openSocket", "Open a WebSocket of the plain JSON protocol")
        .asks("channels", string(), "Instead of the default channels, by commas.")
        .fails(&[ErrorCode::UnknownChannel]);
    let protobuf = || one_of(&["protobuf"]);
    let sdk = socket(WEBSOCKET_PATH, "openCentrifugeSocket", "Open a WebSocket of the Centrifuge protocol")
        .asks("format", protobuf(), "Protobuf where no subprotocol asks for it.")
        .asks("cf_protocol", protobuf(), "The same.")
        .asks("cf_ws_frame_ping_pong", one_of(&["true"]), "Pings of RFC 6455 instead of the protocol's own.");
    let events = Operation::new("get", "/events", "streamEvents", STREAMS, "Stream events as Server-Sent Events")
        .asks("channels", string(), "1 to 128 names by commas; `orders` by default.")
        .asks("last_event_id", string(), "Where no header can be set: an `id` of this stream, as it was sent.")
        .header("Last-Event-ID", string(), "The id of the last event seen: the stream goes on after it.")
        .gives_as(200, "Events without an end; each `id` holds the position of every channel.", EVENTS, string())
        .fails(&[ErrorCode::UnknownChannel, ErrorCode::ConnectionLimit]);
    [plain, sdk, events].into_iter().chain(transports()).collect()
}

fn transports() -> Vec<Operation> {
    let lasting = [ErrorCode::ConnectionLimit];
    let commands = || json!({"description": "Commands of the Centrifuge protocol."});
    let lines = Operation::new("post", "/connection/http_stream", "openHttpStream", STREAMS, "Centrifuge over HTTP")
        .takes_as(CENTRIFUGE, commands(), true)
        .gives_as(200, "Replies without an end.", CENTRIFUGE, commands())
        .fails(&lasting);
    let asked = Operation::new("get", "/connection/sse", "openSse", STREAMS, "Centrifuge over Server-Sent Events")
        .asks("cf_connect", string(), "The connect command as JSON; required.")
        .gives_as(200, "Replies without an end.", EVENTS, string())
        .fails(&lasting);
    let posted = Operation::new("post", "/connection/sse", "openSseByPost", STREAMS, "The same, with a body")
        .takes_as(&["application/json"], commands(), true)
        .gives_as(200, "Replies without an end.", EVENTS, string())
        .fails(&lasting);
    let emulation = Operation::new("post", "/emulation", "sendCommands", STREAMS, "Commands of a Centrifuge stream")
        .takes_as(CENTRIFUGE, named("Emulation"), true)
        .gives_as(204, "They are on their way.", &[], Value::Null)
        .fails(&[ErrorCode::NotFound]);
    vec![lines, asked, posted, emulation]
}

/// How the server is.
pub(super) fn figures() -> Vec<Operation> {
    let get = |path: &str, id: &str, summary: &str| Operation::new("get", path, id, FIGURES, summary);
    let seconds = json!({"type": "integer", "minimum": 0, "maximum": MAX_TICKS});
    vec![
        get("/health", "getHealth", "How the server is").gives(200, "It takes orders.", named("Health")).gives(
            503,
            "Its store failed.",
            named("Health"),
        ),
        get("/livez", "isLive", "Whether the process answers").gives_as(200, "It does.", TEXT, string()),
        get("/readyz", "isReady", "Whether orders are taken and told")
            .gives_as(200, "They are.", TEXT, string())
            .gives_as(503, "They are not, and why.", TEXT, string()),
        get("/stats", "getStats", "Figures since this start").gives(200, "Figures.", named("Stats")),
        get("/stats/history", "getStatsHistory", "The last ticks of the channel `stats`")
            .asks("seconds", seconds, "How far back; all that is kept without it.")
            .gives(200, "The oldest first.", named("StatsHistory")),
        get("/ws/stats", "getSocketStats", "Figures of sockets and streams").gives(
            200,
            "Figures.",
            named("SocketStats"),
        ),
        get("/metrics", "getMetrics", "Figures for Prometheus").gives_as(
            200,
            "The text format, or OpenMetrics for those who prefer it.",
            METRICS,
            string(),
        ),
    ]
}

/// What another program may have done.
pub(super) fn server_api() -> Vec<Operation> {
    let method = |name: &'static str| {
        let (path, id) = (format!("/api/{name}"), format!("api_{name}"));
        let operation = Operation::new("post", &path, &id, SERVER_API, summary_of(name));
        let is_required = name == "batch";
        let mut operation = operation
            .takes_as(&["application/json"], request_of(name), is_required)
            .gives(200, "The result, or an error with one of Centrifugo's codes.", answer_of(name))
            .fails(&[ErrorCode::Unauthorized]);
        operation.needs_key = true;
        operation
    };
    server_api::method_names().chain(["batch"]).map(method).collect()
}

fn summary_of(method: &str) -> &'static str {
    match method {
        "publish" => "Publish into a channel",
        "broadcast" => "Publish the same into several channels",
        "subscribe" => "Subscribe a user's connections",
        "unsubscribe" => "End a user's subscriptions",
        "disconnect" => "End a user's connections",
        "refresh" => "Say until when a user's connections last",
        "presence" => "Who is in a channel",
        "presence_stats" => "How many are in a channel",
        "history" => "What was published into a channel",
        "history_remove" => "Forget what was published into a channel",
        "channels" => "Which channels have subscribers",
        "info" => "How the node is",
        _ => "Several commands in one request",
    }
}

/// This documentation.
pub(super) fn documentation() -> Vec<Operation> {
    let get = |path: &str, id: &str, summary: &str| Operation::new("get", path, id, DOCUMENTATION, summary);
    let document = || json!({"type": "object"});
    let names: Vec<_> = ErrorCode::ALL.into_iter().map(ErrorCode::name).collect();
    vec![
        get("/openapi.json", "getOpenApi", "This document").gives(200, "OpenAPI 3.1.", document()),
        get("/asyncapi.json", "getAsyncApi", "What sockets and streams carry").gives(200, "AsyncAPI 3.0.", document()),
        get("/docs", "getDocs", "All routes on a page").gives_as(200, "A page.", HTML, string()),
        get("/docs/style.css", "getStyle", "How these pages look").gives_as(200, "A stylesheet.", CSS, string()),
        get("/docs/errors", "listErrors", "All errors on a page").gives_as(200, "A page.", HTML, string()),
        get("/docs/errors/{name}", "getError", "What an error means and how to mend it")
            .at("name", one_of(&names), "Its name.")
            .gives_as(200, "A page.", HTML, string())
            .fails(&[ErrorCode::NotFound]),
    ]
}
