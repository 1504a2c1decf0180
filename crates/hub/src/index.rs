//! Who gets what: from the name of a channel or the topic of a log to subscriptions.

use std::collections::HashMap;
use std::sync::Arc;

use ordercast_protocol::channel::{Channel, Log, Retention, Source, View};
use ordercast_protocol::topic::Topic;

use crate::frames::Form;
use crate::memory::MemoryChannel;
use crate::memory_feed::MemoryFeed;
use crate::slab::Key;

/// One subscription of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    pub(crate) subscriber: Key,
    pub(crate) subscription: u32,
}

/// All subscriptions of one channel name; those of one form get the same bytes.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: Arc<str>,
    members: Vec<(Form, Vec<Member>)>,
}

impl Group {
    fn new(channel: &Channel) -> Self {
        Self { name: Arc::clone(&channel.name), members: Vec::new() }
    }

    /// The members, those of each form together.
    pub(crate) fn by_form(&self) -> impl Iterator<Item = (Form, &[Member])> {
        self.members.iter().map(|(form, members)| (*form, &members[..]))
    }

    /// Adds a member; gives its place.
    fn add(&mut self, form: Form, member: Member) -> u32 {
        let index = self.members.iter().position(|(own, _)| *own == form).unwrap_or_else(|| {
            self.members.push((form, Vec::new()));
            self.members.len() - 1
        });
        let members = &mut self.members[index].1;
        members.push(member);
        (members.len() - 1) as u32
    }

    /// Takes the member at a place out; gives the one that has the place now.
    fn remove(&mut self, form: Form, place: u32) -> Option<Member> {
        let index = self.members.iter().position(|(own, _)| *own == form)?;
        let members = &mut self.members[index].1;
        let place = place as usize;
        if place >= members.len() {
            return None;
        }
        members.swap_remove(place);
        let moved = members.get(place).copied();
        if members.is_empty() {
            self.members.swap_remove(index);
        }
        moved
    }

    fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// A memory channel as a shard sees it.
pub(crate) struct LocalChannel {
    pub(crate) feed: MemoryFeed,
    pub(crate) group: Group,
}

/// The groups of one log.
#[derive(Default)]
struct LogIndex {
    all: Vec<Group>,
    topics: HashMap<Topic, Group>,
}

/// The subscriptions of a shard.
#[derive(Default)]
pub(crate) struct Index {
    logs: [LogIndex; Log::ALL.len()],
    pub(crate) memory: HashMap<Arc<str>, LocalChannel>,
}

impl Index {
    /// Adds a subscription of a log or a view; gives its place.
    pub(crate) fn add(&mut self, log: Log, view: &View, channel: &Channel, form: Form, member: Member) -> u32 {
        let log = &mut self.logs[log.index()];
        let group = match view {
            View::All => named(&mut log.all, channel),
            View::Topic(topic) => log.topics.entry(topic.clone()).or_insert_with(|| Group::new(channel)),
        };
        group.add(form, member)
    }

    /// Adds a subscription of a memory channel; `open` makes the channel and says how far it has got when it is
    /// the first here.
    pub(crate) fn add_memory(
        &mut self,
        channel: &Channel,
        form: Form,
        member: Member,
        open: impl FnOnce() -> (Arc<MemoryChannel>, u64),
    ) -> u32 {
        let local = self.memory.entry(Arc::clone(&channel.name)).or_insert_with(|| {
            let (memory, head) = open();
            let group = Group::new(channel);
            let is_kept = channel.source != Source::Memory(Retention::NONE);
            LocalChannel { feed: MemoryFeed::new(memory, head, is_kept), group }
        });
        local.feed.channel().enter();
        local.group.add(form, member)
    }

    /// Removes the subscription at a place; gives the member that has the place now, and the memory channel that
    /// nobody here is in any more.
    pub(crate) fn remove(
        &mut self,
        channel: &Channel,
        form: Form,
        place: u32,
    ) -> (Option<Member>, Option<Arc<MemoryChannel>>) {
        let mut moved = None;
        let mut leave = |group: &mut Group| {
            moved = group.remove(form, place);
            group.is_empty()
        };
        match &channel.source {
            Source::Memory(_) => {
                let local = self.memory.get_mut(&channel.name);
                if local.is_some_and(|local| {
                    local.feed.channel().exit();
                    leave(&mut local.group)
                }) {
                    return (None, self.memory.remove(&channel.name).map(|local| Arc::clone(local.feed.channel())));
                }
            }
            Source::Log(log, view) => {
                let log = &mut self.logs[log.index()];
                match view {
                    View::All => remove_named(&mut log.all, &channel.name, leave),
                    View::Topic(topic) => remove_topic(&mut log.topics, topic, leave),
                }
            }
        }
        (moved, None)
    }

