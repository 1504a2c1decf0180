//! The writer's thread: batch after batch, and after each commit the answers and the announcements.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use ordercast_broker::{AnnouncedEvent, Announcement, Broker, Message};
use ordercast_domain::decide::RecentClaims;
use ordercast_domain::ids::WorkerName;
use ordercast_domain::order::Order;
use ordercast_domain::status::Status;
use ordercast_protocol::channel::Log;
use ordercast_protocol::redaction::Redaction;
use ordercast_store::clock::wall_now_ms;
use ordercast_store::write::{CommitOutcome, Committed, LogRange, Outlook, WriteStore};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::batch::{Batch, Looks};
use crate::command::CommandError;
use crate::commit::Committer;
use crate::decided::Decided;
use crate::ids::IdSource;
use crate::intake::{Next, Submission};
use crate::node::NodeLease;
use crate::retention::Trimmer;
use crate::shared::Shared;
use crate::timers;

/// How long clients wait for a store that cannot be written to, until they are refused.
const UNAVAILABLE_PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Writer {
    pub(crate) store: Box<dyn WriteStore>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) claims: mpsc::Sender<Vec<Order>>,
    pub(crate) idle: Vec<WorkerName>,
    /// Commands of a batch that could not be written yet.
    pub(crate) waiting: Vec<Submission>,
    pub(crate) ids: IdSource,
    pub(crate) trimmer: Trimmer,
    /// What the store said last is to be done.
    pub(crate) outlook: Outlook,
    pub(crate) node: NodeLease,
    pub(crate) committer: Committer,
    /// Whether the last batch could not be written: what workers say meanwhile is not heard.
    pub(crate) is_deaf: bool,
    /// When a store that could not be written to is worth trying again.
    pub(crate) retry_after: Duration,
    /// Whether claims come upon orders that a pause or a limit holds back.
    pub(crate) parks: bool,
    pub(crate) recent: RecentClaims,
    pub(crate) runtime: Handle,
}

impl Writer {
    /// Runs [`Writer::run`]; a panic (in a reply, or a defect) is reported like a failure of the store: a server that
    /// takes orders and never answers would be worse.
    pub(crate) fn run_guarded(self) {
        let shared = Arc::clone(&self.shared);
        if std::panic::catch_unwind(AssertUnwindSafe(|| self.run())).is_err() {
            shared.fail("the writer panicked; the log says where");
        }
    }

    /// Runs until the intake is stopped or the store fails.
    fn run(mut self) {
        loop {
            let goes_on = self.may_claim() || self.has_more();
            let patience = if goes_on { Some(Duration::ZERO) } else { self.patience() };
            let submissions = match self.next_submissions(patience) {
                Next::Stop => return,
                Next::Batch(submissions) => submissions,
            };
            self.shared.clocks.look(!std::mem::take(&mut self.is_deaf));
            if submissions.is_empty() {
                self.look_again();
                if !self.may_claim() && !self.has_more() && self.is_idle() {
                    continue;
                }
            }
            // Work that ends in this batch frees a worker, who may claim in the same one.
            let claims = self.outlook.ready > 0 && !self.shared.is_draining();
            if let Err(error) = self.commit(submissions, claims) {
                self.shared.fail(&error);
                return;
            }
        }
    }

    /// Whether an idle worker in the process may claim an order.
    fn may_claim(&self) -> bool {
        let is_free = !self.idle.is_empty() && !self.shared.is_full();
        self.outlook.ready > 0 && is_free && !self.shared.is_draining()
    }

    /// Whether the last batch left something undone.
    fn has_more(&self) -> bool {
        (self.trimmer.has_more() || self.outlook.lifted_pauses) && !self.shared.is_draining()
    }

    /// Asks a store that others share what is to be done: they may have changed it.
    fn look_again(&mut self) {
        if self.store.is_exclusive() {
            return;
        }
        match self.runtime.block_on(self.store.outlook(self.shared.config.depth())) {
            Ok(outlook) => self.note_outlook(outlook),
            // The next commit finds out what is wrong.
            Err(error) => tracing::warn!(%error, "the store does not say what is to be done"),
        }
    }

    fn note_outlook(&mut self, outlook: Outlook) {
        self.outlook = outlook;
        self.shared.note_outlook(&outlook);
    }

    /// Orders that workers in the process have.
    fn in_pool(&self) -> usize {
        self.shared.config.slots - self.idle.len().min(self.shared.config.slots)
    }

    /// Whether a batch without commands would do nothing.
    fn is_idle(&self) -> bool {
        let steady_ms = self.shared.clocks.steady_ms();
        let looks_at_nothing = timers::looks(&self.outlook, wall_now_ms(), steady_ms) == Looks::default();
        let is_quiet = looks_at_nothing && !self.node.must_renew(self.in_pool(), steady_ms);
        is_quiet && self.shared.health.unavailable_ms().is_none() && self.trimmer.due(Instant::now()).is_empty()
    }

