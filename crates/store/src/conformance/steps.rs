//! What steps of orders need of a store: timers, leases, lines with their progress, keys, the ledger.

use std::sync::Arc;

use ordercast_domain::decide::{self, ActionRecord, WorkingSet};
use ordercast_domain::lease::{Lease, WorkOutcome, WorkReport};
use ordercast_domain::money::Currency;
use ordercast_domain::order::{
    Fulfilment, LedgerEntry, LedgerKind, LineMove, LineMoveKind, Order, OrderSeq, Progress, Queue,
};
use ordercast_domain::pause::{Parked, Pause, Scope};
use ordercast_domain::product::Product;
use ordercast_domain::status::Status;

use super::{claimed, draft, event, place, run, wait};
use crate::clock::wall_now_ms;
use crate::read::{OrderQuery, ReadStore};
use crate::write::{Keys, WriteStore, Writes};

/// So far away that it never comes.
const FAR_MS: i64 = 1_000_000_000;
/// Some steady time.
const STEADY_MS: i64 = 5_000_000;

/// Runs the part of the suite about steps on an empty store.
///
/// # Panics
/// When the store does not conform.
pub fn check_steps(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    finds_what_is_due(writer, reader);
    finds_waits_that_are_over(writer, reader);
    finds_leases_and_what_they_hold(writer, reader);
    keeps_what_was_moved(writer, reader);
    keeps_reports(writer);
    keeps_pauses_and_what_they_park(writer, reader);
    keeps_what_limits_park(writer, reader);
}

fn tea() -> Product {
    let currency = Currency::parse("GBP").expect("a currency");
    Product { sku: "tea".into(), name: "Tea".into(), price: 2_505_000, currency, stock: Some(20), reserved: 0 }
}

/// Changes an order that was loaded, and writes it with an event.
fn changed(set: &WorkingSet, seq: OrderSeq, change: impl FnOnce(&mut Order)) -> (Order, Writes) {
    let mut order = set.orders[&seq].clone();
    change(&mut order);
    order.version += 1;
    let writes =
        Writes { events: vec![event(&order, "changed")], changed_orders: vec![order.clone()], ..Writes::default() };
    (order, writes)
}

/// Leaves four orders: the first two scheduled, one of them due.
fn finds_what_is_due(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let start = wait(reader.start_state()).expect("readable");
    assert_eq!((start.next_due_ms, start.next_lease_end_ms), (None, None));
    run(writer, Keys { skus: vec!["tea".into()], ..Keys::default() }, |mut set, now_ms| {
        set.products.insert("tea".into(), tea());
        let mut writes = Writes::default();
        for id in ["due", "far", "third", "fourth"] {
            place(&mut set, &draft(id, "ann", 2), now_ms, &mut writes);
        }
        for insert in &mut writes.new_orders[..2] {
            let order = Arc::make_mut(&mut insert.order);
            order.status = Status::Scheduled;
            order.due_at_ms = Some(if order.seq == 1 { now_ms - 1 } else { now_ms + FAR_MS });
        }
        writes.products.push(set.products["tea"].clone());
        writes
    });
    let start = wait(reader.start_state()).expect("readable");
    assert_eq!(start.ready, 2, "who waits for a time is not ready");
    let (far, _) = wait(reader.order("far".into())).expect("readable").expect("it is there");
    run(writer, Keys { due: 5, ready: 5, ..Keys::default() }, |set, _| {
        assert_eq!((set.due.as_slice(), set.next_due_ms), (&[1][..], far.due_at_ms));
        assert!(set.ready.orders().map(|order| order.seq).eq([3, 4]));
        assert!(set.orders.contains_key(&1) && !set.orders.contains_key(&2));
        let lines = &set.lines[&1];
        assert_eq!((lines.details.lines[0].reserved, lines.progress.as_slice()), (2, &[Progress::default()][..]));
        assert_eq!(set.products["tea"].reserved, 8, "the products of its lines come with it");
        Writes::default()
    });
    run(writer, Keys { order_seqs: vec![1], ..Keys::default() }, |set, now_ms| {
        assert!(set.due.is_empty() && set.lines.is_empty(), "only who asks for them gets them");
        changed(&set, 1, |order| order.due_at_ms = Some(now_ms + 2 * FAR_MS)).1
    });
    run(writer, Keys { due: 5, ..Keys::default() }, |set, _| {
        assert_eq!((set.due.as_slice(), set.next_due_ms), (&[][..], far.due_at_ms), "it was moved");
        Writes::default()
    });
    assert_eq!(wait(reader.start_state()).expect("readable").next_due_ms, far.due_at_ms);
}

