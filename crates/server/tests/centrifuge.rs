//! The Centrifuge protocol over WebSockets, in both encodings.

mod support;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use ordercast_access::Audience;
use ordercast_protocol::centrifuge::codec::Encoding;
use ordercast_protocol::centrifuge::fossil;
use ordercast_protocol::centrifuge::message::{
    ClientInfo, Command, ConnectRequest, HistoryRequest, PresenceRequest, PublishRequest, Reply, RpcRequest,
    SendRequest, StreamPosition, SubscribeRequest,
};
use ordercast_server::channels::{Channels, Namespace};
use serde_json::json;
use support::centrifuge::{BOTH, CentrifugeClient, channel, since};
use support::{Server, Setup};

const ORDER: &str = r#"{"amount":5,"items":["a"],"customer":"x","address":"y"}"#;

/// Channels with all there is, and one with a short memory.
fn namespaces() -> Channels {
    let full = Namespace {
        name: "full".to_owned(),
        history_size: 10_000,
        history_ttl_s: 300,
        presence: true,
        join_leave: true,
        force_recovery: true,
        delta: true,
        allow_subscribe: Audience::Anyone,
        ..Namespace::default()
    };
    let short = Namespace { name: "short".to_owned(), history_size: 2, delta: false, ..full.clone() };
    let plain = Namespace { name: "plain".to_owned(), ..Namespace::default() };
    Channels::new([full, short, plain]).expect("good namespaces")
}

fn start(dir: &Path, change: impl FnOnce(&mut Setup)) -> Server {
    Server::start(dir, |setup| {
        setup.engine.slots = 0;
        setup.server.channels = namespaces();
        change(setup);
    })
}

#[test]
fn a_first_frame_may_hold_everything() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    for encoding in BOTH {
        let mut client = CentrifugeClient::open(server.address, encoding);
        client.send(&[
            Command { id: 1, connect: Some(ConnectRequest::default()), ..Command::default() },
            Command { id: 2, subscribe: Some(channel("full:a")), ..Command::default() },
            Command { id: 3, subscribe: Some(channel("orders")), ..Command::default() },
            Command {
                id: 4,
                publish: Some(PublishRequest {
                    channel: "full:a".to_owned(),
                    data: Bytes::from_static(b"{\"hi\":1}"),
                    ..PublishRequest::default()
                }),
                ..Command::default()
            },
        ]);
        let connect = client.reply(1).connect.expect("a result");
        assert!(!connect.client.is_empty() && connect.version.starts_with("ordercast"));
        assert_eq!((connect.ping, connect.pong, connect.expires), (25, true, false));
        let subscribe = client.reply(2).subscribe.expect("a result");
        assert!(subscribe.recoverable && subscribe.positioned && !subscribe.epoch.is_empty());
        assert!(client.reply(3).subscribe.expect("a result").recoverable);
        assert!(client.reply(4).publish.is_some());
        let (name, publication) = client.publication();
        assert_eq!((&*name, &publication.data[..]), ("full:a", &b"{\"hi\":1}"[..]));
        assert_eq!(publication.offset, subscribe.offset + 1, "a publication after the subscription follows it");
        assert!(publication.time > 0);
        let info = publication.info.expect("who published");
        assert_eq!(info, ClientInfo { client: connect.client, ..ClientInfo::default() });
        client.unsubscribe("full:a");
        client.unsubscribe("full:a");
        client.publish("full:a", "2").expect("published");
        server.client().post("/orders", ORDER);
        assert_eq!(client.publication().0, "orders", "what was unsubscribed is silent");
    }
}

#[test]
fn every_payload_goes_both_ways() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    let mut json = CentrifugeClient::connected(server.address, Encoding::Json);
    let mut protobuf = CentrifugeClient::connected(server.address, Encoding::Protobuf);
    json.subscribe(channel("full:a")).expect("subscribed");
    protobuf.subscribe(channel("full:a")).expect("subscribed");
    for (data, as_json) in [
        (&b"null"[..], "null"),
        (b"\"\xc3\xa4\\n\"", "\"ä\\n\""),
        (b"{ \"a\":\n1 }", "{ \"a\": 1 }"),
        (b"\xff\x00\n", "\"/wAK\""),
    ] {
        protobuf.publish("full:a", data).expect("published");
        assert_eq!(&protobuf.publication().1.data[..], data);
        assert_eq!(json.publication().1.data, as_json);
    }
    json.publish("full:a", "[1.50]").expect("published");
    assert_eq!(protobuf.publication().1.data, "[1.50]");
}

