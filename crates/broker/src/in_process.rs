//! The broker of a single node.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::{Broker, Health, Listener, Message, Reason};

/// Calls its listeners on the announcing thread, in the order in which they came.
#[derive(Default)]
pub struct InProcessBroker {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    listeners: Vec<Listener>,
    is_stopped: bool,
}

impl InProcessBroker {
    /// A broker without listeners.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Broker for InProcessBroker {
    fn start(&self, listener: Listener) -> Result<(), Reason> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.is_stopped {
            return Err(Reason::Stopped);
        }
        state.listeners.push(listener);
        Ok(())
    }

    fn announce(&self, message: Message) {
        for listener in &self.state().listeners {
            listener(&message);
        }
    }

    fn reaches_others(&self) -> bool {
        self.state().listeners.len() > 1
    }

    fn health(&self) -> Health {
        let state = self.state();
        match (state.is_stopped, state.listeners.is_empty()) {
            (true, _) => Health::Unavailable(Reason::Stopped),
            (false, true) => Health::Unavailable(Reason::NotStarted),
            (false, false) => Health::Ready,
        }
    }

    fn stop(&self) {
        // Announcements hold the lock for reading, so the listeners that are being called are waited for.
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        *state = State { listeners: Vec::new(), is_stopped: true };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;

    #[test]
    fn the_in_process_broker_conforms() {
        conformance::check(|| {
            let broker = std::sync::Arc::new(InProcessBroker::new());
            [broker.clone(), broker]
        });
    }
}
