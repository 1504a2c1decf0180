//! Channel names, and the logs and views behind them.
//!
//! A *log* has a counter and gapless offsets. A *view* is one topic of a log and shares its offsets, so
//! they increase but are not contiguous. A *memory* channel has a counter of its own for as long as the process
//! runs, and keeps its last publications or none at all.

use std::sync::Arc;

use crate::limits::MAX_CHANNEL_BYTES;
use crate::topic::{Topic, TopicKind, Topics};

/// A durable log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Log {
    /// Every change of every order.
    Orders,
    /// Every change of a price or of stock.
    Products,
    /// Money facts that are not orders: cancellations without a reference, write-offs, bad debt.
    Adjustments,
    /// Everything that is published into durable application channels; each of them is a view of it.
    Publications,
}

impl Log {
    /// Every log that exists from the first start on.
    pub const ALL: [Self; 4] = [Self::Orders, Self::Products, Self::Adjustments, Self::Publications];

    /// The name the log is stored under, which is also its channel's, but for the publications: those have
    /// only their views.
    pub fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Products => "products",
            Self::Adjustments => "adjustments",
            Self::Publications => "publications",
        }
    }

    /// The log stored under `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|log| log.name() == name)
    }

    /// Whether bodies of its events may be removed ([`crate::redaction`]): only where they hold what people wrote. Orders,
    /// products and adjustments are the audit trail, and hold no personal data.
    pub fn is_redactable(self) -> bool {
        match self {
            Self::Publications => true,
            Self::Orders | Self::Products | Self::Adjustments => false,
        }
    }

    /// Its place in [`Log::ALL`], for tables indexed by log.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Which events of a log a subscriber gets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// All of them.
    All,
    /// Those about this topic.
    Topic(Topic),
}

impl View {
    /// The events about one topic.
    pub fn of(kind: TopicKind, id: impl Into<Arc<str>>) -> Self {
        Self::Topic(Topic::new(kind, id))
    }

    /// Whether an event with these topics belongs to the view.
    pub fn holds(&self, topics: &Topics) -> bool {
        match self {
            Self::All => true,
            Self::Topic(topic) => topics.contains(topic),
        }
    }
}

/// What a memory channel keeps for subscribers who come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retention {
    /// Most publications; 0 keeps none, and a subscriber that is slow or away misses what is published.
    pub events: u32,
    /// How old a kept publication may get, in seconds; 0 for no limit.
    pub age_s: u32,
}

impl Retention {
    /// Nothing is kept.
    pub const NONE: Self = Self { events: 0, age_s: 0 };
}

/// Where a channel's events come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A log, or a view of it.
    Log(Log, View),
    /// The memory of this process.
    Memory(Retention),
}

/// A channel as a client named it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Channel {
    /// The name that frames of this subscription carry.
    pub name: Arc<str>,
    /// What is behind it.
    pub source: Source,
}

/// Why a channel name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelError {
    /// Empty, or longer than [`MAX_CHANNEL_BYTES`].
    Length,
    /// No channel has such a name.
    Unknown,
}

impl std::fmt::Display for ChannelError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Length => write!(f, "a channel name has 1 to {MAX_CHANNEL_BYTES} bytes"),
            Self::Unknown => f.write_str(
                "no such channel; there are orders, orders:{customer_id}, order:{id}, products (or market_data), adjustments and stats",
            ),
        }
    }
}

impl Channel {
    /// Finds the channel of a name.
    ///
    /// # Errors
    /// [`ChannelError`] when the name has a wrong length or names nothing.
    pub fn parse(name: &str) -> Result<Self, ChannelError> {
        if name.is_empty() || name.len() > MAX_CHANNEL_BYTES {
            return Err(ChannelError::Length);
        }
        let source = match name.split_once(':') {
            None => match name {
                "orders" => Source::Log(Log::Orders, View::All),
                "products" | "market_data" => Source::Log(Log::Products, View::All),
                "adjustments" => Source::Log(Log::Adjustments, View::All),
                "stats" => Source::Memory(Retention::NONE),
                _ => return Err(ChannelError::Unknown),
            },
            Some((_, "")) => return Err(ChannelError::Unknown),
            Some(("orders", customer)) => Source::Log(Log::Orders, View::of(TopicKind::Customer, customer)),
            Some(("order", id)) => Source::Log(Log::Orders, View::of(TopicKind::Order, id)),
            Some(_) => return Err(ChannelError::Unknown),
        };
        Ok(Self { name: name.into(), source })
    }

    /// A durable application channel: a view of the log of publications. Which names are durable is a matter of
    /// the settings, so that no name alone says it.
    ///
    /// # Errors
    /// [`ChannelError::Length`].
    pub fn durable(name: &str) -> Result<Self, ChannelError> {
        if name.is_empty() || name.len() > MAX_CHANNEL_BYTES {
            return Err(ChannelError::Length);
        }
        let name: Arc<str> = name.into();
        Ok(Self { source: Source::Log(Log::Publications, View::of(TopicKind::Channel, Arc::clone(&name))), name })
    }

    /// The log behind the channel, if it has one.
    pub fn log(&self) -> Option<Log> {
        match self.source {
            Source::Log(log, _) => Some(log),
            Source::Memory(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_source() {
        for (name, source) in [
            ("orders", Ok(Source::Log(Log::Orders, View::All))),
            ("market_data", Ok(Source::Log(Log::Products, View::All))),
            ("order:a:b", Ok(Source::Log(Log::Orders, View::of(TopicKind::Order, "a:b")))),
            ("orders:c_1", Ok(Source::Log(Log::Orders, View::of(TopicKind::Customer, "c_1")))),
            ("stats", Ok(Source::Memory(Retention::NONE))),
            ("order:", Err(ChannelError::Unknown)),
            ("Orders", Err(ChannelError::Unknown)),
            ("publications", Err(ChannelError::Unknown)),
            ("", Err(ChannelError::Length)),
        ] {
            assert_eq!(Channel::parse(name).map(|channel| channel.source), source, "{name}");
        }
        assert_eq!(Channel::parse(&"x".repeat(256)), Err(ChannelError::Length));
    }

    #[test]
    fn a_durable_channel_is_a_view_under_its_own_name() {
        let channel = Channel::durable("room:1").unwrap();
        assert_eq!((&*channel.name, channel.log()), ("room:1", Some(Log::Publications)));
        let Source::Log(_, view) = channel.source else { panic!("it has a log") };
        let published = |name: &str| Topics::from(Topic::new(TopicKind::Channel, name));
        assert!(view.holds(&published("room:1")) && !view.holds(&published("room:2")));
        for name in [String::new(), "x".repeat(256)] {
            assert_eq!(Channel::durable(&name), Err(ChannelError::Length));
        }
    }
}
