//! The bounded queue in front of the writer.
//!
//! The bound counts commands that are not yet acknowledged, those in the batch under way included: a client
//! that is answered makes room. Beyond it commands are refused at once, and nothing grows.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ordercast_access::{Origin, Party};

use crate::command::{self, Command, CommandError, Pending, Reply};
use crate::stats::Stats;

/// Most bytes of commands that are not yet acknowledged, by their weight.
const MAX_INTAKE_BYTES: usize = 128 * 1024 * 1024;
/// Most bytes of one batch, counted the same way; more would make one commit long.
const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;

pub(crate) struct Submission {
    pub(crate) command: Box<dyn Pending>,
    /// The principal that asks, and its client.
    pub(crate) origin: Origin,
    /// Whose share of the bounds the command takes, and how much of it in bytes; `None` for a command that the engine
    /// itself queued, which takes no share.
    share: Option<(Party, usize)>,
}

#[derive(Default)]
struct Queue {
    submissions: VecDeque<Submission>,
    by_party: HashMap<Party, usize>,
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
    pub(crate) fn submit<C: Command>(&self, origin: Origin, command: C, reply: Reply<C::Answer>, stats: &Stats) {
        let (weight, party) = (command.weight(), origin.party());
        let mut queue = self.queue();
        let refusal = if let Some(error) = &queue.closed {
            Some(error.clone())
        } else if queue.external >= self.capacity || (queue.external > 0 && queue.bytes + weight > MAX_INTAKE_BYTES) {
            Some(CommandError::Full)
        } else if queue.by_party.get(&party).is_some_and(|&waiting| waiting >= self.client_capacity) {
            Some(CommandError::ClientFull)
        } else {
            None
        };
        if let Some(error) = refusal {
            drop(queue);
            stats.overloaded.fetch_add(1, Relaxed);
            reply(Err(error));
            return;
        }
        queue.external += 1;
        queue.bytes += weight;
        stats.waiting.store(queue.external as u64, Relaxed);
        *queue.by_party.entry(party.clone()).or_default() += 1;
        let share = Some((party, weight));
        self.push(queue, Submission { command: command::pending(command, reply), origin, share });
    }

