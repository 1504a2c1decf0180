//! Where a command comes from.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::principal::{Kind, Principal};
use crate::trace::Trace;

/// Where a command, a connection or a request comes from. Every method of the engine takes one first, and every
/// entrance of the server makes one by authenticating the client.
///
/// A clone copies no text: ids are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The principal that asks.
    pub principal: Principal,
    /// The address of the client.
    pub client: IpAddr,
    /// The trace that the request belongs to.
    pub trace: Trace,
}

/// Who shares one bound.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// One principal, from all its addresses.
    Principal(Kind, Arc<str>),
    /// All clients of one address that have no principal of their own.
    Address(IpAddr),
}

impl Origin {
    /// What comes from a principal at an address, without a trace.
    pub fn new(principal: Principal, client: IpAddr) -> Self {
        Self { principal, client, trace: Trace::NONE }
    }

    /// What the program itself asks for.
    pub fn system() -> Self {
        Self::new(Principal::system(), IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// The party whose share of a bound this uses: the principal if there is one, otherwise the address. All clients
    /// share the user of open mode, so for that user the address counts too.
    pub fn party(&self) -> Party {
        let principal = &self.principal;
        match principal.kind {
            Kind::Anonymous => Party::Address(self.client),
            Kind::User if principal.is_local() => Party::Address(self.client),
            kind => Party::Principal(kind, Arc::clone(&principal.id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rights::Rights;

    #[test]
    fn bounds_are_shared_by_principal_where_there_is_one() {
        let at = |principal: &Principal, last| {
            Origin::new(principal.clone(), IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))).party()
        };
        for (principal, by_principal) in [
            (Principal::local(), false),
            (Principal::anonymous(), false),
            (Principal::user("u_1".into(), Rights::NONE), true),
            (Principal::customer("c_1".into()), true),
            (Principal::worker("w1".into()), true),
            (Principal::key("k_1".into(), Rights::ALL), true),
        ] {
            assert_eq!(at(&principal, 1) == at(&principal, 2), by_principal, "{principal}");
            assert_eq!(at(&principal, 1), at(&principal, 1), "{principal}");
        }
        let (user, worker) = (Principal::user("x".into(), Rights::NONE), Principal::worker("x".into()));
        assert_ne!(at(&user, 1), at(&worker, 1), "one id of two kinds");
    }
}
