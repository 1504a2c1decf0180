//! The AsyncAPI document: what sockets and streams carry.

use ordercast_domain::draft::MAX_QUANTITY;
use ordercast_domain::transition::ActionName;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::frame::{MAX_HISTORY_EVENTS, MAX_PRESENCE_MEMBERS, MAX_SAMPLE_MS};
use ordercast_protocol::limits::{
    MAX_CHANNEL_BYTES, MAX_CHANNELS, MAX_IDEMPOTENCY_KEY_BYTES, MAX_MESSAGE_BYTES, MAX_SKU_BYTES, MAX_TEXT_BYTES,
};
use ordercast_protocol::position::MAX_EPOCH_BYTES;
use serde_json::{Map, Value, json};

use super::figures::{ADJUSTMENT, PRODUCT, adjustment_fields, product_fields};
use super::openapi::schemas;
use super::orders::{action_request, actions, order_request};
use super::schema::{about, answer, count, filled, flag, list, named, one_of, or_null, strict, string, text, with};
use crate::centrifuge::endpoints::WEBSOCKET_PATH;

/// A frame: its name, what it is for, and its schema.
type Frame = (&'static str, &'static str, Value);

/// The document.
pub(super) fn document() -> Value {
    let (asked, said, told) = (asked(), said(), told());
    let sent: Vec<&Frame> = said.iter().chain(&told).collect();
    let messages = |frames: &[&Frame]| -> Value {
        let entry = |frame: &&Frame| (frame.0.to_owned(), reference("messages", frame.0));
        frames.iter().map(entry).collect::<Map<_, _>>().into()
    };
    let all: Vec<&Frame> = asked.iter().chain(sent.iter().copied()).collect();
    let components: Map<_, _> = all.iter().map(|frame| (frame.0.to_owned(), message(frame))).collect();
    let sse = json!({"http": {"method": "GET", "bindingVersion": "0.3.0"}});
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ordercast: sockets and streams",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!(
                "One JSON object a frame, of at most {MAX_MESSAGE_BYTES} bytes from clients. Events of a log have offsets \
                 that rise; a subscription with `since` goes on after a position. Routes over HTTP stand in `/openapi.json`."
            ),
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "localhost:8080", "protocol": "ws"}},
        "channels": {
            "plain": {
                "address": "/ws",
                "title": "The plain JSON protocol",
                "messages": messages(&all),
                "bindings": {"ws": {"method": "GET", "query": socket_query(), "bindingVersion": "0.1.0"}},
            },
            "events": {
                "address": "/events",
                "title": "Events as Server-Sent Events",
                "description": "The data of each event is a frame; its `id` holds the position of every channel.",
                "messages": messages(&told.iter().chain(said.iter().filter(|frame| frame.0 == "subscribed")).collect::<Vec<_>>()),
            },
            "centrifuge": centrifuge(),
        },
        "operations": {
            "ask": operation("receive", "plain", &asked.iter().collect::<Vec<_>>()),
            "tell": operation("send", "plain", &sent),
            "stream": with(
                operation("send", "events", &told.iter().collect::<Vec<_>>()),
                json!({"bindings": sse}),
            ),
        },
        "components": {"messages": components, "schemas": schemas()},
    })
}

fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

fn message((name, summary, schema): &Frame) -> Value {
    json!({"name": name, "summary": summary, "payload": schema})
}

fn operation(action: &str, channel: &str, frames: &[&Frame]) -> Value {
    let messages: Vec<_> =
        frames.iter().map(|frame| json!({"$ref": format!("#/channels/{channel}/messages/{}", frame.0)})).collect();
    json!({"action": action, "channel": {"$ref": format!("#/channels/{channel}")}, "messages": messages})
}

fn socket_query() -> Value {
    let channels = about(string(), "Instead of the default channels, by commas.");
    json!({"type": "object", "properties": {"channels": channels}})
}