#[test]
fn who_breaks_the_protocol_is_cut_off() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    let bad = || (3501, "bad request".to_owned());
    for first in ["{}", "{\"id\":1}", r#"{"id":1,"subscribe":{"channel":"orders"}}"#, r#"{"connect":{}}"#, "{", "\n"] {
        let mut client = CentrifugeClient::open(server.address, Encoding::Json);
        client.send_bytes(first.as_bytes());
        assert_eq!(client.close(), bad(), "{first}");
    }
    for (then, close) in [
        (r#"{"id":2,"connect":{}}"#, bad()),
        (r#"{"subscribe":{"channel":"orders"}}"#, bad()),
        (r#"{"id":2,"subscribe":{}}"#, bad()),
        (r#"{"id":2,"publish":{"data":1}}"#, bad()),
        (r#"{"id":2,"refresh":{}}"#, bad()),
        ("{}", bad()),
        ("{}\n\n{}", bad()),
        (r#"{"send":{"data":1}}"#, (3508, "not available".to_owned())),
    ] {
        let mut client = CentrifugeClient::connected(server.address, Encoding::Json);
        client.send_bytes(then.as_bytes());
        assert_eq!(client.close(), close, "{then}");
    }
    let mut client = CentrifugeClient::open(server.address, Encoding::Protobuf);
    client.send_bytes(b"\x05\x08");
    assert_eq!(client.close(), bad());
}

#[test]
fn refusals_have_their_codes() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    for encoding in BOTH {
        let mut client = CentrifugeClient::connected(server.address, encoding);
        client.subscribe(channel("full:a")).expect("subscribed");
        let subscribe = |request: SubscribeRequest| Command { subscribe: Some(request), ..Command::default() };
        let history = |name: &str| Command {
            history: Some(HistoryRequest { channel: name.to_owned(), ..HistoryRequest::default() }),
            ..Command::default()
        };
        let presence =
            |name: &str| Command { presence: Some(PresenceRequest { channel: name.to_owned() }), ..Command::default() };
        let publish = |name: &str, data: &'static str| Command {
            publish: Some(PublishRequest {
                channel: name.to_owned(),
                data: Bytes::from(data),
                ..PublishRequest::default()
            }),
            ..Command::default()
        };
        let rpc = |method: &str| Command {
            rpc: Some(RpcRequest { method: method.to_owned(), data: Bytes::new() }),
            ..Command::default()
        };
        for (command, code) in [
            (subscribe(channel("nowhere")), 102),
            (subscribe(channel(&"x".repeat(256))), 107),
            (subscribe(channel("full:a")), 105),
            (subscribe(SubscribeRequest { kind: 1, ..channel("full:b") }), 108),
            (subscribe(SubscribeRequest { delta: "xdelta".to_owned(), ..channel("full:b") }), 107),
            (publish("orders", "1"), 103),
            (publish("full:a", ""), 107),
            (publish("nowhere", "1"), 102),
            (history("stats"), 108),
            (history("plain:a"), 108),
            (history("nowhere"), 102),
            (presence("orders"), 108),
            (presence("plain:a"), 108),
            (rpc("nothing"), 108),
            (rpc("order.claim"), 108),
            (rpc("order.cancel"), 422),
            (Command { ping: Some(Default::default()), ..Command::default() }, 108),
            (Command::default(), 104),
        ] {
            let reply = client.call(command.clone());
            assert_eq!(reply.error.map(|error| error.code), Some(code), "{command:?}");
        }
        client.publish("full:a", "1").expect("errors do no harm");
    }
}

#[test]
fn errors_without_end_end_the_connection() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    let mut client = CentrifugeClient::connected(server.address, Encoding::Json);
    let bad = Command { subscribe: Some(channel("nowhere")), ..Command::default() };
    let many: Vec<_> = (2..=202).map(|id| Command { id, ..bad.clone() }).collect();
    client.send(&many);
    assert_eq!(client.close(), (3509, "too many errors".to_owned()));
}

#[test]
fn what_was_missed_is_recovered() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    for encoding in BOTH {
        let name = format!("full:{encoding:?}");
        let mut publisher = CentrifugeClient::connected(server.address, encoding);
        let mut client = CentrifugeClient::connected(server.address, encoding);
        let begun = client.subscribe(channel(&name)).expect("subscribed");
        assert_eq!((begun.offset, begun.recovered, begun.was_recovering), (0, false, false));
        drop(client);
        for number in 1..=5 {
            publisher.publish(&name, number.to_string()).expect("published");
        }
        for (epoch, offset, recovered) in [
            (&*begun.epoch, 0, Some(vec![1, 2, 3, 4, 5])),
            (&begun.epoch, 3, Some(vec![4, 5])),
            (&begun.epoch, 5, Some(vec![])),
            ("", 3, Some(vec![4, 5])),
            ("another", 3, None),
        ] {
            let mut client = CentrifugeClient::connected(server.address, encoding);
            let result = client.subscribe(since(&name, epoch, offset)).expect("subscribed");
            let offsets: Vec<_> = result.publications.iter().map(|publication| publication.offset).collect();
            assert!(result.was_recovering && result.epoch == begun.epoch);
            match recovered {
                Some(expected) => assert_eq!((result.recovered, result.offset, offsets), (true, offset, expected)),
                None => assert_eq!((result.recovered, result.offset, offsets), (false, 5, vec![])),
            }
            drop(client);
            let mut client = CentrifugeClient::connected(server.address, encoding);
            let request =
                SubscribeRequest { flag: SubscribeRequest::REJECT_UNRECOVERED, ..since(&name, epoch, offset) };
            let code = client.subscribe(request).err().map(|error| error.code);
            assert_eq!(code, (epoch == "another").then_some(112));
            if code.is_some() {
                client.subscribe(channel(&name)).expect("a refused subscription is gone");
            }
        }
    }
    let mut client = CentrifugeClient::connected(server.address, Encoding::Json);
    let begun = client.subscribe(channel("short:a")).expect("subscribed");
    for number in 1..=3 {
        client.publish("short:a", number.to_string()).expect("published");
    }
    client.unsubscribe("short:a");
    let result = client.subscribe(since("short:a", &begun.epoch, 0)).expect("subscribed");
    assert_eq!((result.recovered, result.offset), (false, 3), "two are kept, three were missed");
}

#[test]
fn orders_are_recovered_from_the_log_however_many() {
    const ORDERS: u64 = 1_200;
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |setup| {
        (setup.engine.intake_capacity, setup.engine.client_capacity) = (4_000, 4_000);
    });
    let mut buyer = CentrifugeClient::connected(server.address, Encoding::Protobuf);
    let rpc = RpcRequest { method: "order.place".to_owned(), data: Bytes::from(ORDER) };
    let commands: Vec<_> = (0..ORDERS as u32)
        .map(|number| Command { id: 10 + number, rpc: Some(rpc.clone()), ..Command::default() })
        .collect();
    for frame in commands.chunks(400) {
        buyer.send(frame);
    }
    for command in &commands {
        assert!(buyer.reply(command.id).rpc.is_some());
    }
    for encoding in BOTH {
        let mut client = CentrifugeClient::connected(server.address, encoding);
        let begun = client.subscribe(channel("orders")).expect("subscribed");
        assert_eq!(begun.offset, ORDERS);
        client.unsubscribe("orders");
        let result = client.subscribe(since("orders", &begun.epoch, 10)).expect("subscribed");
        assert!(result.recovered && result.offset == 10 && !result.publications.is_empty());
        let mut last = 10;
        for publication in result.publications {
            assert_eq!(publication.offset, last + 1);
            last += 1;
        }
        while last < ORDERS {
            let (_, publication) = client.publication();
            assert_eq!(publication.offset, last + 1, "no hole and nothing twice");
            last += 1;
        }
        client.unsubscribe("orders");
        let result = client.subscribe(since("orders", &begun.epoch, ORDERS)).expect("subscribed");
        assert!(result.recovered && result.publications.is_empty());
    }
}

