//! Ctrl-C and SIGTERM, for commands that have something to finish first.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a shell reports for a process that Ctrl-C ended (128 + SIGINT).
const EXIT_AT_ONCE: i32 = 130;

/// Whether the command is to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<(Mutex<bool>, Condvar)>);

impl Interrupt {
    /// One that the signals set. The second signal ends the process at once.
    pub(crate) fn on_signals() -> Self {
        let interrupt = Self::default();
        let setter = interrupt.clone();
        // The thread ends with the process: there is no other moment at which signals stop to matter.
        std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async {
                wait_for_signal().await;
                setter.set();
                wait_for_signal().await;
                std::process::exit(EXIT_AT_ONCE);
            });
        });
        interrupt
    }

    /// Asks the command to stop.
    pub(crate) fn set(&self) {
        let (is_set, changed) = &*self.0;
        *is_set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }

    /// Whether the command is to stop.
    pub(crate) fn is_set(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, but no longer than until the command is to stop. Whether it may go on.
    pub(crate) fn sleep(&self, duration: Duration) -> bool {
        let (is_set, changed) = &*self.0;
        let until = Instant::now() + duration;
        let mut guard = is_set.lock().unwrap_or_else(PoisonError::into_inner);
        while !*guard {
            let Some(rest) = until.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero()) else {
                return true;
            };
            guard = changed.wait_timeout(guard, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }
}

#[cfg(unix)]
async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn wait_for_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
