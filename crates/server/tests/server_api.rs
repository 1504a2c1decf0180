//! The server API, and the transports over HTTP.

mod support;

use std::path::Path;

use ordercast_protocol::centrifuge::codec::Encoding;
use ordercast_protocol::centrifuge::message::{Command, ConnectRequest, Reply};
use ordercast_server::access::Access;
use ordercast_server::access::secret::Secret;
use ordercast_server::access::tokens::{TokenKeys, Tokens};
use ordercast_server::channels::{Channels, Namespace};
use prost::Message;
use serde_json::{Value, json};
use support::centrifuge::{BOTH, CentrifugeClient, SECRET, channel, now_s, since, token};
use support::{Client, Server, Setup};

const KEY: &str = "X-API-Key: sesame";

fn start(dir: &Path, change: impl FnOnce(&mut Setup)) -> Server {
    let room = Namespace {
        name: "room".to_owned(),
        history_size: 10,
        presence: true,
        join_leave: true,
        force_recovery: true,
        ..Namespace::default()
    };
    let plain = Namespace { name: "plain".to_owned(), ..Namespace::default() };
    let keys = TokenKeys { hmac_secret: Some(Secret::new(SECRET)), ..TokenKeys::default() };
    let tokens = Tokens::new(&keys).expect("a key");
    Server::start(dir, |setup| {
        setup.engine.slots = 0;
        setup.server.channels = Channels::new([room, plain]).expect("good namespaces");
        setup.server.access = Access { tokens, api_key: Some(Secret::new("sesame")), ..Access::default() };
        change(setup);
    })
}

fn call(server: &Server, method: &str, body: &Value) -> Value {
    let headers = [KEY, "Content-Type: application/json"];
    let answer = server.client().request("POST", &format!("/api/{method}"), &headers, body.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{method} {body}: {}", answer.text());
    answer.json()
}

fn result(server: &Server, method: &str, body: &Value) -> Value {
    let answer = call(server, method, body);
    assert!(answer.get("error").is_none(), "{method} {body}: {answer}");
    answer["result"].clone()
}

fn user(server: &Server, name: &str, encoding: Encoding) -> (CentrifugeClient, String) {
    let mut client = CentrifugeClient::open(server.address, encoding);
    let id = client.connect(&token(&json!({"sub": name}))).expect("connected").client;
    (client, id)
}

#[test]
fn nobody_calls_without_the_key() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    let body = br#"{"channel":"room:a"}"#;
    for (path, header, status) in [
        ("/api/history", KEY, 200),
        ("/api/history", "Authorization: apikey sesame", 200),
        ("/api/history?api_key=sesame", "X-Other: 1", 200),
        ("/api/history", "X-API-Key: sesam", 401),
        ("/api/history", "Authorization: Bearer sesame", 401),
        ("/api/history", "X-Other: 1", 401),
        ("/api/nothing", KEY, 404),
        ("/api/nothing", "X-Other: 1", 401),
    ] {
        let answer = server.client().request("POST", path, &[header], body);
        assert_eq!(answer.status, status, "{path} {header}");
        if status == 401 {
            assert_eq!(answer.json()["type"], "/docs/errors/unauthorized");
            assert!(answer.head.to_ascii_lowercase().contains("www-authenticate"));
        }
    }
    assert_eq!(server.client().request("POST", "/api/publish", &[KEY], b"{").status, 400);
    for body in [&b"\t"[..], b"[]"] {
        assert_eq!(
            server.client().request("POST", "/api/presence_stats", &[KEY], body).status,
            400,
            "a body that is no object"
        );
    }
    assert_eq!(server.client().get("/api/publish").status, 405);
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |setup| setup.server.access.api_key = None);
    let answer = server.client().request("POST", "/api/info", &[KEY], b"{}");
    assert_eq!(answer.status, 401);
    assert!(answer.text().contains("api.key"), "{}", answer.text());
}

