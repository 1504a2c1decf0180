//! Calls: orders and products, as over HTTP.

use std::sync::Arc;

use bytes::Bytes;
use ordercast_access::{Principal, Resource, Right, may};
use ordercast_domain::draft::Draft;
use ordercast_domain::ids::{CustomerId, OrderId};
use ordercast_domain::transition::ActionName;
use ordercast_engine::{Changed, Placed};
use ordercast_engine::{CommandError, encode};
use ordercast_hub::handler::{Connection, Replies};
use ordercast_protocol::call::{CallRequest, parse_call};
use ordercast_protocol::centrifuge::code::Error;
use ordercast_protocol::centrifuge::codec::{Encoding, encode_reply};
use ordercast_protocol::centrifuge::message::{ErrorReply, Reply, RpcRequest, RpcResult};
use ordercast_protocol::error::{ErrorCode, FieldError};
use ordercast_store::read::OrderQuery;

use super::client::Client;
use crate::app::App;
use crate::http::parameters::number;
use crate::operations::actions::request_of;
use crate::operations::drafts::{Entrance, check_placing, draft_of, explain, needs_search};
use crate::operations::orders::{
    DEFAULT_PAGE, MAX_PAGE, check_reading, events_json, find, list_json, status_of, whole_order_json,
};
use crate::operations::products;
use crate::problem::Problem;

/// Length of an error's message after which no more wrong fields are named, in bytes.
const MAX_MESSAGE_BYTES: usize = 4 * 1024;

/// What is read by a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Query {
    Order,
    Orders,
    Events,
    Products,
}

impl Query {
    /// The fields of its data.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Order => &["id"],
            Self::Orders => &["status", "customer_id", "cursor", "limit"],
            Self::Events => &["id", "after", "limit"],
            Self::Products => &[],
        }
    }
}

/// Carries out a call. Its answer comes when it is known; calls may overtake each other.
pub(super) fn call(client: &mut Client, id: u32, request: &RpcRequest, connection: &mut dyn Connection) {
    let query = match request.method.as_str() {
        "order.place" => return place_order(client, id, &request.data, connection),
        "order.get" => Query::Order,
        "orders.list" => Query::Orders,
        "order.events" => Query::Events,
        "products.list" => Query::Products,
        method if action_of(method).is_some() => return act(client, id, request, connection),
        _ => return client.refuse(id, Error::NotAvailable, connection),
    };
    let Some(leave) = client.leave_to_wait() else {
        return client.refuse(id, Error::TooManyRequests, connection);
    };
    let mut answer = answer(client, id, connection);
    let data = request.data.clone();
    let runtime = client.app.runtime.clone();
    let read = async move |replies: Replies| {
        answer.replies = replies;
        let read = read(&answer.app, &answer.principal, query, &data).await;
        answer.send(read);
        drop(leave);
    };
    connection.ask(Box::new(move |replies| drop(runtime.spawn(read(replies)))));
}

fn place_order(client: &mut Client, id: u32, data: &[u8], connection: &mut dyn Connection) {
    let draft = draft_of(&client.app.engine, data, &Entrance::CALL);
    let is_allowed = |draft: &Draft| check_placing(&connection.origin().principal, draft);
    let draft = match draft.and_then(|draft| is_allowed(&draft).map(|()| draft)) {
        Ok(draft) => draft,
        Err(problem) => return client.refuse(id, error_of(&problem), connection),
    };
    let answer = answer(client, id, connection);
    let origin = connection.origin().clone();
    client.app.engine.submit_order(origin, draft, Box::new(move |outcome| answer.placed(outcome)));
}

/// `order.cancel` and the like: the data names the order, and what the action takes.
fn act(client: &mut Client, id: u32, request: &RpcRequest, connection: &mut dyn Connection) {
    let asked = request_of(&request.data, action_of(&request.method), &connection.origin().principal);
    match asked {
        Ok(asked) => {
            let answer = answer(client, id, connection);
            let origin = connection.origin().clone();
            client.app.engine.submit_action(origin, asked, Box::new(move |outcome| answer.changed(outcome)));
        }
        Err(problem) => client.refuse(id, error_of(&problem), connection),
    }
}

fn answer(client: &Client, id: u32, connection: &dyn Connection) -> Answer {
    Answer {
        app: Arc::clone(&client.app),
        replies: connection.replies(),
        principal: connection.origin().principal.clone(),
        connection: connection.id().to_owned(),
        encoding: client.encoding,
        id,
    }
}

/// The action of a method such as `order.cancel`.
fn action_of(method: &str) -> Option<&str> {
    method.strip_prefix("order.").filter(|action| ActionName::for_people(action).is_some())
}

/// How an order is shown that was read for an answer.
enum Shown {
    /// As in the answer to its placing.
    AsPlaced,
    /// With what can be done with it.
    Whole,
}

/// What tells a client what its call returned, whenever that is known.
struct Answer {
    app: Arc<App>,
    replies: Replies,
    principal: Principal,
    connection: String,
    encoding: Encoding,
    id: u32,
}

