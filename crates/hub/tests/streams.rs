//! Server-Sent Events: ids that resume, and readers that are slow.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod rig;

use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use ordercast_hub::handler::{Connection, ConnectionHandler, Message, Subscribed};
use ordercast_hub::{EventStream, HubConfig};
use ordercast_protocol::channel::{Channel, Log};
use ordercast_protocol::envelope::Wire;
use ordercast_protocol::position::{Position, decode_positions};
use ordercast_store::log::PageLimit;
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
        let stream = rig.hub.open_stream(slot, rig::local(), channels);
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
    assert!(
        first.starts_with("event: subscribed\nid: orders=e1.0,products=e1.0\ndata: {\"type\":\"subscribed\""),
        "{first}"
    );
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

fn position(id: &str) -> Option<Position> {
    Some(decode_positions(id).unwrap().remove(0).1)
}

#[test]
fn a_stream_cut_between_its_answers_misses_none_of_them() {
    let rig = Rig::start(config());
    rig.commit(5, 10);
    let channels = [("orders", position("x=e1.2")), ("products", position("x=other.7")), ("stats", None)];
    let mut reader = Reader::open(&rig, &channels);
    assert!(reader.data(&rig).contains("\"orders\",\"epoch\":\"e1\",\"offset\":2,\"recovered\":true"));
    assert_eq!(reader.last_id.as_deref(), Some("orders=e1.2,products=other.7"));
    let mut reader = reader.reopen(&rig);
    reader.data(&rig);
    assert!(reader.data(&rig).contains("\"products\",\"epoch\":\"e1\",\"offset\":0,\"recovered\":false"));
    assert_eq!(reader.last_id.as_deref(), Some("orders=e1.2,products=e1.0"));
    reader.expect(&rig, "orders", 3..=5);
}

/// The answer overtakes events that wait: its id must not say that they were seen.
#[test]
fn a_late_answer_has_no_id() {
    let rig = Rig::start(config());
    rig.commit(5, 10);
    let mut reader = Reader::open(&rig, &[("orders", position("x=e1.9")), ("products", None)]);
    assert!(reader.data(&rig).contains("\"products\""));
    assert_eq!(reader.last_id.as_deref(), Some("orders=e1.9,products=e1.0"));
    let block = reader.block(&rig).unwrap();
    assert!(block.starts_with("event: subscribed\ndata: ") && block.contains("\"recovered\":false"), "{block}");
    rig.commit(1, 10);
    reader.expect(&rig, "orders", [6]);
    assert_eq!(reader.last_id.as_deref(), Some("orders=e1.6,products=e1.0"));
}

#[test]
fn an_answer_to_a_stream_that_retention_overtook_has_no_id() {
    let page = PageLimit { events: 3, bytes: 10_000 };
    let rig = Rig::start(HubConfig { page, ..config() });
    rig.commit(20, 10);
    let mut reader = Reader::open(&rig, &[("orders", position("x=e1.0")), ("products", None)]);
    rig.wait("the first page", |hub| hub.stats().pages_read == 1);
    rig.logs.set_floor(Log::Orders, 10);
    reader.data(&rig);
    reader.data(&rig);
    reader.expect(&rig, "orders", 1..=3);
    let block = reader.block(&rig).unwrap();
    assert!(block.starts_with("event: subscribed\ndata: ") && block.contains("\"recovered\":false"), "{block}");
    rig.commit(1, 10);
    reader.expect(&rig, "orders", [21]);
    assert_eq!(reader.last_id.as_deref(), Some("orders=e1.21,products=e1.0"));
}

/// Takes its shard along.
struct DeadlySession;

impl ConnectionHandler for DeadlySession {
    fn on_open(&mut self, _: &mut dyn Connection) {}
    fn on_message(&mut self, _: Message<'_>, _: &mut dyn Connection) {}
    fn on_subscribed(&mut self, _: &Channel, _: &Subscribed, _: &mut dyn Connection) {}
    fn wire(&self) -> Wire {
        panic!("as the test wants")
    }
}

#[test]
fn streams_of_a_lost_shard_end() {
    let rig = Rig::start(HubConfig { shards: 1, ..config() });
    let mut reader = Reader::open(&rig, &[("orders", None)]);
    reader.data(&rig);
    let _client = rig.connect_with(b"", Box::new(DeadlySession)).unwrap();
    // Perhaps queued when the shard dies.
    let mut queued = Reader::open(&rig, &[("orders", None)]);
    while reader.block(&rig).is_some() {}
    while queued.block(&rig).is_some() {}
    rig.wait("counted", |hub| hub.stats().shards_lost == 1);
    let mut late = Reader::open(&rig, &[("orders", None)]);
    assert_eq!(late.block(&rig), None);
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
