//! The page that is being read for a connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::pages::Wanted;

/// A page that is being read for a connection: one at a time until it is back, also when nobody wants it any more.
pub(super) struct PageTicket {
    pub(super) subscription: u32,
    /// How many want the page; taken back with the wish.
    wanted: Option<Wanted>,
}

impl PageTicket {
    pub(super) fn new(subscription: u32, wanted: &Wanted) -> Self {
        wanted.fetch_add(1, Ordering::Relaxed);
        Self { subscription, wanted: Some(Arc::clone(wanted)) }
    }

    /// The subscription has ended: a page that nobody else wants need not be read.
    pub(super) fn give_up(&mut self, subscription: u32) {
        if self.subscription == subscription
            && let Some(wanted) = self.wanted.take()
        {
            wanted.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for PageTicket {
    fn drop(&mut self) {
        self.give_up(self.subscription);
    }
}
