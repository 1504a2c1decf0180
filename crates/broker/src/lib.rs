//! Carrying messages between the engine and the hubs of all nodes.
//!
//! A broker wakes the hubs after a commit and carries the bodies along; it also carries what is in no log: publications of
//! memory channels, signals for connections, presence, typing. It is never the truth: it may lose, repeat or reorder
//! messages, and hubs repair from the log. What it must not do is announce what is not durable (the engine calls it after
//! the commit is synced) or block the caller.
//!
//! The traits that a driver for a server beside the process implements are all here: [`Broker`], and for the state of
//! memory channels [`history::MemoryHistory`] and [`presence::PresenceStore`].

mod health;
mod in_process;
mod message;
mod sender;

pub mod conformance;
pub mod history;
pub mod presence;
pub mod signal;

pub use health::{Health, Reason};
pub use in_process::InProcessBroker;
pub use message::{AnnouncedEvent, Announcement, Ephemeral, Message, Publication, SentSignal};
pub use sender::Sender;

/// Called for every message, on a thread of the broker's choice, the announcing one included. It must return at once,
/// must not panic, and must not call the broker.
pub type Listener = Box<dyn Fn(&Message) + Send + Sync>;

/// Carries messages to every hub, this process's included.
pub trait Broker: Send + Sync + 'static {
    /// Starts to carry messages, and calls `listener` for every message from now on until [`Broker::stop`]. May be called
    /// several times: then each listener hears every message. A broker that cannot reach its server starts all the
    /// same, says so in [`Broker::health`], and says [`Message::Lost`] once it can.
    ///
    /// # Errors
    /// [`Reason::Stopped`] after [`Broker::stop`], and [`Reason::Refused`] when no attempt can succeed.
    fn start(&self, listener: Listener) -> Result<(), Reason>;

    /// Sends a message to every listener of every node, those of this process included. Never blocks; what cannot be
    /// delivered is lost.
    fn announce(&self, message: Message);

    /// Whether other hubs than the one that asks may hear what it announces. If not, a hub need not announce what it has
    /// delivered to its own subscribers. Cheap: asked for every publication.
    fn reaches_others(&self) -> bool;

    /// Whether messages are carried now. Never blocks.
    fn health(&self) -> Health;

    /// Stops: joins the broker's threads and tasks, and waits for listeners that are being called. No listener is called
    /// afterwards, what is announced is dropped, and a second call does nothing. Must not be called by a listener.
    fn stop(&self);
}
