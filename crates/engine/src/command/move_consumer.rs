//! Moving the cursor of a consumer of a log on.

use std::sync::Arc;

use ordercast_access::Origin;
use ordercast_domain::consumer::{Consumer, MoveCursor};
use ordercast_domain::decide::{self, Refusal};
use ordercast_store::write::Keys;

use super::{Command, ROW_BYTES};
use crate::pass::Pass;

pub(crate) struct MoveConsumer {
    pub(crate) step: MoveCursor,
}

impl Command for MoveConsumer {
    type Decided = Consumer;
    type Answer = Consumer;

    fn weight(&self) -> usize {
        ROW_BYTES
    }

    fn keys(&self, keys: &mut Keys) {
        keys.consumers.names.push(Arc::clone(&self.step.name));
    }

    fn decide(&self, _: &Origin, pass: &mut Pass<'_>) -> Result<Consumer, Refusal> {
        let consumer = decide::move_cursor(&mut pass.set, &self.step)?;
        pass.writes.consumers.put(consumer.clone());
        Ok(consumer)
    }
}
