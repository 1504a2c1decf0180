//! Where plain clients connect.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::http::request::Parts;

use super::handler::PlainHandler;
use crate::access::authenticate::authenticate;
use crate::app::App;
use crate::http::parameters::{parse_channels, query_value};
use crate::problem::Problem;
use crate::upgrade::{Granted, Opening, grant};

/// `GET /ws`: the plain JSON protocol.
pub(crate) fn websocket(app: &Arc<App>, peer: SocketAddr, head: &Parts) -> Result<Granted, Problem> {
    let channels = match query_value(head.uri.query(), "channels") {
        None => app.config.default_channels.clone(),
        Some(names) => parse_channels(app, &names)?,
    };
    let handler = Box::new(PlainHandler::new(Arc::clone(app), channels));
    let origin = authenticate(&head.headers, peer.ip());
    grant(app, head, Opening { handler, origin, subprotocol: None, max_message_bytes: None })
}
