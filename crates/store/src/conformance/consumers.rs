//! Consumers of logs: they are found as they were written.

use std::sync::Arc;

use ordercast_domain::consumer::Consumer;
use ordercast_protocol::channel::Log;

use super::run;
use crate::write::{ConsumerKeys, ConsumerWrites, WriteStore, Writes};

fn consumer(name: &str, cursor: u64) -> Consumer {
    Consumer {
        name: name.into(),
        log: Log::Orders.name().into(),
        epoch: "na\u{ef}ve".into(),
        cursor,
        owner: "node-1".into(),
        fence: 1 << 40,
        lease_end_ms: 1_700_000_000_000,
    }
}

fn find(writer: &mut dyn WriteStore, names: &[&str]) -> Vec<Consumer> {
    let mut found = Vec::new();
    let keys = ConsumerKeys { names: names.iter().map(|name| Arc::from(*name)).collect() };
    run(writer, keys, |set, _| {
        found = set.consumers.by_name.into_values().collect();
        Writes::default()
    });
    found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    found
}

/// Runs the part of the suite about consumers on an empty store.
///
/// # Panics
/// When the store does not conform.
pub fn check_consumers(writer: &mut dyn WriteStore) {
    assert!(find(writer, &["a", "b"]).is_empty());
    let (a, b) = (consumer("a", 0), consumer("b", 3));
    run(writer, ConsumerKeys::default(), |set, _| {
        assert!(set.consumers.by_name.is_empty());
        ConsumerWrites { changed: vec![a.clone(), b.clone()] }.into()
    });
    assert_eq!(find(writer, &["b", "none", "a", "b"]), [a.clone(), b]);
    assert!(find(writer, &[]).is_empty(), "only those that are asked for");
    let moved = Consumer { cursor: 9, owner: "node-2".into(), fence: 7, lease_end_ms: -1, epoch: "e".into(), ..a };
    run(writer, ConsumerKeys::default(), |_, _| ConsumerWrites { changed: vec![moved.clone()] }.into());
    assert_eq!(find(writer, &["a"]), [moved]);
}
