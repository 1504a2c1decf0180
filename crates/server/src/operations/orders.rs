//! Looking up orders, their lists and their events, as JSON for every entrance.

use ordercast_access::{Principal, Resource, Right, Verdict, judge};
use ordercast_domain::ids::OrderId;
use ordercast_domain::order::{Details, Fulfilment, Order};
use ordercast_domain::status::{Lane, Status};
use ordercast_domain::transition::{ActionName, actions_from};
use ordercast_engine::encode;
use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::envelope::Wire;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::excerpt::excerpt;
use ordercast_protocol::json::JsonWriter;
use ordercast_protocol::topic::TopicKind;
use ordercast_store::log::{LogState, PageLimit, PageQuery};
use ordercast_store::read::OrderQuery;

use crate::app::App;
use crate::problem::Problem;

/// Most orders or events of one page of a list.
pub(crate) const MAX_PAGE: usize = 500;
pub(crate) const DEFAULT_PAGE: usize = 50;
/// Most bytes of event bodies in one answer.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// An order by id.
pub(crate) async fn find(app: &App, id: OrderId) -> Result<(Order, Details), Problem> {
    let order = app.store.order(id.clone()).await?;
    order.ok_or_else(|| Problem::new(ErrorCode::NotFound, format!("there is no order {}", excerpt(&id))))
}

/// As above, as JSON.
pub(crate) async fn whole_order_json(
    app: &App,
    principal: &Principal,
    order: &Order,
    details: &Details,
) -> Result<Vec<u8>, Problem> {
    // Only what is done can have been shipped or given back; most questions are about others.
    let is_done = order.captured() > 0;
    let fulfilment = if is_done { app.store.fulfilment(order.seq).await? } else { Fulfilment::default() };
    let mut allowed = actions_from(order.status, principal);
    allowed.retain(|action| ActionName::for_people(action.name()).is_some());
    let mut json = Vec::with_capacity(768);
    encode::whole_order_json(order, details, &fulfilment, &allowed, &mut json);
    Ok(json)
}

/// Refuses a principal that may not read the order of this id; looks the order up if its owner decides. Customers do not
/// learn whether an order of another customer exists.
pub(crate) async fn check_reading(app: &App, principal: &Principal, id: &OrderId) -> Result<(), Problem> {
    let may_read = |owner: Option<&str>| judge(principal, Right::ReadOrder, Resource::Order(owner));
    let verdict = match may_read(None) {
        Verdict::IfOwn => {
            let order = app.store.order(id.clone()).await?;
            order.map_or(Verdict::Denied, |(order, _)| may_read(Some(&order.customer_id)))
        }
        verdict => verdict,
    };
    match verdict {
        Verdict::Allowed => Ok(()),
        Verdict::Denied | Verdict::IfOwn => {
            Err(Problem::new(ErrorCode::PermissionDenied, "this is not your order, or there is none"))
        }
    }
}

/// A status, or an active one on a lane, by its outward name.
pub(crate) fn status_of(name: &str) -> Result<(Status, Option<Lane>), Problem> {
    let lane = Lane::ALL.into_iter().find(|lane| lane.name() == name).map(|lane| (Status::Active, Some(lane)));
    let status = || Status::ALL.into_iter().find(|status| status.name() == name).map(|status| (status, None));
    lane.or_else(status).ok_or_else(|| {
        let mut names: Vec<_> = Status::ALL.iter().map(|status| status.name()).collect();
        names.extend(Lane::ALL.iter().map(|lane| lane.name()));
        Problem::new(ErrorCode::InvalidQuery, format!("status must be one of {}", names.join(", ")))
    })
}

/// A page of orders as JSON.
pub(crate) async fn list_json(app: &App, query: OrderQuery) -> Result<Vec<u8>, Problem> {
    let page = app.store.orders(query).await?;
    let mut out = Vec::with_capacity(page.orders.len() * 512 + 128);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("orders").begin_array();
    let mut order_json = Vec::new();
    for (order, details) in &page.orders {
        order_json.clear();
        encode::order_json(order, details, &mut order_json);
        json.raw(&String::from_utf8_lossy(&order_json));
    }
    json.end_array().key("next");
    match page.next {
        Some(cursor) => json.string(&cursor.to_string()),
        None => json.raw("null"),
    };
    write_as_of(&mut json, &page.as_of);
    json.end_object();
    Ok(out)
}

/// A page of an order's events as JSON; a problem when there is no such order.
pub(crate) async fn events_json(app: &App, id: OrderId, after: u64, limit: usize) -> Result<Vec<u8>, Problem> {
    find(app, id.clone()).await?;
    let limit = PageLimit { events: limit, bytes: MAX_PAGE_BYTES };
    let channel = format!("order:{id}");
    let page = app.store.log_page(PageQuery::after(Log::Orders, View::of(TopicKind::Order, id), after, limit)).await?;
    let mut out = Vec::new();
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("events").begin_array();
    let mut frame = Vec::new();
    for event in &page.events {
        frame.clear();
        Wire::PlainJson.wrap(&channel, event.offset, &event.body, &mut frame);
        json.raw(&String::from_utf8_lossy(&frame));
    }
    json.end_array();
    json.key("next");
    let is_full = page.read_to < page.state.head;
    match page.events.last().filter(|_| is_full) {
        Some(last) => json.string(&last.offset.to_string()),
        None => json.raw("null"),
    };
    write_as_of(&mut json, &page.state);
    json.end_object();
    Ok(out)
}

/// Writes the position that a list and the stream join at.
pub(crate) fn write_as_of(json: &mut JsonWriter<'_>, state: &LogState) {
    json.key("as_of").begin_object().key(state.log.name()).begin_object();
    json.key("epoch").string(&state.epoch.0).key("offset").integer(state.head);
    json.end_object().end_object();
}
