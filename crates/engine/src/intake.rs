//! The bounded queue in front of the writer.
//!
//! The bound counts commands that are not yet acknowledged, those in the batch under way included: a client
//! that is answered makes room. Beyond it commands are refused at once, and nothing grows.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ordercast_domain::adjustment::Adjustment;
use ordercast_domain::decide::{Refusal, Request, WorkResult};
use ordercast_domain::draft::Draft;
use ordercast_domain::order::{Details, Order, OrderSeq};
use ordercast_domain::pause::{Pause, Scope};
use ordercast_domain::product::{Product, ProductPatch};
use ordercast_protocol::position::Position;
use ordercast_protocol::principal::Principal;

use crate::stats::Stats;

/// Most bytes of commands that are not yet acknowledged, by [`Command::weight`].
const MAX_INTAKE_BYTES: usize = 128 * 1024 * 1024;
/// Most bytes of one batch, likewise; more would make one commit long.
const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Who shares a bound: the client's address.
pub type ClientKey = IpAddr;

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// A rule refused it.
    Refused(Refusal),
    /// This client has too many commands waiting; others may still be served.
    ClientFull,
    /// The server has too many commands waiting.
    Full,
    /// The store could not be written to for a while; nothing was stored.
    Unavailable,
    /// The server is stopping.
    Stopping,
    /// The store failed; the command may or may not be durable, and was not acknowledged.
    StoreFailed,
}

/// An accepted or found order.
#[derive(Clone, Debug)]
pub enum Placed {
    /// It is new.
    Accepted {
        /// Its changing part, as accepted.
        order: Arc<Order>,
        /// Its lasting part.
        details: Arc<Details>,
    },
    /// It was accepted before, under this id.
    Replayed {
        /// The order's id.
        order_id: Arc<str>,
    },
}

/// A stored adjustment.
#[derive(Clone, Debug)]
pub struct Adjusted {
    /// As it is stored.
    pub adjustment: Adjustment,
    /// False when the same one was stored before.
    pub is_new: bool,
}

/// An order that something was done to.
#[derive(Clone, Debug)]
pub struct Changed {
    /// As it is now.
    pub order: Box<Order>,
    /// Whether the same was asked for and done before.
    pub replayed: bool,
}

/// An external worker that asks for orders.
#[derive(Clone, Debug)]
pub struct Claim {
    /// What it calls itself.
    pub worker: Arc<str>,
    /// The lease it has, if it has one.
    pub lease: Option<Arc<str>>,
    /// Most orders it can take.
    pub most: usize,
    /// How long the lease lasts from now on, in milliseconds.
    pub ttl_ms: i64,
}

/// A sign of life of an external worker.
#[derive(Clone, Debug)]
pub(crate) struct Beat {
    pub(crate) lease: Arc<str>,
    /// How long the lease lasts from this on, in milliseconds.
    pub(crate) ttl_ms: i64,
    /// When it arrived, by steady time: how long it then waits for its commit does not count.
    pub(crate) arrived_ms: i64,
}

/// What an external worker got.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Its lease: it must be renewed before it ends.
    pub lease: Arc<str>,
    /// About when it ends, in milliseconds since 1970.
    pub expires_at_ms: i64,
    /// The orders, with their tokens.
    pub orders: Vec<Order>,
    /// How many were passed over because a pause or a limit holds them back; none of them is looked at again.
    pub parked: usize,
}

/// A renewed lease.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// About when it ends, in milliseconds since 1970.
    pub expires_at_ms: i64,
    /// The orders it holds; any other is the worker's no longer.
    pub orders: Vec<Order>,
}

/// How the work of an external worker on an order ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// The order's id.
    pub order_id: Arc<str>,
    /// The lease it was claimed under.
    pub lease: Arc<str>,
    /// The token it was claimed with.
    pub token: u32,
    /// `None` gives it back unworked.
    pub result: Option<WorkResult>,
}

/// Called once with the outcome, on the writer's thread: it must return at once.
pub type Reply<T> = Box<dyn FnOnce(Result<T, CommandError>) + Send>;

/// Something to be appended to a durable application channel.
pub(crate) struct Publication {
    pub(crate) channel: Arc<str>,
    /// As it will be stored and told.
    pub(crate) body: Bytes,
    pub(crate) principal: Principal,
}

pub(crate) struct WorkDone {
    pub(crate) seq: OrderSeq,
    pub(crate) token: u32,
    pub(crate) worker: Arc<str>,
    /// `None` gives the order back unworked.
    pub(crate) result: Option<WorkResult>,
}

