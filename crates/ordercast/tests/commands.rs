//! The commands against a running server, and their exit codes.

mod harness;

use harness::{Server, run, stderr, stdout};

#[test]
fn products_and_orders_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"), &[]);
    let catalogue = dir.path().join("catalogue.csv");
    let mut rows: String = (0..1_200).map(|at| format!("S{at},\"TEA, no. {at}\",{at}.005\n")).collect();
    rows.push_str("S1200,TEA,free\nS1201,TEA,99999999999\n");
    std::fs::write(&catalogue, format!("sku,name,price\n{rows}")).unwrap();
    let url = server.url.as_str();

    let output = run(&["products", "import", catalogue.to_str().unwrap(), "--url", url, "--stock", "5"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("1200 products stored, 1200 of them new or changed"), "{}", stdout(&output));
    assert!(stderr(&output).contains("line 1202: \"free\" is no price"), "{}", stderr(&output));
    assert!(stderr(&output).contains("line 1203: price is too large"), "{}", stderr(&output));

    let orders = dir.path().join("orders.ndjson");
    let order = r#"{"id":"o1","items":[{"sku":"S7","quantity":2,"price":7.005}],"customer":"Ann","address":"Here"}"#;
    std::fs::write(&orders, order).unwrap();
    let output = run(&["import", orders.to_str().unwrap(), "--format", "orders-ndjson", "--url", url]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));

    let output = run(&["orders", "watch", "--url", url, "--since", "0", "--limit", "3"]);
    let lines: Vec<_> = stdout(&output).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for (at, what) in
        ["o1 pending (new, 1 lines)", "o1 pending → processing", "o1 processing → completed"].iter().enumerate()
    {
        assert!(lines[at].contains(&format!("#{} {what} 14.01 USD", at + 1)), "{lines:?}");
    }
    let output = run(&["orders", "list", "--url", url, "--status", "completed"]);
    assert!(stdout(&output).lines().nth(1).is_some_and(|line| line.contains("14.01 USD")), "{}", stdout(&output));
    let output = run(&["orders", "show", "o1", "--url", url]);
    assert!(stdout(&output).contains("2 × S7 at 7.005"), "{}", stdout(&output));
    let output = run(&["orders", "retry", "--url", url, "--status", "failed", "--dry-run"]);
    assert_eq!(stdout(&output), "0 orders would be tried again\n", "{}", stderr(&output));
    let output = run(&["orders", "retry", "--url", url, "--status", "failed", "--reason", "why not"]);
    assert_eq!(stdout(&output), "0 orders are tried again, 0 had been moved on meanwhile\n", "{}", stderr(&output));
    let output = run(&["orders", "retry", "--url", url, "--status", "held", "--dry-run"]);
    assert!(stderr(&output).contains("/status must be one that orders are tried again from"), "{}", stderr(&output));
    let output = run(&["orders", "show", "o2", "--url", url]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no order o2"), "{}", stderr(&output));
}

#[test]
fn a_data_directory_has_one_user() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let data_dir = dir.path().to_str().unwrap();
    for args in [&["verify", "--data-dir", data_dir][..], &["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir]]
    {
        let output = run(args);
        assert_eq!(output.status.code(), Some(75), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("in use"), "{args:?}: {}", stderr(&output));
    }
    assert_eq!(server.stop(), 0);
    assert_eq!(run(&["verify", "--data-dir", data_dir]).status.code(), Some(0));
}

#[test]
fn mistakes_are_told_with_their_cure() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("shop.toml");
    std::fs::write(&config, "[workers]\nslotz = 4\n").unwrap();
    let config = config.to_str().unwrap();
    let missing = dir.path().join("missing.csv");
    for (args, code, message) in [
        (
            &["check-config", "--config", config][..],
            2,
            "shop.toml:2:1: unknown setting `workers.slotz`; did you mean `workers.slots`?",
        ),
        (&["serve", "--listen", "0.0.0.0:8080"], 2, "there is no sign-in yet"),
        (&["serve", "--database-url", "postgres://x"], 2, "--database-url is not supported by this build"),
        (&["serve", "--workers", "many"], 2, "flag --workers: `workers.slots` must be a whole number"),
        (&["orders", "list", "--url", "localhost"], 2, "http://127.0.0.1:8080"),
        // Nobody listens on the port of TCPMUX.
        (&["orders", "list", "--url", "http://127.0.0.1:1"], 1, "start it with: ordercast serve"),
        (&["import", missing.to_str().unwrap()], 1, "missing.csv"),
        (&["replay", "x", "--speed", "0"], 2, "such as 1000"),
        (&["verify", "--data-dir", missing.to_str().unwrap()], 74, "there is no store"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(message), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn settings_are_shown_with_their_origin() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("shop.toml");
    std::fs::write(&config, "[workers]\nslots = 4\n").unwrap();
    let output = harness::ordercast(&["config", "show", "--origin", "--intake", "50"])
        .envs([("ORDERCAST_CONFIG", config.to_str().unwrap()), ("PORT", "9000")])
        .output()
        .unwrap();
    let text = stdout(&output);
    for expected in ["# flag --intake", "shop.toml:2", "# env PORT", "# default"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(text.contains("listen = \"127.0.0.1:9000\""), "{text}");
}

#[test]
fn completions_are_written() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("ordercast"), "{shell}");
    }
}

