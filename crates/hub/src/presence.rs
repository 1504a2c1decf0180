//! Presence: the members of each channel by connection, and the joins and leaves since the last delivery of them.
//!
//! Memory and time are linear in the members. Joins and leaves for a client are gathered for
//! [`ANNOUNCE_INTERVAL`], so that a thousand who come at once are a few frames and not a thousand.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use ordercast_broker::presence::{
    Home, MEMBER_LEASE, MemberChange, Presence, PresenceChange, PresenceStats, PresenceStore,
};
use ordercast_broker::{Broker, Message, Sender, presence};
use ordercast_protocol::channel::Channel;

use crate::steady;

/// How long joins and leaves are gathered before they are delivered.
pub(crate) const ANNOUNCE_INTERVAL: Duration = Duration::from_millis(250);
/// Maximum number of joins and leaves of one channel that are delivered at once; the others are only counted.
const MAX_ANNOUNCED: usize = 256;

/// Somebody came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) is_join: bool,
    pub(crate) info: Bytes,
}

/// Joins and leaves of one channel that are delivered at once.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) channel: Channel,
    pub(crate) changes: Vec<Change>,
}

struct Member {
    presence: Presence,
    home: Home,
}

/// The members of one channel.
struct Members {
    channel: Channel,
    clients: BTreeMap<Arc<str>, Member>,
    /// How many connections each user has.
    users: HashMap<Arc<str>, usize>,
}

impl Members {
    fn of(&self, is_wanted: impl Fn(Home) -> bool) -> Vec<presence::Member> {
        let wanted = self.clients.iter().filter(|(_, member)| is_wanted(member.home));
        let member = |(client, member): (&Arc<str>, &Member)| presence::Member {
            channel: self.channel.clone(),
            client: Arc::clone(client),
            presence: member.presence.clone(),
        };
        wanted.map(member).collect()
    }

    fn insert(&mut self, client: &Arc<str>, member: Member) -> Option<Member> {
        *self.users.entry(Arc::clone(&member.presence.user)).or_default() += 1;
        let before = self.clients.insert(Arc::clone(client), member);
        if let Some(before) = &before {
            self.release(&before.presence.user);
        }
        before
    }

    fn remove(&mut self, client: &str) -> Option<Member> {
        let member = self.clients.remove(client)?;
        self.release(&member.presence.user);
        Some(member)
    }

    fn release(&mut self, user: &str) {
        if let Some(count) = self.users.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                self.users.remove(user);
            }
        }
    }
}

/// The presence of all channels in the memory of this process.
#[derive(Default)]
pub struct InProcessPresence(Mutex<HashMap<Arc<str>, Members>>);

impl InProcessPresence {
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Members>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PresenceStore for InProcessPresence {
    fn join(&self, channel: &Channel, client: &Arc<str>, presence: Presence, home: Home) -> bool {
        let mut channels = self.lock();
        let new = || Members { channel: channel.clone(), clients: BTreeMap::new(), users: HashMap::new() };
        let members = channels.entry(Arc::clone(&channel.name)).or_insert_with(new);
        members.insert(client, Member { presence, home }).is_none()
    }

    fn leave(&self, channel: &str, client: &str) -> Option<Presence> {
        let mut channels = self.lock();
        let members = channels.get_mut(channel)?;
        let member = members.remove(client);
        if members.clients.is_empty() {
            channels.remove(channel);
        }
        member.map(|member| member.presence)
    }

    fn stats(&self, channel: &str) -> PresenceStats {
        let channels = self.lock();
        let count = |members: &Members| PresenceStats { clients: members.clients.len(), users: members.users.len() };
        channels.get(channel).map(count).unwrap_or_default()
    }

    fn list(&self, channel: &str, limit: usize, after: Option<&str>) -> Vec<(Arc<str>, Bytes)> {
        let channels = self.lock();
        let Some(members) = channels.get(channel) else {
            return Vec::new();
        };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = members.clients.range::<str, _>((from, Bound::Unbounded));
        range.take(limit).map(|(client, member)| (Arc::clone(client), member.presence.info.clone())).collect()
    }

    fn own(&self) -> Vec<presence::Member> {
        self.lock().values().flat_map(|members| members.of(|home| home == Home::Here)).collect()
    }

    fn expire(&self, now_ms: u64) -> Vec<presence::Member> {
        let mut channels = self.lock();
        let is_over = |home| matches!(home, Home::Elsewhere { until_ms } if until_ms <= now_ms);
        let mut gone = Vec::new();
        channels.retain(|_, members| {
            for member in members.of(is_over) {
                members.remove(&member.client);
                gone.push(member);
            }
            !members.clients.is_empty()
        });
        gone
    }
}

/// The presence of all channels, what is to be told of it, and its changes on their way to other nodes.
pub(crate) struct PresenceTable {
    store: Arc<dyn PresenceStore>,
    /// Not held, because the broker holds the listener that has this table.
    broker: Weak<dyn Broker>,
    sender: Sender,
    /// Whether other nodes have ever had members, whose leases may end.
    has_others: AtomicBool,
    changed: Mutex<HashMap<Arc<str>, Changes>>,
}

/// A connection's membership of a channel; the member leaves when the guard is dropped, whatever ends its subscription.
#[must_use = "the member leaves when its guard is dropped"]
pub(crate) struct MemberGuard {
    table: Arc<PresenceTable>,
    channel: Channel,
    client: Arc<str>,
}

impl fmt::Debug for MemberGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberGuard").field("channel", &self.channel.name).field("client", &self.client).finish()
    }
}

