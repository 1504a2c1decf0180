//! What every store must do. A driver's tests call [`check`] on an empty store, [`check_reopened`] on the same
//! store opened again, and [`check_retention`], [`check_steps`], [`check_topics`] and
//! [`check_redaction`] on other empty ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ordercast_domain::decide::{self, Placement, RecentClaims, Step, WorkingSet};
use ordercast_domain::draft::{CustomerKey, Draft, ItemInput, OrderInput, draft_order};
use ordercast_domain::ids::{LeaseId, WorkerName};
use ordercast_domain::lease::Lease;
use ordercast_domain::money::Currency;
use ordercast_domain::order::{Order, OrderSeq};
use ordercast_domain::product::Product;
use ordercast_domain::rules::{Concurrency, Priority, Rules};
use ordercast_domain::status::Status;
use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::topic::{Topic, TopicKind, Topics};

use crate::log::{PageLimit, PageQuery, Start, StoredEvent};
use crate::read::{OrderQuery, OrderSum, ReadStore};
use crate::search::OrderSearch;
use crate::write::{
    CatalogueKeys, CatalogueWrites, Committed, EventInsert, Keys, LogWrites, OrderInsert, OrderKeys, OrderWrites,
    QueueKeys, WorkKeys, WorkWrites, WriteStore, Writes,
};

mod consumers;
mod contract;
mod money;
mod outlook;
mod publications;
mod queue;
mod redaction;
mod retention;
mod script;
mod steps;
mod topics;
mod work;

pub use consumers::check_consumers;
pub use contract::{check_contract, check_two_writers};
pub use outlook::check_outlook;
pub use redaction::{SECRET, check_redaction};
pub use retention::check_retention;
pub use script::{next_batch, run, wait};
pub use topics::check_topics;

/// Orders that [`check`] leaves in the store.
pub const ORDERS: u64 = 4;
const ALL: PageLimit = PageLimit { events: 1_000, bytes: 1_000_000 };

/// Runs the suite on an empty store.
///
/// # Panics
/// When the store does not conform.
pub fn check(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    starts_empty(reader);
    numbers_orders_and_events(writer, reader);
    finds_ids_keys_and_products(writer);
    serves_ready_orders_in_order(writer);
    reads_views_and_pages(reader);
    lists_orders(reader);
    finds_orders(reader);
    publications::check(writer, reader);
    an_empty_batch_changes_nothing(writer, reader);
}

/// Runs the part of the suite that a store opened again after [`check`] must pass.
///
/// # Panics
/// When the store does not conform.
pub fn check_reopened(writer: &mut dyn WriteStore, reader: &dyn ReadStore, epoch_before: &str) {
    let states = wait(reader.log_states()).expect("states are readable");
    let orders = states.iter().find(|state| state.log == Log::Orders).expect("the orders' log is there");
    assert_eq!(&*orders.epoch.0, epoch_before, "opening a store again keeps its epoch");
    let start = wait(reader.start_state()).expect("the start state is readable");
    assert_eq!((start.ready, start.active), (ORDERS - 1, 1));
    let committed = run(writer, WorkKeys { leases: vec!["l1".into()], ..WorkKeys::default() }, |mut set, now_ms| {
        let active: Vec<OrderSeq> =
            set.orders.by_seq.values().filter(|order| order.status == Status::Active).map(|order| order.seq).collect();
        assert_eq!(active.len(), 1, "orders in work are found by their lease");
        let step = decide::requeue(&mut set, active[0], None, "restart", now_ms).expect("an active order goes back");
        Writes {
            logs: LogWrites { events: vec![event(&step.order, "back")], ..LogWrites::default() },
            orders: OrderWrites { changed: vec![step.order], ..OrderWrites::default() },
            ..Writes::default()
        }
    });
    assert_eq!(committed.logs[0].first, orders.head + 1, "offsets go on where they ended");
    let start = wait(reader.start_state()).expect("the start state is readable");
    assert_eq!((start.ready, start.active), (ORDERS, 0));
    publications::check_reopened(writer, reader);
}

