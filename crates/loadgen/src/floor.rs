//! Floors: programs that do nothing but what the kernel must do in any case. What a server takes beyond them is its
//! own.
//!
//! They answer just enough of a WebSocket's upgrade for the clients of the real thing.

pub mod doorkeeper;
pub mod writer;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// The channel that its frames name.
pub const CHANNEL: &str = "floor";
/// Longest head of a request.
const MAX_HEAD_BYTES: usize = 4 * 1024;
/// Connections that the kernel completes before they are accepted, as many as it allows by default.
const BACKLOG: i32 = 4096;

fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The path in the head of a request.
fn path_of(head: &[u8]) -> String {
    let head = String::from_utf8_lossy(head);
    head.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// The answer to an upgrade, and to the subscription that follows, whether or not it is a resumption: nothing was
/// missed where nothing is kept.
fn greeting() -> Vec<u8> {
    let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let subscribed = format!(
        "{{\"type\":\"subscribed\",\"channel\":\"{CHANNEL}\",\"epoch\":\"1\",\"offset\":0,\"recovered\":true}}"
    );
    let mut bytes = head.as_bytes().to_vec();
    bytes.extend([0x81, subscribed.len() as u8]);
    bytes.extend_from_slice(subscribed.as_bytes());
    bytes
}