pub(crate) enum Command {
    Place {
        draft: Box<Draft>,
        principal: Principal,
        reply: Reply<Placed>,
    },
    PutProducts {
        products: Vec<Product>,
        reply: Reply<usize>,
    },
    Adjust {
        adjustment: Box<Adjustment>,
        reply: Reply<Adjusted>,
    },
    Publish {
        publication: Publication,
        reply: Reply<Position>,
    },
    Act {
        request: Box<Request>,
        reply: Reply<Changed>,
    },
    PatchProduct {
        sku: Arc<str>,
        patch: ProductPatch,
        reply: Reply<Box<Product>>,
    },
    /// `arrived_ms` is when it came, by steady time.
    Claim {
        claim: Claim,
        arrived_ms: i64,
        reply: Reply<Claimed>,
    },
    Renew {
        beat: Beat,
        reply: Reply<Renewed>,
    },
    Report {
        report: Box<Report>,
        reply: Reply<Changed>,
    },
    Pause {
        pause: Box<Pause>,
        reply: Reply<bool>,
    },
    Resume {
        scope: Scope,
        reply: Reply<bool>,
    },
    Finish(Vec<WorkDone>),
    Recover,
}

impl Command {
    pub(crate) fn refuse(self, error: CommandError) {
        match self {
            Self::Place { reply, .. } => reply(Err(error)),
            Self::PutProducts { reply, .. } => reply(Err(error)),
            Self::Adjust { reply, .. } => reply(Err(error)),
            Self::Publish { reply, .. } => reply(Err(error)),
            Self::Act { reply, .. } | Self::Report { reply, .. } => reply(Err(error)),
            Self::PatchProduct { reply, .. } => reply(Err(error)),
            Self::Claim { reply, .. } => reply(Err(error)),
            Self::Renew { reply, .. } => reply(Err(error)),
            Self::Pause { reply, .. } | Self::Resume { reply, .. } => reply(Err(error)),
            Self::Finish(_) | Self::Recover => {}
        }
    }
}

impl Command {
    /// About how many bytes the command takes in memory and in its commit.
    fn weight(&self) -> usize {
        const ROW: usize = 512;
        const LINE: usize = 128;
        match self {
            Self::Place { draft, .. } => ROW + draft.details.lines.len() * LINE,
            Self::PutProducts { products, .. } => products.len() * ROW,
            Self::Adjust { adjustment, .. } => ROW + adjustment.lines.len() * LINE,
            Self::Publish { publication, .. } => ROW + publication.body.len(),
            Self::Act { .. } | Self::PatchProduct { .. } | Self::Renew { .. } | Self::Report { .. } => ROW,
            Self::Pause { .. } | Self::Resume { .. } => ROW,
            Self::Claim { claim, .. } => ROW + claim.most * ROW,
            Self::Finish(done) => done.len() * ROW,
            Self::Recover => 0,
        }
    }
}

pub(crate) struct Submission {
    pub(crate) command: Command,
    client: Option<ClientKey>,
    weight: usize,
}

#[derive(Default)]
struct Queue {
    submissions: VecDeque<Submission>,
    by_client: HashMap<ClientKey, usize>,
    external: usize,
    bytes: usize,
    closed: Option<CommandError>,
    stopped: bool,
}

/// What the writer is to do next.
pub(crate) enum Next {
    Batch(Vec<Submission>),
    Stop,
}

pub(crate) struct Intake {
    queue: Mutex<Queue>,
    arrived: Condvar,
    capacity: usize,
    client_capacity: usize,
}

