//! The frames of the plain JSON protocol on `/ws`: what clients ask for, and what the server says.

mod answer;
mod request;

pub use answer::{
    Extent, write_connect, write_error, write_history, write_order_ack, write_pong, write_presence, write_products,
    write_reconnect, write_subscribed, write_unsubscribed,
};
pub use request::{
    ClientFrame, FrameError, MAX_HISTORY_EVENTS, MAX_PRESENCE_MEMBERS, MAX_SAMPLE_MS, Policy, Request, parse_frame,
};
