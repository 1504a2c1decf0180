//! Who may connect, subscribe and see what: tokens of connections and subscriptions.

mod support;

use std::path::Path;
use std::time::Duration;

use ordercast_access::Audience;
use ordercast_protocol::centrifuge::codec::Encoding;
use ordercast_protocol::centrifuge::message::{
    Command, ConnectRequest, HistoryRequest, RefreshRequest, SubRefreshRequest, SubscribeRequest,
};
use ordercast_server::access::Access;
use ordercast_server::access::secret::Secret;
use ordercast_server::access::tokens::{TokenKeys, Tokens};
use ordercast_server::channels::{Channels, Namespace};
use serde_json::{Value, json};
use support::centrifuge::{BOTH, CentrifugeClient, SECRET, channel, now_s, token};
use support::{Server, Setup};

fn order_of(customer: &str) -> Value {
    json!({"amount": 5, "items": ["a"], "customer": customer, "address": "y"})
}

/// Tokens are asked for; grace is none, so that ends come soon.
fn start(dir: &Path, change: impl FnOnce(&mut Setup)) -> Server {
    let keys = TokenKeys { hmac_secret: Some(Secret::new(SECRET)), ..TokenKeys::default() };
    let room = Namespace {
        name: "room".to_owned(),
        history_size: 10,
        presence: true,
        join_leave: true,
        force_recovery: true,
        allow_subscribe: Audience::Users,
        allow_publish: Audience::Subscribers,
        ..Namespace::default()
    };
    let private = Namespace { name: "private".to_owned(), allow_subscribe: Audience::Nobody, ..room.clone() };
    Server::start(dir, |setup| {
        setup.engine.slots = 0;
        setup.server.channels = Channels::new([room, private]).expect("good namespaces");
        setup.server.access =
            Access { is_open: false, tokens: Tokens::new(&keys).expect("a key"), ..Access::default() };
        setup.server.centrifuge.refresh_grace = Duration::ZERO;
        change(setup);
    })
}

fn connected(server: &Server, claims: &Value) -> CentrifugeClient {
    let mut client = CentrifugeClient::open(server.address, Encoding::Json);
    client.connect(&token(claims)).expect("connected");
    client
}

#[test]
fn only_good_tokens_connect() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    for encoding in BOTH {
        for bad in [String::new(), "no".to_owned(), token(&json!({"sub": 7})), format!("{}x", token(&json!({})))] {
            let mut client = CentrifugeClient::open(server.address, encoding);
            let connect = Some(ConnectRequest { token: bad.clone(), ..ConnectRequest::default() });
            client.send(&[Command { id: 1, connect, ..Command::default() }]);
            assert_eq!(client.close(), (3500, "invalid token".to_owned()), "{bad}");
        }
        let mut client = CentrifugeClient::open(server.address, encoding);
        let connect = ConnectRequest { token: token(&json!({"sub": "42", "exp": 1})), ..ConnectRequest::default() };
        client.send(&[
            Command { id: 1, connect: Some(connect), ..Command::default() },
            Command { id: 2, subscribe: Some(channel("room:a")), ..Command::default() },
        ]);
        let refused = client.reply(1).error.expect("an error");
        assert_eq!((refused.code, &*refused.message), (109, "token expired"));
        assert_eq!(client.close(), (3000, "connection closed".to_owned()), "what came with it is void");
        let mut client = CentrifugeClient::open(server.address, encoding);
        let for_ever = json!({"sub": "42", "exp": i64::MAX});
        let connect = CentrifugeClient::open(server.address, encoding).connect(&token(&for_ever)).expect("connected");
        assert_eq!(connect.ttl, u32::MAX);
        let connect = client.connect(&token(&json!({"sub": "42", "exp": now_s() + 100}))).expect("connected");
        assert!(connect.expires && (90..=100).contains(&connect.ttl), "{connect:?}");
    }
}