#[test]
fn presence_is_seen_asked_and_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    for encoding in BOTH {
        let name = format!("full:{encoding:?}");
        let mut first = CentrifugeClient::open(server.address, encoding);
        let first_id = first.connect("").expect("connected").client;
        first.subscribe(SubscribeRequest { join_leave: true, ..channel(&name) }).expect("subscribed");
        let mut second = CentrifugeClient::open(server.address, encoding);
        let second_id = second.connect("").expect("connected").client;
        second.subscribe(channel(&name)).expect("subscribed");
        let mut joined = Vec::new();
        while !joined.contains(&second_id) {
            let push = first.push();
            let info = push.join.expect("a join").info.expect("who");
            assert_eq!(push.channel, name);
            joined.push(info.client);
        }
        let presence = Some(PresenceRequest { channel: name.clone() });
        let presence = first.call(Command { presence, ..Command::default() }).presence.expect("a result").presence;
        assert_eq!(presence.len(), 2);
        assert!(presence.contains_key(&first_id) && presence[&second_id].client == second_id);
        assert_eq!(first.presence_stats(&name), (2, 1), "both are the local administrator");
        drop(second);
        let left = first.push();
        assert_eq!(left.leave.expect("a leave").info.expect("who").client, second_id);
        assert_eq!(first.presence_stats(&name), (1, 1));
        first.unsubscribe(&name);
        assert_eq!(first.presence_stats(&name), (0, 0));
    }
}

