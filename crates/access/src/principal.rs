//! Principals: who sends a command, reads or subscribes.

use std::fmt;
use std::sync::{Arc, LazyLock};

use crate::rights::Rights;

/// Id of the user of open mode.
const LOCAL: &str = "local";

/// The kind of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A person with an account.
    User,
    /// A program with a key.
    Key,
    /// A worker, inside or outside the server. Its id is its name.
    Worker,
    /// A customer, who sees and moves their own orders only. Its id is the customer's opaque id.
    Customer,
    /// A client that has not named itself.
    Anonymous,
    /// The program itself: timers, rules, recovery.
    System,
}

impl Kind {
    /// The name in events and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Key => "key",
            Self::Worker => "worker",
            Self::Customer => "customer",
            Self::Anonymous => "anonymous",
            Self::System => "system",
        }
    }
}

/// A user, program, worker or customer that sends a command, reads or subscribes.
///
/// Stored events name a principal by one string, which is what `Display` writes: `user:u_…`, `key:k_…`,
/// `customer:c_…`, `worker:NAME`, `system` or `anonymous`; in open mode `user:local`. Ids hold no personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The kind.
    pub kind: Kind,
    /// The opaque id within its kind, such as `u_…`; empty for the system and for the anonymous.
    pub id: Arc<str>,
    /// The rights it holds; [`crate::policy`] says on which resources it may use them.
    pub permissions: Rights,
}

impl Principal {
    /// The user of open mode, which the server offers on loopback only: an administrator.
    pub fn local() -> Self {
        // Every connection of open mode has one.
        static ID: LazyLock<Arc<str>> = LazyLock::new(|| LOCAL.into());
        Self { kind: Kind::User, id: Arc::clone(&ID), permissions: Rights::ALL }
    }

    /// A person with an account; `id` is opaque.
    pub fn user(id: Arc<str>, permissions: Rights) -> Self {
        Self { kind: Kind::User, id, permissions }
    }

    /// A program with a key; `id` is opaque.
    pub fn key(id: Arc<str>, permissions: Rights) -> Self {
        Self { kind: Kind::Key, id, permissions }
    }

    /// The customer with this opaque id.
    pub fn customer(id: Arc<str>) -> Self {
        Self { kind: Kind::Customer, id, permissions: Rights::CUSTOMER }
    }

    /// The worker of this name.
    pub fn worker(name: Arc<str>) -> Self {
        Self { kind: Kind::Worker, id: name, permissions: Rights::WORKER }
    }

    /// A client that has not named itself.
    pub fn anonymous() -> Self {
        Self { kind: Kind::Anonymous, id: no_id(), permissions: Rights::VISITOR }
    }

    /// The program itself. What it does to orders is decided by the transition table alone, so it holds no rights.
    pub fn system() -> Self {
        Self { kind: Kind::System, id: no_id(), permissions: Rights::NONE }
    }

    /// The same principal with other rights.
    #[must_use]
    pub fn with(self, permissions: Rights) -> Self {
        Self { permissions, ..self }
    }

    /// The opaque id of the customer that this principal is, if it is one.
    pub fn customer_id(&self) -> Option<&Arc<str>> {
        (self.kind == Kind::Customer).then_some(&self.id)
    }

    /// Whether this is the user of open mode, whose name all clients share.
    pub fn is_local(&self) -> bool {
        self.kind == Kind::User && *self.id == *LOCAL
    }

    /// The two parts of the name in events, which are joined by a colon unless the second is empty.
    pub fn name_parts(&self) -> (&'static str, &str) {
        (self.kind.name(), &self.id)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name_parts() {
            (kind, "") => f.write_str(kind),
            (kind, id) => write!(f, "{kind}:{id}"),
        }
    }
}

/// The empty id, kept once for all who have none.
fn no_id() -> Arc<str> {
    static NONE: LazyLock<Arc<str>> = LazyLock::new(|| "".into());
    Arc::clone(&NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_have_the_names_that_events_store() {
        for (principal, name) in [
            (Principal::local(), "user:local"),
            (Principal::user("u_1".into(), Rights::STAFF), "user:u_1"),
            (Principal::key("k_1".into(), Rights::ALL), "key:k_1"),
            (Principal::customer("c_1".into()), "customer:c_1"),
            (Principal::worker("w1".into()), "worker:w1"),
            (Principal::anonymous(), "anonymous"),
            (Principal::system(), "system"),
        ] {
            assert_eq!(principal.to_string(), name);
            assert_eq!(principal.is_local(), name == "user:local", "{name}");
            assert_eq!(principal.customer_id().is_some(), name == "customer:c_1", "{name}");
        }
        assert!(!Principal::worker("local".into()).is_local());
    }
}
