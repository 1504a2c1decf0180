//! Tests of stored publications.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn stored(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_publication(&PublicationBody { data, info: None, tags: &BTreeMap::new(), time_ms: 0 }, &mut out);
    out
}

#[test]
fn publications_are_stored_on_one_line() {
    for (data, body) in [
        (&br#"{"a":1}"#[..], r#"{"type":"publication","data":{"a":1}}"#),
        (b"null", r#"{"type":"publication","data":null}"#),
        (b"1.50", r#"{"type":"publication","data":1.50}"#),
        (b"\xff\x00", r#"{"type":"publication","data_base64":"/wA="}"#),
        (b"", r#"{"type":"publication","data_base64":""}"#),
        (b"{\"a\":\n1}", r#"{"type":"publication","data_base64":"eyJhIjoKMX0=","data":{"a": 1}}"#),
        (b" 1", r#"{"type":"publication","data_base64":"IDE=","data":1}"#),
    ] {
        assert_eq!(String::from_utf8(stored(data)).unwrap(), body);
    }
    let info = ClientInfo {
        user: "u".to_owned(),
        client: "c".to_owned(),
        conn_info: Bytes::from_static(br#"{"name":"N"}"#),
        chan_info: Bytes::new(),
    };
    let tags = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    let mut out = Vec::new();
    write_publication(
        &PublicationBody { data: b"[]", info: Some(&info), tags: &tags, time_ms: 1_705_314_600_123 },
        &mut out,
    );
    let body = r#"{"type":"publication","data":[],"info":{"user":"u","client":"c","conn_info":{"name":"N"}},"tags":{"k":"v"},"time":1705314600123}"#;
    assert_eq!(String::from_utf8(out).unwrap(), body);
    let read = parse_publication(body.as_bytes()).unwrap();
    assert_eq!((read.info, read.tags, read.time_ms), (Some(info), tags, 1_705_314_600_123));
}

#[test]
fn each_encoding_gets_its_data() {
    for (data, json) in [
        (&br#"{"a":1}"#[..], r#"{"a":1}"#),
        (b"null", "null"),
        (b"\xff\x00", "\"/wA=\""),
        (b"{\"a\":\r\n1}", "{\"a\":  1}"),
    ] {
        let body = stored(data);
        assert_eq!(&*data_of(Encoding::Json, &body), json.as_bytes());
        assert_eq!(&*data_of(Encoding::Protobuf, &body), data);
    }
    let event = br#"{"type":"order_update","order_id":"1"}"#;
    assert_eq!(&*data_of(Encoding::Json, event), event);
    assert_eq!(to_message(Encoding::Json, 7, event).offset, 7);
    assert_eq!(parse_publication(event), None);
}

#[test]
fn deltas_stand_in_strings_for_json_clients() {
    let body = stored(r#"{"a":"ä"}"#.as_bytes());
    let full = to_delta_message(Encoding::Json, 1, &body, None);
    assert_eq!((&full.data[..], full.delta), ("\"{\\\"a\\\":\\\"ä\\\"}\"".as_bytes(), false));
    let delta = to_delta_message(Encoding::Json, 2, &body, Some(b"3\n3:\"b\";"));
    assert_eq!((&delta.data[..], delta.delta), (&br#""3\n3:\"b\";""#[..], true));
    let not_text = to_delta_message(Encoding::Json, 2, &body, Some(b"\xff"));
    assert_eq!((&not_text.data, not_text.delta), (&full.data, false));
    let binary = to_delta_message(Encoding::Protobuf, 2, &body, Some(b"\xff"));
    assert_eq!((&binary.data[..], binary.delta), (&b"\xff"[..], true));
}

proptest! {
    #[test]
    fn every_payload_comes_back(data in vec(any::<u8>(), 0..60), text in "[\\[\\]{}\":,0-9 \n\t]{0,24}") {
        for data in [&data[..], text.as_bytes()] {
            let body = stored(data);
            prop_assert!(!body.contains(&b'\n'));
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
            prop_assert_eq!(&*data_of(Encoding::Protobuf, &body), data);
        }
    }

    #[test]
    fn broken_bodies_do_no_harm(mut tail in vec(any::<u8>(), 0..80)) {
        let body = [PREFIX, &std::mem::take(&mut tail)].concat();
        let _ = to_message(Encoding::Protobuf, 1, &body);
        let _ = to_delta_message(Encoding::Json, 1, &body, Some(&body));
    }
}
