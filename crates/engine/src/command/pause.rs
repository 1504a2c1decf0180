//! Beginning a pause.

use ordercast_access::Origin;
use ordercast_domain::decide::{self, Refusal};
use ordercast_domain::pause::Pause;
use ordercast_store::write::Keys;

use super::{Command, ROW_BYTES};
use crate::parking;
use crate::pass::Pass;

/// Holds the orders of a scope back. The time is the store's.
pub(crate) struct BeginPause {
    pub(crate) pause: Pause,
}

impl Command for BeginPause {
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
        let pause = Pause { since_ms: pass.now_ms, ..self.pause.clone() };
        let is_new = decide::pause(&mut pass.set, &pause)?;
        if is_new {
            parking::write_pause(pass, pause);
        }
        Ok(is_new)
    }
}
