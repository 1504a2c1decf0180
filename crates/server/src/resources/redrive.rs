//! Orders that came to nothing, tried again by filter: counted first if asked, then moved in bounded batches, each by the
//! ordinary action, with its version, its event and its refusals.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::Response;
use hyper::HeaderMap;
use ordercast_access::Origin;
use ordercast_domain::Violation;
use ordercast_domain::decide::{Action, MAX_REASON_BYTES, Refusal, Request};
use ordercast_domain::ids::{CustomerId, OrderId};
use ordercast_domain::order::Order;
use ordercast_domain::status::Status;
use ordercast_domain::transition::{ActionName, actions_from};
use ordercast_engine::Changed;
use ordercast_engine::CommandError;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::json::JsonWriter;
use ordercast_protocol::redrive::{RedriveRequest, parse_redrive};
use ordercast_store::read::OrderQuery;
use tokio::sync::oneshot;

use crate::app::App;
use crate::http::body::read_json;
use crate::http::response::json_response;
use crate::problem::Problem;

/// Most orders of one request, and how many unless it says.
const MAX_ORDERS: i64 = 10_000;
const DEFAULT_ORDERS: i64 = 1_000;
/// Orders that one request looks through; what is left is for the next, from `next` on.
const MAX_LOOKED_THROUGH: usize = 100_000;
/// Orders of one page.
const PAGE: usize = 500;
/// Orders that wait for their commit; the next are asked for when these are answered.
const WINDOW: usize = 250;
/// Maximum number of ids in the answer.
const MAX_IDS: usize = 20;
/// How often an order is asked for again that found the server full, and after how long.
const MAX_TRIES: u32 = 200;
const TRY_INTERVAL: Duration = Duration::from_millis(25);

/// What became of the orders.
#[derive(Default)]
struct Tally {
    /// Those that the filter names.
    matched: u64,
    retried: u64,
    /// Those that somebody else had moved on meanwhile; they were left alone.
    moved_on: u64,
    /// The first of those that matched.
    ids: Vec<OrderId>,
    /// The cursor of the next request, if there may be more.
    next: Option<u64>,
}

/// `POST /orders/retry`: tries the orders of a filter again, the newest first; with `dry_run` it only says which.
pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read_json(&app, &headers, body).await?;
    let asked = parse_redrive(&body)?;
    let redrive = Redrive { app: &app, origin, reason: reason_of(&asked)? };
    let tally = redrive.run(&asked).await?;
    Ok(json_response(tally_json(&tally, asked.is_dry_run)))
}

/// The reason, by the rule of the action that each order gets it for: refused once and before anything is looked up,
/// not with the first order that matches.
fn reason_of(asked: &RedriveRequest<'_>) -> Result<Option<Arc<str>>, Problem> {
    let reason = asked.reason.as_deref().filter(|reason| !reason.trim().is_empty());
    match reason.map_or(0, str::len) {
        0 if !asked.is_dry_run => Err(invalid("/reason", "is required: say why")),
        0..=MAX_REASON_BYTES => Ok(reason.map(Arc::from)),
        length => Err(invalid("/reason", format!("has {length} bytes; at most {MAX_REASON_BYTES} are allowed"))),
    }
}

struct Redrive<'a> {
    app: &'a App,
    origin: Origin,
    reason: Option<Arc<str>>,
}