#[test]
fn publications_reach_clients_and_history() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    for encoding in BOTH {
        let name = format!("room:{encoding:?}");
        let mut client = CentrifugeClient::connected(server.address, encoding);
        client.subscribe(channel(&name)).expect("subscribed");
        let published =
            result(&server, "publish", &json!({"channel": name, "data": {"a": [1, 2.50]}, "tags": {"k": "v"}}));
        assert_eq!(published["offset"], 1);
        let (_, publication) = client.publication();
        assert_eq!(
            (&publication.data[..], publication.offset, &*publication.tags["k"]),
            (&br#"{"a":[1,2.5]}"#[..], 1, "v")
        );
        assert_eq!(publication.info, None, "a server published");
        result(&server, "publish", &json!({"channel": name, "b64data": "/wA="}));
        let (_, publication) = client.publication();
        let expected = if encoding == Encoding::Json { &b"\"/wA=\""[..] } else { b"\xff\x00" };
        assert_eq!(publication.data, expected);
        let responses =
            result(&server, "broadcast", &json!({"channels": [name, "nowhere", "plain:a", "orders"], "data": 3}));
        let codes: Vec<_> = responses["responses"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["error"]["code"].as_u64())
            .collect();
        assert_eq!(codes, [None, Some(102), None, Some(108)]);
        assert_eq!(responses["responses"][0]["result"]["offset"], 3);
        let history = result(&server, "history", &json!({"channel": name, "limit": -1}));
        assert_eq!((&history["offset"], &history["epoch"]), (&json!(3), &published["epoch"]));
        assert_eq!(history["publications"].as_array().map(Vec::len), Some(3));
        assert_eq!(history["publications"][0]["data"], json!({"a": [1, 2.5]}));
        let since = json!({"channel": name, "limit": 1, "since": {"offset": 1, "epoch": published["epoch"]}});
        assert_eq!(result(&server, "history", &since)["publications"][0]["offset"], 2);
        assert_eq!(result(&server, "history", &json!({"channel": name}))["publications"], json!([]));
        result(&server, "history_remove", &json!({"channel": name}));
        let history = result(&server, "history", &json!({"channel": name, "limit": -1}));
        assert_eq!((&history["publications"], &history["offset"]), (&json!([]), &json!(3)));
    }
    for key in ["k", "k", "l"] {
        result(&server, "publish", &json!({"channel": "room:once", "data": 1, "idempotency_key": key}));
    }
    assert_eq!(result(&server, "history", &json!({"channel": "room:once"}))["offset"], 2);
}

#[test]
fn wrong_calls_are_told_by_code() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    for (method, body, code) in [
        ("publish", json!({"channel": "nowhere", "data": 1}), 102),
        ("publish", json!({"channel": "orders", "data": 1}), 108),
        ("publish", json!({"channel": "room:a"}), 107),
        ("publish", json!({"data": 1}), 107),
        ("publish", json!({"channel": "room:a", "b64data": "%"}), 107),
        ("publish", json!({"channel": "room:a", "data": 1, "skip_history": true}), 108),
        ("publish", json!({"channel": "room:a", "data": 1, "version": 3}), 108),
        ("broadcast", json!({"channels": [], "data": 1}), 107),
        ("presence", json!({"channel": "plain:a"}), 108),
        ("presence_stats", json!({"channel": "nowhere"}), 102),
        ("history", json!({"channel": "plain:a", "limit": 1}), 108),
        ("history", json!({"channel": "room:a", "since": {"epoch": "other", "offset": 1}}), 112),
        ("history_remove", json!({"channel": "plain:a"}), 108),
        ("subscribe", json!({"user": "ann"}), 107),
        ("subscribe", json!({"user": "ann", "channel": "nowhere"}), 102),
        ("unsubscribe", json!({"channel": "room:a"}), 107),
        ("disconnect", json!({}), 107),
        ("disconnect", json!({"user": "ann", "disconnect": {"code": 1000, "reason": "x"}}), 107),
        ("refresh", json!({}), 107),
    ] {
        assert_eq!(call(&server, method, &body)["error"]["code"], code, "{method} {body}");
    }
}

