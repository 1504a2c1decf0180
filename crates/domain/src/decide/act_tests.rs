use ordercast_access::{Principal, Rights};

use super::*;
use crate::decide::{
    Due, LineQuantity, OrderLines, OrderSet, Placement, RecentClaims, WorkResult, claim, come_due, end_lease, finish,
    place, requeue,
};
use crate::draft::{CustomerKey, Draft, ItemInput, OrderInput, draft_order};
use crate::money::Currency;
use crate::order::Queue;
use crate::product::Product;
use crate::rules::Concurrency;
use crate::transition::ActionName;

const NOW: i64 = 1_000;

fn rules() -> Rules {
    let mut rules = Rules::standard(Currency::parse("USD").unwrap());
    rules.retries.max_attempts = 2;
    rules
}

fn draft(run_at_ms: Option<i64>) -> Draft {
    let item = |sku, quantity| ItemInput { sku, quantity, price: Some("10"), plain: false, untracked: false };
    let input = OrderInput {
        id: Some("a1"),
        items: vec![item("tea", 3), item("cup", 1)],
        customer: Some("ann"),
        address: Some("y"),
        run_at_ms,
        ..OrderInput::default()
    };
    draft_order(&input, &rules(), &CustomerKey::new([1; 32])).unwrap()
}

/// An order of three tea (of ten) and a cup nobody counts, in a set.
fn placed(run_at_ms: Option<i64>) -> WorkingSet {
    let (currency, name) = (Currency::parse("USD").unwrap(), "Tea".to_owned());
    let tea = Product { sku: "tea".into(), name, price: 10_000_000, currency, stock: Some(10), reserved: 0 };
    let mut set = WorkingSet {
        orders: OrderSet { next_seq: 1, ..OrderSet::default() },
        wall_ms: NOW,
        steady_ms: NOW,
        ..WorkingSet::default()
    };
    set.catalogue.products.insert("tea".into(), tea);
    let Ok(Placement::Accepted { order, details, .. }) =
        place(&mut set, &draft(run_at_ms), (&rules(), false), NOW, || unreachable!())
    else {
        panic!("there is enough")
    };
    set.orders.lines.insert(order.seq, OrderLines::new(details, &[]));
    set.queue.ready.push(order);
    set
}

fn request(action: Action) -> Request {
    let reason = Some("because".into());
    Request { order_id: "a1".into(), action, reason, if_versions: None, key: None }
}

fn done(set: &mut WorkingSet, action: Action, actor: Principal) -> Result<Step, Refusal> {
    match act(set, (&request(action), &actor), &rules(), NOW + 10)? {
        Acted::Step { step, .. } => Ok(*step),
        Acted::Unchanged { .. } => panic!("nothing was done"),
    }
}

fn staff() -> Principal {
    Principal::user("u_1".into(), Rights::STAFF)
}

fn customer() -> Principal {
    Principal::customer(CustomerKey::new([1; 32]).opaque("ann").into())
}

/// Both clocks say `now_ms`.
fn due(set: &mut WorkingSet, seq: OrderSeq, now_ms: i64) -> Option<Due> {
    (set.wall_ms, set.steady_ms) = (now_ms, now_ms);
    come_due(set, seq, now_ms)
}

fn claimed(set: &mut WorkingSet, now_ms: i64) -> Option<Step> {
    let limits = Concurrency::default();
    claim(set, (&"w1".into(), &"l1".into()), (&limits, &mut RecentClaims::default()), now_ms)
}

/// Claimed, with the token.
fn in_work(set: &mut WorkingSet) -> u32 {
    claimed(set, NOW + 1).unwrap().order.token
}

fn finished(set: &mut WorkingSet, result: WorkResult) -> Result<Step, Refusal> {
    let token = set.orders.by_seq[&1].token;
    finish(set, (1, token), &result, (&rules().retries, 7), NOW + 2)
}

fn completed() -> WorkingSet {
    let mut set = placed(None);
    in_work(&mut set);
    finished(&mut set, WorkResult::Completed).unwrap();
    set
}

/// Stock and what of it is reserved.
fn tea(set: &WorkingSet) -> (Option<i64>, i64) {
    (set.catalogue.products["tea"].stock, set.catalogue.products["tea"].reserved)
}

fn lines(lines: &[(u32, i64)]) -> Option<Vec<LineQuantity>> {
    Some(lines.iter().map(|&(line, quantity)| LineQuantity { line, quantity }).collect())
}

fn ship(of: &[(u32, i64)], closes: bool) -> Action {
    Action::Fulfil { lines: lines(of), closes }
}

fn money(text: &str) -> Action {
    Action::Refund { amount: Some(text.into()) }
}

