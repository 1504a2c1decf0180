//! The floors as the programs that they are in a benchmark.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::path::Path;
use std::time::Duration;

use ordercast_loadgen::client::crowd::{Crowd, Joining};
use ordercast_loadgen::client::dialect::Dialect;
use ordercast_loadgen::client::fleet::Leave;
use ordercast_loadgen::floor::CHANNEL;
use ordercast_loadgen::loads::fanout::publisher::Floor;
use ordercast_loadgen::loads::fanout::window;
use ordercast_loadgen::loads::floor_process::FloorProcess;

const SOCKETS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_floor_writes_to_everybody_what_it_is_told() {
    let program = Path::new(env!("CARGO_BIN_EXE_ordercast-loadgen"));
    let floor = FloorProcess::writer(program, SOCKETS).unwrap();
    let joining = Joining { dialect: Dialect::Plain, channel: CHANNEL, count: SOCKETS, is_compressed: false };
    let mut crowd = Crowd::new(floor.address, joining).unwrap();
    crowd.gather(8, PATIENCE).unwrap();
    let mut publisher = Floor::connect(floor.address, 196).unwrap();
    for pending in [1, 64] {
        let before = crowd.traffic();
        let process = Some(floor.process());
        let figure = window::measure(&mut crowd, &mut publisher, process, pending, Duration::ZERO).unwrap();
        assert_eq!(figure.deliveries, u64::from(pending) * SOCKETS as u64);
        assert_eq!(figure.latency.count(), figure.deliveries);
        assert!(figure.cpu.is_some());
        assert_eq!(crowd.traffic().bytes - before.bytes, figure.deliveries * 200);
    }
    assert!(crowd.account.is_clean(), "{}", crowd.account);
    assert_eq!(crowd.last(SOCKETS - 1), 65);
}

#[test]
fn the_floor_lets_everybody_in_as_often_as_they_come() {
    let program = Path::new(env!("CARGO_BIN_EXE_ordercast-loadgen"));
    let floor = FloorProcess::doorkeeper(program).unwrap();
    let joining = Joining { dialect: Dialect::Plain, channel: CHANNEL, count: SOCKETS, is_compressed: false };
    let mut crowd = Crowd::new(floor.address, joining).unwrap();
    for how in [Leave::Reset, Leave::Finish, Leave::Goodbye] {
        crowd.gather(8, PATIENCE).unwrap();
        (0..SOCKETS).for_each(|index| crowd.leave(index, how));
        assert_eq!(crowd.subscribed(), 0);
    }
    crowd.gather(8, PATIENCE).unwrap();
    assert!(crowd.account.is_clean(), "{}", crowd.account);
    assert_eq!(crowd.account.resumed, 3 * SOCKETS as u64);
}