#[test]
fn history_is_read_in_both_directions() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    for encoding in BOTH {
        let mut client = CentrifugeClient::connected(server.address, encoding);
        let name = format!("full:{encoding:?}");
        for number in 1..=5 {
            client.publish(&name, number.to_string()).expect("published");
            server.client().post("/orders", ORDER);
        }
        let log = format!("{name} and the log");
        for name in [name.as_str(), "orders"] {
            let all = HistoryRequest { channel: name.to_owned(), limit: 0, ..HistoryRequest::default() };
            let position = client.history(all.clone()).history.expect("a result");
            assert!(position.publications.is_empty() && !position.epoch.is_empty());
            let top = position.offset;
            assert!(top >= 5, "{log}");
            let at = |offset| Some(StreamPosition { offset, epoch: position.epoch.clone() });
            for (limit, from, reverse, offsets) in [
                (-1, at(top - 5), false, vec![top - 4, top - 3, top - 2, top - 1, top]),
                (2, at(top - 3), false, vec![top - 2, top - 1]),
                (2, None, true, vec![top, top - 1]),
                (2, at(top - 1), true, vec![top - 2, top - 3]),
                (9, at(top), false, vec![]),
                (1, Some(StreamPosition { offset: top - 1, epoch: String::new() }), false, vec![top]),
            ] {
                let request = HistoryRequest { limit, since: from, reverse, ..all.clone() };
                let result = client.history(request.clone()).history.expect("a result");
                let found: Vec<_> = result.publications.iter().map(|publication| publication.offset).collect();
                assert_eq!((result.offset, found), (top, offsets), "{request:?}");
            }
            let other = Some(StreamPosition { offset: 1, epoch: "another".to_owned() });
            let error = client.history(HistoryRequest { since: other, limit: 1, ..all.clone() }).error;
            assert_eq!(error.map(|error| error.code), Some(112));
            let error = client.history(HistoryRequest { since: at(0), reverse: true, limit: 1, ..all }).error;
            assert_eq!(error.map(|error| error.code), Some(107));
        }
    }
}

