//! Random commands by random actors against the store in memory and the one in SQLite: the same outcomes, orders and
//! events, and what must hold holds after each batch.
//!
//! 256 sequences, or as many as `ORDERCAST_MODEL_SEQUENCES` says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ordercast_access::{Origin, Principal, Rights};
use ordercast_domain::decide::{Action, LineQuantity, RecentClaims, Request, WorkResult, WorkingSet};
use ordercast_domain::draft::{CustomerKey, ItemInput, OrderInput, draft_order};
use ordercast_domain::ids::{LeaseId, WorkerName};
use ordercast_domain::money::Currency;
use ordercast_domain::order::{Order, Progress, Queue};
use ordercast_domain::pause::{Pause, Scope};
use ordercast_domain::product::{Product, ProductPatch};
use ordercast_domain::rules::{Concurrency, Rules};
use ordercast_domain::status::{Lane, Status};
use ordercast_domain::transition::{ActionName, actions_from};
use ordercast_protocol::channel::{Log, View};
use ordercast_store::clock::wall_now_ms;
use ordercast_store::conformance::{next_batch, wait};
use ordercast_store::log::{PageLimit, PageQuery};
use ordercast_store::model::ModelStore;
use ordercast_store::read::{OrderQuery, ReadStore};
use ordercast_store::write::{CommitOutcome, Decider, Keys, Outlook, OutlookDepth, WriteStore, Writes};
use ordercast_store_sqlite::{SqliteOptions, open, verify::verify};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::batch::{Batch, Looks};
use crate::command::{
    Act, BeginPause, Claim, ClaimOrders, Claimed, Finish, GiveBack, PatchProduct, Pending, Place, PutProducts, Renew,
    Report, ReportWork, Resume, WorkDone, pending, unanswered,
};
use crate::decided::Decided;
use crate::ids::IdSource;
use crate::intake::Submission;
use crate::node::NodeLease;

const SEQUENCES: u32 = 256;
/// Ids that orders are placed with; fewer than orders, so that some repeat.
const IDS: u8 = 8;
/// Two that there are, a text, and one that there is not.
const SKUS: [&str; 4] = ["tea", "cup", "text", "gone"];
/// Most orders in work, in all and of a customer; there are two.
const MAX_ACTIVE: usize = 2;
const MAX_ACTIVE_EACH: usize = 1;
/// How far outlooks count: less than there are orders.
const DEPTH: OutlookDepth = OutlookDepth { ready: 3, active: MAX_ACTIVE, limited: true };
/// So far away that it never comes.
const FAR_MS: i64 = 1_000_000_000;

/// What an order says of its prices.
#[derive(Clone, Copy, Debug)]
struct Prices {
    price: u8,
    untracked: bool,
    has_reason: bool,
}

#[derive(Clone, Debug)]
enum Wish {
    Place { id: u8, customer: u8, lines: Vec<(u8, i64)>, run_at: Option<bool>, key: Option<u8>, prices: Prices },
    Act { id: u8, pick: u8, action: ActionName, actor: u8, lines: Option<Vec<(u32, i64)>>, flags: u16, key: Option<u8> },
    Stock { sku: u8, change: i64 },
    Claim { with_lease: bool, most: usize, ends: bool },
    Renew { ends: bool },
    Report { nth: usize, is_stale: bool, how: u8 },
    Pool { how: u8 },
    Pause { scope: u8, ends: bool },
    GiveBack,
}

