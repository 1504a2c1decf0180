//! What somebody asks to be done to an order.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::ids::OrderId;
use crate::order::Digest;
use crate::transition::ActionName;

/// Units of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineQuantity {
    /// Which line, from 0.
    pub line: u32,
    /// How many.
    pub quantity: i64,
}

/// What is done to an order, with all that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Call it off. A customer whose order is in work only asks for it.
    Cancel,
    /// Keep it for a person, until then or as long as the rules say; afterwards it is rejected.
    Hold {
        /// Milliseconds since 1970.
        until_ms: Option<i64>,
    },
    /// Let a held order go on.
    Release,
    /// Refuse a held order.
    Reject,
    /// Try a failed order anew.
    Retry,
    /// Call a failed order done.
    Complete,
    /// Begin a scheduled order now.
    Start,
    /// Move a scheduled order.
    Reschedule {
        /// Milliseconds since 1970.
        at_ms: i64,
    },
    /// Ship units of lines.
    Fulfil {
        /// Which; `None` for all that is left.
        lines: Option<Vec<LineQuantity>>,
        /// Whether what is then left is called off.
        closes: bool,
    },
    /// Give money back.
    Refund {
        /// The text of a number in the major unit; `None` for all that is left.
        amount: Option<Arc<str>>,
    },
    /// Take units of lines back, and give money back for them if an amount is named.
    Return {
        /// Which; `None` for all that were shipped.
        lines: Option<Vec<LineQuantity>>,
        /// As for a refund; `None` for nothing.
        amount: Option<Arc<str>>,
        /// Whether they can be sold again.
        restocks: bool,
    },
}

impl Action {
    /// Its name.
    pub fn name(&self) -> ActionName {
        match self {
            Self::Cancel => ActionName::Cancel,
            Self::Hold { .. } => ActionName::Hold,
            Self::Release => ActionName::Release,
            Self::Reject => ActionName::Reject,
            Self::Retry => ActionName::Retry,
            Self::Complete => ActionName::Complete,
            Self::Start => ActionName::Start,
            Self::Reschedule { .. } => ActionName::Reschedule,
            Self::Fulfil { .. } => ActionName::Fulfil,
            Self::Refund { .. } => ActionName::Refund,
            Self::Return { .. } => ActionName::Return,
        }
    }
}

/// What somebody asks to be done to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The order's id.
    pub order_id: OrderId,
    /// What is to be done.
    pub action: Action,
    /// Why.
    pub reason: Option<Arc<str>>,
    /// The versions it is meant for; `None` for any.
    pub if_versions: Option<Vec<u32>>,
    /// The client's idempotency key.
    pub key: Option<Arc<str>>,
}

impl Request {
    /// Equal for equal requests: what a repeated key is compared by.
    pub(super) fn digest(&self) -> Digest {
        let mut text = Sha256::new();
        // Length first, so that no two lists of fields run into the same bytes.
        let mut field = |bytes: &[u8]| {
            text.update((bytes.len() as u64).to_le_bytes());
            text.update(bytes);
        };
        field(self.order_id.as_bytes());
        field(self.action.name().name().as_bytes());
        field(self.reason.as_deref().unwrap_or("").as_bytes());
        let no_lines: &Option<Vec<LineQuantity>> = &None;
        let (lines, amount, number) = match &self.action {
            Action::Hold { until_ms } => (no_lines, &None, until_ms.unwrap_or(i64::MIN)),
            Action::Reschedule { at_ms } => (no_lines, &None, *at_ms),
            Action::Fulfil { lines, closes } => (lines, &None, i64::from(*closes)),
            Action::Refund { amount } => (no_lines, amount, 0),
            Action::Return { lines, amount, restocks } => (lines, amount, i64::from(*restocks)),
            Action::Cancel | Action::Release | Action::Reject => (no_lines, &None, 0),
            Action::Retry | Action::Complete | Action::Start => (no_lines, &None, 0),
        };
        field(&number.to_le_bytes());
        field(amount.as_deref().unwrap_or("").as_bytes());
        for line in lines.iter().flatten() {
            field(&line.line.to_le_bytes());
            field(&line.quantity.to_le_bytes());
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&text.finalize()[..16]);
        digest
    }
}
