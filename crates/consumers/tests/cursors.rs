//! The suite, on the stores that there are.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use ordercast_consumers::conformance::{TTL_MS, check};
use ordercast_store::model::ModelStore;
use ordercast_store_sqlite::{SqliteOptions, open};
use support::StoreCursors;

#[tokio::test]
async fn two_nodes_on_one_model_conform() {
    let steady_ms = Arc::new(AtomicI64::new(0));
    let store = ModelStore::shared();
    let (one, other) = (StoreCursors::new(store.another(), &steady_ms), StoreCursors::new(store, &steady_ms));
    let pass = || {
        steady_ms.fetch_add(TTL_MS / 7, Relaxed);
    };
    check(&one, &other, pass).await;
}

#[tokio::test]
async fn the_sqlite_store_conforms() {
    let dir = tempfile::tempdir().expect("a folder");
    let (writer, _reader) = open(&SqliteOptions::new(dir.path())).expect("a store");
    let steady_ms = Arc::new(AtomicI64::new(0));
    let cursors = StoreCursors::new(writer, &steady_ms);
    let pass = || {
        steady_ms.fetch_add(TTL_MS / 7, Relaxed);
    };
    check(&cursors, &cursors, pass).await;
}