impl Answer {
    /// Called on the writer's thread: encodes and posts, and reads only elsewhere.
    fn placed(self, outcome: Result<Placed, CommandError>) {
        match outcome {
            Ok(Placed::Accepted { order, details }) => {
                let mut json = Vec::with_capacity(512);
                encode::order_json(&order, &details, &mut json);
                self.send(Ok(json));
            }
            Ok(Placed::Replayed { order_id }) => self.read(order_id, Shown::AsPlaced),
            Err(error) if needs_search(&error) => {
                let runtime = self.app.runtime.clone();
                runtime.spawn(async move {
                    let problem = explain(&self.app, error).await;
                    self.send(Err(problem));
                });
            }
            Err(error) => self.send(Err(Problem::of_order(error))),
        }
    }

    /// Answers an action on an order.
    fn changed(self, outcome: Result<Changed, CommandError>) {
        match outcome {
            Ok(changed) => self.read(changed.order.id, Shown::Whole),
            Err(error) => self.send(Err(Problem::of_command(ErrorCode::InvalidAction, error))),
        }
    }

    /// Reads the order and sends it, when it is the turn of this question.
    fn read(mut self, id: OrderId, shown: Shown) {
        let replies = self.replies.clone();
        replies.ask(Box::new(move |replies| {
            self.replies = replies;
            let runtime = self.app.runtime.clone();
            runtime.spawn(async move {
                let order = match shown {
                    Shown::AsPlaced => placed_json(&self.app, id).await,
                    Shown::Whole => order_json(&self.app, &self.principal, id).await,
                };
                self.send(order);
            });
        }));
    }

    fn send(&self, returned: Result<Vec<u8>, Problem>) {
        let mut reply = Reply { id: self.id, ..Reply::default() };
        match returned {
            Ok(json) => reply.rpc = Some(RpcResult { data: Bytes::from(json) }),
            Err(problem) => {
                self.app.report("centrifuge", &self.connection, &problem);
                reply.error = Some(error_of(&problem));
            }
        }
        let mut message = Vec::new();
        encode_reply(self.encoding, &reply, &mut message);
        self.replies.send(message);
    }
}

async fn read(app: &App, principal: &Principal, query: Query, data: &[u8]) -> Result<Vec<u8>, Problem> {
    let arguments = parse_call(data, query.fields())?;
    let limit = arguments.limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    match query {
        Query::Products => products::list_json(app).await,
        Query::Orders => list_json(app, orders_of(principal, &arguments, limit)?).await,
        Query::Order | Query::Events => {
            let id = arguments
                .id
                .as_deref()
                .ok_or_else(|| Problem::new(ErrorCode::InvalidQuery, "name the order: {\"id\":\"…\"}"))?;
            let id = OrderId::from(id);
            check_reading(app, principal, &id).await?;
            if query == Query::Order {
                order_json(app, principal, id).await
            } else {
                events_json(app, id, arguments.after.unwrap_or(0).unsigned_abs(), limit).await
            }
        }
    }
}

fn orders_of(principal: &Principal, arguments: &CallRequest<'_>, limit: usize) -> Result<OrderQuery, Problem> {
    let asked = arguments.customer_id.as_deref().map(CustomerId::from);
    // A customer who names no customer asks for their own orders.
    let customer_id = asked.or_else(|| principal.customer_id().cloned().map(CustomerId::from));
    let resource = customer_id.as_deref().map_or(Resource::AllOrders, Resource::OrdersOf);
    if !may(principal, Right::ListOrders, resource) {
        return Err(Problem::new(ErrorCode::PermissionDenied, "this token does not allow to list these orders"));
    }
    let cursor =
        arguments.cursor.as_deref().map(|cursor| number("cursor", Some(cursor), 0, 0..=i64::MAX.unsigned_abs()));
    let status = arguments.status.as_deref().map(status_of);
    let (status, before) = (status.transpose()?, cursor.transpose()?);
    Ok(OrderQuery { status, customer_id, before, limit, ..OrderQuery::default() })
}

async fn placed_json(app: &App, id: OrderId) -> Result<Vec<u8>, Problem> {
    let (order, details) = find(app, id).await?;
    let mut json = Vec::with_capacity(512);
    encode::order_json(&order, &details, &mut json);
    Ok(json)
}

async fn order_json(app: &App, principal: &Principal, id: OrderId) -> Result<Vec<u8>, Problem> {
    let (order, details) = find(app, id).await?;
    whole_order_json(app, principal, &order, &details).await
}

/// A problem as an application's error: the code is the HTTP status, and the message names every wrong field.
fn error_of(problem: &Problem) -> ErrorReply {
    let status = problem.code.http_status();
    let message = match problem.fields.len() {
        0 | 1 => problem.detail.clone(),
        _ => FieldError::list(&problem.fields, MAX_MESSAGE_BYTES),
    };
    ErrorReply { code: u32::from(status), message, temporary: matches!(status, 429 | 503) }
}
