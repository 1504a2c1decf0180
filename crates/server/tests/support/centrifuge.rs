//! A client of the Centrifuge protocol, in either encoding. It is checked against the official SDKs elsewhere;
//! here it shows every byte that a test asks for.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use jsonwebtoken::{EncodingKey, Header, encode};
use ordercast_protocol::centrifuge::codec::Encoding;
use ordercast_protocol::centrifuge::message::{
    Command, ConnectRequest, ConnectResult, ErrorReply, HistoryRequest, PresenceStatsRequest, Publication,
    PublishRequest, Push, Reply, RpcRequest, SubscribeRequest, SubscribeResult, UnsubscribeRequest,
};
use prost::Message;
use serde_json::Value;

use super::{BINARY, Socket, TEXT};

pub(crate) const BOTH: [Encoding; 2] = [Encoding::Json, Encoding::Protobuf];
/// The secret that tokens of tests are signed with.
pub(crate) const SECRET: &str = "secret";

/// A token of these claims.
pub(crate) fn token(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET.as_bytes())).expect("a token")
}

/// Seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}

/// A request to subscribe and nothing more.
pub(crate) fn channel(name: &str) -> SubscribeRequest {
    SubscribeRequest { channel: name.to_owned(), ..SubscribeRequest::default() }
}

/// A request to resume.
pub(crate) fn since(name: &str, epoch: &str, offset: u64) -> SubscribeRequest {
    SubscribeRequest { recover: true, epoch: epoch.to_owned(), offset, ..channel(name) }
}

/// One connection.
pub(crate) struct CentrifugeClient {
    socket: Socket,
    pub(crate) encoding: Encoding,
    last_id: u32,
    /// Replies that came and nobody has asked for.
    waiting: VecDeque<Reply>,
    /// Whether pings are answered.
    pub(crate) answers_pings: bool,
}

impl CentrifugeClient {
    /// Opens a socket and says nothing.
    pub(crate) fn open(address: SocketAddr, encoding: Encoding) -> Self {
        Self::open_at(address, encoding, "/connection/websocket")
    }

    pub(crate) fn open_at(address: SocketAddr, encoding: Encoding, path: &str) -> Self {
        let headers = match encoding {
            Encoding::Json => "",
            Encoding::Protobuf => "Sec-WebSocket-Protocol: centrifuge-protobuf\r\n",
        };
        let socket = Socket::open_with(address, path, headers).expect("the socket opens");
        Self { socket, encoding, last_id: 0, waiting: VecDeque::new(), answers_pings: true }
    }

    /// Opens a socket and connects without a token.
    pub(crate) fn connected(address: SocketAddr, encoding: Encoding) -> Self {
        let mut client = Self::open(address, encoding);
        client.connect("").expect("the connection stands");
        client
    }

    pub(crate) fn connect(&mut self, token: &str) -> Result<ConnectResult, ErrorReply> {
        let request = ConnectRequest { token: token.to_owned(), ..ConnectRequest::default() };
        let reply = self.call(Command { connect: Some(request), ..Command::default() });
        reply.error.map_or_else(|| Ok(reply.connect.expect("a result")), Err)
    }

    pub(crate) fn subscribe(&mut self, request: SubscribeRequest) -> Result<SubscribeResult, ErrorReply> {
        let reply = self.call(Command { subscribe: Some(request), ..Command::default() });
        reply.error.map_or_else(|| Ok(reply.subscribe.expect("a result")), Err)
    }

    pub(crate) fn unsubscribe(&mut self, name: &str) {
        let unsubscribe = Some(UnsubscribeRequest { channel: name.to_owned() });
        let reply = self.call(Command { unsubscribe, ..Command::default() });
        assert!(reply.unsubscribe.is_some(), "{reply:?}");
    }

    pub(crate) fn publish(&mut self, name: &str, data: impl AsRef<[u8]>) -> Result<(), ErrorReply> {
        let data = Bytes::copy_from_slice(data.as_ref());
        let publish = Some(PublishRequest { channel: name.to_owned(), data, ..PublishRequest::default() });
        let reply = self.call(Command { publish, ..Command::default() });
        assert!(reply.error.is_some() || reply.publish.is_some(), "{reply:?}");
        reply.error.map_or(Ok(()), Err)
    }

    pub(crate) fn rpc(&mut self, method: &str, data: &Value) -> Result<Value, ErrorReply> {
        let data = Bytes::from(data.to_string());
        let rpc = Some(RpcRequest { method: method.to_owned(), data });
        let reply = self.call(Command { rpc, ..Command::default() });
        let result = |reply: Reply| serde_json::from_slice(&reply.rpc.expect("a result").data).expect("JSON");
        match reply.error {
            Some(error) => Err(error),
            None => Ok(result(reply)),
        }
    }

