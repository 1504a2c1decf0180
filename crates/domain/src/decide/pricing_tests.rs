use super::*;
use crate::decide::{CatalogueSet, OrderSet, Placement, place};
use crate::draft::{ChargeInput, CustomerKey, ItemInput, OrderInput, draft_order};
use crate::money::Currency;

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

fn product(sku: &str, price: i64, code: &str) -> Product {
    Product { sku: sku.into(), name: sku.to_owned(), price, currency: currency(code), stock: Some(100), reserved: 0 }
}

fn shop() -> WorkingSet {
    let products =
        [product("tea", 2_500_000, "USD"), product("cake", 3_605_000, "USD"), product("pie", 4_000_000, "EUR")];
    let products = products.map(|product| (product.sku.clone(), product)).into();
    WorkingSet {
        catalogue: CatalogueSet { products, has_products: true },
        orders: OrderSet { next_seq: 1, ..OrderSet::default() },
        ..WorkingSet::default()
    }
}

fn line<'a>(sku: &'a str, price: Option<&'a str>) -> ItemInput<'a> {
    ItemInput { sku, quantity: 2, price, plain: false, untracked: false }
}

fn plain(sku: &str) -> ItemInput<'_> {
    ItemInput { quantity: 1, plain: true, ..line(sku, None) }
}

fn untracked<'a>(sku: &'a str, price: Option<&'a str>) -> ItemInput<'a> {
    ItemInput { untracked: true, ..line(sku, price) }
}

/// The amount and the stored reason, or the pointers of the wrong fields.
type Outcome<'a> = Result<(i64, Option<&'a str>), &'a [&'a str]>;

fn check(set: &WorkingSet, input: &OrderInput<'_>, may_set_prices: bool, expected: Outcome<'_>) {
    let input = OrderInput { customer: Some("x"), address: Some("y"), ..input.clone() };
    let rules = Rules::standard(currency("USD"));
    let outcome = match draft_order(&input, &rules, &CustomerKey::new([1; 32])) {
        Err(violations) => Err(violations),
        Ok(draft) => match place(&mut set.clone(), &draft, (&rules, may_set_prices), 1_000, || "new".into()) {
            Ok(Placement::Accepted { order, details, .. }) => Ok((order.amount, details)),
            Ok(Placement::Replayed { .. }) => panic!("nothing was placed before"),
            Err(Refusal::Invalid(violations) | Refusal::PriceDiffers(violations)) => Err(violations),
            Err(Refusal::UnknownProducts { violations, unknown }) => {
                assert!(unknown.iter().all(|(at, _)| violations[*at].pointer.ends_with("/sku")));
                Err(violations)
            }
            Err(other) => panic!("{other:?}"),
        },
    };
    let found = outcome.as_ref().map(|(amount, details)| (*amount, details.price_override.as_deref()));
    let pointers = found.map_err(|wrong| wrong.iter().map(|wrong| wrong.pointer.as_str()).collect::<Vec<_>>());
    assert_eq!(pointers, expected.map_err(<[_]>::to_vec), "{:?} {:?} {outcome:?}", input.items, input.amount);
}