/// Text of others does nothing to the terminal that shows it; machines get it as it is.
#[test]
fn control_characters_of_orders_are_shown_and_do_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"), &["--workers", "0"]);
    let evil = "\\u001b]0;owned\\u0007\\u202e";
    let body = format!(
        "{{\"id\":\"t-1\",\"items\":[\"tea{evil}\"],\"amount\":2,\"customer\":\"anna{evil}\",\"address\":\"1 Mill Lane\\nBath{evil}\"}}\n"
    );
    let file = dir.path().join("orders.ndjson");
    std::fs::write(&file, body + "{\"id\":\"x\u{1b}[2J\"}\n").unwrap();
    let imported = run(&["import", file.to_str().unwrap(), "--url", &server.url]);
    let shown = run(&["orders", "show", "t-1", "--url", &server.url]);
    let listed = run(&["orders", "list", "--search", "#1", "--url", &server.url]);
    for output in [&imported, &shown, &listed, &run(&["orders", "show", "\u{1b}[2J", "--url", &server.url])] {
        let told = format!("{}{}", stdout(output), stderr(output));
        let does = |letter: char| letter != '\n' && (letter.is_control() || letter == '\u{202e}');
        assert!(!told.contains(does), "{told:?}");
    }
    let told = stdout(&shown);
    assert!(told.contains("customer   anna\\u{1b}]0;owned\\u{7}\\u{202e}"), "{told}");
    assert!(told.contains("address    1 Mill Lane\n           Bath"), "{told}");
    assert!(stdout(&listed).contains("      #1 t-1"), "{}", stdout(&listed));
    let machine = run(&["orders", "show", "t-1", "--json", "--url", &server.url]);
    let order: serde_json::Value = serde_json::from_slice(&machine.stdout).unwrap();
    assert!(order["customer"].as_str().is_some_and(|customer| customer.ends_with("\u{7}\u{202e}")), "{order}");
}

#[test]
fn the_demo_is_purged_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let purge = || run(&["demo", "purge", "--data-dir", data.to_str().unwrap()]);
    assert!(stderr(&purge()).contains("there is no store"), "{}", stderr(&purge()));
    let server = Server::start(&data, &["--demo", "--demo-rate", "100"]);
    server.wait_for_head(300, std::time::Duration::from_secs(60));
    assert!(stderr(&purge()).contains("another ordercast has the data directory"), "{}", stderr(&purge()));
    assert_eq!(server.stop(), 0);
    let purged = purge();
    assert!(stdout(&purged).contains("demo orders were removed"), "{}{}", stdout(&purged), stderr(&purged));

    let server = Server::start(&data, &["--demo", "--demo-rate", "100"]);
    server.wait_for_head(30, std::time::Duration::from_secs(60));
    let file = dir.path().join("real.ndjson");
    std::fs::write(&file, r#"{"id":"real-1","items":["tea"],"amount":2,"customer":"anna","address":"x"}"#).unwrap();
    assert_eq!(run(&["import", file.to_str().unwrap(), "--url", &server.url]).status.code(), Some(0));
    assert_eq!(server.stop(), 0);
    let refused = purge();
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("1 orders that the demo did not place, such as real-1"), "{}", stderr(&refused));
    let server = Server::start(&data, &["--workers", "0"]);
    assert_eq!(server.get("/orders/real-1")["id"], "real-1");
}
