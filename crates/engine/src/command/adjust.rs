//! Storing an adjustment.

use std::sync::Arc;

use ordercast_access::Origin;
use ordercast_domain::adjustment::Adjustment;
use ordercast_domain::decide::{self, Refusal};
use ordercast_protocol::channel::Log;
use ordercast_protocol::topic::{Topic, TopicKind};
use ordercast_store::write::Keys;

use super::{Command, LINE_BYTES, ROW_BYTES};
use crate::encode;
use crate::pass::Pass;

/// A stored adjustment.
#[derive(Clone, Debug)]
pub struct Adjusted {
    /// As it is stored.
    pub adjustment: Adjustment,
    /// False when the same one was stored before.
    pub is_new: bool,
}

pub(crate) struct Adjust {
    pub(crate) adjustment: Adjustment,
}

impl Command for Adjust {
    type Decided = Adjusted;
    type Answer = Adjusted;

    fn weight(&self) -> usize {
        ROW_BYTES + self.adjustment.lines.len() * LINE_BYTES
    }

    fn keys(&self, keys: &mut Keys) {
        keys.money.adjustments.push(Arc::clone(&self.adjustment.id));
    }

    fn decide(&self, _: &Origin, pass: &mut Pass<'_>) -> Result<Adjusted, Refusal> {
        let (adjustment, is_new) = decide::adjust(&mut pass.set, &self.adjustment, pass.now_ms)?;
        if is_new {
            let customer = adjustment.customer_id.clone().map(|id| Topic::new(TopicKind::Customer, id));
            let write = |out: &mut Vec<u8>| encode::adjustment_event(&adjustment, out);
            pass.events.of_log(Log::Adjustments, customer.into_iter().collect(), write);
            pass.writes.money.adjustments.push(adjustment.clone());
        }
        Ok(Adjusted { adjustment, is_new })
    }
}
