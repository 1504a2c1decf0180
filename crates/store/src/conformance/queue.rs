//! The queue: timers and waits that have come, pauses and limits with the orders that they park.

use std::sync::Arc;

use ordercast_domain::decide::WorkingSet;
use ordercast_domain::order::{Order, OrderSeq, Progress, Queue};
use ordercast_domain::pause::{Parked, Pause, Scope};
use ordercast_domain::status::Status;

use super::steps::{FAR_MS, STEADY_MS, changed, tea};
use super::{claimed, draft, place, run, wait};
use crate::clock::wall_now_ms;
use crate::read::{OrderQuery, ReadStore};
use crate::write::{CatalogueKeys, Keys, OrderKeys, OrderWrites, QueueKeys, QueueWrites, WriteStore, Writes};

/// Leaves four orders: the first two scheduled, one of them due.
pub(super) fn finds_what_is_due(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    run(writer, CatalogueKeys { skus: vec!["tea".into()] }, |mut set, now_ms| {
        set.catalogue.products.insert("tea".into(), tea());
        let mut writes = Writes::default();
        for id in ["due", "far", "third", "fourth"] {
            place(&mut set, &draft(id, "ann", 2), now_ms, &mut writes);
        }
        for insert in &mut writes.orders.new[..2] {
            let order = Arc::make_mut(&mut insert.order);
            order.status = Status::Scheduled;
            order.due_at_ms = Some(if order.seq == 1 { now_ms - 1 } else { now_ms + FAR_MS });
        }
        writes.catalogue.products.push(set.catalogue.products["tea"].clone());
        writes
    });
    let start = wait(reader.start_state()).expect("readable");
    assert_eq!(start.ready, 2, "who waits for a time is not ready");
    let (far, _) = wait(reader.order("far".into())).expect("readable").expect("it is there");
    run(writer, QueueKeys { due: 5, ready: 5, ..QueueKeys::default() }, |set, _| {
        assert_eq!((set.queue.due.as_slice(), set.queue.next_due_ms), (&[1][..], far.due_at_ms));
        assert!(set.queue.ready.orders().map(|order| order.seq).eq([3, 4]));
        assert!(set.orders.by_seq.contains_key(&1) && !set.orders.by_seq.contains_key(&2));
        let lines = &set.orders.lines[&1];
        assert_eq!((lines.details.lines[0].reserved, lines.progress.as_slice()), (2, &[Progress::default()][..]));
        assert_eq!(set.catalogue.products["tea"].reserved, 8, "the products of its lines come with it");
        Writes::default()
    });
    run(writer, OrderKeys { seqs: vec![1], ..OrderKeys::default() }, |set, now_ms| {
        assert!(set.queue.due.is_empty() && set.orders.lines.is_empty(), "only who asks for them gets them");
        changed(&set, 1, |order| order.due_at_ms = Some(now_ms + 2 * FAR_MS)).1
    });
    run(writer, QueueKeys { due: 5, ..QueueKeys::default() }, |set, _| {
        assert_eq!((set.queue.due.as_slice(), set.queue.next_due_ms), (&[][..], far.due_at_ms), "it was moved");
        Writes::default()
    });
}

/// A wait goes by steady time, whatever the wall clock says of it.
pub(super) fn finds_waits_that_are_over(writer: &mut dyn WriteStore) {
    run(writer, OrderKeys { seqs: vec![2], ..OrderKeys::default() }, |set, now_ms| {
        let wait = |order: &mut Order| (order.due_at_ms, order.steady_due_ms) = (Some(now_ms - 1), Some(STEADY_MS));
        changed(&set, 2, wait).1
    });
    for (steady_ms, due, next) in [(STEADY_MS - 1, &[][..], Some(STEADY_MS)), (STEADY_MS, &[2][..], None)] {
        run(
            writer,
            Keys { queue: QueueKeys { due: 5, ..QueueKeys::default() }, steady_ms, ..Keys::default() },
            |set, _| {
                assert_eq!(
                    (set.queue.due.as_slice(), set.queue.next_steady_due_ms, set.steady_ms),
                    (due, next, steady_ms)
                );
                assert!((set.wall_ms - wall_now_ms()).abs() < FAR_MS);
                Writes::default()
            },
        );
    }
    run(writer, OrderKeys { seqs: vec![2], ..OrderKeys::default() }, |set, now_ms| {
        changed(&set, 2, |order| (order.due_at_ms, order.steady_due_ms) = (Some(now_ms + FAR_MS), None)).1
    });
}

