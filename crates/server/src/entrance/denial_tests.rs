//! What a principal without the right is refused by the routes, on `/events` and on `/ws`: a customer, whom no entrance
//! lets in over HTTP yet.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use bytes::Bytes;
use hyper::{HeaderMap, Request, StatusCode, Uri};
use ordercast_access::{Origin, Principal};
use ordercast_broker::{Broker, InProcessBroker};
use ordercast_domain::money::Currency;
use ordercast_domain::rules::Rules;
use ordercast_engine::processor::TimedProcessor;
use ordercast_engine::{Engine, EngineConfig, EngineParts};
use ordercast_hub::{Hub, HubConfig, Seams, Upgraded};
use ordercast_protocol::error::ErrorCode;
use ordercast_store::read::ReadStore;
use ordercast_store_sqlite::{SqliteOptions, SqliteReader, open};
use serde_json::{Value, json};
use tower_service::Service;

use super::routes::routes;
use crate::app::{App, ServerConfig};
use crate::operations::drafts::{Entrance, draft_of};
use crate::plain::handler::PlainHandler;
use crate::resources::events;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Long enough for a slow machine; only a defect waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server without its listener, with the orders `own` of ann and `foreign` of bob.
async fn app_on(dir: &Path) -> Arc<App> {
    let (writer, reader) = open(&SqliteOptions::new(dir)).unwrap();
    let logs = Arc::new(reader);
    let broker: Arc<dyn Broker> = Arc::new(InProcessBroker::new());
    let store: Arc<dyn ReadStore> = Arc::<SqliteReader>::clone(&logs);
    let handle = tokio::runtime::Handle::current();
    let config = HubConfig::default();
    let seams = Seams::in_process(&config, logs, Arc::clone(&broker));
    let hub = Hub::start(config, seams, handle).await.unwrap();
    let processor = Arc::new(TimedProcessor::default());
    let parts = EngineParts { writer: Box::new(writer), reader: Arc::clone(&store), broker, processor };
    let rules = Rules::standard(Currency::parse("USD").unwrap());
    let config = EngineConfig { slots: 0, ..EngineConfig::new(rules) };
    let engine = Engine::start(config, parts).await.unwrap();
    let app = App::new(engine, hub, store, ServerConfig::default());
    for (id, customer) in [("own", "ann"), ("foreign", "bob")] {
        let body = json!({"id": id, "amount": 5, "items": ["a"], "customer": customer, "address": "x"}).to_string();
        let draft = draft_of(&app.engine, body.as_bytes(), &Entrance::LINE).unwrap();
        app.engine.place(Origin::new(Principal::local(), CLIENT), draft).await.unwrap();
    }
    app
}

fn ann(app: &App) -> Origin {
    Origin::new(Principal::customer(app.engine.customers().opaque("ann").into()), CLIENT)
}

#[tokio::test]
async fn routes_are_open_to_those_who_have_the_right() {
    let dir = tempfile::tempdir().unwrap();
    let app = app_on(dir.path()).await;
    let (ann, local) = (ann(&app), Origin::new(Principal::local(), CLIENT));
    let mut routes = routes(Arc::clone(&app));
    for (method, path, by_ann, by_local) in [
        ("GET", "/orders", 403, 200),
        ("GET", "/orders/own", 200, 200),
        ("GET", "/orders/foreign", 403, 200),
        ("GET", "/orders/missing", 403, 404),
        ("GET", "/orders/foreign/events", 403, 200),
        ("POST", "/orders/foreign/cancel", 404, 200),
        ("POST", "/orders/own/cancel", 200, 409),
        ("POST", "/orders/retry", 403, 422),
        ("GET", "/queues", 403, 200),
        ("POST", "/work/claim", 403, 200),
        ("GET", "/products", 200, 200),
        ("POST", "/products", 403, 422),
        ("GET", "/adjustments", 403, 200),
        ("GET", "/stats", 403, 200),
        ("GET", "/metrics", 403, 200),
        ("GET", "/health", 200, 200),
    ] {
        for (origin, expected) in [(Some(&ann), by_ann), (Some(&local), by_local), (None, 0)] {
            let mut request = Request::builder().method(method).uri(path);
            if let Some(origin) = origin {
                request = request.extension(origin.clone());
            }
            let answer = routes.call(request.body(Body::from("{}")).unwrap()).await.unwrap();
            match origin {
                Some(origin) => assert_eq!(answer.status(), expected, "{method} {path} by {}", origin.principal),
                None => assert!(path == "/health" || answer.status() == StatusCode::FORBIDDEN, "{method} {path}"),
            }
        }
    }
}

