//! Every setting with its names, default and bounds, in the order in which they are shown.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ordercast_domain::money::Currency;
use ordercast_domain::rules::{AmountLimits, Concurrency, Retries, Rules};
use ordercast_protocol::limits::{MAX_CHANNELS, MAX_LINES, MAX_MESSAGE_BYTES};
use ordercast_protocol::schedule::is_time_zone;
use ordercast_server::channels::Channels;
use ordercast_server::proxy::{Network, ProxyConfig};

use super::access;
use super::demo;
use super::layers::{Layers, setting};
use super::origin::Origin;
use super::retention::retention;
use super::settings::{IntakeSettings, Limits, ServerSettings, Settings, WebSocketSettings, WorkerSettings};

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
const DEFAULT_DATA_DIR: &str = "./data";
const DEFAULT_SLOTS: i64 = 10;
const DEFAULT_CAPACITY: i64 = 1_000;
/// Share of the intake that one client may fill, in percent.
const CLIENT_SHARE_PERCENT: i64 = 80;
const DEFAULT_CURRENCY: &str = "USD";
const DEFAULT_MAX_CONNECTIONS: i64 = 10_000;
const DEFAULT_OUTBOX_BYTES: i64 = 1024 * 1024;
const DEFAULT_WAITING_BYTES: i64 = 512 * 1024 * 1024;
const DEFAULT_SEND_BUFFER_BYTES: i64 = 128 * 1024;
const DEFAULT_BODY_BYTES: i64 = 256 * 1024 * 1024;
const DEFAULT_BULK_ANSWER_BYTES: i64 = 128 * 1024 * 1024;
const DEFAULT_HTTP_CONNECTIONS: i64 = 1_024;
const DEFAULT_HANDSHAKES_PER_S: i64 = 20_000;
const MAX_HANDSHAKES_PER_S: i64 = 1_000_000;
const MAX_SLOTS: i64 = 10_000;
const MAX_ACTIVE: i64 = 1_000_000;
const MAX_CAPACITY: i64 = 1_000_000;
const MAX_WORK_MS: i64 = 3_600_000;
/// Largest bound of an amount, in major units: its minor units must fit 64 bits with room for sums.
const MAX_AMOUNT: i64 = 1_000_000_000_000;
const MAX_ATTEMPTS: i64 = 1_000;
const MAX_RETRY_WAIT: Duration = Duration::from_secs(7 * 86_400);
const MAX_HOLD: Duration = Duration::from_secs(366 * 86_400);
const MAX_BONUS: Duration = Duration::from_secs(30 * 86_400);
const MAX_TIMEOUT: Duration = Duration::from_secs(3_600);
const MIN_TIMEOUT: Duration = Duration::from_millis(10);

/// Reads all settings.
pub(super) fn settings(layers: &mut Layers<'_>) -> Settings {
    if layers.variable("REDIS_URL").is_some() {
        layers.warn(
            "REDIS_URL is set but not used: this build has only SQLite and the in-process broker, so it runs as \
             a single node",
        );
    }
    let listen = listen(layers);
    let data_dir = setting("data_dir").environment("ORDERCAST_DATA_DIR").flag("--data-dir");
    let data_dir = layers.read(data_dir, PathBuf::from(DEFAULT_DATA_DIR), |_| Ok(()));
    let workers = workers(layers);
    let intake = intake(layers);
    let retention = retention(layers);
    let limits = setting("rules.limits").flag("--limits");
    let limits = layers.read(limits, Limits::Standard, |_| Ok(()));
    let rules = Rules { concurrency: workers.concurrency, ..rules(layers, limits) };
    let channels = access::channels(layers);
    let websocket = websocket(layers, &channels);
    let server = server(layers);
    let access = access::access(layers);
    let memory = access::memory(layers);
    let centrifuge = access::centrifuge(layers);
    let demo = demo::demo(layers);
    let workers = WorkerSettings { slots: demo::slots(layers, &workers, demo), ..workers };
    let log = setting("log").environment("ORDERCAST_LOG").flag("--log");
    let log = layers.read(log, "info".to_owned(), |filter| {
        if filter.trim().is_empty() { Err("name a level: error, warn, info, debug or trace".into()) } else { Ok(()) }
    });
    Settings {
        listen,
        data_dir,
        workers,
        intake,
        retention,
        limits,
        rules,
        websocket,
        server,
        access,
        channels,
        memory,
        centrifuge,
        demo,
        log,
    }
}

