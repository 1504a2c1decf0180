//! Settings of authentication and of the application's channels: `[auth]`, `[api]`, `[channels]`, `[centrifuge]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use ordercast_access::Audience;
use ordercast_server::CentrifugeConfig;
use ordercast_server::access::secret::Secret;
use ordercast_server::access::tokens::{TokenKeys, Tokens};
use ordercast_server::channels::{Channels, Namespace};

use super::layers::{Layers, setting};
use super::readable::Hidden;
use super::settings::{AccessSettings, AuthMode, MemorySettings};

const DEFAULT_MEMORY_CHANNELS: i64 = 100_000;
const DEFAULT_MEMORY_BYTES: i64 = 256 * 1024 * 1024;
const MAX_HISTORY: i64 = 1_000_000;
const MAX_HISTORY_TTL_S: i64 = 366 * 86_400;
const MIN_MESSAGE_BYTES: i64 = 1_024;
const MAX_MESSAGE_BYTES: i64 = 64 * 1024 * 1024;
const MAX_TIMEOUT: Duration = Duration::from_secs(3_600);
/// Where the namespaces are.
const NAMESPACES: &str = "channels.namespaces.";

/// How clients are authenticated.
pub(super) fn access(layers: &mut Layers<'_>) -> AccessSettings {
    let mode = layers.read(setting("auth.mode").environment("ORDERCAST_AUTH_MODE"), AuthMode::Open, |_| Ok(()));
    let allows_anonymous = layers.read(setting("auth.anonymous"), false, |_| Ok(()));
    let hmac = setting("auth.hmac_secret").environment("ORDERCAST_AUTH_HMAC_SECRET");
    let keys = TokenKeys {
        hmac_secret: hidden(layers, hmac).map(Secret::new),
        rsa_public_key: hidden(layers, setting("auth.rsa_public_key")),
        ecdsa_public_key: hidden(layers, setting("auth.ecdsa_public_key")),
        eddsa_public_key: hidden(layers, setting("auth.eddsa_public_key")),
        audience: text(layers, "auth.audience"),
        issuer: text(layers, "auth.issuer"),
    };
    match Tokens::new(&keys) {
        Err(error) => layers.refuse(&format!("auth.{}", error.field), &error.detail),
        Ok(tokens) if tokens.is_empty() && mode == AuthMode::Token && !allows_anonymous => {
            layers.refuse("auth.mode", "is \"token\" but there is no key: set auth.hmac_secret or a public key");
        }
        Ok(_) => {}
    }
    if mode == AuthMode::Token {
        layers.warn(
            "auth.mode is \"token\": only Centrifuge connections show tokens yet; over HTTP and /ws everyone on this \
             machine is still the administrator",
        );
    }
    let api_key = setting("api.key").environment("ORDERCAST_API_KEY");
    let api_key = hidden(layers, api_key).map(Secret::new);
    AccessSettings { mode, allows_anonymous, keys, api_key }
}

/// The bounds of channels in memory.
pub(super) fn memory(layers: &mut Layers<'_>) -> MemorySettings {
    let mut most = |name: &str, default: i64, range: RangeInclusive<i64>| {
        let number = layers.read(setting(name), default, |number| match range.contains(number) {
            true => Ok(()),
            false => Err(format!("must be from {} to {}", range.start(), range.end())),
        });
        usize::try_from(number).unwrap_or(0)
    };
    MemorySettings {
        channels: most("channels.memory_channels", DEFAULT_MEMORY_CHANNELS, 1..=100_000_000),
        bytes: most("channels.memory_bytes", DEFAULT_MEMORY_BYTES, 0..=1024 * 1024 * 1024 * 1024),
    }
}

fn hidden(layers: &mut Layers<'_>, name: super::layers::Name) -> Option<String> {
    layers.read(name, Hidden(None), |_| Ok(())).0
}

fn text(layers: &mut Layers<'_>, name: &str) -> Option<String> {
    Some(layers.read(setting(name), String::new(), |_| Ok(()))).filter(|text| !text.is_empty())
}

