//! As whom a principal acts.

use std::sync::Arc;

use ordercast_domain::transition::Actor;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::principal::{Principal, Role};

use crate::problem::Problem;

/// As whom somebody does something to orders.
///
/// # Errors
/// A customer without orders may do nothing.
pub(crate) fn actor_of(principal: &Principal) -> Result<Actor, Problem> {
    match (principal.role, &principal.customer_id) {
        (Role::Customer, Some(customer_id)) => Ok(Actor::Customer(Arc::clone(customer_id))),
        (Role::Customer, None) => Err(Problem::new(ErrorCode::PermissionDenied, "this is for customers with an id")),
        (Role::Worker, _) => Ok(Actor::Worker(Arc::clone(&principal.name))),
        (Role::Staff, _) => Ok(Actor::Staff),
        (Role::Admin, _) => Ok(Actor::Admin),
    }
}