/// A wait goes by steady time, whatever the wall clock says of it.
fn finds_waits_that_are_over(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    run(writer, Keys { order_seqs: vec![2], ..Keys::default() }, |set, now_ms| {
        let wait = |order: &mut Order| (order.due_at_ms, order.steady_due_ms) = (Some(now_ms - 1), Some(STEADY_MS));
        changed(&set, 2, wait).1
    });
    for (steady_ms, due, next) in [(STEADY_MS - 1, &[][..], Some(STEADY_MS)), (STEADY_MS, &[2][..], None)] {
        run(writer, Keys { due: 5, steady_ms, ..Keys::default() }, |set, _| {
            assert_eq!((set.due.as_slice(), set.next_steady_due_ms, set.steady_ms), (due, next, steady_ms));
            assert!((set.wall_ms - wall_now_ms()).abs() < FAR_MS);
            Writes::default()
        });
    }
    assert_eq!(wait(reader.start_state()).expect("readable").next_steady_due_ms, Some(STEADY_MS));
    run(writer, Keys { order_seqs: vec![2], ..Keys::default() }, |set, now_ms| {
        changed(&set, 2, |order| (order.due_at_ms, order.steady_due_ms) = (Some(now_ms + FAR_MS), None)).1
    });
}

fn finds_leases_and_what_they_hold(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let ids: [Arc<str>; 2] = ["ended".into(), "live".into()];
    run(writer, Keys { ready: 2, ..Keys::default() }, |mut set, now_ms| {
        let mut writes = Writes::default();
        for (id, expires_at_ms) in ids.iter().zip([STEADY_MS, STEADY_MS + FAR_MS]) {
            let step = claimed(&mut set, (&"out".into(), Some(id)), now_ms);
            writes.events.push(event(&step.order, "claimed"));
            writes.changed_orders.push(step.order);
            writes.leases.push(Lease { id: Arc::clone(id), worker: "out".into(), expires_at_ms, ttl_ms: 6_000 });
        }
        writes
    });
    let start = wait(reader.start_state()).expect("readable");
    assert!(start.active == 2 && start.next_lease_end_ms.is_some(), "{start:?}");
    run(writer, Keys { unleased: true, ..Keys::default() }, |set, _| {
        assert!(set.orders.is_empty(), "recovery is not for those that a lease holds");
        Writes::default()
    });
    let leases = vec![Arc::clone(&ids[1]), "none".into()];
    run(writer, Keys { leases, ..Keys::default() }, |set, _| {
        assert_eq!(set.leases.len(), 1);
        assert_eq!(set.orders.values().map(|order| order.seq).collect::<Vec<_>>(), [4]);
        let expires_at_ms = set.leases["live"].expires_at_ms + 1;
        Writes { leases: vec![Lease { expires_at_ms, ..set.leases["live"].clone() }], ..Writes::default() }
    });
    run(writer, Keys { ended_leases: true, steady_ms: STEADY_MS, ..Keys::default() }, |mut set, now_ms| {
        assert_eq!(set.leases.keys().map(|id| &**id).collect::<Vec<_>>(), ["ended"]);
        assert_eq!(set.next_lease_end_ms, Some(STEADY_MS + FAR_MS + 1), "the other's, as it was renewed");
        let step = decide::requeue(&mut set, 3, None, "its worker is gone", now_ms).expect("it goes back");
        assert_eq!(step.order.lease, None);
        let events = vec![event(&step.order, "back")];
        Writes { events, changed_orders: vec![step.order], ended_leases: vec!["ended".into()], ..Writes::default() }
    });
    let leases = vec!["ended".into()];
    run(writer, Keys { ended_leases: true, steady_ms: STEADY_MS, leases, ..Keys::default() }, |set, _| {
        assert!(set.leases.is_empty() && set.orders.is_empty(), "it is no more");
        Writes::default()
    });
    assert_eq!(wait(reader.start_state()).expect("readable").active, 1);
}

