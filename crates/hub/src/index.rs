//! Who gets what: from the name of a channel, an order or a customer to subscriptions.

use std::collections::HashMap;
use std::sync::Arc;

use ordercast_protocol::channel::{Channel, Log, Source, View};
use ordercast_protocol::envelope::Wire;

use crate::slab::Key;

const WIRES: usize = Wire::ALL.len();

/// One subscription of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    pub(crate) subscriber: Key,
    pub(crate) subscription: u32,
}

/// All subscriptions of one channel name, which get the same bytes for each wire protocol.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: Arc<str>,
    members: [Vec<Member>; WIRES],
}

impl Group {
    fn new(name: &Arc<str>) -> Self {
        Self { name: Arc::clone(name), members: Default::default() }
    }

    pub(crate) fn members(&self, wire: Wire) -> &[Member] {
        &self.members[wire.index()]
    }

    fn add(&mut self, wire: Wire, member: Member, places: &mut Places) {
        let members = &mut self.members[wire.index()];
        places.insert(member, members.len());
        members.push(member);
    }

    fn remove(&mut self, wire: Wire, member: Member, places: &mut Places) {
        let members = &mut self.members[wire.index()];
        let Some(place) = places.remove(&member) else {
            return;
        };
        members.swap_remove(place);
        if let Some(moved) = members.get(place) {
            places.insert(*moved, place);
        }
        if members.is_empty() {
            *members = Vec::new();
        }
    }

    fn is_empty(&self) -> bool {
        self.members.iter().all(Vec::is_empty)
    }
}

/// Where each member is in the only list that has it, so that one leaves among thousands without a search.
type Places = HashMap<Member, usize>;

/// The groups of one log.
#[derive(Default)]
struct LogIndex {
    all: Vec<Group>,
    orders: HashMap<Arc<str>, Group>,
    customers: HashMap<Arc<str>, Group>,
}

/// The subscriptions of a shard.
#[derive(Default)]
pub(crate) struct Index {
    logs: [LogIndex; Log::ALL.len()],
    ephemeral: Vec<Group>,
    places: Places,
}

impl Index {
    pub(crate) fn add(&mut self, channel: &Channel, wire: Wire, member: Member) {
        let group = match &channel.source {
            Source::Stats => named(&mut self.ephemeral, &channel.name),
            Source::Log(log, view) => {
                let log = &mut self.logs[log.index()];
                match view {
                    View::All => named(&mut log.all, &channel.name),
                    View::Order(id) => log.orders.entry(id.clone()).or_insert_with(|| Group::new(&channel.name)),
                    View::Customer(id) => log.customers.entry(id.clone()).or_insert_with(|| Group::new(&channel.name)),
                }
            }
        };
        group.add(wire, member, &mut self.places);
    }

    pub(crate) fn remove(&mut self, channel: &Channel, wire: Wire, member: Member) {
        let places = &mut self.places;
        let leave = |group: &mut Group| {
            group.remove(wire, member, places);
            group.is_empty()
        };
        match &channel.source {
            Source::Stats => remove_named(&mut self.ephemeral, &channel.name, leave),
            Source::Log(log, view) => {
                let log = &mut self.logs[log.index()];
                match view {
                    View::All => remove_named(&mut log.all, &channel.name, leave),
                    View::Order(id) => remove_keyed(&mut log.orders, id, leave),
                    View::Customer(id) => remove_keyed(&mut log.customers, id, leave),
                }
            }
        }
    }

    /// The groups that get every event of the log.
    pub(crate) fn all(&self, log: Log) -> &[Group] {
        &self.logs[log.index()].all
    }

    /// Whether nobody has a subscription of the log or of a view of it, whatever its state.
    pub(crate) fn is_idle(&self, log: Log) -> bool {
        self.all(log).is_empty() && !self.has_views(log)
    }

    /// Whether anybody watches single orders or customers.
    pub(crate) fn has_views(&self, log: Log) -> bool {
        let log = &self.logs[log.index()];
        !log.orders.is_empty() || !log.customers.is_empty()
    }

    pub(crate) fn by_order(&self, log: Log, id: &str) -> Option<&Group> {
        self.logs[log.index()].orders.get(id)
    }

    pub(crate) fn by_customer(&self, log: Log, id: &str) -> Option<&Group> {
        self.logs[log.index()].customers.get(id)
    }

    pub(crate) fn ephemeral(&self, name: &str) -> Option<&Group> {
        self.ephemeral.iter().find(|group| &*group.name == name)
    }
}

fn named<'a>(groups: &'a mut Vec<Group>, name: &Arc<str>) -> &'a mut Group {
    let index = groups.iter().position(|group| group.name == *name).unwrap_or_else(|| {
        groups.push(Group::new(name));
        groups.len() - 1
    });
    &mut groups[index]
}

/// Removes the group when `leave` says that nobody is left in it.
fn remove_named(groups: &mut Vec<Group>, name: &str, leave: impl FnOnce(&mut Group) -> bool) {
    if let Some(index) = groups.iter().position(|group| &*group.name == name)
        && leave(&mut groups[index])
    {
        groups.swap_remove(index);
    }
}

/// As [`remove_named`].
fn remove_keyed(groups: &mut HashMap<Arc<str>, Group>, id: &str, leave: impl FnOnce(&mut Group) -> bool) {
    if groups.get_mut(id).is_some_and(leave) {
        groups.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slab::Slab;

    /// As many as one shard may have; each leaves once, in an order that moves others about.
    #[test]
    fn whoever_leaves_takes_nobody_along() {
        const SUBSCRIBERS: usize = 10_000;
        let mut slab = Slab::new();
        let mut index = Index::default();
        let channels = ["orders", "order:a", "orders:c", "stats"].map(|name| Channel::parse(name).unwrap());
        let mut present: Vec<_> = (0..SUBSCRIBERS).map(|_| slab.insert(Box::new(()))).collect();
        let members = |key: Key| (0..).map(move |subscription| Member { subscriber: key, subscription });
        for key in &present {
            for (channel, member) in channels.iter().zip(members(*key)) {
                index.add(channel, Wire::PlainJson, member);
            }
        }
        let mut at = 0;
        while !present.is_empty() {
            at = (at * 31 + 7) % present.len();
            let gone = present.swap_remove(at);
            for (channel, member) in channels.iter().zip(members(gone)) {
                index.remove(channel, Wire::PlainJson, member);
                index.remove(channel, Wire::PlainJson, member);
            }
            if present.len() % 1_000 == 1 {
                let mut left: Vec<_> = index.all(Log::Orders)[0].members(Wire::PlainJson).to_vec();
                left.sort_by_key(|member| member.subscriber.to_u64());
                let mut expected: Vec<_> = present.iter().filter_map(|key| members(*key).next()).collect();
                expected.sort_by_key(|member| member.subscriber.to_u64());
                assert_eq!(left, expected);
            }
        }
        assert!(index.is_idle(Log::Orders) && index.ephemeral("stats").is_none() && index.places.is_empty());
    }
}
