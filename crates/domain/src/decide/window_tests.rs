use std::collections::BTreeMap;

use super::*;
use crate::money::Currency;
use crate::rules::Priority;
use crate::status::{Lane, Status};

fn order() -> Order {
    Order {
        seq: 1,
        id: "o1".into(),
        customer_id: "a".into(),
        status: Status::Pending,
        lane: Lane::Processing,
        priority: Priority::Medium,
        version: 1,
        token: 0,
        attempts: 0,
        sort_key: 0,
        amount: 100,
        rounding: 0,
        currency: Currency::parse("USD").unwrap(),
        item_count: 1,
        accepted_at_ms: 0,
        updated_at_ms: 0,
        placed_at_ms: None,
        worker: None,
        started_at_ms: None,
        duration_ms: None,
        lease: None,
        due_at_ms: None,
        steady_due_ms: None,
        cancel_requested: false,
        last_error: None,
        parked_by: None,
        refunded: 0,
        demo: false,
        digest: [0; 16],
    }
}

/// Orders as `(customer, priority)` by rising key; the customers of their claims.
fn claims(waiting: &[(&str, Priority)], recent: &[&str], count: usize) -> String {
    let mut claimed = RecentClaims::default();
    recent.iter().for_each(|customer| claimed.add(&(*customer).into()));
    let mut window = Window::default();
    for (&(customer_id, priority), seq) in waiting.iter().zip(1..) {
        let customer_id = customer_id.into();
        window.push(Arc::new(Order { seq, customer_id, priority, sort_key: seq as i64, ..order() }));
    }
    window.take_turns();
    let mut next = || {
        let order = window.next(&claimed)?;
        claimed.add(&order.customer_id);
        Some(order.customer_id.to_string())
    };
    (0..count).map_while(|_| next()).collect()
}

#[test]
fn customers_take_turns_within_a_level() {
    use Priority::{High, Low, Medium};
    let many = |customer, count| vec![(customer, Medium); count];
    for (waiting, recent, expected) in [
        (many("a", 3), vec![], "aaa"),
        ([many("a", 4), many("b", 2)].concat(), vec![], "ababaa"),
        ([many("a", 2), many("b", 2)].concat(), vec!["a", "a"], "bbaa"),
        // The first of all says which level is next, and is not overtaken by another level.
        (vec![("a", High), ("a", High), ("b", Low)], vec!["a"; 9], "aab"),
        (vec![("a", Low), ("b", High), ("b", High), ("c", Low)], vec!["a"], "cabb"),
        // Who is beyond the window is not seen, until the window gets there.
        ([many("a", WINDOW), many("b", 1)].concat(), vec![], "aba"),
    ] {
        assert_eq!(&claims(&waiting, &recent, waiting.len())[..expected.len()], expected, "{waiting:?} {recent:?}");
    }
}

#[test]
fn at_most_a_window_of_others_goes_before_the_first() {
    let mut waiting = vec![("a", Priority::Medium)];
    let others: Vec<String> = (0..300).map(|n| char::from_u32(0x4e00 + n).unwrap().to_string()).collect();
    waiting.extend(others.iter().map(|customer| (customer.as_str(), Priority::Medium)));
    let claimed = claims(&waiting, &["a"; WINDOW], 2 * WINDOW);
    assert_eq!(claimed.chars().position(|customer| customer == 'a'), Some(WINDOW), "{claimed}");
}

#[test]
fn who_comes_back_stands_where_its_key_belongs() {
    let mut window = Window::default();
    let at = |seq, sort_key| Arc::new(Order { seq, sort_key, ..order() });
    window.push(at(1, 5));
    window.push(at(2, 9));
    window.insert(at(6, 10));
    assert_eq!(window.len(), 2, "whether others are before it is not known");
    window.end();
    for (seq, sort_key) in [(3, 5), (4, 1), (5, 10)] {
        window.insert(at(seq, sort_key));
    }
    assert!(window.orders().map(|order| order.seq).eq([4, 1, 3, 2, 5]) && window.len() == 5 && !window.is_empty());
}

#[test]
fn a_batch_that_is_decided_again_finds_the_claims_as_they_were() {
    let mut claimed = RecentClaims::default();
    let customers = |count: usize| (0..count).map(|n| CustomerId::from(format!("c{}", n % 7)));
    customers(WINDOW - 2).for_each(|customer| claimed.add(&customer));
    claimed.settle();
    let shown = |claimed: &RecentClaims| format!("{:?} {:?}", claimed.claims, BTreeMap::from_iter(&claimed.counts));
    let before = shown(&claimed);
    customers(9).for_each(|customer| claimed.add(&customer));
    let after = shown(&claimed);
    claimed.rewind();
    assert_eq!(shown(&claimed), before);
    customers(9).for_each(|customer| claimed.add(&customer));
    claimed.settle();
    claimed.rewind();
    assert_eq!(shown(&claimed), after);
}
