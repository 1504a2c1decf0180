//! The product that was meant by a SKU that is not in the catalogue: sought after the writer has answered, away from its
//! thread and from those of the sockets.

use std::sync::{Arc, Mutex, PoisonError};

use ordercast_domain::ids::Sku;
use ordercast_engine::Engine;
use ordercast_protocol::nearest::nearest;
use tokio::sync::Semaphore;

/// Most lines of one order for which a product is sought.
const MAX_LINES: usize = 4;
/// Most refused orders that wait for their search; beyond, they are answered without one.
const MAX_WAITING: usize = 64;
/// Searches at a time: they go through the whole catalogue.
const SEARCHES: usize = 1;
/// Most letters that may differ.
const MAX_LETTERS: usize = 6;

/// The names of the catalogue, gathered once for each state of it.
type Names = (u64, Arc<[Sku]>);

/// Searches for products.
pub(crate) struct Suggestions {
    places: Semaphore,
    turns: Semaphore,
    names: Mutex<Option<Names>>,
}

impl Default for Suggestions {
    fn default() -> Self {
        let (places, turns) = (Semaphore::new(MAX_WAITING), Semaphore::new(SEARCHES));
        Self { places, turns, names: Mutex::default() }
    }
}

impl Suggestions {
    /// The products that were most likely meant by SKUs, for the first lines of an order; nothing when too many others
    /// wait. Each SKU comes with a number of the caller's.
    pub(crate) async fn find(&self, engine: &Engine, skus: &[(usize, String)]) -> Vec<(usize, String)> {
        let Ok(_place) = self.places.try_acquire() else { return Vec::new() };
        let Ok(_turn) = self.turns.acquire().await else { return Vec::new() };
        let (names, skus) = (self.names(engine), skus[..skus.len().min(MAX_LINES)].to_vec());
        let search = move || {
            let meant = |(number, sku): (usize, String)| {
                let most = (sku.chars().count() / 2).clamp(1, MAX_LETTERS);
                let nearest = nearest(&sku, names.iter().map(|name| &**name), most)?;
                Some((number, nearest.to_owned()))
            };
            skus.into_iter().filter_map(meant).collect()
        };
        tokio::task::spawn_blocking(search).await.unwrap_or_default()
    }

    fn names(&self, engine: &Engine) -> Arc<[Sku]> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        // The writer waits for this lock, so it is held for copying only.
        let listing = engine.catalogue().read();
        match &*names {
            Some((revision, known)) if *revision == listing.revision => Arc::clone(known),
            _ => {
                let known: Arc<[_]> = listing.products.keys().cloned().collect();
                *names = Some((listing.revision, Arc::clone(&known)));
                known
            }
        }
    }
}
