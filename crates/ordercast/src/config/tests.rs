//! Which source wins, and where problems are said to be.

use std::time::Duration;

use ordercast_domain::money::Currency;
use ordercast_domain::rules::AmountLimits;
use ordercast_engine::retention::LogRetention;
use ordercast_protocol::channel::Log;

use super::*;
use ordercast_domain::rules::Rules;

fn sources(file: Option<&Path>, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Sources {
    Sources {
        file: file.map(Path::to_path_buf),
        environment: environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        flags: flags.iter().map(|(name, value)| (*name, (*value).into())).collect(),
    }
}

fn with_file(
    text: &str,
    environment: &[(&str, &str)],
    flags: &[(&'static str, &str)],
) -> Result<Resolved, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("o.toml");
    std::fs::write(&path, text).unwrap();
    let prefix = format!("{}/", dir.path().display());
    let short = |text: &String| text.replace(&prefix, "");
    match resolve(&sources(Some(&path), environment, flags)) {
        Ok(mut resolved) => {
            for setting in &mut resolved.origins.0 {
                if let Origin::File(place) = &mut setting.origin {
                    *place = short(place);
                }
            }
            Ok(resolved)
        }
        Err(errors) => Err(errors.0.iter().map(short).collect()),
    }
}

#[test]
fn defaults_are_those_of_the_design() {
    let resolved = with_file("", &[], &[]).unwrap();
    let settings = &resolved.settings;
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!((settings.workers.slots, settings.intake.capacity, settings.intake.client_capacity), (10, 1000, 800));
    assert_eq!(settings.rules, Rules::standard(Currency::parse("USD").unwrap()));
    assert_eq!(settings.websocket.max_connections, 10_000);
    assert_eq!(settings.websocket.ping_interval, Duration::from_secs(54));
    assert_eq!(settings.websocket.default_channels, ["orders"]);
    assert!(!settings.demo.is_enabled && resolved.warnings.is_empty());
    assert!(resolved.origins.0.iter().all(|setting| setting.origin == Origin::Default));
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let file = "[workers]\nslots = 3\n";
    let environment = [("ORDERCAST_WORKERS", "4")];
    for (environment, flags, slots, origin) in [
        (&[][..], &[][..], 3, "o.toml:2"),
        (&environment, &[], 4, "env ORDERCAST_WORKERS"),
        (&environment, &[("--workers", "5")], 5, "flag --workers"),
        (&[("ORDERCAST_WORKERS", "")], &[], 3, "o.toml:2"),
    ] {
        let resolved = with_file(file, environment, flags).unwrap();
        assert_eq!(resolved.settings.workers.slots, slots);
        assert_eq!(resolved.origins.of("workers.slots").to_string(), origin);
    }
}

#[test]
fn the_port_of_the_environment_is_half_an_address() {
    for (environment, flags, expected) in [
        (&[("PORT", "9000")][..], &[][..], "[::1]:9000"),
        (&[("PORT", "9000"), ("ORDERCAST_LISTEN", "127.0.0.1:7")], &[], "127.0.0.1:7"),
        (&[("PORT", "9000")], &[("--listen", "localhost:5")], "127.0.0.1:5"),
    ] {
        let resolved = with_file("listen = \"[::1]:80\"", environment, flags).unwrap();
        assert_eq!(resolved.settings.listen.to_string(), expected);
    }
}

#[test]
fn every_kind_of_value_is_read() {
    let file = "log = \"debug\"\n[rules]\nlimits = \"wholesale\"\nmax_amount = 5_000\nbonus_s = [60, 0.5, 0]\n\
                currencies.JPY = { max_amount = 1_000_000 }\n[websocket]\nping_interval_s = 1.5\n\
                default_channels = [\"orders\", \"market_data\"]\n[server]\nallowed_origins = [\"https://a.example\"]\n\
                [demo]\nenabled = true\nrate_per_s = 3\n";
    let settings = with_file(file, &[], &[]).unwrap().settings;
    assert_eq!(settings.rules.max_items, 1_000);
    assert_eq!(settings.rules.amounts, AmountLimits { max_amount: 5_000, priority_above: 1_000, hold_above: None });
    let jpy = Currency::parse("JPY").unwrap();
    assert_eq!(
        settings.rules.amounts_in(jpy),
        AmountLimits { max_amount: 1_000_000, priority_above: 1_000, hold_above: None }
    );
    assert_eq!(settings.rules.bonus_ms, [60_000, 500, 0]);
    assert_eq!(settings.websocket.ping_interval, Duration::from_millis(1_500));
    assert!(settings.demo.is_enabled && settings.demo.rate_per_s == 3.0);
}

#[test]
fn logs_keep_everything_unless_it_is_said() {
    let keeps = |file: &str, log: Log| with_file(file, &[], &[]).unwrap().settings.retention[log.index()];
    assert_eq!(keeps("", Log::Publications), LogRetention::default());
    let file =
        "[retention.publications]\nmax_events = 100_000\nmax_age_s = 86_400\n[retention.products]\nmax_age_s = 60";
    let day = LogRetention { max_events: Some(100_000), max_age: Some(Duration::from_secs(86_400)) };
    assert_eq!(keeps(file, Log::Publications), day);
    let minute = LogRetention { max_events: None, max_age: Some(Duration::from_secs(60)) };
    assert_eq!((keeps(file, Log::Products), keeps(file, Log::Orders)), (minute, LogRetention::default()));
}

#[test]
fn problems_are_named_with_their_place() {
    for (file, expected) in [
        ("[workers]\nslotz = 3", "o.toml:2:1: unknown setting `workers.slotz`; did you mean `workers.slots`?"),
        (
            "max_connections = 3",
            "o.toml:1:1: unknown setting `max_connections`; did you mean `websocket.max_connections`?",
        ),
        ("zebra = 3", "o.toml:1:1: unknown setting `zebra`; `ordercast config show` lists those that exist"),
        ("rules = 3", "o.toml:1:1: `rules` is a group of settings: write it as a table, [rules]"),
        ("[zebra]", "o.toml:1:2: unknown setting `zebra`; `ordercast config show` lists those that exist"),
        ("[workers]\n  slots = \"ä\"", "o.toml:2:11: `workers.slots` must be a whole number, not the text \"ä\""),
        ("[workers]\nslots = 10001", "o.toml:2:9: `workers.slots` is 10001: must be from 0 to 10000"),
        (
            "[rules]\nlimits = \"retail\"",
            "o.toml:2:10: `rules.limits` must be \"standard\" or \"wholesale\", not the text \"retail\"",
        ),
        ("[websocket]\nping_interval_s = 60", "o.toml:2: `websocket.ping_interval_s` must be shorter than"),
        (
            "[websocket]\ndefault_channels = [\"chat\"]",
            "o.toml:2:20: `websocket.default_channels` is [\"chat\"]: \"chat\": no such channel",
        ),
        ("[rules]\nbonus_s = [0, 5, 9]", "o.toml:2:11: `rules.bonus_s` is [0, 5, 9]: a higher priority"),
        ("[rules.currencies.usd]\nmax_amount = 1", "o.toml:2:1: unknown setting `rules.currencies.usd.max_amount`"),
        ("[server]\nallowed_origins = [\"*\"]", "o.toml:2:19: `server.allowed_origins` is [\"*\"]: \"*\" is no origin"),
        ("[intake]\ncapacity = 5\nclient_capacity = 6", "o.toml:3: `intake.client_capacity` is 6, more than"),
        (
            "[retention.publications]\nmax_events = 5",
            "o.toml:2:14: `retention.publications.max_events` is 5: must be at least 1000, or 0 to keep all",
        ),
        ("[retention.orders]\nmax_age_s = 1", "o.toml:2:13: `retention.orders.max_age_s` is 1: must be from 60 to"),
        ("listen = ", "o.toml:1:"),
    ] {
        let errors = with_file(file, &[], &[]).unwrap_err();
        assert_eq!(errors.len(), 1, "{file}: {errors:?}");
        assert!(errors[0].starts_with(expected), "{file}: {errors:?}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let errors = with_file("a = 1\n[workers]\nslots = -1", &[("PORT", "x")], &[("--intake", "many")]).unwrap_err();
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert!(
        errors.contains(&"flag --intake: `intake.capacity` must be a whole number, not \"many\"".to_owned()),
        "{errors:?}"
    );
}

#[test]
fn other_machines_are_kept_out() {
    let errors = with_file("", &[], &[("--listen", "0.0.0.0:8080")]).unwrap_err();
    assert_eq!(
        errors,
        ["flag --listen: `listen` is 0.0.0.0:8080, which other machines can reach, and is refused: there is no \
          sign-in yet, so everyone who reaches the port is its administrator. Listen on 127.0.0.1:8080 or \
          [::1]:8080, and let a proxy or a tunnel that checks who comes stand in front"]
    );
}

#[test]
fn what_is_not_built_yet_is_said() {
    let resolved = with_file("", &[("REDIS_URL", "redis://127.0.0.1")], &[]).unwrap();
    assert!(resolved.warnings[0].contains("in-process broker"), "{:?}", resolved.warnings);
}

#[test]
fn a_missing_file_is_an_error_only_when_it_was_named() {
    let errors = resolve(&sources(Some(Path::new("does-not-exist.toml")), &[], &[])).unwrap_err();
    assert!(errors.0[0].contains("does-not-exist.toml") && errors.0[0].contains("--config"), "{errors}");
    let errors = resolve(&sources(None, &[("ORDERCAST_CONFIG", "neither.toml")], &[])).unwrap_err();
    assert!(errors.0[0].contains("neither.toml"), "{errors}");
}

#[test]
fn access_and_channels_are_read() {
    let file = "[auth]\nmode = \"token\"\nhmac_secret = \"sesame\"\n[api]\nkey = \"k\"\n[channels]\nenabled = true\n\
                history_size = 5\n[channels.namespaces.news]\npresence = true\nallow_publish = \"subscribers\"\n\
                [channels.namespaces.plain]\n[websocket]\ndefault_channels = [\"news:a\"]\n";
    let resolved = with_file(file, &[("ORDERCAST_API_KEY", "other")], &[]).unwrap();
    let settings = &resolved.settings;
    assert_eq!(settings.access.mode, AuthMode::Token);
    assert_eq!(settings.access.api_key.as_ref().map(|key| key.reveal().to_owned()), Some("other".to_owned()));
    assert!(resolved.warnings.iter().any(|warning| warning.contains("auth.mode")), "{:?}", resolved.warnings);
    let shown: Vec<_> = resolved.origins.0.iter().map(|setting| format!("{setting:?}")).collect();
    assert!(!shown.iter().any(|shown| shown.contains("sesame") || shown.contains("other")), "secrets are not shown");
    for (name, namespace) in [("a", Some("")), ("news:a", Some("news")), ("plain:a", Some("plain")), ("b:a", None)] {
        let found = settings.channels.find(name).ok().and_then(|(_, namespace)| namespace);
        assert_eq!(found.map(|found| found.name.clone()).as_deref(), namespace, "{name}");
    }
    let (_, news) = settings.channels.find("news:a").unwrap();
    let news = news.unwrap();
    assert!(news.presence && news.allow_publish.name() == "subscribers" && news.history_size == 0);
}

#[test]
fn impossible_access_and_channels_are_named() {
    for (file, expected) in [
        ("[auth]\nmode = \"token\"", "o.toml:2: `auth.mode` is \"token\" but there is no key"),
        ("[auth]\nrsa_public_key = \"x\"", "o.toml:2: `auth.rsa_public_key` not a public key in PEM"),
        ("[auth]\nmode = \"closed\"", "o.toml:2:8: `auth.mode` must be \"open\" or \"token\", not the text"),
        ("[channels.namespaces.orders]\npresence = true", "default: `channels.namespaces.orders.history_size` of a"),
        (
            "[channels.namespaces.a]\ndelta = true",
            "default: `channels.namespaces.a.history_size` of a namespace that has",
        ),
        ("[channels.namespaces.a]\nallow_publish = \"all\"", "o.toml:2:17: `channels.namespaces.a.allow_publish` must"),
        ("[channels.namespaces.a]\nsize = 1", "o.toml:2:1: unknown setting `channels.namespaces.a.size`"),
        ("[centrifuge]\nping_interval_s = 1.5", "o.toml:2: `centrifuge.ping_interval_s` must be whole seconds"),
    ] {
        let errors = with_file(file, &[], &[]).unwrap_err();
        assert_eq!(errors.len(), 1, "{file}: {errors:?}");
        assert!(errors[0].starts_with(expected), "{file}: {errors:?}");
    }
}