#[test]
fn anonymous_clients_come_in_where_they_may() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |setup| setup.server.access.allows_anonymous = true);
    let mut client = CentrifugeClient::connected(server.address, Encoding::Json);
    client.subscribe(channel("products")).expect("for everyone");
    for name in ["orders", "stats", "adjustments", "room:a", "order:x", "orders:c_1"] {
        assert_eq!(client.subscribe(channel(name)).expect_err("refused").code, 103, "{name}");
    }
}

#[test]
fn customers_see_their_own_orders_only() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    let mut staff = connected(&server, &json!({"sub": "s", "role": "staff"}));
    let own = staff.rpc("order.place", &order_of("ann")).expect("placed");
    let other = staff.rpc("order.place", &order_of("bob")).expect("placed");
    let id = |order: &Value| order["id"].as_str().expect("an id").to_owned();
    let whose = |order: &Value| order["customer_id"].as_str().expect("an id").to_owned();
    let mut ann = connected(&server, &json!({"sub": "ann", "customer_id": whose(&own)}));
    let own_channel = format!("order:{}", id(&own));
    let own_orders = format!("orders:{}", whose(&own));
    for (name, code) in [
        (&*own_channel, None),
        (&own_orders, None),
        ("products", None),
        (&format!("order:{}", id(&other)), Some(103)),
        ("order:none", Some(103)),
        (&format!("orders:{}", whose(&other)), Some(103)),
        ("orders", Some(103)),
        ("stats", Some(103)),
        ("adjustments", Some(103)),
    ] {
        assert_eq!(ann.subscribe(channel(name)).err().map(|error| error.code), code, "{name}");
        let history = HistoryRequest { channel: name.to_owned(), limit: 1, ..HistoryRequest::default() };
        let code = if name == "stats" { Some(108) } else { code };
        assert_eq!(ann.history(history).error.map(|error| error.code), code, "{name}");
    }
    assert_eq!(ann.rpc("order.get", &json!({"id": id(&own)})).expect("found")["id"], own["id"]);
    let mine = ann.rpc("orders.list", &json!({})).expect("a list");
    assert_eq!(mine["orders"].as_array().map(Vec::len), Some(1));
    for (method, data) in [
        ("order.get", json!({"id": id(&other)})),
        ("order.get", json!({"id": "none"})),
        ("order.events", json!({"id": id(&other)})),
        ("orders.list", json!({"customer_id": whose(&other)})),
        ("order.place", order_of("bob")),
    ] {
        assert_eq!(ann.rpc(method, &data).expect_err("refused").code, 403, "{method} {data}");
    }
    let more = ann.rpc("order.place", &order_of("ann")).expect("placed");
    let (name, _) = ann.publication();
    assert_eq!(name, own_orders, "{more}");
}

/// Another price than the catalogue's is for administrators, whatever reason is given.
#[test]
fn prices_are_set_by_those_who_may() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    server.client().post("/products", r#"{"sku":"tea","price":2.5}"#);
    let order = |price: Value| {
        let item = json!({"sku": "tea", "price": price});
        json!({"items": [item], "price_override": "a friend", "customer": "ann", "address": "y"})
    };
    let mut admin = connected(&server, &json!({"sub": "a", "role": "admin"}));
    let placed = admin.rpc("order.place", &order(json!(2))).expect("an administrator may");
    assert_eq!((&placed["amount"], &placed["price_override"]), (&json!(2.0), &json!("a friend")));
    let placed = admin.rpc("order.place", &order(json!(2.50))).expect("it is the price");
    assert!(placed["price_override"].is_null(), "nothing differs: {placed}");
    let customer_id = placed["customer_id"].clone();
    for claims in [json!({"sub": "s", "role": "staff"}), json!({"sub": "ann", "customer_id": customer_id})] {
        let mut other = connected(&server, &claims);
        let refused = other.rpc("order.place", &order(json!(2))).expect_err("not their price to set");
        assert_eq!(refused.code, 422);
        assert!(refused.message.contains("/items/0/price") && refused.message.contains("2.50 USD"), "{refused:?}");
        other.rpc("order.place", &order(Value::Null)).expect("the catalogue's price");
    }
}