#[test]
fn work_is_fenced_by_the_token() {
    let mut set = placed(None);
    let token = in_work(&mut set);
    assert!(claimed(&mut set, NOW).is_none());
    let step = requeue(&mut set, 1, Some(token), "restart", NOW + 20).unwrap();
    assert_eq!((step.order.attempts, step.order.version, step.order.worker), (0, 3, None));
    let late = finish(&mut set, (1, token), &WorkResult::Completed, (&rules().retries, 0), NOW + 30);
    assert_eq!(late.unwrap_err(), Refusal::StaleToken);
    let order = set.orders.by_seq[&1].clone();
    set.queue.ready.push(order.into());
    let token = in_work(&mut set);
    let step = finished(&mut set, WorkResult::Completed).unwrap();
    assert_eq!((step.order.status, step.order.duration_ms, step.order.version), (Status::Completed, Some(1), 5));
    let again = finish(&mut set, (1, token), &WorkResult::Completed, (&rules().retries, 0), NOW + 60).unwrap_err();
    assert!(matches!(again, Refusal::InvalidTransition { from: Status::Completed, .. }));
}

#[test]
fn what_is_called_off_can_be_sold_again_whoever_does_it() {
    let mut set = placed(None);
    assert_eq!(tea(&set), (Some(10), 3));
    let step = done(&mut set, Action::Cancel, customer()).unwrap();
    assert_eq!((step.from, step.order.outward_status(), step.order.version), ("pending", "cancelled", 2));
    assert_eq!((tea(&set), step.skus), ((Some(10), 0), vec!["tea".into()]));
    let again = done(&mut set, Action::Cancel, Principal::local()).unwrap_err();
    let expected = Refusal::InvalidTransition { from: Status::Cancelled, action: ActionName::Cancel, allowed: vec![] };
    assert_eq!(again, expected);
    let stranger = Principal::customer("c_other".into());
    assert_eq!(done(&mut placed(None), Action::Cancel, stranger).unwrap_err(), Refusal::NotFound);
}

#[test]
fn an_order_in_work_is_called_off_by_staff_at_once_and_by_its_customer_when_it_comes_back() {
    let mut set = placed(None);
    let token = in_work(&mut set);
    let foreign = done(&mut set, Action::Hold { until_ms: None }, Principal::worker("w2".into()));
    assert_eq!(foreign.unwrap_err(), Refusal::StaleToken, "workers show their token");
    let step = done(&mut set, Action::Cancel, staff()).unwrap();
    assert_eq!((step.order.status, step.order.token), (Status::Cancelled, token + 1));
    assert_eq!(
        finish(&mut set, (1, token), &WorkResult::Completed, (&rules().retries, 0), NOW).unwrap_err(),
        Refusal::StaleToken
    );

    let mut set = placed(None);
    let token = in_work(&mut set);
    let step = done(&mut set, Action::Cancel, customer()).unwrap();
    assert_eq!((step.from, step.order.outward_status()), ("processing", "processing"));
    assert!(step.order.cancel_requested && step.order.version == 3 && step.order.token == token);
    let again = act(&mut set, (&request(Action::Cancel), &customer()), &rules(), NOW);
    assert!(matches!(again, Ok(Acted::Unchanged { replayed: false, .. })));
    let retry = WorkResult::Retry { reason: "busy".into(), after_ms: Some(60_000) };
    let step = finished(&mut set, retry).unwrap();
    assert_eq!((step.order.status, step.order.due_at_ms), (Status::Retrying, Some(NOW + 2)), "it does not wait");
    let Some(Due::Step(step)) = due(&mut set, 1, NOW + 2) else { panic!("its time has come") };
    assert_eq!((step.order.status, step.actor.to_string()), (Status::Cancelled, customer().to_string()));
    assert_eq!(tea(&set), (Some(10), 0));
}

#[test]
fn failed_work_waits_is_tried_again_and_parked_at_last() {
    let mut set = placed(None);
    in_work(&mut set);
    let retry = || WorkResult::Retry { reason: "é".repeat(400).into(), after_ms: Some(500) };
    let step = finished(&mut set, retry()).unwrap();
    assert_eq!((step.order.status, step.order.due_at_ms), (Status::Retrying, Some(NOW + 2 + 500)));
    assert_eq!(step.order.last_error.as_deref().map(str::len), Some(500));
    assert_eq!((step.was, step.order.queue()), (Some(Queue::InWork), Some(Queue::Timed)));
    assert!(due(&mut set, 1, NOW).is_none(), "not yet");
    let order = set.orders.by_seq[&1].clone();
    set.queue.ready.push(order.into());
    assert!(claimed(&mut set, NOW).is_none(), "it waits");
    let Some(Due::Ready(seq)) = due(&mut set, 1, NOW + 502) else { panic!("it may be claimed") };
    let order = set.orders.by_seq[&seq].clone();
    assert_eq!((order.version, order.queue()), (3, Some(Queue::Ready)));
    let order = set.orders.by_seq[&1].clone();
    set.queue.ready.push(order.into());
    in_work(&mut set);
    let step = end_lease(&mut set, 1, (&rules().retries, 0), NOW + 600).unwrap();
    assert_eq!((step.order.status, step.order.attempts, step.actor), (Status::Failed, 2, Principal::system()));
    assert_eq!(tea(&set), (Some(10), 3), "its stock stays reserved");
    let mut silent = request(Action::Retry);
    silent.reason = None;
    assert!(
        matches!(act(&mut set, (&silent, &staff()), &rules(), NOW), Err(Refusal::Invalid(_))),
        "a reason is required"
    );
    let step = done(&mut set, Action::Retry, staff()).unwrap();
    assert_eq!((step.order.status, step.order.attempts), (Status::Pending, 0));
}

