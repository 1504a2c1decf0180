//! What other programs have the server do to connections. A signal reaches every node, because nobody knows on which one a
//! user's connections are.

use std::sync::Arc;

use bytes::Bytes;
use ordercast_protocol::centrifuge::code::Unsubscribe;
use ordercast_protocol::position::Position;

/// The connections that a signal is for: those of one user, or fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The id of the user; empty for users without one.
    pub user: Arc<str>,
    /// Only the connection of this name.
    pub client: Option<Arc<str>>,
    /// Only the connection with this session.
    pub session: Option<Arc<str>>,
}

/// How a client is subscribed to a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// What others in the channel see of the user.
    pub info: Bytes,
    /// What the client receives with the subscription.
    pub data: Bytes,
    /// The channel's settings that this subscription overrides.
    pub overrides: Overrides,
}

/// Settings of a channel that may be overridden for one subscription; `None` leaves the channel's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Whether the subscription appears in the presence.
    pub presence: Option<bool>,
    /// Whether others are notified when it joins and leaves.
    pub join_leave: Option<bool>,
    /// Whether it is notified when others join and leave, without asking.
    pub force_push_join_leave: Option<bool>,
    /// Whether it can be resumed without asking.
    pub force_recovery: Option<bool>,
    /// Whether it is positioned without asking.
    pub force_positioning: Option<bool>,
}

/// What is to happen to connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The server subscribes the client.
    Subscribe {
        /// The name of the channel.
        channel: Arc<str>,
        /// How.
        terms: Box<Terms>,
        /// Where the subscription begins; an empty epoch stands for the present one. From now on when missing.
        since: Option<Position>,
    },
    /// A subscription ends.
    Unsubscribe {
        /// The name of the channel.
        channel: Arc<str>,
        /// The reason that the client receives.
        why: Unsubscribe,
    },
    /// The connection is closed.
    Disconnect {
        /// The code of the close frame.
        code: u16,
        /// The reason beside it.
        reason: Arc<str>,
        /// The names of connections that stay.
        kept: Vec<Arc<str>>,
    },
    /// The connection ends at another time.
    Refresh {
        /// In seconds since 1970; never when missing.
        expires_at: Option<i64>,
    },
}