impl Drop for MemberGuard {
    fn drop(&mut self) {
        self.table.leave(&self.channel, &self.client);
    }
}

impl PresenceTable {
    pub(crate) fn new(store: Arc<dyn PresenceStore>, broker: &Arc<dyn Broker>, sender: Sender) -> Self {
        Self {
            store,
            broker: Arc::downgrade(broker),
            sender,
            has_others: AtomicBool::new(false),
            changed: Mutex::default(),
        }
    }

    /// A connection of this node is in the channel for as long as the guard lives.
    pub(crate) fn join(self: &Arc<Self>, channel: &Channel, client: &Arc<str>, presence: Presence) -> MemberGuard {
        self.announce(channel, client, || MemberChange::Join(presence.clone()));
        self.add(channel, client, presence, Home::Here);
        MemberGuard { table: Arc::clone(self), channel: channel.clone(), client: Arc::clone(client) }
    }

    fn leave(&self, channel: &Channel, client: &Arc<str>) {
        self.announce(channel, client, || MemberChange::Leave);
        if let Some(presence) = self.store.leave(&channel.name, client) {
            self.note(channel, false, presence);
        }
    }

    /// A change on another node.
    pub(crate) fn on_change(&self, change: &PresenceChange) {
        let PresenceChange { from, channel, client, change } = change;
        if *from == self.sender {
            return;
        }
        match change {
            MemberChange::Join(presence) | MemberChange::Renew(presence) => {
                self.has_others.store(true, Ordering::Relaxed);
                let until_ms = steady::now_ms() + MEMBER_LEASE.as_millis() as u64;
                self.add(channel, client, presence.clone(), Home::Elsewhere { until_ms });
            }
            MemberChange::Leave => {
                if let Some(presence) = self.store.leave(&channel.name, client) {
                    self.note(channel, false, presence);
                }
            }
        }
    }

    /// Renews the members of this node for the others.
    pub(crate) fn renew(&self) {
        if self.reached().is_none() {
            return;
        }
        for presence::Member { channel, client, presence } in self.store.own() {
            self.announce(&channel, &client, || MemberChange::Renew(presence));
        }
    }

    /// Removes the members of other nodes whose lease has ended. Looks at all members, but on a single node at none.
    pub(crate) fn expire(&self, now_ms: u64) {
        if !self.has_others.load(Ordering::Relaxed) {
            return;
        }
        for presence::Member { channel, presence, client: _ } in self.store.expire(now_ms) {
            self.note(&channel, false, presence);
        }
    }

    pub(crate) fn stats(&self, channel: &str) -> PresenceStats {
        self.store.stats(channel)
    }

    /// At most `limit` members whose connections come after `after` in order, with their announced info.
    pub(crate) fn list(&self, channel: &str, limit: usize, after: Option<&str>) -> Vec<(Arc<str>, Bytes)> {
        self.store.list(channel, limit, after)
    }

    /// Takes the joins and leaves to deliver now.
    pub(crate) fn take_changes(&self) -> Vec<Changes> {
        let mut changed = self.changed();
        if changed.is_empty() {
            return Vec::new();
        }
        std::mem::take(&mut *changed).into_values().collect()
    }

    fn add(&self, channel: &Channel, client: &Arc<str>, presence: Presence, home: Home) {
        if self.store.join(channel, client, presence.clone(), home) {
            self.note(channel, true, presence);
        }
    }