    pub(crate) fn history(&mut self, request: HistoryRequest) -> Reply {
        self.call(Command { history: Some(request), ..Command::default() })
    }

    /// Clients and users of a channel.
    pub(crate) fn presence_stats(&mut self, name: &str) -> (u32, u32) {
        let presence_stats = Some(PresenceStatsRequest { channel: name.to_owned() });
        let stats = self.call(Command { presence_stats, ..Command::default() }).presence_stats.expect("a result");
        (stats.num_clients, stats.num_users)
    }

    /// The code that a client is refused with who asks for the counts.
    pub(crate) fn presence_stats_error(&mut self, name: &str) -> Option<u32> {
        let presence_stats = Some(PresenceStatsRequest { channel: name.to_owned() });
        self.call(Command { presence_stats, ..Command::default() }).error.map(|error| error.code)
    }

    /// Sends a command with the next id and waits for its reply; pushes that come meanwhile are kept.
    pub(crate) fn call(&mut self, command: Command) -> Reply {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&[Command { id, ..command }]);
        self.reply(id)
    }

    /// Sends commands as they are, in one frame.
    pub(crate) fn send(&mut self, commands: &[Command]) {
        self.last_id = commands.iter().map(|command| command.id).max().unwrap_or(0).max(self.last_id);
        match self.encoding {
            Encoding::Json => {
                let lines: Vec<_> =
                    commands.iter().map(|command| serde_json::to_string(command).expect("JSON")).collect();
                self.send_bytes(lines.join("\n").as_bytes());
            }
            Encoding::Protobuf => {
                let frame: Vec<u8> = commands.iter().flat_map(Message::encode_length_delimited_to_vec).collect();
                self.send_bytes(&frame);
            }
        }
    }

    /// Sends a message as it is.
    pub(crate) fn send_bytes(&mut self, message: &[u8]) {
        let opcode = if self.encoding == Encoding::Json { TEXT } else { BINARY };
        self.socket.send_frame(opcode, message);
    }

    /// The reply to a command.
    pub(crate) fn reply(&mut self, id: u32) -> Reply {
        self.wait_for(|reply| reply.id == id)
    }

    /// The next push.
    pub(crate) fn push(&mut self) -> Push {
        self.wait_for(|reply| reply.push.is_some()).push.expect("a push")
    }

    /// The next publication of any channel.
    pub(crate) fn publication(&mut self) -> (String, Publication) {
        let is_publication = |reply: &Reply| reply.push.as_ref().is_some_and(|push| push.publication.is_some());
        let push = self.wait_for(is_publication).push.expect("a push");
        (push.channel, push.publication.expect("a publication"))
    }

    /// The next ping.
    pub(crate) fn ping(&mut self) {
        self.wait_for(|reply| *reply == Reply::default());
    }

    fn wait_for(&mut self, is_it: impl Fn(&Reply) -> bool) -> Reply {
        loop {
            if let Some(at) = self.waiting.iter().position(&is_it) {
                return self.waiting.remove(at).expect("it is there");
            }
            if let Err(close) = self.read() {
                panic!("closed with {close:?}");
            }
        }
    }

    /// Reads until the connection is closed. The close frame says it all: no push goes before it.
    pub(crate) fn close(&mut self) -> (u16, String) {
        loop {
            if let Err(close) = self.read() {
                let pushes = self.waiting.iter().filter_map(|reply| reply.push.as_ref());
                assert!(pushes.into_iter().all(|push| push.disconnect.is_none()), "{:?}", self.waiting);
                return close;
            }
        }
    }

    fn read(&mut self) -> Result<(), (u16, String)> {
        let (opcode, message) = self.socket.next_frame()?;
        let replies = match self.encoding {
            Encoding::Json => {
                assert_eq!(opcode, TEXT);
                decode_lines(&message)
            }
            Encoding::Protobuf => {
                assert_eq!(opcode, BINARY);
                let mut rest = &message[..];
                std::iter::from_fn(|| {
                    (!rest.is_empty()).then(|| Reply::decode_length_delimited(&mut rest).expect("a reply"))
                })
                .collect()
            }
        };
        for reply in replies {
            if reply == Reply::default() && self.answers_pings {
                self.send(&[Command::default()]);
            }
            self.waiting.push_back(reply);
        }
        Ok(())
    }
}

/// The replies of a JSON frame.
pub(crate) fn decode_lines(frame: &[u8]) -> Vec<Reply> {
    let lines = frame.split(|&byte| byte == b'\n');
    lines.map(|line| serde_json::from_slice(line).expect("a reply on each line")).collect()
}
