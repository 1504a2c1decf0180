//! Where plain clients connect.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::http::request::Parts;
use ordercast_protocol::principal::Principal;

use super::session::PlainSession;
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
    let session = Box::new(PlainSession::new(Arc::clone(app), peer.ip(), channels));
    let principal = Principal::local_admin();
    grant(app, head, Opening { session, principal, subprotocol: None, max_message_bytes: None })
}