#[test]
fn an_order_is_placed_by_call_and_answered_when_durable() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    server.client().post("/products", r#"{"sku":"tea","name":"Tea","price":2.5,"stock":9}"#);
    for encoding in BOTH {
        let mut client = CentrifugeClient::connected(server.address, encoding);
        client.subscribe(channel("orders")).expect("subscribed");
        let order: serde_json::Value = serde_json::from_str(ORDER).expect("JSON");
        let placed = client.rpc("order.place", &order).expect("placed");
        assert_eq!((&placed["amount"], &placed["status"]), (&json!(5.0), &json!("pending")));
        let id = placed["id"].as_str().expect("an id");
        let over_http = server.client().get(&format!("/orders/{id}")).json();
        assert_eq!((&placed["id"], &placed["version"]), (&over_http["id"], &over_http["version"]));
        let (_, event) = client.publication();
        let event: serde_json::Value = serde_json::from_slice(&event.data).expect("JSON");
        assert_eq!(event["order_id"].as_str(), Some(id));
        assert_eq!(client.rpc("order.get", &json!({"id": id})).expect("found"), over_http);
        let events = client.rpc("order.events", &json!({"id": id, "limit": 5})).expect("found");
        assert_eq!(events["events"].as_array().map(Vec::len), Some(1));
        let listed = client.rpc("orders.list", &json!({"limit": 1})).expect("a list");
        assert_eq!(listed["orders"][0]["id"].as_str(), Some(id));
        let products = client.rpc("products.list", &json!(null)).expect("a list");
        assert_eq!(products["products"][0]["sku"], "tea");
        let same = json!({"id": id, "amount": 6, "items": ["a"], "customer": "x", "address": "y"});
        for (method, data, code) in [
            ("order.place", json!({"amount": 0, "items": ["a"], "customer": "x", "address": "y"}), 422),
            ("order.place", json!([]), 422),
            (
                "order.place",
                json!({"amount": 1, "items": ["a"], "customer": "x", "address": "y", "type": "order"}),
                422,
            ),
            ("order.place", same, 409),
            ("order.get", json!({"id": "none"}), 404),
            ("order.get", json!({}), 400),
            ("order.events", json!({"id": 7}), 400),
            ("order.get", json!({"id": id, "ID": id}), 400),
            ("orders.list", json!({"statuses": "failed"}), 400),
            ("products.list", json!({"limit": 1}), 400),
            ("order.hold", json!({"id": id, "reason": "x", "utnil": "2030-01-01T00:00:00Z"}), 422),
            ("order.hold", json!({"id": id, "reason": "x", "action": "cancel"}), 422),
            ("orders.list", json!({"status": "lost"}), 400),
        ] {
            let error = client.rpc(method, &data).expect_err("refused");
            assert_eq!(error.code, code, "{method} {data} {error:?}");
            assert!(!error.message.is_empty() && !error.temporary);
        }
        let given = format!("given-{encoding:?}");
        let again = json!({"id": given, "amount": 5, "items": ["a"], "customer": "x", "address": "y"});
        let first = client.rpc("order.place", &again).expect("placed");
        assert_eq!(client.rpc("order.place", &again).expect("placed before"), first);
        let cancelled = client.rpc("order.cancel", &json!({"id": id, "version": 1})).expect("cancelled");
        assert_eq!((&cancelled["status"], &cancelled["allowed"]), (&json!("cancelled"), &json!([])));
        let stale = client.rpc("order.cancel", &json!({"id": id, "version": 1})).expect_err("it is over");
        assert_eq!(stale.code, 412);
    }
}

#[test]
fn pings_keep_a_connection_alive_and_silence_ends_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |setup| {
        setup.server.centrifuge.ping_interval = Duration::from_secs(1);
        setup.server.centrifuge.pong_timeout = Duration::from_millis(500);
        setup.server.centrifuge.stale_timeout = Duration::from_secs(1);
    });
    for encoding in BOTH {
        let mut client = CentrifugeClient::connected(server.address, encoding);
        client.ping();
        client.ping();
        client.answers_pings = false;
        assert_eq!(client.close(), (3012, "no pong".to_owned()));
        let mut silent = CentrifugeClient::open(server.address, encoding);
        assert_eq!(silent.close(), (3502, "stale".to_owned()));
    }
    let path = "/connection/websocket?cf_ws_frame_ping_pong=true";
    let mut tool = CentrifugeClient::open_at(server.address, Encoding::Json, path);
    let connect = tool.connect("").expect("connected");
    assert_eq!((connect.ping, connect.pong), (0, false));
}

