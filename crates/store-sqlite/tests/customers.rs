//! Orders by customer: the same as the model's whatever the sizes of the index's tail and of its segments, and with
//! both changed from one opening to the next.

use bytes::Bytes;
use ordercast_domain::decide::{self, Placement, RecentClaims};
use ordercast_domain::draft::{CustomerKey, ItemInput, OrderInput, draft_order};
use ordercast_domain::ids::{CustomerId, OrderId};
use ordercast_domain::lease::Lease;
use ordercast_domain::money::Currency;
use ordercast_domain::order::Order;
use ordercast_domain::rules::{Concurrency, Priority, Rules};
use ordercast_domain::status::Status;
use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::topic::{Topic, TopicKind};
use ordercast_store::conformance::{run, wait};
use ordercast_store::log::{PageLimit, PageQuery, Start};
use ordercast_store::model::ModelStore;
use ordercast_store::read::{OrderQuery, ReadStore};
use ordercast_store::write::{
    EventInsert, Keys, LogWrites, OrderInsert, OrderWrites, QueueKeys, WorkWrites, WriteStore, Writes,
};
use ordercast_store_sqlite::open::DATABASE_FILE;
use ordercast_store_sqlite::{SqliteOptions, SqliteReader, SqliteWriter, open, verify::verify};
use proptest::collection::vec;
use proptest::prelude::*;

const CUSTOMERS: usize = 3;
/// Orders of others that may come first: more than the events that are looked through for those of a customer.
const OTHERS: u64 = 300;

#[derive(Clone, Debug)]
enum Step {
    /// Orders of these customers and priorities, in one commit.
    Place(Vec<(usize, i64)>),
    /// The first ready order is in work, which gives it another event.
    Claim,
    List(OrderQuery),
    Page(PageQuery),
    /// With this tail and these orders a segment.
    Reopen(u64, u64),
}

/// The customers' opaque ids; the last one never orders.
fn customer_id(customer: usize) -> CustomerId {
    CustomerKey::new([7; 32]).opaque(&format!("customer {customer}"))
}

fn event(order: &Order) -> EventInsert {
    let body = format!("{{\"status\":\"{}\",\"version\":{}}}", status_told(order), order.version);
    EventInsert {
        log: Log::Orders,
        order: Some(order.seq),
        topics: [
            Topic::new(TopicKind::Order, order.id.clone()),
            Topic::new(TopicKind::Customer, order.customer_id.clone()),
        ]
        .into(),
        body: Bytes::from(body),
    }
}

fn status_told(order: &Order) -> &'static str {
    if order.status == Status::Active { order.lane.name() } else { order.status.name() }
}

/// Commits orders at a time that is the same for every store.
fn place(writer: &mut dyn WriteStore, orders: &[(usize, i64)], at_ms: i64) {
    let rules = Rules::standard(Currency::parse("GBP").expect("a currency"));
    run(writer, Keys::default(), |mut set, _| {
        let mut writes = Writes::default();
        for &(customer, priority) in orders {
            let id = format!("o{}", set.orders.next_seq);
            let input = OrderInput {
                id: Some(&id),
                items: vec![ItemInput { sku: "tea", quantity: 1, price: Some("2.5"), plain: false, untracked: false }],
                customer: Some(&format!("customer {customer}")),
                address: Some("1 Road"),
                priority: Some(priority),
                ..OrderInput::default()
            };
            let draft = draft_order(&input, &rules, &CustomerKey::new([7; 32])).expect("a good order");
            let placement = decide::place(&mut set, &draft, (&rules, false), at_ms, || unreachable!("it has an id"));
            let Ok(Placement::Accepted { order, details, .. }) = placement else { panic!("a new order is accepted") };
            writes.logs.events.push(event(&order));
            writes.orders.new.push(OrderInsert { order, details });
        }
        writes
    });
}

fn claim(writer: &mut dyn WriteStore, at_ms: i64) {
    run(writer, QueueKeys { ready: 1, ..QueueKeys::default() }, |mut set, _| {
        let limits = (&Concurrency::default(), &mut RecentClaims::default());
        let Some(step) = decide::claim(&mut set, (&"w1".into(), &"l1".into()), limits, at_ms) else {
            return Writes::default();
        };
        let lease = Lease { id: "l1".into(), worker: "w1".into(), expires_at_ms: i64::MAX, ttl_ms: 6_000 };
        Writes {
            logs: LogWrites { events: vec![event(&step.order)], ..LogWrites::default() },
            orders: OrderWrites { changed: vec![step.order], ..OrderWrites::default() },
            work: WorkWrites { leases: vec![lease], ..WorkWrites::default() },
            ..Writes::default()
        }
    });
}

fn list(reader: &dyn ReadStore, query: &OrderQuery) -> (Vec<OrderId>, Option<u64>) {
    let page = wait(reader.orders(query.clone())).expect("readable");
    (page.orders.into_iter().map(|(order, _)| order.id).collect(), page.next)
}

fn page(reader: &dyn ReadStore, query: &PageQuery) -> (Vec<(u64, Bytes)>, u64) {
    let page = wait(reader.log_page(query.clone())).expect("readable");
    (page.events.into_iter().map(|event| (event.offset, event.body)).collect(), page.read_to)
}

