//! The engine as others see it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ordercast_access::Origin;
use ordercast_broker::Broker;
use ordercast_domain::adjustment::Adjustment;
use ordercast_domain::consumer::{Acquire, Acquired, Consumer, MoveCursor};
use ordercast_domain::decide::{RecentClaims, Request};
use ordercast_domain::draft::{CustomerKey, Draft};
use ordercast_domain::ids::{LeaseId, Sku};
use ordercast_domain::pause::{Pause, Scope};
use ordercast_domain::product::{Product, ProductPatch};
use ordercast_domain::rules::Rules;
use ordercast_protocol::position::Position;
use ordercast_store::StoreError;
use ordercast_store::read::ReadStore;
use ordercast_store::write::WriteStore;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use crate::catalogue::CatalogueMirror;
use crate::command::{
    AcquireConsumer, Act, Adjust, Adjusted, BeginPause, Changed, Claim, ClaimOrders, Claimed, Command, CommandError,
    GiveBack, MoveConsumer, PatchProduct, Place, Placed, Publish, PutProducts, Renew, Renewed, Reply, Report,
    ReportWork, Resume,
};
use crate::commit::Committer;
use crate::health::Health;
use crate::ids::IdSource;
use crate::intake::Intake;
use crate::node::NodeLease;
use crate::processor::Processor;
use crate::retention::Trimmer;
use crate::shared::{EngineConfig, Shared};
use crate::stats::Stats;
use crate::timers::Clocks;
use crate::waiting::{WaitingClaims, Woken};
use crate::{pool, writer::Writer};

/// How often a stopping engine looks whether its work is done.
const DRAIN_POLL: Duration = Duration::from_millis(5);
/// Longest wait of an external worker before it is looked again whether an order is ready: an expired claim of another
/// or a timer may have made one so.
const CLAIM_POLL: Duration = Duration::from_secs(1);
/// How long the orders in work have to be given back.
const GIVE_BACK_TIME: Duration = Duration::from_secs(1);

/// What an engine is made of.
pub struct EngineParts {
    /// Where it writes.
    pub writer: Box<dyn WriteStore>,
    /// Where it reads what it starts from.
    pub reader: Arc<dyn ReadStore>,
    /// Where it announces.
    pub broker: Arc<dyn Broker>,
    /// What its workers do.
    pub processor: Arc<dyn Processor>,
}

struct Running {
    writer: JoinHandle<()>,
    pool: tokio::task::JoinHandle<()>,
    /// Tells the pool to stop work under way.
    give_up: watch::Sender<bool>,
}

/// The write side. Clones are handles to the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    running: Arc<Mutex<Option<Running>>>,
}