#[test]
fn users_are_subscribed_seen_and_sent_away() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    for encoding in BOTH {
        let name = format!("room:{encoding:?}");
        let (mut ann, ann_id) = user(&server, "ann", encoding);
        let (mut again, again_id) = user(&server, "ann", encoding);
        let (mut bob, _) = user(&server, "bob", encoding);
        bob.subscribe(channel(&name)).expect("subscribed");
        let first = result(&server, "publish", &json!({"channel": name, "data": 1}));
        result(&server, "publish", &json!({"channel": name, "data": 2}));
        result(
            &server,
            "subscribe",
            &json!({
                "user": "ann", "channel": name, "data": {"d": 1}, "info": {"i": 1},
                "recover_since": {"epoch": first["epoch"], "offset": 1},
            }),
        );
        for client in [&mut ann, &mut again] {
            let push = client.push();
            let subscribe = push.subscribe.expect("a subscription");
            assert_eq!(
                (&*push.channel, subscribe.recoverable, &subscribe.data[..]),
                (&*name, true, &br#"{"d":1}"#[..])
            );
            assert_eq!((subscribe.offset, client.publication().1.offset), (1, 2));
        }
        let presence = result(&server, "presence", &json!({"channel": name}));
        assert_eq!(presence["presence"][&ann_id], json!({"user": "ann", "client": ann_id, "chan_info": {"i": 1}}));
        let stats = result(&server, "presence_stats", &json!({"channel": name}));
        assert_eq!(stats, json!({"num_clients": 3, "num_users": 2}));
        let channels = result(&server, "channels", &json!({"pattern": format!("*{encoding:?}")}));
        assert_eq!(channels["channels"], json!({&name: {"num_clients": 3}}));
        result(&server, "unsubscribe", &json!({"user": "ann", "client": ann_id, "channel": name}));
        assert_eq!(ann.push().unsubscribe.expect("its end").code, 2000);
        result(&server, "publish", &json!({"channel": name, "data": 3}));
        assert_eq!((again.publication().1.offset, bob.publication().1.offset), (3, 1), "bob has waited");
        result(&server, "disconnect", &json!({"user": "ann", "whitelist": [again_id]}));
        assert_eq!(ann.close(), (3503, "force disconnect".to_owned()));
        again.publish(&name, "4").expect("still here");
        let ending = json!({"code": 4000, "reason": "later"});
        result(&server, "disconnect", &json!({"user": "ann", "client": again_id, "disconnect": ending}));
        assert_eq!(again.close(), (4000, "later".to_owned()));
        result(&server, "refresh", &json!({"user": "bob", "expired": true}));
        assert_eq!(bob.close(), (3005, "connection expired".to_owned()));
    }
}

#[test]
fn a_connection_is_prolonged_and_shortened() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |setup| setup.server.centrifuge.refresh_grace = std::time::Duration::ZERO);
    let mut client = CentrifugeClient::open(server.address, Encoding::Json);
    client.connect(&token(&json!({"sub": "ann", "exp": now_s() + 100}))).expect("connected");
    result(&server, "refresh", &json!({"user": "ann", "expire_at": now_s() + 1}));
    assert_eq!(client.close().0, 3005);
}

#[test]
fn a_batch_is_answered_one_by_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    let commands = json!({"commands": [
        {"publish": {"channel": "room:a", "data": 1}},
        {"publish": {"channel": "nowhere", "data": 1}},
        {"dance": {}},
        {"publish": []},
        {"history": {"channel": "room:a"}},
        {"info": {}},
    ], "parallel": true});
    let answer = call(&server, "batch", &commands);
    let replies = answer["replies"].as_array().expect("a list");
    assert_eq!(replies.len(), 6);
    assert_eq!(replies[0]["publish"]["offset"], 1);
    let codes: Vec<_> = replies.iter().map(|reply| reply["error"]["code"].as_u64()).collect();
    assert_eq!(codes, [None, Some(102), Some(104), Some(107), None, None]);
    assert_eq!(replies[4]["history"]["offset"], 1);
    assert_eq!(replies[5]["info"]["nodes"][0]["num_clients"], 0);
}

/// What is read of a stream that does not end.
struct Stream {
    client: Client,
    text: String,
}

