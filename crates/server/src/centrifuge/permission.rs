//! What a client may do. Pure: nothing is looked up here.

use std::sync::Arc;

use ordercast_protocol::channel::{Channel, Log, Source, View};
use ordercast_protocol::principal::Role;

use crate::channels::{Namespace, Who};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// What they may do in general.
    pub(crate) role: Role,
    /// Whose orders a customer may see.
    pub(crate) customer_id: Option<Arc<str>>,
    /// Whether they have a user id.
    pub(crate) is_user: bool,
}

/// What is asked for in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Subscribe,
    Publish,
    History,
    Presence,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Denied,
    /// Allowed if the order with this id is the caller's own.
    IfOwnOrder(Arc<str>),
}

impl From<bool> for Verdict {
    fn from(is_allowed: bool) -> Self {
        if is_allowed { Self::Allowed } else { Self::Denied }
    }
}

/// Whether a caller may do something in a channel, of the namespace if it has one.
pub(crate) fn in_channel(
    caller: &Caller,
    right: Right,
    channel: &Channel,
    namespace: Option<&Namespace>,
    is_subscribed: bool,
) -> Verdict {
    let is_staff = caller.role >= Role::Staff;
    match (&channel.source, namespace) {
        (Source::Memory(_) | Source::Log(Log::Publications, _), Some(namespace)) => {
            let who = match right {
                Right::Subscribe => namespace.allow_subscribe,
                Right::Publish => namespace.allow_publish,
                Right::History => namespace.allow_history,
                Right::Presence => namespace.allow_presence,
            };
            let is_among = match who {
                Who::Nobody => false,
                Who::Subscribers => is_subscribed,
                Who::Users => caller.is_user,
                Who::Anyone => true,
            };
            (is_staff || is_among).into()
        }
        // What the program tells nobody else may tell.
        _ if right == Right::Publish => Verdict::Denied,
        _ if is_staff => Verdict::Allowed,
        (
            Source::Log(Log::Orders, View::All | View::Channel(_))
            | Source::Log(Log::Adjustments | Log::Publications, _)
            | Source::Memory(_),
            _,
        ) => Verdict::Denied,
        (Source::Log(Log::Orders, View::Customer(id)), _) => {
            (caller.role == Role::Customer && caller.customer_id.as_ref() == Some(id)).into()
        }
        (Source::Log(Log::Orders, View::Order(id)), _) => own_order(caller, id),
        (Source::Log(Log::Products, _), _) => Verdict::Allowed,
    }
}

/// Whether a caller may see an order.
pub(crate) fn own_order(caller: &Caller, id: &Arc<str>) -> Verdict {
    match (caller.role, &caller.customer_id) {
        (Role::Staff | Role::Admin | Role::Worker, _) => Verdict::Allowed,
        (Role::Customer, Some(_)) => Verdict::IfOwnOrder(Arc::clone(id)),
        (Role::Customer, None) => Verdict::Denied,
    }
}

/// Whose orders a caller may list or place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Everybodys,
    /// Those of the customer with this opaque id.
    Of(Arc<str>),
    Nobodys,
}

/// Whose orders a caller may list.
pub(crate) fn may_list(caller: &Caller) -> Whose {
    match (caller.role, &caller.customer_id) {
        (Role::Staff | Role::Admin, _) => Whose::Everybodys,
        (Role::Customer, Some(id)) => Whose::Of(Arc::clone(id)),
        (Role::Customer, None) | (Role::Worker, _) => Whose::Nobodys,
    }
}

/// For whom a caller may order.
pub(crate) fn may_order_for(caller: &Caller) -> Whose {
    may_list(caller)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::Channels;

    fn caller(role: Role, customer_id: Option<&str>) -> Caller {
        Caller { role, customer_id: customer_id.map(Arc::from), is_user: true }
    }

    #[test]
    fn built_in_channels_are_for_those_they_concern() {
        use Verdict::{Allowed, Denied, IfOwnOrder};
        let admin = caller(Role::Admin, None);
        let staff = caller(Role::Staff, None);
        let worker = caller(Role::Worker, None);
        let ann = caller(Role::Customer, Some("c_1"));
        let nobody = caller(Role::Customer, None);
        let own = || IfOwnOrder("o1".into());
        for (name, expected) in [
            ("orders", [Allowed, Allowed, Denied, Denied, Denied]),
            ("orders:c_1", [Allowed, Allowed, Denied, Allowed, Denied]),
            ("orders:c_2", [Allowed, Allowed, Denied, Denied, Denied]),
            ("order:o1", [Allowed, Allowed, Allowed, own(), Denied]),
            ("products", [Allowed, Allowed, Allowed, Allowed, Allowed]),
            ("adjustments", [Allowed, Allowed, Denied, Denied, Denied]),
            ("stats", [Allowed, Allowed, Denied, Denied, Denied]),
        ] {
            let channel = Channel::parse(name).unwrap();
            for (who, expected) in [&admin, &staff, &worker, &ann, &nobody].into_iter().zip(expected) {
                for right in [Right::Subscribe, Right::History, Right::Presence] {
                    assert_eq!(in_channel(who, right, &channel, None, true), expected, "{name} {who:?}");
                }
                assert_eq!(in_channel(who, Right::Publish, &channel, None, true), Denied, "{name} {who:?}");
            }
        }
    }

    #[test]
    fn application_channels_are_for_those_their_namespace_names() {
        let user = caller(Role::Customer, None);
        let anonymous = Caller { is_user: false, ..user.clone() };
        let staff = Caller { is_user: false, ..caller(Role::Staff, None) };
        for (who, expected) in [
            (Who::Nobody, [false, false, false, false, true]),
            (Who::Subscribers, [false, true, false, true, true]),
            (Who::Users, [true, true, false, false, true]),
            (Who::Anyone, [true, true, true, true, true]),
        ] {
            let namespace = Namespace { name: "n".to_owned(), allow_publish: who, ..Namespace::default() };
            let (channel, namespace) = Channels::new([namespace]).unwrap().find("n:a").unwrap();
            let callers = [(&user, false), (&user, true), (&anonymous, false), (&anonymous, true), (&staff, false)];
            for ((caller, is_subscribed), expected) in callers.into_iter().zip(expected) {
                let judge = |right| in_channel(caller, right, &channel, namespace.as_deref(), is_subscribed);
                assert_eq!(judge(Right::Publish), expected.into(), "{who:?} {caller:?} {is_subscribed}");
                assert_eq!(judge(Right::History), (caller.role == Role::Staff).into());
            }
        }
    }

    #[test]
    fn orders_are_listed_for_their_owners() {
        for (who, whose) in [
            (caller(Role::Admin, Some("c_1")), Whose::Everybodys),
            (caller(Role::Staff, None), Whose::Everybodys),
            (caller(Role::Worker, None), Whose::Nobodys),
            (caller(Role::Customer, Some("c_1")), Whose::Of("c_1".into())),
            (caller(Role::Customer, None), Whose::Nobodys),
        ] {
            assert_eq!(may_list(&who), whose, "{who:?}");
        }
    }
}