/// Runs the part of the suite about steps on an empty store.
///
/// Each part begins with the orders that the part before it has left.
///
/// # Panics
/// When the store does not conform.
pub fn check_steps(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    queue::finds_what_is_due(writer, reader);
    queue::finds_waits_that_are_over(writer);
    work::finds_leases_and_what_they_hold(writer, reader);
    money::keeps_what_was_moved(writer, reader);
    money::keeps_adjustments(writer, reader);
    work::keeps_reports(writer);
    queue::keeps_pauses_and_what_they_park(writer, reader);
    queue::keeps_what_limits_park(writer, reader);
}

fn rules() -> Rules {
    Rules::standard(Currency::parse("GBP").expect("a currency"))
}

fn draft(id: &str, customer: &str, priority: i64) -> Draft {
    let item = ItemInput { sku: "tea", quantity: 2, price: Some("2.505"), plain: false, untracked: true };
    let input = OrderInput {
        id: Some(id),
        items: vec![item],
        customer: Some(customer),
        address: Some("1 Road"),
        notes: Some("naïve \u{1f355} \"quoted\""),
        priority: Some(priority),
        ..OrderInput::default()
    };
    let mut draft = draft_of(&input);
    if id == "last" {
        Arc::make_mut(&mut draft.details).price_override = Some("a friend".to_owned());
    }
    draft
}

/// An order with an idempotency key that goes with its id.
fn draft_of(input: &OrderInput<'_>) -> Draft {
    let mut draft = draft_order(input, &rules(), &CustomerKey::new([7; 32])).expect("a good order");
    draft.key = input.id.map(|id| format!("key-{id}").into());
    draft
}

fn event(order: &Order, text: &str) -> EventInsert {
    EventInsert {
        log: Log::Orders,
        order: Some(order.seq),
        topics: [
            Topic::new(TopicKind::Order, order.id.clone()),
            Topic::new(TopicKind::Customer, order.customer_id.clone()),
        ]
        .into(),
        body: Bytes::from(format!("{{\"id\":\"{}\",\"text\":\"{text}\"}}", order.id)),
    }
}

fn place(set: &mut WorkingSet, draft: &Draft, now_ms: i64, writes: &mut Writes) {
    let Ok(Placement::Accepted { order, details, .. }) =
        decide::place(set, draft, (&rules(), false), now_ms, || unreachable!())
    else {
        panic!("a new order is accepted")
    };
    writes.logs.events.push(event(&order, "placed"));
    writes.orders.keys.extend(draft.key.clone().map(|key| (key, order.seq)));
    writes.orders.new.push(OrderInsert { order, details });
}

fn starts_empty(reader: &dyn ReadStore) {
    let states = wait(reader.log_states()).expect("states are readable");
    assert_eq!(states.len(), Log::ALL.len());
    assert!(states.iter().all(|state| state.head == 0 && state.floor == 0));
    let start = wait(reader.start_state()).expect("the start state is readable");
    assert_eq!((start.ready, start.active), (0, 0));
}