impl Stream {
    fn open(server: &Server, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Self {
        let mut client = server.client();
        client.send(method, path, headers, body);
        let head = client.read_until("\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        Self { client, text: head }
    }

    /// The next piece of JSON that holds `needle`.
    fn reply(&mut self, needle: &str) -> Reply {
        loop {
            let line = self.text.lines().find(|line| line.contains(needle) && line.ends_with('}')).map(str::to_owned);
            if let Some(line) = line {
                let at = self.text.find(&line).expect("it is there");
                self.text.drain(..at + line.len());
                return serde_json::from_str(line.strip_prefix("data: ").unwrap_or(&line)).expect("a reply");
            }
            let more = self.client.read_until("\n");
            self.text.push_str(&more);
        }
    }
}

#[test]
fn two_halves_over_http_make_a_connection() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    let connect = r#"{"id":1,"connect":{}}"#;
    let two = format!("{connect}\n{}", r#"{"id":2,"subscribe":{"channel":"room:lines"}}"#);
    let lines = Stream::open(&server, "POST", "/connection/http_stream", &[], two.as_bytes());
    let events =
        Stream::open(&server, "GET", "/connection/sse?cf_connect=%7B%22id%22:1,%22connect%22:%7B%7D%7D", &[], b"");
    let posted = Stream::open(&server, "POST", "/connection/sse", &[], connect.as_bytes());
    for (mut stream, name) in [(lines, "room:lines"), (events, "room:events"), (posted, "room:posted")] {
        let connected = stream.reply("\"connect\"").connect.expect("a result");
        assert!(!connected.session.is_empty() && !connected.node.is_empty());
        let emulate = |data: &str, node: &str, session: &str| {
            let body = json!({"session": session, "node": node, "data": data}).to_string();
            server.client().request("POST", "/emulation", &[], body.as_bytes()).status
        };
        let (node, session) = (&*connected.node, &*connected.session);
        if name != "room:lines" {
            assert_eq!(emulate(&json!({"id": 2, "subscribe": {"channel": name}}).to_string(), node, session), 204);
        }
        assert!(stream.reply("\"id\":2").subscribe.expect("a result").recoverable);
        let both = "{\"id\":3,\"publish\":{\"channel\":\"ROOM\",\"data\":1}}\n{\"id\":4,\"rpc\":{\"method\":\"none\"}}";
        assert_eq!(emulate(&both.replace("ROOM", name), node, session), 204);
        assert!(stream.reply("\"id\":3").publish.is_some());
        assert_eq!(stream.reply("\"id\":4").error.expect("an error").code, 108);
        let push = stream.reply("\"pub\"").push.expect("a push");
        assert_eq!((&*push.channel, push.publication.expect("it").data), (name, "1".into()));
        assert_eq!(emulate("{}", "another", session), 404);
        assert_eq!(emulate("{}", node, "another"), 404);
        assert_eq!(emulate("{\"id\":5}\n\n", node, session), 204);
        let end = stream.reply("\"disconnect\"").push.expect("a push").disconnect.expect("its end");
        assert_eq!((end.code, end.reconnect), (3501, false));
    }
    let large = server.client().request("POST", "/emulation", &[], &vec![b' '; 65 * 1024]);
    assert_eq!(large.status, 413);
}

#[test]
fn a_binary_stream_has_lengths() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    let connect = Command { id: 1, connect: Some(ConnectRequest::default()), ..Command::default() };
    let binary = ["Content-Type: application/octet-stream"];
    let mut client = server.client();
    client.send("POST", "/connection/http_stream", &binary, &connect.encode_length_delimited_to_vec());
    let reply = client.read_chunk_after_head();
    let connected = Reply::decode_length_delimited(&reply[..]).expect("a reply").connect.expect("a result");
    let subscribe = Command { id: 2, subscribe: Some(since("room:b", "", 0)), ..Command::default() };
    let mut body = Vec::new();
    prost::encoding::string::encode(1, &connected.node, &mut body);
    prost::encoding::string::encode(2, &connected.session, &mut body);
    prost::encoding::bytes::encode(3, &subscribe.encode_length_delimited_to_vec(), &mut body);
    assert_eq!(server.client().request("POST", "/emulation", &binary, &body).status, 204);
    let reply = client.read_chunk();
    let reply = Reply::decode_length_delimited(&reply[..]).expect("a reply");
    assert!(reply.id == 2 && reply.subscribe.expect("a result").recovered);
}

#[test]
fn foreign_pages_open_no_transport() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |setup| setup.server.allowed_origins = vec!["https://shop.example".to_owned()]);
    let sse = "/connection/sse?cf_connect=%7B%7D";
    for (method, path) in
        [("GET", sse), ("POST", "/connection/http_stream"), ("POST", "/emulation"), ("GET", "/connection/websocket")]
    {
        let answer = server.client().request(method, path, &["Origin: https://evil.example"], b"{}");
        assert_eq!(answer.status, 403, "{path}");
    }
    let listed = ["Origin: https://shop.example"];
    for (origin, allowed) in [(&listed[..], true), (&["Origin: https://evil.example"], false)] {
        let mut headers = origin.to_vec();
        headers.push("Access-Control-Request-Method: POST");
        let answer = server.client().request("OPTIONS", "/emulation", &headers, b"");
        assert_eq!(answer.status, if allowed { 204 } else { 405 });
        assert_eq!(
            answer.head.to_ascii_lowercase().contains("access-control-allow-origin"),
            allowed,
            "{}",
            answer.head
        );
    }
}
