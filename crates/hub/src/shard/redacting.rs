//! Bodies that were removed from a log: nothing that a shard keeps may have them any longer.
//!
//! A redaction comes with the announcement of the commit that made it. One that was lost with its announcement is noticed
//! as a hole in the log: then everything is forgotten that is kept of a log that allows redactions. What a subscriber's
//! outbox had taken before counts as delivered.

use std::sync::Arc;

use ordercast_broker::Announcement;
use ordercast_broker::history::Page;
use ordercast_protocol::channel::Log;
use ordercast_store::StoreError;

use super::Shard;
use crate::redacted::Heard;

impl Shard {
    /// A commit: first what it removed, then what it added.
    pub(super) fn on_commit(&mut self, announcement: &Arc<Announcement>) {
        let index = announcement.log.index();
        if announcement.epoch == self.feeds[index].known().epoch {
            for offset in &announcement.redacted {
                self.feeds[index].redact(*offset);
                self.recent[index].redact(*offset);
                self.redacted[index].add(*offset);
            }
        }
        self.feeds[index].announce(announcement);
    }

    /// A page without the bodies that were removed since it was asked for; `None` when it has to be read again.
    pub(super) fn without_redacted(
        &self,
        log: Log,
        heard: Heard,
        page: Result<Page, StoreError>,
    ) -> Option<Result<Page, StoreError>> {
        let Ok(mut page) = page else {
            return Some(page);
        };
        self.redacted[log.index()].apply(heard, &mut page.events).ok()?;
        Some(Ok(page))
    }

    /// Something of the log was not heard of, and bodies may have been removed with it.
    pub(super) fn on_unheard(&mut self, log: Log) {
        if log.is_redactable() {
            self.recent[log.index()].clear();
            self.redacted[log.index()].add_unknown();
        }
    }
}
