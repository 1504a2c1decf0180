//! The outlook: what the store says is to be done next, with every commit and by itself.

use ordercast_domain::ids::LeaseId;
use ordercast_domain::lease::Lease;
use ordercast_domain::order::Order;
use ordercast_domain::pause::{Parked, Pause, Scope};

use super::steps::{FAR_MS, STEADY_MS, changed};
use super::{claimed, draft, place, run, wait};
use crate::write::{
    Keys, OrderKeys, OrderWrites, Outlook, OutlookDepth, QueueKeys, QueueWrites, WorkKeys, WorkWrites, WriteStore,
    Writes,
};

const DEPTH: OutlookDepth = OutlookDepth { ready: 2, active: 2, limited: true };

/// What [`WriteStore::outlook`] says, in few words.
fn look(writer: &mut dyn WriteStore) -> (usize, usize, bool, bool) {
    let Outlook { ready, active, limited, lifted_pauses, .. } = wait(writer.outlook(DEPTH)).expect("readable");
    (ready.min(DEPTH.ready), active.min(DEPTH.active), limited, lifted_pauses)
}

/// A commit's outlook is what the store says by itself.
fn commit(
    writer: &mut dyn WriteStore,
    keys: Keys,
    decide: impl FnMut(ordercast_domain::decide::WorkingSet, i64) -> Writes + Send,
) -> (usize, usize, bool, bool) {
    let keys = Keys { outlook: DEPTH, ..keys };
    let Outlook { ready, active, limited, lifted_pauses, .. } = run(writer, keys, decide).outlook;
    let with_commit = (ready.min(DEPTH.ready), active.min(DEPTH.active), limited, lifted_pauses);
    assert_eq!(with_commit, look(writer), "a commit's outlook is the store's");
    with_commit
}

/// Runs the part of the suite about the outlook on an empty store.
///
/// # Panics
/// When the store does not conform.
pub fn check_outlook(writer: &mut dyn WriteStore) {
    assert_eq!(wait(writer.outlook(DEPTH)).expect("readable"), Outlook::default(), "nothing is to be done");
    counts_what_is_ready_and_in_work(writer);
    announces_leases(writer);
    announces_waits_and_times(writer);
    knows_what_is_held_back(writer);
}

/// Leaves five orders: two in work under the lease `out`, three ready.
fn counts_what_is_ready_and_in_work(writer: &mut dyn WriteStore) {
    let mut placed = |ids: &[&str]| {
        commit(writer, Keys::default(), |mut set, now_ms| {
            let mut writes = Writes::default();
            ids.iter().for_each(|id| place(&mut set, &draft(id, "ann", 2), now_ms, &mut writes));
            writes
        })
    };
    assert_eq!(placed(&["o1"]), (1, 0, false, false));
    assert_eq!(placed(&["o2", "o3", "o4", "o5"]), (2, 0, false, false), "it counts no further than it was asked to");
    let keys = Keys::from(QueueKeys { ready: 2, ..QueueKeys::default() });
    let after = commit(writer, keys, |mut set, now_ms| {
        let mut writes = Writes::default();
        for _ in 0..2 {
            let step = claimed(&mut set, (&"w1".into(), &"out".into()), now_ms);
            writes.orders.changed.push(step.order);
        }
        let (id, expires_at_ms) = (LeaseId::from("out"), STEADY_MS + FAR_MS);
        writes.work.leases.push(Lease { id, worker: "w1".into(), expires_at_ms, ttl_ms: 6_000 });
        writes
    });
    assert_eq!(after, (2, 2, false, false));
}

fn announces_leases(writer: &mut dyn WriteStore) {
    let end_ms = |writer: &mut dyn WriteStore| wait(writer.outlook(DEPTH)).expect("readable").next_lease_end_ms;
    assert_eq!(end_ms(writer), Some(STEADY_MS + FAR_MS));
    let lease = |expires_at_ms| Lease { id: "other".into(), worker: "w2".into(), expires_at_ms, ttl_ms: 6_000 };
    let renewed = |expires_at_ms| WorkWrites { leases: vec![lease(expires_at_ms)], ..WorkWrites::default() }.into();
    commit(writer, Keys::default(), |_, _| renewed(STEADY_MS));
    assert_eq!(end_ms(writer), Some(STEADY_MS), "the first");
    let ended = Keys { steady_ms: STEADY_MS, ..Keys::from(WorkKeys { ended: true, ..WorkKeys::default() }) };
    commit(writer, ended, |_, _| WorkWrites { ended: vec!["other".into()], ..WorkWrites::default() }.into());
    assert_eq!(end_ms(writer), Some(STEADY_MS + FAR_MS), "who looked at what has ended learns what ends next");
}

/// Leaves order 4 waiting and order 5 scheduled.
fn announces_waits_and_times(writer: &mut dyn WriteStore) {
    let due = |writer: &mut dyn WriteStore| {
        let outlook = wait(writer.outlook(DEPTH)).expect("readable");
        (outlook.next_due_ms, outlook.next_steady_due_ms)
    };
    let timed = |writer: &mut dyn WriteStore, seq, due_at_ms: i64, steady_due_ms| {
        commit(writer, OrderKeys { seqs: vec![seq], ..OrderKeys::default() }.into(), |set, _| {
            let timer = |order: &mut Order| {
                (order.due_at_ms, order.steady_due_ms) = (Some(due_at_ms), steady_due_ms);
            };
            changed(&set, seq, timer).1
        })
    };
    let far_ms = crate::clock::wall_now_ms() + FAR_MS;
    timed(writer, 5, far_ms, None);
    assert_eq!(due(writer), (Some(far_ms), None));
    assert_eq!(timed(writer, 4, far_ms - 1, Some(STEADY_MS)).0, 1, "who waits for a time is not ready");
    assert_eq!(due(writer), (Some(far_ms), Some(STEADY_MS)), "each by its clock");
    timed(writer, 4, far_ms - 1, Some(STEADY_MS + 1));
    let keys = Keys { steady_ms: STEADY_MS, ..Keys::from(QueueKeys { due: 5, ..QueueKeys::default() }) };
    commit(writer, keys, |set, _| {
        assert!(set.queue.due.is_empty(), "it was moved");
        Writes::default()
    });
    assert_eq!(due(writer), (Some(far_ms), Some(STEADY_MS + 1)), "who looked at what is due learns what comes next");
}

fn knows_what_is_held_back(writer: &mut dyn WriteStore) {
    let pause =
        |is_ending| Pause { scope: Scope::All, since_ms: 7, actor: "admin".to_owned(), reason: None, is_ending };
    let paused = |is_ending| QueueWrites { pauses: vec![pause(is_ending)], ..QueueWrites::default() }.into();
    assert!(!commit(writer, Keys::default(), |_, _| paused(false)).3, "it holds back");
    assert!(commit(writer, Keys::default(), |_, _| paused(true)).3, "it lets go");
    let over = || QueueWrites { ended_pauses: vec![Scope::All], ..QueueWrites::default() }.into();
    assert!(!commit(writer, Keys::default(), |_, _| over()).3);
    let mut limited = |parked_by: Option<Parked>| {
        commit(writer, OrderKeys { seqs: vec![3], ..OrderKeys::default() }.into(), |set, _| {
            let order = Order { parked_by: parked_by.clone(), ..set.orders.by_seq[&3].clone() };
            OrderWrites { changed: vec![order], ..OrderWrites::default() }.into()
        })
    };
    assert_eq!(limited(Some(Parked::Limit("c_ann".into()))), (0, 2, true, false));
    assert_eq!(limited(None), (1, 2, false, false));
}
