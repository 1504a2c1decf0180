//! What an event is about: the topics by which views of a log find it.
//!
//! To add a kind of topic:
//! 1. add it to [`TopicKind`], with its name;
//! 2. give it a channel name in [`crate::channel::Channel::parse`], if clients may subscribe to it;
//! 3. say who may read it, and what a snapshot of it is (`server`: `operations::permission`, `plain::snapshot`): both name
//!    every kind, and do not compile before;
//! 4. add it to the events that have it, in the commands of the engine.
//!
//! Brokers, the hub and the stores need no change: they handle topics, not kinds.

use std::cmp::Ordering;
use std::sync::Arc;

/// Most topics of one event. Each is an entry of an index in the store and a lookup in every hub, so an event has few.
pub const MAX_TOPICS: usize = 8;
/// Topics that lie in the value itself, without an allocation. Events of orders have two.
const INLINE_TOPICS: usize = 2;

/// What a topic names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TopicKind {
    /// An order, by its id.
    Order,
    /// A customer, by the opaque id.
    Customer,
    /// A durable application channel, by its name.
    Channel,
}

impl TopicKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Order, Self::Customer, Self::Channel];

    /// The name the kind is stored under; it never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Customer => "customer",
            Self::Channel => "channel",
        }
    }

    /// The kind stored under `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One thing that events of a log are about, such as one order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic {
    /// What it is.
    pub kind: TopicKind,
    /// Which one.
    pub id: Arc<str>,
}

impl Topic {
    /// The topic of this kind and id.
    pub fn new(kind: TopicKind, id: impl Into<Arc<str>>) -> Self {
        Self { kind, id: id.into() }
    }
}

/// The topics of one event: a set of at most [`MAX_TOPICS`], in ascending order.
///
/// Up to two topics lie in the value itself, more of them in one shared allocation. So the usual event allocates nothing
/// for its topics, and a clone never does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics(Inner);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Inner {
    /// At most [`INLINE_TOPICS`]; the free places are the last ones.
    Inline([Option<Topic>; INLINE_TOPICS]),
    /// More than [`INLINE_TOPICS`].
    Shared(Arc<[Topic]>),
}

impl Default for Inner {
    fn default() -> Self {
        Self::Inline([const { None }; INLINE_TOPICS])
    }
}

impl Topics {
    /// The two topics of an event: what most events have, without the general way.
    pub fn pair(one: Topic, other: Topic) -> Self {
        match one.cmp(&other) {
            Ordering::Less => Self(Inner::Inline([Some(one), Some(other)])),
            Ordering::Greater => Self(Inner::Inline([Some(other), Some(one)])),
            Ordering::Equal => Self(Inner::Inline([Some(one), None])),
        }
    }

    /// Adds a topic; one that is there already is not added twice.
    ///
    /// # Panics
    /// When the event has [`MAX_TOPICS`] others: the code that makes an event limits its topics.
    pub fn add(&mut self, topic: Topic) {
        if self.contains(&topic) {
            return;
        }
        let count = self.iter().count();
        assert!(count < MAX_TOPICS, "an event has at most {MAX_TOPICS} topics");
        match &mut self.0 {
            Inner::Inline(places) if count < INLINE_TOPICS => {
                places[count] = Some(topic);
                places[..=count].sort_unstable();
            }
            _ => {
                let mut topics: Vec<_> = self.iter().cloned().chain([topic]).collect();
                topics.sort_unstable();
                self.0 = Inner::Shared(topics.into());
            }
        }
    }

    /// All of them, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = &Topic> + Clone {
        let (inline, shared): (&[Option<Topic>], &[Topic]) = match &self.0 {
            Inner::Inline(places) => (places, &[]),
            Inner::Shared(topics) => (&[], topics),
        };
        inline.iter().flatten().chain(shared)
    }

    /// Whether the topic is one of them.
    pub fn contains(&self, topic: &Topic) -> bool {
        self.iter().any(|own| own == topic)
    }

    /// The id of the first topic of a kind.
    pub fn id_of(&self, kind: TopicKind) -> Option<&Arc<str>> {
        self.iter().find(|topic| topic.kind == kind).map(|topic| &topic.id)
    }
}

impl FromIterator<Topic> for Topics {
    fn from_iter<I: IntoIterator<Item = Topic>>(topics: I) -> Self {
        let mut all = Self::default();
        topics.into_iter().for_each(|topic| all.add(topic));
        all
    }
}

impl<const N: usize> From<[Topic; N]> for Topics {
    fn from(topics: [Topic; N]) -> Self {
        topics.into_iter().collect()
    }
}

impl From<Topic> for Topics {
    fn from(topic: Topic) -> Self {
        Self::from([topic])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(n: usize) -> Topic {
        Topic::new(TopicKind::ALL[n % TopicKind::ALL.len()], format!("id-{n}"))
    }

    #[test]
    fn topics_are_a_set_in_order() {
        for count in 0..=MAX_TOPICS {
            let forwards: Topics = (0..count).map(topic).collect();
            let twice: Topics = (0..count).rev().chain(0..count).map(topic).collect();
            assert_eq!(forwards, twice);
            assert_eq!(forwards.iter().count(), count);
            assert!(forwards.iter().is_sorted());
            if count == 2 {
                assert_eq!(forwards, Topics::pair(topic(0), topic(1)));
                assert_eq!(forwards, Topics::pair(topic(1), topic(0)));
                assert_eq!(Topics::from(topic(0)), Topics::pair(topic(0), topic(0)));
            }
            for n in 0..MAX_TOPICS {
                assert_eq!(forwards.contains(&topic(n)), n < count, "{n} of {count}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "at most 8 topics")]
    fn an_event_has_a_limited_number_of_topics() {
        let _: Topics = (0..=MAX_TOPICS).map(topic).collect();
    }

    #[test]
    fn topics_are_found_by_kind() {
        let topics = Topics::from([Topic::new(TopicKind::Customer, "c"), Topic::new(TopicKind::Order, "o")]);
        let found = TopicKind::ALL.map(|kind| topics.id_of(kind).map(|id| &**id));
        assert_eq!(found, [Some("o"), Some("c"), None]);
        for kind in TopicKind::ALL {
            assert_eq!(TopicKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(TopicKind::from_name("room"), None);
    }

    /// Every event in memory has this value; it is as large as three optional strings, which it replaced.
    #[test]
    fn topics_are_small() {
        assert!(size_of::<Topics>() <= 3 * size_of::<Option<Arc<str>>>(), "{}", size_of::<Topics>());
    }
}