#[tokio::test]
async fn an_event_stream_is_refused_with_a_channel_that_is_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let app = app_on(dir.path()).await;
    let (ann, local) = (ann(&app), Origin::new(Principal::local(), CLIENT));
    let own = format!("orders:{}", ann.principal.id);
    for (channels, is_open) in [
        ("orders", false),
        (&*own, true),
        ("orders:c_other", false),
        ("order:own", true),
        ("order:foreign", false),
        ("order:missing", false),
        ("products", true),
        ("products,order:own", true),
        ("products,orders", false),
        ("stats", false),
        ("adjustments", false),
    ] {
        for (origin, is_open) in [(&ann, is_open), (&local, true)] {
            let uri: Uri = format!("/events?channels={channels}").parse().unwrap();
            let opened =
                events::stream(State(Arc::clone(&app)), Extension(origin.clone()), uri, HeaderMap::new()).await;
            let refused = opened.err().map(|problem| problem.code);
            let expected = (!is_open).then_some(ErrorCode::PermissionDenied);
            assert_eq!(refused, expected, "{channels} by {}", origin.principal);
        }
    }
}

/// A client of `/ws` whose session belongs to a principal.
struct Client(TcpStream);

impl Client {
    fn new(app: &Arc<App>, origin: Origin, channels: &[&str]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let own = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        own.set_read_timeout(Some(PATIENCE)).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let channels = channels.iter().map(|name| app.config.channels.resolve(name).unwrap()).collect();
        let session = Box::new(PlainHandler::new(Arc::clone(app), channels));
        let upgraded =
            Upgraded { stream, answer: Bytes::new(), already_read: &[], max_message_bytes: None, compression: false };
        app.hub.adopt(app.hub.reserve().unwrap(), upgraded, origin, session).unwrap();
        Self(own)
    }

    /// Sends a message in one masked frame (RFC 6455 §5.2), with a mask of zeros.
    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 126).expect("a short message");
        self.0.write_all(&[&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()).unwrap();
    }

    /// The next message of a type that matters here.
    fn next(&mut self) -> Value {
        loop {
            let mut head = [0; 2];
            self.0.read_exact(&mut head).unwrap();
            let length = match head[1] {
                126 => {
                    let mut length = [0; 2];
                    self.0.read_exact(&mut length).unwrap();
                    usize::from(u16::from_be_bytes(length))
                }
                length => usize::from(length),
            };
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).unwrap();
            let message: Value = serde_json::from_slice(&payload).unwrap();
            if !["connect", "products"].iter().any(|kind| message["type"] == *kind) {
                return message;
            }
        }
    }

    fn is_refused(&mut self, message: &Value) -> bool {
        self.send(message);
        let answer = self.next();
        let is_refused = answer["type"] == "error";
        assert!(!is_refused || answer["code"] == "permission-denied", "{answer}");
        is_refused
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_refused_the_channels_that_are_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let app = app_on(dir.path()).await;
    let (ann, local) = (ann(&app), Origin::new(Principal::local(), CLIENT));
    let own = format!("orders:{}", ann.principal.id);
    let mut by_ann = Client::new(&app, ann, &["orders"]);
    assert_eq!(by_ann.next()["code"], "permission-denied", "the channels of the address are judged too");
    let mut by_local = Client::new(&app, local, &["orders"]);
    assert_eq!(by_local.next()["type"], "subscribed");
    let subscribe = |channel: &str| json!({"type": "subscribe", "channels": [channel]});
    let snapshot = |channel: &str| json!({"type": "subscribe", "channels": [channel], "snapshot": true});
    let history = |channel: &str| json!({"type": "history", "channel": channel});
    let presence = |channel: &str| json!({"type": "presence", "channel": channel});
    for (channel, is_open) in [
        ("orders", false),
        (&*own, true),
        ("orders:c_other", false),
        ("order:own", true),
        ("order:foreign", false),
        ("order:missing", false),
        ("products", true),
        ("adjustments", false),
        ("stats", false),
    ] {
        for message in [subscribe(channel), history(channel), presence(channel)] {
            if channel == "stats" && message["type"] == "history" {
                continue;
            }
            assert_eq!(by_ann.is_refused(&message), !is_open, "{message}");
            assert!(!by_local.is_refused(&message), "{message}");
        }
    }
    assert!(by_ann.is_refused(&snapshot("orders")));
    assert!(by_ann.is_refused(&snapshot("order:foreign")));
    by_ann.send(&snapshot("order:own"));
    assert_eq!(by_ann.next()["type"], "snapshot");
    assert_eq!(by_ann.next()["type"], "subscribed");
    let order =
        |customer: &str| json!({"type": "order", "amount": 5, "items": ["a"], "customer": customer, "address": "x"});
    assert!(by_ann.is_refused(&order("bob")));
    let cancel = json!({"type": "order_action", "id": "foreign", "action": "cancel"});
    by_ann.send(&cancel);
    assert_eq!(by_ann.next()["code"], "not-found", "another's order is not known to exist");
}