fn any_wish() -> impl Strategy<Value = Wish> {
    let key = || prop::option::weighted(0.2, 0..3u8);
    let people: Vec<_> =
        ActionName::ALL.into_iter().filter(|name| ActionName::for_people(name.name()).is_some()).collect();
    let sku = prop_oneof![12 => 0..3u8, 1 => Just(3)];
    let prices = (0..8u8, any::<bool>(), any::<bool>());
    let prices = prices.prop_map(|(price, untracked, has_reason)| Prices { price, untracked, has_reason });
    let run_at = prop::option::weighted(0.2, any::<bool>());
    let place = (0..IDS, 0..2u8, vec((sku, 1..4i64), 1..4), run_at, key(), prices);
    let lines = prop::option::of(vec((0..3u32, 1..3i64), 1..3));
    let act = ((0..IDS, any::<u8>()), select(people), 0..7u8, lines, any::<u16>(), key());
    prop_oneof![
        6 => place.prop_map(|(id, customer, lines, run_at, key, prices)| Wish::Place {
            id, customer, lines, run_at, key, prices
        }),
        12 => act.prop_map(|((id, pick), action, actor, lines, flags, key)| Wish::Act {
            id, pick, action, actor, lines, flags, key
        }),
        2 => (0..2u8, -3..6i64).prop_map(|(sku, change)| Wish::Stock { sku, change }),
        4 => (any::<bool>(), 0..4usize, prop::bool::weighted(0.2)).prop_map(|(with_lease, most, ends)| Wish::Claim {
            with_lease, most, ends
        }),
        1 => prop::bool::weighted(0.3).prop_map(|ends| Wish::Renew { ends }),
        8 => (0..4usize, prop::bool::weighted(0.1), 0..14u8).prop_map(|(nth, is_stale, how)| Wish::Report {
            nth, is_stale, how
        }),
        4 => (0..14u8).prop_map(|how| Wish::Pool { how }),
        3 => (0..4u8, any::<bool>()).prop_map(|(scope, ends)| Wish::Pause { scope, ends }),
        1 => Just(Wish::GiveBack),
    ]
}

fn rules() -> Rules {
    let mut rules = Rules::standard(Currency::parse("USD").expect("a currency"));
    // Whatever waits is due with the next batch, whenever that comes.
    (rules.retries.max_attempts, rules.retries.base_ms) = (3, 0);
    rules.concurrency = Concurrency { max_active: Some(MAX_ACTIVE), max_active_per_customer: Some(MAX_ACTIVE_EACH) };
    rules
}

fn customers() -> CustomerKey {
    CustomerKey::new([7; 32])
}

fn result_of(how: u8) -> Option<WorkResult> {
    let reason = || Arc::from("for a reason");
    match how {
        0 => None,
        1 => Some(WorkResult::Failed { reason: reason() }),
        2 => Some(WorkResult::Retry { reason: reason(), after_ms: None }),
        3 => Some(WorkResult::Rejected { reason: reason() }),
        4 => Some(WorkResult::Held { reason: reason() }),
        _ => Some(WorkResult::Completed),
    }
}

/// A batch whose time is the test's and not the store's, and which sees all that is due.
struct At<'a, 'b>(&'a mut Batch<'b>, i64);

impl Decider for At<'_, '_> {
    fn keys(&self) -> Keys {
        self.0.keys()
    }

    fn decide(&mut self, set: WorkingSet, _: i64) -> Writes {
        self.0.decide(WorkingSet { wall_ms: self.1, ..set }, self.1)
    }
}

/// One store and what drives it.
struct Side {
    writer: Box<dyn WriteStore>,
    reader: Box<dyn ReadStore>,
    ids: IdSource,
    idle: Vec<WorkerName>,
    recent: RecentClaims,
    /// What the writer would count: orders that are ready, in work, limited.
    counts: [usize; 3],
    parks: bool,
    outlook: Outlook,
    node: NodeLease,
}

impl Side {
    fn new(writer: impl WriteStore, reader: impl ReadStore) -> Self {
        let idle = vec!["w1".into()];
        Self {
            writer: Box::new(writer),
            reader: Box::new(reader),
            ids: IdSource::seeded(7),
            idle,
            recent: RecentClaims::default(),
            counts: [0; 3],
            parks: false,
            outlook: Outlook::default(),
            node: NodeLease::new(&"local".into(), false),
        }
    }