fn listen(layers: &mut Layers<'_>) -> SocketAddr {
    let name = setting("listen").environment("ORDERCAST_LISTEN").flag("--listen");
    let mut listen = layers.read(name, DEFAULT_LISTEN, |_| Ok(()));
    // PORT is the weakest setting from outside: it gives only half of the address.
    let is_open = matches!(layers.origin("listen"), Origin::Default | Origin::File(_));
    if let Some((variable, word)) = layers.variable("PORT").filter(|_| is_open) {
        match word.parse() {
            Ok(port) => listen.set_port(port),
            Err(_) => {
                layers.refuse("listen", &format!("cannot take its port from PORT: {word:?} is no port (0 to 65535)"))
            }
        }
        layers.replace("listen", &listen, Origin::Environment(variable.to_owned()));
    }
    if !listen.ip().is_loopback() {
        layers.refuse(
            "listen",
            &format!(
                "is {listen}, which other machines can reach, and is refused: there is no sign-in yet, so everyone \
                 who reaches the port is its administrator. Listen on 127.0.0.1:{0} or [::1]:{0}, and let a proxy \
                 or a tunnel that checks who comes stand in front",
                listen.port()
            ),
        );
    }
    listen
}

fn workers(layers: &mut Layers<'_>) -> WorkerSettings {
    let slots = setting("workers.slots").environment("ORDERCAST_WORKERS").flag("--workers");
    let slots = layers.read(slots, DEFAULT_SLOTS, within(0..=MAX_SLOTS));
    let min = layers.read(setting("workers.work_ms_min"), 0, within(0..=MAX_WORK_MS));
    let max = layers.read(setting("workers.work_ms_max"), min, within(0..=MAX_WORK_MS));
    if min > max {
        layers.refuse("workers.work_ms_min", &format!("is {min}, more than `workers.work_ms_max`, which is {max}"));
    }
    let mut most = |name: &str| {
        // 0 is no limit.
        let most = layers.read(setting(format!("workers.{name}")), 0, within(0..=MAX_ACTIVE));
        Some(size(most)).filter(|&most| most > 0)
    };
    let (max_active, max_active_per_customer) = (most("max_active"), most("max_active_per_customer"));
    let concurrency = Concurrency { max_active, max_active_per_customer };
    WorkerSettings { slots: size(slots), concurrency, work_min: milliseconds(min), work_max: milliseconds(max) }
}

fn intake(layers: &mut Layers<'_>) -> IntakeSettings {
    let capacity = setting("intake.capacity").environment("ORDERCAST_INTAKE").flag("--intake");
    let capacity = layers.read(capacity, DEFAULT_CAPACITY, within(1..=MAX_CAPACITY));
    let share = (capacity * CLIENT_SHARE_PERCENT / 100).max(1);
    let client = layers.read(setting("intake.client_capacity"), share, within(1..=MAX_CAPACITY));
    if client > capacity {
        layers.refuse(
            "intake.client_capacity",
            &format!("is {client}, more than `intake.capacity`, which is {capacity}"),
        );
    }
    IntakeSettings { capacity: size(capacity), client_capacity: size(client) }
}

