//! The bodies of events as they lie on disk. A difference here is a new version of the body: raise
//! `BODY_VERSION`, keep the old files and read both. Run with `UPDATE_GOLDEN=1` to write files that are missing.

use std::fs;
use std::path::Path;

use ordercast_protocol::event::{
    Actor, AdjustmentView, OrderEvent, ProductView, StatsTick, TodayTick, subject, write_adjustment_event,
    write_market_event, write_order_event, write_stats_tick,
};
use ordercast_protocol::json::Decimal;
use ordercast_protocol::order::{LineView, OrderSummary, Processing};
use ordercast_protocol::redaction::TOMBSTONE;

/// Who acts in open mode.
const LOCAL: Actor<'_> = Actor { kind: "user", id: "local" };

fn check(name: &str, body: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() && !path.exists() {
        fs::write(&path, body).expect("the file can be written");
    }
    let golden = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(String::from_utf8_lossy(body), String::from_utf8_lossy(&golden), "{name}");
    serde_json::from_slice::<serde_json::Value>(body).expect("a body is JSON");
}

fn summary() -> OrderSummary<'static> {
    OrderSummary {
        id: "order_123",
        number: 1042,
        amount: Decimal { value: 9999, scale: 2 },
        currency: "USD",
        customer_id: "c_7f3a000000000000",
        item_count: 2,
        status: "pending",
        priority: 1,
        version: 1,
        attempts: 0,
        created_at_ms: 1_705_314_600_000,
        updated_at_ms: 1_705_314_600_000,
        placed_at_ms: Some(1_291_191_960_000),
        demo: false,
        processing: None,
        due_at_ms: None,
        cancel_requested: false,
        refunded: None,
    }
}

#[test]
fn a_new_order() {
    let line = |sku, price| LineView { sku, quantity: 3, price, plain: false };
    let lines = [line("te\"a", Some(Decimal { value: 33_330_000, scale: 6 }.trimmed(2))), line("plain", None)];
    let event =
        OrderEvent { order: summary(), from: None, actor: LOCAL, action: None, reason: None, lines: Some(&lines) };
    let mut body = Vec::new();
    write_order_event(&event, &mut body);
    check("order.v1.json", &body);
}

#[test]
fn a_new_order_of_many_lines_only_counts_them() {
    let line = LineView { sku: "tea", quantity: 1, price: None, plain: true };
    let lines = vec![line; 51];
    let order = OrderSummary { item_count: 51, demo: true, placed_at_ms: None, ..summary() };
    let event = OrderEvent { order, from: None, actor: LOCAL, action: None, reason: None, lines: Some(&lines) };
    let mut body = Vec::new();
    write_order_event(&event, &mut body);
    check("order_many_lines.v1.json", &body);
}

#[test]
fn a_step_of_an_order() {
    let processing = Processing { worker: "w3", started_at_ms: 1_705_314_601_000, duration_ms: Some(12) };
    let order = OrderSummary {
        status: "completed",
        version: 3,
        attempts: 1,
        updated_at_ms: 1_705_314_601_012,
        processing: Some(processing),
        ..summary()
    };
    let event = OrderEvent {
        order,
        from: Some("expedited"),
        actor: Actor { kind: "worker", id: "w3" },
        action: None,
        reason: Some("why"),
        lines: None,
    };
    let mut body = Vec::new();
    write_order_event(&event, &mut body);
    check("order_update.v1.json", &body);
}

#[test]
fn what_a_person_did_to_an_order() {
    let order = OrderSummary {
        status: "held",
        version: 4,
        due_at_ms: Some(1_705_314_700_000),
        cancel_requested: true,
        refunded: Some(Decimal { value: 150, scale: 2 }),
        ..summary()
    };
    let action = Some("hold");
    let event = OrderEvent {
        order,
        from: Some("pending"),
        actor: Actor { kind: "user", id: "u_5d41402abc4b2a76" },
        action,
        reason: Some("why"),
        lines: None,
    };
    let mut body = Vec::new();
    write_order_event(&event, &mut body);
    check("order_action.v1.json", &body);
}

#[test]
fn a_product_and_an_adjustment() {
    let product = ProductView {
        sku: "tea",
        hash: "a9f74d1ec36ebdeb",
        name: "Tea",
        price: Decimal { value: 2505, scale: 3 },
        currency: "GBP",
        stock: None,
        reserved: 2,
    };
    let mut body = Vec::new();
    write_market_event(&product, 1_705_314_600_000, &mut body);
    check("market_data.v1.json", &body);
    let adjustment = AdjustmentView {
        id: "C536379",
        kind: "cancellation",
        amount: Decimal { value: -2750, scale: 2 },
        rounding: Decimal { value: 5_000, scale: 6 },
        currency: "GBP",
        customer_id: Some("c_7f3a000000000000"),
        line_count: 1,
        placed_at_ms: 1_291_196_460_000,
        created_at_ms: 1_705_314_600_000,
    };
    body.clear();
    write_adjustment_event(&adjustment, &mut body);
    check("adjustment.v1.json", &body);
}

#[test]
fn a_second_of_the_server() {
    let tick = StatsTick {
        timestamp: 1_705_314_600,
        accepted: 12,
        revenue: vec![("USD".to_owned(), Decimal { value: 123_456, scale: 2 })],
        today: Some(TodayTick {
            date: "2024-01-15".to_owned(),
            accepted: 40,
            revenue: vec![("USD".to_owned(), Decimal { value: 400_000, scale: 2 })],
        }),
        latency_us: Some((1_200, 5_000)),
        ..StatsTick::default()
    };
    let mut body = Vec::new();
    write_stats_tick(&tick, &mut body);
    check("stats.v1.json", &body);
}

#[test]
fn a_body_that_was_removed() {
    check("redacted.v1.json", TOMBSTONE);
}

#[test]
fn bodies_tell_what_they_are_about() {
    for (name, id) in [
        ("order.v1.json", Some("order_123")),
        ("order_update.v1.json", Some("order_123")),
        ("market_data.v1.json", Some("tea")),
        ("adjustment.v1.json", None),
        ("stats.v1.json", None),
        ("redacted.v1.json", None),
    ] {
        let body = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name));
        let body = body.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(subject(&body), id.map(str::as_bytes), "{name}");
    }
    for (body, id) in [
        (r#"{"type":"x","v":1,"sku":"a\"b\\","c":1}"#, Some(r#"a\"b\\"#)),
        (r#"{"type":"x","v":1,"sku":"never ends"#, None),
        (r#"{"type":"publication","data":{"order_id":"x"}}"#, None),
        ("{}", None),
        ("", None),
    ] {
        assert_eq!(subject(body.as_bytes()), id.map(str::as_bytes), "{body}");
    }
}
