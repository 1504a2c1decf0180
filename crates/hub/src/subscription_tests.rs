use ordercast_protocol::topic::TopicKind;

use super::*;

fn log(head: u64, floor: u64) -> Extent {
    Extent { epoch: Epoch("e".into()), head, floor }
}

fn page(offsets: &[u64], read_to: u64, extent: Extent) -> Page {
    Page { events: offsets.iter().map(|offset| (*offset, "{}".into())).collect(), read_to, extent }
}

fn start(epoch: &str, offset: u64, log: &Extent) -> (Cursor, Option<Subscribed>) {
    Cursor::start(Some(&Position { epoch: Epoch(epoch.into()), offset }), log, false)
}

#[test]
fn subscriptions_start_where_they_may() {
    let known = log(10, 4);
    for (epoch, offset, state, position, recovered) in [
        ("e", 10, State::Live, 10, Some(true)),
        ("e", 9, State::CatchingUp, 9, Some(true)),
        ("e", 4, State::CatchingUp, 4, Some(true)),
        ("e", 3, State::Live, 10, Some(false)),
        ("e", 11, State::Asking, 11, None),
        ("other", 9, State::Live, 10, Some(false)),
        ("other", 11, State::Live, 10, Some(false)),
    ] {
        let (cursor, answer) = start(epoch, offset, &known);
        assert_eq!((cursor.state, cursor.offset), (state, position), "{epoch}.{offset}");
        let floor = (recovered == Some(false)).then_some(4);
        let expected = recovered.map(|recovered| Subscribed {
            epoch: Epoch("e".into()),
            offset: position,
            recovered: Some(recovered),
            floor,
            events: Vec::new(),
        });
        assert_eq!(answer, expected, "{epoch}.{offset}");
    }
    let (cursor, answer) = Cursor::start(None, &known, true);
    assert_eq!((cursor.state, cursor.offset, answer.unwrap().recovered), (State::Live, 10, None));
}

#[test]
fn pages_lead_to_the_head_and_then_runs_are_taken() {
    let (mut cursor, _) = start("e", 7, &log(10, 0));
    assert_eq!(cursor.take_run(10, 12), None, "still reading");
    assert_eq!(cursor.on_page(7, &View::All, &page(&[8, 9], 9, log(12, 0)), 12), PageVerdict::Send(None));
    assert_eq!(cursor.wants_page(), Some(9));
    assert_eq!(cursor.on_page(7, &View::All, &page(&[8, 9], 9, log(12, 0)), 12), PageVerdict::Stale);
    // The log is ahead of the announcements.
    assert_eq!(cursor.on_page(9, &View::All, &page(&[10, 11, 12, 13], 13, log(13, 0)), 12), PageVerdict::Send(None));
    assert_eq!(cursor.wants_page(), None);
    assert_eq!(cursor.take_run(12, 13), None, "seen in the page");
    assert_eq!(cursor.take_run(13, 15), Some(13));
    assert_eq!(cursor.take_run(15, 16), Some(15));
}

#[test]
fn a_live_view_stands_at_the_head_even_without_events() {
    let (mut cursor, _) = Cursor::start(None, &log(10, 0), false);
    assert_eq!(cursor.position(20), 20);
    assert_eq!(cursor.take_run(20, 22), Some(20));
    cursor.park(21);
    assert_eq!((cursor.position(30), cursor.wants_page()), (21, None));
    assert_eq!(cursor.take_run(30, 31), None);
    cursor.resume(31);
    assert_eq!(cursor.wants_page(), Some(21));
    let view = View::of(TopicKind::Order, "a");
    assert_eq!(cursor.on_page(21, &view, &page(&[25], 31, log(31, 0)), 31), PageVerdict::Send(None));
    assert_eq!((cursor.wants_page(), cursor.position(31)), (None, 31));
}

#[test]
fn bad_pages_change_nothing() {
    let order = View::of(TopicKind::Order, "a");
    for (view, page) in [
        (&View::All, page(&[9, 10], 10, log(10, 0))),
        (&View::All, page(&[8, 10], 10, log(10, 0))),
        (&View::All, page(&[8], 9, log(10, 0))),
        (&View::All, page(&[], 10, log(10, 0))),
        (&View::All, page(&[], 7, log(10, 0))),
        (&order, page(&[9, 9], 10, log(10, 0))),
        (&order, page(&[9], 8, log(10, 0))),
        (&order, page(&[], 7, log(10, 0))),
    ] {
        let (mut cursor, _) = start("e", 7, &log(10, 0));
        assert_eq!(cursor.on_page(7, view, &page, 10), PageVerdict::Bad, "{page:?}");
        assert_eq!(cursor.wants_page(), Some(7));
    }
}

#[test]
fn a_position_above_the_head_is_looked_up() {
    let (mut cursor, _) = start("e", 12, &log(10, 0));
    let answer = cursor.on_page(12, &View::All, &page(&[13], 13, log(13, 0)), 10);
    assert!(matches!(answer, PageVerdict::Send(Some(Subscribed { offset: 12, recovered: Some(true), .. }))));
    assert_eq!(cursor.take_run(10, 14), Some(13));

    let (mut cursor, _) = start("e", 12, &log(10, 0));
    let answer = cursor.on_page(12, &View::All, &page(&[], 12, log(12, 0)), 10);
    assert!(matches!(answer, PageVerdict::Send(Some(_))));
    assert_eq!(cursor.take_run(10, 12), None);

    let (mut cursor, _) = start("e", 14, &log(10, 0));
    let answer = cursor.on_page(14, &View::All, &page(&[], 14, log(12, 0)), 10);
    assert!(matches!(answer, PageVerdict::Restarted(Subscribed { offset: 10, recovered: Some(false), .. })));
    assert_eq!(cursor.take_run(10, 11), Some(10));
}

#[test]
fn retention_overtakes_a_slow_reader_aloud() {
    let (mut cursor, _) = start("e", 7, &log(10, 0));
    let verdict = cursor.on_page(7, &View::All, &page(&[9, 10], 10, log(10, 8)), 10);
    let PageVerdict::Restarted(answer) = verdict else { panic!("{verdict:?}") };
    assert_eq!((answer.offset, answer.recovered, answer.floor), (10, Some(false), Some(8)));
    assert_eq!(cursor.take_run(10, 11), Some(10));
}
