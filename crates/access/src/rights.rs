//! Rights, and sets of them.

use std::fmt;

/// One thing that a principal may be allowed to do. [`crate::policy`] says on which resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// Read one order and its events.
    ReadOrder,
    /// List orders, and follow all of them or those of one customer.
    ListOrders,
    /// Place orders.
    PlaceOrder,
    /// Place orders at other prices than the catalogue's.
    SetPrices,
    /// Move an order on: hold it, cancel it, ship it and so on, as far as the transition table allows.
    ActOnOrder,
    /// Call a failed order done.
    CompleteOrder,
    /// Claim orders, and report how the work on them ended.
    Work,
    /// Pause and resume queues, and retry failed orders by filter.
    ControlQueues,
    /// Read products.
    ReadCatalogue,
    /// Change products.
    ChangeCatalogue,
    /// Read adjustments.
    ReadAdjustments,
    /// Store adjustments.
    StoreAdjustments,
    /// Read the counts and metrics of the server.
    ReadStatistics,
    /// Subscribe to every application channel, independent of its namespace.
    Subscribe,
    /// Publish into every application channel, independent of its namespace.
    Publish,
    /// Read the history of every application channel, independent of its namespace.
    ReadHistory,
    /// See who is subscribed to every application channel, independent of its namespace.
    ReadPresence,
    /// Count as one of the users that a namespace opens its channels to.
    JoinAsUser,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::ReadOrder,
        Self::ListOrders,
        Self::PlaceOrder,
        Self::SetPrices,
        Self::ActOnOrder,
        Self::CompleteOrder,
        Self::Work,
        Self::ControlQueues,
        Self::ReadCatalogue,
        Self::ChangeCatalogue,
        Self::ReadAdjustments,
        Self::StoreAdjustments,
        Self::ReadStatistics,
        Self::Subscribe,
        Self::Publish,
        Self::ReadHistory,
        Self::ReadPresence,
        Self::JoinAsUser,
    ];

    /// What the right allows, as it stands in messages: "this needs the right to …".
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadOrder => "read orders",
            Self::ListOrders => "list orders",
            Self::PlaceOrder => "place orders",
            Self::SetPrices => "set prices",
            Self::ActOnOrder => "act on orders",
            Self::CompleteOrder => "complete failed orders",
            Self::Work => "work on orders",
            Self::ControlQueues => "control queues",
            Self::ReadCatalogue => "read products",
            Self::ChangeCatalogue => "change products",
            Self::ReadAdjustments => "read adjustments",
            Self::StoreAdjustments => "store adjustments",
            Self::ReadStatistics => "read statistics",
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::ReadHistory => "read history",
            Self::ReadPresence => "read presence",
            Self::JoinAsUser => "join as a user",
        }
    }
}

/// A set of rights.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rights(u32);

impl Rights {
    /// No right at all.
    pub const NONE: Self = Self(0);
    /// Every right.
    pub const ALL: Self = Self::of(&Right::ALL);
    /// The rights of every client, also of those that have not named themselves.
    pub const VISITOR: Self = Self::of(&[Right::ReadCatalogue]);
    /// What a customer may do with their own orders.
    pub const CUSTOMER: Self =
        Self::VISITOR.and(&[Right::ReadOrder, Right::ListOrders, Right::PlaceOrder, Right::ActOnOrder]);
    /// What a worker process outside the server may do.
    pub const WORKER: Self = Self::VISITOR.and(&[Right::ReadOrder, Right::ActOnOrder, Right::Work]);
    /// What people who handle orders may do.
    pub const STAFF: Self = Self::CUSTOMER.and(&[
        Right::Work,
        Right::ControlQueues,
        Right::ReadAdjustments,
        Right::ReadStatistics,
        Right::Subscribe,
        Right::Publish,
        Right::ReadHistory,
        Right::ReadPresence,
    ]);

    /// The set of some rights.
    pub const fn of(rights: &[Right]) -> Self {
        Self(0).and(rights)
    }

    /// The set with more rights.
    #[must_use]
    pub const fn and(self, rights: &[Right]) -> Self {
        let (mut bits, mut at) = (self.0, 0);
        while at < rights.len() {
            bits |= 1 << rights[at] as u32;
            at += 1;
        }
        Self(bits)
    }

    /// Whether a right is in the set.
    pub const fn contains(self, right: Right) -> bool {
        self.0 & (1 << right as u32) != 0
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Right::ALL.into_iter().filter(|right| self.contains(*right))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        for (at, right) in Right::ALL.into_iter().enumerate() {
            assert_eq!(right as usize, at, "{right:?} is listed in the order of the declaration");
            assert!(Rights::ALL.contains(right), "{right:?}");
            assert!(!Rights::NONE.contains(right), "{right:?}");
            let alone = Rights::of(&[right]);
            assert!(Right::ALL.into_iter().all(|other| alone.contains(other) == (other == right)), "{right:?}");
        }
    }
}
