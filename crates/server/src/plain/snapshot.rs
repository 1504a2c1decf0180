//! How things stand, sent before the tail of a subscription.
//!
//! A snapshot is sent in pages: the next is made when the client has taken the one before, so a slow client holds one
//! page, however much there is. Pages are shared by those who ask at about the same time. A later page may show what
//! the tail shows again; versions tell. Nothing is missed, for the tail begins where the first page was read.

use std::sync::Arc;

use ordercast_domain::ids::{CustomerId, OrderId};
use ordercast_engine::encode;
use ordercast_hub::handler::{Connection, Post, Subscribe};
use ordercast_protocol::channel::{Channel, Log, Source, View};
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::json::JsonWriter;
use ordercast_protocol::position::Position;
use ordercast_protocol::topic::TopicKind;
use ordercast_store::log::LogState;
use ordercast_store::read::OrderQuery;

use crate::app::App;
use crate::app::snapshot_pages::{PAGE_BYTES, SnapshotPage, Start};
use crate::operations::orders::find;
use crate::problem::Problem;

/// Most orders of one snapshot, the newest; `more` says that there are others.
const MAX_ORDERS: usize = 1_000;
/// Orders read at once, so that no reader is kept from others for long.
const PAGE_ORDERS: usize = 250;

/// A page on its way to the handler that asked.
pub(crate) struct Snapshot {
    channel: Channel,
    options: Subscribe,
    /// Where the tail begins: as of the first page.
    since: Option<Position>,
    outcome: Result<Arc<SnapshotPage>, Problem>,
}

/// Reads how things stand, and has the handler go on with [`Snapshot::go_on`].
pub(crate) fn begin(
    app: &Arc<App>,
    connection: &mut dyn Connection,
    (channel, options): (Channel, Subscribe),
    post: impl FnOnce() -> Post<Snapshot>,
) -> Result<(), Problem> {
    if !matches!(channel.source, Source::Log(Log::Orders | Log::Products, _)) {
        let detail = format!("{:?} has no snapshot; orders, products and their views have", channel.name);
        return Err(Problem::new(ErrorCode::InvalidQuery, detail));
    }
    ask(app, connection, (channel, options), (Start::First, None), post());
    Ok(())
}

fn ask(
    app: &Arc<App>,
    connection: &mut dyn Connection,
    (channel, options): (Channel, Subscribe),
    (start, since): (Start, Option<Position>),
    post: Post<Snapshot>,
) {
    let app = Arc::clone(app);
    connection.ask(Box::new(move |replies| {
        let runtime = app.runtime.clone();
        runtime.spawn(async move {
            let outcome = page(&app, &channel, start, since.as_ref()).await;
            post.send(Snapshot { channel, options, since, outcome }, &replies);
        });
    }));
}

impl Snapshot {
    /// Sends the page; then asks for the next, or subscribes from where the first was read.
    pub(crate) fn go_on(
        self,
        app: &Arc<App>,
        connection: &mut dyn Connection,
        post: impl FnOnce() -> Post<Snapshot>,
    ) -> Result<(), Problem> {
        let page = self.outcome?;
        let since = self.since.unwrap_or_else(|| position(&page.as_of));
        connection.send_shared(page.frame.clone());
        if let Some(next) = &page.next {
            ask(app, connection, (self.channel, self.options), (next.clone(), Some(since)), post());
            return Ok(());
        }
        let options = Subscribe { since: Some(since), ..self.options };
        connection.subscribe(self.channel, options).map_err(Problem::from)
    }
}

async fn page(
    app: &App,
    channel: &Channel,
    start: Start,
    since: Option<&Position>,
) -> Result<Arc<SnapshotPage>, Problem> {
    if let Some(page) = app.snapshots.find(channel, &start, since) {
        return Ok(page);
    }
    let _turn = app.snapshots.turns.acquire().await;
    // Who waited for the turn may have been overtaken by one who wanted the same.
    if let Some(page) = app.snapshots.find(channel, &start, since) {
        return Ok(page);
    }
    let page = Arc::new(read(app, channel, &start).await?);
    app.snapshots.keep(channel, start, &page);
    Ok(page)
}

