use super::*;

fn rules() -> Rules {
    Rules::standard(Currency::parse("USD").unwrap())
}

fn item(sku: &str) -> ItemInput<'_> {
    ItemInput { sku, quantity: 1, price: None, plain: true, untracked: false }
}

fn good() -> OrderInput<'static> {
    OrderInput {
        amount: Some("99.99"),
        items: vec![item("a")],
        customer: Some("x"),
        address: Some("y"),
        ..OrderInput::default()
    }
}

fn wrong(change: impl FnOnce(&mut OrderInput<'static>)) -> Vec<String> {
    let mut input = good();
    change(&mut input);
    match draft_order(&input, &rules(), &CustomerKey::new([7; 32])) {
        Ok(_) => vec![],
        Err(violations) => violations.into_iter().map(|violation| violation.pointer).collect(),
    }
}

#[test]
fn amounts_at_their_boundaries() {
    for (amount, fine) in [
        ("0", false),
        ("-1", false),
        ("0.01", true),
        ("1000.00", true),
        ("1000.01", true),
        ("10000.00", true),
        ("10000.01", false),
        ("1e400", false),
        ("0.005", false),
        ("1e4", true),
    ] {
        let expected: &[&str] = if fine { &[] } else { &["/amount"] };
        assert_eq!(wrong(|order| order.amount = Some(amount)), expected, "{amount}");
    }
}

#[test]
fn fields_at_their_boundaries() {
    let nothing: &[&str] = &[];
    assert_eq!(wrong(|order| order.items = vec![item("a"); 50]), nothing);
    assert_eq!(wrong(|order| order.items = vec![item("a"); 51]), ["/items"]);
    assert_eq!(wrong(|order| order.items = vec![]), ["/items"]);
    assert_eq!(wrong(|order| order.customer = None), ["/customer"]);
    assert_eq!(wrong(|order| order.address = Some("  ")), ["/address"]);
    for (priority, expected) in [(0, &["/priority"][..]), (1, nothing), (3, nothing), (4, &["/priority"])] {
        assert_eq!(wrong(|order| order.priority = Some(priority)), expected, "priority {priority}");
    }
    assert_eq!(wrong(|order| order.id = Some("a/b")), ["/id"]);
    assert_eq!(wrong(|order| order.items[0].quantity = 0), ["/items/0/quantity"]);
    assert_eq!(wrong(|order| order.currency = Some("dollars")), ["/currency"]);
}

#[test]
fn lines_and_amount_must_agree() {
    let priced = |price| ItemInput { sku: "a", quantity: 3, price: Some(price), plain: false, untracked: false };
    let set = |items: Vec<ItemInput<'static>>, amount| wrong(|order| (order.items, order.amount) = (items, amount));
    let nothing: &[&str] = &[];
    assert_eq!(set(vec![priced("0.335")], None), nothing);
    assert_eq!(set(vec![priced("0.335")], Some("1.00")), nothing, "1.005 rounds half to even");
    assert_eq!(set(vec![priced("0.335")], Some("1.01")), ["/amount"]);
    assert_eq!(set(vec![priced("1"), item("b")], Some("3")), ["/items"]);
    assert_eq!(set(vec![item("b")], None), ["/amount"]);
    assert_eq!(set(vec![priced("-1")], None), ["/items/0/price", "/amount"]);
}

#[test]
fn digests_tell_bodies_apart_and_ids_are_opaque() {
    let key = CustomerKey::new([7; 32]);
    let digest = |input: &OrderInput<'_>| draft_order(input, &rules(), &key).unwrap().digest;
    let first = digest(&good());
    assert_eq!(first, digest(&good()));
    assert_ne!(first, digest(&OrderInput { notes: Some(""), ..good() }));
    assert_ne!(first, digest(&OrderInput { amount: Some("99.98"), ..good() }));
    assert_eq!(key.opaque("x").len(), 18);
    assert_ne!(key.opaque("x"), CustomerKey::new([8; 32]).opaque("x"));
}

#[test]
fn lines_discounts_taxes_and_shipping_add_up_exactly() {
    let priced = |price| ItemInput { sku: "a", quantity: 3, price: Some(price), plain: false, untracked: false };
    let charge = |kind, amount| ChargeInput { kind, name: None, amount };
    let amount = |currency, price, charges: &[ChargeInput<'static>], total| {
        let (currency, items) = (Some(currency), vec![priced(price)]);
        let input = OrderInput { currency, items, charges: charges.to_vec(), amount: total, ..good() };
        let draft = draft_order(&input, &rules(), &CustomerKey::new([7; 32]));
        draft
            .map(|draft| draft.pricing)
            .map_err(|wrong| wrong.into_iter().map(|wrong| wrong.pointer).collect::<Vec<_>>())
    };
    let vat = [charge("discount", "-1"), charge("tax", "0.555"), charge("shipping", "4.9")];
    let fixed = |amount, rounding| Ok(Pricing::Fixed { amount, rounding });
    for (currency, price, charges, total, expected) in [
        ("USD", "10", &vat[..], None, fixed(3_446, -5_000)),
        ("USD", "10", &vat, Some("34.46"), fixed(3_446, -5_000)),
        ("USD", "10", &vat, Some("34.45"), Err(vec!["/amount".to_owned()])),
        ("JPY", "100", &vat, None, fixed(304, 455_000)),
        ("KWD", "10", &vat, None, fixed(34_455, 0)),
        ("USD", "10", &[charge("discount", "1")], None, Err(vec!["/charges/0/amount".to_owned()])),
        ("USD", "10", &[charge("tax", "-1")], None, Err(vec!["/charges/0/amount".to_owned()])),
        ("USD", "10", &[charge("tip", "1")], None, Err(vec!["/charges/0/kind".to_owned()])),
        ("USD", "10", &[charge("discount", "-30")], None, Err(vec!["/amount".to_owned()])),
    ] {
        assert_eq!(amount(currency, price, charges, total), expected, "{currency} {price} {charges:?} {total:?}");
    }
    let input = OrderInput { charges: vec![charge("tax", "1")], ..good() };
    let wrong = draft_order(&input, &rules(), &CustomerKey::new([7; 32])).unwrap_err();
    assert_eq!(wrong[0].pointer, "/charges", "an order without prices cannot add up");
}
