//! The server API: what another program may have done, with the shapes of Centrifugo's HTTP API.
//!
//! `POST /api/{method}` with the key in `X-API-Key`. Answers are 200 with `{"result":…}` or
//! `{"error":{"code","message"}}`; only a missing key, a body that is no JSON and an unknown method are errors of HTTP.

mod channel_methods;
mod requests;
mod user_methods;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use axum::routing::post;
use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, Uri};
use ordercast_access::{Audience, Origin, Resource, Right, may};
use ordercast_protocol::centrifuge::code::Error;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::fields::without_byte_order_mark;
use ordercast_protocol::json::JsonWriter;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::access::authenticate::by_key;
use crate::app::App;
use crate::http::body::read_body;
use crate::http::parameters::bad_query;
use crate::http::parameters::query_value;
use crate::http::response::json_response;
use crate::problem::Problem;

const KEY_HEADER: &str = "x-api-key";
/// The scheme of the older way to show the key: `Authorization: apikey …`.
const KEY_SCHEME: &str = "apikey";
/// Most commands of one batch.
pub(crate) const MAX_BATCH: usize = 1_000;

/// Fields of bodies that are objects, and the one whose fields are, too.
const OBJECTS: [&str; 4] = [OVERRIDE, "recover_since", "since", "disconnect"];
const OVERRIDE: &str = "override";
/// The fields of that one.
pub(crate) const SWITCHES: [&str; 5] =
    ["presence", "join_leave", "force_push_join_leave", "force_recovery", "force_positioning"];

/// The routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/{method}", post(serve))
}

/// The names of all methods but `batch`.
pub(crate) fn method_names() -> impl Iterator<Item = &'static str> {
    Method::ALL.into_iter().map(|(name, _)| name)
}

/// Everything but `batch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Publish,
    Broadcast,
    Subscribe,
    Unsubscribe,
    Disconnect,
    Refresh,
    Presence,
    PresenceStats,
    History,
    HistoryRemove,
    Channels,
    Info,
}

impl Method {
    const ALL: [(&'static str, Self); 12] = [
        ("publish", Self::Publish),
        ("broadcast", Self::Broadcast),
        ("subscribe", Self::Subscribe),
        ("unsubscribe", Self::Unsubscribe),
        ("disconnect", Self::Disconnect),
        ("refresh", Self::Refresh),
        ("presence", Self::Presence),
        ("presence_stats", Self::PresenceStats),
        ("history", Self::History),
        ("history_remove", Self::HistoryRemove),
        ("channels", Self::Channels),
        ("info", Self::Info),
    ];

    /// The right that it needs, in all application channels.
    fn right(self) -> Right {
        match self {
            Self::Publish | Self::Broadcast => Right::Publish,
            Self::Subscribe | Self::Unsubscribe | Self::Disconnect | Self::Refresh => Right::Subscribe,
            Self::Presence | Self::PresenceStats | Self::Channels | Self::Info => Right::ReadPresence,
            Self::History | Self::HistoryRemove => Right::ReadHistory,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, method)| method)
    }
}

