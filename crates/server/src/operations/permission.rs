//! Whether a principal may do something in a channel.

use ordercast_access::{Principal, Resource, Right, Verdict, judge};
use ordercast_protocol::channel::{Channel, Log, Source, View};
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::excerpt::excerpt;
use ordercast_protocol::topic::{Topic, TopicKind};
use ordercast_store::StoreError;

use crate::app::App;
use crate::channels::Namespace;
use crate::problem::Problem;

/// Judges whether a principal may do something in a channel, of the namespace if it has one: `right` is one of
/// [`Right::Subscribe`], [`Right::Publish`], [`Right::ReadHistory`] and [`Right::ReadPresence`]. Channels that are built in
/// show orders, products and so on: they need the right to read those.
pub(crate) fn in_channel(
    principal: &Principal,
    right: Right,
    channel: &Channel,
    namespace: Option<&Namespace>,
    is_subscribed: bool,
) -> Verdict {
    let (right, resource) = match (&channel.source, namespace) {
        (Source::Memory(_) | Source::Log(Log::Publications, _), Some(namespace)) => {
            let audience = match right {
                Right::Subscribe => namespace.allow_subscribe,
                Right::Publish => namespace.allow_publish,
                Right::ReadHistory => namespace.allow_history,
                Right::ReadPresence => namespace.allow_presence,
                _ => return Verdict::Denied,
            };
            (right, Resource::Channel { audience, is_subscribed })
        }
        // Only the program itself publishes into channels that are built in.
        _ if right == Right::Publish => return Verdict::Denied,
        (Source::Log(Log::Orders, View::All), _) => (Right::ListOrders, Resource::AllOrders),
        (Source::Log(Log::Orders, View::Topic(topic)), _) => match topic.kind {
            TopicKind::Order => (Right::ReadOrder, Resource::Order(None)),
            TopicKind::Customer => (Right::ListOrders, Resource::OrdersOf(&topic.id)),
            // No event of an order has such a topic.
            TopicKind::Channel => (Right::ListOrders, Resource::AllOrders),
        },
        (Source::Log(Log::Products, _), _) => (Right::ReadCatalogue, Resource::Catalogue),
        (Source::Log(Log::Adjustments, _), _) => (Right::ReadAdjustments, Resource::Adjustments),
        (Source::Log(Log::Publications, _) | Source::Memory(_), None) => (Right::ReadStatistics, Resource::Statistics),
    };
    judge(principal, right, resource)
}

/// As [`in_channel`], and looks the namespace up. `is_subscribed` is called only if it can matter.
pub(crate) fn judge_channel(
    app: &App,
    principal: &Principal,
    right: Right,
    channel: &Channel,
    is_subscribed: impl FnOnce() -> bool,
) -> Verdict {
    if !matches!(channel.source, Source::Memory(_) | Source::Log(Log::Publications, _)) {
        return in_channel(principal, right, channel, None, false);
    }
    let found = app.config.channels.find(&channel.name);
    let namespace = found.ok().and_then(|(_, namespace)| namespace);
    in_channel(principal, right, channel, namespace.as_deref(), is_subscribed())
}

/// Refuses a principal that may not subscribe to a channel.
///
/// # Errors
/// A problem that names the channel, or says that the store cannot be read.
pub(crate) async fn check_subscribing(app: &App, principal: &Principal, channel: &Channel) -> Result<(), Problem> {
    let verdict = judge_channel(app, principal, Right::Subscribe, channel, || false);
    if is_allowed(app, principal, verdict, channel).await? { Ok(()) } else { Err(denied(channel)) }
}

/// The error for a principal that may not do something in a channel.
pub(crate) fn denied(channel: &Channel) -> Problem {
    Problem::new(ErrorCode::PermissionDenied, format!("{:?} is not open to you for this", excerpt(&channel.name)))
}

/// Whether a verdict allows it; looks up the owner of the channel's order if that decides.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn is_allowed(
    app: &App,
    principal: &Principal,
    verdict: Verdict,
    channel: &Channel,
) -> Result<bool, StoreError> {
    match (verdict, &channel.source) {
        (Verdict::Allowed, _) => Ok(true),
        (Verdict::IfOwn, Source::Log(Log::Orders, View::Topic(Topic { kind: TopicKind::Order, id }))) => {
            let order = app.store.order(id.clone().into()).await?;
            let may_read = |owner: &str| judge(principal, Right::ReadOrder, Resource::Order(Some(owner)));
            Ok(order.is_some_and(|(order, _)| may_read(&order.customer_id) == Verdict::Allowed))
        }
        (Verdict::Denied | Verdict::IfOwn, _) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use ordercast_access::{Audience, Rights};

    use super::*;
    use crate::channels::Channels;

    fn user(rights: Rights) -> Principal {
        Principal::user("u_1".into(), rights)
    }

    #[test]
    fn built_in_channels_are_for_those_they_concern() {
        use Verdict::{Allowed, Denied, IfOwn};
        let admin = user(Rights::ALL);
        let staff = user(Rights::STAFF);
        let worker = Principal::worker("w1".into());
        let ann = Principal::customer("c_1".into());
        let nobody = Principal::anonymous();
        for (name, expected) in [
            ("orders", [Allowed, Allowed, Denied, Denied, Denied]),
            ("orders:c_1", [Allowed, Allowed, Denied, Allowed, Denied]),
            ("orders:c_2", [Allowed, Allowed, Denied, Denied, Denied]),
            ("order:o1", [Allowed, Allowed, Allowed, IfOwn, Denied]),
            ("products", [Allowed, Allowed, Allowed, Allowed, Allowed]),
            ("adjustments", [Allowed, Allowed, Denied, Denied, Denied]),
            ("stats", [Allowed, Allowed, Denied, Denied, Denied]),
        ] {
            let channel = Channel::parse(name).unwrap();
            for (who, expected) in [&admin, &staff, &worker, &ann, &nobody].into_iter().zip(expected) {
                for right in [Right::Subscribe, Right::ReadHistory, Right::ReadPresence] {
                    assert_eq!(in_channel(who, right, &channel, None, true), expected, "{name} {who:?}");
                }
                assert_eq!(in_channel(who, Right::Publish, &channel, None, true), Denied, "{name} {who:?}");
            }
        }
    }

    #[test]
    fn application_channels_are_for_those_their_namespace_names() {
        let user = user(Rights::VISITOR.and(&[Right::JoinAsUser]));
        let anonymous = Principal::anonymous();
        let staff = Principal::anonymous().with(Rights::STAFF);
        for (who, expected) in [
            (Audience::Nobody, [false, false, false, false, true]),
            (Audience::Subscribers, [false, true, false, true, true]),
            (Audience::Users, [true, true, false, false, true]),
            (Audience::Anyone, [true, true, true, true, true]),
        ] {
            let namespace = Namespace { name: "n".to_owned(), allow_publish: who, ..Namespace::default() };
            let (channel, namespace) = Channels::new([namespace]).unwrap().find("n:a").unwrap();
            let callers = [(&user, false), (&user, true), (&anonymous, false), (&anonymous, true), (&staff, false)];
            for ((caller, is_subscribed), expected) in callers.into_iter().zip(expected) {
                let judge = |right| in_channel(caller, right, &channel, namespace.as_deref(), is_subscribed);
                assert_eq!(judge(Right::Publish), expected.into(), "{who:?} {caller:?} {is_subscribed}");
                assert_eq!(judge(Right::ReadHistory), (*caller == staff).into());
            }
        }
    }
}
