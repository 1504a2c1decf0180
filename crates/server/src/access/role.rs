//! Roles: the sets of rights that tokens name.

use ordercast_access::Rights;

/// What a token says that its user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Own orders only.
    Customer,
    /// A worker process outside the server.
    Worker,
    /// Sees and moves every order.
    Staff,
    /// Everything.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Customer, Self::Worker, Self::Staff, Self::Admin];

    /// The role's name in tokens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Worker => "worker",
            Self::Staff => "staff",
            Self::Admin => "admin",
        }
    }

    /// What the role may do. A customer has it only with an id; without one there is nothing of their own.
    pub(crate) fn rights(self) -> Rights {
        match self {
            Self::Customer => Rights::VISITOR,
            Self::Worker => Rights::WORKER,
            Self::Staff => Rights::STAFF,
            Self::Admin => Rights::ALL,
        }
    }
}
