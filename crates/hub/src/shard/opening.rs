//! How connections begin.

use bytes::Bytes;
use mio::{Interest, Token};
use ordercast_protocol::envelope::{Carrier, Wire};

use super::subscriber::{Sink, Socket, Subscriber};
use super::{Adoption, Content, Opening, Shard};
use crate::frames::Form;
use crate::outbox::Outbox;
use crate::ws::Decoder;

/// How long a stream's client waits before it reconnects, in milliseconds.
const STREAM_RETRY: &[u8] = b"retry: 2000\n\n";

impl Shard {
    /// Takes a socket over and lets its handler speak first.
    pub(super) fn adopt(&mut self, adoption: Adoption) {
        let Adoption { entry, stream, answer, mut already_read, max_message_bytes, is_compressed, origin, handler } =
            adoption;
        if self.draining.is_some() {
            return;
        }
        let wire = match handler.wire() {
            // Events of streams are not frames; nobody could read them from a socket.
            wire if wire.carrier() == Carrier::Stream => Wire::PlainJson,
            wire => wire,
        };
        let form = Form { is_compressed, ..Form::plain(wire) };
        let stream = mio::net::TcpStream::from_std(stream);
        let (decoder, mut outbox) = (Decoder::default(), Outbox::default());
        outbox.push_first(answer);
        let socket = Socket { stream, decoder, outbox, max_message_bytes, is_blocked: false };
        let subscriber = Subscriber::new(Sink::Socket(socket), entry, origin, form, self.now_ms);
        let key = self.subscribers.insert(Box::new(subscriber));
        self.with(key, |shard, subscriber| {
            subscriber.handler = Some(handler);
            if let Sink::Socket(socket) = &mut subscriber.sink {
                let (token, interest) = (Token(key.to_u64() as usize), Interest::READABLE | Interest::WRITABLE);
                if let Err(error) = shard.poll.registry().register(&mut socket.stream, token, interest) {
                    tracing::warn!(%error, "cannot poll a socket");
                    subscriber.is_dead = true;
                    return;
                }
            }
            shard.call_handler(key, subscriber, |handler, connection| handler.on_open(connection));
            shard.apply_actions(key, subscriber);
            if !already_read.is_empty() {
                shard.on_bytes(key, subscriber, &mut already_read);
            }
        });
    }

    /// Starts a stream with its subscriptions.
    pub(super) fn open(&mut self, opening: Opening) {
        let Opening { entry, pipe, origin, content } = opening;
        if self.draining.is_some() {
            // Dropping the pipe ends the stream.
            return;
        }
        let wire = match &content {
            Content::Channels(_) => Wire::ServerSentEvents,
            Content::ConnectionHandler(handler, _) => handler.wire(),
        };
        let subscriber = Subscriber::new(Sink::Stream(pipe), entry, origin, Form::plain(wire), self.now_ms);
        let key = self.subscribers.insert(Box::new(subscriber));
        self.with(key, |shard, subscriber| {
            if let Sink::Stream(pipe) = &subscriber.sink {
                subscriber.is_dead = !pipe.attach(key.to_u64());
            }
            match content {
                Content::Channels(channels) => {
                    subscriber.push_control(Bytes::from_static(STREAM_RETRY));
                    shard.subscribe_stream(key, subscriber, channels);
                }
                Content::ConnectionHandler(handler, first) => {
                    subscriber.handler = Some(handler);
                    subscriber.entry.give_address(shard.number, key.to_u64());
                    shard.call_handler(key, subscriber, |handler, connection| handler.on_open(connection));
                    shard.apply_actions(key, subscriber);
                    shard.on_message(key, subscriber, subscriber.form.message(&first));
                }
            }
        });
    }
}
