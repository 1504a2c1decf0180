//! Schedules of pauses and of clocks that are set, against what must hold of leases and timers.
//!
//! 256 schedules, or as many as `ORDERCAST_TIME_SCHEDULES` says.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use ordercast_access::{Origin, Principal};
use ordercast_domain::decide::{RecentClaims, WorkResult};
use ordercast_domain::draft::{CustomerKey, ItemInput, OrderInput, draft_order};
use ordercast_domain::ids::LeaseId;
use ordercast_domain::money::Currency;
use ordercast_domain::order::{Order, Queue};
use ordercast_domain::rules::Rules;
use ordercast_domain::status::Status;
use ordercast_store::clock::{LATE_MS, SteadyClock, TICK};
use ordercast_store::conformance::{next_batch, wait};
use ordercast_store::model::ModelStore;
use ordercast_store::read::ReadStore;
use ordercast_store::write::{CommitOutcome, Outlook, OutlookDepth, WriteStore};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::batch::Batch;
use crate::command::{
    Claim, ClaimOrders, Claimed, CommandError, Pending, Place, Renew, Report, ReportWork, pending, unanswered,
};
use crate::decided::Decided;
use crate::ids::IdSource;
use crate::intake::Submission;
use crate::node::NodeLease;
use crate::timers;

const SCHEDULES: u32 = 256;
const LEASE_MS: i64 = 6_000;
const BEAT_MS: i64 = 2_000;
/// How long an order waits that is tried again, and for how long one is scheduled ahead.
const WAIT_MS: i64 = 5_000;
const TICK_MS: i64 = TICK.as_millis() as i64;
/// A dead worker's order can be claimed again within this time in which the server could hear.
const RESCUE_MS: i64 = LEASE_MS + 1_000 + 5 * TICK_MS;
/// Ticks between two orders that are placed to read their stored time.
const STAMP_EVERY: i64 = 16;
const FIRST_WALL_MS: i64 = 1_700_000_000_000;

#[derive(Clone, Debug)]
enum Event {
    /// The server runs for this number of ticks.
    Run(i64),
    /// The process stands still, for longer than a tick may be late.
    Freeze(i64),
    /// The wall clock is set by so much.
    Set(i64),
    /// The worker stops giving signs of life.
    Die,
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (1..80i64).prop_map(Event::Run),
        3 => (TICK_MS + LATE_MS + 1..60_000).prop_map(Event::Freeze),
        2 => (-7_200_000..7_200_000i64).prop_map(Event::Set),
        1 => Just(Event::Die),
    ]
}

/// A command of the local user.
fn local(command: Box<dyn Pending>) -> Submission {
    Submission::without_share(Origin { principal: Principal::local(), ..Origin::system() }, command)
}

/// A writer on a store in memory, in a time of its own.
struct World {
    store: ModelStore,
    rules: Rules,
    ids: IdSource,
    recent: RecentClaims,
    outlook: Outlook,
    node: NodeLease,
    begun: Instant,
    steady: SteadyClock,
    wall_ms: Arc<AtomicI64>,
    /// Time that has truly passed, and the part of it in which the server could hear.
    passed_ms: i64,
    heard_ms: i64,
    lease: LeaseId,
    beaten_ms: i64,
    is_dead: bool,
}

impl World {
    fn new() -> Self {
        let wall_ms = Arc::new(AtomicI64::new(FIRST_WALL_MS));
        let begun = Instant::now();
        let mut rules = Rules::standard(Currency::parse("USD").expect("a currency"));
        rules.retries.base_ms = 0;
        Self {
            store: ModelStore::with_wall_clock(Arc::clone(&wall_ms)),
            rules,
            ids: IdSource::seeded(7),
            recent: RecentClaims::default(),
            outlook: Outlook::default(),
            node: NodeLease::new(&"local".into(), false),
            begun,
            steady: SteadyClock::new(0, begun),
            wall_ms,
            passed_ms: 0,
            heard_ms: 0,
            lease: "none".into(),
            beaten_ms: 0,
            is_dead: false,
        }
    }