#[test]
fn late_rules_reject_or_hold_and_held_orders_end_when_their_time_has_passed() {
    let mut set = placed(None);
    in_work(&mut set);
    finished(&mut set, WorkResult::Rejected { reason: "embargo".into() }).unwrap();
    assert_eq!((set.orders.by_seq[&1].status, tea(&set)), (Status::Rejected, (Some(10), 0)));

    let mut set = placed(None);
    for until_ms in [0, NOW] {
        let past = done(&mut set, Action::Hold { until_ms: Some(until_ms) }, staff());
        assert!(matches!(past, Err(Refusal::Invalid(_))), "{past:?}");
    }
    done(&mut set, Action::Hold { until_ms: Some(NOW + 100) }, staff()).unwrap();
    assert_eq!(set.orders.by_seq[&1].queue(), Some(Queue::Timed));
    assert!(due(&mut set, 1, NOW + 99).is_none());
    let Some(Due::Step(step)) = due(&mut set, 1, NOW + 100) else { panic!("its time has passed") };
    assert_eq!((step.order.status, tea(&set)), (Status::Rejected, (Some(10), 0)));

    let mut set = placed(None);
    done(&mut set, Action::Hold { until_ms: None }, staff()).unwrap();
    assert_eq!(set.orders.by_seq[&1].queue(), None, "until a person moves it");
    done(&mut set, Action::Release, staff()).unwrap();
    assert_eq!((set.orders.by_seq[&1].queue(), tea(&set)), (Some(Queue::Ready), (Some(10), 3)));
}

#[test]
fn schedules_move_start_and_come_due() {
    let mut set = placed(Some(NOW + 5_000));
    let key = set.orders.by_seq[&1].sort_key;
    assert_eq!((set.orders.by_seq[&1].status, set.orders.by_seq[&1].due_at_ms), (Status::Scheduled, Some(NOW + 5_000)));
    done(&mut set, Action::Reschedule { at_ms: NOW + 9_000 }, customer()).unwrap();
    assert_eq!((set.orders.by_seq[&1].due_at_ms, set.orders.by_seq[&1].sort_key), (Some(NOW + 9_000), key + 4_000));
    assert!(matches!(done(&mut set, Action::Reschedule { at_ms: -1 }, staff()), Err(Refusal::Invalid(_))));
    assert!(due(&mut set.clone(), 1, NOW + 8_999).is_none());
    let Some(Due::Step(step)) = due(&mut set.clone(), 1, NOW + 9_000) else { panic!("its time has come") };
    assert_eq!((step.order.status, step.order.due_at_ms), (Status::Pending, None));
    let step = done(&mut set, Action::Start, staff()).unwrap();
    assert_eq!((step.order.status, step.order.sort_key), (Status::Pending, key - 5_000 + 10), "in line as of now");
    assert_eq!(placed(Some(NOW)).orders.by_seq[&1].status, Status::Pending, "a past time is now");
}

