//! Pauses: orders that are accepted and wait, by queue or by customer, until somebody lets them go on.
//!
//! A paused order stays where it is until its turn comes; then it is *parked* by the pause, so that it is looked at once
//! and not at every claim. A pause that ends releases the orders that it parked, part by part.

use std::sync::Arc;

use crate::ids::CustomerId;
use crate::status::Lane;

/// What a pause holds back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Every order.
    All,
    /// The orders of one lane.
    Lane(Lane),
    /// The orders of one customer, by opaque id.
    Customer(CustomerId),
}

impl Scope {
    /// The name it is stored under: `all`, `lane:…` or `customer:…`.
    pub fn name(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Lane(lane) => format!("lane:{}", lane.name()),
            Self::Customer(customer_id) => format!("customer:{customer_id}"),
        }
    }

    /// The scope of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.split_once(':') {
            None => (name == "all").then_some(Self::All),
            Some(("lane", lane)) => Lane::ALL.into_iter().find(|known| known.name() == lane).map(Self::Lane),
            Some(("customer", customer_id)) => Some(Self::Customer(customer_id.into())),
            Some(_) => None,
        }
    }
}

/// What keeps an order from its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parked {
    /// A pause.
    Pause(Scope),
    /// Its customer, by opaque id, has as many orders in work as is allowed.
    Limit(CustomerId),
}

impl Parked {
    /// The name it is stored under: that of the pause, or `limit:…`.
    pub fn name(&self) -> String {
        match self {
            Self::Pause(scope) => scope.name(),
            Self::Limit(customer_id) => format!("limit:{customer_id}"),
        }
    }

    /// What a name stands for.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.strip_prefix("limit:") {
            Some(customer_id) => Some(Self::Limit(customer_id.into())),
            None => Scope::from_name(name).map(Self::Pause),
        }
    }
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// What it holds back.
    pub scope: Scope,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
    /// Who paused it, as events name actors.
    pub actor: String,
    /// Why.
    pub reason: Option<Arc<str>>,
    /// Whether it has been lifted and only releases the orders that it parked.
    pub is_ending: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_scopes() {
        for scope in [Scope::All, Scope::Lane(Lane::Expedited), Scope::Customer("c_1:2".into())] {
            assert_eq!(Scope::from_name(&scope.name()), Some(scope.clone()));
            assert_eq!(Parked::from_name(&scope.name()), Some(Parked::Pause(scope)));
        }
        let limit = Parked::Limit("c_1:2".into());
        assert_eq!((Scope::from_name(&limit.name()), Parked::from_name(&limit.name())), (None, Some(limit)));
        for unknown in ["", "lane", "lane:slow", "everything", "product:tea"] {
            assert_eq!(Scope::from_name(unknown), None, "{unknown}");
        }
    }
}
