//! Consumers: where durable readers of logs stand, and who reads for them.

use std::sync::Arc;

use ordercast_domain::consumer::Consumer;

use super::{Keys, Writes};

/// What a batch needs of consumers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerKeys {
    /// Consumers by name.
    pub names: Vec<Arc<str>>,
}

/// What a batch changes of consumers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerWrites {
    /// Consumers, new or changed, each once.
    pub changed: Vec<Consumer>,
}

impl ConsumerWrites {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        let Self { changed } = self;
        changed.is_empty()
    }

    /// Adds a consumer in its present state, in place of its state from earlier in the batch.
    pub fn put(&mut self, consumer: Consumer) {
        match self.changed.iter_mut().find(|known| known.name == consumer.name) {
            Some(known) => *known = consumer,
            None => self.changed.push(consumer),
        }
    }
}

impl From<ConsumerKeys> for Keys {
    fn from(consumers: ConsumerKeys) -> Self {
        Self { consumers, ..Self::default() }
    }
}

impl From<ConsumerWrites> for Writes {
    fn from(consumers: ConsumerWrites) -> Self {
        Self { consumers, ..Self::default() }
    }
}