/// What workers outside reported is found by order and token, that of the last tokens at least.
fn keeps_reports(writer: &mut dyn WriteStore) {
    let report = |token: u32, outcome: WorkOutcome| WorkReport { seq: 3, token, lease: "l".into(), outcome };
    run(writer, Keys { order_seqs: vec![3], ..Keys::default() }, |set, _| {
        let reports = (1..20).map(|token| report(token, WorkOutcome::Retry)).collect();
        Writes { reports, ..changed(&set, 3, |_| ()).1 }
    });
    run(writer, Keys { order_seqs: vec![3], ..Keys::default() }, |set, _| Writes {
        reports: vec![report(20, WorkOutcome::Complete)],
        ..changed(&set, 3, |_| ()).1
    });
    let reports = [5, 20, 21].map(|token| ("third".into(), token)).to_vec();
    run(writer, Keys { order_ids: vec!["third".into()], reports, ..Keys::default() }, |set, _| {
        let found = |token: u32| set.reports.get(&(3, token)).cloned();
        assert_eq!(found(5), Some(report(5, WorkOutcome::Retry)));
        assert_eq!(found(20), Some(report(20, WorkOutcome::Complete)));
        assert_eq!((found(21), found(4)), (None, None), "only those that are asked for");
        Writes::default()
    });
}

fn keeps_what_was_moved(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let at_ms = 1_700_000_000_000;
    let moved = |version, kind, quantity| LineMove { seq: 3, version, line: 0, kind, quantity, at_ms };
    let moves = vec![
        moved(4, LineMoveKind::Cancelled, 1),
        moved(4, LineMoveKind::Shipped, 1),
        moved(5, LineMoveKind::Returned, 1),
    ];
    let entry = LedgerEntry {
        seq: 3,
        version: 5,
        kind: LedgerKind::Return,
        amount: 250,
        actor: "staff".to_owned(),
        reason: Some("broken".into()),
        at_ms,
    };
    let record = ActionRecord { seq: 3, order_id: "third".into(), digest: [9; 16] };
    run(writer, Keys { order_seqs: vec![3], ..Keys::default() }, |set, _| {
        let (_, writes) = changed(&set, 3, |order| {
            (order.refunded, order.cancel_requested, order.last_error) = (250, true, Some("late".into()));
        });
        let (moves, ledger) = (moves.clone(), vec![entry.clone()]);
        Writes { moves, ledger, action_keys: vec![("k".into(), record.clone())], ..writes }
    });
    let expected = Fulfilment { moves, ledger: vec![entry] };
    assert_eq!(wait(reader.fulfilment(3)).expect("readable"), expected, "oldest first");
    assert_eq!(wait(reader.fulfilment(4)).expect("readable"), Fulfilment::default());
    let (order, _) = wait(reader.order("third".into())).expect("readable").expect("it is there");
    assert_eq!((order.refunded, order.cancel_requested, order.last_error.as_deref()), (250, true, Some("late")));
    let keys = Keys {
        acted_on: vec!["third".into(), "none".into()],
        action_keys: vec!["k".into(), "none".into()],
        lines_of: vec![4],
        ..Keys::default()
    };
    run(writer, keys, |set, _| {
        assert_eq!((set.orders_by_id.len(), set.orders_by_id["third"]), (1, 3));
        assert_eq!(set.lines[&3].progress, [Progress { shipped: 1, cancelled: 1, returned: 1 }]);
        assert!(set.lines.contains_key(&4) && set.orders.contains_key(&4) && set.products.contains_key("tea"));
        assert_eq!((set.actions.len(), &set.actions["k"]), (1, &record));
        Writes::default()
    });
}