fn rules(layers: &mut Layers<'_>, limits: Limits) -> Rules {
    let usual = Currency::parse(DEFAULT_CURRENCY).expect("three capital letters");
    let currency = setting("rules.default_currency").environment("ORDERCAST_CURRENCY").flag("--currency");
    let default_currency = layers.read(currency, usual, |_| Ok(()));
    let profile = match limits {
        Limits::Standard => Rules::standard(default_currency),
        Limits::Wholesale => Rules::wholesale(default_currency),
    };
    let most_lines = i64::try_from(MAX_LINES).unwrap_or(i64::MAX);
    let lines = i64::try_from(profile.max_items).unwrap_or(i64::MAX);
    let max_items = layers.read(setting("rules.max_items"), lines, within(1..=most_lines));
    let allows_zero = layers.read(setting("rules.allow_zero_amount"), false, |_| Ok(()));
    let amounts = amounts(layers, "rules", profile.amounts);
    let bonus = layers.read(
        setting("rules.bonus_s"),
        profile.bonus_ms.map(milliseconds),
        |[high, medium, low]: &[Duration; 3]| {
            if high < medium || medium < low {
                Err("a higher priority must not have the smaller head start: write high, medium, low".into())
            } else if *high > MAX_BONUS {
                Err(format!("at most {} seconds are allowed", MAX_BONUS.as_secs()))
            } else {
                Ok(())
            }
        },
    );
    let mut amounts_by_currency = BTreeMap::new();
    for code in layers.keys_below("rules.currencies.") {
        // A code that is none stays unread, and so is refused as an unknown setting with its place.
        if let Some(currency) = Currency::parse(&code) {
            amounts_by_currency.insert(currency, self::amounts(layers, &format!("rules.currencies.{code}"), amounts));
        }
    }
    let bonus_ms = bonus.map(|bonus| i64::try_from(bonus.as_millis()).unwrap_or(i64::MAX));
    let (retries, hold_ms) = (retries(layers), hold_ms(layers));
    let max_items = size(max_items);
    Rules {
        amounts,
        amounts_by_currency,
        max_items,
        allows_zero,
        retries,
        hold_ms,
        bonus_ms,
        ..Rules::standard(default_currency)
    }
}

fn retries(layers: &mut Layers<'_>) -> Retries {
    let default = Retries::default();
    let attempts = setting("rules.max_attempts");
    let max_attempts = layers.read(attempts, i64::from(default.max_attempts), within(1..=MAX_ATTEMPTS));
    let mut wait = |name: &str, default_ms: i64| {
        let wait = layers.read(setting(name), milliseconds(default_ms), between(Duration::ZERO, MAX_RETRY_WAIT));
        i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
    };
    let (base_ms, most_ms) = (wait("rules.retry_base_s", default.base_ms), wait("rules.retry_max_s", default.most_ms));
    Retries { max_attempts: u32::try_from(max_attempts).unwrap_or(u32::MAX), base_ms, most_ms }
}

/// How long orders are held; 0 holds them until a person moves them.
fn hold_ms(layers: &mut Layers<'_>) -> Option<i64> {
    let hold = layers.read(setting("rules.hold_s"), Duration::ZERO, between(Duration::ZERO, MAX_HOLD));
    i64::try_from(hold.as_millis()).ok().filter(|hold_ms| *hold_ms > 0)
}

fn amounts(layers: &mut Layers<'_>, table: &str, default: AmountLimits) -> AmountLimits {
    let max_amount = layers.read(setting(format!("{table}.max_amount")), default.max_amount, within(1..=MAX_AMOUNT));
    let priority_above = setting(format!("{table}.priority_above"));
    let priority_above = layers.read(priority_above, default.priority_above, within(0..=MAX_AMOUNT));
    // 0 holds none.
    let hold_above =
        layers.read(setting(format!("{table}.hold_above")), default.hold_above.unwrap_or(0), within(0..=MAX_AMOUNT));
    AmountLimits { max_amount, priority_above, hold_above: Some(hold_above).filter(|&above| above > 0) }
}

