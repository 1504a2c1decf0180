//! Committing a batch on a store whose connection may be lost: nobody is answered before the outcome is known.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use ordercast_store::write::{BatchId, CommitOutcome, Decider, Resolved, WriteStore};

/// How often a batch is committed anew after it was found not to be written.
const MOST_COMMITS: u32 = 5;
/// How often it is asked what became of a batch.
const MOST_QUESTIONS: u32 = 60;
/// Longest wait between two of those questions: they go on for a minute at most.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Draws the ids of one writer's batches: a random number for the writer, and a counter.
pub(crate) struct Committer {
    writer: u64,
    drawn: u64,
}

impl Committer {
    pub(crate) fn new() -> Self {
        Self { writer: RandomState::new().hash_one(0), drawn: 0 }
    }

    fn draw(&mut self) -> BatchId {
        self.drawn += 1;
        BatchId((u128::from(self.writer) << 64) | u128::from(self.drawn))
    }

    /// Commits a batch. When the outcome is unknown it is found out first; a batch that was not written is decided and
    /// committed anew under another id. [`CommitOutcome::Unknown`] remains when it could not be found out in time.
    pub(crate) async fn commit(&mut self, store: &mut dyn WriteStore, batch: &mut dyn Decider) -> CommitOutcome {
        for _ in 0..MOST_COMMITS {
            let id = self.draw();
            match store.commit(id, batch).await {
                CommitOutcome::Unknown => {}
                known => return known,
            }
            tracing::warn!("the connection to the store was lost in a commit; looking up what became of it");
            match resolve(store, id).await {
                Resolved::Committed(committed) => return CommitOutcome::Committed(committed),
                Resolved::Barred => {}
                Resolved::Unavailable { .. } => return CommitOutcome::Unknown,
                Resolved::Fatal(error) => return CommitOutcome::Fatal(error),
            }
        }
        let reason = format!("the connection to the store was lost in {MOST_COMMITS} commits in a row");
        CommitOutcome::Unavailable { reason, retry_after: LONGEST_WAIT }
    }
}

/// Asks what became of a batch until there is an answer, or too many questions had none.
async fn resolve(store: &mut dyn WriteStore, id: BatchId) -> Resolved {
    let mut asked = 1;
    loop {
        match store.resolve(id).await {
            Resolved::Unavailable { retry_after, .. } if asked < MOST_QUESTIONS => {
                asked += 1;
                tokio::time::sleep(retry_after.min(LONGEST_WAIT)).await;
            }
            answer => return answer,
        }
    }
}
