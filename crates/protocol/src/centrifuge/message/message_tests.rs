//! Every struct goes through both encodings and comes back.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;

fn check<T: Message + Default + PartialEq + Debug + Serialize + DeserializeOwned>(message: &T) {
    let text = serde_json::to_vec(message).unwrap();
    assert_eq!(&serde_json::from_slice::<T>(&text).unwrap(), message, "{}", String::from_utf8_lossy(&text));
    assert_eq!(&T::decode(&message.encode_to_vec()[..]).unwrap(), message);
    assert_eq!(serde_json::from_str::<T>("{\"a field of next year\":[{}]}").unwrap(), T::default());
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn data() -> Bytes {
    Bytes::from_static(br#"{"a":[1,"\n"]}"#)
}

fn info() -> ClientInfo {
    ClientInfo { user: text("u"), client: text("c"), conn_info: data(), chan_info: Bytes::from_static(b"null") }
}

fn publication() -> Publication {
    Publication {
        data: data(),
        info: Some(info()),
        offset: 1 << 52,
        tags: BTreeMap::from([(text("k"), text("v"))]),
        delta: true,
        time: 5,
        channel: text("other"),
    }
}

fn subscribed() -> SubscribeResult {
    SubscribeResult {
        expires: true,
        ttl: 9,
        recoverable: true,
        epoch: text("e"),
        publications: vec![publication(), Publication::default()],
        recovered: true,
        offset: 3,
        positioned: true,
        data: data(),
        was_recovering: true,
        delta: true,
        id: 4,
    }
}

fn subscribe() -> SubscribeRequest {
    let leaf = FilterNode { key: text("k"), cmp: text("in"), vals: vec![text("v")], ..FilterNode::default() };
    SubscribeRequest {
        channel: text("a"),
        token: text("t"),
        recover: true,
        epoch: text("e"),
        offset: 3,
        data: data(),
        positioned: true,
        recoverable: true,
        join_leave: true,
        delta: text("fossil"),
        tf: Some(FilterNode { op: text("not"), val: text("v"), nodes: vec![leaf], ..FilterNode::default() }),
        flag: SubscribeRequest::REJECT_UNRECOVERED,
        kind: 1,
    }
}

#[test]
fn requests_come_back() {
    let item = KeyedItem { key: text("k"), version: 2 };
    let track = vec![TrackBatch { signature: text("s"), items: vec![item] }];
    let connect = ConnectRequest {
        token: text("t"),
        data: data(),
        subs: BTreeMap::from([(text("a"), subscribe()), (text("b"), SubscribeRequest::default())]),
        name: text("js"),
        version: text("5"),
        headers: BTreeMap::from([(text("X-A"), text("1"))]),
        flag: 1,
    };
    let commands = [
        Command { connect: Some(connect), ..Command::default() },
        Command { subscribe: Some(subscribe()), ..Command::default() },
        Command { unsubscribe: Some(UnsubscribeRequest { channel: text("a") }), ..Command::default() },
        Command { publish: Some(PublishRequest { channel: text("a"), data: data(), kind: 1 }), ..Command::default() },
        Command { presence: Some(PresenceRequest { channel: text("a") }), ..Command::default() },
        Command { presence_stats: Some(PresenceStatsRequest { channel: text("a") }), ..Command::default() },
        Command {
            history: Some(HistoryRequest {
                channel: text("a"),
                limit: -1,
                since: Some(StreamPosition { offset: 3, epoch: text("e") }),
                reverse: true,
            }),
            ..Command::default()
        },
        Command { ping: Some(PingRequest {}), ..Command::default() },
        Command { send: Some(SendRequest { data: data() }), ..Command::default() },
        Command { rpc: Some(RpcRequest { data: data(), method: text("m") }), ..Command::default() },
        Command { refresh: Some(RefreshRequest { token: text("t") }), ..Command::default() },
        Command {
            sub_refresh: Some(SubRefreshRequest {
                channel: text("a"),
                token: text("t"),
                kind: 1,
                track,
                untrack: vec![text("k")],
            }),
            ..Command::default()
        },
    ];
    for (id, command) in commands.into_iter().enumerate() {
        check(&Command { id: id as u32, ..command });
    }
}

#[test]
fn results_come_back() {
    let result = Some(SubscribeResult::default());
    let subs = vec![
        SubscribedChannel { channel: text("a"), result: Some(subscribed()) },
        SubscribedChannel { channel: text("b"), result },
    ];
    let connect = ConnectResult {
        client: text("c"),
        version: text("v"),
        expires: true,
        ttl: 9,
        data: data(),
        subs,
        ping: 25,
        pong: true,
        session: text("s"),
        node: text("n"),
        time: 5,
    };
    let refresh = RefreshResult { client: text("c"), version: text("v"), expires: true, ttl: 9 };
    let history = HistoryResult { publications: vec![publication()], epoch: text("e"), offset: 4 };
    let replies = [
        Reply { error: Some(ErrorReply { code: 100, message: text("m"), temporary: true }), ..Reply::default() },
        Reply { connect: Some(connect), ..Reply::default() },
        Reply { subscribe: Some(subscribed()), ..Reply::default() },
        Reply { unsubscribe: Some(UnsubscribeResult {}), ..Reply::default() },
        Reply { publish: Some(PublishResult {}), ..Reply::default() },
        Reply {
            presence: Some(PresenceResult { presence: BTreeMap::from([(text("c"), info())]) }),
            ..Reply::default()
        },
        Reply { presence_stats: Some(PresenceStatsResult { num_clients: 2, num_users: 1 }), ..Reply::default() },
        Reply { history: Some(history), ..Reply::default() },
        Reply { ping: Some(PingResult {}), ..Reply::default() },
        Reply { rpc: Some(RpcResult { data: data() }), ..Reply::default() },
        Reply { refresh: Some(refresh), ..Reply::default() },
        Reply { sub_refresh: Some(SubRefreshResult { expires: true, ttl: 9 }), ..Reply::default() },
    ];
    for (id, reply) in replies.into_iter().enumerate() {
        check(&Reply { id: id as u32, ..reply });
    }
}

#[test]
fn pushes_come_back() {
    let connect = ConnectPush {
        client: text("c"),
        version: text("v"),
        data: data(),
        subs: vec![SubscribedChannel { channel: text("a"), result: Some(subscribed()) }],
        expires: true,
        ttl: 9,
        ping: 25,
        pong: true,
        session: text("s"),
        node: text("n"),
        time: 5,
    };
    let subscribe = SubscribePush { recoverable: true, epoch: text("e"), offset: 3, positioned: true, data: data() };
    for push in [
        Push { publication: Some(publication()), id: 4, ..Push::default() },
        Push { join: Some(JoinPush { info: Some(info()) }), ..Push::default() },
        Push { leave: Some(LeavePush { info: Some(info()) }), ..Push::default() },
        Push { unsubscribe: Some(UnsubscribePush { code: 2500, reason: text("r") }), ..Push::default() },
        Push { message: Some(MessagePush { data: data() }), ..Push::default() },
        Push { subscribe: Some(subscribe), ..Push::default() },
        Push { connect: Some(connect), ..Push::default() },
        Push { disconnect: Some(DisconnectPush { code: 3001, reason: text("r"), reconnect: true }), ..Push::default() },
        Push { refresh: Some(RefreshPush { expires: true, ttl: 9 }), ..Push::default() },
    ] {
        check(&Reply { push: Some(Push { channel: text("a"), ..push }), ..Reply::default() });
    }
}

#[test]
fn null_stands_for_what_is_missing() {
    let nulls =
        r#"{"id":null,"connect":{"token":null,"subs":null,"name":null,"headers":null,"flag":null},"subscribe":null}"#;
    let command: Command = serde_json::from_str(nulls).unwrap();
    assert_eq!(command, Command { connect: Some(ConnectRequest::default()), ..Command::default() });
    let nulls = r#"{"channel":"a","epoch":null,"offset":null,"tf":null,"delta":null,"type":null,"recover":null}"#;
    let subscribe: SubscribeRequest = serde_json::from_str(nulls).unwrap();
    assert_eq!(subscribe, SubscribeRequest { channel: text("a"), ..SubscribeRequest::default() });
}

#[test]
fn json_carries_bytes_inline() {
    for (bytes, json) in [
        (&b"{\"a\": 1}"[..], "{\"a\": 1}"),
        (b"\"x\"", "\"x\""),
        (b"[1,\n2]\n", "[1, 2]"),
        (b"\xff\x00", "\"/wA=\""),
        (b"not json", "\"bm90IGpzb24=\""),
    ] {
        let reply = RpcResult { data: Bytes::copy_from_slice(bytes) };
        assert_eq!(serde_json::to_string(&reply).unwrap(), format!("{{\"data\":{json}}}"));
    }
}
