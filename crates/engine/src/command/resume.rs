//! Lifting a pause.

use ordercast_access::Origin;
use ordercast_domain::decide::{self, Refusal};
use ordercast_domain::pause::Scope;
use ordercast_store::write::Keys;

use super::{Command, ROW_BYTES};
use crate::parking;
use crate::pass::Pass;

pub(crate) struct Resume {
    pub(crate) scope: Scope,
}

impl Command for Resume {
    /// Whether that changed anything.
    type Decided = bool;
    type Answer = bool;

    fn weight(&self) -> usize {
        ROW_BYTES
    }

    fn keys(&self, keys: &mut Keys) {
        keys.queue.pauses = true;
    }

    fn decide(&self, _: &Origin, pass: &mut Pass<'_>) -> Result<bool, Refusal> {
        let is_lifted = decide::resume(&mut pass.set, &self.scope);
        if is_lifted && let Some(pause) = pass.set.queue.pauses.get(&self.scope).cloned() {
            parking::write_pause(pass, pause);
        }
        Ok(is_lifted)
    }
}
