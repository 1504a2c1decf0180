use super::super::pricing::UNKNOWN_SKU;
use super::*;
use crate::Violation;
use crate::decide::{CatalogueSet, OrderSet};
use crate::draft::{CustomerKey, ItemInput, OrderInput, draft_order};
use crate::money::Currency;
use crate::product::Product;
use crate::rules::Priority;

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

fn rules() -> Rules {
    Rules::standard(usd())
}

fn key() -> CustomerKey {
    CustomerKey::new([1; 32])
}

fn tea(stock: i64) -> Product {
    Product {
        sku: "tea".into(),
        name: "Tea".into(),
        price: 2_505_000,
        currency: usd(),
        stock: Some(stock),
        reserved: 0,
    }
}

fn set_with(products: &[Product]) -> WorkingSet {
    let products = products.iter().map(|product| (product.sku.clone(), product.clone())).collect();
    WorkingSet {
        catalogue: CatalogueSet { products, ..CatalogueSet::default() },
        orders: OrderSet { next_seq: 1, ..OrderSet::default() },
        ..WorkingSet::default()
    }
}

fn draft(skus: &[(&str, i64)]) -> Draft {
    let items = skus
        .iter()
        .map(|&(sku, quantity)| ItemInput { sku, quantity, price: Some("2.505"), plain: false, untracked: false })
        .collect();
    let input = OrderInput { items, customer: Some("x"), address: Some("y"), ..OrderInput::default() };
    draft_order(&input, &rules(), &key()).unwrap()
}

fn placed(set: &mut WorkingSet, draft: &Draft) -> Result<Placement, Refusal> {
    place(set, draft, (&rules(), false), 1_000, || "new".into())
}

#[test]
fn stock_is_reserved_for_all_lines_or_none() {
    let mut set = set_with(&[tea(5)]);
    let refusal = placed(&mut set, &draft(&[("tea", 3), ("other", 1), ("tea", 3)])).unwrap_err();
    assert_eq!(refusal, Refusal::OutOfStock { line: 2, sku: "tea".into(), left: 2 });
    assert_eq!(set.catalogue.products["tea"].reserved, 0, "a refused order holds nothing");
    let Ok(Placement::Accepted { details, .. }) = placed(&mut set, &draft(&[("tea", 5), ("other", 1)])) else {
        panic!("five are there")
    };
    assert_eq!((details.lines[0].reserved, details.lines[1].reserved), (5, 0));
    assert_eq!(set.catalogue.products["tea"].available(), Some(0));
}

#[test]
fn the_catalogue_prices_an_order_and_its_limits_hold() {
    let mut set = set_with(&[tea(1_000_000)]);
    let order = |quantity| {
        let item = ItemInput { sku: "tea", quantity, price: None, plain: false, untracked: false };
        let (customer, address) = (Some("x"), Some("y"));
        let input = OrderInput {
            items: vec![item],
            customer,
            address,
            of_product: Some(tea(0).currency),
            ..OrderInput::default()
        };
        draft_order(&input, &rules(), &key()).unwrap()
    };
    let Ok(Placement::Accepted { order: accepted, .. }) = placed(&mut set, &order(1)) else { panic!("one is there") };
    assert_eq!((accepted.amount, accepted.rounding), (250, 5_000), "2.505 rounds half to even");
    assert!(matches!(placed(&mut set, &order(100_000)), Err(Refusal::Invalid(_))));
    set.catalogue.products.clear();
    let (unknown, wrong) = (vec![(0, "tea".to_owned())], Violation::new("/items/0/sku", UNKNOWN_SKU));
    set.catalogue.has_products = true;
    assert_eq!(placed(&mut set, &order(1)).unwrap_err(), Refusal::UnknownProducts { violations: vec![wrong], unknown });
}