fn websocket(layers: &mut Layers<'_>, channels: &Channels) -> WebSocketSettings {
    let most = setting("websocket.max_connections").environment("WEBSOCKET_MAX_CONNECTIONS").flag("--max-connections");
    let max_connections = layers.read(most, DEFAULT_MAX_CONNECTIONS, within(1..=10_000_000));
    let mut timeout = |name: &str, default_s: u64| {
        layers.read(
            setting(format!("websocket.{name}")),
            Duration::from_secs(default_s),
            between(MIN_TIMEOUT, MAX_TIMEOUT),
        )
    };
    let handshake_timeout = timeout("handshake_timeout_s", 10);
    let ping_interval = timeout("ping_interval_s", 54);
    let read_timeout = timeout("read_timeout_s", 60);
    let write_timeout = timeout("write_timeout_s", 10);
    if ping_interval >= read_timeout {
        let problem = "must be shorter than `websocket.read_timeout_s`, or clients are dropped before they are asked";
        layers.refuse("websocket.ping_interval_s", problem);
    }
    let most = i64::try_from(MAX_MESSAGE_BYTES).unwrap_or(i64::MAX);
    let max_message_bytes = layers.read(setting("websocket.max_message_bytes"), most, within(1_024..=64 * 1024 * 1024));
    let outbox = setting("websocket.outbox_bytes");
    let outbox_bytes = layers.read(outbox, DEFAULT_OUTBOX_BYTES, within(4_096..=1024 * 1024 * 1024));
    let waiting = setting("websocket.waiting_bytes");
    let waiting_bytes = layers.read(waiting, DEFAULT_WAITING_BYTES, within(1024 * 1024..=1024 * 1024 * 1024 * 1024));
    let send_buffer = setting("websocket.send_buffer_bytes");
    let send_buffer = layers.read(send_buffer, DEFAULT_SEND_BUFFER_BYTES, within(0..=64 * 1024 * 1024));
    let compression = layers.read(setting("websocket.compression"), false, |_| Ok(()));
    let default_channels = layers.read(setting("websocket.default_channels"), vec!["orders".to_owned()], |names| {
        check_channels(channels, names)
    });
    WebSocketSettings {
        max_connections: size(max_connections),
        handshake_timeout,
        ping_interval,
        read_timeout,
        write_timeout,
        max_message_bytes: size(max_message_bytes),
        outbox_bytes: size(outbox_bytes),
        waiting_bytes: size(waiting_bytes),
        send_buffer_bytes: u32::try_from(send_buffer).unwrap_or(0),
        compression,
        default_channels,
    }
}

fn check_channels(channels: &Channels, names: &[String]) -> Result<(), String> {
    if names.len() > MAX_CHANNELS {
        return Err(format!("at most {MAX_CHANNELS} channels are allowed"));
    }
    names.iter().try_for_each(|name| match channels.resolve(name) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{name:?}: {error}")),
    })
}

fn server(layers: &mut Layers<'_>) -> ServerSettings {
    let origins = setting("server.allowed_origins").environment("ORDERCAST_ALLOWED_ORIGINS");
    let allowed_origins = layers
        .read(origins, Vec::new(), |origins: &Vec<String>| origins.iter().try_for_each(|origin| check_origin(origin)));
    let time_zone = layers.read(setting("server.time_zone"), "UTC".to_owned(), |zone: &String| {
        if is_time_zone(zone) { Ok(()) } else { Err("name a time zone of IANA, such as \"Europe/Berlin\"".into()) }
    });
    let proxy = proxy(layers);
    let echo = layers.read(setting("server.echo").flag("--echo"), false, |_| Ok(()));
    let drain = setting("server.drain_timeout_s");
    let drain_timeout = layers.read(drain, Duration::from_secs(10), between(Duration::ZERO, MAX_TIMEOUT));
    let drain_spread =
        layers.read(setting("server.drain_spread_s"), Duration::ZERO, between(Duration::ZERO, MAX_TIMEOUT));
    let rate = setting("server.handshakes_per_s");
    let rate = layers.read(rate, DEFAULT_HANDSHAKES_PER_S, within(1..=MAX_HANDSHAKES_PER_S));
    let handshakes_per_s = u32::try_from(rate).unwrap_or(u32::MAX);
    let http = setting("server.max_http_connections");
    let max_http_connections = size(layers.read(http, DEFAULT_HTTP_CONNECTIONS, within(1..=10_000_000)));
    let bodies = setting("server.body_bytes");
    let body_bytes = size(layers.read(bodies, DEFAULT_BODY_BYTES, within(1024 * 1024..=1024 * 1024 * 1024 * 1024)));
    let answers = setting("server.bulk_answer_bytes");
    let answers = layers.read(answers, DEFAULT_BULK_ANSWER_BYTES, within(0..=1024 * 1024 * 1024 * 1024));
    let bulk_answer_bytes = size(answers);
    ServerSettings {
        allowed_origins,
        proxy,
        time_zone,
        echo,
        drain_timeout,
        drain_spread,
        handshakes_per_s,
        max_http_connections,
        body_bytes,
        bulk_answer_bytes,
    }
}