/// The orders 5 to 7, two of them parked and let go again.
fn keeps_pauses_and_what_they_park(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
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
        writes.pauses = vec![pause(Scope::All, false), pause(ann.clone(), true)];
        writes
    });
    let before = wait(reader.start_state()).expect("readable");
    assert_eq!(before.pauses, [pause(Scope::All, false), pause(ann.clone(), true)], "by scope");
    run(writer, Keys { order_seqs: vec![5, 6], ..Keys::default() }, |set, _| {
        assert!(set.pauses.is_empty(), "only who asks for them gets them");
        let parked = |seq| Order { parked_by: Some(Parked::Pause(ann.clone())), ..set.orders[&seq].clone() };
        Writes { changed_orders: vec![parked(5), parked(6)], ..Writes::default() }
    });
    assert_eq!(wait(reader.start_state()).expect("readable").ready, before.ready - 2, "who is parked is not ready");
    let counts: Vec<u64> = wait(reader.pauses()).expect("readable").into_iter().map(|(_, parked)| parked).collect();
    assert_eq!(counts, [0, 2]);
    run(writer, Keys { ready: 100, unparked: 1, ..Keys::default() }, |set, _| {
        assert!(!is_ready(&set, 5) && !is_ready(&set, 6) && is_ready(&set, 7));
        assert_eq!((set.pauses.len(), set.unparked.as_slice()), (2, &[(ann.clone(), 5)][..]), "so many at a time");
        let order = Order { parked_by: None, ..set.orders[&5].clone() };
        Writes { changed_orders: vec![order], pauses: vec![pause(Scope::All, true)], ..Writes::default() }
    });
    run(writer, Keys { ready: 100, unparked: 5, ..Keys::default() }, |set, _| {
        assert!(is_ready(&set, 5) && set.pauses[&Scope::All].is_ending);
        assert_eq!(
            (set.unparked.as_slice(), &set.orders[&6].parked_by),
            (&[(ann.clone(), 6)][..], &Some(Parked::Pause(ann.clone())))
        );
        let order = Order { parked_by: None, ..set.orders[&6].clone() };
        let ended_pauses = vec![Scope::All, ann.clone()];
        Writes { changed_orders: vec![order], ended_pauses, ..Writes::default() }
    });
    let after = wait(reader.start_state()).expect("readable");
    assert_eq!((after.ready, after.pauses.len()), (before.ready, 0));
}

/// The orders 5 and 6, parked by the limit of their customer while 7 is in work, and loaded when it leaves.
fn keeps_what_limits_park(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    run(writer, Keys { order_seqs: vec![5, 6], ..Keys::default() }, |set, _| {
        let limit = Parked::Limit(Arc::clone(&set.orders[&5].customer_id));
        // The later one starts first.
        let parked =
            |seq: OrderSeq, sort_key| Order { parked_by: Some(limit.clone()), sort_key, ..set.orders[&seq].clone() };
        Writes { changed_orders: vec![parked(5, 2), parked(6, 1)], ..Writes::default() }
    });
    run(writer, Keys { ready: 100, ..Keys::default() }, |mut set, now_ms| {
        let claimed = (0..set.ready.len()).map(|_| claimed(&mut set, (&"w1".into(), None), now_ms).order);
        Writes { changed_orders: claimed.collect(), ..Writes::default() }
    });
    assert_eq!(limited(reader), 2);
    let keys = Keys { order_seqs: vec![7], ready: 100, in_work: true, limited: true, ..Keys::default() };
    run(writer, keys, |set, _| {
        let customer_id = &set.orders[&7].customer_id;
        assert!(
            set.ready.orders().map(|order| order.seq).all(|seq| seq != 5 && seq != 6),
            "who is parked is not ready"
        );
        let in_work = set.in_work.as_ref().expect("it was asked for");
        assert_eq!(in_work.by_customer[customer_id], in_work.all);
        assert_eq!(set.limited[customer_id].front(), Some(&6), "the first to start");
        assert!(set.orders.contains_key(&6) && set.limited[customer_id].len() <= set.leaving(true)[customer_id]);
        let free = |seq| Order { parked_by: None, ..set.orders[&seq].clone() };
        Writes { changed_orders: vec![free(6)], ..Writes::default() }
    });
    assert_eq!(limited(reader), 1);
}

fn limited(reader: &dyn ReadStore) -> usize {
    let orders = wait(reader.orders(OrderQuery { limit: 100, ..OrderQuery::default() })).expect("readable").orders;
    orders.iter().filter(|(order, _)| order.queue() == Some(Queue::Limited)).count()
}

fn is_ready(set: &WorkingSet, seq: OrderSeq) -> bool {
    set.ready.orders().any(|order| order.seq == seq)
}
