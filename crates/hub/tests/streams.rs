//! Server-Sent Events: ids that resume, and readers that are slow.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod rig;

use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use ordercast_hub::{EventStream, HubConfig};
use ordercast_protocol::channel::Channel;
use ordercast_protocol::position::{Position, decode_positions};
use ordercast_protocol::principal::Principal;
use rig::{DEADLINE, Dice, Rig, config};

/// A reader that understands what a browser would.
struct Reader {
    stream: EventStream,
    rest: String,
    last_id: Option<String>,
}

impl Reader {
    fn open(rig: &Rig, channels: &[(&str, Option<Position>)]) -> Self {
        let channels = channels.iter().map(|(name, since)| (Channel::parse(name).unwrap(), since.clone())).collect();
        let slot = rig.hub.reserve().unwrap();
        let stream = rig.hub.open_stream(slot, Principal::local_admin(), channels);
        Self { stream, rest: String::new(), last_id: None }
    }

    /// As a browser does after its stream was cut.
    fn reopen(self, rig: &Rig) -> Self {
        let positions = decode_positions(&self.last_id.unwrap()).unwrap();
        let channels: Vec<_> = positions.iter().map(|(name, position)| (&**name, Some(position.clone()))).collect();
        Self::open(rig, &channels)
    }

    /// The next block, or none at the end of the stream.
    fn block(&mut self, rig: &Rig) -> Option<String> {
        while !self.rest.contains("\n\n") {
            let next = std::future::poll_fn(|cx| Pin::new(&mut self.stream).poll_next(cx));
            let item = rig.runtime.block_on(async { tokio::time::timeout(DEADLINE, next).await });
            let item = item.expect("nothing came")?;
            assert!(item.ends_with(b"\n\n"), "items are whole events");
            self.rest.push_str(std::str::from_utf8(&item).unwrap());
        }
        let (block, rest) = self.rest.split_once("\n\n").unwrap();
        let (block, rest) = (block.to_owned(), rest.to_owned());
        self.rest = rest;
        if let Some(id) = block.lines().find_map(|line| line.strip_prefix("id: ")) {
            self.last_id = Some(id.to_owned());
        }
        Some(block)
    }

    /// The data of the next block that has some.
    fn data(&mut self, rig: &Rig) -> String {
        loop {
            let block = self.block(rig).expect("the stream goes on");
            if let Some(data) = block.lines().find_map(|line| line.strip_prefix("data: ")) {
                return data.to_owned();
            }
        }
    }

    fn expect(&mut self, rig: &Rig, channel: &str, offsets: impl IntoIterator<Item = u64>) {
        for expected in offsets {
            let data = self.data(rig);
            let ending = format!("\"channel\":\"{channel}\",\"offset\":{expected}}}");
            assert!(data.ends_with(&ending), "expected {ending}, got {}", &data[data.len().saturating_sub(80)..]);
        }
    }
}

#[test]
fn a_stream_cut_anywhere_goes_on_there() {
    let rig = Rig::start(config());
    let mut reader = Reader::open(&rig, &[("orders", None), ("products", None), ("stats", None)]);
    assert_eq!(reader.block(&rig).unwrap(), "retry: 2000");
    let first = reader.block(&rig).unwrap();
    assert!(first.starts_with("event: subscribed\nid: orders=e1.0\ndata: {\"type\":\"subscribed\""), "{first}");
    for _ in 0..2 {
        reader.data(&rig);
    }
    assert_eq!(reader.last_id.as_deref(), Some("orders=e1.0,products=e1.0"));
    let mut dice = Dice(3);
    let (mut head, mut read) = (0, 0);
    for _ in 0..30 {
        let count = dice.roll(10) + 1;
        rig.commit(count as usize, 100);
        head += count;
        let until = (read + dice.roll(12)).min(head);
        reader.expect(&rig, "orders", read + 1..=until);
        read = until;
        reader = reader.reopen(&rig);
        for _ in 0..2 {
            assert!(reader.data(&rig).contains("\"recovered\":true"));
        }
    }
    reader.expect(&rig, "orders", read + 1..=head);
    rig.wait("the earlier streams have left", |hub| hub.stats().streams == 1);
}

#[test]
fn a_slow_reader_is_parked_and_misses_nothing() {
    let rig = Rig::start(HubConfig { outbox_bytes: 20_000, ..config() });
    let mut reader = Reader::open(&rig, &[("orders", None)]);
    assert!(reader.data(&rig).contains("subscribed"));
    for _ in 0..100 {
        rig.commit(10, 1_000);
    }
    rig.wait("parked", |hub| hub.stats().parked_now == 1);
    reader.expect(&rig, "orders", 1..=1_000);
    rig.commit(1, 10);
    reader.expect(&rig, "orders", [1_001]);
    rig.wait("resumed", |hub| hub.stats().parked_now == 0);
}

#[test]
fn a_stream_starts_from_the_log() {
    let rig = Rig::start(config());
    rig.commit(2_000, 200);
    let since = decode_positions("orders=e1.10").unwrap().remove(0).1;
    let mut reader = Reader::open(&rig, &[("orders", Some(since)), ("order:x", None)]);
    reader.data(&rig);
    reader.data(&rig);
    reader.expect(&rig, "orders", 11..=2_000);
    assert_eq!(reader.last_id.as_deref(), Some("orders=e1.2000,order:x=e1.2000"));
}

#[test]
fn silence_is_filled_and_moves_the_id_on() {
    let rig = Rig::start(HubConfig { stream_heartbeat: Duration::from_millis(30), ..config() });
    let mut reader = Reader::open(&rig, &[("order:x", None)]);
    reader.data(&rig);
    assert_eq!(reader.last_id.as_deref(), Some("order:x=e1.0"));
    rig.commit(5, 10);
    while reader.last_id.as_deref() != Some("order:x=e1.5") {
        assert!(reader.block(&rig).unwrap().starts_with(": ping"));
    }
}

#[test]
fn streams_end_with_the_hub_and_leave_when_dropped() {
    let rig = Rig::start(config());
    let mut reader = Reader::open(&rig, &[("orders", None)]);
    let other = Reader::open(&rig, &[("orders", None)]);
    reader.data(&rig);
    drop(other);
    rig.wait("one has left", |hub| hub.stats().active == 1);
    rig.commit(1, 10);
    reader.expect(&rig, "orders", [1]);
    rig.runtime.block_on(rig.hub.drain(DEADLINE));
    while reader.block(&rig).is_some() {}
    let mut late = Reader { stream: reader.stream, rest: String::new(), last_id: None };
    assert_eq!(late.block(&rig), None);
    assert_eq!(rig.hub.stats().active, 0);
}