#[test]
fn prices_come_from_the_catalogue() {
    let order = |items: &[ItemInput<'static>], amount: Option<&'static str>| OrderInput {
        items: items.to_vec(),
        amount,
        ..OrderInput::default()
    };
    for (items, amount, expected) in [
        // A known SKU: no price is the catalogue's, an equal one is fine, another is refused.
        (&[line("tea", None)][..], None, Ok((500, None))),
        (&[line("tea", None)], Some("5"), Ok((500, None))),
        (&[line("tea", None)], Some("5.01"), Err(&["/amount"][..])),
        (&[line("tea", Some("2.5"))], None, Ok((500, None))),
        (&[line("tea", Some("25e-1"))], Some("5.00"), Ok((500, None))),
        (&[line("tea", Some("2.51"))], None, Err(&["/items/0/price"])),
        (&[line("tea", Some("0"))], None, Err(&["/amount"])),
        (&[line("cake", None)], None, Ok((721, None))),
        (&[line("tea", None), line("cake", Some("3.605"))], None, Ok((1_221, None))),
        (&[line("tea", Some("2")), line("cake", Some("3"))], None, Err(&["/items/0/price", "/items/1/price"])),
        (&[untracked("tea", None)], None, Ok((500, None))),
        (&[untracked("tea", Some("2"))], None, Err(&["/items/0/price"])),
        // Another currency is another price.
        (&[line("pie", Some("4"))], None, Err(&["/items/0/price"])),
        (&[line("pie", None)], None, Err(&["/items/0/price"])),
        // An unknown SKU is no item of a shop, unless it says so.
        (&[line("te", Some("2.5"))], None, Err(&["/items/0/sku"])),
        (&[line("tea", Some("2")), line("te", None)], None, Err(&["/items/0/price", "/items/1/sku"])),
        (&[untracked("te", Some("7"))], None, Ok((1_400, None))),
        (&[untracked("te", None)], Some("7"), Ok((700, None))),
        (&[untracked("te", None)], None, Err(&["/amount"])),
        (&[untracked("te", Some("7")), line("tea", None)], None, Ok((1_900, None))),
        (&[untracked("te", None), line("tea", None)], Some("7"), Err(&["/items"])),
        // Plain text has no price, whatever it says.
        (&[plain("tea")], Some("9.99"), Ok((999, None))),
        (&[plain("tea"), plain("te")], None, Err(&["/amount"])),
        (&[plain("te"), line("tea", None)], Some("5"), Err(&["/items"])),
        (&[plain("te"), line("tea", Some("2.5"))], Some("5"), Err(&["/items"])),
        (&[line("tea", None)], Some("0"), Err(&["/amount"])),
        (&[ItemInput { quantity: 10_000, ..line("tea", None) }], None, Err(&["/amount"])),
    ] {
        check(&shop(), &order(items, amount), false, expected);
        check(&shop(), &order(items, amount), true, expected);
    }
    // While the catalogue is empty nothing is unknown.
    for (items, amount, expected) in [
        (&[line("te", Some("7"))][..], None, Ok((1_400, None))),
        (&[line("te", None)], Some("7"), Ok((700, None))),
        (&[line("te", None), untracked("tea", None), plain("x")], Some("7"), Ok((700, None))),
        (&[line("te", None)], None, Err(&["/amount"][..])),
        (&[line("te", None), line("tea", Some("1"))], None, Err(&["/items"])),
    ] {
        check(
            &WorkingSet { orders: OrderSet { next_seq: 1, ..OrderSet::default() }, ..WorkingSet::default() },
            &order(items, amount),
            false,
            expected,
        );
    }
}

#[test]
fn another_price_needs_a_reason_and_the_right_to_set_it() {
    let order = |items: &[ItemInput<'static>], reason: &'static str| OrderInput {
        items: items.to_vec(),
        price_override: Some(reason),
        ..OrderInput::default()
    };
    let friend = Some("a friend");
    for (items, reason, may, expected) in [
        (&[line("tea", Some("2"))][..], "a friend", true, Ok((400, friend))),
        (&[line("tea", Some("2"))], "a friend", false, Err(&["/items/0/price"][..])),
        (&[line("tea", Some("2"))], " ", true, Err(&["/price_override"])),
        (&[line("tea", Some("2")), line("cake", None)], "a friend", true, Ok((1_121, friend))),
        (&[line("pie", Some("4"))], "a friend", true, Ok((800, friend))),
        (&[line("pie", None)], "a friend", true, Err(&["/items/0/price"])),
        (&[line("te", Some("2"))], "a friend", true, Err(&["/items/0/sku"])),
        // Where nothing differs there is no reason to keep.
        (&[line("tea", Some("2.50"))], "a friend", true, Ok((500, None))),
        (&[line("tea", None)], "a friend", false, Ok((500, None))),
        (&[untracked("te", Some("2"))], "a friend", false, Ok((400, None))),
    ] {
        check(&shop(), &order(items, reason), may, expected);
    }
    let long: &'static str = Box::leak("x".repeat(501).into_boxed_str());
    check(&shop(), &order(&[line("tea", None)], long), true, Err(&["/price_override"]));
}

#[test]
fn charges_add_to_prices_of_the_catalogue() {
    let charges = vec![ChargeInput { kind: "shipping", name: None, amount: "4.9" }];
    let order = |items: &[ItemInput<'static>], amount| OrderInput {
        items: items.to_vec(),
        amount,
        charges: charges.clone(),
        ..OrderInput::default()
    };
    check(&shop(), &order(&[line("tea", None)], Some("9.90")), false, Ok((990, None)));
    check(&shop(), &order(&[untracked("te", None)], Some("9.90")), false, Err(&["/charges"]));
}

#[test]
fn a_replay_is_answered_before_prices_are_looked_at_and_reasons_are_no_part_of_a_request() {
    let (rules, key) = (Rules::standard(currency("USD")), CustomerKey::new([1; 32]));
    let input = OrderInput {
        id: Some("a"),
        items: vec![line("tea", Some("2.5"))],
        customer: Some("x"),
        address: Some("y"),
        ..OrderInput::default()
    };
    let mut set = shop();
    let draft = draft_order(&input, &rules, &key).unwrap();
    assert!(matches!(place(&mut set, &draft, (&rules, false), 1, || "n".into()), Ok(Placement::Accepted { .. })));
    let tea = set.catalogue.products.get_mut("tea").unwrap();
    tea.price = 9_000_000;
    let items = vec![untracked("tea", Some("2.5"))];
    for again in [input.clone(), OrderInput { items, price_override: Some("why"), ..input.clone() }] {
        let draft = draft_order(&again, &rules, &key).unwrap();
        let placed = place(&mut set, &draft, (&rules, false), 1, || "n".into());
        assert!(matches!(placed, Ok(Placement::Replayed { .. })), "{placed:?}");
    }
}

#[test]
fn orders_may_cost_nothing_only_by_a_setting() {
    let input = OrderInput {
        items: vec![plain("a")],
        amount: Some("0"),
        customer: Some("x"),
        address: Some("y"),
        ..OrderInput::default()
    };
    let mut rules = Rules::standard(currency("USD"));
    assert!(draft_order(&input, &rules, &CustomerKey::new([1; 32])).is_err());
    rules.allows_zero = true;
    assert!(draft_order(&input, &rules, &CustomerKey::new([1; 32])).is_ok());
    let input = OrderInput { amount: Some("-0.01"), ..input };
    assert!(draft_order(&input, &rules, &CustomerKey::new([1; 32])).is_err());
}