/// That protocol is described by its own project; here stands what is ours.
fn centrifuge() -> Value {
    json!({
        "address": WEBSOCKET_PATH,
        "title": "The Centrifuge client protocol v2",
        "description": "In JSON, or in Protobuf by the subprotocol `centrifuge-protobuf`. The same over \
                        `/connection/http_stream`, `/connection/sse` and `/emulation`. RPC methods: order.place, order.get, \
                        orders.list, order.events, products.list, and order.{action} for every action.",
        "externalDocs": {"url": "https://centrifugal.dev/docs/transports/client_protocol"},
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
    })
}

fn kind(name: &str) -> Value {
    one_of(&[name])
}

fn mark() -> Value {
    json!({"description": "The client's own mark, at most 256 bytes of JSON; the answer gives it back."})
}

/// What every frame of a client begins with.
fn head(name: &str) -> Value {
    json!({"type": kind(name), "ref": mark()})
}

fn channel() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": MAX_CHANNEL_BYTES})
}

fn channels() -> Value {
    json!({"type": "array", "items": channel(), "minItems": 1, "maxItems": MAX_CHANNELS})
}

/// What clients ask for.
fn asked() -> Vec<Frame> {
    let bounded = |least: usize, most: usize| or_null(json!({"type": "integer", "minimum": least, "maximum": most}));
    let full = with(order_request()["properties"].clone(), head("order"));
    let mut product = order_request()["properties"].clone();
    if let Some(fields) = product.as_object_mut() {
        fields.retain(|name, _| !["items", "amount", "charges"].contains(&name.as_str()));
    }
    let product = with(
        product,
        json!({
            "product": about(text(MAX_SKU_BYTES), "Hash or SKU of the catalogue."),
            "quantity": about(or_null(json!({"type": "integer", "minimum": 1, "maximum": MAX_QUANTITY})), "1 without it."),
            "customer": about(or_null(filled(MAX_TEXT_BYTES)), "The guest of this connection without it."),
            "address": about(or_null(filled(MAX_TEXT_BYTES)), "To be collected without it."),
        }),
    );
    let epoch = json!({"type": "string", "pattern": format!("^[0-9a-z]{{1,{MAX_EPOCH_BYTES}}}$")});
    let positions = json!({
        "type": "object",
        "additionalProperties": strict(&["epoch", "offset"], json!({"epoch": epoch, "offset": count()})),
    });
    let subscribe = json!({
        "channels": channels(),
        "since": about(or_null(positions), "Positions by channel, after which it goes on."),
        "snapshot": about(or_null(flag()), "First how things stand."),
        "policy": or_null(one_of(&["all", "latest", "sampled"])),
        "interval_ms": or_null(json!({"type": "integer", "minimum": 1, "maximum": MAX_SAMPLE_MS})),
    });
    let history = json!({
        "channel": channel(),
        "before": about(or_null(count()), "Only what is older."),
        "limit": bounded(1, MAX_HISTORY_EVENTS),
    });
    let presence = json!({"channel": channel(), "limit": bounded(0, MAX_PRESENCE_MEMBERS), "after": or_null(string())});
    vec![
        ("order", "Place an order.", strict(&["type", "items", "customer", "address"], full)),
        (
            "productOrder",
            "Order one product at the catalogue's price.",
            strict(&["type", "product"], with(product, head("order"))),
        ),
        ("orderAction", "Do something to an order.", order_action()),
        ("subscribe", "Subscribe, or go on.", strict(&["type", "channels"], with(subscribe, head("subscribe")))),
        (
            "unsubscribe",
            "End subscriptions.",
            strict(&["type", "channels"], with(json!({"channels": channels()}), head("unsubscribe"))),
        ),
        ("askHistory", "Page back.", strict(&["type", "channel"], with(history, head("history")))),
        ("askPresence", "Who is there.", strict(&["type", "channel"], with(presence, head("presence")))),
        ("ping", "A sign of life.", strict(&["type"], head("ping"))),
    ]
}

fn order_action() -> Value {
    let names: Vec<_> = actions().into_iter().map(ActionName::name).collect();
    let mut fields = json!({
        "id": text(MAX_SKU_BYTES),
        "action": one_of(&names),
        "version": or_null(json!({"type": "integer", "minimum": 0, "maximum": u32::MAX})),
        "idempotency_key": or_null(text(MAX_IDEMPOTENCY_KEY_BYTES)),
    });
    for action in actions() {
        fields = with(fields, action_request(action)["properties"].clone());
    }
    strict(&["type", "id", "action"], with(fields, head("order_action")))
}

