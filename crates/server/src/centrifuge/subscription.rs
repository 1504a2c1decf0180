//! One subscription of a client.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use ordercast_protocol::channel::Channel;

use crate::channels::Namespace;
use crate::tokens::ChannelOptions;

/// Who waits to hear that a subscription has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// The command with this id; `or_error` when it wants an error in place of a hole.
    Reply { id: u32, or_error: bool },
    /// The connect command.
    Connect,
    /// The client is pushed that the server has subscribed it.
    Push,
}

/// What a client asked for, or the server for it.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) channel: Channel,
    pub(super) namespace: Option<Arc<Namespace>>,
    pub(super) options: ChannelOptions,
    pub(super) awaited: Awaited,
    /// The position to resume from: epoch, which may be empty, and offset.
    pub(super) since: Option<(String, u64)>,
    pub(super) recoverable: bool,
    pub(super) positioned: bool,
    pub(super) join_leave: bool,
    pub(super) delta: bool,
    /// When its token ends, in seconds since 1970.
    pub(super) ends_at: Option<i64>,
}

/// A subscription, from the asking on.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    /// Who waits for its beginning; nobody once it has begun.
    pub(super) awaited: Option<Awaited>,
    /// What is not yet known to be allowed.
    pub(super) held: Option<Box<Wish>>,
    /// Whether the server made it.
    pub(super) by_server: bool,
    pub(super) recoverable: bool,
    pub(super) positioned: bool,
    pub(super) was_recovering: bool,
    pub(super) delta: bool,
    /// What others in the channel see of the client.
    pub(super) info: Bytes,
    /// What the client is told with it.
    pub(super) data: Bytes,
    /// When its token ends, in seconds since 1970.
    pub(super) ends_at: Option<i64>,
    /// When the connection is given up because of it.
    pub(super) expires: Option<Instant>,
}

impl Subscription {
    /// One that waits for leave.
    pub(super) fn held(wish: Wish) -> Self {
        let awaited = wish.awaited;
        let mut held = Self::new(&wish);
        (held.awaited, held.held) = (Some(awaited), Some(Box::new(wish)));
        held
    }

    pub(super) fn new(wish: &Wish) -> Self {
        Self {
            awaited: Some(wish.awaited),
            held: None,
            by_server: !matches!(wish.awaited, Awaited::Reply { .. }),
            recoverable: false,
            positioned: false,
            was_recovering: false,
            delta: false,
            info: wish.options.public_info().clone(),
            data: wish.options.public_data().clone(),
            ends_at: wish.ends_at,
            expires: None,
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.awaited.is_none()
    }
}
