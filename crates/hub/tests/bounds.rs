//! What one client can make the hub hold, and what all of them can.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod rig;

use std::sync::Arc;

use ordercast_hub::handler::{MAX_WAITING_QUESTIONS, Replies};
use ordercast_hub::{HubConfig, LimitReached};
use ordercast_protocol::channel::Log;
use ordercast_protocol::envelope::Wire;
use rig::{Frame, Rig, WordHandler, config};

/// Takes the question whose turn has come.
fn begun(rig: &Rig) -> (String, Replies) {
    rig.wait("a question is begun", |_| !rig.stage.asked.lock().unwrap().is_empty());
    let mut asked = rig.stage.asked.lock().unwrap();
    assert_eq!(asked.len(), 1, "one at a time");
    asked.remove(0)
}

#[test]
fn questions_are_begun_one_at_a_time_and_beyond_a_few_the_socket_is_left_unread() {
    const QUESTIONS: usize = 2_000;
    let rig = Rig::start(config());
    let mut client = rig.connect();
    let mut bytes = Vec::new();
    for n in 0..QUESTIONS {
        bytes.extend(rig::masked(0x81, format!("ask {n}").as_bytes()));
    }
    bytes.extend(rig::masked(0x81, b"last"));
    std::io::Write::write_all(&mut client.stream, &bytes).unwrap();
    let first = begun(&rig);
    // The shard has looked at the socket again and again, and left it.
    let mut other = rig.connect();
    (0..20).for_each(|_| other.expect_nothing());
    let received = rig.hub.stats().frames_in;
    assert!(received <= 21 + MAX_WAITING_QUESTIONS as u64, "{received} frames were read");
    let (mut next, mut echoes) = (Some(first), 0);
    for n in 0..QUESTIONS {
        let (text, replies) = next.take().unwrap_or_else(|| begun(&rig));
        assert_eq!(text, n.to_string(), "in their order");
        replies.send(text.into_bytes());
        assert!(rig.stage.asked.lock().unwrap().is_empty(), "the next waits for the end of this one");
        drop(replies);
        let mut answer = client.text();
        if answer == "echo last" {
            // Read as soon as few enough questions wait.
            assert!(n + MAX_WAITING_QUESTIONS + 1 >= QUESTIONS, "{n}");
            echoes += 1;
            answer = client.text();
        }
        assert_eq!(answer, n.to_string());
    }
    assert_eq!(echoes, 1, "everything was read in the end");
}

#[test]
fn a_question_waits_until_its_client_has_taken_the_replies_before() {
    const REPLY: usize = 20 * 1024 * 1024;
    let rig = Rig::start(HubConfig { control_bytes: 64 * 1024 * 1024, ..config() });
    let mut client = rig.connect();
    (0..2).for_each(|n| client.say(&format!("ask {n}")));
    let (_, replies) = begun(&rig);
    replies.send(vec![b'x'; REPLY]);
    drop(replies);
    rig.wait("the reply waits", |hub| hub.stats().waiting_reply_bytes > 16 * 1024 * 1024);
    let mut other = rig.connect();
    (0..20).for_each(|_| other.expect_nothing());
    assert!(rig.stage.asked.lock().unwrap().is_empty(), "the kernel took a part, and nobody read it");
    let read = std::thread::spawn(move || (client.text().len(), client));
    let (text, replies) = begun(&rig);
    assert_eq!(text, "1");
    drop(replies);
    assert_eq!(read.join().unwrap().0, REPLY);
    rig.wait("nothing waits", |hub| hub.stats().waiting_reply_bytes == 0);
}

#[test]
fn questions_of_a_connection_that_is_gone_are_forgotten() {
    let rig = Rig::start(config());
    let mut client = rig.connect();
    (0..5).for_each(|n| client.say(&format!("ask {n}")));
    let (_, replies) = begun(&rig);
    client.say("close 4000");
    assert_eq!(client.text(), "bye");
    assert_eq!(client.next(), Frame::Close(Some(4000)), "what waits does not keep it");
    drop(client);
    drop(replies);
    rig.wait("the connection is gone", |hub| hub.stats().active == 0);
    assert!(rig.stage.asked.lock().unwrap().is_empty());
}

