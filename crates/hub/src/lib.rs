//! The read side: channels, subscriptions, catch-up, fan-out, the WebSocket codec and socket loops.
