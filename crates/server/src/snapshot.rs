//! Snapshot and tail in one request: how things stand as of an offset, and every event from there on.
//!
//! The state and its offset are read in one transaction, and the subscription begins at that offset, so there is
//! neither a hole nor a repeat between the two. Where a list takes several pages, the subscription begins at the
//! lowest of their offsets: an order that a later page shows newer is told again, with the version that it has.

use std::sync::Arc;

use ordercast_engine::encode;
use ordercast_hub::session::{Connection, Subscribe};
use ordercast_protocol::channel::{Channel, Log, Source, View};
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::json::JsonWriter;
use ordercast_protocol::position::Position;
use ordercast_store::log::LogState;
use ordercast_store::read::OrderQuery;

use crate::app::App;
use crate::orders::find;
use crate::problem::Problem;

/// Most orders of one snapshot, the newest; `more` tells that there are others.
const MAX_ORDERS: usize = 1_000;
/// Orders read at once, so that no reader is kept from others for long.
const PAGE_ORDERS: usize = 250;

/// A snapshot on its way to the session that asked.
pub(crate) struct Snapshot {
    channel: Channel,
    options: Subscribe,
    outcome: Result<(Vec<u8>, Position), Problem>,
}

/// Reads how things stand, and has the session go on with [`Snapshot::go_on`].
pub(crate) fn begin(
    app: &Arc<App>,
    connection: &mut dyn Connection,
    channel: Channel,
    options: Subscribe,
) -> Result<(), Problem> {
    if !matches!(channel.source, Source::Log(Log::Orders | Log::Products, _)) {
        let detail = format!("{:?} has no snapshot; orders, products and their views have", channel.name);
        return Err(Problem::new(ErrorCode::InvalidQuery, detail));
    }
    let (app, replies) = (Arc::clone(app), connection.replies());
    let runtime = app.runtime.clone();
    runtime.spawn(async move {
        let Ok(_turn) = app.snapshots.acquire().await else {
            return;
        };
        let outcome = read(&app, &channel).await;
        replies.signal(Arc::new(Snapshot { channel, options, outcome }));
    });
    Ok(())
}

impl Snapshot {
    /// Sends the snapshot, and subscribes from its offset on.
    pub(crate) fn go_on(&self, connection: &mut dyn Connection) -> Result<(), Problem> {
        let (frame, position) = self.outcome.as_ref().map_err(Problem::clone)?;
        connection.send(frame);
        let options = Subscribe { since: Some(position.clone()), ..self.options.clone() };
        connection.subscribe(self.channel.clone(), options).map_err(Problem::from)
    }
}

async fn read(app: &App, channel: &Channel) -> Result<(Vec<u8>, Position), Problem> {
    match &channel.source {
        Source::Log(Log::Products, _) => products(app, channel).await,
        Source::Log(_, View::Order(id)) => order(app, channel, Arc::clone(id)).await,
        Source::Log(_, View::Customer(id)) => orders(app, channel, Some(Arc::clone(id))).await,
        Source::Log(..) | Source::Memory(_) => orders(app, channel, None).await,
    }
}

async fn products(app: &App, channel: &Channel) -> Result<(Vec<u8>, Position), Problem> {
    let catalogue = app.store.catalogue().await?;
    let mut out = Vec::with_capacity(catalogue.products.len() * 160 + 128);
    let mut json = begin_frame(channel, &catalogue.as_of, &mut out);
    json.key("products").begin_array();
    for product in &catalogue.products {
        let hash = product.hash();
        json.begin_object();
        encode::product_view(product, &hash).write_fields(&mut json);
        json.end_object();
    }
    json.end_array().key("more").boolean(false).end_object();
    Ok((out, position(&catalogue.as_of)))
}

/// One order. Its state is read after the offset, so the tail may repeat what it shows, never miss any of it.
async fn order(app: &App, channel: &Channel, id: Arc<str>) -> Result<(Vec<u8>, Position), Problem> {
    let as_of = app.hub.log_state(Log::Orders);
    let (order, details) = find(app, id).await?;
    let mut text = Vec::with_capacity(512);
    encode::order_json(&order, &details, &mut text);
    let mut out = Vec::with_capacity(text.len() + 128);
    let mut json = begin_frame(channel, &as_of, &mut out);
    json.key("orders").begin_array().raw(&String::from_utf8_lossy(&text)).end_array();
    json.key("more").boolean(false).end_object();
    Ok((out, position(&as_of)))
}

async fn orders(app: &App, channel: &Channel, customer_id: Option<Arc<str>>) -> Result<(Vec<u8>, Position), Problem> {
    let (mut texts, mut before, mut as_of) = (Vec::new(), None, None);
    while texts.len() < MAX_ORDERS {
        let query =
            OrderQuery { customer_id: customer_id.clone(), before, limit: PAGE_ORDERS, ..OrderQuery::default() };
        let page = app.store.orders(query).await?;
        as_of.get_or_insert(page.as_of);
        for (order, details) in &page.orders {
            let mut text = Vec::with_capacity(512);
            encode::order_json(order, details, &mut text);
            texts.push(text);
        }
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let as_of = as_of.unwrap_or_else(|| app.hub.log_state(Log::Orders));
    let mut out = Vec::with_capacity(texts.iter().map(Vec::len).sum::<usize>() + 128);
    let mut json = begin_frame(channel, &as_of, &mut out);
    json.key("orders").begin_array();
    for text in &texts {
        json.raw(&String::from_utf8_lossy(text));
    }
    json.end_array().key("more").boolean(before.is_some()).end_object();
    Ok((out, position(&as_of)))
}

fn begin_frame<'a>(channel: &Channel, as_of: &LogState, out: &'a mut Vec<u8>) -> JsonWriter<'a> {
    let mut json = JsonWriter::new(out);
    json.begin_object().key("type").string("snapshot").key("channel").string(&channel.name);
    json.key("epoch").string(&as_of.epoch.0).key("offset").integer(as_of.head);
    json
}

fn position(as_of: &LogState) -> Position {
    Position { epoch: as_of.epoch.clone(), offset: as_of.head }
}
