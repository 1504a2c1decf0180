//! Publishing into a durable application channel.

use std::sync::Arc;

use bytes::Bytes;
use ordercast_access::Origin;
use ordercast_domain::Violation;
use ordercast_domain::decide::Refusal;
use ordercast_protocol::channel::{ChannelError, Log};
use ordercast_protocol::limits::MAX_CHANNEL_BYTES;
use ordercast_protocol::position::Position;
use ordercast_store::write::{Committed, Keys};

use super::{Command, CommandError, ROW_BYTES, Settle};
use crate::pass::Pass;

pub(crate) struct Publish {
    pub(crate) channel: Arc<str>,
    /// The body as it is stored and delivered.
    pub(crate) body: Bytes,
}

/// Its place among the publications of the batch, from 0; its offset follows from the commit.
#[derive(Debug)]
pub(crate) struct Place(u64);

impl Settle<Position> for Place {
    fn settle(self, committed: &Committed) -> Result<Position, CommandError> {
        let published = committed.logs.iter().find(|range| range.log == Log::Publications);
        let range = published.filter(|range| self.0 < range.count).ok_or(CommandError::StoreFailed)?;
        Ok(Position { epoch: range.epoch.clone(), offset: range.first + self.0 })
    }
}

impl Command for Publish {
    type Decided = Place;
    type Answer = Position;

    fn weight(&self) -> usize {
        ROW_BYTES + self.body.len()
    }

    /// A publication depends on nothing that is stored.
    fn keys(&self, _: &mut Keys) {}

    fn decide(&self, origin: &Origin, pass: &mut Pass<'_>) -> Result<Place, Refusal> {
        let Self { channel, body } = self;
        if channel.is_empty() || channel.len() > MAX_CHANNEL_BYTES {
            let violation = Violation::new("/channel", ChannelError::Length.to_string());
            return Err(Refusal::Invalid(vec![violation]));
        }
        let Origin { principal, trace, .. } = origin;
        tracing::debug!(channel = &**channel, by = %principal, %trace, bytes = body.len(), "published");
        pass.events.publication(Arc::clone(channel), body.clone());
        pass.decided.published += 1;
        Ok(Place(pass.decided.published - 1))
    }
}