fn numbers_orders_and_events(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let tea = Product {
        sku: "tea".into(),
        name: "Tea".into(),
        price: 2_505_000,
        currency: Currency::parse("GBP").expect("a currency"),
        stock: Some(10),
        reserved: 0,
    };
    let committed = run(writer, CatalogueKeys { skus: vec!["tea".into()] }, |set, _| {
        assert!(set.catalogue.products.is_empty() && !set.catalogue.has_products);
        let body = Bytes::from_static(b"{\"sku\":\"tea\"}");
        let event = EventInsert { log: Log::Products, order: None, topics: Topics::default(), body };
        Writes {
            catalogue: CatalogueWrites { products: vec![tea.clone()] },
            logs: LogWrites { events: vec![event], ..LogWrites::default() },
            ..Writes::default()
        }
    });
    assert_eq!((committed.logs[0].log, committed.logs[0].first, committed.logs[0].count), (Log::Products, 1, 1));
    let keys = Keys {
        orders: OrderKeys {
            ids: vec!["low".into(), "high".into()],
            keys: vec!["key-low".into(), "key-high".into()],
            ..OrderKeys::default()
        },
        catalogue: CatalogueKeys { skus: vec!["tea".into(), "tea".into(), "none".into()] },
        ..Keys::default()
    };
    let committed = run(writer, keys, |mut set, now_ms| {
        assert!(set.orders.by_seq.is_empty() && set.orders.keys.is_empty());
        assert_eq!(set.catalogue.products["tea"], tea);
        assert!(set.catalogue.has_products, "whatever was asked for");
        let mut writes = Writes::default();
        place(&mut set, &draft("low", "ann", 3), now_ms, &mut writes);
        place(&mut set, &draft("high", "bob", 1), now_ms, &mut writes);
        writes.catalogue.products.push(set.catalogue.products["tea"].clone());
        writes
    });
    assert_eq!((committed.logs.len(), committed.logs[0].first, committed.logs[0].count), (1, 1, 2));
    for id in ["mid", "last"] {
        let committed = run(writer, OrderKeys { ids: vec![id.into()], ..OrderKeys::default() }, |mut set, now_ms| {
            let mut writes = Writes::default();
            place(&mut set, &draft(id, "ann", 2), now_ms, &mut writes);
            writes
        });
        assert_eq!(committed.logs[0].count, 1);
    }
    for (id, reason) in [("mid", None), ("last", Some("a friend"))] {
        let (_, details) = wait(reader.order(id.into())).expect("readable").expect("it is there");
        assert_eq!(details.price_override.as_deref(), reason, "{id}");
    }
    let catalogue = wait(reader.catalogue()).expect("the catalogue is readable");
    assert_eq!((catalogue.products[0].reserved, catalogue.products[0].available()), (4, Some(6)));
    let (order, details) = wait(reader.order("low".into())).expect("readable").expect("the order is there");
    assert_eq!((order.seq, order.version, order.amount, order.rounding), (1, 1, 501, 0));
    assert_eq!((details.customer.as_str(), details.address.as_str()), ("ann", "1 Road"));
    assert_eq!(details.notes.as_deref(), Some("naïve \u{1f355} \"quoted\""));
    assert_eq!((details.lines[0].price, details.lines[0].quantity, details.lines[0].reserved), (Some(2_505_000), 2, 2));
    assert!(wait(reader.order("none".into())).expect("readable").is_none());
}

fn finds_ids_keys_and_products(writer: &mut dyn WriteStore) {
    let keys = Keys {
        orders: OrderKeys {
            ids: vec!["high".into(), "high".into(), "none".into()],
            seqs: vec![1, 99],
            keys: vec!["key-low".into(), "none".into()],
            ..OrderKeys::default()
        },
        ..Keys::default()
    };
    run(writer, keys, |set, now_ms| {
        assert_eq!(set.orders.next_seq, ORDERS + 1);
        assert_eq!(set.orders.by_id.len(), 1);
        assert_eq!(&*set.orders.by_seq[&set.orders.by_id["high"]].id, "high");
        assert_eq!(set.orders.by_seq.len(), 2, "by id and by number");
        assert_eq!(&*set.orders.keys["key-low"].order_id, "low");
        let again =
            decide::place(&mut set.clone(), &draft("low", "ann", 3), (&rules(), false), now_ms, || unreachable!());
        assert!(matches!(again, Ok(Placement::Replayed { order_id, .. }) if &*order_id == "low"));
        Writes::default()
    });
}

/// The next order, claimed without limits.
fn claimed(set: &mut WorkingSet, by: (&WorkerName, &LeaseId), now_ms: i64) -> Step {
    let (limits, mut recent) = (Concurrency::default(), RecentClaims::default());
    decide::claim(set, by, (&limits, &mut recent), now_ms).expect("one is ready")
}

