//! The messages, as one set of structs for both encodings.
//!
//! Default values are left out in either encoding. Requests take `null` for a missing value, and fields
//! that are not known are skipped: the schema grows. `bytes` fields hold JSON text when the client speaks
//! JSON, and stand in JSON messages as they are.

mod envelope;
mod publication;
mod raw_json;
mod request;
mod result;

pub use envelope::{
    Command, ConnectPush, DisconnectPush, EmulationRequest, JoinPush, LeavePush, MessagePush, Push, RefreshPush, Reply,
    SubscribePush, UnsubscribePush,
};
pub use publication::{ClientInfo, Publication};
pub use raw_json::json_text;
pub use request::{
    ConnectRequest, FilterNode, HistoryRequest, KeyedItem, PingRequest, PresenceRequest, PresenceStatsRequest,
    PublishRequest, RefreshRequest, RpcRequest, SendRequest, StreamPosition, SubRefreshRequest, SubscribeRequest,
    TrackBatch, UnsubscribeRequest,
};
pub use result::{
    ConnectResult, ErrorReply, HistoryResult, PingResult, PresenceResult, PresenceStatsResult, PublishResult,
    RefreshResult, RpcResult, SubRefreshResult, SubscribeResult, SubscribedChannel, UnsubscribeResult,
};

#[cfg(test)]
#[path = "message/message_tests.rs"]
mod tests;