    /// The group of a channel, if anybody is in it.
    pub(crate) fn group(&self, channel: &Channel) -> Option<&Group> {
        match &channel.source {
            Source::Memory(_) => self.memory.get(&channel.name).map(|local| &local.group),
            Source::Log(log, View::All) => self.all(*log).iter().find(|group| group.name == channel.name),
            Source::Log(log, View::Topic(topic)) => self.by_topic(*log, topic),
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

    /// Whether anybody watches single topics.
    pub(crate) fn has_views(&self, log: Log) -> bool {
        !self.logs[log.index()].topics.is_empty()
    }

    /// The group that gets the events about a topic.
    pub(crate) fn by_topic(&self, log: Log, topic: &Topic) -> Option<&Group> {
        self.logs[log.index()].topics.get(topic)
    }
}

fn named<'a>(groups: &'a mut Vec<Group>, channel: &Channel) -> &'a mut Group {
    let index = groups.iter().position(|group| group.name == channel.name).unwrap_or_else(|| {
        groups.push(Group::new(channel));
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
fn remove_topic(groups: &mut HashMap<Topic, Group>, topic: &Topic, leave: impl FnOnce(&mut Group) -> bool) {
    if groups.get_mut(topic).is_some_and(leave) {
        groups.remove(topic);
    }
}

#[cfg(test)]
mod tests {
    use ordercast_protocol::envelope::Wire;

    use super::*;
    use crate::history::InProcessHistory;
    use crate::memory::MemoryChannels;
    use crate::slab::Slab;

    const FORM: Form = Form { wire: Wire::PlainJson, is_delta: false, is_compressed: false, is_paced: false };

    fn add(index: &mut Index, channels: &MemoryChannels, channel: &Channel, member: Member) -> u32 {
        match &channel.source {
            Source::Log(log, view) => index.add(*log, view, channel, FORM, member),
            Source::Memory(_) => index.add_memory(channel, FORM, member, || (channels.open(&channel.name), 0)),
        }
    }

    /// As many as one shard may have; each leaves once, in an order that moves others about.
    #[test]
    fn whoever_leaves_takes_nobody_along() {
        const SUBSCRIBERS: usize = 10_000;
        let memory = MemoryChannels::new(Arc::new(InProcessHistory::new(0, 100, 1 << 20)));
        let mut slab = Slab::new();
        let mut index = Index::default();
        let channels = ["orders", "order:a", "orders:c", "stats"].map(|name| Channel::parse(name).unwrap());
        let mut present: Vec<_> = (0..SUBSCRIBERS).map(|_| slab.insert(Box::new(()))).collect();
        let mut places = HashMap::new();
        for key in &present {
            for (channel, subscription) in channels.iter().zip(0..) {
                let member = Member { subscriber: *key, subscription };
                places.insert(member, add(&mut index, &memory, channel, member));
            }
        }
        let mut at = 0;
        while !present.is_empty() {
            at = (at * 31 + 7) % present.len();
            let gone = present.swap_remove(at);
            for (channel, subscription) in channels.iter().zip(0..) {
                let place = places.remove(&Member { subscriber: gone, subscription }).unwrap();
                if let Some(moved) = index.remove(channel, FORM, place).0 {
                    places.insert(moved, place);
                }
            }
            if present.len() % 1_000 == 1 {
                for channel in &channels {
                    let (_, members) = index.group(channel).unwrap().by_form().next().unwrap();
                    let mut left: Vec<_> = members.iter().map(|member| member.subscriber.to_u64()).collect();
                    let mut expected: Vec<_> = present.iter().map(|key| key.to_u64()).collect();
                    left.sort_unstable();
                    expected.sort_unstable();
                    assert_eq!(left, expected);
                }
            }
        }
        assert!(index.is_idle(Log::Orders) && index.memory.is_empty());
    }
}