/// The application's channels: the default namespace, if it is on, and the named ones.
pub(super) fn channels(layers: &mut Layers<'_>) -> Channels {
    let is_enabled = layers.read(setting("channels.enabled"), false, |_| Ok(()));
    let default = namespace(layers, "channels", String::new());
    let mut namespaces: Vec<_> = is_enabled.then_some(default).into_iter().collect();
    for name in layers.tables_below(NAMESPACES) {
        namespaces.push(namespace(layers, &format!("{NAMESPACES}{name}"), name.clone()));
    }
    Channels::new(namespaces).unwrap_or_else(|error| {
        let table = if error.name.is_empty() { "channels".to_owned() } else { format!("{NAMESPACES}{}", error.name) };
        layers.refuse(&format!("{table}.history_size"), &format!("of a namespace that {}", error.detail));
        Channels::default()
    })
}

fn namespace(layers: &mut Layers<'_>, table: &str, name: String) -> Namespace {
    let of = |key: &str| setting(format!("{table}.{key}"));
    let mut count = |key: &str, most: i64| {
        let count = layers.read(of(key), 0, |number: &i64| {
            if (0..=most).contains(number) { Ok(()) } else { Err(format!("must be from 0 to {most}")) }
        });
        u32::try_from(count).unwrap_or(0)
    };
    let (history_size, history_ttl_s) = (count("history_size", MAX_HISTORY), count("history_ttl_s", MAX_HISTORY_TTL_S));
    let mut flag = |key: &str| layers.read(of(key), false, |_| Ok(()));
    let (presence, join_leave) = (flag("presence"), flag("join_leave"));
    let (force_push_join_leave, force_recovery) = (flag("force_push_join_leave"), flag("force_recovery"));
    let (delta, durable) = (flag("delta"), flag("durable"));
    let mut who = |key: &str| layers.read(of(key), Audience::Nobody, |_| Ok(()));
    Namespace {
        name,
        history_size,
        history_ttl_s,
        presence,
        join_leave,
        force_push_join_leave,
        force_recovery,
        delta,
        durable,
        allow_subscribe: who("allow_subscribe"),
        allow_publish: who("allow_publish"),
        allow_history: who("allow_history"),
        allow_presence: who("allow_presence"),
    }
}

/// How Centrifuge clients are served.
pub(super) fn centrifuge(layers: &mut Layers<'_>) -> CentrifugeConfig {
    let usual = CentrifugeConfig::default();
    let mut timeout = |name: &str, default: Duration, least_s: u64| {
        layers.read(setting(format!("centrifuge.{name}")), default, |given: &Duration| {
            let least = Duration::from_secs(least_s);
            if (least..=MAX_TIMEOUT).contains(given) {
                Ok(())
            } else {
                Err(format!("must be from {least_s} to {} seconds", MAX_TIMEOUT.as_secs()))
            }
        })
    };
    let ping_interval = timeout("ping_interval_s", usual.ping_interval, 1);
    let pong_timeout = timeout("pong_timeout_s", usual.pong_timeout, 1);
    let stale_timeout = timeout("stale_timeout_s", usual.stale_timeout, 1);
    let refresh_grace = timeout("refresh_grace_s", usual.refresh_grace, 0);
    if ping_interval.subsec_nanos() != 0 {
        layers.refuse("centrifuge.ping_interval_s", "must be whole seconds, for clients are told");
    }
    let most = i64::try_from(usual.max_message_bytes).unwrap_or(MAX_MESSAGE_BYTES);
    let most = layers.read(setting("centrifuge.max_message_bytes"), most, |bytes: &i64| {
        let range = MIN_MESSAGE_BYTES..=MAX_MESSAGE_BYTES;
        if range.contains(bytes) {
            Ok(())
        } else {
            Err(format!("must be from {MIN_MESSAGE_BYTES} to {MAX_MESSAGE_BYTES}"))
        }
    });
    let max_message_bytes = usize::try_from(most).unwrap_or(usual.max_message_bytes);
    CentrifugeConfig { ping_interval, pong_timeout, stale_timeout, refresh_grace, max_message_bytes }
}