fn serves_ready_orders_in_order(writer: &mut dyn WriteStore) {
    run(writer, QueueKeys { ready: 2, ..QueueKeys::default() }, |mut set, now_ms| {
        let ids: Vec<&str> = set.queue.ready.orders().map(|order| &*order.id).collect();
        assert_eq!(ids, ["high", "mid"], "the smallest keys first, no more than asked for");
        let step = claimed(&mut set, (&"w1".into(), &"l1".into()), now_ms);
        let lease = Lease { id: "l1".into(), worker: "w1".into(), expires_at_ms: 6_000, ttl_ms: 6_000 };
        Writes {
            logs: LogWrites { events: vec![event(&step.order, "claimed")], ..LogWrites::default() },
            orders: OrderWrites { changed: vec![step.order], ..OrderWrites::default() },
            work: WorkWrites { leases: vec![lease], ..WorkWrites::default() },
            ..Writes::default()
        }
    });
    run(
        writer,
        Keys {
            queue: QueueKeys { ready: 10, ..QueueKeys::default() },
            orders: OrderKeys { ids: vec!["high".into()], ..OrderKeys::default() },
            ..Keys::default()
        },
        |set, _| {
            let ids: Vec<&str> = set.queue.ready.orders().map(|order| &*order.id).collect();
            assert_eq!(ids, ["mid", "last", "low"], "an order in work is not ready");
            let active =
                set.orders.by_seq.values().find(|order| order.status == Status::Active).expect("one is in work");
            assert_eq!((active.token, active.attempts, active.worker.as_deref()), (1, 1, Some("w1")));
            assert!(active.started_at_ms.is_some());
            Writes::default()
        },
    );
}

/// All events of a view, page by page.
fn read_all(reader: &dyn ReadStore, query: &PageQuery) -> Vec<StoredEvent> {
    let (mut events, mut query) = (Vec::new(), query.clone());
    loop {
        let page = wait(reader.log_page(query.clone())).expect("a page is readable");
        let is_last = page.is_last(query.start);
        query.start = match query.start {
            Start::After(_) => Start::After(page.read_to),
            Start::Before(_) => Start::Before(page.read_to),
        };
        events.extend(page.events);
        if is_last {
            return events;
        }
    }
}