    /// The outcomes, for comparison.
    fn commit(&mut self, submissions: Vec<Submission>, now_ms: i64) -> Vec<String> {
        let rules = rules();
        let mut batch = Batch {
            submissions,
            idle: std::mem::take(&mut self.idle),
            claims: self.outlook.ready > 0,
            rules: &rules,
            ids: &mut self.ids,
            looks: Looks { timers: true, leases: true },
            steady_ms: now_ms,
            set_forward_ms: 0,
            parks: self.parks,
            outlook: self.outlook,
            depth: DEPTH,
            node: &self.node,
            renews: self.node.must_renew(1 - self.idle.len(), now_ms),
            recent: &mut self.recent,
            due: &[],
            decided: Decided::default(),
        };
        let outcome = wait(self.writer.commit(next_batch(), &mut At(&mut batch, now_ms)));
        let CommitOutcome::Committed(committed) = outcome else { panic!("{outcome:?}") };
        let Batch { submissions, mut decided, .. } = batch;
        let outcomes = submissions.iter().map(|submission| format!("{:#?}", submission.command.outcome())).collect();
        for submission in submissions {
            submission.command.acknowledge(&committed);
        }
        self.recent.settle();
        self.parks = decided.parked > 0;
        self.outlook = committed.outlook;
        decided.node_lease_end_ms.into_iter().for_each(|end_ms| self.node.note(end_ms));
        for (count, change) in self.counts.iter_mut().zip([decided.ready, decided.active, decided.limited]) {
            *count = count.checked_add_signed(isize::try_from(change).expect("few")).expect("none is taken twice");
        }
        self.idle = std::mem::take(&mut decided.idle);
        outcomes
    }

    /// What the writer knows is what is stored.
    fn check_counts(&self) {
        let orders = wait(self.reader.orders(OrderQuery { limit: 100, ..OrderQuery::default() })).expect("readable");
        let count = |queue| orders.orders.iter().filter(|(order, _)| order.queue() == Some(queue)).count();
        let [ready, active, limited] = [Queue::Ready, Queue::InWork, Queue::Limited].map(count);
        assert_eq!(self.counts, [ready, active, limited], "ready, in work, limited");
        let Outlook { ready: at_least, .. } = self.outlook;
        assert_eq!((at_least.min(DEPTH.ready), self.outlook.limited), (ready.min(DEPTH.ready), limited > 0));
        assert_eq!(self.outlook.active.min(DEPTH.active), active.min(DEPTH.active), "the outlook is what is stored");
    }

    /// Orders in work: of workers outside, or in the process.
    fn active(&self, is_outside: bool) -> Vec<Order> {
        let query = OrderQuery { limit: 100, status: Some((Status::Active, None)), ..OrderQuery::default() };
        let orders = wait(self.reader.orders(query)).expect("readable").orders;
        orders
            .into_iter()
            .map(|(order, _)| order)
            .filter(|order| (order.lease.as_ref() != Some(&self.node.id)) == is_outside)
            .collect()
    }

    fn order(&self, id: u8) -> Option<Order> {
        wait(self.reader.order(format!("o{id}").into())).expect("readable").map(|(order, _)| order)
    }
}

/// The leases that were given out, the last one last.
type Leases = Arc<Mutex<Vec<LeaseId>>>;

/// The principal of a wish.
fn actor_of(actor: u8) -> Principal {
    match actor {
        0 | 1 => Principal::customer(customers().opaque(&format!("c{actor}")).into()),
        2 => Principal::worker("w9".into()),
        3 => Principal::local(),
        _ => Principal::user("u_1".into(), Rights::STAFF),
    }
}

fn submission(wish: &Wish, side: &Side, known: &Leases, now_ms: i64) -> Submission {
    let principal = match wish {
        Wish::Act { actor, .. } => actor_of(*actor),
        _ => Principal::local(),
    };
    Submission::without_share(Origin { principal, ..Origin::system() }, command(wish, side, known, now_ms))
}

