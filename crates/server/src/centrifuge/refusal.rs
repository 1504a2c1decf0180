//! Errors of the protocol as the rest of the program counts and logs them.

use ordercast_protocol::centrifuge::code::Error;
use ordercast_protocol::centrifuge::message::ErrorReply;
use ordercast_protocol::error::ErrorCode;

use crate::problem::Problem;

/// An error as it is counted and logged.
pub(super) fn problem_of(error: &ErrorReply) -> Problem {
    let known = Error::ALL.into_iter().find(|known| known.code() == error.code);
    let code = match known {
        Some(Error::UnknownChannel) => ErrorCode::UnknownChannel,
        Some(Error::LimitExceeded | Error::AlreadySubscribed) => ErrorCode::ChannelLimit,
        Some(Error::TooManyRequests) => ErrorCode::TooManyRequests,
        Some(Error::Internal) => ErrorCode::Internal,
        Some(Error::BadRequest) => ErrorCode::MalformedJson,
        Some(Error::MethodNotFound | Error::NotAvailable) => ErrorCode::UnknownType,
        Some(Error::UnrecoverablePosition | Error::ConcurrentPagination) => ErrorCode::InvalidQuery,
        Some(Error::Unauthorized | Error::PermissionDenied | Error::TokenExpired | Error::Expired) | None => {
            ErrorCode::PermissionDenied
        }
    };
    Problem::new(code, format!("{} {}", error.code, error.message))
}
