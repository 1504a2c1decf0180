//! One subscription of a client.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use ordercast_protocol::channel::Channel;

use crate::access::tokens::ChannelOptions;
use crate::channels::Namespace;

/// Up to this number of subscriptions the list grows by one at a time.
const FEW: usize = 4;

/// The command that waits for the beginning of a subscription.
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
    /// The command that waits for its beginning; none once it has begun.
    pub(super) awaited: Option<Awaited>,
    /// What is not yet known to be allowed.
    pub(super) held: Option<Box<Wish>>,
    /// Whether the server made it.
    pub(super) by_server: bool,
    pub(super) recoverable: bool,
    pub(super) positioned: bool,
    pub(super) was_recovering: bool,
    pub(super) delta: bool,
    terms: Option<Box<Terms>>,
}

/// What a token says of a subscription. Most subscriptions need none.
#[derive(Clone, Debug, Default)]
struct Terms {
    info: Bytes,
    data: Bytes,
    end: Option<(i64, Instant)>,
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
            terms: Self::terms(wish),
        }
    }

    fn terms(wish: &Wish) -> Option<Box<Terms>> {
        let (info, data) = (wish.options.public_info(), wish.options.public_data());
        let is_needed = !info.is_empty() || !data.is_empty();
        is_needed.then(|| Box::new(Terms { info: info.clone(), data: data.clone(), end: None }))
    }

    /// What others in the channel see of the client.
    pub(super) fn info(&self) -> Bytes {
        self.terms.as_ref().map(|terms| terms.info.clone()).unwrap_or_default()
    }

    /// The data that the client gets with it.
    pub(super) fn data(&self) -> Bytes {
        self.terms.as_ref().map(|terms| terms.data.clone()).unwrap_or_default()
    }

    /// When its token ends, in seconds since 1970.
    pub(super) fn ends_at(&self) -> Option<i64> {
        self.terms.as_ref()?.end.map(|(ends_at, _)| ends_at)
    }

    /// When the connection is given up because of it.
    pub(super) fn expires(&self) -> Option<Instant> {
        self.terms.as_ref()?.end.map(|(_, expires)| expires)
    }

    /// Sets the two.
    pub(super) fn set_end(&mut self, end: Option<(i64, Instant)>) {
        if end.is_some() || self.terms.is_some() {
            self.terms.get_or_insert_default().end = end;
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.awaited.is_none()
    }
}

/// A client's subscriptions, by name. Most clients have one or two, so they are a sorted list without room to spare.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(Vec<(Arc<str>, Subscription)>);

impl Subscriptions {
    fn place(&self, channel: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(name, _)| (**name).cmp(channel))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains(&self, channel: &str) -> bool {
        self.place(channel).is_ok()
    }

    pub(super) fn get(&self, channel: &str) -> Option<&Subscription> {
        self.place(channel).ok().map(|place| &self.0[place].1)
    }

    pub(super) fn get_mut(&mut self, channel: &str) -> Option<&mut Subscription> {
        self.place(channel).ok().map(|place| &mut self.0[place].1)
    }

    pub(super) fn insert(&mut self, channel: Arc<str>, subscription: Subscription) {
        match self.place(&channel) {
            Ok(place) => self.0[place].1 = subscription,
            Err(place) => {
                if self.0.len() < FEW {
                    self.0.reserve_exact(1);
                }
                self.0.insert(place, (channel, subscription));
            }
        }
    }

    pub(super) fn remove(&mut self, channel: &str) -> Option<Subscription> {
        self.place(channel).ok().map(|place| self.0.remove(place).1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Subscription> {
        self.0.iter().map(|(_, subscription)| subscription)
    }
}
