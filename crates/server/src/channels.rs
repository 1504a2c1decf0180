//! Which channels there are: those built in, and the application's by namespace.
//!
//! A namespace is what stands before the first `:` of a name; names without one belong to the default namespace,
//! when there is one. Built-in names go first.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ordercast_access::Audience;
use ordercast_domain::draft::is_path_step;
use ordercast_protocol::channel::{Channel, ChannelError, Retention, Source};
use ordercast_protocol::limits::MAX_CHANNEL_BYTES;

/// Names that are or will be the program's own, and so cannot be namespaces.
const RESERVED: [&str; 10] =
    ["order", "orders", "products", "market_data", "adjustments", "stats", "chat", "dm", "user", "notices"];
/// How a channel of the default namespace may be called: nothing to be mistaken for a namespace.
const SEPARATOR: char = ':';

/// Settings that channels share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// What their names begin with; empty for names without a namespace.
    pub name: String,
    /// Most publications that are kept; 0 for none.
    pub history_size: u32,
    /// How long they are kept, in seconds; 0 for as long as the process runs.
    pub history_ttl_s: u32,
    /// Whether it can be asked who is subscribed.
    pub presence: bool,
    /// Whether joins and leaves are delivered to subscribers who ask for them.
    pub join_leave: bool,
    /// Whether joins and leaves are delivered to all subscribers.
    pub force_push_join_leave: bool,
    /// Whether every subscription can be resumed, asked for or not.
    pub force_recovery: bool,
    /// Whether publications may be sent as their difference from the one before.
    pub delta: bool,
    /// Whether publications are stored as orders are, and acknowledged only once they are on disk. How long they are
    /// kept is then the retention of the log of publications.
    pub durable: bool,
    /// Who may subscribe.
    pub allow_subscribe: Audience,
    /// Who may publish.
    pub allow_publish: Audience,
    /// Who may read what was published before.
    pub allow_history: Audience,
    /// Who may ask who is subscribed.
    pub allow_presence: Audience,
}

impl Namespace {
    fn retention(&self) -> Retention {
        Retention { events: self.history_size, age_s: self.history_ttl_s }
    }
}

/// A namespace that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceError {
    /// Its name.
    pub name: String,
    /// What is wrong.
    pub detail: String,
}

impl fmt::Display for NamespaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the namespace {:?} {}", self.name, self.detail)
    }
}

impl std::error::Error for NamespaceError {}

/// All channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channels {
    namespaces: BTreeMap<String, Arc<Namespace>>,
}

impl Channels {
    /// The built-in channels and those of the namespaces.
    ///
    /// # Errors
    /// [`NamespaceError`] when a name is reserved, malformed or given twice, or settings contradict each other.
    pub fn new(namespaces: impl IntoIterator<Item = Namespace>) -> Result<Self, NamespaceError> {
        let mut known = BTreeMap::new();
        for namespace in namespaces {
            let name = namespace.name.clone();
            check(&namespace).map_err(|detail| NamespaceError { name: name.clone(), detail })?;
            if known.insert(name.clone(), Arc::new(namespace)).is_some() {
                return Err(NamespaceError { name, detail: "is there twice".to_owned() });
            }
        }
        Ok(Self { namespaces: known })
    }

    /// The channel of a name.
    ///
    /// # Errors
    /// [`ChannelError`]
    pub fn resolve(&self, name: &str) -> Result<Channel, ChannelError> {
        self.find(name).map(|(channel, _)| channel)
    }

    /// The channel of a name, and its namespace unless it is built in.
    ///
    /// # Errors
    /// [`ChannelError`]
    pub fn find(&self, name: &str) -> Result<(Channel, Option<Arc<Namespace>>), ChannelError> {
        match Channel::parse(name) {
            Ok(channel) => return Ok((channel, None)),
            Err(ChannelError::Length) => return Err(ChannelError::Length),
            Err(ChannelError::Unknown) => {}
        }
        if is_path_step(name) {
            return Err(ChannelError::Unknown);
        }
        let prefix = name.split_once(SEPARATOR).map_or("", |(prefix, _)| prefix);
        let is_named = !prefix.is_empty() || !name.starts_with(SEPARATOR);
        let namespace = self.namespaces.get(prefix).filter(|_| is_named && !RESERVED.contains(&prefix));
        let namespace = namespace.ok_or(ChannelError::Unknown)?;
        let channel = match namespace.durable {
            true => Channel::durable(name)?,
            false => Channel { name: name.into(), source: Source::Memory(namespace.retention()) },
        };
        Ok((channel, Some(Arc::clone(namespace))))
    }
}

fn check(namespace: &Namespace) -> Result<(), String> {
    let Namespace { name, history_size, .. } = namespace;
    if RESERVED.contains(&name.as_str()) {
        return Err("is reserved for the program's own channels".to_owned());
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.len() > MAX_CHANNEL_BYTES / 2 || !name.bytes().all(is_plain) {
        return Err(format!("must have at most {} of A-Z, a-z, 0-9, - _ and .", MAX_CHANNEL_BYTES / 2));
    }
    if namespace.durable && (*history_size > 0 || namespace.history_ttl_s > 0) {
        return Err(
            "is durable: [retention.publications] says what is kept, not history_size or history_ttl_s".to_owned()
        );
    }
    if namespace.durable && namespace.delta {
        return Err("is durable, and differences are for channels in memory".to_owned());
    }
    if *history_size == 0 && !namespace.durable && (namespace.force_recovery || namespace.delta) {
        return Err("has force_recovery or delta, which need a history_size above 0".to_owned());
    }
    if namespace.allow_subscribe == Audience::Subscribers {
        return Err("cannot let only subscribers subscribe".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Namespace {
        Namespace { name: name.to_owned(), history_size: 3, history_ttl_s: 9, ..Namespace::default() }
    }

    #[test]
    fn names_find_their_namespace() {
        let both = Channels::new([named(""), named("news")]).unwrap();
        let kept = Source::Memory(Retention { events: 3, age_s: 9 });
        for (name, found) in [
            ("news:a", Ok((kept.clone(), Some("news")))),
            ("news:a:b", Ok((kept.clone(), Some("news")))),
            ("news", Ok((kept, Some("")))),
            ("stats", Ok((Source::Memory(Retention::NONE), None))),
            ("old:a", Err(ChannelError::Unknown)),
            (":a", Err(ChannelError::Unknown)),
            ("chat:lobby", Err(ChannelError::Unknown)),
            ("..", Err(ChannelError::Unknown)),
            ("", Err(ChannelError::Length)),
        ] {
            let expected = found.map(|(source, name)| (source, name.map(str::to_owned)));
            let found = both.find(name).map(|(channel, space)| (channel.source, space.map(|space| space.name.clone())));
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(Channels::default().resolve("news"), Err(ChannelError::Unknown), "no default namespace");
    }

    #[test]
    fn impossible_namespaces_are_refused() {
        for (namespaces, word) in [
            (vec![named("orders")], "reserved"),
            (vec![named("a b")], "at most"),
            (vec![named("a"), named("a")], "twice"),
            (vec![Namespace { force_recovery: true, ..Namespace::default() }], "history_size"),
            (vec![Namespace { allow_subscribe: Audience::Subscribers, ..named("a") }], "subscribe"),
        ] {
            let error = Channels::new(namespaces).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