fn command(wish: &Wish, side: &Side, known: &Leases, now_ms: i64) -> Box<dyn Pending> {
    let text = |prefix: &str, number: u8| Arc::<str>::from(format!("{prefix}{number}"));
    let ttl_ms = |ends: bool| if ends { 0 } else { FAR_MS };
    let leases = known.lock().expect("leases").clone();
    match wish {
        Wish::Place { id, customer, lines, run_at, key, prices } => {
            let item = |&(sku, quantity): &(u8, i64)| ItemInput {
                sku: SKUS[usize::from(sku)],
                quantity,
                price: match prices.price {
                    _ if sku == 2 => Some("2.5"),
                    0 => None,
                    1 => Some("3"),
                    _ => Some("2.5"),
                },
                plain: sku == 2,
                untracked: prices.untracked,
            };
            let (id, customer) = (format!("o{id}"), format!("c{customer}"));
            let input = OrderInput {
                id: Some(&id),
                items: lines.iter().map(item).collect(),
                customer: Some(&customer),
                address: Some("x"),
                price_override: prices.has_reason.then_some("a friend"),
                run_at_ms: run_at.map(|is_far| if is_far { now_ms + FAR_MS } else { now_ms + 1 }),
                ..OrderInput::default()
            };
            let mut draft = draft_order(&input, &rules(), &customers()).expect("a good order");
            draft.key = key.map(|key| text("k", key));
            unanswered(Place { draft })
        }
        Wish::Act { id, pick, action, actor, lines, flags, key } => {
            let order = side.order(*id);
            let version = order.as_ref().map_or(1, |order| order.version);
            let actor = actor_of(*actor);
            // Mostly what is open, for most else is refused.
            let open = order.map(|order| actions_from(order.status, &actor)).unwrap_or_default();
            let open = open.get(usize::from(*pick) % open.len().max(1)).filter(|_| pick % 8 > 0);
            let request = Request {
                order_id: text("o", *id).into(),
                action: action_of(open.copied().unwrap_or(*action), lines, *flags, now_ms),
                reason: (flags & 0x300 != 0).then(|| "why".into()),
                if_versions: (flags & 0x400 == 0).then(|| vec![version + u32::from(flags & 0x3800 == 0)]),
                key: key.map(|key| text("k", key)),
            };
            unanswered(Act { request })
        }
        Wish::Stock { sku, change } => {
            // Now and then it costs more, or the same again.
            let price = (*change == 5).then_some(3_000_000).or((*change == 4).then_some(2_500_000));
            let patch = ProductPatch { stock_change: Some(*change), price, ..ProductPatch::default() };
            unanswered(PatchProduct { sku: SKUS[usize::from(*sku)].into(), patch })
        }
        Wish::Claim { with_lease, most, ends } => {
            let lease = leases.last().filter(|_| *with_lease).cloned();
            let claim = Claim { worker: "out".into(), lease, most: *most, ttl_ms: ttl_ms(*ends) };
            let known = Arc::clone(known);
            let note = move |claimed: Result<Claimed, _>| {
                known.lock().expect("leases").extend(claimed.ok().map(|claimed| claimed.lease));
            };
            pending(ClaimOrders { claim, arrived_ms: now_ms }, Box::new(note))
        }
        Wish::Renew { ends } => {
            let lease = leases.last().cloned().unwrap_or_else(|| "none".into());
            unanswered(Renew { lease, ttl_ms: ttl_ms(*ends), arrived_ms: now_ms })
        }
        Wish::Report { nth, is_stale, how } => {
            let active = side.active(true);
            let order = active.get(nth % active.len().max(1));
            let token = order.map_or(0, |order| order.token) + u32::from(*is_stale);
            let order_id = order.map_or_else(|| text("o", 0).into(), |order| order.id.clone());
            // Now and then of another lease, or again what was said before.
            let lease = order.and_then(|order| order.lease.clone()).filter(|_| nth % 8 > 0);
            let lease = lease.unwrap_or_else(|| leases.last().cloned().unwrap_or_else(|| "none".into()));
            unanswered(ReportWork { report: Report { order_id, lease, token, result: result_of(*how) } })
        }
        Wish::Pool { how } => {
            let done = side.active(false).into_iter().filter_map(|order| {
                let (worker, result) = (order.worker?, result_of(*how));
                Some(WorkDone { seq: order.seq, token: order.token, worker, result })
            });
            unanswered(Finish { done: done.collect() })
        }
        Wish::Pause { scope, ends } => {
            let scope = match scope {
                0 => Scope::All,
                1 => Scope::Lane(Lane::Processing),
                customer => Scope::Customer(customers().opaque(&format!("c{}", customer - 2))),
            };
            let pause =
                Pause { scope: scope.clone(), since_ms: 0, actor: "admin".into(), reason: None, is_ending: false };
            match ends {
                true => unanswered(Resume { scope }),
                false => unanswered(BeginPause { pause }),
            }
        }
        Wish::GiveBack => unanswered(GiveBack { node: side.node.id.clone() }),
    }
}