#[test]
fn deltas_lead_from_one_publication_to_the_next() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    let text =
        |number: u32| format!("{{\"text\":\"{}\",\"number\":{number},\"mark\":\"ä\"}}", "lorem ipsum ".repeat(30));
    for encoding in BOTH {
        let name = format!("full:{encoding:?}");
        let mut client = CentrifugeClient::connected(server.address, encoding);
        let mut publisher = CentrifugeClient::connected(server.address, encoding);
        let request = SubscribeRequest { delta: "fossil".to_owned(), ..channel(&name) };
        let begun = client.subscribe(request.clone()).expect("subscribed");
        assert!(begun.delta);
        let content = |publication: &[u8]| match encoding {
            Encoding::Json => serde_json::from_slice::<String>(publication).expect("a string").into_bytes(),
            Encoding::Protobuf => publication.to_vec(),
        };
        let mut before = Vec::new();
        for number in 1..=4 {
            publisher.publish(&name, text(number)).expect("published");
            let (_, publication) = client.publication();
            let data = content(&publication.data);
            assert_eq!(publication.delta, number > 1, "the first is whole");
            before = if publication.delta { fossil::apply(&before, &data, 1 << 20).expect("it fits") } else { data };
            assert_eq!(before, text(number).into_bytes());
        }
        client.unsubscribe(&name);
        for number in 5..=7 {
            publisher.publish(&name, text(number)).expect("published");
        }
        let request = SubscribeRequest { recover: true, epoch: begun.epoch, offset: 4, ..request };
        let result = client.subscribe(request).expect("subscribed");
        assert!(result.recovered && result.delta);
        let mut before = Vec::new();
        for (index, publication) in result.publications.iter().enumerate() {
            assert_eq!(publication.delta, index > 0);
            let data = content(&publication.data);
            before = if publication.delta { fossil::apply(&before, &data, 1 << 20).expect("it fits") } else { data };
            assert_eq!(before, text(5 + index as u32).into_bytes());
        }
        publisher.publish(&name, text(8)).expect("published");
        let (_, publication) = client.publication();
        let data = content(&publication.data);
        before = if publication.delta { fossil::apply(&before, &data, 1 << 20).expect("it fits") } else { data };
        assert_eq!(before, text(8).into_bytes());
        let mut other = CentrifugeClient::connected(server.address, encoding);
        let request = SubscribeRequest { delta: "fossil".to_owned(), ..channel("orders") };
        assert!(!other.subscribe(request).expect("subscribed").delta, "not for logs");
    }
}

#[test]
fn a_stopping_server_asks_its_clients_to_come_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = start(dir.path(), |_| {});
    let mut clients = BOTH.map(|encoding| CentrifugeClient::connected(server.address, encoding));
    let stopping = std::thread::spawn(move || server.stop());
    for client in &mut clients {
        assert_eq!(client.close(), (3001, "shutdown".to_owned()));
    }
    drop(clients);
    stopping.join().expect("the server stops");
}

#[test]
fn a_message_without_reply_is_not_taken() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    let mut client = CentrifugeClient::connected(server.address, Encoding::Protobuf);
    client.send(&[Command { send: Some(SendRequest { data: Bytes::from_static(b"1") }), ..Command::default() }]);
    assert_eq!(client.close().0, 3508);
}

#[test]
fn many_commands_of_one_frame_are_answered_in_order() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    let mut client = CentrifugeClient::connected(server.address, Encoding::Json);
    let commands: Vec<_> = (0..100u32)
        .map(|number| {
            let data = Bytes::from(number.to_string());
            let publish = PublishRequest { channel: "full:a".to_owned(), data, ..PublishRequest::default() };
            Command { id: 10 + number, publish: Some(publish), ..Command::default() }
        })
        .collect();
    client.subscribe(channel("full:a")).expect("subscribed");
    client.send(&commands);
    for number in 0..100u32 {
        let reply = client.reply(10 + number);
        assert_eq!(reply, Reply { id: 10 + number, publish: Some(Default::default()), ..Reply::default() });
        assert_eq!(client.publication().1.data, number.to_string());
    }
}

#[test]
fn numbers_beyond_reason_do_no_harm() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    server.client().post("/orders", ORDER);
    for encoding in BOTH {
        let mut client = CentrifugeClient::connected(server.address, encoding);
        client.publish("full:a", "1").expect("published");
        for name in ["full:a", "orders", "order:none", "products"] {
            for offset in [u64::MAX, u64::MAX - 1, i64::MAX as u64, 1 << 53] {
                let result = client.subscribe(since(name, "", offset)).expect("subscribed");
                assert!(!result.recovered && result.publications.is_empty(), "{name} {offset}");
                client.unsubscribe(name);
                for (limit, reverse) in [(i32::MAX, false), (i32::MIN, true), (1, true), (1, false)] {
                    let since = Some(StreamPosition { offset, epoch: String::new() });
                    let request = HistoryRequest { channel: name.to_owned(), limit, since, reverse };
                    let reply = client.history(request.clone());
                    assert!(reply.history.is_some_and(|history| history.publications.len() < 9), "{request:?}");
                }
            }
        }
    }
}