fn reads_views_and_pages(reader: &dyn ReadStore) {
    let query = |view: View, limit: PageLimit| PageQuery::after(Log::Orders, view, 0, limit).with_topics();
    let all = read_all(reader, &query(View::All, ALL));
    assert_eq!(all.iter().map(|event| event.offset).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(&*all[0].body, b"{\"id\":\"low\",\"text\":\"placed\"}");
    assert_eq!(all[4].topics.id_of(TopicKind::Order).map(|id| &**id), Some("high"));
    assert_eq!(all[4].topics.id_of(TopicKind::Channel), None);
    let ann = all[0].topics.id_of(TopicKind::Customer).cloned().expect("an order's event names its customer");
    for (view, offsets) in [
        (View::All, &[1, 2, 3, 4, 5][..]),
        (View::of(TopicKind::Order, "high"), &[2, 5]),
        (View::of(TopicKind::Order, "none"), &[]),
        (View::of(TopicKind::Customer, ann), &[1, 3, 4]),
        (View::of(TopicKind::Channel, "high"), &[]),
    ] {
        let of_view: Vec<_> = all.iter().filter(|event| offsets.contains(&event.offset)).cloned().collect();
        let without_topics = |event: &StoredEvent| StoredEvent { topics: Topics::default(), ..event.clone() };
        for limit in [ALL, PageLimit { events: 1, bytes: 1_000 }, PageLimit { events: 2, bytes: 1 }] {
            let (on, back) =
                (query(view.clone(), limit), PageQuery::before(Log::Orders, view.clone(), u64::MAX, limit));
            assert_eq!(read_all(reader, &on), of_view, "pages join without a hole: {view:?}, {limit:?}");
            let newest_first: Vec<_> = of_view.iter().rev().map(without_topics).collect();
            assert_eq!(read_all(reader, &back), newest_first, "and on the way back: {view:?}, {limit:?}");
        }
    }
}

fn lists_orders(reader: &dyn ReadStore) {
    let list = |query: OrderQuery| {
        let page = wait(reader.orders(query)).expect("orders are readable");
        let ids = page.orders.iter().map(|(order, _)| order.id.to_string()).collect::<Vec<_>>();
        (ids, page.next, page.as_of.head)
    };
    let (ids, next, head) = list(OrderQuery { limit: 3, ..OrderQuery::default() });
    assert_eq!((ids, head), (vec!["last".to_owned(), "mid".into(), "high".into()], 5));
    let (ids, _, _) = list(OrderQuery { limit: 3, before: next, ..OrderQuery::default() });
    assert_eq!(ids, ["low"]);
    let (ids, _, _) = list(OrderQuery { limit: 3, status: Some((Status::Active, None)), ..OrderQuery::default() });
    assert_eq!(ids, ["high"]);
    let bob = wait(reader.order("high".into())).expect("readable").expect("there").0.customer_id;
    let (ids, _, _) = list(OrderQuery { limit: 3, customer_id: Some(bob), ..OrderQuery::default() });
    assert_eq!(ids, ["high"]);
    let priority = Some(Priority::Low);
    let (ids, _, _) = list(OrderQuery { limit: 3, priority, ..OrderQuery::default() });
    assert_eq!(ids, ["low"]);
    let accepted = |id: &str| wait(reader.order(id.into())).expect("readable").expect("there").0.accepted_at_ms;
    let (first, last) = (accepted("low"), accepted("last"));
    for (from_ms, to_ms, count) in [
        (Some(first), Some(last + 1), 4),
        (Some(last + 1), None, 0),
        (None, Some(first), 0),
        (Some(i64::MIN), Some(i64::MAX), 4),
    ] {
        let (ids, _, _) = list(OrderQuery { limit: 9, from_ms, to_ms, ..OrderQuery::default() });
        assert_eq!(ids.len(), count, "{from_ms:?} {to_ms:?}");
    }
    sums_orders(reader, (first, last));
}

fn sums_orders(reader: &dyn ReadStore, (first_ms, last_ms): (i64, i64)) {
    let all = wait(reader.orders(OrderQuery { limit: 9, ..OrderQuery::default() })).expect("readable").orders;
    let sums = |from_ms, last| wait(reader.order_sums(from_ms, last)).expect("sums are readable");
    let expected = |from_ms: i64, last: u64| {
        let mut expected = BTreeMap::new();
        for (order, _) in all.iter().filter(|(order, _)| order.seq <= last && order.accepted_at_ms >= from_ms) {
            let (orders, amount) = expected.entry(order.currency).or_insert((0, 0));
            (*orders, *amount) = (*orders + 1, *amount + order.amount);
        }
        let sum = |(currency, (orders, amount))| OrderSum { currency, orders, amount };
        expected.into_iter().map(sum).collect::<Vec<_>>()
    };
    for (from_ms, last) in [(first_ms, ORDERS), (first_ms, 1), (last_ms, ORDERS), (last_ms + 1, ORDERS), (first_ms, 0)]
    {
        assert_eq!(sums(from_ms, last), expected(from_ms, last), "{from_ms} {last}");
    }
    assert_eq!(sums(first_ms, ORDERS).iter().map(|sum| sum.orders).sum::<u64>(), ORDERS);
}

fn finds_orders(reader: &dyn ReadStore) {
    let number = |id: &str| wait(reader.order(id.into())).expect("readable").expect("there").0.seq;
    let find = |text: &str, limit: usize, before| {
        let search = OrderSearch::new(text);
        assert!(search.is_some(), "a text to search for: {text:?}");
        let page = wait(reader.orders(OrderQuery { search, limit, before, ..OrderQuery::default() }));
        let page = page.expect("orders are readable");
        let ids = page.orders.iter().map(|(order, _)| order.id.to_string()).collect::<Vec<_>>();
        (ids, page.next)
    };
    let low = number("low");
    for (text, found) in [
        (format!("#{low}"), &["low"][..]),
        ("#999999".to_owned(), &[]),
        ("lo".to_owned(), &["low"]),
        ("LOW".to_owned(), &["low"]),
        ("IGH".to_owned(), &["high"]),
        ("l".to_owned(), &["last", "low"]),
        ("nobody and nothing".to_owned(), &[]),
    ] {
        assert_eq!(find(&text, 9, None).0, found, "{text}");
    }
    // What the text names goes first, and is not listed again by age.
    let mut found = Vec::new();
    let mut next = None;
    for _ in 0..=ORDERS {
        let (ids, more) = find("l", 1, next);
        found.extend(ids);
        next = more;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(found, ["last", "low"], "page by page");
}

fn an_empty_batch_changes_nothing(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let before = wait(reader.log_states()).expect("readable");
    let committed = run(writer, Keys::default(), |_, _| Writes::default());
    let (outlook, journal_bytes) = (committed.outlook, 0);
    assert_eq!(Committed { journal_bytes, ..committed }, Committed { outlook, ..Committed::default() });
    assert_eq!(wait(reader.log_states()).expect("readable"), before);
}
