use ordercast_protocol::channel::Log;
use ordercast_protocol::position::Epoch;
use ordercast_protocol::topic::Topics;
use proptest::prelude::*;

use super::*;

fn state(epoch: &str, head: u64, floor: u64) -> LogState {
    LogState { log: Log::Orders, epoch: Epoch(epoch.into()), head, floor }
}

fn body(offset: u64) -> Bytes {
    format!("{{\"n\":{offset}}}").into()
}

fn announcement(first: u64, last: u64) -> Arc<Announcement> {
    let event = |offset| AnnouncedEvent { body: body(offset), topics: Topics::default() };
    let events = (first..=last).map(event).collect();
    Arc::new(Announcement { log: Log::Orders, epoch: Epoch("e".into()), first, events, redacted: Vec::new() })
}

fn page(after: u64, head: u64, limit: u64) -> LogPage {
    let last = head.min(after + limit);
    let event = |offset| StoredEvent { offset, at_ms: 0, body: body(offset), topics: Topics::default() };
    LogPage { events: (after + 1..=last).map(event).collect(), read_to: last, state: state("e", head, 0) }
}

fn drain(feed: &mut Feed) -> Vec<u64> {
    let mut offsets = Vec::new();
    while let Some(run) = feed.take_run(20) {
        for (offset, bytes) in run.bodies() {
            assert_eq!(*bytes, body(offset));
            offsets.push(offset);
        }
        assert_eq!(offsets.last(), Some(&run.last));
        feed.delivered(&run);
    }
    offsets
}

#[test]
fn announcements_are_cut_where_they_overlap() {
    let mut feed = Feed::new(state("e", 3, 0));
    for (first, last, delivered) in
        [(1, 3, vec![]), (3, 4, vec![4]), (5, 6, vec![5, 6]), (2, 6, vec![]), (1, 8, vec![7, 8])]
    {
        feed.announce(&announcement(first, last));
        assert_eq!(drain(&mut feed), delivered, "{first}..={last}");
        assert_eq!(feed.repair(), None);
    }
}

#[test]
fn a_hole_is_read_from_the_log() {
    let mut feed = Feed::new(state("e", 3, 0));
    feed.announce(&announcement(6, 7));
    assert!(drain(&mut feed).is_empty());
    assert_eq!(feed.repair(), Some(3));
    assert_eq!(feed.repair(), None, "one read at a time");
    feed.on_page(Some(page(3, 7, 1))).unwrap();
    assert_eq!(drain(&mut feed), [4]);
    assert_eq!(feed.repair(), Some(4), "page after page");
    feed.on_page(Some(page(4, 7, 10))).unwrap();
    assert_eq!(drain(&mut feed), [5, 6, 7]);
    assert_eq!(feed.repair(), None);
}

#[test]
fn a_late_announcement_closes_the_hole() {
    let mut feed = Feed::new(state("e", 3, 0));
    feed.announce(&announcement(5, 5));
    feed.announce(&announcement(4, 4));
    assert_eq!(drain(&mut feed), [4, 5]);
    assert_eq!(feed.repair(), None);
}

#[test]
fn a_lost_announcement_is_found_by_the_second_look() {
    let mut feed = Feed::new(state("e", 3, 0));
    feed.on_look(&state("e", 5, 0)).unwrap();
    assert_eq!(feed.repair(), None, "it may be on its way");
    feed.on_look(&state("e", 5, 0)).unwrap();
    assert_eq!(feed.repair(), Some(3));
    feed.on_page(None).unwrap();
    assert_eq!(feed.repair(), None, "not at once after a failure");
    feed.on_look(&state("e", 5, 0)).unwrap();
    assert_eq!(feed.repair(), Some(3));
    feed.on_page(Some(page(3, 5, 10))).unwrap();
    assert_eq!(drain(&mut feed), [4, 5]);
}

#[test]
fn what_was_not_queued_is_read_at_once() {
    let head = |epoch: &str, offset| Position { epoch: Epoch(epoch.into()), offset };
    let mut feed = Feed::new(state("e", 3, 0));
    feed.on_skipped(&head("other", 9));
    assert_eq!(feed.repair(), None);
    feed.announce(&announcement(5, 5));
    assert_eq!(feed.repair(), Some(3));
    feed.announce(&announcement(4, 4));
    feed.on_skipped(&head("e", 8));
    assert_eq!(feed.repair(), None, "one read at a time");
    feed.on_page(Some(page(3, 5, 10))).unwrap();
    assert_eq!(feed.repair(), Some(5), "although the page brought nothing new");
    feed.on_page(Some(page(5, 8, 10))).unwrap();
    assert_eq!(feed.repair(), None);
    assert_eq!(drain(&mut feed), [4, 5, 6, 7, 8]);
}