    /// What could not be written yet goes first.
    fn next_submissions(&mut self, patience: Option<Duration>) -> Next {
        if self.waiting.is_empty() {
            return self.shared.intake.next(self.shared.config.batch_commands, patience);
        }
        if self.shared.intake.is_stopped() {
            self.refuse(CommandError::Stopping, |_| true);
            return Next::Stop;
        }
        Next::Batch(std::mem::take(&mut self.waiting))
    }

    /// Keeps a batch that could not be written for the next attempt. Clients wait for a while; after that they, and all who
    /// come, are refused at once, until the store can be written to again.
    fn keep_waiting(&mut self, submissions: Vec<Submission>, reason: &str) {
        if self.shared.health.note_unavailable() {
            tracing::warn!(reason, "the store cannot be written to; commands wait, and nothing is lost");
        }
        (self.waiting, self.is_deaf) = (submissions, true);
        let for_ms = self.shared.health.unavailable_ms().unwrap_or(0);
        if Duration::from_millis(for_ms) < UNAVAILABLE_PATIENCE {
            return;
        }
        while let Next::Batch(more) = self.shared.intake.next(self.shared.config.batch_commands, Some(Duration::ZERO)) {
            if more.is_empty() {
                break;
            }
            self.waiting.extend(more);
        }
        self.refuse(CommandError::Unavailable, Submission::is_external);
    }

