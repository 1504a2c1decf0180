//! Who is in which channel: members by connection, and who came and went since the last time that was told.
//!
//! Memory and time are linear in the members. What a client is told of comings and goings is gathered for
//! [`ANNOUNCE_INTERVAL`], so that a thousand who come at once are a few frames and not a thousand.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ordercast_protocol::channel::Channel;

use crate::session::Presence;

/// How long comings and goings are gathered before they are told.
pub(crate) const ANNOUNCE_INTERVAL: Duration = Duration::from_millis(250);
/// Most comings and goings of one channel that are told at once; of the others only the counts tell.
const MAX_ANNOUNCED: usize = 256;

/// How many are in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PresenceStats {
    /// Connections.
    pub clients: usize,
    /// Users; connections of one name are one.
    pub users: usize,
}

/// Somebody came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) is_join: bool,
    pub(crate) info: Bytes,
}

/// What is told at once about one channel.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) channel: Channel,
    pub(crate) changes: Vec<Change>,
}

struct Member {
    user: Arc<str>,
    info: Bytes,
    is_announced: bool,
}

#[derive(Default)]
struct Members {
    clients: BTreeMap<Arc<str>, Member>,
    /// How many connections each user has.
    users: HashMap<Arc<str>, usize>,
}

impl Members {
    fn insert(&mut self, client: &Arc<str>, member: Member) -> Option<Member> {
        *self.users.entry(Arc::clone(&member.user)).or_default() += 1;
        let before = self.clients.insert(Arc::clone(client), member);
        if let Some(before) = &before {
            self.release(&before.user);
        }
        before
    }

    fn remove(&mut self, client: &str) -> Option<Member> {
        let member = self.clients.remove(client)?;
        self.release(&member.user);
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

#[derive(Default)]
struct State {
    channels: HashMap<Arc<str>, Members>,
    changed: HashMap<Arc<str>, Changes>,
}

/// The presence of all channels.
#[derive(Default)]
pub(crate) struct PresenceTable(Mutex<State>);

impl PresenceTable {
    /// A connection is in the channel from now on.
    pub(crate) fn join(&self, channel: &Channel, client: &Arc<str>, presence: Presence) {
        let Presence { user, info, is_announced } = presence;
        let mut state = self.lock();
        let members = state.channels.entry(Arc::clone(&channel.name)).or_default();
        let before = members.insert(client, Member { user, info: info.clone(), is_announced });
        if is_announced && before.is_none() {
            state.note(channel, Change { is_join: true, info });
        }
    }

    /// A connection is no longer in the channel.
    pub(crate) fn leave(&self, channel: &Channel, client: &str) {
        let mut state = self.lock();
        let Some(members) = state.channels.get_mut(&channel.name) else {
            return;
        };
        let member = members.remove(client);
        if members.clients.is_empty() {
            state.channels.remove(&channel.name);
        }
        if let Some(member) = member.filter(|member| member.is_announced) {
            state.note(channel, Change { is_join: false, info: member.info });
        }
    }

    pub(crate) fn stats(&self, channel: &str) -> PresenceStats {
        let state = self.lock();
        let count = |members: &Members| PresenceStats { clients: members.clients.len(), users: members.users.len() };
        state.channels.get(channel).map(count).unwrap_or_default()
    }

    /// At most `limit` members whose connections come after `after` in order, with what is told of them.
    pub(crate) fn list(&self, channel: &str, limit: usize, after: Option<&str>) -> Vec<(Arc<str>, Bytes)> {
        let state = self.lock();
        let Some(members) = state.channels.get(channel) else {
            return Vec::new();
        };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = members.clients.range::<str, _>((from, Bound::Unbounded));
        range.take(limit).map(|(client, member)| (Arc::clone(client), member.info.clone())).collect()
    }

    /// Takes what is to be told now.
    pub(crate) fn take_changes(&self) -> Vec<Changes> {
        let mut state = self.lock();
        if state.changed.is_empty() {
            return Vec::new();
        }
        std::mem::take(&mut state.changed).into_values().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, channel: &Channel, change: Change) {
        let new = || Changes { channel: channel.clone(), changes: Vec::new() };
        let changes = &mut self.changed.entry(Arc::clone(&channel.name)).or_insert_with(new).changes;
        if changes.len() < MAX_ANNOUNCED {
            changes.push(change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(user: &str) -> Presence {
        Presence { user: user.into(), info: format!("{{\"user\":\"{user}\"}}").into(), is_announced: true }
    }

    #[test]
    fn members_are_counted_listed_and_told() {
        let table = PresenceTable::default();
        let room = Channel::parse("stats").unwrap();
        for (client, user) in [("a", "ann"), ("b", "bob"), ("c", "ann"), ("b", "bob")] {
            table.join(&room, &client.into(), presence(user));
        }
        assert_eq!(table.stats("stats"), PresenceStats { clients: 3, users: 2 });
        let list =
            |limit, after| table.list("stats", limit, after).into_iter().map(|(client, _)| client).collect::<Vec<_>>();
        assert_eq!(list(2, None), ["a".into(), "b".into()]);
        assert_eq!(list(2, Some("b")), ["c".into()]);
        table.leave(&room, "a");
        table.leave(&room, "a");
        assert_eq!(table.stats("stats"), PresenceStats { clients: 2, users: 2 });
        for client in ["b", "c"] {
            table.leave(&room, client);
        }
        assert_eq!(table.stats("stats"), PresenceStats::default());
        let told = table.take_changes();
        let joins: Vec<_> = told[0].changes.iter().map(|change| change.is_join).collect();
        assert_eq!(joins, [true, true, true, false, false, false]);
        assert!(table.take_changes().is_empty());
    }
}
