//! Decides whether a principal may use a right on a resource. What [`TABLE`] does not list is denied.

use crate::principal::{Kind, Principal};
use crate::rights::Right;

/// The principals that a namespace lets do something in its channels. Those who hold the right may in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// No other principal.
    #[default]
    Nobody,
    /// Users who are subscribed.
    Subscribers,
    /// Everyone with a user id.
    Users,
    /// Everyone.
    Anyone,
}

impl Audience {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Nobody, Self::Subscribers, Self::Users, Self::Anyone];

    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Subscribers => "subscribers",
            Self::Users => "users",
            Self::Anyone => "anyone",
        }
    }
}

/// The object of an action, which a right is used on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// One order, with the opaque id of its customer; without the id before the order was looked up.
    Order(Option<&'a str>),
    /// The orders of the customer with this opaque id.
    OrdersOf(&'a str),
    /// The orders of all customers.
    AllOrders,
    /// The queue of orders: claims, leases, pauses.
    Queue,
    /// The products.
    Catalogue,
    /// The adjustments.
    Adjustments,
    /// What the server counts.
    Statistics,
    /// A channel of the application.
    Channel {
        /// The principals that its namespace lets do this.
        audience: Audience,
        /// Whether the principal is subscribed to it.
        is_subscribed: bool,
    },
}

/// The kind of a resource, as the table lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Order,
    OrdersOf,
    AllOrders,
    Queue,
    Catalogue,
    Adjustments,
    Statistics,
    Channel,
}

impl Resource<'_> {
    fn sort(&self) -> Sort {
        match self {
            Self::Order(_) => Sort::Order,
            Self::OrdersOf(_) => Sort::OrdersOf,
            Self::AllOrders => Sort::AllOrders,
            Self::Queue => Sort::Queue,
            Self::Catalogue => Sort::Catalogue,
            Self::Adjustments => Sort::Adjustments,
            Self::Statistics => Sort::Statistics,
            Self::Channel { .. } => Sort::Channel,
        }
    }
}

/// How far a right reaches on resources of one sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Everyone who holds the right may.
    Holders,
    /// Everyone who holds the right may, but a customer only with what is their own.
    Owners,
    /// Everyone who holds the right may, but never a customer: the resource belongs to all of them.
    NoCustomer,
    /// Everyone who holds the right may, and so may the audience of the channel.
    Audience,
}

use Reach::{Holders, NoCustomer, Owners};

/// Every combination that is not denied.
const TABLE: &[(Right, Sort, Reach)] = &[
    (Right::ReadOrder, Sort::Order, Owners),
    (Right::ListOrders, Sort::OrdersOf, Owners),
    (Right::ListOrders, Sort::AllOrders, NoCustomer),
    (Right::PlaceOrder, Sort::OrdersOf, Owners),
    (Right::PlaceOrder, Sort::AllOrders, NoCustomer),
    (Right::SetPrices, Sort::AllOrders, NoCustomer),
    (Right::ActOnOrder, Sort::Order, Owners),
    (Right::CompleteOrder, Sort::Order, NoCustomer),
    (Right::Work, Sort::Queue, NoCustomer),
    (Right::ControlQueues, Sort::Queue, NoCustomer),
    (Right::ReadCatalogue, Sort::Catalogue, Holders),
    (Right::ChangeCatalogue, Sort::Catalogue, NoCustomer),
    (Right::ReadAdjustments, Sort::Adjustments, NoCustomer),
    (Right::StoreAdjustments, Sort::Adjustments, NoCustomer),
    (Right::ReadStatistics, Sort::Statistics, NoCustomer),
    (Right::Subscribe, Sort::Channel, Reach::Audience),
    (Right::Publish, Sort::Channel, Reach::Audience),
    (Right::ReadHistory, Sort::Channel, Reach::Audience),
    (Right::ReadPresence, Sort::Channel, Reach::Audience),
];

/// The answer of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The principal may use the right.
    Allowed,
    /// The principal must not use the right.
    Denied,
    /// Allowed if the order belongs to the principal: look the order up, then judge again with its customer.
    IfOwn,
}

impl From<bool> for Verdict {
    fn from(is_allowed: bool) -> Self {
        if is_allowed { Self::Allowed } else { Self::Denied }
    }
}