impl Redrive<'_> {
    async fn run(&self, asked: &RedriveRequest<'_>) -> Result<Tally, Problem> {
        let limit = match asked.limit.unwrap_or(DEFAULT_ORDERS) {
            limit if (1..=MAX_ORDERS).contains(&limit) => limit.unsigned_abs(),
            _ => return Err(invalid("/limit", format!("must be from 1 to {MAX_ORDERS}"))),
        };
        let mut query = self.query_of(asked)?;
        let (mut tally, mut looked_through) = (Tally::default(), 0);
        loop {
            let page = self.app.store.orders(query.clone()).await?;
            looked_through += page.orders.len();
            let mut next = page.next;
            let mut wanted = Vec::new();
            let mut orders = page.orders.into_iter().map(|(order, _)| order).peekable();
            while let Some(order) = orders.next() {
                if !is_meant(&order, asked) {
                    continue;
                }
                tally.matched += 1;
                if tally.ids.len() < MAX_IDS {
                    tally.ids.push(order.id.clone());
                }
                let seq = order.seq;
                wanted.push(order);
                if tally.matched == limit {
                    next = if orders.peek().is_some() { Some(seq) } else { next };
                    break;
                }
            }
            if !asked.is_dry_run {
                self.move_on(wanted, &mut tally).await?;
            }
            tally.next = next;
            if next.is_none() || tally.matched == limit || looked_through >= MAX_LOOKED_THROUGH {
                return Ok(tally);
            }
            query.before = next;
        }
    }

    fn query_of(&self, asked: &RedriveRequest<'_>) -> Result<OrderQuery, Problem> {
        let can_retry = |status: &Status| actions_from(*status, &self.origin.principal).contains(&ActionName::Retry);
        let name = asked.status.as_deref().unwrap_or_default();
        let status = Status::ALL.into_iter().filter(can_retry).find(|status| status.name() == name);
        let status = status.ok_or_else(|| {
            let open: Vec<_> = Status::ALL.into_iter().filter(can_retry).map(Status::name).collect();
            invalid("/status", format!("must be one that orders are tried again from: {}", open.join(", ")))
        })?;
        let cursor = |text: &str| text.parse::<u64>().ok().filter(|&seq| i64::try_from(seq).is_ok());
        let before = match asked.cursor.as_deref() {
            None => None,
            Some(text) => Some(cursor(text).ok_or_else(|| invalid("/cursor", "must be what next said"))?),
        };
        Ok(OrderQuery {
            status: Some((status, None)),
            customer_id: asked.customer_id.as_deref().map(CustomerId::from),
            from_ms: asked.from_ms,
            to_ms: asked.to_ms,
            before,
            limit: PAGE,
            ..OrderQuery::default()
        })
    }

    /// Asks for each order to be tried again as it was seen: one that was changed since is left alone.
    async fn move_on(&self, orders: Vec<Order>, tally: &mut Tally) -> Result<(), Problem> {
        for window in orders.chunks(WINDOW) {
            let waiting: Vec<_> = window.iter().map(|order| (order, self.ask(order))).collect();
            for (order, outcome) in waiting {
                let mut outcome = outcome.await.unwrap_or(Err(CommandError::StoreFailed));
                for _ in 0..MAX_TRIES {
                    if !matches!(outcome, Err(CommandError::Full | CommandError::ClientFull)) {
                        break;
                    }
                    tokio::time::sleep(TRY_INTERVAL).await;
                    outcome = self.ask(order).await.unwrap_or(Err(CommandError::StoreFailed));
                }
                match outcome {
                    Ok(_) => tally.retried += 1,
                    Err(CommandError::Refused(
                        Refusal::StaleVersion { .. } | Refusal::InvalidTransition { .. } | Refusal::NotFound,
                    )) => tally.moved_on += 1,
                    Err(error) => return Err(Problem::of_command(ErrorCode::InvalidAction, error)),
                }
            }
        }
        Ok(())
    }

    fn ask(&self, order: &Order) -> oneshot::Receiver<Result<Changed, CommandError>> {
        let (reply, outcome) = oneshot::channel();
        let request = Request {
            order_id: order.id.clone(),
            action: Action::Retry,
            reason: self.reason.clone(),
            if_versions: Some(vec![order.version]),
            key: None,
        };
        let reply = Box::new(move |result| {
            // Who asked may have gone away; what was done stands all the same.
            let _ = reply.send(result);
        });
        self.app.engine.submit_action(self.origin.clone(), request, reply);
        outcome
    }
}

/// Whether the last error of an order holds what is looked for.
fn is_meant(order: &Order, asked: &RedriveRequest<'_>) -> bool {
    let error = order.last_error.as_deref().unwrap_or_default();
    asked.error.as_deref().is_none_or(|text| error.contains(text))
}

fn invalid(pointer: &str, detail: impl Into<String>) -> Problem {
    Problem::violations(ErrorCode::InvalidAction, vec![Violation::new(pointer, detail)])
}

fn tally_json(tally: &Tally, is_dry_run: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + tally.ids.len() * 48);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("dry_run").boolean(is_dry_run).key("matched").integer(tally.matched);
    json.key("retried").integer(tally.retried).key("moved_on").integer(tally.moved_on).key("ids").begin_array();
    for id in &tally.ids {
        json.string(id);
    }
    json.end_array().key("next");
    match tally.next {
        Some(cursor) => json.string(&cursor.to_string()),
        None => json.raw("null"),
    };
    json.end_object();
    out
}
