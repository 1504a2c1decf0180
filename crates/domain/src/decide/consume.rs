//! Consumers of logs: who reads, and how far it got.

use std::sync::Arc;

use super::{Refusal, WorkingSet};
use crate::Violation;
use crate::consumer::{Acquire, Acquired, Consumer, MoveCursor};

/// Makes a node the owner of a consumer, unless another one's lease lasts. The node's own lease is no obstacle: it was
/// given to an earlier run of it, which the new fence keeps out.
///
/// # Errors
/// [`Refusal::Invalid`] when a consumer of that name reads another log.
pub fn acquire(set: &mut WorkingSet, wish: &Acquire) -> Result<Acquired, Refusal> {
    let Acquire { name, log, owner, ttl_ms, start } = wish;
    let now_ms = set.steady_ms;
    let known = set.consumers.by_name.get(name);
    if let Some(known) = known {
        if known.log != *log {
            let detail = format!("the consumer {name} reads the log {}", known.log);
            return Err(Refusal::Invalid(vec![Violation::new("/log", detail)]));
        }
        if known.owner != *owner && known.lease_end_ms > now_ms {
            let for_ms = known.lease_end_ms - now_ms;
            return Ok(Acquired::Held { owner: Arc::clone(&known.owner), for_ms });
        }
    }
    let (epoch, cursor) = known.map_or_else(|| start.clone(), |known| (Arc::clone(&known.epoch), known.cursor));
    let consumer = Consumer {
        name: Arc::clone(name),
        log: Arc::clone(log),
        epoch,
        cursor,
        owner: Arc::clone(owner),
        fence: known.map_or(0, |known| known.fence) + 1,
        lease_end_ms: now_ms.saturating_add(*ttl_ms),
    };
    set.consumers.by_name.insert(Arc::clone(name), consumer.clone());
    Ok(Acquired::Granted(consumer))
}

/// Moves the cursor of a consumer on, and renews the lease of its owner. An owner whose lease has ended keeps the consumer
/// for as long as nobody else took it.
///
/// # Errors
/// [`Refusal::StaleToken`] when the consumer has got another owner since; [`Refusal::Invalid`] for a cursor that would go
/// back in the same life of the log.
pub fn move_cursor(set: &mut WorkingSet, step: &MoveCursor) -> Result<Consumer, Refusal> {
    let MoveCursor { name, fence, epoch, cursor, ttl_ms } = step;
    let lease_end_ms = set.steady_ms.saturating_add(*ttl_ms);
    let consumer = set.consumers.by_name.get_mut(name).filter(|known| known.fence == *fence);
    let consumer = consumer.ok_or(Refusal::StaleToken)?;
    if consumer.epoch == *epoch && *cursor < consumer.cursor {
        let detail = format!("the cursor of {name} is at {} already", consumer.cursor);
        return Err(Refusal::Invalid(vec![Violation::new("/cursor", detail)]));
    }
    (consumer.epoch, consumer.cursor, consumer.lease_end_ms) = (Arc::clone(epoch), *cursor, lease_end_ms);
    Ok(consumer.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL_MS: i64 = 1_000;

    fn wish(owner: &str) -> Acquire {
        let start = ("e".into(), 5);
        Acquire { name: "index".into(), log: "orders".into(), owner: owner.into(), ttl_ms: TTL_MS, start }
    }

    fn step(fence: u64, cursor: u64) -> MoveCursor {
        MoveCursor { name: "index".into(), fence, epoch: "e".into(), cursor, ttl_ms: TTL_MS }
    }

    fn granted(set: &mut WorkingSet, owner: &str) -> Option<(u64, u64)> {
        match acquire(set, &wish(owner)).unwrap() {
            Acquired::Granted(consumer) => Some((consumer.fence, consumer.cursor)),
            Acquired::Held { .. } => None,
        }
    }

    #[test]
    fn one_owner_at_a_time_goes_on_where_the_last_one_was() {
        let mut set = WorkingSet::default();
        assert_eq!(granted(&mut set, "a"), Some((1, 5)));
        assert_eq!(move_cursor(&mut set, &step(1, 7)).unwrap().cursor, 7);
        set.steady_ms = TTL_MS - 1;
        assert_eq!(acquire(&mut set, &wish("b")), Ok(Acquired::Held { owner: "a".into(), for_ms: 1 }));
        assert_eq!(granted(&mut set, "a"), Some((2, 7)), "another run of the same node");
        assert_eq!(move_cursor(&mut set, &step(1, 8)), Err(Refusal::StaleToken), "the run before");
        set.steady_ms = 2 * TTL_MS;
        assert_eq!(move_cursor(&mut set, &step(2, 8)).unwrap().lease_end_ms, 3 * TTL_MS, "late, but nobody came");
        set.steady_ms = 3 * TTL_MS;
        assert_eq!(granted(&mut set, "b"), Some((3, 8)));
        assert_eq!(move_cursor(&mut set, &step(2, 9)), Err(Refusal::StaleToken));
        move_cursor(&mut set, &MoveCursor { ttl_ms: 0, ..step(3, 9) }).unwrap();
        assert_eq!(granted(&mut set, "a"), Some((4, 9)), "it was given back");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut set = WorkingSet::default();
        assert_eq!(move_cursor(&mut set, &step(1, 7)), Err(Refusal::StaleToken), "there is none");
        assert_eq!(granted(&mut set, "a"), Some((1, 5)));
        assert!(matches!(move_cursor(&mut set, &step(1, 4)), Err(Refusal::Invalid(_))), "back");
        let other = Acquire { log: "products".into(), ..wish("a") };
        assert!(matches!(acquire(&mut set, &other), Err(Refusal::Invalid(_))), "another log");
        let replaced = MoveCursor { epoch: "f".into(), ..step(1, 2) };
        assert_eq!(move_cursor(&mut set, &replaced).unwrap().cursor, 2, "another life begins anew");
    }
}