    /// Queues a command of the engine itself; those are bounded by the workers' slots.
    pub(crate) fn submit_internal(&self, command: impl Command) {
        let queue = self.queue();
        self.push(queue, Submission::without_share(Origin::system(), command::unanswered(command)));
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
            bytes += submission.share.as_ref().map_or(0, |(_, weight)| *weight);
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
    pub(crate) fn release(&self, shares: &[(Party, usize)], stats: &Stats) {
        let mut queue = self.queue();
        for (party, weight) in shares {
            queue.external -= 1;
            queue.bytes -= weight;
            if let Some(waiting) = queue.by_party.get_mut(party) {
                *waiting -= 1;
                if *waiting == 0 {
                    queue.by_party.remove(party);
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
    /// A command that takes no share of the bounds: what queues it is bounded otherwise.
    pub(crate) fn without_share(origin: Origin, command: Box<dyn Pending>) -> Self {
        Self { command, origin, share: None }
    }

    /// Whether a method of the engine queued it, and not the engine itself.
    pub(crate) fn is_external(&self) -> bool {
        self.share.is_some()
    }

    /// Whose share of the bounds the command takes, and how much of it in bytes.
    pub(crate) fn share(&self) -> Option<(Party, usize)> {
        self.share.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::mpsc::{SyncSender, sync_channel};

    use bytes::Bytes;
    use ordercast_access::Principal;
    use ordercast_protocol::position::Position;

    use super::*;
    use crate::command::{Publish, PutProducts};

    fn client(last: u8) -> Origin {
        Origin::new(Principal::local(), IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)))
    }

    fn reply(answers: &SyncSender<CommandError>) -> Reply<usize> {
        let answers = answers.clone();
        Box::new(move |outcome| answers.send(outcome.unwrap_err()).unwrap())
    }

    fn command() -> PutProducts {
        PutProducts { products: vec![] }
    }

    #[test]
    fn one_client_is_bounded_before_all_are() {
        let (intake, stats) = (Intake::new(3, 2), Stats::new());
        let (answers, answered) = sync_channel(16);
        for last in [1, 1, 1, 2, 3] {
            intake.submit(client(last), command(), reply(&answers), &stats);
        }
        assert_eq!(answered.try_recv(), Ok(CommandError::ClientFull), "the third of the first client");
        assert_eq!(answered.try_recv(), Ok(CommandError::Full), "the fourth of all");
        assert!(answered.try_recv().is_err());
        let Next::Batch(batch) = intake.next(10, None) else { panic!("three wait") };
        intake.submit(client(3), command(), reply(&answers), &stats);
        assert_eq!(answered.try_recv(), Ok(CommandError::Full), "a batch under way still counts");
        let clients: Vec<_> = batch.iter().filter_map(Submission::share).collect();
        intake.release(&clients, &stats);
        intake.submit(client(1), command(), reply(&answers), &stats);
        intake.close(CommandError::Stopping);
        intake.submit(client(1), command(), reply(&answers), &stats);
        assert_eq!(answered.try_recv(), Ok(CommandError::Stopping));
        intake.fail();
        assert_eq!(answered.try_recv(), Ok(CommandError::StoreFailed), "what was queued is told");
    }

    #[test]
    fn one_principal_is_bounded_wherever_it_comes_from() {
        let (intake, stats) = (Intake::new(9, 2), Stats::new());
        let (answers, answered) = sync_channel(16);
        let customer = |id: &str, last| Origin { principal: Principal::customer(id.into()), ..client(last) };
        for (id, last) in [("c_1", 1), ("c_1", 2), ("c_2", 2), ("c_1", 3)] {
            intake.submit(customer(id, last), command(), reply(&answers), &stats);
        }
        assert_eq!(answered.try_recv(), Ok(CommandError::ClientFull), "the third of the first customer");
        assert!(answered.try_recv().is_err());
    }

    #[test]
    fn every_command_that_took_a_share_gives_it_back() {
        let stats = Stats::new();
        for principal in
            [Principal::local(), Principal::system(), Principal::anonymous(), Principal::worker("w".into())]
        {
            let intake = Intake::new(1, 1);
            let (answers, answered) = sync_channel(16);
            for _ in 0..2 {
                let origin = Origin { principal: principal.clone(), ..client(1) };
                intake.submit(origin, command(), reply(&answers), &stats);
                let Next::Batch(batch) = intake.next(10, Some(Duration::ZERO)) else { panic!("one waits") };
                assert_eq!(batch.len(), 1, "{principal} found room");
                let shares: Vec<_> = batch.iter().filter_map(Submission::share).collect();
                intake.release(&shares, &stats);
            }
            assert!(answered.try_recv().is_err(), "{principal} was refused");
        }
    }

    #[test]
    fn publications_are_bounded_by_their_bytes() {
        let (intake, stats) = (Intake::new(10, 10), Stats::new());
        let body = Bytes::from(vec![0; MAX_INTAKE_BYTES / 2]);
        let (answers, answered) = sync_channel(16);
        for _ in 0..3 {
            let answers = answers.clone();
            let publication = Publish { channel: "a".into(), body: body.clone() };
            let reply = Box::new(move |outcome: Result<Position, _>| answers.send(outcome.unwrap_err()).unwrap());
            intake.submit(client(1), publication, reply, &stats);
        }
        assert_eq!(answered.try_recv(), Ok(CommandError::Full), "one half and a bit fits, two do not");
        let Next::Batch(batch) = intake.next(10, None) else { panic!("one waits") };
        assert_eq!(batch.len(), 1, "a large one goes alone");
    }
}
