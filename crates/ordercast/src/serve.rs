//! Wiring the parts together, and stopping them in the right order.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use ordercast_broker::{Broker, InProcessBroker};
use ordercast_engine::processor::{Processor, TimedProcessor};
use ordercast_engine::{Engine, EngineConfig, EngineParts};
use ordercast_hub::{Hub, HubConfig, Seams};
use ordercast_server::access::Access;
use ordercast_server::access::tokens::Tokens;
use ordercast_server::{App, ServerConfig, serve};
use ordercast_store::StoreError;
use ordercast_store::log::ReadLogs;
use ordercast_store::read::ReadStore;
use ordercast_store_sqlite::{SqliteOptions, SqliteReader, SqliteWriter};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{AuthMode, Settings, WORK};
use crate::demo;
use crate::demo::kitchen::Kitchen;
use crate::log::Log;
use crate::node;

/// The store failed (`EX_IOERR` of sysexits).
const EXIT_STORE_FAILED: u8 = 74;
/// Another process has the data directory (`EX_TEMPFAIL`).
const EXIT_IN_USE: u8 = 75;
/// A second signal cut the stop short.
const EXIT_INTERRUPTED: i32 = 130;

/// Serves until a signal or a failure of the store; returns the exit code. With `new_epoch` the store begins another life,
/// as one does that was put back from a copy.
pub(crate) fn run(settings: &Settings, new_epoch: bool) -> ExitCode {
    let log = Log::start(&settings.log);
    // Ten thousand sockets need as many files; the soft limit is often 1,024.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let options = SqliteOptions { new_epoch, ..SqliteOptions::new(&settings.data_dir) };
    let (writer, reader) = match ordercast_store_sqlite::open(&options) {
        Ok(halves) => halves,
        Err(error) => return give_up(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async { serve_until_stopped(settings, writer, reader).await });
    // With its tasks go the last handles of the store.
    drop(runtime);
    if code == ExitCode::SUCCESS && !ordercast_store_sqlite::leave(&settings.data_dir) {
        tracing::info!("another program has the database open; the WAL stays until that ends");
    }
    log.flush();
    code
}

fn give_up(error: &StoreError) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(if matches!(error, StoreError::InUse(_)) { EXIT_IN_USE } else { EXIT_STORE_FAILED })
}

async fn serve_until_stopped(settings: &Settings, writer: SqliteWriter, reader: SqliteReader) -> ExitCode {
    // The address first: nothing is recovered or claimed when it is taken.
    let listener = match serve::bind(settings.listen, settings.websocket.send_buffer_bytes) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("error: cannot listen on {}: {error}; use another --listen address or PORT", settings.listen);
            return ExitCode::FAILURE;
        }
    };
    let broker: Arc<dyn Broker> = Arc::new(InProcessBroker::new());
    let app = match start_parts(settings, (writer, reader), Arc::clone(&broker)).await {
        Ok(app) => app,
        Err(error) => return give_up(&error),
    };
    // Before the address is announced: a program that reads it may stop the server at once.
    let stop_signal = stop_signal();
    if let Ok(address) = listener.local_addr() {
        announce(settings, address);
    }
    let generator = settings.demo.is_enabled.then(|| tokio::spawn(demo::run(Arc::clone(&app), settings.demo)));
    let engine = app.engine.clone();
    let stop = async {
        tokio::select! {
            () = stop_signal => {}
            _ = engine.failed() => {}
        }
    };
    let served = serve::serve(Arc::clone(&app), listener, stop).await;
    broker.stop();
    if let Some(generator) = generator {
        generator.abort();
    }
    if let Err(error) = served {
        eprintln!("error: cannot accept connections: {error}");
        return ExitCode::FAILURE;
    }
    match app.engine.failure() {
        None => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        Some(failure) => {
            eprintln!(
                "error: {failure}\nNothing that was acknowledged is lost. Mend the disk (is it full?), then start \
                 again: orders in work are put back into the queue. `ordercast verify` checks the store."
            );
            ExitCode::from(EXIT_STORE_FAILED)
        }
    }
}