fn action_of(name: ActionName, lines: &Option<Vec<(u32, i64)>>, flags: u16, now_ms: i64) -> Action {
    let line = |&(line, quantity): &(u32, i64)| LineQuantity { line, quantity };
    let lines = lines.as_ref().map(|lines| lines.iter().map(line).collect());
    let amount = (flags & 16 == 0).then(|| Arc::from("1.25"));
    let at_ms = if flags & 32 == 0 { now_ms + 1 } else { now_ms + FAR_MS };
    match name {
        ActionName::Hold => Action::Hold { until_ms: (flags & 16 == 0).then_some(at_ms) },
        ActionName::Release => Action::Release,
        ActionName::Reject => Action::Reject,
        ActionName::Retry => Action::Retry,
        ActionName::Complete => Action::Complete,
        ActionName::Start => Action::Start,
        ActionName::Reschedule => Action::Reschedule { at_ms },
        ActionName::Fulfil => Action::Fulfil { lines, closes: flags & 64 != 0 },
        ActionName::Refund => Action::Refund { amount },
        ActionName::Return => Action::Return { lines, amount, restocks: flags & 64 != 0 },
        _ => Action::Cancel,
    }
}

/// Everything that a store shows, in a form that two stores have in common.
fn contents(reader: &dyn ReadStore) -> String {
    let orders = wait(reader.orders(OrderQuery { limit: 100, ..OrderQuery::default() })).expect("readable").orders;
    let moved: Vec<_> = orders.iter().map(|(order, _)| wait(reader.fulfilment(order.seq)).expect("readable")).collect();
    let products = wait(reader.catalogue()).expect("readable").products;
    let start = wait(reader.start_state()).expect("readable");
    let bodies: Vec<Vec<String>> = [Log::Orders, Log::Products].map(|log| events(reader, log)).to_vec();
    let pauses = wait(reader.pauses()).expect("readable");
    let start = (pauses, start.ready, start.active);
    format!("{orders:#?} {moved:#?} {products:#?} {start:?} {bodies:#?}")
}

/// The bodies of a log, whose offsets have no gap.
fn events(reader: &dyn ReadStore, log: Log) -> Vec<String> {
    let limit = PageLimit { events: 100_000, bytes: usize::MAX };
    let events = wait(reader.log_page(PageQuery::after(log, View::All, 0, limit))).expect("readable").events;
    assert!(events.iter().map(|event| event.offset).eq(1..=events.len() as u64), "offsets have no gap");
    events.iter().map(|event| String::from_utf8_lossy(&event.body).into_owned()).collect()
}

/// What must hold of every store after every batch.
fn check(reader: &dyn ReadStore) {
    let orders = wait(reader.orders(OrderQuery { limit: 100, ..OrderQuery::default() })).expect("readable").orders;
    let mut held: BTreeMap<String, i64> = BTreeMap::new();
    for (order, details) in &orders {
        let fulfilment = wait(reader.fulfilment(order.seq)).expect("readable");
        let given_back: i64 = fulfilment.ledger.iter().map(|entry| entry.amount).sum();
        assert!(given_back == order.refunded && order.refunded <= order.captured(), "{order:?}");
        let is_parked = matches!(order.queue(), Some(Queue::Parked | Queue::Limited));
        assert_eq!(order.parked_by.is_some(), is_parked, "{order:?}");
        assert_eq!(order.lease.is_some(), order.status == Status::Active, "an order in work has a lease: {order:?}");
        if order.status.is_terminal() && order.status.name() != "fulfilled" {
            continue;
        }
        let progress = Progress::of_lines(details.lines.len(), &fulfilment.moves);
        for (line, done) in details.lines.iter().zip(progress) {
            assert!(done.shipped + done.cancelled <= line.quantity && done.returned <= done.shipped, "{done:?}");
            if line.reserved > 0 {
                let left = i64::from(line.reserved) - i64::from(done.shipped) - i64::from(done.cancelled);
                *held.entry(line.sku.clone()).or_default() += left;
            }
        }
    }
    for product in wait(reader.catalogue()).expect("readable").products {
        assert_eq!(product.reserved, held.get(&*product.sku).copied().unwrap_or(0), "{product:?}");
        assert!(product.stock.is_none_or(|stock| (0..=stock).contains(&product.reserved)), "{product:?}");
    }
    check_limits(&orders.iter().map(|(order, _)| order).collect::<Vec<_>>());
    let mut folded: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for body in events(reader, Log::Orders) {
        let event: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        let (version, status) = folded.get(&text("order_id")).cloned().unwrap_or_default();
        assert_eq!((event["version"].as_u64(), text("from")), (Some(version + 1), status), "{body}");
        folded.insert(text("order_id"), (version + 1, text("status")));
    }
    for (order, _) in &orders {
        let last = folded.get(&*order.id).map(|(version, status)| (*version, status.as_str()));
        assert_eq!(last, Some((u64::from(order.version), order.outward_status())), "status is the fold of events");
    }
}