    fn announce(&self, channel: &Channel, client: &Arc<str>, change: impl FnOnce() -> MemberChange) {
        if let Some(broker) = self.reached() {
            let (from, channel, client) = (self.sender.clone(), channel.clone(), Arc::clone(client));
            let change = PresenceChange { from, channel, client, change: change() };
            broker.announce(Message::Presence(Arc::new(change)));
        }
    }

    /// The broker, if there are other hubs to hear of changes.
    fn reached(&self) -> Option<Arc<dyn Broker>> {
        self.broker.upgrade().filter(|broker| broker.reaches_others())
    }

    fn note(&self, channel: &Channel, is_join: bool, presence: Presence) {
        if !presence.is_announced {
            return;
        }
        let new = || Changes { channel: channel.clone(), changes: Vec::new() };
        let mut changed = self.changed();
        let changes = &mut changed.entry(Arc::clone(&channel.name)).or_insert_with(new).changes;
        if changes.len() < MAX_ANNOUNCED {
            changes.push(Change { is_join, info: presence.info });
        }
    }

    fn changed(&self) -> MutexGuard<'_, HashMap<Arc<str>, Changes>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ordercast_broker::InProcessBroker;

    use super::*;

    fn presence(user: &str) -> Presence {
        Presence { user: user.into(), info: format!("{{\"user\":\"{user}\"}}").into(), is_announced: true }
    }

    fn table() -> Arc<PresenceTable> {
        let broker: Arc<dyn Broker> = Arc::new(InProcessBroker::new());
        Arc::new(PresenceTable::new(Arc::new(InProcessPresence::default()), &broker, Sender("here".into())))
    }

    #[test]
    fn members_are_counted_listed_and_told() {
        let table = table();
        let room = Channel::parse("stats").unwrap();
        let mut guards = HashMap::new();
        for (client, user) in [("a", "ann"), ("b", "bob"), ("c", "ann")] {
            guards.insert(client, table.join(&room, &client.into(), presence(user)));
        }
        // The member is replaced before the guard of the one before is dropped.
        table.add(&room, &"b".into(), presence("bob"), Home::Here);
        assert_eq!(table.stats("stats"), PresenceStats { clients: 3, users: 2 });
        let list =
            |limit, after| table.list("stats", limit, after).into_iter().map(|(client, _)| client).collect::<Vec<_>>();
        assert_eq!(list(2, None), ["a".into(), "b".into()]);
        assert_eq!(list(2, Some("b")), ["c".into()]);
        guards.remove("a");
        guards.remove("a");
        assert_eq!(table.stats("stats"), PresenceStats { clients: 2, users: 2 });
        for client in ["b", "c"] {
            guards.remove(client);
        }
        assert_eq!(table.stats("stats"), PresenceStats::default());
        let told = table.take_changes();
        let joins: Vec<_> = told[0].changes.iter().map(|change| change.is_join).collect();
        assert_eq!(joins, [true, true, true, false, false, false]);
        assert!(table.take_changes().is_empty());
    }

    #[test]
    fn members_of_other_nodes_stay_as_long_as_they_are_renewed() {
        let table = table();
        let room = Channel::parse("stats").unwrap();
        let _own = table.join(&room, &"a".into(), presence("ann"));
        let tell = |from: &str, change| {
            let (from, channel, client) = (Sender(from.into()), room.clone(), "z".into());
            table.on_change(&PresenceChange { from, channel, client, change });
        };
        tell("here", MemberChange::Join(presence("zoe")));
        assert_eq!(table.stats("stats").clients, 1, "what this node has sent itself");
        // The join was lost.
        tell("there", MemberChange::Renew(presence("zoe")));
        tell("there", MemberChange::Renew(presence("zoe")));
        assert_eq!(table.stats("stats"), PresenceStats { clients: 2, users: 2 });
        let now_ms = steady::now_ms();
        table.expire(now_ms);
        assert_eq!(table.stats("stats").clients, 2);
        table.expire(now_ms + 2 * MEMBER_LEASE.as_millis() as u64);
        assert_eq!(table.stats("stats").clients, 1, "the other is connected here");
        tell("there", MemberChange::Join(presence("zoe")));
        tell("there", MemberChange::Leave);
        tell("there", MemberChange::Leave);
        let joins: Vec<_> = table.take_changes()[0].changes.iter().map(|change| change.is_join).collect();
        assert_eq!(joins, [true, true, false, true, false]);
        assert_eq!(table.store.own().len(), 1);
    }
}