    fn now(&self) -> Instant {
        self.begun + Duration::from_millis(self.passed_ms.unsigned_abs())
    }

    fn pass(&mut self, ms: i64) {
        self.passed_ms += ms;
        self.wall_ms.fetch_add(ms, Relaxed);
    }

    fn wall(&self) -> i64 {
        self.wall_ms.load(Relaxed)
    }

    fn commit(&mut self, commands: Vec<Box<dyn Pending>>) {
        let looks = timers::looks(&self.outlook, self.wall(), self.steady.now_ms());
        let mut batch = Batch {
            submissions: commands.into_iter().map(local).collect(),
            idle: Vec::new(),
            claims: false,
            rules: &self.rules,
            ids: &mut self.ids,
            looks,
            steady_ms: self.steady.now_ms(),
            set_forward_ms: 0,
            parks: false,
            outlook: self.outlook,
            depth: OutlookDepth { ready: 1, ..OutlookDepth::default() },
            node: &self.node,
            renews: false,
            recent: &mut self.recent,
            due: &[],
            decided: Decided::default(),
        };
        let outcome = wait(self.store.commit(next_batch(), &mut batch));
        let CommitOutcome::Committed(committed) = outcome else { panic!("{outcome:?}") };
        let Batch { submissions, .. } = batch;
        self.outlook = committed.outlook;
        for submission in submissions {
            submission.command.acknowledge(&committed);
        }
    }

    fn place(&mut self, id: &str, run_at_ms: Option<i64>) {
        let item = ItemInput { sku: "a", quantity: 1, price: Some("2.5"), plain: false, untracked: false };
        let (customer, address) = (Some("x"), Some("y"));
        let input =
            OrderInput { id: Some(id), items: vec![item], customer, address, run_at_ms, ..OrderInput::default() };
        let draft = draft_order(&input, &self.rules, &CustomerKey::new([7; 32])).expect("a good order");
        self.commit(vec![unanswered(Place { draft })]);
    }

    fn claim(&mut self) -> Order {
        let claim = Claim { worker: "out".into(), lease: None, most: 1, ttl_ms: LEASE_MS };
        let arrived_ms = self.steady.now_ms();
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        let reply = move |claimed: Result<Claimed, CommandError>| answer.send(claimed).expect("somebody listens");
        self.commit(vec![pending(ClaimOrders { claim, arrived_ms }, Box::new(reply))]);
        let mut claimed = answered.recv().expect("an answer").expect("a lease");
        (self.lease, self.beaten_ms) = (claimed.lease, self.passed_ms);
        claimed.orders.pop().expect("an order is ready")
    }

    /// Fails the order, which is to be tried again later.
    fn put_off(&mut self, order: &Order) {
        let result = Some(WorkResult::Retry { reason: "busy".into(), after_ms: Some(WAIT_MS) });
        let (order_id, lease) = (order.id.clone(), self.lease.clone());
        let report = Report { order_id, lease, token: order.token, result };
        self.commit(vec![unanswered(ReportWork { report })]);
    }

    /// One look of the writer at its clock, with the sign of life that a worker gives every two seconds.
    fn tick(&mut self) {
        self.steady.look(self.now(), true);
        let mut commands: Vec<Box<dyn Pending>> = Vec::new();
        if !self.is_dead && self.passed_ms - self.beaten_ms >= BEAT_MS {
            self.beaten_ms = self.passed_ms;
            let arrived_ms = self.steady.arrival_ms(self.now());
            commands.push(unanswered(Renew { lease: self.lease.clone(), ttl_ms: LEASE_MS, arrived_ms }));
        }
        self.commit(commands);
    }

    fn order(&self, id: &str) -> Order {
        wait(self.store.order(id.into())).expect("readable").expect("it is there").0
    }
}

