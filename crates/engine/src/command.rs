//! Commands: what clients, workers and the engine itself ask the writer to do.
//!
//! To add one: write its file beside the others, with a type that implements [`Command`], and a method of
//! [`Engine`](crate::Engine) that submits it. Nothing else lists commands: the queue, the batch and the writer see each
//! as a [`Pending`] one, which holds the command, its outcome and the reply together, so that no answer can be forgotten
//! and no reply can get another command's answer.

use ordercast_access::Origin;
use ordercast_domain::decide::Refusal;
use ordercast_store::write::{Committed, Keys};

use crate::leases::Heartbeat;
use crate::pass::Pass;

mod acquire_consumer;
mod act;
mod adjust;
mod claim;
mod finish;
mod give_back;
mod move_consumer;
mod patch_product;
mod pause;
mod place;
mod publish;
mod put_products;
mod renew;
mod report;
mod resume;

pub(crate) use acquire_consumer::AcquireConsumer;
pub(crate) use act::Act;
pub use act::Changed;
pub(crate) use adjust::Adjust;
pub use adjust::Adjusted;
pub(crate) use claim::ClaimOrders;
pub use claim::{Claim, Claimed};
pub(crate) use finish::{Finish, WorkDone};
pub(crate) use give_back::GiveBack;
pub(crate) use move_consumer::MoveConsumer;
pub(crate) use patch_product::PatchProduct;
pub(crate) use pause::BeginPause;
pub(crate) use place::Place;
pub use place::Placed;
pub(crate) use publish::Publish;
pub(crate) use put_products::PutProducts;
pub(crate) use renew::Renew;
pub use renew::Renewed;
pub use report::Report;
pub(crate) use report::ReportWork;
pub(crate) use resume::Resume;

/// About what a row of a commit takes in memory and on disk, in bytes.
const ROW_BYTES: usize = 512;
/// About what a line of an order or adjustment takes, in bytes.
const LINE_BYTES: usize = 128;

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

/// Called once with the outcome, on the writer's thread: it must return at once.
pub type Reply<T> = Box<dyn FnOnce(Result<T, CommandError>) + Send>;

/// One kind of change.
pub(crate) trait Command: Send + 'static {
    /// What deciding gives. It becomes the answer once the commit is durable and its offsets are known.
    type Decided: Settle<Self::Answer> + std::fmt::Debug + Send;
    /// What its submitter gets.
    type Answer: Send + 'static;

    /// About how many bytes it takes in memory and in its commit.
    fn weight(&self) -> usize;

    /// Adds what the store has to load for it.
    fn keys(&self, keys: &mut Keys);

    /// What it may do to the queue, by which the batch knows how many ready orders to load.
    fn demand(&self) -> Demand {
        Demand::default()
    }

    /// The lease of an external worker that it keeps alive.
    fn heartbeat(&self) -> Option<Heartbeat<'_>> {
        None
    }

    /// Decides the command for its sender, over what was loaded. A refused command must leave the pass as it was. May be
    /// called again with a fresh pass when the store has to start over.
    fn decide(&self, origin: &Origin, pass: &mut Pass<'_>) -> Result<Self::Decided, Refusal>;
}

/// What a command may do to the queue of orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    /// Most orders that it claims.
    pub(crate) claims: usize,
    /// Orders in work that it ends, each of which makes room for another.
    pub(crate) ends: usize,
    /// It moves an order that is named by its id, in work or not, and may need the order's lines.
    pub(crate) acts: bool,
}

/// Turns what was decided into the answer.
pub(crate) trait Settle<Answer> {
    fn settle(self, committed: &Committed) -> Result<Answer, CommandError>;
}

/// Most answers do not depend on the offsets of the commit.
impl<Answer> Settle<Answer> for Answer {
    fn settle(self, _: &Committed) -> Result<Answer, CommandError> {
        Ok(self)
    }
}

/// A command of any kind on its way through the writer.
pub(crate) trait Pending: Send {
    fn keys(&self, keys: &mut Keys);
    fn demand(&self) -> Demand;
    fn heartbeat(&self) -> Option<Heartbeat<'_>>;

    /// Decides the command and keeps the outcome; the outcome of an earlier attempt is replaced.
    fn decide(&mut self, origin: &Origin, pass: &mut Pass<'_>);

    /// Whether a rule refused it.
    fn is_refused(&self) -> bool;

    /// Answers with the outcome, after the commit.
    fn acknowledge(self: Box<Self>, committed: &Committed);

    /// Answers that it was not carried out.
    fn refuse(self: Box<Self>, error: CommandError);

    /// The outcome, for comparison.
    #[cfg(test)]
    fn outcome(&self) -> &dyn std::fmt::Debug;
}

struct Submitted<C: Command> {
    command: C,
    outcome: Option<Result<C::Decided, Refusal>>,
    reply: Reply<C::Answer>,
}

/// Joins a command and the reply to it.
pub(crate) fn pending<C: Command>(command: C, reply: Reply<C::Answer>) -> Box<dyn Pending> {
    Box::new(Submitted { command, outcome: None, reply })
}

/// A command of the engine itself, which expects no answer.
pub(crate) fn unanswered<C: Command>(command: C) -> Box<dyn Pending> {
    pending(command, Box::new(|_| ()))
}

impl<C: Command> Pending for Submitted<C> {
    fn keys(&self, keys: &mut Keys) {
        self.command.keys(keys);
    }

    fn demand(&self) -> Demand {
        self.command.demand()
    }

    fn heartbeat(&self) -> Option<Heartbeat<'_>> {
        self.command.heartbeat()
    }

    fn decide(&mut self, origin: &Origin, pass: &mut Pass<'_>) {
        self.outcome = Some(self.command.decide(origin, pass));
    }

    fn is_refused(&self) -> bool {
        matches!(self.outcome, Some(Err(_)))
    }

    fn acknowledge(self: Box<Self>, committed: &Committed) {
        let answer = match self.outcome {
            Some(Ok(decided)) => decided.settle(committed),
            Some(Err(refusal)) => Err(CommandError::Refused(refusal)),
            // A store that commits without asking for decisions has broken its contract.
            None => Err(CommandError::StoreFailed),
        };
        (self.reply)(answer);
    }

    fn refuse(self: Box<Self>, error: CommandError) {
        (self.reply)(Err(error));
    }

    #[cfg(test)]
    fn outcome(&self) -> &dyn std::fmt::Debug {
        &self.outcome
    }
}
