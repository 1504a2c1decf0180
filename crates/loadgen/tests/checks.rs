//! A server that loses, repeats and reorders is found out by those who listen to it.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ordercast_loadgen::client::crowd::{Crowd, Joining, Seen};
use ordercast_loadgen::client::dialect::Dialect;

const PATIENCE: Duration = Duration::from_secs(60);

/// Accepts a connection for each script, and says what is in it, a frame each.
fn liar(scripts: Vec<Vec<String>>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        for script in scripts {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let mut out = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
            for text in script {
                out.extend([0x81, 126]);
                out.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
                out.extend(text.as_bytes());
            }
            stream.write_all(&out).unwrap();
            // What is unread when a socket is closed makes a reset of it, which may overtake what was written.
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            while matches!(stream.read(&mut [0; 256]), Ok(1..)) {}
        }
    });
    (address, thread)
}

fn subscribed(offset: u64, more: &str) -> String {
    format!("{{\"type\":\"subscribed\",\"channel\":\"orders\",\"epoch\":\"e\",\"offset\":{offset}{more}}}")
}

fn events(offsets: &[u64]) -> impl Iterator<Item = String> {
    let event = |offset| format!("{{\"type\":\"order_update\",\"channel\":\"orders\",\"offset\":{offset}}}");
    offsets.iter().map(event)
}

#[test]
fn what_is_lost_repeated_or_out_of_order_is_found() {
    let first: Vec<_> = [subscribed(10, "")].into_iter().chain(events(&[11, 12, 14, 14, 13, 15])).collect();
    let resumed: Vec<_> = [subscribed(15, ",\"recovered\":true")].into_iter().chain(events(&[16, 18])).collect();
    let lost = vec![subscribed(40, ",\"recovered\":false")];
    let (address, liar) = liar(vec![first, resumed, lost]);
    let joining = Joining { dialect: Dialect::Plain, channel: "orders", count: 1, is_compressed: false };
    let mut crowd = Crowd::new(address, joining).unwrap();
    for (missing, not_new, resumptions, unrecovered) in [(1, 2, 0, 0), (2, 2, 1, 0), (2, 2, 2, 1)] {
        crowd.come(0, None).unwrap();
        let (started, mut is_gone) = (Instant::now(), false);
        while !is_gone && started.elapsed() < PATIENCE {
            let turned = crowd.turn(Duration::from_millis(20), &mut |_, seen| is_gone |= matches!(seen, Seen::Gone(_)));
            turned.unwrap();
        }
        let account = &crowd.account;
        assert_eq!((account.missing, account.not_new), (missing, not_new), "{account}");
        assert_eq!((account.resumed, account.unrecovered), (resumptions, unrecovered), "{account}");
        assert!(!account.is_clean());
    }
    liar.join().unwrap();
}