#[test]
fn what_the_token_says_of_a_user_is_told_to_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    let mut ann = connected(&server, &json!({"sub": "ann"}));
    ann.subscribe(SubscribeRequest { join_leave: true, ..channel("room:a") }).expect("subscribed");
    ann.push();
    let mut bob = connected(&server, &json!({"sub": "bob", "info": {"name": "Bob"}}));
    assert_eq!(bob.publish("room:a", "1").expect_err("not subscribed").code, 103);
    let claims = json!({"sub": "bob", "channel": "room:a", "info": [1]});
    bob.subscribe(SubscribeRequest { token: token(&claims), ..channel("room:a") }).expect("subscribed");
    let joined = ann.push().join.expect("a join").info.expect("who");
    assert_eq!(
        (&*joined.user, &joined.conn_info[..], &joined.chan_info[..]),
        ("bob", &br#"{"name":"Bob"}"#[..], &b"[1]"[..])
    );
    bob.publish("room:a", "1").expect("published");
    let publisher = ann.publication().1.info.expect("who");
    assert_eq!(publisher, joined);
    assert_eq!(ann.presence_stats_error("room:a"), Some(103));
}

#[test]
fn subscriptions_have_tokens_of_their_own() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    let mut ann = connected(&server, &json!({"sub": "ann"}));
    let subscribe = |claims: Value| SubscribeRequest { token: token(&claims), ..channel("private:a") };
    for (request, code) in [
        (channel("private:a"), 103),
        (subscribe(json!({"sub": "bob", "channel": "private:a"})), 103),
        (subscribe(json!({"sub": "ann", "channel": "private:b"})), 103),
        (subscribe(json!({"sub": "ann", "channel": "private:a", "client": "other"})), 103),
        (SubscribeRequest { token: "no".to_owned(), ..channel("private:a") }, 103),
        (subscribe(json!({"sub": "ann", "channel": "private:a", "exp": 1})), 109),
    ] {
        assert_eq!(ann.subscribe(request).expect_err("refused").code, code);
    }
    let good = json!({"sub": "ann", "channel": "private:a", "exp": now_s() + 100});
    let result = ann.subscribe(subscribe(good.clone())).expect("subscribed");
    assert!(result.expires && (90..=100).contains(&result.ttl));
    let mut refresh = |channel: &str, claims: &Value| {
        let request =
            SubRefreshRequest { channel: channel.to_owned(), token: token(claims), ..SubRefreshRequest::default() };
        ann.call(Command { sub_refresh: Some(request), ..Command::default() })
    };
    let longer = json!({"sub": "ann", "channel": "private:a", "exp": now_s() + 200});
    let result = refresh("private:a", &longer).sub_refresh.expect("a result");
    assert!(result.expires && (190..=200).contains(&result.ttl));
    assert_eq!(refresh("private:b", &longer).error.map(|error| error.code), Some(103));
    assert_eq!(
        refresh("private:a", &json!({"sub": "bob", "channel": "private:a"})).error.map(|error| error.code),
        Some(103)
    );
    let expired = json!({"sub": "ann", "channel": "private:a", "exp": 1});
    assert_eq!(refresh("private:a", &expired).error.map(|error| error.code), Some(110));
    let push = ann.push();
    assert_eq!((&*push.channel, push.unsubscribe.map(|push| push.code)), ("private:a", Some(2501)));
    ann.subscribe(subscribe(good)).expect("and again");
}