#[test]
fn the_same_request_gives_the_same_order_and_another_is_a_conflict() {
    let mut set = set_with(&[]);
    let first = Draft { id: Some("a1".into()), key: Some("k".into()), ..draft(&[("tea", 1)]) };
    assert!(matches!(placed(&mut set, &first), Ok(Placement::Accepted { .. })));
    for again in [first.clone(), Draft { key: None, ..first.clone() }, Draft { id: None, ..first.clone() }] {
        assert!(matches!(placed(&mut set, &again), Ok(Placement::Replayed { order_id, .. }) if &*order_id == "a1"));
    }
    let other = Draft { digest: [9; 16], ..first };
    assert_eq!(placed(&mut set, &other).unwrap_err(), Refusal::Conflict { id: "a1".into() });
    assert_eq!(set.orders.by_seq.len(), 1);
}

#[test]
fn a_new_key_for_a_known_id_is_remembered() {
    let mut set = set_with(&[]);
    let first = Draft { id: Some("a1".into()), ..draft(&[("tea", 1)]) };
    placed(&mut set, &first).unwrap();
    let keyed = Draft { key: Some("k".into()), ..first.clone() };
    assert!(matches!(placed(&mut set, &keyed), Ok(Placement::Replayed { key_for: Some(1), .. })));
    assert!(matches!(placed(&mut set, &keyed), Ok(Placement::Replayed { key_for: None, .. })));
    let other = Draft { id: None, key: Some("k".into()), ..draft(&[("tea", 2)]) };
    assert_eq!(placed(&mut set, &other).unwrap_err(), Refusal::Conflict { id: "a1".into() });
}

#[test]
fn plain_text_is_no_sku() {
    let mut set = set_with(&[tea(1)]);
    let item = |plain| ItemInput { sku: "tea", quantity: 1, price: None, plain, untracked: false };
    let input = OrderInput {
        amount: Some("5"),
        items: vec![item(true), item(true)],
        customer: Some("x"),
        address: Some("y"),
        ..OrderInput::default()
    };
    let plain = draft_order(&input, &rules(), &key()).unwrap();
    let Ok(Placement::Accepted { details, .. }) = placed(&mut set, &plain) else { panic!("text is not counted") };
    assert!(details.lines.iter().all(|line| line.reserved == 0 && line.price.is_none()));
    let mixed = OrderInput { items: vec![item(true), item(false)], ..input };
    let mixed = draft_order(&mixed, &rules(), &key()).unwrap();
    let wrong = Violation::new("/items", "must all have a price, or none");
    assert_eq!(
        placed(&mut set, &mixed).unwrap_err(),
        Refusal::Invalid(vec![wrong]),
        "the catalogue prices one of them"
    );
}

#[test]
fn large_orders_are_held_for_a_person_from_the_start() {
    let mut rules = rules();
    rules.amounts.hold_above = Some(13);
    for (quantity, run_at_ms, hold_ms, expected) in [
        (5, None, None, (Status::Pending, None, 1_000)),
        (6, None, None, (Status::Held, None, 1_000)),
        (6, None, Some(7), (Status::Held, Some(1_007), 1_000)),
        (5, Some(9_000), Some(7), (Status::Scheduled, Some(9_000), 9_000)),
        (6, Some(9_000), Some(7), (Status::Held, Some(1_007), 1_000)),
    ] {
        rules.hold_ms = hold_ms;
        let draft = Draft { run_at_ms, ..draft(&[("tea", quantity)]) };
        let mut set = set_with(&[tea(10)]);
        let placement = place(&mut set, &draft, (&rules, false), 1_000, || "new".into());
        let Ok(Placement::Accepted { order, reason, .. }) = placement else { panic!("{placement:?}") };
        let queued_ms = order.sort_key + rules.bonus_ms[Priority::Medium as usize];
        assert_eq!((order.status, order.due_at_ms, queued_ms), expected);
        assert_eq!(set.catalogue.products["tea"].reserved, quantity, "its stock is reserved all the same");
        let told = reason.as_deref() == Some("amounts above 13 USD wait for a person");
        assert_eq!(told, order.status == Status::Held, "{reason:?}");
    }
}