fn frame(name: &str, required: &[&str], fields: Value) -> Value {
    let required: Vec<_> = ["type"].into_iter().chain(required.iter().copied()).collect();
    answer(&required, with(fields, json!({"type": kind(name)})))
}

/// What the server says to one client.
fn said() -> Vec<Frame> {
    let codes = ErrorCode::ALL.map(ErrorCode::name);
    let field = answer(&["pointer", "detail"], json!({"pointer": string(), "detail": string()}));
    let error = json!({"code": one_of(&codes), "message": string(), "ref": {}, "errors": list(field)});
    let next = json!({"type": ["integer", "null"]});
    let place = json!({"channel": string(), "epoch": string(), "offset": count()});
    let subscribed = json!({"recovered": flag(), "floor": about(count(), "The last offset that is gone.")});
    let continues = about(flag(), "Another frame of the same follows.");
    let catalogue = json!({"products": list(named("Product")), "message": string(), "continues": continues});
    let snapshot = json!({"orders": list(named("Order")), "products": list(named("Product")), "more": flag(), "continues": continues});
    let history = json!({"ref": {}, "floor": count(), "events": list(json!({"type": "object"})), "next": next});
    let members = json!({
        "ref": {}, "channel": string(), "clients": count(), "users": count(), "members": list(named("ClientInfo")),
        "next": {"type": ["string", "null"]}, "joined": list(named("ClientInfo")), "left": list(named("ClientInfo")),
    });
    vec![
        ("connect", "The connection's id.", frame("connect", &["id"], json!({"id": string()}))),
        ("products", "The catalogue.", frame("products", &["products"], catalogue)),
        (
            "orderAck",
            "It is durable.",
            frame("order_ack", &["order"], json!({"ref": {}, "replayed": flag(), "order": named("Order")})),
        ),
        ("error", "What is wrong, and how to mend it.", frame("error", &["code", "message"], error)),
        (
            "subscribed",
            "From where the subscription goes on; `recovered: false` when something is lost.",
            frame("subscribed", &["channel", "epoch", "offset"], with(place.clone(), subscribed)),
        ),
        (
            "unsubscribed",
            "The subscription has ended.",
            frame("unsubscribed", &["channel"], json!({"channel": string()})),
        ),
        (
            "snapshot",
            "How things stand as of an offset.",
            frame("snapshot", &["channel", "epoch", "offset", "more"], with(place.clone(), snapshot)),
        ),
        (
            "history",
            "The newest first.",
            frame("history", &["channel", "epoch", "offset", "floor", "events", "next"], with(place, history)),
        ),
        ("presence", "Who is there, or who came and left.", frame("presence", &["channel"], members)),
        ("pong", "The answer to a sign of life.", named("Pong")),
        (
            "reconnect",
            "The server goes away; when to come back.",
            frame("reconnect", &["after_ms"], json!({"after_ms": count()})),
        ),
    ]
}

/// What happens in channels.
fn told() -> Vec<Frame> {
    let event = |name: &str, required: &[&str], fields: Value| {
        let own = json!({"v": count(), "timestamp": count(), "channel": string(), "offset": count()});
        let required: Vec<_> =
            ["v", "timestamp", "channel", "offset"].into_iter().chain(required.iter().copied()).collect();
        frame(name, &required, with(fields, own))
    };
    let publication = json!({
        "channel": string(), "offset": count(), "data": {}, "data_base64": string(), "info": named("ClientInfo"),
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "time": about(count(), "Milliseconds since 1970."),
    });
    vec![
        ("orderEvent", "An order has changed (`orders` and its views).", named("OrderEvent")),
        ("marketData", "A price or stock has changed (`products`).", event("market_data", &PRODUCT, product_fields())),
        (
            "adjustment",
            "A money fact that is no order (`adjustments`).",
            event("adjustment", &ADJUSTMENT, adjustment_fields()),
        ),
        ("stats", "One second of the server (`stats`).", named("StatsTick")),
        ("publication", "What an application published.", frame("publication", &["channel", "offset"], publication)),
    ]
}
