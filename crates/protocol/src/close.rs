//! Close codes of WebSocket connections (RFC 6455 §7.4 and its registry).

/// Normal closure.
pub const NORMAL: u16 = 1000;
/// The server is going away; come back later, elsewhere or here.
pub const GOING_AWAY: u16 = 1001;
/// A frame broke the protocol.
pub const PROTOCOL_ERROR: u16 = 1002;
/// A kind of data that is not accepted.
pub const UNSUPPORTED: u16 = 1003;
/// Text that is not UTF-8.
pub const INVALID_UTF8: u16 = 1007;
/// A rule of the server was broken, such as too many errors in a row.
pub const POLICY: u16 = 1008;
/// A message beyond [`crate::limits::MAX_MESSAGE_BYTES`].
pub const TOO_BIG: u16 = 1009;
/// The server failed.
pub const INTERNAL: u16 = 1011;
/// The server has too much to do; come back later.
pub const TRY_AGAIN_LATER: u16 = 1013;
