//! `GET /echo`: every message comes back as it was sent. For conformance suites; off unless it is asked for.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::http::request::Parts;
use ordercast_hub::handler::{Connection, ConnectionHandler, Message, Subscribed};
use ordercast_protocol::channel::Channel;
use ordercast_protocol::envelope::Wire;

use crate::access::authenticate::authenticate;
use crate::app::App;
use crate::problem::Problem;
use crate::upgrade::{self, Granted, Opening};

/// The path of the route.
pub(crate) const PATH: &str = "/echo";
/// Largest message, in bytes: conformance suites send 16 MiB (close 1009 beyond).
const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;

/// Opens an echo. Messages may be compressed whatever the setting says, so that this can be tested too.
pub(crate) fn websocket(app: &Arc<App>, peer: SocketAddr, head: &Parts) -> Result<Granted, Problem> {
    let opening = Opening {
        handler: Box::new(EchoHandler),
        origin: authenticate(&head.headers, peer.ip()),
        subprotocol: None,
        max_message_bytes: Some(MAX_MESSAGE_BYTES),
    };
    upgrade::grant_with_compression(app, head, opening, true)
}

struct EchoHandler;

impl ConnectionHandler for EchoHandler {
    fn on_open(&mut self, _connection: &mut dyn Connection) {}

    fn on_message(&mut self, message: Message<'_>, connection: &mut dyn Connection) {
        connection.send_as(message);
    }

    fn on_subscribed(&mut self, _channel: &Channel, _subscribed: &Subscribed, _connection: &mut dyn Connection) {}

    fn wire(&self) -> Wire {
        Wire::PlainJson
    }
}
