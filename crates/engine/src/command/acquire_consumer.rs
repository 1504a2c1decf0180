//! Making a node the owner of a consumer of a log.

use std::sync::Arc;

use ordercast_access::Origin;
use ordercast_domain::consumer::{Acquire, Acquired};
use ordercast_domain::decide::{self, Refusal};
use ordercast_store::write::Keys;

use super::{Command, ROW_BYTES};
use crate::pass::Pass;

pub(crate) struct AcquireConsumer {
    pub(crate) wish: Acquire,
}

impl Command for AcquireConsumer {
    type Decided = Acquired;
    type Answer = Acquired;

    fn weight(&self) -> usize {
        ROW_BYTES
    }

    fn keys(&self, keys: &mut Keys) {
        keys.consumers.names.push(Arc::clone(&self.wish.name));
    }

    fn decide(&self, _: &Origin, pass: &mut Pass<'_>) -> Result<Acquired, Refusal> {
        let acquired = decide::acquire(&mut pass.set, &self.wish)?;
        if let Acquired::Granted(consumer) = &acquired {
            pass.writes.consumers.put(consumer.clone());
        }
        Ok(acquired)
    }
}
