//! The reference of all settings, written from their definitions: `docs/configuration.md` and `ordercast config reference`.

use std::fmt::Write as _;

use super::origin::SettingOrigin;

/// What each setting does, with its unit, by its name; the namespaces of channels share theirs.
const TEXTS: &[(&str, &str)] = &[
    ("listen", "Address and port; a loopback address, because nobody signs in yet. `PORT` gives the port alone."),
    ("data_dir", "Folder of the data; it is made when it is not there."),
    (
        "workers.slots",
        "Orders in work at the same time in this process; with 0 they wait. A demo has as many as its rate needs.",
    ),
    ("workers.work_ms_min", "Shortest time that the built-in processor pretends to work on an order, in milliseconds."),
    ("workers.work_ms_max", "Longest time that it does, in milliseconds."),
    ("workers.max_active", "Most orders in work, those of workers elsewhere included; 0 is no limit."),
    ("workers.max_active_per_customer", "Most orders of one customer in work; 0 is no limit."),
    ("intake.capacity", "Most commands of all clients that are not yet acknowledged; 503 beyond."),
    ("intake.client_capacity", "Most of one client; 429 beyond. 80 % of `intake.capacity` unless set."),
    ("rules.limits", "Profile of limits: `standard` (10,000 and 50 lines) or `wholesale` (1,000,000 and 1,000 lines)."),
    ("rules.default_currency", "ISO 4217 code of orders that name none."),
    ("rules.max_items", "Most lines of an order."),
    ("rules.allow_zero_amount", "Whether orders of 0 are taken."),
    (
        "rules.max_amount",
        "Largest amount of an order, in the currency's major unit. By currency: `rules.currencies.EUR.max_amount`.",
    ),
    ("rules.priority_above", "Orders above it go first, in the currency's major unit."),
    ("rules.hold_above", "Orders above it are held for a person, in the currency's major unit; 0 holds none."),
    ("rules.bonus_s", "Head start of the priorities high, medium and low, in seconds."),
    ("rules.max_attempts", "Attempts at an order before it counts as failed."),
    ("rules.retry_base_s", "First pause between two attempts, in seconds; it doubles each time."),
    ("rules.retry_max_s", "Longest pause between two attempts, in seconds."),
    ("rules.hold_s", "Seconds after which a held order is rejected; 0 keeps it."),
    ("websocket.max_connections", "Most sockets and streams together; 503 beyond."),
    ("websocket.handshake_timeout_s", "Seconds that a client may take for the head of a request or a handshake."),
    ("websocket.ping_interval_s", "Seconds of silence after which a client is sent a ping."),
    ("websocket.read_timeout_s", "Seconds of silence after which a client is dropped."),
    ("websocket.write_timeout_s", "Seconds that a write may wait for room."),
    ("websocket.max_message_bytes", "Largest message from a client, in bytes."),
    ("websocket.outbox_bytes", "Most bytes that wait for one slow subscriber before it is parked on the log."),
    ("websocket.waiting_bytes", "Most bytes that wait for all clients; new connections are refused beyond."),
    (
        "websocket.send_buffer_bytes",
        "Most unsent bytes that the kernel keeps for one socket; 0 leaves it to the kernel.",
    ),
    ("websocket.compression", "Whether messages are compressed (RFC 7692) where the client offers it."),
    ("websocket.default_channels", "What a WebSocket is subscribed to that names no channels."),
    (
        "server.allowed_origins",
        "Origins of pages that may use the server beside its own, exactly as browsers send them. See docs/proxies.md.",
    ),
    ("server.time_zone", "IANA name of the time zone in which the figures of a day begin."),
    ("server.base_path", "Path that all addresses begin with behind a proxy, such as `/shop`. See docs/proxies.md."),
    ("server.allowed_hosts", "Names of the server beside those of this machine. See docs/proxies.md."),
    (
        "server.trusted_proxies",
        "Addresses and networks of proxies whose `X-Forwarded-*` are believed. See docs/proxies.md.",
    ),
    (
        "server.insecure_open",
        "Answers requests that come through a proxy, though nobody signs in. See docs/proxies.md.",
    ),
    ("server.echo", "Whether `GET /echo` sends back what comes, for conformance suites."),
    ("server.drain_timeout_s", "Seconds that a stop may take to finish what is under way."),
    ("server.drain_spread_s", "Seconds over which a stop spreads its closes; 0 is a millisecond for each connection."),
    ("server.handshakes_per_s", "Most new connections that are begun a second; others wait their turn."),
    ("server.max_http_connections", "Most HTTP connections beside those that carry sockets and streams."),
    ("server.body_bytes", "Most bytes of request bodies on their way, over all connections."),
    ("server.bulk_answer_bytes", "Most bytes of answers to bulk requests that wait for their clients."),
    (
        "auth.mode",
        "`open`: everyone on this machine is the administrator. `token`: Centrifuge connections show a token; HTTP and `/ws` are still open.",
    ),
    ("auth.anonymous", "Whether one may connect without a token, as nobody."),
    ("auth.hmac_secret", "Secret of tokens signed by HMAC."),
    ("auth.rsa_public_key", "Public key (PEM) of tokens signed by RSA."),
    ("auth.ecdsa_public_key", "Public key (PEM) of tokens signed by ECDSA."),
    ("auth.eddsa_public_key", "Public key (PEM) of tokens signed by EdDSA."),
    ("auth.audience", "Audience that tokens must name; empty for any."),
    ("auth.issuer", "Issuer that tokens must name; empty for any."),
    ("api.key", "Key of the server API (`POST /api/*`); without it nobody may call it."),
    ("channels.memory_channels", "Most channels in memory."),
    ("channels.memory_bytes", "Most bytes of publications that channels in memory keep."),
    ("centrifuge.ping_interval_s", "Seconds between pings to Centrifuge clients."),
    ("centrifuge.pong_timeout_s", "Seconds in which they must answer."),
    ("centrifuge.stale_timeout_s", "Seconds in which they must have connected."),
    ("centrifuge.refresh_grace_s", "Seconds after its end in which a token may still be replaced."),
    ("centrifuge.max_message_bytes", "Largest message from a Centrifuge client, in bytes."),
    ("demo.enabled", "Makes up orders, marked as demo."),
    ("demo.rate_per_s", "Made-up orders a second, on average."),
    ("demo.seed", "What made-up orders are drawn from."),
    ("log", "What is logged: a level, or levels by module such as `ordercast_engine=debug,info`."),
];