/// What is looked at after each tick.
struct Watched {
    world: World,
    held: Order,
    /// Steady time when the worker last gave a sign of life, once it is dead.
    died_heard_ms: Option<i64>,
    put_off_heard_ms: i64,
    run_at_ms: i64,
    /// The order that starts at `run_at_ms` was due by the wall clock so many ticks ago.
    overdue_ticks: i64,
    stamp_ms: i64,
}

impl Watched {
    fn new() -> Self {
        let mut world = World::new();
        world.place("waits", None);
        let waits = world.claim();
        world.put_off(&waits);
        let run_at_ms = FIRST_WALL_MS + WAIT_MS;
        world.place("scheduled", Some(run_at_ms));
        world.place("held", None);
        let held = world.claim();
        let (put_off_heard_ms, stamp_ms) = (world.heard_ms, held.updated_at_ms);
        Self { world, held, died_heard_ms: None, put_off_heard_ms, run_at_ms, overdue_ticks: 0, stamp_ms }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Run(ticks) => (0..*ticks).for_each(|_| self.run()),
            // The first tick after it counts no more than any.
            Event::Freeze(ms) => {
                self.world.pass(*ms);
                self.look();
            }
            Event::Set(ms) => {
                self.world.wall_ms.fetch_add(*ms, Relaxed);
            }
            Event::Die => {
                self.world.is_dead = true;
                self.died_heard_ms.get_or_insert(self.world.heard_ms);
            }
        }
    }

    fn run(&mut self) {
        self.world.pass(TICK_MS);
        self.look();
    }

    fn look(&mut self) {
        let world = &mut self.world;
        world.heard_ms += TICK_MS;
        let is_due = world.wall() >= self.run_at_ms;
        world.tick();
        let held = world.order("held");
        match self.died_heard_ms {
            None => assert_eq!((held.status, held.token), (Status::Active, self.held.token), "its worker lives"),
            Some(died_ms) if world.heard_ms - died_ms > RESCUE_MS => {
                assert!(held.queue() == Some(Queue::Ready), "{held:?} is stranded");
            }
            Some(_) => {}
        }
        let waited_ms = world.heard_ms - self.put_off_heard_ms;
        let waits = world.order("waits").queue() == Some(Queue::Timed);
        assert!(waits || waited_ms >= WAIT_MS, "the wait ended after {waited_ms} ms");
        assert!(!waits || waited_ms <= WAIT_MS + TICK_MS, "the wait goes on after {waited_ms} ms");
        let is_scheduled = world.order("scheduled").status == Status::Scheduled;
        self.overdue_ticks = if is_due && is_scheduled { self.overdue_ticks + 1 } else { 0 };
        assert!(self.overdue_ticks <= 1, "what is due by the wall clock starts");
        if (world.heard_ms / TICK_MS) % STAMP_EVERY != 0 {
            return;
        }
        world.place(&format!("stamp-{}", world.heard_ms), None);
        let stamp_ms = world.order(&format!("stamp-{}", world.heard_ms)).accepted_at_ms;
        assert!(stamp_ms >= self.stamp_ms, "stored times never run backwards");
        self.stamp_ms = stamp_ms;
    }
}

fn schedules() -> u32 {
    let wanted = std::env::var("ORDERCAST_TIME_SCHEDULES").ok().and_then(|count| count.parse().ok());
    wanted.unwrap_or(SCHEDULES)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: schedules(), ..ProptestConfig::default() })]

    #[test]
    fn pauses_and_clocks_that_are_set_end_nothing_and_strand_nothing(events in vec(any_event(), 1..20)) {
        let mut watched = Watched::new();
        for event in &events {
            watched.happen(event);
        }
        // Whatever came before, a worker that dies now loses its order in time.
        watched.happen(&Event::Die);
        watched.happen(&Event::Run(RESCUE_MS / TICK_MS + 2));
    }
}
