//! Bounds of the wire, each with what happens beyond it.

/// Largest order body over HTTP, in bytes (413 beyond). The largest real wholesale order known, 705 lines, takes about 60 KiB.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Largest message a client may send over a WebSocket, in bytes, after reassembly (close 1009 beyond).
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// Deepest nesting of a JSON body (400 beyond).
pub const MAX_NESTING: usize = 32;
/// Most fields of one object of a body (422 beyond).
pub const MAX_FIELDS: usize = 128;
/// Longest `Idempotency-Key`, in bytes.
pub const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;
/// Longest SKU, in bytes.
pub const MAX_SKU_BYTES: usize = 128;
/// Longest customer, address, product name or note, in bytes.
pub const MAX_TEXT_BYTES: usize = 2_000;
/// Longest channel name, in bytes.
pub const MAX_CHANNEL_BYTES: usize = 255;
/// Most channels of one connection.
pub const MAX_CHANNELS: usize = 128;
/// Lines an order event lists; above it, it only counts them.
pub const MAX_EVENT_LINES: usize = 50;
/// Most lines an order may have under any profile of limits.
pub const MAX_LINES: usize = 10_000;
