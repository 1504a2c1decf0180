//! What a delivery and an idle connection cost: `cargo bench -p ordercast-hub --bench figures`.
//! CPU is that of the shard's thread alone, from `/proc`; the clients are in the same process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../tests/rig/mod.rs"]
mod rig;

use std::io::Read;
use std::time::Instant;

use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
use ordercast_hub::HubConfig;
use rig::{Client, Rig, config};

/// Clock ticks of `/proc` in a second.
const TICKS_PER_S: f64 = 100.0;

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Seconds of CPU that the thread called `name` has used.
fn cpu_s(name: &str) -> f64 {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
        if stat.contains(&format!("({name})")) {
            let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split(' ').collect();
            return (fields[12].parse::<f64>().unwrap() + fields[13].parse::<f64>().unwrap()) / TICKS_PER_S;
        }
    }
    panic!("no thread is called {name}");
}

/// Reads and forgets what comes to the clients.
fn swallow(clients: Vec<Client>) {
    std::thread::spawn(move || {
        let mut poll = Poll::new().unwrap();
        let mut sockets: Vec<_> = clients
            .into_iter()
            .map(|client| {
                client.stream.set_nonblocking(true).unwrap();
                mio::net::TcpStream::from_std(client.stream)
            })
            .collect();
        for (index, socket) in sockets.iter_mut().enumerate() {
            poll.registry().register(socket, Token(index), Interest::READABLE).unwrap();
        }
        let (mut events, mut scratch) = (Events::with_capacity(1024), vec![0; 65_536]);
        loop {
            poll.poll(&mut events, None).unwrap();
            for token in events.iter().map(Event::token) {
                while matches!(sockets[token.0].read(&mut scratch), Ok(count) if count > 0) {}
            }
        }
    });
}

fn idle_connections() {
    const CONNECTIONS: u64 = 5_000;
    let rig = Rig::start(HubConfig { shards: 1, ..config() });
    let warm: Vec<_> = (0..50).map(|_| rig.connect()).collect();
    let before = resident_bytes();
    let mut clients = Vec::with_capacity(CONNECTIONS as usize);
    for _ in 0..CONNECTIONS {
        let mut client = rig.connect();
        client.subscribe("orders");
        client.shrink();
        clients.push(client);
    }
    rig.commit(1, 100);
    rig.wait("delivered", |hub| hub.stats().events_delivered == CONNECTIONS);
    let bytes = resident_bytes() - before;
    println!("{} bytes resident per idle connection with a handler and one subscription", bytes / CONNECTIONS);
    drop(warm);
}

fn deliveries() {
    const SUBSCRIBERS: u64 = 1_000;
    for (pending, rounds) in [(1, 2_000_u64), (64, 400)] {
        let rig = Rig::start(HubConfig { shards: 1, ..config() });
        let mut clients: Vec<_> = (0..SUBSCRIBERS).map(|_| rig.connect()).collect();
        clients.iter_mut().for_each(|client| drop(client.subscribe("orders")));
        swallow(clients);
        let (cpu, started) = (cpu_s("hub-0"), Instant::now());
        for round in 1..=rounds {
            for _ in 0..pending {
                rig.commit(1, 118);
            }
            rig.wait("delivered", |hub| hub.stats().events_delivered == round * pending * SUBSCRIBERS);
        }
        let deliveries = (rounds * pending * SUBSCRIBERS) as f64;
        let stats = rig.hub.stats();
        println!(
            "{pending} pending: {:.3} us of CPU per delivery, {:.3} writes per delivery, {:.0} deliveries/s, parked {}",
            (cpu_s("hub-0") - cpu) * 1e6 / deliveries,
            stats.writes as f64 / deliveries,
            deliveries / started.elapsed().as_secs_f64(),
            stats.parked_total,
        );
    }
}

/// What `write` alone costs: the floor that deliveries are compared with.
fn floor() {
    const SUBSCRIBERS: u64 = 1_000;
    for (pending, rounds) in [(1_usize, 2_000_u64), (64, 400)] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (mut sockets, mut clients) = (Vec::new(), Vec::new());
        for _ in 0..SUBSCRIBERS {
            clients.push(Client::new(std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap()));
            sockets.push(listener.accept().unwrap().0);
            sockets.last().unwrap().set_nodelay(true).unwrap();
        }
        swallow(clients);
        let writer = std::thread::Builder::new().name("floor-writer".to_owned()).spawn(move || {
            let frames = vec![b'x'; 163 * pending];
            for _ in 0..rounds {
                for socket in &mut sockets {
                    std::io::Write::write_all(socket, &frames).unwrap();
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            cpu_s("floor-writer")
        });
        let cpu = writer.unwrap().join().unwrap();
        let deliveries = (rounds * SUBSCRIBERS) as f64 * pending as f64;
        println!("floor, {pending} pending: {:.3} us of CPU per delivery", cpu * 1e6 / deliveries);
    }
}

fn resume() {
    const EVENTS: u64 = 200_000;
    let rig = Rig::start(HubConfig { shards: 1, ..config() });
    for _ in 0..EVENTS / 1_000 {
        rig.commit(1_000, 118);
    }
    let mut client = rig.connect();
    client.subscribe("orders e1 0");
    let (cpu, started) = (cpu_s("hub-0"), Instant::now());
    swallow(vec![client]);
    rig.wait("delivered", |hub| hub.stats().events_delivered == EVENTS);
    let elapsed_s = started.elapsed().as_secs_f64();
    println!(
        "{:.0} events/s resumed by one client, {:.2} us of CPU each",
        EVENTS as f64 / elapsed_s,
        (cpu_s("hub-0") - cpu) * 1e6 / EVENTS as f64
    );
}

fn main() {
    idle_connections();
    deliveries();
    floor();
    resume();
}