#[test]
fn lines_leave_in_parts_and_stock_goes_with_them() {
    let mut set = completed();
    for (wrong, pointer) in [
        (ship(&[(2, 1)], false), "/lines/0/line"),
        (ship(&[(0, 4)], false), "/lines/0/quantity"),
        (ship(&[(0, 2), (0, 2)], false), "/lines/1/quantity"),
        (ship(&[(0, 0)], false), "/lines/0/quantity"),
        (ship(&[], false), "/lines"),
        (ship(&[], true), "/lines"),
    ] {
        let Err(Refusal::Invalid(violations)) = done(&mut set, wrong.clone(), staff()) else { panic!("{wrong:?}") };
        assert_eq!(violations[0].pointer, pointer, "{wrong:?}");
        assert_eq!((tea(&set), set.orders.by_seq[&1].version), ((Some(10), 3), 3), "nothing has changed");
    }
    let step = done(&mut set, ship(&[(0, 2)], false), staff()).unwrap();
    assert_eq!((step.order.status, step.moves.len(), tea(&set)), (Status::PartiallyFulfilled, 1, (Some(8), 1)));
    assert!(matches!(done(&mut set, Action::Cancel, Principal::local()), Err(Refusal::InvalidTransition { .. })));
    let step = done(&mut set.clone(), Action::Fulfil { lines: None, closes: false }, staff()).unwrap();
    assert_eq!((step.order.status, step.moves.len()), (Status::Fulfilled, 2), "all that is left");
    let step = done(&mut set, ship(&[(1, 1)], true), staff()).unwrap();
    assert_eq!((step.order.status, tea(&set)), (Status::Fulfilled, (Some(8), 0)), "the rest is called off");
    let back = |of: &[(u32, i64)], restocks| Action::Return { lines: lines(of), amount: Some("20".into()), restocks };
    assert!(matches!(done(&mut set, back(&[(0, 3)], true), staff()), Err(Refusal::Invalid(_))), "two were sent");
    let step = done(&mut set, back(&[(0, 2)], true), staff()).unwrap();
    assert_eq!((step.order.refunded, tea(&set), step.order.status), (2_000, (Some(10), 0), Status::Fulfilled));
    assert!(matches!(done(&mut set, back(&[(0, 1)], true), staff()), Err(Refusal::Invalid(_))), "all are back");
}

#[test]
fn no_more_money_goes_back_than_came() {
    assert!(matches!(done(&mut placed(None), money("1"), Principal::local()), Err(Refusal::InvalidTransition { .. })));
    let mut set = completed();
    for (amount, refunded) in [
        ("40.01", None),
        ("0", None),
        ("-1", None),
        ("0.001", None),
        ("15.5", Some(1_550)),
        ("24.51", None),
        ("24.5", Some(4_000)),
        ("0.01", None),
    ] {
        let step = done(&mut set, money(amount), staff());
        assert_eq!(step.ok().map(|step| step.order.refunded), refunded, "{amount}");
    }
    let mut set = completed();
    done(&mut set, money("10"), staff()).unwrap();
    let step = done(&mut set, Action::Cancel, staff()).unwrap();
    let entry = step.entry.unwrap();
    assert_eq!((entry.kind, entry.amount, step.order.refunded), (LedgerKind::Void, 3_000, 4_000));
    assert_eq!((step.order.captured(), tea(&set)), (4_000, (Some(10), 0)));
}

#[test]
fn a_repeated_request_is_done_once_and_versions_are_looked_at() {
    let mut set = completed();
    let keyed = |amount: &str, version| Request {
        key: Some("k".into()),
        if_versions: Some(vec![version]),
        ..request(money(amount))
    };
    let stale = act(&mut set, (&keyed("5", 2), &staff()), &rules(), NOW);
    assert_eq!(stale.unwrap_err(), Refusal::StaleVersion { current: 3 });
    assert!(matches!(act(&mut set, (&keyed("5", 3), &staff()), &rules(), NOW), Ok(Acted::Step { key: Some(_), .. })));
    assert!(matches!(
        act(&mut set, (&keyed("5", 3), &staff()), &rules(), NOW),
        Ok(Acted::Unchanged { replayed: true, .. })
    ));
    assert_eq!(set.orders.by_seq[&1].refunded, 500);
    let other = act(&mut set, (&keyed("6", 4), &staff()), &rules(), NOW).unwrap_err();
    assert_eq!(other, Refusal::Conflict { id: "a1".into() });
}

#[test]
fn waits_go_by_steady_time_and_named_times_by_the_wall_clock() {
    let far = NOW + 1_000_000;
    let mut set = placed(None);
    let token = claimed(&mut set, NOW).unwrap().order.token;
    let retry = WorkResult::Retry { reason: "busy".into(), after_ms: Some(500) };
    finish(&mut set, (1, token), &retry, (&rules().retries, 0), NOW).unwrap();
    (set.wall_ms, set.steady_ms) = (far, NOW + 499);
    assert!(come_due(&mut set, 1, far).is_none(), "the wall clock does not end a wait");
    (set.wall_ms, set.steady_ms) = (0, NOW + 501);
    assert!(matches!(come_due(&mut set, 1, NOW), Some(Due::Ready(1))), "nor does it make one longer");
    let mut set = placed(Some(NOW + 5_000));
    (set.wall_ms, set.steady_ms) = (NOW + 4_999, far);
    assert!(come_due(&mut set, 1, far).is_none());
    set.wall_ms += 1;
    assert!(matches!(come_due(&mut set, 1, NOW), Some(Due::Step(_))));
}