/// Why a command was not carried out.
#[derive(Debug)]
enum Failure {
    /// As Centrifugo's codes say.
    Code(Error),
    /// The body does not fit the method; why.
    Malformed(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Code(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

async fn serve(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<SocketAddr>,
    name: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Path(name) = name.map_err(bad_query)?;
    let origin = authenticate(&app, peer, &headers, uri.query())?;
    let body = read_body(&app, &headers, body).await?;
    let body = body.slice_ref(without_byte_order_mark(&body));
    let malformed = |detail: String| Problem::new(ErrorCode::MalformedJson, detail);
    if name == "batch" {
        return batch(&app, &origin, &body).await.map(json_response).map_err(malformed);
    }
    let Some(method) = Method::named(&name) else {
        return Err(Problem::new(ErrorCode::NotFound, format!("the server API has no method {name}")));
    };
    let mut out = Vec::new();
    match carry_out(&app, &origin, method, &body).await {
        Ok(result) => {
            JsonWriter::new(&mut out).begin_object().key("result").raw(&result).end_object();
        }
        Err(Failure::Code(error)) => write_error(&app, error, &mut out),
        Err(Failure::Malformed(detail)) => return Err(malformed(detail)),
    }
    Ok(json_response(out))
}

/// Where a call comes from, by the key that it shows in one of three places.
fn authenticate(app: &App, peer: SocketAddr, headers: &HeaderMap, query: Option<&str>) -> Result<Origin, Problem> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let by_scheme = authorization.and_then(|value| value.split_once(' '));
    let by_scheme = by_scheme.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(KEY_SCHEME));
    let by_header = headers.get(KEY_HEADER).map(|value| value.as_bytes().to_vec());
    let by_query = || query_value(query, "api_key").map(String::into_bytes);
    let shown = by_header.or_else(|| by_scheme.map(|(_, key)| key.trim().as_bytes().to_vec())).or_else(by_query);
    by_key(&app.config.access, shown.as_deref(), headers, peer.ip())
}

fn write_error(app: &App, error: Error, out: &mut Vec<u8>) {
    let problem = Problem::new(ErrorCode::InvalidQuery, error.message());
    app.report("api", "", &problem);
    let mut json = JsonWriter::new(out);
    json.begin_object().key("error").begin_object();
    json.key("code").integer(error.code()).key("message").string(error.message()).end_object().end_object();
}

/// The result as JSON.
async fn carry_out(app: &App, origin: &Origin, method: Method, body: &[u8]) -> Result<String, Failure> {
    let every_channel = Resource::Channel { audience: Audience::Nobody, is_subscribed: false };
    if !may(&origin.principal, method.right(), every_channel) {
        return Err(Error::PermissionDenied.into());
    }
    // Methods without arguments are called without a body, too.
    let body = if body.is_empty() { b"{}" } else { body };
    check_objects(body)?;
    match method {
        Method::Publish => channel_methods::publish(app, origin, &serde_json::from_slice(body)?).await,
        Method::Broadcast => channel_methods::broadcast(app, origin, &serde_json::from_slice(body)?).await,
        Method::Presence => channel_methods::presence(app, &serde_json::from_slice(body)?),
        Method::PresenceStats => channel_methods::presence_stats(app, &serde_json::from_slice(body)?),
        Method::History => channel_methods::history(app, serde_json::from_slice(body)?).await,
        Method::HistoryRemove => channel_methods::history_remove(app, &serde_json::from_slice(body)?),
        Method::Channels => channel_methods::channels(app, &serde_json::from_slice(body)?),
        Method::Info => Ok(user_methods::info(app)),
        Method::Subscribe => {
            user_methods::subscribe(app, &serde_json::from_slice(body)?, serde_json::from_slice(body)?)
        }
        Method::Unsubscribe => user_methods::unsubscribe(app, &serde_json::from_slice(body)?),
        Method::Disconnect => user_methods::disconnect(app, &serde_json::from_slice(body)?),
        Method::Refresh => user_methods::refresh(app, &serde_json::from_slice(body)?),
    }
}

/// Refuses arrays that stand for objects: they would be read as if they listed the fields' values.
fn check_objects(body: &[u8]) -> Result<(), Failure> {
    type Fields<'a> = BTreeMap<String, &'a RawValue>;
    let is_array = |value: &RawValue| value.get().starts_with('[');
    let fields: Fields<'_> = serde_json::from_slice(body)?;
    for (name, value) in fields.iter().filter(|(name, _)| OBJECTS.contains(&name.as_str())) {
        let nested = serde_json::from_str::<Option<Fields<'_>>>(value.get())?.unwrap_or_default();
        let is_switch = |(name, _): &(&String, _)| SWITCHES.contains(&name.as_str());
        if name == OVERRIDE && nested.iter().filter(is_switch).any(|(_, switch)| is_array(switch)) {
            return Err(Failure::Malformed(format!("{name} holds objects such as {{\"value\":true}}")));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    commands: Vec<BTreeMap<String, &'a RawValue>>,
}

/// Commands in their order, whether `parallel` is asked for or not.
async fn batch(app: &App, origin: &Origin, body: &[u8]) -> Result<Vec<u8>, String> {
    if body.trim_ascii().starts_with(b"[") {
        return Err("a batch is an object such as {\"commands\":[]}".to_owned());
    }
    let batch: Batch<'_> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if batch.commands.len() > MAX_BATCH {
        return Err(format!("a batch has at most {MAX_BATCH} commands"));
    }
    let mut out = b"{\"replies\":[".to_vec();
    for (index, command) in batch.commands.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let known = command.iter().find_map(|(name, body)| Some((name, Method::named(name)?, *body)));
        let Some((name, method, body)) = known else {
            write_error(app, Error::MethodNotFound, &mut out);
            continue;
        };
        match carry_out(app, origin, method, body.get().as_bytes()).await {
            Ok(result) => {
                JsonWriter::new(&mut out).begin_object().key(name).raw(&result).end_object();
            }
            Err(Failure::Code(error)) => write_error(app, error, &mut out),
            Err(Failure::Malformed(_)) => write_error(app, Error::BadRequest, &mut out),
        }
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}