#[test]
fn what_nobody_is_owed_is_skipped() {
    let head = |epoch: &str, offset| Position { epoch: Epoch(epoch.into()), offset };
    let mut feed = Feed::new(state("e", 3, 0));
    feed.announce(&announcement(4, 4));
    feed.announce(&announcement(7, 9));
    feed.skip_to(&head("other", 20));
    feed.skip_to(&head("e", 2));
    assert_eq!(feed.known().head, 3);
    feed.skip_to(&head("e", 7));
    assert_eq!(feed.known().head, 7);
    feed.announce(&announcement(5, 6));
    assert_eq!(drain(&mut feed), [8, 9]);
    assert_eq!(feed.repair(), None);
    feed.skip_to(&head("e", 20));
    feed.announce(&announcement(19, 21));
    assert_eq!(drain(&mut feed), [21]);
}

/// The next run, as its offsets and whether the body of each was removed.
fn removed(feed: &mut Feed) -> Vec<(u64, bool)> {
    let Some(run) = feed.take_run(1_000) else { return Vec::new() };
    feed.delivered(&run);
    run.bodies().map(|(offset, bytes)| (offset, *bytes == tombstone())).collect()
}

#[test]
fn a_body_is_removed_from_what_waits() {
    let mut feed = Feed::new(state("e", 3, 0));
    let shared = announcement(4, 6);
    feed.announce(&shared);
    feed.announce(&announcement(3, 8));
    [2, 5, 8].into_iter().for_each(|offset| feed.redact(offset));
    assert_eq!(removed(&mut feed), [(4, false), (5, true), (6, false), (7, false), (8, true)]);
    assert_eq!(shared, announcement(4, 6), "other shards have theirs");
}

/// The broker may bring a redaction before the event.
#[test]
fn a_body_that_was_removed_before_it_came_is_read_from_the_log() {
    let mut feed = Feed::new(state("e", 3, 0));
    feed.announce(&announcement(6, 7));
    assert_eq!(feed.repair(), Some(3));
    feed.redact(5);
    feed.announce(&announcement(4, 5));
    assert!(removed(&mut feed).is_empty(), "the broker is not believed");
    feed.on_page(Some(page(3, 7, 10))).unwrap();
    assert!(removed(&mut feed).is_empty(), "the log was asked too early");
    assert_eq!(feed.repair(), Some(3));
    let mut right = page(3, 7, 2);
    right.events[1].body = tombstone();
    feed.on_page(Some(right)).unwrap();
    assert_eq!(removed(&mut feed), [(4, false), (5, true), (6, false), (7, false)], "what came early follows");
    feed.announce(&announcement(8, 8));
    assert_eq!(removed(&mut feed), [(8, false)]);
}

#[test]
fn another_life_of_the_log_is_noticed() {
    let mut feed = Feed::new(state("e", 3, 0));
    assert_eq!(feed.on_look(&state("other", 1, 0)), Err(Broken));
    assert_eq!(feed.on_look(&state("e", 9, 4)), Err(Broken));
    assert_eq!(feed.on_look(&state("e", 9, 3)), Ok(()));
    assert_eq!(feed.known().floor, 3);
    let mut strange = Announcement::clone(&announcement(4, 4));
    strange.epoch = Epoch("other".into());
    feed.announce(&Arc::new(strange));
    assert!(drain(&mut feed).is_empty());
}

proptest! {
    /// A broker may lose, repeat and reorder: every offset comes out once and in order.
    #[test]
    fn every_offset_once(sizes in prop::collection::vec(1_u64..6, 1..40), order in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..4), 0..80)) {
        let mut commits = Vec::new();
        let mut head = 0;
        for size in sizes {
            commits.push(announcement(head + 1, head + size));
            head += size;
        }
        let mut feed = Feed::new(state("e", 0, 0));
        let mut got = Vec::new();
        for (index, kind) in order {
            match kind {
                0 => feed.on_look(&state("e", head, 0)).unwrap(),
                _ => feed.announce(index.get(&commits)),
            }
            if let Some(after) = feed.repair() {
                feed.on_page((kind != 1).then(|| page(after, head, 7))).unwrap();
            }
            got.extend(drain(&mut feed));
        }
        let end = got.len() as u64;
        prop_assert_eq!(&got, &(1..=end).collect::<Vec<_>>());
        while feed.known().head < head {
            feed.on_look(&state("e", head, 0)).unwrap();
            if let Some(after) = feed.repair() {
                feed.on_page(Some(page(after, head, 7))).unwrap();
            }
            got.extend(drain(&mut feed));
        }
        prop_assert_eq!(got, (1..=head).collect::<Vec<_>>());
    }
}
