//! The listening socket. Accepted sockets are polled by nobody until it is known who takes them: most WebSockets go
//! to a shard of the hub, with its own poll, and never meet the runtime.

use std::io;
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use tokio::net::TcpSocket;

/// Connections that the kernel completes before they are accepted. Below a storm's size each client beyond it
/// loses a second to a repeated SYN.
const BACKLOG: u32 = 4096;

/// A listening socket.
pub struct Listener(TcpListener);

/// Binds the listening socket. Must be called on the runtime that serves. `send_buffer_bytes` bounds what the kernel
/// keeps unsent for one connection (`TCP_NOTSENT_LOWAT`), so that clients that do not read cost little of its memory;
/// what is under way to a client comes on top, bounded by the client's own window. 0 leaves it to the kernel, which
/// keeps up to 4 MiB.
///
/// # Errors
/// When the address is taken or not this machine's, and when the system refuses the bound.
pub fn bind(address: SocketAddr, send_buffer_bytes: u32) -> io::Result<Listener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // Answers are small and wait for nothing; accepted sockets inherit it.
    socket.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if send_buffer_bytes > 0 {
        socket2::SockRef::from(&socket).set_tcp_notsent_lowat(send_buffer_bytes)?;
    }
    socket.bind(address)?;
    Ok(Listener(TcpListener::from_std(socket.listen(BACKLOG)?.into_std()?)))
}

impl Listener {
    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.0, token, Interest::READABLE)
    }

    /// The next connection, which does not block; `None` when there is none.
    pub(crate) fn accept(&self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        loop {
            return match self.0.accept() {
                Ok(connection) => Ok(Some(connection)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                // It was reset before its turn.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[tokio::test]
    async fn accepted_sockets_neither_block_nor_hold_back() {
        let listener = bind(([127, 0, 0, 1], 0).into(), 100_000).unwrap();
        assert!(listener.accept().unwrap().is_none());
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap().expect("a connection");
        assert_eq!(stream.read(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(stream.nodelay().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(socket2::SockRef::from(&stream).tcp_notsent_lowat().unwrap(), 100_000, "inherited");
    }
}