async fn start_parts(
    settings: &Settings,
    (writer, reader): (SqliteWriter, SqliteReader),
    broker: Arc<dyn Broker>,
) -> Result<Arc<App>, StoreError> {
    let reader: Arc<SqliteReader> = Arc::new(reader);
    let logs: Arc<dyn ReadLogs> = Arc::<SqliteReader>::clone(&reader);
    let store: Arc<dyn ReadStore> = reader;
    // The hub first: the events of orders that are given back are delivered like all others.
    let hub_config = hub_config(settings);
    let seams = Seams::in_process(&hub_config, logs, Arc::clone(&broker));
    let hub = Hub::start(hub_config, seams, tokio::runtime::Handle::current())
        .await
        .map_err(|error| StoreError::Failed(format!("the hub cannot start: {error}")))?;
    let config = EngineConfig {
        slots: settings.workers.slots,
        intake_capacity: settings.intake.capacity,
        client_capacity: settings.intake.client_capacity,
        retention: settings.retention,
        node: node::name(&settings.data_dir)?,
        ..EngineConfig::new(settings.rules.clone())
    };
    let (mut least, mut most) = (settings.workers.work_min, settings.workers.work_max);
    if settings.demo.is_enabled && most.is_zero() {
        (least, most) = WORK;
    }
    let timed = TimedProcessor { least, most };
    let processor: Arc<dyn Processor> =
        if settings.demo.is_enabled { Arc::new(Kitchen { timed }) } else { Arc::new(timed) };
    let parts = EngineParts { writer: Box::new(writer), reader: Arc::clone(&store), broker, processor };
    let engine = Engine::start(config, parts).await?;
    let parse = |name: &String| settings.channels.resolve(name).ok();
    let config = ServerConfig {
        handshake_timeout: settings.websocket.handshake_timeout,
        allowed_origins: settings.server.allowed_origins.clone(),
        default_channels: settings.websocket.default_channels.iter().filter_map(parse).collect(),
        drain_timeout: settings.server.drain_timeout,
        compression: settings.websocket.compression,
        echo: settings.server.echo,
        handshakes_per_s: settings.server.handshakes_per_s,
        max_http_connections: settings.server.max_http_connections,
        body_bytes: settings.server.body_bytes,
        bulk_answer_bytes: settings.server.bulk_answer_bytes,
        proxy: settings.server.proxy.clone(),
        time_zone: settings.server.time_zone.clone(),
        demo: settings.demo.is_enabled,
        channels: settings.channels.clone(),
        access: access(settings),
        centrifuge: settings.centrifuge.clone(),
    };
    Ok(App::new(engine, hub, store, config))
}

fn access(settings: &Settings) -> Access {
    let given = &settings.access;
    Access {
        is_open: given.mode == AuthMode::Open,
        allows_anonymous: given.allows_anonymous,
        // The keys were read when the settings were checked; with none, no token is accepted.
        tokens: Tokens::new(&given.keys).unwrap_or_default(),
        api_key: given.api_key.clone(),
    }
}

fn hub_config(settings: &Settings) -> HubConfig {
    HubConfig {
        max_connections: settings.websocket.max_connections,
        ping_interval: settings.websocket.ping_interval,
        read_timeout: settings.websocket.read_timeout,
        write_timeout: settings.websocket.write_timeout,
        max_message_bytes: settings.websocket.max_message_bytes,
        outbox_bytes: settings.websocket.outbox_bytes,
        waiting_bytes: settings.websocket.waiting_bytes,
        memory_channels: settings.memory.channels,
        memory_bytes: settings.memory.bytes,
        drain_spread: Some(settings.server.drain_spread).filter(|spread| !spread.is_zero()),
        ..HubConfig::default()
    }
}

fn announce(settings: &Settings, address: std::net::SocketAddr) {
    let mut out = std::io::stdout().lock();
    // Nobody may read it, and the server serves all the same.
    let _ = writeln!(out, "listening on http://{address}");
    let _ = writeln!(out, "data in {} (SQLite, WAL, synced before every answer)", settings.data_dir.display());
    if settings.demo.is_enabled {
        let _ = writeln!(out, "DEMO: made-up orders, about {} a second", settings.demo.rate_per_s);
    }
    let _ = out.flush();
}

/// Waits for SIGTERM or SIGINT, which are caught from this call on. A second one ends the process at once.
fn stop_signal() -> impl Future<Output = ()> {
    let caught = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = caught else {
            return std::future::pending().await;
        };
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            eprintln!("stopped at once; nothing that was acknowledged is lost");
            std::process::exit(EXIT_INTERRUPTED);
        });
    }
}