/// Decides whether a principal may use a right on a resource.
pub fn judge(principal: &Principal, right: Right, resource: Resource<'_>) -> Verdict {
    let row = TABLE.iter().find(|(listed, sort, _)| *listed == right && *sort == resource.sort());
    let Some((_, _, reach)) = row else { return Verdict::Denied };
    let holds = principal.permissions.contains(right);
    let is_customer = principal.kind == Kind::Customer;
    match (reach, resource) {
        (Reach::Audience, Resource::Channel { audience, is_subscribed }) => {
            let is_among = match audience {
                Audience::Nobody => false,
                Audience::Subscribers => is_subscribed,
                Audience::Users => principal.permissions.contains(Right::JoinAsUser),
                Audience::Anyone => true,
            };
            (holds || is_among).into()
        }
        (Owners, Resource::Order(None)) if holds && is_customer => Verdict::IfOwn,
        (Owners, Resource::Order(Some(owner)) | Resource::OrdersOf(owner)) if is_customer => {
            (holds && *principal.id == *owner).into()
        }
        (NoCustomer, _) => (holds && !is_customer).into(),
        (Holders | Owners | Reach::Audience, _) => holds.into(),
    }
}

/// Whether [`judge`] allows the use of a right on a resource. An order that was not looked up is denied to customers.
pub fn may(principal: &Principal, right: Right, resource: Resource<'_>) -> bool {
    judge(principal, right, resource) == Verdict::Allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rights::Rights;
    use Verdict::{Allowed, Denied, IfOwn};

    const FOREIGN: &str = "c_2";

    fn principals() -> [Principal; 7] {
        [
            Principal::local(),
            Principal::user("u_1".into(), Rights::STAFF),
            Principal::worker("w1".into()),
            Principal::customer("c_1".into()),
            Principal::user("u_2".into(), Rights::VISITOR.and(&[Right::JoinAsUser])),
            Principal::anonymous(),
            Principal::system(),
        ]
    }

    fn resources() -> Vec<Resource<'static>> {
        let orders = [Resource::Order(None), Resource::Order(Some("c_1")), Resource::Order(Some(FOREIGN))];
        let lists = [Resource::OrdersOf("c_1"), Resource::OrdersOf(FOREIGN), Resource::AllOrders];
        let others = [Resource::Queue, Resource::Catalogue, Resource::Adjustments, Resource::Statistics];
        let channels = Audience::ALL
            .into_iter()
            .flat_map(|audience| [false, true].map(|is_subscribed| Resource::Channel { audience, is_subscribed }));
        orders.into_iter().chain(lists).chain(others).chain(channels).collect()
    }

    #[test]
    fn each_row_opens_what_it_says() {
        for (right, resource, expected) in [
            // local, staff, worker, customer c_1, a user, anonymous, system
            (Right::ReadOrder, Resource::Order(None), [Allowed, Allowed, Allowed, IfOwn, Denied, Denied, Denied]),
            (
                Right::ReadOrder,
                Resource::Order(Some("c_1")),
                [Allowed, Allowed, Allowed, Allowed, Denied, Denied, Denied],
            ),
            (
                Right::ReadOrder,
                Resource::Order(Some(FOREIGN)),
                [Allowed, Allowed, Allowed, Denied, Denied, Denied, Denied],
            ),
            (Right::ListOrders, Resource::OrdersOf("c_1"), [Allowed, Allowed, Denied, Allowed, Denied, Denied, Denied]),
            (
                Right::ListOrders,
                Resource::OrdersOf(FOREIGN),
                [Allowed, Allowed, Denied, Denied, Denied, Denied, Denied],
            ),
            (Right::ListOrders, Resource::AllOrders, [Allowed, Allowed, Denied, Denied, Denied, Denied, Denied]),
            (Right::PlaceOrder, Resource::OrdersOf("c_1"), [Allowed, Allowed, Denied, Allowed, Denied, Denied, Denied]),
            (
                Right::PlaceOrder,
                Resource::OrdersOf(FOREIGN),
                [Allowed, Allowed, Denied, Denied, Denied, Denied, Denied],
            ),
            (Right::PlaceOrder, Resource::AllOrders, [Allowed, Allowed, Denied, Denied, Denied, Denied, Denied]),
            (Right::SetPrices, Resource::AllOrders, [Allowed, Denied, Denied, Denied, Denied, Denied, Denied]),
            (Right::ActOnOrder, Resource::Order(None), [Allowed, Allowed, Allowed, IfOwn, Denied, Denied, Denied]),
            (
                Right::ActOnOrder,
                Resource::Order(Some(FOREIGN)),
                [Allowed, Allowed, Allowed, Denied, Denied, Denied, Denied],
            ),
            (Right::CompleteOrder, Resource::Order(None), [Allowed, Denied, Denied, Denied, Denied, Denied, Denied]),
            (Right::Work, Resource::Queue, [Allowed, Allowed, Allowed, Denied, Denied, Denied, Denied]),
            (Right::ControlQueues, Resource::Queue, [Allowed, Allowed, Denied, Denied, Denied, Denied, Denied]),
            (Right::ReadCatalogue, Resource::Catalogue, [Allowed, Allowed, Allowed, Allowed, Allowed, Allowed, Denied]),
            (Right::ChangeCatalogue, Resource::Catalogue, [Allowed, Denied, Denied, Denied, Denied, Denied, Denied]),
            (Right::ReadAdjustments, Resource::Adjustments, [Allowed, Allowed, Denied, Denied, Denied, Denied, Denied]),
            (Right::StoreAdjustments, Resource::Adjustments, [Allowed, Denied, Denied, Denied, Denied, Denied, Denied]),
            (Right::ReadStatistics, Resource::Statistics, [Allowed, Allowed, Denied, Denied, Denied, Denied, Denied]),
        ] {
            for (principal, expected) in principals().iter().zip(expected) {
                let verdict = judge(principal, right, resource);
                assert_eq!(verdict, expected, "{principal} {right:?} {resource:?}");
                assert_eq!(may(principal, right, resource), expected == Allowed, "{principal} {right:?} {resource:?}");
            }
        }
    }

    #[test]
    fn channels_are_for_those_whom_their_namespace_names() {
        for (audience, is_subscribed, expected) in [
            (Audience::Nobody, true, [Allowed, Allowed, Denied, Denied, Denied, Denied]),
            (Audience::Subscribers, false, [Allowed, Allowed, Denied, Denied, Denied, Denied]),
            (Audience::Subscribers, true, [Allowed, Allowed, Allowed, Allowed, Allowed, Allowed]),
            (Audience::Users, true, [Allowed, Allowed, Denied, Denied, Allowed, Denied]),
            (Audience::Anyone, false, [Allowed, Allowed, Allowed, Allowed, Allowed, Allowed]),
        ] {
            for right in [Right::Subscribe, Right::Publish, Right::ReadHistory, Right::ReadPresence] {
                for (principal, expected) in principals().iter().zip(expected) {
                    let resource = Resource::Channel { audience, is_subscribed };
                    assert_eq!(judge(principal, right, resource), expected, "{principal} {right:?} {resource:?}");
                }
            }
        }
    }

    /// A principal with every right can do nothing that the table does not list. A principal without rights can do
    /// only what a namespace opens.
    #[test]
    fn what_is_not_listed_is_denied() {
        let nobody = Principal::system();
        let everybody = principals().map(|principal| principal.with(Rights::ALL));
        for right in Right::ALL {
            for resource in resources() {
                let is_listed = TABLE.iter().any(|(listed, sort, _)| *listed == right && *sort == resource.sort());
                for principal in &everybody {
                    let verdict = judge(principal, right, resource);
                    assert!(is_listed || verdict == Denied, "{principal} {right:?} {resource:?}");
                }
                let is_opened = matches!(
                    resource,
                    Resource::Channel { audience: Audience::Anyone, .. }
                        | Resource::Channel { audience: Audience::Subscribers, is_subscribed: true }
                );
                let verdict = judge(&nobody, right, resource);
                assert_eq!(verdict, (is_listed && is_opened).into(), "{right:?} {resource:?}");
            }
        }
        let rows = TABLE.iter().enumerate();
        let mut twice = rows.filter(|(at, (right, sort, _))| {
            TABLE[..*at].iter().any(|(earlier, other, _)| earlier == right && other == sort)
        });
        assert_eq!(twice.next(), None, "a row that is listed twice has one meaning too many");
    }
}
