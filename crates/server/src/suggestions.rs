//! The product that was meant by a SKU that is not in the catalogue: sought after the writer has answered, away from its
//! thread and from those of the sockets.

use std::sync::{Arc, Mutex, PoisonError};

use ordercast_domain::decide::Refusal;
use ordercast_engine::{CommandError, Engine};
use ordercast_protocol::error::FieldError;
use ordercast_protocol::nearest::nearest;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::problem::Problem;

/// Most lines of one order for which a product is sought.
const MAX_LINES: usize = 4;
/// Most refused orders that wait for their search; beyond, they are answered without one.
const MAX_WAITING: usize = 64;
/// Searches at a time: they go through the whole catalogue.
const SEARCHES: usize = 1;
/// Most letters that may differ.
const MAX_LETTERS: usize = 6;

/// The names of the catalogue, gathered once for each state of it.
type Names = (u64, Arc<[Arc<str>]>);

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
    fn names(&self, engine: &Engine) -> Arc<[Arc<str>]> {
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

/// Whether an error is told only after a search.
pub(crate) fn needs_search(error: &CommandError) -> bool {
    matches!(error, CommandError::Refused(Refusal::UnknownProducts { .. }))
}

/// An order that the engine did not take, with the products that were most likely meant.
pub(crate) async fn explain(app: &Arc<App>, error: CommandError) -> Problem {
    let CommandError::Refused(Refusal::UnknownProducts { unknown, .. }) = &error else {
        return Problem::of_order(error);
    };
    let unknown: Vec<_> = unknown.iter().take(MAX_LINES).cloned().collect();
    let problem = Problem::of_order(error);
    let Ok(_place) = app.suggestions.places.try_acquire() else { return problem };
    let Ok(_turn) = app.suggestions.turns.acquire().await else { return problem };
    let searching = Arc::clone(app);
    let found = tokio::task::spawn_blocking(move || {
        let names = searching.suggestions.names(&searching.engine);
        let meant = |sku: &str| {
            let most = (sku.chars().count() / 2).clamp(1, MAX_LETTERS);
            nearest(sku, names.iter().map(|name| &**name), most).map(str::to_owned)
        };
        unknown.into_iter().map(|(place, sku)| (place, meant(&sku))).collect::<Vec<_>>()
    });
    with_suggestions(problem, found.await.unwrap_or_default())
}

fn with_suggestions(mut problem: Problem, found: Vec<(usize, Option<String>)>) -> Problem {
    for (place, meant) in found {
        if let (Some(field), Some(meant)) = (problem.fields.get_mut(place), meant) {
            field.detail = format!("is not in the catalogue; did you mean {meant}?");
        }
    }
    problem.detail = FieldError::sum_up(&problem.fields);
    problem
}