/// No more is in work than is allowed, and nobody's orders wait for room that there is.
fn check_limits(orders: &[&Order]) {
    let in_work: Vec<_> = orders.iter().filter(|order| order.queue() == Some(Queue::InWork)).collect();
    assert!(in_work.len() <= MAX_ACTIVE, "{in_work:?}");
    for limited in orders.iter().filter(|order| order.queue() == Some(Queue::Limited)) {
        let places = orders.iter().filter(|order| {
            order.customer_id == limited.customer_id && matches!(order.queue(), Some(Queue::Ready | Queue::InWork))
        });
        assert!(places.count() >= MAX_ACTIVE_EACH, "{limited:?} waits for nothing");
    }
    for order in &in_work {
        let of_customer = in_work.iter().filter(|other| other.customer_id == order.customer_id);
        assert!(of_customer.count() <= MAX_ACTIVE_EACH, "{order:?}");
    }
}

fn sequences() -> u32 {
    let wanted = std::env::var("ORDERCAST_MODEL_SEQUENCES").ok().and_then(|count| count.parse().ok());
    wanted.unwrap_or(SEQUENCES)
}

fn stocked(sku: &str) -> Product {
    let currency = Currency::parse("USD").expect("a currency");
    Product { sku: sku.into(), name: sku.to_owned(), price: 2_500_000, currency, stock: Some(8), reserved: 0 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sequences(), ..ProptestConfig::default() })]

    #[test]
    fn both_stores_do_the_same_and_what_must_hold_holds(batches in vec(vec(any_wish(), 1..5), 1..40)) {
        let dir = tempfile::tempdir().expect("a folder");
        let (writer, reader) = open(&SqliteOptions { ready: 1, ..SqliteOptions::new(dir.path()) }).expect("a store");
        let model = ModelStore::new();
        let mut sides = [Side::new(model.clone(), model), Side::new(writer, reader)];
        // In the past by the stores' clocks, so that what is due by the test's is due by theirs.
        let mut now_ms = wall_now_ms() - FAR_MS / 2;
        let leases = [Leases::default(), Leases::default()];
        for side in &mut sides {
            let products = SKUS[..2].iter().map(|sku| stocked(sku)).collect();
            side.commit(vec![Submission::without_share(Origin::system(), unanswered(PutProducts { products }))], now_ms);
        }
        for wishes in &batches {
            now_ms += 1_000;
            let mut outcomes = sides.iter_mut().zip(&leases).map(|(side, leases)| {
                let submissions = wishes.iter().map(|wish| submission(wish, side, leases, now_ms)).collect();
                side.commit(submissions, now_ms)
            });
            prop_assert_eq!(outcomes.next(), outcomes.next());
            drop(outcomes);
            prop_assert_eq!(&*leases[0].lock().expect("leases"), &*leases[1].lock().expect("leases"));
            prop_assert_eq!(contents(&*sides[0].reader), contents(&*sides[1].reader));
            check(&*sides[0].reader);
            for side in &sides {
                side.check_counts();
            }
        }
        drop(sides);
        let report = verify(dir.path(), |_| {}).expect("readable");
        prop_assert!(report.is_clean(), "{}", report);
    }
}
