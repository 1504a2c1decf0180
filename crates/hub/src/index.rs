//! Who gets what: from the name of a channel, an order or a customer to subscriptions.

use std::collections::HashMap;
use std::sync::Arc;

use ordercast_protocol::channel::{Channel, Log, Source, View};
use ordercast_protocol::envelope::Wire;

use crate::slab::Key;

const WIRES: usize = Wire::ALL.len();

/// One subscription of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    fn remove(&mut self, wire: Wire, member: Member) {
        let members = &mut self.members[wire.index()];
        if let Some(index) = members.iter().position(|present| *present == member) {
            members.swap_remove(index);
        }
        if members.is_empty() {
            *members = Vec::new();
        }
    }

    fn is_empty(&self) -> bool {
        self.members.iter().all(Vec::is_empty)
    }
}

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
        group.members[wire.index()].push(member);
    }

    pub(crate) fn remove(&mut self, channel: &Channel, wire: Wire, member: Member) {
        match &channel.source {
            Source::Stats => remove_named(&mut self.ephemeral, &channel.name, wire, member),
            Source::Log(log, view) => {
                let log = &mut self.logs[log.index()];
                match view {
                    View::All => remove_named(&mut log.all, &channel.name, wire, member),
                    View::Order(id) => remove_keyed(&mut log.orders, id, wire, member),
                    View::Customer(id) => remove_keyed(&mut log.customers, id, wire, member),
                }
            }
        }
    }

    /// The groups that get every event of the log.
    pub(crate) fn all(&self, log: Log) -> &[Group] {
        &self.logs[log.index()].all
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

fn remove_named(groups: &mut Vec<Group>, name: &str, wire: Wire, member: Member) {
    if let Some(index) = groups.iter().position(|group| &*group.name == name) {
        groups[index].remove(wire, member);
        if groups[index].is_empty() {
            groups.swap_remove(index);
        }
    }
}

fn remove_keyed(groups: &mut HashMap<Arc<str>, Group>, id: &str, wire: Wire, member: Member) {
    if let Some(group) = groups.get_mut(id) {
        group.remove(wire, member);
        if group.is_empty() {
            groups.remove(id);
        }
    }
}
