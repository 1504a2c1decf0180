//! The hub's steady clock: how old what memory channels keep is. It stands still while the server could not hear, so that
//! a client that reconnects after that finds at least what was promised.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ordercast_store::clock::SteadyClock;

static CLOCK: LazyLock<Mutex<SteadyClock>> = LazyLock::new(|| Mutex::new(SteadyClock::new(0, Instant::now())));

fn clock() -> MutexGuard<'static, SteadyClock> {
    CLOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Steady time, in milliseconds from some beginning.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(clock().arrival_ms(Instant::now())).unwrap_or(0)
}

/// Looks at the clock. The hub does so a few times a second: a look that comes late has found a gap.
pub(crate) fn look() {
    clock().look(Instant::now(), true);
}