impl Intake {
    pub(crate) fn new(capacity: usize, client_capacity: usize) -> Self {
        Self { queue: Mutex::default(), arrived: Condvar::new(), capacity, client_capacity }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a client's command, or refuses it at once through its reply.
    pub(crate) fn submit(&self, client: ClientKey, command: Command, stats: &Stats) {
        let weight = command.weight();
        let mut queue = self.queue();
        let refusal = if let Some(error) = &queue.closed {
            Some(error.clone())
        } else if queue.external >= self.capacity || (queue.external > 0 && queue.bytes + weight > MAX_INTAKE_BYTES) {
            Some(CommandError::Full)
        } else if queue.by_client.get(&client).is_some_and(|&waiting| waiting >= self.client_capacity) {
            Some(CommandError::ClientFull)
        } else {
            None
        };
        if let Some(error) = refusal {
            drop(queue);
            stats.overloaded.fetch_add(1, Relaxed);
            command.refuse(error);
            return;
        }
        queue.external += 1;
        queue.bytes += weight;
        stats.waiting.store(queue.external as u64, Relaxed);
        *queue.by_client.entry(client).or_default() += 1;
        self.push(queue, Submission { command, client: Some(client), weight });
    }

    /// Queues a command of the engine itself; those are bounded by the workers' slots.
    pub(crate) fn submit_internal(&self, command: Command) {
        let queue = self.queue();
        self.push(queue, Submission::internal(command));
    }

    fn push(&self, mut queue: MutexGuard<'_, Queue>, submission: Submission) {
        queue.submissions.push_back(submission);
        let was_empty = queue.submissions.len() == 1;
        drop(queue);
        // The writer sleeps only on an empty queue.
        if was_empty {
            self.arrived.notify_one();
        }
    }

    /// Waits for commands and takes what is there, `most` at the most. When none come for `patience` it returns an
    /// empty batch.
    pub(crate) fn next(&self, most: usize, patience: Option<Duration>) -> Next {
        let mut queue = self.queue();
        while queue.submissions.is_empty() && patience != Some(Duration::ZERO) {
            if queue.stopped {
                return Next::Stop;
            }
            let Some(patience) = patience else {
                queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (waited, timeout) = self.arrived.wait_timeout(queue, patience).unwrap_or_else(PoisonError::into_inner);
            queue = waited;
            if timeout.timed_out() {
                break;
            }
        }
        let mut bytes = 0;
        let fits = |submission: &&Submission| {
            bytes += submission.weight;
            bytes <= MAX_BATCH_BYTES
        };
        // One command goes whatever its size.
        let count = queue.submissions.iter().take(most).take_while(fits).count().max(1).min(queue.submissions.len());
        Next::Batch(queue.submissions.drain(..count).collect())
    }

    /// Whether the writer is to end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.queue().stopped
    }

    /// Makes room for the commands of a batch that was answered.
    pub(crate) fn release(&self, clients: &[(ClientKey, usize)], stats: &Stats) {
        let mut queue = self.queue();
        for (client, weight) in clients {
            queue.external -= 1;
            queue.bytes -= weight;
            if let Some(waiting) = queue.by_client.get_mut(client) {
                *waiting -= 1;
                if *waiting == 0 {
                    queue.by_client.remove(client);
                }
            }
        }
        stats.waiting.store(queue.external as u64, Relaxed);
    }

    /// Refuses clients' commands from now on; what is queued is still carried out.
    pub(crate) fn close(&self, error: CommandError) {
        self.queue().closed.get_or_insert(error);
    }

    /// Ends the writer once the queue is empty.
    pub(crate) fn stop(&self) {
        self.queue().stopped = true;
        self.arrived.notify_one();
    }

    /// Refuses everything that is queued or comes, after the store failed.
    pub(crate) fn fail(&self) {
        let submissions = {
            let mut queue = self.queue();
            queue.closed = Some(CommandError::StoreFailed);
            std::mem::take(&mut queue.submissions)
        };
        for submission in submissions {
            submission.command.refuse(CommandError::StoreFailed);
        }
    }
}

impl Submission {
    /// A command of the engine itself.
    pub(crate) fn internal(command: Command) -> Self {
        Self { command, client: None, weight: 0 }
    }

    /// Whether it is a client's, and not one of the engine itself.
    pub(crate) fn is_external(&self) -> bool {
        self.client.is_some()
    }

    /// Whose room the command takes, and how much of it.
    pub(crate) fn room(&self) -> Option<(ClientKey, usize)> {
        Some((self.client?, self.weight))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::mpsc::{SyncSender, sync_channel};

    use super::*;

    fn client(last: u8) -> ClientKey {
        IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))
    }

    fn command(answers: &SyncSender<CommandError>) -> Command {
        let answers = answers.clone();
        let reply = Box::new(move |outcome: Result<usize, _>| answers.send(outcome.unwrap_err()).unwrap());
        Command::PutProducts { products: vec![], reply }
    }

    #[test]
    fn one_client_is_bounded_before_all_are() {
        let (intake, stats) = (Intake::new(3, 2), Stats::new());
        let (answers, answered) = sync_channel(16);
        for last in [1, 1, 1, 2, 3] {
            intake.submit(client(last), command(&answers), &stats);
        }
        assert_eq!(answered.try_recv(), Ok(CommandError::ClientFull), "the third of the first client");
        assert_eq!(answered.try_recv(), Ok(CommandError::Full), "the fourth of all");
        assert!(answered.try_recv().is_err());
        let Next::Batch(batch) = intake.next(10, None) else { panic!("three wait") };
        intake.submit(client(3), command(&answers), &stats);
        assert_eq!(answered.try_recv(), Ok(CommandError::Full), "a batch under way still counts");
        let clients: Vec<_> = batch.iter().filter_map(Submission::room).collect();
        intake.release(&clients, &stats);
        intake.submit(client(1), command(&answers), &stats);
        intake.close(CommandError::Stopping);
        intake.submit(client(1), command(&answers), &stats);
        assert_eq!(answered.try_recv(), Ok(CommandError::Stopping));
        intake.fail();
        assert_eq!(answered.try_recv(), Ok(CommandError::StoreFailed), "what was queued is told");
    }

    #[test]
    fn publications_are_bounded_by_their_bytes() {
        let (intake, stats) = (Intake::new(10, 10), Stats::new());
        let body = Bytes::from(vec![0; MAX_INTAKE_BYTES / 2]);
        let (answers, answered) = sync_channel(16);
        for _ in 0..3 {
            let answers = answers.clone();
            let publication =
                Publication { channel: "a".into(), body: body.clone(), principal: Principal::local_admin() };
            let reply = Box::new(move |outcome: Result<Position, _>| answers.send(outcome.unwrap_err()).unwrap());
            intake.submit(client(1), Command::Publish { publication, reply }, &stats);
        }
        assert_eq!(answered.try_recv(), Ok(CommandError::Full), "one half and a bit fits, two do not");
        let Next::Batch(batch) = intake.next(10, None) else { panic!("one waits") };
        assert_eq!(batch.len(), 1, "a large one goes alone");
    }
}
