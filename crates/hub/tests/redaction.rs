//! A body that was removed from a log is served to nobody, whatever a shard had kept of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod rig;

use std::sync::Arc;
use std::time::Duration;

use ordercast_broker::{Announcement, Message};
use ordercast_hub::HubConfig;
use ordercast_protocol::channel::Log;
use ordercast_protocol::topic::{Topic, TopicKind};
use rig::{Client, Rig, config};

/// What the bodies say that are removed.
const SECRET: &str = "secret";

/// Publishes `count` events into `kept:a`; the bodies at these offsets are removed with them.
fn append(rig: &Rig, count: usize, redacted: &[u64]) -> Announcement {
    let event = || (format!("{{\"text\":\"{SECRET}\"}}"), Topic::new(TopicKind::Channel, "kept:a").into());
    rig.logs.append_about(Log::Publications, (0..count).map(|_| event()).collect(), redacted)
}

fn announce(rig: &Rig, announcement: Announcement) {
    rig.broker.announce(Message::Commit(Arc::new(announcement)));
}

/// The offsets up to `last` of the events that come without a body.
fn removed(client: &mut Client, last: u64) -> Vec<u64> {
    let mut removed = Vec::new();
    for offset in 1..=last {
        let text = client.text();
        assert!(text.ends_with(&format!("\"offset\":{offset}}}")), "{text}");
        let is_removed = text.starts_with(r#"{"type":"redacted","v":1,"channel":"#);
        assert_eq!(text.contains(SECRET), !is_removed, "{text}");
        removed.extend(is_removed.then_some(offset));
    }
    removed
}

/// What a client gets that comes back to everything.
fn resumed(rig: &Rig, channel: &str, last: u64) -> Vec<u64> {
    let mut client = rig.connect();
    assert!(client.subscribe(&format!("{channel} e1 0")).contains("\"recovered\":true"));
    removed(&mut client, last)
}

/// One shard, whose looks at the logs come too late to help.
fn one_shard() -> Rig {
    Rig::start(HubConfig { shards: 1, log_poll_interval: Duration::from_secs(600), ..config() })
}

#[test]
fn memory_and_log_say_the_same() {
    let rig = one_shard();
    let mut live = ["publications", "kept:a"].map(|channel| {
        let mut client = rig.connect();
        client.subscribe(channel);
        client
    });
    announce(&rig, append(&rig, 5, &[]));
    announce(&rig, append(&rig, 1, &[2, 5]));
    for client in &mut live {
        // Both commits may come in one turn of the shard.
        let removed = removed(client, 6);
        assert!(removed.is_empty() || removed == [2, 5], "{removed:?}");
    }
    let pages_before = rig.logs.pages_read();
    for channel in ["publications", "kept:a"] {
        assert_eq!(resumed(&rig, channel, 6), [2, 5], "{channel}");
    }
    assert_eq!(rig.logs.pages_read(), pages_before, "from memory");
}

#[test]
fn a_redaction_that_was_lost_is_noticed_with_the_next_commit() {
    let rig = one_shard();
    let mut live = rig.connect();
    live.subscribe("publications");
    announce(&rig, append(&rig, 5, &[]));
    assert!(removed(&mut live, 5).is_empty());
    assert!(resumed(&rig, "publications", 5).is_empty());
    // The broker loses the commit that removes a body.
    append(&rig, 1, &[3]);
    announce(&rig, append(&rig, 1, &[]));
    live.expect("publications", [6, 7]);
    for channel in ["publications", "kept:a"] {
        assert_eq!(resumed(&rig, channel, 7), [3], "{channel}");
    }
}

/// The log was asked for a page before the body was removed, and had read it too.
#[test]
fn pages_under_way_are_put_right() {
    for channel in ["publications", "kept:a"] {
        let rig = Rig::start(HubConfig { shards: 1, ..config() });
        append(&rig, 5, &[]);
        rig.wait("the hub knows the log", |hub| hub.log_state(Log::Publications).head == 5);
        let mut live = rig.connect();
        live.subscribe("publications");
        let answers = rig.logs.hold_answers();
        let mut late = rig.connect();
        late.say(&format!("sub {channel} e1 0"));
        rig.wait("the page is read", |_| rig.logs.pages_read() == 1);
        announce(&rig, append(&rig, 1, &[2]));
        live.expect("publications", [6]);
        drop(answers);
        assert!(late.text().contains("\"recovered\":true"));
        assert_eq!(removed(&mut late, 6), [2], "{channel}");
        assert_eq!(resumed(&rig, channel, 6), [2], "{channel}");
    }
}
