//! The commit's contract: what becomes of a batch can be found out by its id; and two writers share a store without losing
//! or repeating anything.

use std::collections::BTreeSet;

use ordercast_domain::decide::{self, Placement, Refusal};
use ordercast_domain::draft::{Draft, ItemInput, OrderInput};
use ordercast_domain::order::OrderSeq;
use ordercast_protocol::channel::{Log, View};

use super::steps::tea;
use super::{ALL, PageQuery, claimed, draft_of, event, next_batch, read_all, rules, run, wait};
use crate::read::ReadStore;
use crate::write::{
    BatchId, CatalogueKeys, CatalogueWrites, CommitOutcome, Decider, Keys, OrderInsert, OrderKeys, QueueKeys, Resolved,
    WriteStore, Writes,
};

/// Orders that each of two writers tries to place.
const TRIED: usize = 40;
/// Units in stock, one for each order that is accepted.
const UNITS: usize = 20;

struct OneEvent;

impl Decider for OneEvent {
    fn keys(&self) -> Keys {
        Keys::default()
    }

    fn decide(&mut self, _: decide::WorkingSet, _: i64) -> Writes {
        let mut writes = Writes::default();
        writes.catalogue.products.push(tea());
        writes
    }
}

/// Runs the part of the suite about batches by id on any store.
///
/// # Panics
/// When the store does not conform.
pub fn check_contract(writer: &mut dyn WriteStore) {
    let id = next_batch();
    let CommitOutcome::Committed(committed) = wait(writer.commit(id, &mut OneEvent)) else { panic!("it is free") };
    for _ in 0..2 {
        assert_eq!(wait(writer.resolve(id)), Resolved::Committed(committed.clone()), "as often as it is asked for");
    }
    let barred = next_batch();
    assert_eq!(wait(writer.resolve(barred)), Resolved::Barred, "it was never committed");
    assert!(is_refused(writer, barred), "and never will be");
    assert_eq!(wait(writer.resolve(barred)), Resolved::Barred);
    assert!(is_refused(writer, id), "nor is one committed twice");
    let next = wait(writer.commit(next_batch(), &mut OneEvent));
    assert!(matches!(next, CommitOutcome::Committed(_)), "others are");
}

fn is_refused(writer: &mut dyn WriteStore, id: BatchId) -> bool {
    matches!(wait(writer.commit(id, &mut OneEvent)), CommitOutcome::Unavailable { .. })
}

/// Runs the part of the suite for stores that several writers share: two of them, on an empty store.
///
/// # Panics
/// When the store does not conform.
pub fn check_two_writers(one: &mut dyn WriteStore, other: &mut dyn WriteStore, reader: &dyn ReadStore) {
    run(one, Keys::default(), |_, _| {
        let stock = Some(i64::try_from(UNITS).expect("few"));
        CatalogueWrites { products: vec![ordercast_domain::product::Product { stock, ..tea() }] }.into()
    });
    let accepted = both(one, other, |writer, of| (0..TRIED).filter(|nth| is_accepted(writer, *nth, of)).count());
    assert_eq!(accepted[0] + accepted[1], UNITS, "each unit is sold once, each key is taken once");
    let product = &wait(reader.catalogue()).expect("readable").products[0];
    assert_eq!((product.stock, product.reserved), (Some(UNITS as i64), UNITS as i64));
    let claimed = both(one, other, claim_all);
    let all: BTreeSet<OrderSeq> = claimed.iter().flatten().copied().collect();
    assert_eq!((all.len(), claimed[0].len() + claimed[1].len()), (UNITS, UNITS), "each order is claimed once");
    let events = read_all(reader, &PageQuery::after(Log::Orders, View::All, 0, ALL));
    let offsets = events.iter().map(|event| event.offset);
    assert!(offsets.eq(1..=2 * UNITS as u64), "offsets have no gap and no repetition");
}

/// Does the same with both writers at once.
fn both<T: Send>(
    one: &mut dyn WriteStore,
    other: &mut dyn WriteStore,
    what: impl Fn(&mut dyn WriteStore, &str) -> T + Sync,
) -> [T; 2] {
    std::thread::scope(|scope| {
        let of_other = scope.spawn(|| what(other, "two"));
        let of_one = what(one, "one");
        [of_one, of_other.join().expect("no panic")]
    })
}

/// Every fourth order is the same for both writers.
fn order(nth: usize, of: &str) -> Draft {
    let id = if nth.is_multiple_of(4) { format!("both-{nth}") } else { format!("{of}-{nth}") };
    let item = ItemInput { sku: "tea", quantity: 1, price: Some("2.505"), plain: false, untracked: false };
    draft_of(&OrderInput {
        id: Some(&id),
        items: vec![item],
        customer: Some("ann"),
        address: Some("x"),
        ..OrderInput::default()
    })
}

fn is_accepted(writer: &mut dyn WriteStore, nth: usize, of: &str) -> bool {
    let draft = order(nth, of);
    let keys = Keys {
        orders: OrderKeys {
            ids: draft.id.clone().into_iter().collect(),
            keys: draft.key.clone().into_iter().collect(),
            ..OrderKeys::default()
        },
        catalogue: CatalogueKeys { skus: vec!["tea".into()] },
        ..Keys::default()
    };
    let mut accepted = false;
    run(writer, keys, |mut set, now_ms| {
        let mut writes = Writes::default();
        match decide::place(&mut set, &draft, (&rules(), false), now_ms, || unreachable!()) {
            Ok(Placement::Accepted { order, details, .. }) => {
                accepted = true;
                writes.logs.events.push(event(&order, "placed"));
                writes.orders.keys.extend(draft.key.clone().map(|key| (key, order.seq)));
                writes.catalogue.products.push(set.catalogue.products["tea"].clone());
                writes.orders.new.push(OrderInsert { order, details });
            }
            Ok(Placement::Replayed { .. }) | Err(Refusal::OutOfStock { .. }) => accepted = false,
            Err(refusal) => panic!("{refusal:?}"),
        }
        writes
    });
    accepted
}

/// Claims until nothing is ready.
fn claim_all(writer: &mut dyn WriteStore, of: &str) -> Vec<OrderSeq> {
    let mut seqs = Vec::new();
    loop {
        let mut last = None;
        run(writer, QueueKeys { ready: 1, ..QueueKeys::default() }, |mut set, now_ms| {
            let mut writes = Writes::default();
            (last, writes) = if set.queue.ready.is_empty() {
                (None, writes)
            } else {
                let step = claimed(&mut set, (&of.into(), &of.into()), now_ms);
                writes.logs.events.push(event(&step.order, "claimed"));
                let seq = step.order.seq;
                writes.orders.changed.push(step.order);
                (Some(seq), writes)
            };
            writes
        });
        match last {
            Some(seq) => seqs.push(seq),
            None => return seqs,
        }
    }
}
