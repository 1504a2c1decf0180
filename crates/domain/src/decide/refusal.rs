//! Why a command is refused.

use std::sync::Arc;

use crate::Violation;
use crate::lease::WorkOutcome;
use crate::status::Status;
use crate::transition::ActionName;

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Fields break rules.
    Invalid(Vec<Violation>),
    /// The id or key was used for another body.
    Conflict {
        /// The id of the order or adjustment that has it.
        id: Arc<str>,
    },
    /// Less is left than a line asks for.
    OutOfStock {
        /// Which line, from 0.
        line: usize,
        /// The SKU.
        sku: String,
        /// What is left.
        left: i64,
    },
    /// Lines have SKUs that are not in the catalogue.
    UnknownProducts {
        /// What is wrong with the lines of the order, other prices included.
        violations: Vec<Violation>,
        /// The places of those of unknown SKUs among them, with the SKU.
        unknown: Vec<(usize, String)>,
    },
    /// Prices are not those of the catalogue; each names the price now.
    PriceDiffers(Vec<Violation>),
    /// The catalogue does not have the product.
    UnknownProduct {
        /// The SKU.
        sku: String,
    },
    /// There is no such order, or the principal may not see it.
    NotFound,
    /// The order has changed since the client read it.
    StaleVersion {
        /// Its version now.
        current: u32,
    },
    /// The order is not in work under the worker's lease and token.
    StaleToken,
    /// The worker has reported another outcome of the same claim before.
    AlreadyReported {
        /// Which.
        outcome: WorkOutcome,
    },
    /// The lease has ended, or there never was one.
    NoLease,
    /// The transition table does not allow the step.
    InvalidTransition {
        /// Where the order is.
        from: Status,
        /// The action that the principal cannot take there.
        action: ActionName,
        /// The actions that the principal can take.
        allowed: Vec<ActionName>,
    },
}
