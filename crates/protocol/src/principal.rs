//! Who asks.

use std::sync::{Arc, LazyLock};

/// What a principal may do; a wider role includes the narrower ones' reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The role's name in events and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Worker => "worker",
            Self::Staff => "staff",
            Self::Admin => "admin",
        }
    }
}

/// Who sends a command, reads or subscribes. Every entrance of the server makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// A stable name: of the local user in open mode, of a token's subject later.
    pub name: Arc<str>,
    /// What they may do.
    pub role: Role,
    /// The customer whose orders they may see, when that is all they may see.
    pub customer_id: Option<Arc<str>>,
}

impl Principal {
    /// The principal of open mode, which the server offers on loopback only.
    pub fn local_admin() -> Self {
        // Every connection of open mode has one.
        static NAME: LazyLock<Arc<str>> = LazyLock::new(|| "local".into());
        Self { name: Arc::clone(&NAME), role: Role::Admin, customer_id: None }
    }
}
