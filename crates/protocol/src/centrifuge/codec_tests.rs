//! Tests of frames: strictness, both encodings by hand, and garbage.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::code::Error;
use super::super::message::{
    ConnectRequest, ConnectResult, HistoryRequest, HistoryResult, PublishResult, RpcRequest, StreamPosition,
    SubscribeRequest, SubscribeResult, SubscribedChannel,
};
use super::*;

fn json(frame: &str) -> Result<Vec<Command>, Malformed> {
    decode_commands(Encoding::Json, frame.as_bytes())
}

#[test]
fn commands_come_in_lines() {
    for (frame, ids) in [
        (r#"{"id":1,"connect":{}}"#, vec![1]),
        ("{\"id\":1,\"connect\":{}}\n", vec![1]),
        ("{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}\n{}", vec![1, 2, 0]),
        (" {\"id\" : 3, \"new\":[{}], \"rpc\":null}\r", vec![3]),
    ] {
        let commands = json(frame).unwrap_or_else(|error| panic!("{frame}: {error}"));
        assert_eq!(commands.iter().map(|command| command.id).collect::<Vec<_>>(), ids, "{frame}");
    }
}

#[test]
fn broken_frames_are_refused_whole() {
    let deep = format!(r#"{{"id":1,"rpc":{{"data":{}{}}}}}"#, "[".repeat(31), "]".repeat(31));
    let many = "{}\n".repeat(MAX_COMMANDS_PER_FRAME + 1);
    for (frame, is_it) in [
        ("", Malformed::Empty),
        ("\n", Malformed::Empty),
        ("{}\n\n", Malformed::Empty),
        ("{}\n\n{}", Malformed::Empty),
        ("\n{}", Malformed::Empty),
        (&deep, Malformed::TooDeep),
        (&many, Malformed::TooManyCommands),
    ] {
        assert_eq!(json(frame), Err(is_it), "{frame}");
    }
    for frame in ["null", "[1]", "7", "{", "{}{}", "{\"id\":-1}", "{\"id\":\"1\"}", "{}\n{\"id\":4294967296}"] {
        assert!(matches!(json(frame), Err(Malformed::Message(_))), "{frame}");
    }
    for frame in
        [&b"\x05\x08"[..], b"\x80", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x02\x08\x80", b"\x01\x07"]
    {
        assert!(matches!(decode_commands(Encoding::Protobuf, frame), Err(Malformed::Message(_))), "{frame:?}");
    }
    assert_eq!(decode_commands(Encoding::Protobuf, b""), Err(Malformed::Empty));
    let many = [0; MAX_COMMANDS_PER_FRAME + 1];
    assert_eq!(decode_commands(Encoding::Protobuf, &many), Err(Malformed::TooManyCommands));
}

/// The same command by hand in both encodings.
#[test]
fn commands_have_these_bytes() {
    let connect = ConnectRequest { token: "t".to_owned(), name: "js".to_owned(), ..ConnectRequest::default() };
    let subscribe = SubscribeRequest {
        channel: "a".to_owned(),
        recover: true,
        epoch: "e".to_owned(),
        offset: 300,
        flag: SubscribeRequest::NUMERIC_CHANNELS | SubscribeRequest::REJECT_UNRECOVERED,
        ..SubscribeRequest::default()
    };
    let since = Some(StreamPosition { offset: 1, epoch: "e".to_owned() });
    let history = HistoryRequest { channel: "a".to_owned(), limit: -1, since, reverse: true };
    let rpc = RpcRequest { data: Bytes::from_static(b"{\"a\":1}"), method: "m".to_owned() };
    for (command, text, binary) in [
        (
            Command { id: 1, connect: Some(connect), ..Command::default() },
            r#"{"id":1,"connect":{"token":"t","name":"js"}}"#,
            &b"\x0b\x08\x01\x22\x07\x0a\x01t\x22\x02js"[..],
        ),
        (
            Command { id: 2, subscribe: Some(subscribe), ..Command::default() },
            r#"{"id":2,"subscribe":{"channel":"a","recover":true,"epoch":"e","offset":300,"flag":3}}"#,
            b"\x11\x08\x02\x2a\x0d\x0a\x01a\x18\x01\x32\x01e\x38\xac\x02\x70\x03",
        ),
        (
            Command { id: 3, history: Some(history), ..Command::default() },
            r#"{"id":3,"history":{"channel":"a","limit":-1,"since":{"offset":1,"epoch":"e"},"reverse":true}}"#,
            b"\x1b\x08\x03\x52\x17\x0a\x01a\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x42\x05\x08\x01\x12\x01e\x48\x01",
        ),
        (
            Command { id: 4, rpc: Some(rpc), ..Command::default() },
            r#"{"id":4,"rpc":{"data":{"a":1},"method":"m"}}"#,
            b"\x10\x08\x04\x6a\x0c\x0a\x07{\"a\":1}\x12\x01m",
        ),
        (Command::default(), "{}", b"\0"),
    ] {
        assert_eq!(json(text).unwrap(), std::slice::from_ref(&command), "{text}");
        assert_eq!(decode_commands(Encoding::Protobuf, binary).unwrap(), [command], "{text}");
    }
}

#[test]
fn replies_have_these_bytes() {
    let subscribed = SubscribeResult {
        recoverable: true,
        epoch: "e".to_owned(),
        offset: 5,
        positioned: true,
        ..SubscribeResult::default()
    };
    let connected = ConnectResult {
        client: "c".to_owned(),
        subs: vec![SubscribedChannel { channel: "a".to_owned(), result: Some(SubscribeResult::default()) }],
        ping: 25,
        pong: true,
        ..ConnectResult::default()
    };
    for (reply, text, binary) in [
        (
            Reply { id: 3, publish: Some(PublishResult {}), ..Reply::default() },
            r#"{"id":3,"publish":{}}"#,
            &b"\x04\x08\x03\x42\x00"[..],
        ),
        (
            Reply { id: 1, error: Some(Error::Internal.into()), ..Reply::default() },
            r#"{"id":1,"error":{"code":100,"message":"internal server error","temporary":true}}"#,
            b"\x1f\x08\x01\x12\x1b\x08\x64\x12\x15internal server error\x18\x01",
        ),
        (
            Reply { id: 2, subscribe: Some(subscribed), ..Reply::default() },
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","offset":5,"positioned":true}}"#,
            b"\x0d\x08\x02\x32\x09\x18\x01\x32\x01e\x48\x05\x50\x01",
        ),
        (
            Reply { id: 1, connect: Some(connected), ..Reply::default() },
            r#"{"id":1,"connect":{"client":"c","subs":{"a":{}},"ping":25,"pong":true}}"#,
            b"\x12\x08\x01\x2a\x0e\x0a\x01c\x32\x05\x0a\x01a\x12\x00\x38\x19\x40\x01",
        ),
        (
            Reply { id: 6, history: Some(HistoryResult::default()), ..Reply::default() },
            r#"{"id":6,"history":{"publications":[],"epoch":"","offset":0}}"#,
            b"\x04\x08\x06\x5a\x00",
        ),
        (Reply::default(), "{}", b"\0"),
    ] {
        let (mut as_text, mut as_binary) = (Vec::new(), Vec::new());
        encode_reply(Encoding::Json, &reply, &mut as_text);
        encode_reply(Encoding::Protobuf, &reply, &mut as_binary);
        assert_eq!(String::from_utf8(as_text).unwrap(), text);
        assert_eq!(as_binary, binary, "{text}");
    }
}

#[test]
fn replies_are_joined() {
    let reply = Reply { id: 3, publish: Some(PublishResult {}), ..Reply::default() };
    for (encoding, frame) in
        [(Encoding::Json, &b"{\"id\":3,\"publish\":{}}\n{}"[..]), (Encoding::Protobuf, b"\x04\x08\x03\x42\x00\x00")]
    {
        let mut joined = Vec::new();
        append_reply(encoding, &reply, &mut joined);
        append_encoded(encoding, encoding.ping(), &mut joined);
        assert_eq!(joined, frame);
    }
}

#[test]
fn emulated_commands_are_unpacked() {
    let body = br#"{"session":"s","node":"n","data":"{\"id\":1}\n{\"id\":2}"}"#;
    let request = decode_emulation(Encoding::Json, body).unwrap();
    assert_eq!((&*request.session, &*request.node), ("s", "n"));
    assert_eq!(decode_commands(Encoding::Json, &request.data).unwrap().len(), 2);
    let body = b"\x0a\x01n\x12\x01s\x1a\x02\x01\x08";
    let request = decode_emulation(Encoding::Protobuf, body).unwrap();
    assert_eq!((&*request.session, &*request.node, &request.data[..]), ("s", "n", &b"\x01\x08"[..]));
    for broken in ["", "[]", "{\"data\":{}}", "{\"session\":1}"] {
        assert!(decode_emulation(Encoding::Json, broken.as_bytes()).is_err(), "{broken}");
    }
}

proptest! {
    #[test]
    fn garbage_is_refused_without_harm(bytes in vec(any::<u8>(), 0..200), text in "[\\[\\]{}\":,a-z0-9\\\\ \n]{0,80}") {
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            let _ = decode_commands(encoding, &bytes);
            let _ = decode_commands(encoding, text.as_bytes());
            let _ = decode_emulation(encoding, &bytes);
        }
    }

    /// Almost right: a good frame with one byte changed.
    #[test]
    fn broken_commands_are_refused_without_harm(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for (encoding, frame) in [
            (Encoding::Json, &br#"{"id":2,"subscribe":{"channel":"a","tf":{"nodes":[{"vals":["x"]}]},"data":[1]}}"#[..]),
            (Encoding::Protobuf, b"\x11\x08\x02\x2a\x0d\x0a\x01a\x18\x01\x32\x01e\x38\xac\x02\x70\x03"),
        ] {
            let mut frame = frame.to_vec();
            let at = place.index(frame.len());
            frame[at] = byte;
            let _ = decode_commands(encoding, &frame);
        }
    }
}