/// What the settings of a table do, whatever log or namespace it is about, by their last names.
const TEXTS_OF_TABLES: &[(&str, &str)] = &[
    ("max_events", "Most events that the log keeps; 0 keeps all."),
    ("max_age_s", "Seconds that the log keeps an event; 0 keeps all."),
    ("enabled", "Whether channels without a namespace exist."),
    ("history_size", "Publications that a channel keeps."),
    ("history_ttl_s", "Seconds that it keeps them."),
    ("presence", "Whether it is known who is in a channel."),
    ("join_leave", "Whether subscribers who ask for it get joins and leaves."),
    ("force_push_join_leave", "Whether all subscribers get them."),
    ("force_recovery", "Whether all subscriptions resume."),
    ("delta", "Whether changes may be sent as differences."),
    ("durable", "Whether publications are kept in the store."),
    ("allow_subscribe", "Who may subscribe without a right: `nobody`, `users`, `anyone`."),
    ("allow_publish", "Who may publish without a right: `nobody`, `subscribers`, `users`, `anyone`."),
    ("allow_history", "Who may read what was published without a right."),
    ("allow_presence", "Who may ask without a right who is there."),
];

/// What a setting does; empty for one that the tables do not know.
fn text_of(name: &str) -> &'static str {
    let last = name.rsplit('.').next().unwrap_or_default();
    let by = |table: &'static [(&str, &str)], name: &str| table.iter().find(|(known, _)| *known == name);
    by(TEXTS, name).or_else(|| by(TEXTS_OF_TABLES, last)).map_or("", |(_, text)| *text)
}

/// The reference in Markdown, of settings that nobody has set.
pub(crate) fn markdown(settings: &[SettingOrigin]) -> String {
    let mut out = String::from(
        "# Settings\n\nWritten from the definitions by `ordercast config reference`. A setting comes from its flag, else from its \
         variable of the environment, else from the file (`--config`, `ORDERCAST_CONFIG` or `./ordercast.toml`), else it has its \
         default. `ordercast config show --origin` shows what is in force and why; `ordercast check-config` names every mistake at \
         once. In the file, dots are tables: `workers.slots = 10` is `slots = 10` below `[workers]`. Namespaces of channels \
         have the settings of `channels.*` in tables of their own: `[channels.namespaces.NAME]`.\n",
    );
    let mut table = None;
    for setting in settings {
        let (of, name) = setting.name.split_once('.').unwrap_or(("", &setting.name));
        if table != Some(of) {
            table = Some(of);
            let title = if of.is_empty() { "The server".to_owned() } else { format!("`[{of}]`") };
            // Writing into a String cannot fail.
            let _ =
                write!(out, "\n## {title}\n\n| setting | default | what | flag, environment |\n|---|---|---|---|\n");
        }
        let names: Vec<_> =
            [setting.flag, setting.environment].into_iter().flatten().map(|name| format!("`{name}`")).collect();
        let (value, text) = (setting.value.replace('|', "\\|"), text_of(&setting.name));
        let _ = writeln!(out, "| `{name}` | `{value}` | {text} | {} |", names.join(", "));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn defaults() -> Vec<SettingOrigin> {
        super::super::defaults().unwrap().0
    }

    #[test]
    fn every_setting_has_a_text_and_every_text_a_setting() {
        let settings = defaults();
        let silent: Vec<_> = settings.iter().filter(|setting| text_of(&setting.name).is_empty()).collect();
        assert!(silent.is_empty(), "{silent:?}");
        let is_there = |name: &str| settings.iter().any(|setting| setting.name == name);
        let left: Vec<_> = TEXTS.iter().filter(|(name, _)| !is_there(name)).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// `ORDERCAST_WRITE_DOCS=1 cargo test -p ordercast reference` writes it.
    #[test]
    fn the_committed_reference_is_that_of_the_definitions() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        let text = markdown(&defaults());
        if std::env::var_os("ORDERCAST_WRITE_DOCS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{} is another; write it with ORDERCAST_WRITE_DOCS=1", path.display());
    }
}
