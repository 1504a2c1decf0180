//! Units that were shipped or returned, money that went back, and the idempotency keys of those actions.

use ordercast_domain::adjustment::{Adjustment, AdjustmentKind, AdjustmentLine};
use ordercast_domain::decide::ActionRecord;
use ordercast_domain::money::Currency;
use ordercast_domain::order::{Fulfilment, LedgerEntry, LedgerKind, LineMove, LineMoveKind, Progress};

use super::steps::changed;
use super::{run, wait};
use crate::read::ReadStore;
use crate::write::{Keys, MoneyKeys, MoneyWrites, OrderKeys, OrderWrites, WriteStore, Writes};

pub(super) fn keeps_what_was_moved(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let at_ms = 1_700_000_000_000;
    let moved = |version, kind, quantity| LineMove { seq: 3, version, line: 0, kind, quantity, at_ms };
    let moves = vec![
        moved(4, LineMoveKind::Cancelled, 1),
        moved(4, LineMoveKind::Shipped, 1),
        moved(5, LineMoveKind::Returned, 1),
    ];
    let entry = LedgerEntry {
        seq: 3,
        version: 5,
        kind: LedgerKind::Return,
        amount: 250,
        actor: "staff".to_owned(),
        reason: Some("broken".into()),
        at_ms,
    };
    let record = ActionRecord { seq: 3, order_id: "third".into(), digest: [9; 16] };
    run(writer, OrderKeys { seqs: vec![3], ..OrderKeys::default() }, |set, _| {
        let (_, writes) = changed(&set, 3, |order| {
            (order.refunded, order.cancel_requested, order.last_error) = (250, true, Some("late".into()));
        });
        let (moves, ledger) = (moves.clone(), vec![entry.clone()]);
        Writes {
            orders: OrderWrites { moves, action_keys: vec![("k".into(), record.clone())], ..writes.orders },
            money: MoneyWrites { ledger, ..writes.money },
            ..writes
        }
    });
    let expected = Fulfilment { moves, ledger: vec![entry] };
    assert_eq!(wait(reader.fulfilment(3)).expect("readable"), expected, "oldest first");
    assert_eq!(wait(reader.fulfilment(4)).expect("readable"), Fulfilment::default());
    let (order, _) = wait(reader.order("third".into())).expect("readable").expect("it is there");
    assert_eq!((order.refunded, order.cancel_requested, order.last_error.as_deref()), (250, true, Some("late")));
    let keys = Keys {
        orders: OrderKeys {
            acted_on: vec!["third".into(), "none".into()],
            action_keys: vec!["k".into(), "none".into()],
            lines_of: vec![4],
            ..OrderKeys::default()
        },
        ..Keys::default()
    };
    run(writer, keys, |set, _| {
        assert_eq!((set.orders.by_id.len(), set.orders.by_id["third"]), (1, 3));
        assert_eq!(set.orders.lines[&3].progress, [Progress { shipped: 1, cancelled: 1, returned: 1 }]);
        assert!(
            set.orders.lines.contains_key(&4)
                && set.orders.by_seq.contains_key(&4)
                && set.catalogue.products.contains_key("tea")
        );
        assert_eq!((set.orders.actions.len(), &set.orders.actions["k"]), (1, &record));
        Writes::default()
    });
}

pub(super) fn keeps_adjustments(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let adjustment = |id: &str, customer_id: Option<&str>| Adjustment {
        id: id.into(),
        kind: AdjustmentKind::Cancellation,
        amount: -501,
        rounding: 500_000,
        currency: Currency::parse("GBP").expect("a currency"),
        customer_id: customer_id.map(Into::into),
        lines: vec![AdjustmentLine { sku: "tea".to_owned(), quantity: -2, price: 2_505_000 }],
        notes: Some("na\u{ef}ve".to_owned()),
        placed_at_ms: Some(1_700_000_000_000),
        created_at_ms: 1_700_000_000_001,
        digest: [5; 16],
    };
    let both = [adjustment("one", Some("c_ann")), adjustment("two", None)];
    let keys = || MoneyKeys { adjustments: vec!["one".into(), "none".into()] };
    run(writer, keys(), |set, _| {
        assert!(set.money.adjustments.is_empty());
        MoneyWrites { adjustments: both.to_vec(), ..MoneyWrites::default() }.into()
    });
    run(writer, keys(), |set, _| {
        assert_eq!(set.money.adjustments.len(), 1, "only those that are asked for");
        assert_eq!(set.money.adjustments["one"], both[0]);
        Writes::default()
    });
    assert_eq!(wait(reader.adjustments(0, 10)).expect("readable"), both, "in the order in which they were stored");
    assert_eq!(wait(reader.adjustments(1, 10)).expect("readable"), both[1..]);
    assert_eq!(wait(reader.adjustments(0, 1)).expect("readable"), both[..1]);
}