/// The orders 5 to 7, two of them parked and let go again.
pub(super) fn keeps_pauses_and_what_they_park(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let pause = |scope, is_ending| Pause {
        scope,
        since_ms: 7,
        actor: "admin".to_owned(),
        reason: Some("stocktaking".into()),
        is_ending,
    };
    let ann = Scope::Customer("c_ann".into());
    run(writer, Keys::default(), |mut set, now_ms| {
        let mut writes = Writes::default();
        for id in ["fifth", "sixth", "seventh"] {
            place(&mut set, &draft(id, "ann", 1), now_ms, &mut writes);
        }
        writes.queue.pauses = vec![pause(Scope::All, false), pause(ann.clone(), true)];
        writes
    });
    let before = wait(reader.start_state()).expect("readable");
    assert_eq!(before.pauses, [pause(Scope::All, false), pause(ann.clone(), true)], "by scope");
    run(writer, OrderKeys { seqs: vec![5, 6], ..OrderKeys::default() }, |set, _| {
        assert!(set.queue.pauses.is_empty(), "only who asks for them gets them");
        let parked = |seq| Order { parked_by: Some(Parked::Pause(ann.clone())), ..set.orders.by_seq[&seq].clone() };
        Writes {
            orders: OrderWrites { changed: vec![parked(5), parked(6)], ..OrderWrites::default() },
            ..Writes::default()
        }
    });
    assert_eq!(wait(reader.start_state()).expect("readable").ready, before.ready - 2, "who is parked is not ready");
    let counts: Vec<u64> = wait(reader.pauses()).expect("readable").into_iter().map(|(_, parked)| parked).collect();
    assert_eq!(counts, [0, 2]);
    run(writer, QueueKeys { ready: 100, unparked: 1, ..QueueKeys::default() }, |set, _| {
        assert!(!is_ready(&set, 5) && !is_ready(&set, 6) && is_ready(&set, 7));
        assert_eq!(
            (set.queue.pauses.len(), set.queue.unparked.as_slice()),
            (2, &[(ann.clone(), 5)][..]),
            "so many at a time"
        );
        let order = Order { parked_by: None, ..set.orders.by_seq[&5].clone() };
        Writes {
            orders: OrderWrites { changed: vec![order], ..OrderWrites::default() },
            queue: QueueWrites { pauses: vec![pause(Scope::All, true)], ..QueueWrites::default() },
            ..Writes::default()
        }
    });
    run(writer, QueueKeys { ready: 100, unparked: 5, ..QueueKeys::default() }, |set, _| {
        assert!(is_ready(&set, 5) && set.queue.pauses[&Scope::All].is_ending);
        assert_eq!(
            (set.queue.unparked.as_slice(), &set.orders.by_seq[&6].parked_by),
            (&[(ann.clone(), 6)][..], &Some(Parked::Pause(ann.clone())))
        );
        let order = Order { parked_by: None, ..set.orders.by_seq[&6].clone() };
        let ended_pauses = vec![Scope::All, ann.clone()];
        Writes {
            orders: OrderWrites { changed: vec![order], ..OrderWrites::default() },
            queue: QueueWrites { ended_pauses, ..QueueWrites::default() },
            ..Writes::default()
        }
    });
    let after = wait(reader.start_state()).expect("readable");
    assert_eq!((after.ready, after.pauses.len()), (before.ready, 0));
}

/// The orders 5 and 6, parked by the limit of their customer while 7 is in work, and loaded when it leaves.
pub(super) fn keeps_what_limits_park(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    run(writer, OrderKeys { seqs: vec![5, 6], ..OrderKeys::default() }, |set, _| {
        let limit = Parked::Limit(set.orders.by_seq[&5].customer_id.clone());
        // The later one starts first.
        let parked = |seq: OrderSeq, sort_key| Order {
            parked_by: Some(limit.clone()),
            sort_key,
            ..set.orders.by_seq[&seq].clone()
        };
        Writes {
            orders: OrderWrites { changed: vec![parked(5, 2), parked(6, 1)], ..OrderWrites::default() },
            ..Writes::default()
        }
    });
    run(writer, QueueKeys { ready: 100, ..QueueKeys::default() }, |mut set, now_ms| {
        let claimed =
            (0..set.queue.ready.len()).map(|_| claimed(&mut set, (&"w1".into(), &"gone".into()), now_ms).order);
        Writes { orders: OrderWrites { changed: claimed.collect(), ..OrderWrites::default() }, ..Writes::default() }
    });
    assert_eq!(limited(reader), 2);
    let keys = Keys {
        orders: OrderKeys { seqs: vec![7], ..OrderKeys::default() },
        queue: QueueKeys { ready: 100, in_work: true, limited: true, ..QueueKeys::default() },
        ..Keys::default()
    };
    run(writer, keys, |set, _| {
        let customer_id = &set.orders.by_seq[&7].customer_id;
        assert!(
            set.queue.ready.orders().map(|order| order.seq).all(|seq| seq != 5 && seq != 6),
            "who is parked is not ready"
        );
        let in_work = set.queue.in_work.as_ref().expect("it was asked for");
        assert_eq!(in_work.by_customer[customer_id], in_work.all);
        assert_eq!(set.queue.limited[customer_id].front(), Some(&6), "the first to start");
        assert!(
            set.orders.by_seq.contains_key(&6)
                && set.queue.limited[customer_id].len() <= set.leaving(true)[customer_id]
        );
        let free = |seq| Order { parked_by: None, ..set.orders.by_seq[&seq].clone() };
        Writes { orders: OrderWrites { changed: vec![free(6)], ..OrderWrites::default() }, ..Writes::default() }
    });
    assert_eq!(limited(reader), 1);
}

fn limited(reader: &dyn ReadStore) -> usize {
    let orders = wait(reader.orders(OrderQuery { limit: 100, ..OrderQuery::default() })).expect("readable").orders;
    orders.iter().filter(|(order, _)| order.queue() == Some(Queue::Limited)).count()
}

fn is_ready(set: &WorkingSet, seq: OrderSeq) -> bool {
    set.queue.ready.orders().any(|order| order.seq == seq)
}
