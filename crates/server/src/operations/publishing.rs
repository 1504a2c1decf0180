//! Publishing for other programs: into memory at once, into the log with the next commit.

use bytes::Bytes;
use ordercast_access::Origin;
use ordercast_engine::CommandError;
use ordercast_protocol::centrifuge::code::Error;
use ordercast_protocol::channel::{Channel, Source};
use ordercast_protocol::position::Position;
use tokio::sync::oneshot;

use crate::app::App;

/// A publication on its way.
pub(crate) enum Submitted {
    /// It was delivered.
    Told(Position),
    /// It waits for its commit.
    Waiting(oneshot::Receiver<Result<Position, CommandError>>),
}

/// Publishes for another program; `None` where nobody else may publish.
pub(crate) fn submit(app: &App, origin: &Origin, channel: &Channel, body: Bytes) -> Option<Submitted> {
    if matches!(channel.source, Source::Memory(_)) {
        return app.hub.publish(channel, body).map(Submitted::Told);
    }
    let (tell, told) = oneshot::channel();
    let reply = Box::new(move |outcome| {
        // Who asked may have gone away; what is stored stays.
        let _ = tell.send(outcome);
    });
    app.engine.submit_publication(origin.clone(), channel.name.clone(), body, reply);
    Some(Submitted::Waiting(told))
}

impl Submitted {
    /// The position of the publication, once it is delivered or durable.
    pub(crate) async fn position(self) -> Result<Position, Error> {
        match self {
            Self::Told(position) => Ok(position),
            Self::Waiting(told) => match told.await {
                Ok(outcome) => outcome.map_err(|error| error_of(&error)),
                Err(_) => Err(Error::Internal),
            },
        }
    }
}

/// Why a publication was refused, in words for clients.
pub(crate) fn error_of(error: &CommandError) -> Error {
    match error {
        CommandError::ClientFull | CommandError::Full => Error::TooManyRequests,
        CommandError::Refused(_) => Error::BadRequest,
        CommandError::Unavailable | CommandError::Stopping | CommandError::StoreFailed => Error::Internal,
    }
}
