//! Tests of pushes: what is concatenated must be what the structs would encode.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use super::super::publication::{PublicationBody, to_delta_message, to_message, write_publication};
use super::*;

const EVENT: &[u8] = br#"{"type":"order_update","order_id":"order_1"}"#;

fn pushed(encoding: Encoding, channel: &str, offset: u64, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_publication(encoding, channel, offset, body, &mut out);
    out
}

#[test]
fn events_are_the_data() {
    for (channel, offset, text) in [
        (
            "orders",
            42,
            r#"{"push":{"channel":"orders","pub":{"data":{"type":"order_update","order_id":"order_1"},"offset":42}}}"#,
        ),
        ("a\"", 0, r#"{"push":{"channel":"a\"","pub":{"data":{"type":"order_update","order_id":"order_1"}}}}"#),
    ] {
        assert_eq!(String::from_utf8(pushed(Encoding::Json, channel, offset, EVENT)).unwrap(), text);
    }
    let binary = pushed(Encoding::Protobuf, "orders", 300, b"{}");
    assert_eq!(binary, b"\x13\x22\x11\x12\x06orders\x22\x07\x22\x02{}\x30\xac\x02");
}

#[test]
fn stored_publications_are_cut_to_fit() {
    for (body, text) in [
        (
            r#"{"type":"publication","data":{"a":1},"info":{"user":"u","client":"c"},"time":5}"#,
            r#"{"push":{"channel":"a","pub":{"data":{"a":1},"info":{"user":"u","client":"c"},"time":5,"offset":7}}}"#,
        ),
        (
            r#"{"type":"publication","data_base64":"/wA=","tags":{"k":"v"}}"#,
            r#"{"push":{"channel":"a","pub":{"data":"/wA=","tags":{"k":"v"},"offset":7}}}"#,
        ),
        (
            r#"{"type":"publication","data_base64":"IDE=","data":1,"time":5}"#,
            r#"{"push":{"channel":"a","pub":{"data":1,"time":5,"offset":7}}}"#,
        ),
        (r#"{"type":"publication","data":null}"#, r#"{"push":{"channel":"a","pub":{"data":null,"offset":7}}}"#),
    ] {
        assert_eq!(String::from_utf8(pushed(Encoding::Json, "a", 7, body.as_bytes())).unwrap(), text);
    }
}

#[test]
fn deltas_are_marked() {
    for (body, delta, text) in [
        (r#"{"a":1}"#, None, r#"{"push":{"channel":"a","pub":{"data":"{\"a\":1}","offset":7}}}"#),
        (
            r#"{"type":"publication","data":{"a":1},"info":{"user":"u","client":"c"},"time":5}"#,
            Some("2\n2:xy;"),
            r#"{"push":{"channel":"a","pub":{"data":"2\n2:xy;","delta":true,"info":{"user":"u","client":"c"},"time":5,"offset":7}}}"#,
        ),
    ] {
        let mut out = Vec::new();
        push_delta(Encoding::Json, "a", 7, body.as_bytes(), delta.map(str::as_bytes), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

#[test]
fn other_pushes_go_through_the_structs() {
    let info = || ClientInfo { user: "u".to_owned(), client: "c".to_owned(), ..ClientInfo::default() };
    let write = |push: &dyn Fn(Encoding, &mut Vec<u8>)| {
        let (mut text, mut binary) = (Vec::new(), Vec::new());
        push(Encoding::Json, &mut text);
        push(Encoding::Protobuf, &mut binary);
        let from_text: Reply = serde_json::from_slice(&text).unwrap();
        assert_eq!(Reply::decode_length_delimited(&binary[..]).unwrap(), from_text);
        String::from_utf8(text).unwrap()
    };
    for (text, expected) in [
        (
            write(&|encoding, out| push_join(encoding, "a", info(), out)),
            r#"{"push":{"channel":"a","join":{"info":{"user":"u","client":"c"}}}}"#,
        ),
        (
            write(&|encoding, out| push_leave(encoding, "a", info(), out)),
            r#"{"push":{"channel":"a","leave":{"info":{"user":"u","client":"c"}}}}"#,
        ),
        (
            write(&|encoding, out| push_unsubscribe(encoding, "a", Unsubscribe::InsufficientState, out)),
            r#"{"push":{"channel":"a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#,
        ),
        (
            write(&|encoding, out| push_disconnect(encoding, 3503, "force disconnect", out)),
            r#"{"push":{"disconnect":{"code":3503,"reason":"force disconnect"}}}"#,
        ),
        (
            write(&|encoding, out| push_disconnect(encoding, 3001, "shutdown", out)),
            r#"{"push":{"disconnect":{"code":3001,"reason":"shutdown","reconnect":true}}}"#,
        ),
        (write(&|encoding, out| push_message(encoding, b"[1]", out)), r#"{"push":{"message":{"data":[1]}}}"#),
        (
            write(&|encoding, out| {
                let subscribe = SubscribePush { recoverable: true, offset: 3, ..SubscribePush::default() };
                push_subscribe(encoding, "a", subscribe, out);
            }),
            r#"{"push":{"channel":"a","subscribe":{"recoverable":true,"offset":3}}}"#,
        ),
    ] {
        assert_eq!(text, expected);
    }
}

fn publication_of(reply: Reply) -> Publication {
    reply.push.unwrap().publication.unwrap()
}

proptest! {
    #[test]
    fn concatenation_is_what_the_structs_say(
        data in prop_oneof![vec(any::<u8>(), 0..200), Just(EVENT.to_vec()), Just(b"{\"a\":\n\"\\u00e4\"}".to_vec())],
        user in "\\PC{0,8}", tags in prop::collection::btree_map("[a-z]{1,3}", "\\PC{0,5}", 0..3),
        time_ms in 0i64..2_000_000_000_000, offset in 0u64..1 << 53, channel in "\\PC{1,20}",
        delta in prop::option::of(vec(any::<u8>(), 0..20)), is_event in any::<bool>(),
    ) {
        let mut body = Vec::new();
        let info = ClientInfo { user, conn_info: Bytes::from_static(b"[1]"), ..ClientInfo::default() };
        write_publication(&PublicationBody { data: &data, info: Some(&info), tags: &tags, time_ms }, &mut body);
        if is_event {
            body = EVENT.to_vec();
        }
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            let decode = |bytes: &[u8]| -> Reply {
                match encoding {
                    Encoding::Json => serde_json::from_slice(bytes).unwrap(),
                    Encoding::Protobuf => Reply::decode_length_delimited(bytes).unwrap(),
                }
            };
            let reply = decode(&pushed(encoding, &channel, offset, &body));
            prop_assert_eq!(&reply.push.as_ref().unwrap().channel, &channel);
            prop_assert_eq!(publication_of(reply), to_message(encoding, offset, &body));
            let mut out = Vec::new();
            push_delta(encoding, &channel, offset, &body, delta.as_deref(), &mut out);
            prop_assert!(encoding == Encoding::Protobuf || !out.contains(&b'\n'));
            prop_assert_eq!(publication_of(decode(&out)), to_delta_message(encoding, offset, &body, delta.as_deref()));
        }
    }
}

#[test]
fn no_attributes_leave_no_trace() {
    let mut body = Vec::new();
    write_publication(&PublicationBody { data: b"1", info: None, tags: &BTreeMap::new(), time_ms: 0 }, &mut body);
    let text = String::from_utf8(pushed(Encoding::Json, "a", 0, &body)).unwrap();
    assert_eq!(text, r#"{"push":{"channel":"a","pub":{"data":1}}}"#);
}