async fn read(app: &App, channel: &Channel, start: &Start) -> Result<SnapshotPage, Problem> {
    match &channel.source {
        Source::Log(Log::Products, _) => Ok(products(app, channel, start)),
        Source::Log(_, View::Topic(topic)) => match topic.kind {
            TopicKind::Order => order(app, channel, Arc::clone(&topic.id).into()).await,
            TopicKind::Customer => orders(app, channel, Some(Arc::clone(&topic.id).into()), start).await,
            // Such channels have no snapshot.
            TopicKind::Channel => orders(app, channel, None, start).await,
        },
        Source::Log(_, View::All) | Source::Memory(_) => orders(app, channel, None, start).await,
    }
}

/// From the catalogue in memory, which a commit changes before it is announced: it is never behind the log's head.
fn products(app: &App, channel: &Channel, start: &Start) -> SnapshotPage {
    let as_of = app.hub.log_state(Log::Products);
    let after = match start {
        Start::After(sku) => Some(sku),
        Start::First | Start::Before(..) => None,
    };
    let (products, next) = app.products_after(after);
    let mut out = Vec::with_capacity(PAGE_BYTES);
    let mut json = begin_frame(channel, &as_of, &mut out);
    json.key("products").begin_array();
    for (hash, product) in &products {
        json.begin_object();
        encode::product_view(product, hash).write_fields(&mut json);
        json.end_object();
    }
    json.end_array().key("more").boolean(false);
    end_frame(&mut json, next.is_some());
    SnapshotPage { frame: out.into(), as_of, next: next.map(Start::After) }
}

/// One order. Its state is read after the offset, so the tail may repeat what it shows, never miss any of it.
async fn order(app: &App, channel: &Channel, id: OrderId) -> Result<SnapshotPage, Problem> {
    let as_of = app.hub.log_state(Log::Orders);
    let (order, details) = find(app, id).await?;
    let mut text = Vec::with_capacity(512);
    encode::order_json(&order, &details, &mut text);
    let mut out = Vec::with_capacity(text.len() + 128);
    let mut json = begin_frame(channel, &as_of, &mut out);
    json.key("orders").begin_array().raw(&String::from_utf8_lossy(&text)).end_array();
    json.key("more").boolean(false).end_object();
    Ok(SnapshotPage { frame: out.into(), as_of, next: None })
}

async fn orders(
    app: &App,
    channel: &Channel,
    customer_id: Option<CustomerId>,
    start: &Start,
) -> Result<SnapshotPage, Problem> {
    let (before, sent) = match start {
        Start::Before(seq, sent) => (Some(*seq), *sent),
        Start::First | Start::After(_) => (None, 0),
    };
    let limit = PAGE_ORDERS.min(MAX_ORDERS.saturating_sub(sent)).max(1);
    let query = OrderQuery { customer_id, before, limit, ..OrderQuery::default() };
    let read = app.store.orders(query).await?;
    let mut out = Vec::with_capacity(PAGE_BYTES);
    let mut json = begin_frame(channel, &read.as_of, &mut out);
    json.key("orders").begin_array();
    let (mut next, mut bytes, mut count, mut text) = (read.next, 0, 0, Vec::with_capacity(512));
    for (order, details) in &read.orders {
        text.clear();
        encode::order_json(order, details, &mut text);
        json.raw(&String::from_utf8_lossy(&text));
        (bytes, count) = (bytes + text.len(), count + 1);
        if bytes >= PAGE_BYTES && count < read.orders.len() {
            next = Some(order.seq);
            break;
        }
    }
    let sent = sent + count;
    let follows = next.filter(|_| sent < MAX_ORDERS);
    json.end_array().key("more").boolean(next.is_some() && follows.is_none());
    end_frame(&mut json, follows.is_some());
    Ok(SnapshotPage { frame: out.into(), as_of: read.as_of, next: follows.map(|seq| Start::Before(seq, sent)) })
}

fn begin_frame<'a>(channel: &Channel, as_of: &LogState, out: &'a mut Vec<u8>) -> JsonWriter<'a> {
    let mut json = JsonWriter::new(out);
    json.begin_object().key("type").string("snapshot").key("channel").string(&channel.name);
    json.key("epoch").string(&as_of.epoch.0).key("offset").integer(as_of.head);
    json
}

fn end_frame(json: &mut JsonWriter<'_>, continues: bool) {
    if continues {
        json.key("continues").boolean(true);
    }
    json.end_object();
}

fn position(as_of: &LogState) -> Position {
    Position { epoch: as_of.epoch.clone(), offset: as_of.head }
}