fn proxy(layers: &mut Layers<'_>) -> ProxyConfig {
    let base_path = setting("server.base_path").environment("ORDERCAST_BASE_PATH");
    let base_path = layers.read(base_path, String::new(), |path: &String| check_base_path(path));
    let hosts = setting("server.allowed_hosts").environment("ORDERCAST_ALLOWED_HOSTS");
    let allowed_hosts =
        layers.read(hosts, Vec::new(), |hosts: &Vec<String>| hosts.iter().try_for_each(|host| check_host(host)));
    let trusted = setting("server.trusted_proxies").environment("ORDERCAST_TRUSTED_PROXIES");
    let check = |networks: &Vec<String>| networks.iter().try_for_each(|text| text.parse::<Network>().map(|_| ()));
    let trusted: Vec<String> = layers.read(trusted, Vec::new(), check);
    let is_open_insecurely = layers.read(setting("server.insecure_open").flag("--insecure-open"), false, |_| Ok(()));
    if is_open_insecurely {
        layers.warn(
            "server.insecure_open is set: requests that come through a proxy are answered, and everyone who reaches the \
             proxy is the administrator. Let the proxy ask for a password",
        );
    }
    let trusted = trusted.iter().filter_map(|text| text.parse().ok()).collect();
    ProxyConfig { base_path: base_path.trim_end_matches('/').to_owned(), allowed_hosts, trusted, is_open_insecurely }
}

fn check_base_path(path: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let is_fine = path.is_empty() || (path.starts_with('/') && !path.contains("//") && path.bytes().all(is_plain));
    if is_fine { Ok(()) } else { Err("write it as it stands in addresses, such as \"/shop\"".into()) }
}

/// A host is a name or an address, perhaps with a port.
fn check_host(host: &str) -> Result<(), String> {
    if host.is_empty() || host.contains(['/', '*', ' ', '@', ',']) {
        return Err(format!("{host:?} is no host; write it as browsers send it, such as \"orders.shop.example\""));
    }
    Ok(())
}

/// An origin is a scheme, a host and perhaps a port (RFC 6454 §6.2), as browsers send it.
fn check_origin(origin: &str) -> Result<(), String> {
    let host = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '*', ' ']) => Ok(()),
        _ => Err(format!("{origin:?} is no origin; write it as browsers send it, such as \"https://shop.example\"")),
    }
}

fn within(range: RangeInclusive<i64>) -> impl Fn(&i64) -> Result<(), String> {
    move |number| {
        if range.contains(number) { Ok(()) } else { Err(format!("must be from {} to {}", range.start(), range.end())) }
    }
}

fn between(least: Duration, most: Duration) -> impl Fn(&Duration) -> Result<(), String> {
    move |duration| {
        if (least..=most).contains(duration) {
            Ok(())
        } else {
            Err(format!("must be from {} to {} seconds", least.as_secs_f64(), most.as_secs_f64()))
        }
    }
}

/// A checked number as a size: none of them is negative or beyond the address space.
fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

fn milliseconds(number: i64) -> Duration {
    Duration::from_millis(number.unsigned_abs())
}