impl Engine {
    /// Starts the writer and the workers. The first commit puts the orders that this node's workers had when its last run
    /// ended back into the queue. On a store that other nodes share it takes a few seconds, if the node was not stopped
    /// cleanly: it is made sure that no living node has the same name.
    ///
    /// Must be called on a tokio runtime, which the workers run on.
    ///
    /// # Errors
    /// When the store cannot be read; [`StoreError::InUse`] when a living node has the same name.
    pub async fn start(config: EngineConfig, parts: EngineParts) -> Result<Self, StoreError> {
        let mut store = parts.writer;
        let node = NodeLease::new(&config.node, !store.is_exclusive());
        if !store.is_exclusive() {
            node.refuse_living(&*parts.reader).await?;
        }
        let start = parts.reader.start_state().await?;
        let outlook = store.outlook(config.depth()).await?;
        let catalogue = parts.reader.catalogue().await?;
        let shared = Arc::new(Shared {
            intake: Arc::new(Intake::new(config.intake_capacity, config.client_capacity)),
            stats: Stats::new(),
            health: Health::new(),
            clocks: Clocks::new(start.steady_ms),
            catalogue: CatalogueMirror::default(),
            customers: CustomerKey::new(start.secret),
            in_pool: AtomicUsize::new(0),
            waiting: WaitingClaims::default(),
            draining: AtomicBool::new(false),
            failure: watch::Sender::new(None),
            ready: AtomicUsize::new(0),
            active: AtomicUsize::new(0),
            config,
            start,
        });
        shared.note_outlook(&outlook);
        shared.catalogue.update(catalogue.products);
        shared.stats.ready.store(shared.start.ready, Relaxed);
        shared.stats.active.store(shared.start.active, Relaxed);
        if shared.start.active > 0 {
            shared.intake.submit_internal(GiveBack { node: node.id.clone() });
        }
        // A claim is made for free workers only, so there are never more than there are workers.
        let (claims, claimed) = mpsc::channel(shared.config.slots.max(1));
        let give_up = watch::Sender::new(false);
        let writer = Writer {
            store,
            shared: Arc::clone(&shared),
            broker: parts.broker,
            claims,
            idle: (1..=shared.config.slots).rev().map(|slot| format!("w{slot}").into()).collect(),
            ids: IdSource::new(),
            outlook,
            node,
            committer: Committer::new(),
            is_deaf: false,
            retry_after: Duration::ZERO,
            parks: shared.start.pauses.iter().any(|pause| !pause.is_ending),
            recent: RecentClaims::default(),
            waiting: Vec::new(),
            trimmer: Trimmer::new(shared.config.retention, Instant::now()),
            runtime: Handle::current(),
        };
        let pool = pool::run(claimed, parts.processor, Arc::clone(&shared.intake), give_up.subscribe());
        let pool = tokio::spawn(pool);
        let writer = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || writer.run_guarded())
            .map_err(|error| StoreError::Failed(format!("cannot start the writer's thread: {error}")))?;
        let running = Arc::new(Mutex::new(Some(Running { writer, pool, give_up })));
        Ok(Self { shared, running })
    }

    /// Queues an order; `reply` hears what became of it once that is durable.
    pub fn submit_order(&self, origin: Origin, draft: Draft, reply: Reply<Placed>) {
        self.submit(origin, Place { draft }, reply);
    }

    fn submit<C: Command>(&self, origin: Origin, command: C, reply: Reply<C::Answer>) {
        self.shared.intake.submit(origin, command, reply, &self.shared.stats);
    }

    /// Submits a command and waits for the answer.
    async fn ask<C: Command>(&self, origin: Origin, command: C) -> Result<C::Answer, CommandError> {
        let (reply, answer) = oneshot::channel();
        let reply = Box::new(move |outcome| {
            // Who asked may have gone away; the outcome stands all the same.
            let _ = reply.send(outcome);
        });
        self.submit(origin, command, reply);
        answer.await.unwrap_or(Err(CommandError::StoreFailed))
    }

    /// Places an order and waits until it is durable.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn place(&self, origin: Origin, draft: Draft) -> Result<Placed, CommandError> {
        self.ask(origin, Place { draft }).await
    }

    /// Stores products, all or none; the answer is how many changed.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn put_products(&self, origin: Origin, products: Vec<Product>) -> Result<usize, CommandError> {
        self.ask(origin, PutProducts { products }).await
    }

    /// Changes the named fields of a product; the answer is the product after it.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn patch_product(
        &self,
        origin: Origin,
        sku: Sku,
        patch: ProductPatch,
    ) -> Result<Box<Product>, CommandError> {
        self.ask(origin, PatchProduct { sku, patch }).await
    }

    /// Queues something that is to be done to an order; `reply` hears what became of it once that is durable.
    pub fn submit_action(&self, origin: Origin, request: Request, reply: Reply<Changed>) {
        self.submit(origin, Act { request }, reply);
    }

    /// Does something to an order and waits until it is durable.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn act(&self, origin: Origin, request: Request) -> Result<Changed, CommandError> {
        self.ask(origin, Act { request }).await
    }

    /// Claims orders for an external worker. When none is ready it waits up to `patience` for one.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::Full`] also when too many claims wait;
    /// [`Refusal::NoLease`](ordercast_domain::decide::Refusal::NoLease) when the lease has ended.
    pub async fn claim(&self, origin: Origin, claim: Claim, patience: Duration) -> Result<Claimed, CommandError> {
        let deadline = tokio::time::Instant::now() + patience;
        let (mut woken, mut is_first) = (None, true);
        loop {
            // Waiting begins before asking, so that no order comes unnoticed in between.
            let waiting = self.shared.waiting.wait().ok_or(CommandError::Full)?;
            let is_last = tokio::time::Instant::now() >= deadline;
            let is_ready = self.shared.ready.load(Relaxed) > 0 && !self.shared.is_full();
            if is_last || woken.is_some() || (is_first && (is_ready || claim.lease.is_some())) {
                let (claim, arrived_ms) = (claim.clone(), self.shared.clocks.arrival_ms());
                let claimed = self.ask(origin.clone(), ClaimOrders { claim, arrived_ms }).await?;
                if !claimed.orders.is_empty() || (is_last && claimed.parked == 0) {
                    // Another claim may have been woken meanwhile: pass its turn on.
                    drop((waiting, woken));
                    self.shared.wake_waiting();
                    return Ok(claimed);
                }
                if claimed.parked > 0 {
                    // All that came next is held back by pauses and limits; what is behind it may not be.
                    continue;
                }
            } else {
                // An order may have become ready before this claim waited.
                self.shared.wake_waiting();
            }
            is_first = false;
            woken = self.wait_for_orders(waiting, deadline).await?;
        }
    }

    /// External workers that wait for orders.
    pub fn waiting_claims(&self) -> usize {
        self.shared.waiting.len()
    }

    /// Waits for a turn to claim; `None` at the deadline.
    async fn wait_for_orders(
        &self,
        mut waiting: oneshot::Receiver<Woken>,
        deadline: tokio::time::Instant,
    ) -> Result<Option<Woken>, CommandError> {
        loop {
            let now = tokio::time::Instant::now();
            let woken = tokio::time::timeout_at(deadline.min(now + CLAIM_POLL), &mut waiting).await;
            if self.shared.is_draining() {
                return Err(CommandError::Stopping);
            }
            match woken {
                Ok(woken) => return Ok(woken.ok()),
                Err(_) if tokio::time::Instant::now() >= deadline => return Ok(None),
                // Somebody may have been woken and have gone.
                Err(_) => self.shared.wake_waiting(),
            }
        }
    }

    /// Holds the orders of a scope back from now on; `false` when they are already. Orders in work are finished.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn pause(&self, origin: Origin, pause: Pause) -> Result<bool, CommandError> {
        self.ask(origin, BeginPause { pause }).await
    }

    /// Lets the orders of a scope go on; `false` when nothing held them back.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn resume(&self, origin: Origin, scope: Scope) -> Result<bool, CommandError> {
        self.ask(origin, Resume { scope }).await
    }

    /// Renews the lease of an external worker.
    ///
    /// # Errors
    /// As for [`Engine::claim`].
    pub async fn renew(&self, origin: Origin, lease: LeaseId, ttl: Duration) -> Result<Renewed, CommandError> {
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        self.ask(origin, Renew { lease, ttl_ms, arrived_ms: self.shared.clocks.arrival_ms() }).await
    }

    /// Makes a node the owner of a consumer of a log.
    ///
    /// # Errors
    /// [`CommandError`]; refused when a consumer of that name reads another log.
    pub async fn acquire_consumer(&self, origin: Origin, wish: Acquire) -> Result<Acquired, CommandError> {
        self.ask(origin, AcquireConsumer { wish }).await
    }

    /// Moves the cursor of a consumer on and renews the lease of its owner, or gives it back.
    ///
    /// # Errors
    /// [`CommandError`]; refused when the consumer has another owner by now.
    pub async fn move_cursor(&self, origin: Origin, step: MoveCursor) -> Result<Consumer, CommandError> {
        self.ask(origin, MoveConsumer { step }).await
    }

    /// Ends, or gives back, the work of an external worker on one order.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn report(&self, origin: Origin, report: Report) -> Result<Changed, CommandError> {
        self.ask(origin, ReportWork { report }).await
    }

    /// Stores an adjustment, or finds the same one.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn adjust(&self, origin: Origin, adjustment: Adjustment) -> Result<Adjusted, CommandError> {
        self.ask(origin, Adjust { adjustment }).await
    }

    /// Queues a publication into a durable application channel; `reply` hears where it stands in
    /// [`Log::Publications`](ordercast_protocol::channel::Log::Publications) once it is durable. `body` is stored
    /// and delivered as it is: make it with [`ordercast_protocol::centrifuge::publication::write_publication`].
    pub fn submit_publication(&self, origin: Origin, channel: Arc<str>, body: Bytes, reply: Reply<Position>) {
        self.submit(origin, Publish { channel, body }, reply);
    }

    /// Publishes into a durable application channel and waits until that is durable; see
    /// [`Engine::submit_publication`].
    ///
    /// # Errors
    /// [`CommandError`]; a name of a wrong length is refused.
    pub async fn publish(&self, origin: Origin, channel: Arc<str>, body: Bytes) -> Result<Position, CommandError> {
        self.ask(origin, Publish { channel, body }).await
    }

    /// The rules of the shop.
    pub fn rules(&self) -> &Rules {
        &self.shared.config.rules
    }

    /// The settings the engine runs with.
    pub fn config(&self) -> &EngineConfig {
        &self.shared.config
    }

    /// What makes customers' ids opaque.
    pub fn customers(&self) -> &CustomerKey {
        &self.shared.customers
    }

    /// The catalogue as of the last commit.
    pub fn catalogue(&self) -> &CatalogueMirror {
        &self.shared.catalogue
    }

    /// What the engine counts.
    pub fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    /// How the store makes commits durable, for people.
    pub fn durability(&self) -> &str {
        &self.shared.start.durability
    }

    /// What broke the store, if it is broken.
    pub fn failure(&self) -> Option<String> {
        self.shared.failure.borrow().clone()
    }

    /// What keeps commands waiting, if anything does: the store is locked, slow, or outgrows its bound. It passes.
    pub fn trouble(&self) -> Option<String> {
        self.shared.health.trouble()
    }

    /// For how long the store cannot be written to because another program has it locked.
    pub fn unavailable_for(&self) -> Option<Duration> {
        self.shared.health.unavailable_ms().map(Duration::from_millis)
    }

    /// Size of the store's write-ahead log, in bytes.
    pub fn journal_bytes(&self) -> u64 {
        self.shared.health.journal_bytes()
    }

    /// Waits until the store breaks.
    pub async fn failed(&self) -> String {
        let mut failure = self.shared.failure.subscribe();
        let broken = failure.wait_for(Option::is_some).await;
        broken.ok().and_then(|failure| failure.clone()).unwrap_or_default()
    }

    /// Refuses new commands from now on; what is queued is still carried out, and orders in work go on.
    pub fn close_intake(&self) {
        self.shared.intake.close(CommandError::Stopping);
        self.shared.draining.store(true, Relaxed);
    }

    /// Waits, up to `grace`, until every command that was taken is answered. Call it after
    /// [`Engine::close_intake`]: answers then still find their connections.
    pub async fn settle(&self, grace: Duration) {
        let is_settled = || self.shared.stats.waiting.load(Relaxed) == 0 || self.failure().is_some();
        self.wait_until(is_settled, grace).await;
    }

    async fn wait_until(&self, holds: impl Fn() -> bool, grace: Duration) {
        let deadline = tokio::time::Instant::now() + grace;
        while !holds() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(DRAIN_POLL).await;
        }
    }

    /// Stops: finishes what was taken, waits up to `grace` for orders in work and gives the rest of them back.
    pub async fn stop(&self, grace: Duration) {
        self.close_intake();
        let stats = &self.shared.stats;
        let is_done = || {
            let done = self.shared.in_pool.load(Relaxed) == 0 && stats.waiting.load(Relaxed) == 0;
            done || self.shared.failure.borrow().is_some()
        };
        self.wait_until(is_done, grace).await;
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { writer, pool, give_up }) = running else { return };
        give_up.send_replace(true);
        // Giving back is one commit; it has a second even when the grace is used up.
        self.wait_until(is_done, GIVE_BACK_TIME).await;
        self.shared.intake.stop();
        // The writer drops the pool's channel when it ends, which ends the pool.
        let joined = tokio::task::spawn_blocking(move || writer.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the writer's thread panicked");
        }
        let _ = pool.await;
    }
}
