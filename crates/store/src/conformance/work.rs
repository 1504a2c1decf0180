//! Work: leases with the orders that they hold, and reports of workers.

use ordercast_domain::decide;
use ordercast_domain::ids::LeaseId;
use ordercast_domain::lease::{Lease, WorkOutcome, WorkReport};

use super::steps::{FAR_MS, STEADY_MS, changed};
use super::{claimed, event, run, wait};
use crate::read::ReadStore;
use crate::write::{Keys, LogWrites, OrderKeys, OrderWrites, QueueKeys, WorkKeys, WorkWrites, WriteStore, Writes};

pub(super) fn finds_leases_and_what_they_hold(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let ids: [LeaseId; 2] = ["ended".into(), "live".into()];
    run(writer, QueueKeys { ready: 2, ..QueueKeys::default() }, |mut set, now_ms| {
        let mut writes = Writes::default();
        for (id, expires_at_ms) in ids.iter().zip([STEADY_MS, STEADY_MS + FAR_MS]) {
            let step = claimed(&mut set, (&"out".into(), id), now_ms);
            writes.logs.events.push(event(&step.order, "claimed"));
            writes.orders.changed.push(step.order);
            writes.work.leases.push(Lease { id: id.clone(), worker: "out".into(), expires_at_ms, ttl_ms: 6_000 });
        }
        writes
    });
    let start = wait(reader.start_state()).expect("readable");
    assert_eq!(start.active, 2);
    let lease = wait(reader.lease(ids[0].clone())).expect("readable").expect("it is there");
    assert_eq!((&*lease.worker, lease.expires_at_ms), ("out", STEADY_MS));
    assert_eq!(wait(reader.lease("none".into())).expect("readable"), None);
    let leases = vec![ids[1].clone(), "none".into()];
    run(writer, WorkKeys { leases, ..WorkKeys::default() }, |set, _| {
        assert_eq!(set.work.leases.len(), 1);
        assert_eq!(set.orders.by_seq.values().map(|order| order.seq).collect::<Vec<_>>(), [4]);
        let expires_at_ms = set.work.leases["live"].expires_at_ms + 1;
        Writes {
            work: WorkWrites {
                leases: vec![Lease { expires_at_ms, ..set.work.leases["live"].clone() }],
                ..WorkWrites::default()
            },
            ..Writes::default()
        }
    });
    run(
        writer,
        Keys { work: WorkKeys { ended: true, ..WorkKeys::default() }, steady_ms: STEADY_MS, ..Keys::default() },
        |mut set, now_ms| {
            assert_eq!(set.work.leases.keys().map(|id| &**id).collect::<Vec<_>>(), ["ended"]);
            assert_eq!(set.work.next_lease_end_ms, Some(STEADY_MS + FAR_MS + 1), "the other's, as it was renewed");
            let step = decide::requeue(&mut set, 3, None, "its worker is gone", now_ms).expect("it goes back");
            assert_eq!(step.order.lease, None);
            let events = vec![event(&step.order, "back")];
            Writes {
                logs: LogWrites { events, ..LogWrites::default() },
                orders: OrderWrites { changed: vec![step.order], ..OrderWrites::default() },
                work: WorkWrites { ended: vec!["ended".into()], ..WorkWrites::default() },
                ..Writes::default()
            }
        },
    );
    let leases = vec!["ended".into()];
    run(
        writer,
        Keys { work: WorkKeys { ended: true, leases, ..WorkKeys::default() }, steady_ms: STEADY_MS, ..Keys::default() },
        |set, _| {
            assert!(set.work.leases.is_empty() && set.orders.by_seq.is_empty(), "it is no more");
            Writes::default()
        },
    );
    assert_eq!(wait(reader.start_state()).expect("readable").active, 1);
}

/// What workers outside reported is found by order and token, that of the last tokens at least.
pub(super) fn keeps_reports(writer: &mut dyn WriteStore) {
    let report = |token: u32, outcome: WorkOutcome| WorkReport { seq: 3, token, lease: "l".into(), outcome };
    run(writer, OrderKeys { seqs: vec![3], ..OrderKeys::default() }, |set, _| {
        let reports = (1..20).map(|token| report(token, WorkOutcome::Retry)).collect();
        Writes { work: WorkWrites { reports, ..WorkWrites::default() }, ..changed(&set, 3, |_| ()).1 }
    });
    run(writer, OrderKeys { seqs: vec![3], ..OrderKeys::default() }, |set, _| Writes {
        work: WorkWrites { reports: vec![report(20, WorkOutcome::Complete)], ..WorkWrites::default() },
        ..changed(&set, 3, |_| ()).1
    });
    let reports = [5, 20, 21].map(|token| ("third".into(), token)).to_vec();
    run(
        writer,
        Keys {
            orders: OrderKeys { ids: vec!["third".into()], ..OrderKeys::default() },
            work: WorkKeys { reports, ..WorkKeys::default() },
            ..Keys::default()
        },
        |set, _| {
            let found = |token: u32| set.work.reports.get(&(3, token)).cloned();
            assert_eq!(found(5), Some(report(5, WorkOutcome::Retry)));
            assert_eq!(found(20), Some(report(20, WorkOutcome::Complete)));
            assert_eq!((found(21), found(4)), (None, None), "only those that are asked for");
            Writes::default()
        },
    );
}
