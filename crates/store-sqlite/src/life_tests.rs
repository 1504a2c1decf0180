use std::path::Path;

use ordercast_domain::consumer::Consumer;
use ordercast_domain::decide::WorkingSet;
use ordercast_protocol::channel::Log;
use ordercast_protocol::topic::Topics;
use ordercast_store::conformance::{run, wait};
use ordercast_store::log::ReadLogs;
use ordercast_store::write::{ConsumerKeys, ConsumerWrites, EventInsert, Keys, LogWrites, Writes};

use crate::open::{DATABASE_FILE, open};
use crate::options::SqliteOptions;

const BESIDE_FILE: &str = "ordercast.life";

/// Opens the store of a folder, writes this many events, and closes it; gives its epoch and the floor of its tokens.
fn live(dir: &Path, events: u64, new_epoch: bool) -> (String, u32) {
    let (mut writer, reader) = open(&SqliteOptions { new_epoch, ..SqliteOptions::new(dir) }).unwrap();
    for _ in 0..events {
        run(&mut writer, Keys::default(), |_, _| {
            let body = bytes::Bytes::from_static(b"{}");
            let event = EventInsert { log: Log::Products, order: None, topics: Topics::default(), body };
            Writes { logs: LogWrites { events: vec![event], ..LogWrites::default() }, ..Writes::default() }
        });
    }
    let mut floor = 0;
    run(&mut writer, Keys::default(), |set, _| {
        floor = set.work.token_floor;
        Writes::default()
    });
    (wait(reader.log_states()).unwrap()[0].epoch.0.to_string(), floor)
}

fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        // Into the file that is there, if there is one, as most programs that copy do.
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Does something to a store that was closed, and says whether the next start takes it for the same.
fn is_same_after(what: impl Fn(&Path, &Path)) -> bool {
    let root = tempfile::tempdir().unwrap();
    let (data, backup) = (root.path().join("data"), root.path().join("backup"));
    std::fs::create_dir(&backup).unwrap();
    let (epoch, floor) = live(&data, 1, false);
    assert_eq!(floor, 0);
    copy(&data, &backup);
    assert_eq!(live(&data, 1, false).0, epoch, "a restart keeps it");
    what(&data, &backup);
    let (after, floor) = live(&data, 1, false);
    assert_eq!(floor >= super::TOKENS_SKIPPED, after != epoch, "tokens rise with a new epoch");
    assert_eq!(live(&data, 0, false).0, after, "and then it is known");
    after == epoch
}

#[test]
fn what_happens_to_a_store_by_itself_keeps_its_epoch() {
    assert!(is_same_after(|_, _| ()));
    assert!(is_same_after(|data, _| {
        let elsewhere = data.with_file_name("elsewhere");
        std::fs::rename(data, &elsewhere).unwrap();
        std::fs::rename(&elsewhere, data).unwrap();
    }));
    assert!(is_same_after(|data, _| std::fs::remove_file(data.join("ordercast.lock")).unwrap()));
    // A turn that was cut short between its commit and the new name of the file beside.
    assert!(is_same_after(|data, backup| {
        let (beside, next) = (data.join(BESIDE_FILE), data.join("ordercast.life.next"));
        std::fs::rename(&beside, &next).unwrap();
        std::fs::copy(backup.join(BESIDE_FILE), &beside).unwrap();
    }));
    // One that was cut short before its commit.
    assert!(is_same_after(|data, _| std::fs::write(data.join("ordercast.life.next"), "9 9\n").unwrap()));
}

#[test]
fn a_copy_that_is_put_back_begins_a_new_epoch_with_higher_tokens() {
    assert!(!is_same_after(|data, backup| copy(backup, data)), "over the files");
    assert!(!is_same_after(|data, backup| {
        std::fs::remove_dir_all(data).unwrap();
        std::fs::create_dir(data).unwrap();
        copy(backup, data);
    }));
    assert!(!is_same_after(|data, backup| {
        std::fs::remove_dir_all(data).unwrap();
        std::fs::rename(backup, data).unwrap();
    }));
    assert!(!is_same_after(|data, backup| {
        std::fs::copy(backup.join(DATABASE_FILE), data.join(DATABASE_FILE)).unwrap();
    }));
    assert!(!is_same_after(|data, backup| {
        std::fs::copy(backup.join(BESIDE_FILE), data.join(BESIDE_FILE)).unwrap();
    }));
    assert!(!is_same_after(|data, _| std::fs::remove_file(data.join(BESIDE_FILE)).unwrap()));
    assert!(!is_same_after(|data, _| std::fs::write(data.join(BESIDE_FILE), "").unwrap()));
}

/// A copy of a running store that is put back after a kill counts as many starts; but it has fewer events.
#[test]
fn a_copy_that_has_lost_events_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let epoch = live(dir.path(), 3, false).0;
    let beside = dir.path().join(BESIDE_FILE);
    let text = std::fs::read_to_string(&beside).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&beside).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, text.replace(" 3\n", " 4\n").as_bytes(), 0).unwrap();
    assert_ne!(live(dir.path(), 0, false).0, epoch);
}

/// An owner from before could otherwise be given the fence of an owner of the new life.
#[test]
fn consumers_of_a_new_life_have_higher_fences() {
    let dir = tempfile::tempdir().unwrap();
    let consumer = |set: WorkingSet| set.consumers.by_name.into_values().next();
    let mut keys = ConsumerKeys { names: vec!["index".into()] };
    let stored = Consumer {
        name: "index".into(),
        log: "orders".into(),
        epoch: "e".into(),
        cursor: 5,
        owner: "node".into(),
        fence: 7,
        lease_end_ms: i64::MAX,
    };
    let (mut writer, reader) = open(&SqliteOptions::new(dir.path())).unwrap();
    run(&mut writer, keys.clone(), |_, _| ConsumerWrites { changed: vec![stored.clone()] }.into());
    drop((writer, reader));
    for (new_epoch, fence, lease_end_ms) in [(false, 7, i64::MAX), (true, 7 + u64::from(super::TOKENS_SKIPPED), 0)] {
        let (mut writer, _reader) = open(&SqliteOptions { new_epoch, ..SqliteOptions::new(dir.path()) }).unwrap();
        let mut found = None;
        run(&mut writer, std::mem::take(&mut keys), |set, _| {
            found = consumer(set);
            Writes::default()
        });
        keys.names.push("index".into());
        assert_eq!(found, Some(Consumer { fence, lease_end_ms, ..stored.clone() }));
    }
}

#[test]
fn a_new_epoch_can_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let first = live(dir.path(), 1, false);
    let second = live(dir.path(), 1, true);
    assert!(first.0 != second.0 && second.1 == super::TOKENS_SKIPPED, "{second:?}");
    assert_eq!(live(dir.path(), 1, false), second);
    assert_eq!(live(dir.path(), 1, true).1, 2 * super::TOKENS_SKIPPED, "each time above all before");
}
