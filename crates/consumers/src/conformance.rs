//! What every implementation of [`Cursors`] must do.

use std::sync::Arc;

use ordercast_domain::consumer::{Acquire, Acquired, Consumer, MoveCursor};
use ordercast_protocol::channel::Log;

use crate::cursors::{CursorError, Cursors};

/// How long the leases of the suite last, in milliseconds.
pub const TTL_MS: i64 = 500;
/// How often a lease is asked for until it must have ended.
const MAX_ATTEMPTS: usize = 100_000;

fn wish(owner: &str) -> Acquire {
    Acquire {
        name: "suite".into(),
        log: Log::Products.name().into(),
        owner: owner.into(),
        ttl_ms: TTL_MS,
        start: ("e".into(), 5),
    }
}

fn step(consumer: &Consumer, cursor: u64) -> MoveCursor {
    MoveCursor {
        name: Arc::clone(&consumer.name),
        fence: consumer.fence,
        epoch: Arc::clone(&consumer.epoch),
        cursor,
        ttl_ms: TTL_MS,
    }
}

async fn granted(cursors: &dyn Cursors, owner: &str) -> Option<Consumer> {
    match cursors.acquire(wish(owner)).await.expect("it is answered") {
        Acquired::Granted(consumer) => Some(consumer),
        Acquired::Held { owner: holder, for_ms } => {
            assert!(*holder != *owner && (1..=TTL_MS).contains(&for_ms), "held by {holder} for {for_ms} ms");
            None
        }
    }
}

/// Runs the suite on a store that has no consumer yet, through two nodes. `pass` lets some time pass, of the store or of the
/// world.
///
/// # Panics
/// When the implementation does not conform.
pub async fn check(one: &dyn Cursors, other: &dyn Cursors, mut pass: impl FnMut()) {
    let first = granted(one, "one").await.expect("nobody has it");
    assert_eq!((&*first.epoch, first.cursor), ("e", 5), "a new consumer begins where it should");
    assert_eq!(granted(other, "other").await, None, "one owner at a time");
    one.advance(step(&first, 7)).await.expect("it is the owner");
    one.advance(step(&first, 7)).await.expect("which may be said again");
    assert!(matches!(one.advance(step(&first, 6)).await, Err(CursorError::Refused(_))), "not back");
    let elsewhere = Acquire { log: Log::Orders.name().into(), ..wish("one") };
    assert!(matches!(one.acquire(elsewhere).await, Err(CursorError::Refused(_))), "it reads one log");

    let mut attempts = 0..MAX_ATTEMPTS;
    let second = loop {
        assert!(attempts.next().is_some(), "the lease does not end");
        pass();
        if let Some(second) = granted(other, "other").await {
            break second;
        }
    };
    assert!(second.fence > first.fence);
    assert_eq!(second.cursor, 7, "it goes on where the other was");
    assert_eq!(one.advance(step(&first, 8)).await, Err(CursorError::Fenced), "it comes too late");
    other.advance(step(&second, 8)).await.expect("it is the owner");

    let again = granted(other, "other").await.expect("another run of the same node");
    assert_eq!(other.advance(step(&second, 9)).await, Err(CursorError::Fenced), "the run before");
    let replaced = MoveCursor { epoch: "f".into(), ttl_ms: 0, ..step(&again, 1) };
    other.advance(replaced).await.expect("another life of the log begins anew");
    let third = granted(one, "one").await.expect("it was given back");
    assert_eq!((&*third.epoch, third.cursor), ("f", 1));
    assert_eq!(other.advance(step(&again, 2)).await, Err(CursorError::Fenced));
}
