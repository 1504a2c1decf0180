//! Sending until there is an answer: over a busy server, a lost connection and a restart.
//!
//! What is sent must be idempotent, because a lost connection says nothing about what the server did.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use super::{Answer, Api, ApiError};
use crate::interrupt::Interrupt;

/// How long one request is tried before the server is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const MAX_BACKOFF: Duration = Duration::from_secs(5);
/// The longest wait that a server can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Sends with patience.
pub(crate) struct Retry<'a> {
    /// The server.
    pub api: &'a Api,
    /// Ends every wait.
    pub interrupt: &'a Interrupt,
}

impl Retry<'_> {
    /// Sends a JSON body until there is an answer other than 429 and 503. `on_wait` hears why it is sent again.
    ///
    /// # Errors
    /// The last [`ApiError`] after a minute without an answer, or [`ApiError::Interrupted`].
    pub(crate) fn post(
        &self,
        path: &str,
        body: &[u8],
        idempotency_key: Option<&str>,
        mut on_wait: impl FnMut(&ApiError),
    ) -> Result<Answer, ApiError> {
        let started = Instant::now();
        let mut attempt = 0;
        loop {
            let (error, asked) = match self.api.post(path, body, idempotency_key) {
                Ok(answer) if !matches!(answer.status, 429 | 503) => return Ok(answer),
                Ok(answer) => (self.busy(&answer), answer.retry_after),
                Err(error) => (error, None),
            };
            if started.elapsed() > GIVE_UP_AFTER {
                return Err(error);
            }
            on_wait(&error);
            if !self.interrupt.sleep(wait(attempt, asked, &jitter)) {
                return Err(ApiError::Interrupted);
            }
            attempt += 1;
        }
    }

    fn busy(&self, answer: &Answer) -> ApiError {
        ApiError::Busy { url: self.api.base().to_owned(), detail: answer.refusal() }
    }
}

/// How long to wait: what the server asks for and a little more, so that its clients do not all come back at
/// once, or else a random part of a time that doubles.
fn wait(attempt: u32, asked: Option<Duration>, jitter: &dyn Fn() -> u32) -> Duration {
    match asked {
        Some(asked) => {
            let asked = asked.min(MAX_RETRY_AFTER);
            asked + part(asked / 4, jitter())
        }
        None => part(FIRST_BACKOFF.saturating_mul(1 << attempt.min(16)).min(MAX_BACKOFF), jitter()),
    }
}

/// A fraction of a duration, in 65536ths.
fn part(duration: Duration, share: u32) -> Duration {
    duration * (share & 0xffff) / 0x1_0000
}

/// Random bits without a dependency: the standard library seeds its hashers from the system.
fn jitter() -> u32 {
    u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_have_a_bound() {
        let most = || 0xffff;
        assert!(wait(0, None, &most) < FIRST_BACKOFF);
        assert!(wait(3, None, &most) > 7 * FIRST_BACKOFF);
        assert!(wait(60, None, &most) < MAX_BACKOFF);
        assert_eq!(wait(9, None, &|| 0), Duration::ZERO);
        let asked = Some(Duration::from_secs(2));
        assert_eq!(wait(0, asked, &|| 0), Duration::from_secs(2));
        assert!(wait(0, asked, &most) < Duration::from_millis(2_500));
        assert!(wait(0, Some(Duration::from_secs(9_999)), &most) < Duration::from_secs(38));
    }
}