#[test]
fn connections_end_unless_they_are_refreshed() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    let soon = || json!({"sub": "ann", "exp": now_s() + 2});
    let mut unrefreshed = connected(&server, &soon());
    let mut refreshed = connected(&server, &soon());
    let mut refresh = |claims: &Value| {
        let request = RefreshRequest { token: token(claims) };
        refreshed.call(Command { refresh: Some(request), ..Command::default() })
    };
    let result = refresh(&json!({"sub": "ann", "exp": now_s() + 100})).refresh.expect("a result");
    assert!(result.expires && (90..=100).contains(&result.ttl) && !result.client.is_empty());
    assert_eq!(unrefreshed.close(), (3005, "connection expired".to_owned()));
    refreshed.subscribe(channel("room:a")).expect("still here");
    for (claims, close) in [
        (json!({"sub": "bob"}), (3500, "invalid token".to_owned())),
        (json!({"sub": "ann", "exp": 1}), (3005, "connection expired".to_owned())),
    ] {
        let mut client = connected(&server, &json!({"sub": "ann", "exp": now_s() + 100}));
        let request = RefreshRequest { token: token(&claims) };
        client.send(&[Command { id: 9, refresh: Some(request), ..Command::default() }]);
        assert_eq!(client.close(), close);
    }
    let mut client = connected(&server, &json!({"sub": "ann"}));
    let claims = json!({"sub": "ann", "channel": "private:a", "exp": now_s() + 1});
    client.subscribe(SubscribeRequest { token: token(&claims), ..channel("private:a") }).expect("subscribed");
    assert_eq!(client.close(), (3006, "subscription expired".to_owned()));
}

#[test]
fn the_server_subscribes_whom_the_token_says() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), |_| {});
    for encoding in BOTH {
        let name = format!("room:{encoding:?}");
        let claims = json!({
            "sub": "ann", "channels": [name], "subs": {"private:a": {"data": {"d": 1}}, "products": {}},
        });
        let mut client = CentrifugeClient::open(server.address, encoding);
        let connect = client.connect(&token(&claims)).expect("connected");
        let subs: Vec<_> =
            connect.subs.iter().map(|sub| (&*sub.channel, sub.result.clone().expect("a result"))).collect();
        let of =
            |name: &str| subs.iter().find(|(known, _)| *known == name).map(|(_, result)| result).expect("subscribed");
        assert_eq!(subs.len(), 3);
        assert!(of(&name).recoverable && of("products").recoverable);
        assert_eq!(&of("private:a").data[..], br#"{"d":1}"#);
        assert_eq!(client.subscribe(channel(&name)).expect_err("refused").code, 105);
        client.publish(&name, "1").expect("published");
        assert_eq!(client.publication().0, name);
        drop(client);
        let mut other = CentrifugeClient::open(server.address, encoding);
        other.connect(&token(&json!({"sub": "bob", "channels": [name]}))).expect("connected");
        other.publish(&name, "2").expect("published");
        other.publish(&name, "3").expect("published");
        let mut client = CentrifugeClient::open(server.address, encoding);
        let position =
            SubscribeRequest { recover: true, epoch: of(&name).epoch.clone(), offset: 1, ..Default::default() };
        let request = ConnectRequest {
            token: token(&claims),
            subs: [(name.clone(), position)].into(),
            ..ConnectRequest::default()
        };
        let connect = client.call(Command { connect: Some(request), ..Command::default() }).connect.expect("a result");
        let result =
            connect.subs.iter().find(|sub| sub.channel == name).and_then(|sub| sub.result.clone()).expect("it");
        let offsets: Vec<_> = result.publications.iter().map(|publication| publication.offset).collect();
        assert_eq!((result.recovered, result.offset, offsets), (true, 1, vec![2, 3]));
        client.unsubscribe(&name);
        client.subscribe(channel(&name)).expect("by itself now");
    }
    let mut client = CentrifugeClient::open(server.address, Encoding::Json);
    let error = client.connect(&token(&json!({"sub": "ann", "channels": ["nowhere:x"]}))).expect_err("refused");
    assert_eq!(error.code, 102);
}