#[test]
fn who_subscribes_and_leaves_in_a_loop_has_one_page_read() {
    const ROUNDS: usize = 500;
    let rig = Rig::start(config());
    let event = ("{}".to_owned(), Some("o1"), Some("c1"));
    // Appended unheard, so that no shard has them in memory.
    rig.logs.append(Log::Orders, &vec![event; 100]);
    rig.wait("the hub has seen them", |hub| hub.log_state(Log::Orders).head == 100);
    let mut client = rig.connect();
    client.expect_nothing();
    let gate = rig.logs.hold_pages();
    for channel in ["orders:c1", "order:o1"] {
        for _ in 0..ROUNDS {
            assert!(client.subscribe(&format!("{channel} e1 0")).contains("subscribed"));
            client.say(&format!("unsub {channel}"));
            assert_eq!(client.text(), "unsub true");
        }
    }
    let mut gone = rig.connect();
    gone.subscribe("orders:c1 e1 0");
    drop(gone);
    rig.wait("it is gone", |hub| hub.stats().active == 1);
    drop(gate);
    assert!(client.subscribe("orders:c1 e1 0").contains("\"recovered\":true"));
    client.expect("orders:c1", 1..=100);
    // At most the one that was under way already, one that another connection had begun, and that of the last.
    let read = rig.logs.pages_read();
    assert!(read <= 3, "{read} pages were read");
}

#[test]
fn beyond_the_ceiling_of_waiting_bytes_new_connections_are_refused() {
    const REPLY: usize = 20 * 1024 * 1024;
    let rig = Rig::start(HubConfig { control_bytes: 64 * 1024 * 1024, waiting_bytes: 1024 * 1024, ..config() });
    let mut client = rig.connect();
    client.say(&format!("burst 1 {REPLY}"));
    rig.wait("the reply waits", |hub| hub.stats().waiting_reply_bytes > 1024 * 1024);
    assert_eq!(rig.try_connect(b"").err(), Some(LimitReached::WaitingBytes));
    assert!(rig.hub.is_full());
    assert_eq!(client.text().len(), REPLY, "the reader is served");
    rig.wait("nothing waits", |hub| hub.stats().waiting_reply_bytes == 0);
    rig.connect().expect_nothing();
    client.say(&format!("burst 1 {REPLY}"));
    rig.wait("it waits again", |hub| hub.stats().waiting_reply_bytes > 1024 * 1024);
    drop(client);
    rig.wait("it went with the connection", |hub| hub.stats().waiting_reply_bytes == 0);
}

#[test]
fn events_that_wait_are_counted_once_however_many_share_them() {
    let rig = Rig::start(HubConfig { shards: 1, ..config() });
    let mut clients: Vec<_> = (0..50).map(|_| rig.connect()).collect();
    clients.iter_mut().for_each(|client| drop(client.subscribe("orders")));
    rig.commit(1, 8 * 1024 * 1024);
    rig.wait("all are behind", |hub| hub.stats().parked_now == 50);
    let stats = rig.hub.stats();
    assert!(stats.waiting_event_bytes < 20 * 1024 * 1024, "{stats:?}");
    clients.iter_mut().for_each(|client| client.expect("orders", 1..=1));
}

#[test]
fn messages_that_are_not_whole_count_and_large_ones_are_given_up_beyond_the_ceiling() {
    const CEILING: usize = 1024 * 1024;
    let rig = Rig::start(HubConfig { shards: 1, waiting_bytes: CEILING, ..config() });
    let mut clients: Vec<_> = (0..20).map(|_| rig.connect()).collect();
    // The head of a message of 200,000 bytes, and most of it.
    let mut begun = vec![0x81, 0x80 | 127];
    begun.extend_from_slice(&200_000_u64.to_be_bytes());
    begun.extend_from_slice(&[0; 4]);
    begun.resize(begun.len() + 150_000, b'x');
    for client in &mut clients {
        // The server may have closed it before it has sent everything.
        let _ = std::io::Write::write_all(&mut client.stream, &begun);
    }
    rig.wait("some are given up", |hub| hub.stats().closes.get(&1013).is_some_and(|count| *count > 0));
    rig.wait("the rest fits", |hub| hub.stats().waiting_reply_bytes <= CEILING as u64 + 300_000);
    drop(clients);
    rig.wait("nothing is held", |hub| hub.stats().waiting_reply_bytes == 0);
}

#[test]
fn replies_on_a_stream_that_nobody_reads_have_the_bound_of_those_on_a_socket() {
    let rig = Rig::start(config());
    let handler = Box::new(WordHandler(Arc::clone(&rig.stage), Wire::CentrifugeLines));
    let slot = rig.hub.reserve().unwrap();
    let stream = rig.hub.open_handler(slot, rig::local(), handler, "secret".into(), "say hi".into());
    // Below the bound nothing happens.
    rig.wait("the handler is there", |hub| hub.deliver("secret", "burst 5 20000".into()));
    rig.wait("the replies wait", |hub| hub.stats().waiting_reply_bytes >= 100_000);
    assert_eq!(rig.hub.stats().streams, 1);
    assert!(rig.hub.deliver("secret", "burst 40 20000".into()));
    rig.wait("the handler is given up", |hub| !hub.deliver("secret", "x".into()));
    rig.wait("what it was owed counts no more", |hub| hub.stats().waiting_reply_bytes == 0);
    drop(stream);
}
