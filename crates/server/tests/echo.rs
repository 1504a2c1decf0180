//! Compressed messages and the echo, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::{BINARY, Server, Socket, TEXT};

/// RSV1: the message is compressed (RFC 7692 §6). With an opcode.
const COMPRESSED: u8 = 0x40;
const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";
const ANSWER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

fn start(compression: bool, echo: bool) -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), |setup| {
        setup.server.compression = compression;
        setup.server.echo = echo;
    });
    (dir, server)
}

/// A compressed message that is not smaller: one stored block (RFC 7692 §7.2.3.3).
fn stored(message: &str) -> Vec<u8> {
    let len = message.len() as u16;
    [&[0][..], &len.to_le_bytes(), &(!len).to_le_bytes(), message.as_bytes(), &[0]].concat()
}

#[test]
fn compression_is_agreed_on_where_it_is_allowed() {
    for (compression, echo) in [(false, true), (true, true), (true, false)] {
        let (_dir, server) = start(compression, echo);
        for (path, offers, expected) in [
            ("/ws", &[OFFER][..], compression.then_some(ANSWER)),
            ("/connection/websocket", &[OFFER], compression.then_some(ANSWER)),
            ("/echo", &[OFFER], Some(ANSWER)),
            ("/echo", &[], None),
            ("/echo", &["Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9"], None),
            ("/echo", &["Sec-WebSocket-Extensions: x-unknown", OFFER], Some(ANSWER)),
            ("/echo", &["Sec-WebSocket-Extensions: permessage-deflate; unknown, permessage-deflate"], Some(ANSWER)),
            ("/echo", &["Sec-WebSocket-Extensions: permessage-deflate; \u{e4}", OFFER], None),
        ] {
            let handshake = [
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ];
            let answer = server.client().request("GET", path, &[&handshake[..], offers].concat(), b"");
            if path == "/echo" && !echo {
                assert_eq!(answer.status, 404);
                continue;
            }
            assert_eq!(answer.status, 101, "{path} {offers:?}: {answer:?}");
            let lines = answer.head.lines().filter_map(|line| line.split_once(": "));
            let extensions = lines.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-extensions"));
            let extensions = extensions.map(|(_, value)| value).collect::<Vec<_>>();
            assert_eq!(extensions, expected.into_iter().collect::<Vec<_>>(), "{path} {offers:?}");
        }
    }
}

#[test]
fn messages_come_back_as_they_were_sent() {
    let (_dir, server) = start(false, true);
    let mut plain = server.socket("/echo");
    let mut compressing = Socket::open_with(server.address, "/echo", &format!("{OFFER}\r\n")).unwrap();
    for socket in [&mut plain, &mut compressing] {
        // The last is above the limit of other routes.
        for size in [0, 1, 125, 126, 65_536, 1_000_000] {
            for opcode in [TEXT, BINARY] {
                let message = (0..size).map(|_| b'*').collect::<Vec<_>>();
                socket.send_frame(opcode, &message);
                let (came_as, echo) = socket.next_frame().unwrap();
                assert_eq!((came_as, echo.len()), (opcode, size));
                assert!(echo == message);
            }
        }
    }
    compressing.send_frame(COMPRESSED | TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    assert_eq!(compressing.next_frame(), Ok((TEXT, b"Hello".to_vec())));
    compressing.send_frame(COMPRESSED | BINARY, &stored("\0\0"));
    assert_eq!(compressing.next_frame(), Ok((BINARY, vec![0; 2])));
}

#[test]
fn what_breaks_the_rules_of_compression_closes() {
    let (_dir, server) = start(true, true);
    for (path, offer, payload, code) in [
        ("/echo", "", &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], 1002),
        ("/echo", OFFER, b"\xff", 1007),
        ("/echo", OFFER, &stored("x")[..4], 1007),
        ("/echo", OFFER, b"\x00\x01\x00\xfe\xff\xff\x00", 1007),
        ("/ws?channels=", OFFER, b"\xff", 1007),
    ] {
        let headers = if offer.is_empty() { String::new() } else { format!("{offer}\r\n") };
        let mut socket = Socket::open_with(server.address, path, &headers).unwrap();
        socket.send_frame(COMPRESSED | TEXT, payload);
        let closed = loop {
            if let Err((code, _)) = socket.next_frame() {
                break code;
            }
        };
        assert_eq!(closed, code, "{path} {offer} {payload:x?}");
    }
}

#[test]
fn requests_may_be_compressed() {
    let (_dir, server) = start(true, false);
    let mut socket = Socket::open_with(server.address, "/ws?channels=", &format!("{OFFER}\r\n")).unwrap();
    socket.send_frame(COMPRESSED | TEXT, &stored("{\"type\":\"ping\",\"ref\":7}"));
    let pong = loop {
        let (opcode, message) = socket.next_frame().unwrap();
        assert_eq!(opcode, TEXT);
        let message = serde_json::from_slice::<serde_json::Value>(&message).unwrap();
        if message["type"] == "pong" {
            break message;
        }
    };
    assert_eq!(pong["ref"], 7);
}