    fn refuse(&mut self, error: CommandError, which: impl Fn(&Submission) -> bool) {
        let (refused, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().partition(which);
        self.waiting = kept;
        let shares: Vec<_> = refused.iter().filter_map(Submission::share).collect();
        self.shared.intake.release(&shares, &self.shared.stats);
        for submission in refused {
            submission.command.refuse(error.clone());
        }
    }

    /// How long the writer may sleep when no command comes.
    fn patience(&self) -> Option<Duration> {
        if self.shared.health.unavailable_ms().is_some() {
            // Whether it can be written to again is seen by trying.
            return Some(self.retry_after);
        }
        // A server that stops begins nothing new, and keeps what its workers have.
        let outlook = if self.shared.is_draining() { Outlook::default() } else { self.outlook };
        let renewal_ms = self.node.renewal_ms(self.in_pool());
        let timers = timers::patience(&outlook, renewal_ms, wall_now_ms(), self.shared.clocks.steady_ms());
        self.trimmer.interval().into_iter().chain([timers]).min()
    }

    fn commit(&mut self, submissions: Vec<Submission>, claims: bool) -> Result<(), String> {
        let shared = Arc::clone(&self.shared);
        let due = self.trimmer.due(Instant::now());
        let (steady_ms, in_pool) = (shared.clocks.steady_ms(), self.in_pool());
        // A server that stops begins nothing new.
        let is_draining = shared.is_draining();
        let outlook = Outlook { lifted_pauses: self.outlook.lifted_pauses && !is_draining, ..self.outlook };
        let looks = if is_draining { Looks::default() } else { timers::looks(&outlook, wall_now_ms(), steady_ms) };
        let mut batch = Batch {
            submissions,
            idle: std::mem::take(&mut self.idle),
            claims,
            rules: &shared.config.rules,
            ids: &mut self.ids,
            looks,
            steady_ms,
            set_forward_ms: shared.clocks.set_forward_ms(),
            parks: self.parks,
            outlook,
            depth: shared.config.depth(),
            node: &self.node,
            renews: self.node.must_renew(in_pool, steady_ms),
            recent: &mut self.recent,
            due: &due,
            decided: Decided::default(),
        };
        shared.health.begin_commit();
        let outcome = self.runtime.block_on(self.committer.commit(&mut *self.store, &mut batch));
        shared.health.end_commit();
        let Batch { submissions, idle, decided, .. } = batch;
        let committed = match outcome {
            CommitOutcome::Committed(committed) => committed,
            CommitOutcome::Unavailable { reason, retry_after } => {
                self.idle = idle;
                self.retry_after = retry_after;
                self.keep_waiting(submissions, &reason);
                return Ok(());
            }
            other => {
                submissions.into_iter().for_each(|submission| submission.command.refuse(CommandError::StoreFailed));
                return Err(failure_of(other));
            }
        };
        shared.note_health(&committed);
        self.trimmer.note(&due, &committed, Instant::now());
        self.recent.settle();
        self.note_outlook(committed.outlook);
        decided.node_lease_end_ms.into_iter().for_each(|end_ms| self.node.note(end_ms));
        // As long as claims come upon such orders; a pause that holds back few costs nothing.
        self.parks = decided.parked > 0;
        self.count(&committed, &submissions, &decided);
        // The mirror goes first: a client that hears of a change then also finds it there.
        shared.catalogue.update(decided.products);
        // Capacity first, so that a client that answers an ack with its next command finds some.
        let shares: Vec<_> = submissions.iter().filter_map(Submission::share).collect();
        shared.intake.release(&shares, &shared.stats);
        for submission in submissions {
            submission.command.acknowledge(&committed);
        }
        self.idle = decided.idle;
        shared.in_pool.store(self.in_pool(), Relaxed);
        shared.wake_waiting();
        if !decided.claimed.is_empty() {
            // The pool outlives the writer; if it is gone the server is too.
            let _ = self.claims.try_send(decided.claimed);
        }
        announce(&*self.broker, committed.logs, &decided.redactions, decided.events);
        Ok(())
    }

    fn count(&self, committed: &Committed, submissions: &[Submission], decided: &Decided) {
        let stats = &self.shared.stats;
        if !committed.logs.is_empty() {
            stats.commits.fetch_add(1, Relaxed);
            stats.sync_us.observe(committed.sync_us);
            stats.batch_size.observe(submissions.len() as u64);
        }
        stats.accepted.fetch_add(decided.accepted as u64, Relaxed);
        stats.published.fetch_add(decided.published, Relaxed);
        stats.trimmed.fetch_add(committed.trimmed.iter().map(|trimmed| trimmed.count).sum(), Relaxed);
        stats.shift_queue(decided.ready, decided.active, decided.limited);
        if committed.outlook.ready == 0 {
            // Whatever the counter says.
            stats.ready.store(0, Relaxed);
        }
        if !decided.revenue.is_empty() {
            stats.add_revenue(decided.revenue.clone());
        }
        for status in Status::ALL {
            stats.count_moves(status, decided.moves[status as usize]);
        }
        decided.lanes.iter().for_each(|&lane| stats.count_claim(lane));
        for order in &decided.finished {
            let ended = if order.status == Status::Completed { &stats.completed } else { &stats.failed };
            ended.fetch_add(1, Relaxed);
            let micros = |ms: i64| u64::try_from(ms).unwrap_or(0) * 1000;
            stats.work_us.fetch_add(micros(order.duration_ms.unwrap_or(0)), Relaxed);
            stats.observe_latency(micros(order.updated_at_ms - order.accepted_at_ms));
        }
        stats.replayed.fetch_add(decided.replayed, Relaxed);
        let refused = submissions.iter().filter(|submission| submission.command.is_refused()).count();
        stats.refused.fetch_add(refused as u64, Relaxed);
    }
}

fn failure_of(outcome: CommitOutcome) -> String {
    match outcome {
        CommitOutcome::Fatal(error) => error.to_string(),
        _ => "the outcome of a commit is unknown".to_owned(),
    }
}

fn announce(broker: &dyn Broker, logs: Vec<LogRange>, redactions: &[Redaction], events: Vec<(Log, AnnouncedEvent)>) {
    let mut announcements: Vec<Announcement> = logs
        .into_iter()
        .map(|range| {
            let events = Vec::with_capacity(usize::try_from(range.count).unwrap_or(0));
            let redacted = redactions.iter().filter(|redaction| redaction.log() == range.log);
            let redacted = redacted.map(|redaction| redaction.offset()).collect();
            Announcement { log: range.log, epoch: range.epoch, first: range.first, events, redacted }
        })
        .collect();
    for (log, event) in events {
        if let Some(announcement) = announcements.iter_mut().find(|announcement| announcement.log == log) {
            announcement.events.push(event);
        }
    }
    for announcement in announcements {
        broker.announce(Message::Commit(Arc::new(announcement)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use ordercast_broker::InProcessBroker;
    use ordercast_protocol::position::Epoch;
    use ordercast_protocol::topic::Topics;

    use super::*;

    /// What a commit removed of a log goes with what it added to it.
    #[test]
    fn redactions_are_announced_with_the_events_of_their_log() {
        let broker = InProcessBroker::new();
        let heard: Arc<Mutex<Vec<Arc<Announcement>>>> = Arc::default();
        let hears = Arc::clone(&heard);
        let listener = move |message: &Message| {
            if let Message::Commit(announcement) = message {
                hears.lock().unwrap().push(Arc::clone(announcement));
            }
        };
        broker.start(Box::new(listener)).unwrap();
        let range = |log| LogRange { log, epoch: Epoch("e".into()), first: 7, count: 1 };
        let event = |log| (log, AnnouncedEvent { body: "{}".into(), topics: Topics::default() });
        let logs = [Log::Orders, Log::Publications];
        let redactions: Vec<_> = [5, 2].into_iter().filter_map(|at| Redaction::new(Log::Publications, at)).collect();
        announce(&broker, logs.map(range).to_vec(), &redactions, logs.map(event).to_vec());
        let heard = heard.lock().unwrap();
        let told: Vec<_> = heard.iter().map(|announcement| (announcement.log, &announcement.redacted[..])).collect();
        assert_eq!(told, [(Log::Orders, &[][..]), (Log::Publications, &[5, 2])]);
    }
}
