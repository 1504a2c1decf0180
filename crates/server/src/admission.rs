//! How many new connections are begun a second. In a storm, when thousands come back at once, those who are already
//! connected keep their share of the machine, and the others wait here and not for a repeated SYN.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

/// Most connections that wait; beyond it they wait in the kernel.
const MAX_WAITING: usize = 16_384;
/// How long a quiet time may be saved up for a burst.
const BURST: Duration = Duration::from_millis(100);

type Connection = (TcpStream, SocketAddr);

/// Connections that wait for their turn.
pub(crate) struct Admission {
    waiting: VecDeque<Connection>,
    interval: Duration,
    /// When the next may begin; lags behind the clock by what has been saved up.
    next: Instant,
}

impl Admission {
    /// Lets so many begin a second.
    pub(crate) fn new(per_s: u32) -> Self {
        Self { waiting: VecDeque::new(), interval: Duration::from_secs(1) / per_s.max(1), next: Instant::now() }
    }

    /// Whether another can wait here.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING
    }

    /// Queues a connection.
    pub(crate) fn wait(&mut self, connection: Connection) {
        self.waiting.push_back(connection);
    }

    /// The next connection, when its time has come; waits for ever when there is none. May be dropped and called
    /// again.
    pub(crate) async fn next(&mut self) -> Connection {
        if self.waiting.is_empty() {
            return std::future::pending().await;
        }
        let now = Instant::now();
        if self.next > now {
            tokio::time::sleep_until(self.next).await;
        }
        self.next = self.next.max(now.checked_sub(BURST).unwrap_or(now)) + self.interval;
        match self.waiting.pop_front() {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Time is tokio's, which runs only as far as somebody waits for it.
    #[tokio::test(start_paused = true)]
    async fn a_burst_begins_at_once_and_the_rest_in_turn() {
        const PER_S: u32 = 100;
        const COUNT: u32 = 60;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut admission = Admission::new(PER_S);
        tokio::time::advance(Duration::from_secs(5)).await;
        for _ in 0..COUNT {
            admission.wait(tokio::join!(
                async { TcpStream::connect(listener.local_addr().unwrap()).await.unwrap() },
                async { listener.accept().await.unwrap().1 }
            ));
        }
        let started = Instant::now();
        for _ in 0..COUNT {
            admission.next().await;
        }
        let took = started.elapsed();
        // Ten were saved up.
        assert!((Duration::from_millis(480)..=Duration::from_millis(520)).contains(&took), "{took:?}");
        assert!(tokio::time::timeout(Duration::from_secs(1), admission.next()).await.is_err(), "nobody is left");
    }
}
