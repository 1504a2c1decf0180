//! Who is in which channel, over all nodes.
//!
//! Each node keeps the members of every node, and is sent the changes of the others. What it misses is mended by time:
//! members are renewed with their whole appearance every [`RENEW_INTERVAL`], and one that is not renewed within
//! [`MEMBER_LEASE`] counts as gone, together with the node that had it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ordercast_protocol::channel::Channel;

use crate::sender::Sender;

/// How long a member of another node counts as present after it was last heard of.
pub const MEMBER_LEASE: Duration = Duration::from_secs(10);
/// How often a node renews its own members for the others. A lease survives two renewals that are lost.
pub const RENEW_INTERVAL: Duration = Duration::from_secs(3);

/// How a member of a channel appears to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Whose connection it is; connections of one name are one user.
    pub user: Arc<str>,
    /// What is shown of it: a JSON object.
    pub info: Bytes,
    /// Whether subscribers who asked for it are notified when the member joins and leaves.
    pub is_announced: bool,
}

/// What happened to a member of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// It has joined.
    Join(Presence),
    /// It is still there. A node that missed the join knows it from now on.
    Renew(Presence),
    /// It has left.
    Leave,
}

/// A change of the presence of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceChange {
    /// The hub that has the member's connection.
    pub from: Sender,
    /// The channel.
    pub channel: Channel,
    /// The name of the connection, unique over all nodes.
    pub client: Arc<str>,
    /// What happened.
    pub change: MemberChange,
}

/// How many are in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PresenceStats {
    /// Connections.
    pub clients: usize,
    /// Users; connections of one name are one.
    pub users: usize,
}

/// Where a member's connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// On this node: it stays until it leaves.
    Here,
    /// On another node: it stays until it leaves, or is not renewed before this time, in milliseconds of the hub's steady
    /// clock.
    Elsewhere {
        /// The end of the lease.
        until_ms: u64,
    },
}

/// A member, where one list names several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The channel.
    pub channel: Channel,
    /// The name of the connection.
    pub client: Arc<str>,
    /// How it appears.
    pub presence: Presence,
}

/// Keeps the members of all channels. Every call must return at once, because shards make them; time and memory are
/// linear in the members.
pub trait PresenceStore: Send + Sync + 'static {
    /// Adds a member, or replaces the one of the same connection; true when the connection was not in the channel.
    fn join(&self, channel: &Channel, client: &Arc<str>, presence: Presence, home: Home) -> bool;

    /// Removes a member; gives it, if it was there.
    fn leave(&self, channel: &str, client: &str) -> Option<Presence>;

    /// How many members a channel has.
    fn stats(&self, channel: &str) -> PresenceStats;

    /// At most `limit` members whose connections come after `after` in order, with what is shown of them.
    fn list(&self, channel: &str, limit: usize, after: Option<&str>) -> Vec<(Arc<str>, Bytes)>;

    /// The members that are connected to this node.
    fn own(&self) -> Vec<Member>;

    /// Removes the members whose lease has ended by `now_ms`, and gives them.
    fn expire(&self, now_ms: u64) -> Vec<Member>;
}
