//! Every load of the load generator, small, against the real binary: what it checks must hold. Times are not looked
//! at.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::path::PathBuf;
use std::time::Duration;

use ordercast_loadgen::bench::peers::Peers;
use ordercast_loadgen::client::dialect::Dialect;
use ordercast_loadgen::loads::chaos::Chaos;
use ordercast_loadgen::loads::fanout::{Effort, Fanout, Feed};
use ordercast_loadgen::loads::hoard::Hoard;
use ordercast_loadgen::loads::idle::Idle;
use ordercast_loadgen::loads::paced_orders::PacedOrders;
use ordercast_loadgen::loads::resume::Resume;
use ordercast_loadgen::loads::storm::Storm;
use ordercast_loadgen::target::Place;
use ordercast_loadgen::workers::Workers;

const DIALECTS: [Dialect; 2] = [Dialect::Plain, Dialect::CentrifugeJson];

fn place() -> Place {
    Place::Private { binary: PathBuf::from(env!("CARGO_BIN_EXE_ordercast")), scratch: std::env::temp_dir() }
}

fn silent(_: &str) {}

#[test]
fn idle_connections_are_told_one_event_and_leave() {
    for dialect in DIALECTS {
        let load =
            Idle { place: place(), connections: 100, dialect, watch: Duration::ZERO, quiet: Duration::from_millis(50) };
        let report = load.run(&mut silent).unwrap();
        assert!(report.is_clean(), "{report}");
        assert!(report.opened.resident > 0 && report.opened.resident >= report.opened.anonymous, "{report}");
    }
}

#[test]
fn clients_that_never_read_cost_no_more_than_the_bounds_say() {
    let report = Hoard { place: place(), clients: 200, duration: Duration::from_secs(8) }.run(&mut silent).unwrap();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn everybody_gets_every_message_once_also_beside_those_who_do_not_read() {
    for (dialect, feed, is_compressed, stuck_percent) in [
        (Dialect::Plain, Feed::Orders, false, 0),
        (Dialect::Plain, Feed::Messages, false, 4),
        (Dialect::Plain, Feed::Messages, true, 0),
        (Dialect::CentrifugeJson, Feed::Messages, true, 4),
    ] {
        let load = Fanout {
            place: place(),
            floor: None,
            subscribers: 50,
            // Large, so that those who do not read are soon felt.
            frame_bytes: 8_000,
            dialect,
            feed,
            is_compressed,
            stuck_percent,
        };
        let window = Duration::from_millis(40);
        let effort = Effort { pending: vec![1, 64], pairs: 1, window, stuck_pairs: 1, rate: 200 };
        let report = load.run(&effort, &mut silent).unwrap();
        assert!(report.is_clean(), "{report}");
        assert!(report.cells.iter().all(|cell| cell.deliveries >= 50 * u64::from(cell.pending)), "{report}");
        assert_eq!(report.stuck.len(), usize::from(stuck_percent > 0));
        assert!(report.parked_most >= 50 * u64::from(stuck_percent) / 100, "{report}");
    }
}

#[test]
fn all_resume_from_far_back_while_orders_go_on() {
    for dialect in DIALECTS {
        let load =
            Resume { place: place(), clients: 30, missed: 1_500, dialect, rounds: 2, rate: 50, before: Duration::ZERO };
        let report = load.run(&mut silent).unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.account.resumed, 60);
        assert!(report.account.events >= 60 * 1_500, "{report}");
    }
}

#[test]
fn all_come_back_after_every_storm() {
    for dialect in DIALECTS {
        let load = Storm { place: place(), floor: None, clients: 80, rounds: 4, dialect, rate: 40, seed: 7 };
        let report = load.run(&mut silent).unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.account.resumed, 4 * 80);
        assert_eq!(report.back_s.count(), 4);
    }
}

#[test]
fn restless_subscribers_get_every_event_exactly_once() {
    for (dialect, seed) in DIALECTS.into_iter().zip(1..) {
        let load = Chaos { place: place(), orders: 3_000, subscribers: 12, dialect, workers: 10, seed };
        let report = load.run(&mut silent).unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.orders, report.events), (3_000, 9_000));
        assert!(report.stops + report.resets + report.departures + report.half_closes > 0, "{report}");
    }
}

#[test]
fn every_paced_order_is_answered_and_seen() {
    let load = PacedOrders { place: place(), rate: 100, duration: Duration::from_secs(1), workers: 4 };
    let report = load.run().unwrap();
    assert_eq!((report.orders, report.answered.count(), report.received.count()), (100, 100, 100), "{report}");
}

#[test]
fn every_shape_of_producers_is_measured_and_a_peer_that_is_not_installed_is_left_out() {
    let scratch = tempfile::tempdir().expect("a folder");
    let peers = Peers {
        binary: env!("CARGO_BIN_EXE_ordercast").into(),
        programs: scratch.path().join("none"),
        places: vec![("disk", scratch.path().to_owned())],
        producers: vec![1, 20],
        window: Duration::from_millis(200),
        rounds: 1,
    };
    let mut notes = Vec::new();
    let report = peers.run(&mut |line| notes.push(line.to_owned())).expect("a comparison");
    assert_eq!(report.left_out.len(), 2, "{report}");
    assert!(notes.iter().any(|line| line.starts_with("BullMQ is left out: ")), "{notes:?}");
    let text = report.to_string();
    // Two shapes, two numbers of producers, three figures.
    assert_eq!(text.matches("    Ordercast, ").count(), 12, "{text}");
    assert!(!text.contains(": 0 (") && !text.contains("NaN"), "{text}");
}

#[test]
fn work_is_done_once_whoever_is_killed_or_frozen() {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_ordercast"));
    let program = binary.with_file_name("ordercast-loadgen");
    assert!(program.is_file(), "the worker processes need it: cargo build -p ordercast-loadgen");
    let load = Workers { binary, program, rounds: 8, workers: 3, seed: 5, scratch: std::env::temp_dir() };
    let report = load.run(&mut silent).unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.orders == 160 && report.claims >= 160, "{report}");
}
