//! Checks what a client may do in channels: at once, or after the owner of an order has been looked up.

use std::sync::Arc;

use ordercast_access::{Right, Verdict};
use ordercast_hub::handler::{Connection, Post, Subscribe};
use ordercast_protocol::channel::Channel;

use crate::app::App;
use crate::operations::permission::{denied, is_allowed, judge_channel};
use crate::problem::Problem;

/// What a client asks for in a channel.
#[derive(Clone)]
pub(super) enum Asked {
    /// To subscribe.
    Subscribe(Subscribe),
    /// The present state, and then to subscribe.
    Snapshot(Subscribe),
    /// A part of the history: the offset it ends before, and the maximum number of events.
    History(Option<u64>, usize),
    /// The clients of the channel: the client to begin after, and the maximum number.
    Presence(Option<String>, usize),
}

impl Asked {
    /// The right that it needs.
    fn right(&self) -> Right {
        match self {
            Self::Subscribe(_) | Self::Snapshot(_) => Right::Subscribe,
            Self::History(..) => Right::ReadHistory,
            Self::Presence(..) => Right::ReadPresence,
        }
    }

    /// Whether it asks for what was published since a position.
    fn resumes(&self) -> bool {
        matches!(self, Self::Subscribe(options) if options.since.is_some())
    }

    /// The same without what was published before.
    fn starting_now(self) -> Self {
        match self {
            Self::Subscribe(options) => Self::Subscribe(Subscribe { since: None, ..options }),
            other => other,
        }
    }
}

/// A request of a client that concerns one channel.
#[derive(Clone)]
pub(super) struct Wish {
    pub(super) channel: Channel,
    pub(super) asked: Asked,
    /// The client's reference, for answers.
    pub(super) reference: Option<String>,
}

/// A request that waited for the owner of an order, with the outcome of the check.
pub(super) struct Judged {
    pub(super) wish: Wish,
    pub(super) outcome: Result<(), Problem>,
}

/// Checks a request. `Ok(Some)` may be carried out now; `Ok(None)` comes back to the handler as a [`Judged`].
pub(super) fn judge(
    app: &Arc<App>,
    wish: Wish,
    connection: &mut dyn Connection,
    post: impl FnOnce() -> Post<Judged>,
) -> Result<Option<Wish>, Problem> {
    let principal = &connection.origin().principal;
    let is_subscribed = || connection.is_subscribed(&wish.channel.name);
    match judge_channel(app, principal, wish.asked.right(), &wish.channel, is_subscribed) {
        Verdict::Allowed if wish.asked.resumes() => {
            // A position asks for the events since then, which need the right to read history.
            match judge_channel(app, principal, Right::ReadHistory, &wish.channel, || true) {
                Verdict::Denied => Ok(Some(Wish { asked: wish.asked.starting_now(), ..wish })),
                Verdict::Allowed | Verdict::IfOwn => Ok(Some(wish)),
            }
        }
        Verdict::Allowed => Ok(Some(wish)),
        Verdict::Denied => Err(denied(&wish.channel)),
        Verdict::IfOwn => {
            hold(app, wish, connection, post());
            Ok(None)
        }
    }
}

/// Looks up the owner of the order.
fn hold(app: &Arc<App>, wish: Wish, connection: &mut dyn Connection, post: Post<Judged>) {
    let (app, principal) = (Arc::clone(app), connection.origin().principal.clone());
    connection.ask(Box::new(move |replies| {
        let runtime = app.runtime.clone();
        runtime.spawn(async move {
            let is_own = is_allowed(&app, &principal, Verdict::IfOwn, &wish.channel).await;
            let outcome = match is_own {
                Ok(true) => Ok(()),
                Ok(false) => Err(denied(&wish.channel)),
                Err(error) => Err(Problem::from(error)),
            };
            post.send(Judged { wish, outcome }, &replies);
        });
    }));
}