/// A number of an order or an event, among the first or behind those of others.
fn any_number() -> impl Strategy<Value = u64> {
    prop_oneof![0..60u64, OTHERS - 10..OTHERS + 80]
}

fn any_list() -> impl Strategy<Value = OrderQuery> {
    let status = prop::sample::select(vec![Status::Pending, Status::Active, Status::Failed]);
    let priority = prop::sample::select(vec![Priority::High, Priority::Medium, Priority::Low]);
    let times = (prop::option::weighted(0.2, 0..40i64), prop::option::weighted(0.2, 0..40i64));
    (
        prop::option::weighted(0.3, status),
        prop::option::weighted(0.2, priority),
        times,
        prop::option::of(any_number()),
        1..9usize,
        0..=CUSTOMERS,
    )
        .prop_map(|(status, priority, (from_ms, to_ms), before, limit, customer)| OrderQuery {
            status: status.map(|status| (status, None)),
            customer_id: Some(customer_id(customer)),
            priority,
            from_ms,
            to_ms,
            before,
            limit,
            search: None,
        })
}

fn any_page() -> impl Strategy<Value = PageQuery> {
    let start =
        (prop::bool::ANY, any_number()).prop_map(|(on, at)| if on { Start::After(at) } else { Start::Before(at) });
    (0..=CUSTOMERS, start, 1..9usize, prop::bool::ANY).prop_map(|(customer, start, events, with_topics)| PageQuery {
        log: Log::Orders,
        view: View::of(TopicKind::Customer, customer_id(customer)),
        start,
        limit: PageLimit { events, bytes: 100_000 },
        with_topics,
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => vec((0..CUSTOMERS, 1..=3i64), 1..7).prop_map(Step::Place),
        3 => Just(Step::Claim),
        12 => any_list().prop_map(Step::List),
        6 => any_page().prop_map(Step::Page),
        2 => (0..9u64, 1..20u64).prop_map(|(tail, segment)| Step::Reopen(tail, segment)),
    ]
}

fn open_with(dir: &tempfile::TempDir, customer_tail: u64, customer_segment: u64) -> (SqliteWriter, SqliteReader) {
    let options = SqliteOptions { customer_tail, customer_segment, ..SqliteOptions::new(dir.path()) };
    open(&options).expect("a store")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn orders_of_customers_are_those_of_the_model(
        sizes in (0..9u64, 1..20u64),
        has_others in prop::bool::ANY,
        steps in vec(any_step(), 1..60),
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        let model = ModelStore::new();
        let mut store = Some(open_with(&dir, sizes.0, sizes.1));
        if let (true, Some((writer, _))) = (has_others, &mut store) {
            let others = vec![(CUSTOMERS + 1, 2); usize::try_from(OTHERS).expect("a few hundred")];
            place(&mut model.clone(), &others, 0);
            place(writer, &others, 0);
        }
        for (at_ms, step) in (0..).zip(steps) {
            let (writer, reader) = store.as_mut().expect("it is open");
            match step {
                Step::Place(orders) => {
                    place(&mut model.clone(), &orders, at_ms);
                    place(writer, &orders, at_ms);
                }
                Step::Claim => {
                    claim(&mut model.clone(), at_ms);
                    claim(writer, at_ms);
                }
                Step::List(query) => prop_assert_eq!(list(reader, &query), list(&model, &query), "{:?}", query),
                Step::Page(query) => prop_assert_eq!(page(reader, &query), page(&model, &query), "{:?}", query),
                Step::Reopen(tail, segment) => {
                    drop(store.take());
                    store = Some(open_with(&dir, tail, segment));
                }
            }
        }
        drop(store);
        let report = verify(dir.path(), |_| {}).expect("readable");
        prop_assert!(report.is_clean(), "{}", report);
    }
}

/// A list of a customer who ordered long ago ends after so many segments, and goes on from there.
#[test]
fn a_long_way_back_takes_several_pages() {
    const SEGMENTS: u64 = 1_300;
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = open_with(&dir, 0, 1);
    place(&mut writer, &[(0, 2)], 0);
    place(&mut writer, &[(1, 2)], 0);
    place(&mut writer, &[(1, 2)], 0);
    drop((writer, reader));
    // As if many orders had come between, without the time that it would take.
    let connection = rusqlite::Connection::open(dir.path().join(DATABASE_FILE)).unwrap();
    let sql = "WITH RECURSIVE n (seq) AS (SELECT 4 UNION ALL SELECT seq + 1 FROM n WHERE seq < ?1) \
               INSERT INTO customer_segments SELECT seq FROM n";
    connection.execute(sql, [SEGMENTS]).unwrap();
    connection.execute("UPDATE progress SET customers_indexed_to = ?1", [SEGMENTS]).unwrap();
    drop(connection);
    let (_writer, reader) = open_with(&dir, 1_000_000, 1);
    let mut query = OrderQuery { limit: 10, customer_id: Some(customer_id(0)), ..OrderQuery::default() };
    let mut pages = Vec::new();
    loop {
        let (ids, next) = list(&reader, &query);
        pages.push(ids);
        query.before = next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(pages, [vec![], vec![], vec!["o1".into()]]);
}
