//! From the bytes of a socket to the messages of a handler.

use std::io::{ErrorKind, Read};

use bytes::Bytes;

use ordercast_protocol::close;

use super::subscriber::{Sink, Subscriber};
use super::{SCRATCH_BYTES, Shard};
use crate::counters::Counter;
use crate::handler::Message;
use crate::slab::Key;
use crate::ws::{self, Flow, Item, Violation};

/// The code that stands for "no code was given" (RFC 6455 §7.4.1); counted, never sent.
const NO_CODE: u16 = 1005;
/// Bytes of a message that is not whole which a connection may hold while too many bytes wait for all.
const MAX_HELD_OVER_CEILING: usize = 16 * 1024;

impl Shard {
    /// Reads once from each ready socket; those with more to read stay ready.
    pub(super) fn read_ready(&mut self) {
        let mut scratch = std::mem::take(&mut self.scratch);
        for key in std::mem::take(&mut self.ready) {
            self.with(key, |shard, subscriber| shard.read(key, subscriber, &mut scratch));
        }
        self.scratch = scratch;
    }

    fn read(&mut self, key: Key, subscriber: &mut Subscriber, scratch: &mut [u8]) {
        subscriber.is_ready = false;
        if !self.take_unread(key, subscriber) {
            return;
        }
        let Sink::Socket(socket) = &mut subscriber.sink else {
            return;
        };
        let has_more = match socket.stream.read(scratch) {
            Ok(0) => {
                subscriber.is_dead = true;
                false
            }
            Ok(count) => {
                self.on_bytes(key, subscriber, &mut scratch[..count]);
                // A short read has emptied the kernel's buffer, unless the end of the stream is behind it.
                count == SCRATCH_BYTES || subscriber.is_read_closed
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(_) => {
                subscriber.is_dead = true;
                false
            }
        };
        if has_more && !subscriber.is_dead {
            subscriber.is_ready = true;
            self.ready.push(key);
        }
    }

    /// Looks at what was read and left while questions waited; false when the socket is to be left unread still.
    fn take_unread(&mut self, key: Key, subscriber: &mut Subscriber) -> bool {
        if let Some(mut unread) = subscriber.take_unread() {
            self.on_bytes(key, subscriber, &mut unread);
        }
        !subscriber.leave_unread()
    }

    /// Decodes bytes and calls the handler for each message.
    pub(super) fn on_bytes(&mut self, key: Key, subscriber: &mut Subscriber, bytes: &mut [u8]) {
        self.tally.add(Counter::BytesIn, bytes.len());
        subscriber.active_at_ms = self.now_ms;
        subscriber.is_pinged = false;
        if subscriber.closing.as_ref().is_some_and(|closing| !closing.is_decoding) {
            return;
        }
        let Sink::Socket(socket) = &mut subscriber.sink else {
            return;
        };
        // Lifted out, because a message may do anything with the connection, and put back afterwards.
        let mut decoder = std::mem::take(&mut socket.decoder);
        let max = socket.max_message_bytes;
        let mut inflater = std::mem::take(&mut self.inflater);
        let own = subscriber.form.is_compressed.then_some(&mut inflater);
        let mut messages = 0;
        let result = decoder.decode(bytes, max, own, &mut |item| {
            messages += u64::from(matches!(item, Item::Text(_) | Item::Binary(_)));
            self.on_item(key, subscriber, item)
        });
        self.inflater = inflater;
        subscriber.entry.record().on_activity(messages, self.started_unix_ms + self.now_ms);
        if let Sink::Socket(socket) = &mut subscriber.sink {
            socket.decoder = decoder;
        }
        let left = *result.as_ref().unwrap_or(&0);
        if left > 0 && subscriber.is_held() {
            subscriber.keep_unread(&bytes[bytes.len() - left..]);
        }
        let is_large = subscriber.received_bytes() > MAX_HELD_OVER_CEILING;
        if is_large && self.is_over_ceiling() {
            self.begin_close(key, subscriber, close::TRY_AGAIN_LATER, "too many bytes wait for all clients", false);
            subscriber.forget_received();
        }
        if let Err(Violation { code, reason }) = result {
            self.tally.add(Counter::Errors, 1);
            self.begin_close(key, subscriber, code, reason, false);
            if let Some(closing) = &mut subscriber.closing {
                closing.is_decoding = false;
            }
        }
    }

    fn on_item(&mut self, key: Key, subscriber: &mut Subscriber, item: Item<'_>) -> Flow {
        self.tally.add(Counter::FramesIn, 1);
        match item {
            Item::Text(text) => self.on_message(key, subscriber, Message::Text(text)),
            Item::Binary(bytes) => self.on_message(key, subscriber, Message::Binary(bytes)),
            Item::Ping(payload) => {
                subscriber.push_replies([ws::pong_frame(payload)], self.config.control_bytes, &mut self.tally);
                self.apply_actions(key, subscriber);
            }
            Item::Pong => {}
            Item::Close(code) => self.on_peer_close(key, subscriber, code),
        }
        if subscriber.is_held() { Flow::Break(()) } else { Flow::Continue(()) }
    }

    pub(super) fn on_message(&mut self, key: Key, subscriber: &mut Subscriber, message: Message<'_>) {
        if subscriber.closing.is_none() {
            self.call_handler(key, subscriber, |handler, connection| handler.on_message(message, connection));
            self.apply_actions(key, subscriber);
        }
    }

    /// A message that came beside the stream that carries the answers.
    pub(super) fn on_delivered(&mut self, key: Key, message: &Bytes) {
        self.tally.add(Counter::BytesIn, message.len());
        let at_ms = self.started_unix_ms + self.now_ms;
        self.with(key, |shard, subscriber| {
            subscriber.entry.record().on_activity(1, at_ms);
            shard.on_message(key, subscriber, subscriber.form.message(message));
        });
    }

    /// The client closes, or answers our close.
    fn on_peer_close(&mut self, key: Key, subscriber: &mut Subscriber, code: Option<u16>) {
        if subscriber.closing.is_none() {
            let frame = ws::close_frame(code, "");
            self.begin_close_with(key, subscriber, code.unwrap_or(NO_CODE), frame, false);
        }
        if let Some(closing) = &mut subscriber.closing {
            closing.is_peer_closed = true;
            closing.is_decoding = false;
        }
    }
}
