//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A real-time order platform: durable orders, workers and resumable streams in one binary.
#[derive(Debug, Parser)]
#[command(name = "ordercast", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "Examples:
  ordercast serve --demo                     serve http://127.0.0.1:8080, with made-up orders
  ordercast products import catalogue.csv    fill the catalogue of the running server
  ordercast orders watch                     see every change of every order
  ordercast import orders.csv.gz             send a file of real orders to the running server

Exit codes:
  0   all is well
  1   problems were found, or it failed
  2   the command line or a setting is wrong
  74  the store failed
  75  another process uses the data directory";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API, the streams and the pages
    #[command(after_long_help = SERVE_HELP)]
    Serve(ServeArgs),
    /// Send a file of orders to a running server
    #[command(after_long_help = IMPORT_HELP)]
    Import(ImportArgs),
    /// Send a file of orders, paced by the file's own times
    #[command(after_long_help = REPLAY_HELP)]
    Replay(ReplayArgs),
    /// The catalogue of a running server
    Products(ProductsArgs),
    /// The orders of a running server
    Orders(OrdersArgs),
    /// Check a whole data directory that no server is using
    #[command(after_long_help = VERIFY_HELP)]
    Verify(VerifyArgs),
    /// The made-up orders of `serve --demo`
    Demo(DemoArgs),
    /// Check the settings without starting anything
    CheckConfig(SettingFlags),
    /// Look at the settings
    Config(ConfigArgs),
    /// Write a completion script for a shell
    #[command(after_long_help = COMPLETIONS_HELP)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

const SERVE_HELP: &str = "Settings come from flags, then from the environment (ORDERCAST_LISTEN, PORT, \
ORDERCAST_DATA_DIR, ORDERCAST_WORKERS, ORDERCAST_INTAKE, ORDERCAST_CURRENCY, ORDERCAST_LOG, \
WEBSOCKET_MAX_CONNECTIONS), then from the file (--config, ORDERCAST_CONFIG or ./ordercast.toml), then from \
defaults. `ordercast config show --origin` shows what is in force and why.

Examples:
  ordercast serve                              http://127.0.0.1:8080, data in ./data
  ordercast serve --demo --demo-rate 20        with 20 made-up orders a second
  ordercast serve --limits wholesale --currency GBP
  PORT=9000 ordercast serve --config shop.toml";

const IMPORT_HELP: &str =
    "Formats, recognized by the file itself unless --format says so (plain or gzip, UTF-8 or UTF-16):
  online-retail   CSV, one invoice line per row, with the columns invoice_no, stock_code, description,
                  quantity, invoice_date, unit_price, customer_id, country. Sales become orders;
                  cancellations, write-offs and bad debt become adjustments
  shopify-orders  CSV as a Shopify shop exports it
  csv             any CSV, one order line per row, with --columns: id, customer, address, notes,
                  currency, placed_at, priority, sku, quantity, price, discount, tax, shipping,
                  amount. What belongs to the whole order may stand in its first row only
  orders-ndjson   one order body of POST /orders per line
  orders-json     a JSON array of order bodies

It is safe to run twice, and to run again after an interruption: what is there already is not
stored again. Two files with the same lines are two files. Wholesale orders need a server with
wholesale limits. docs/import.md has the rules in full. Exit code 1: not everything in the file
is in the store, or not as expected.

Examples:
  ordercast serve --limits wholesale --currency GBP
  ordercast import online_retail.csv.gz --expect expected.json
  ordercast import export.csv --columns 'id=Order,sku=Article,price=Net,quantity=Pcs,placed_at=Day' \\
            --decimal , --dates dmy --currency EUR
  ordercast import orders.ndjson --report json > report.json";

const REPLAY_HELP: &str = "The first invoice is sent at once; each later one when its time has come, in the \
file's own time divided by --speed. The pace does not wait for answers: when the server is slower, the report says \
how far it fell behind.

Examples:
  ordercast replay online_retail.csv.gz --speed 1000      nine months in six and a half hours
  ordercast replay online_retail.csv.gz --speed 50000     in eight minutes";

const VERIFY_HELP: &str = "Checks offsets, checksums, references, versions, reserved stock and amounts, and exits \
with 1 when anything is wrong. Stop the server first: a data directory in use is refused with exit code 75.

Example:
  ordercast verify --data-dir ./data";

const COMPLETIONS_HELP: &str = "Examples:
  ordercast completions bash > ~/.local/share/bash-completion/completions/ordercast
  ordercast completions zsh > ~/.zfunc/_ordercast
  ordercast completions fish > ~/.config/fish/completions/ordercast.fish";

/// Flags that stand for settings. They stay text here: the settings are checked in one place, whatever their source.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SettingFlags {
    /// The configuration file (TOML) [env: ORDERCAST_CONFIG] [default: ./ordercast.toml if there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen; a loopback address [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Where the data is [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Orders in work at the same time; with 0 they wait [default: 10]
    #[arg(long, value_name = "N")]
    pub workers: Option<String>,
    /// Most commands that are not yet acknowledged [default: 1000]
    #[arg(long, value_name = "N")]
    pub intake: Option<String>,
    /// Limits of an order: standard (10,000 and 50 lines) or wholesale [default: standard]
    #[arg(long, value_name = "PROFILE")]
    pub limits: Option<String>,
    /// The currency of orders that name none [default: USD]
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// Most sockets and streams together [default: 10000]
    #[arg(long, value_name = "N")]
    pub max_connections: Option<String>,
    /// Make up orders, marked as demo
    #[arg(long)]
    pub demo: bool,
    /// Made-up orders a second [default: 2]
    #[arg(long, value_name = "N")]
    pub demo_rate: Option<String>,
    /// What made-up orders are drawn from [default: 1]
    #[arg(long, value_name = "N")]
    pub demo_seed: Option<String>,
    /// Answer requests that come through a proxy, though nobody signs in: everyone who reaches the proxy is the administrator
    #[arg(long)]
    pub insecure_open: bool,
    /// Send back what comes to GET /echo, for conformance suites
    #[arg(long)]
    pub echo: bool,
    /// What is logged: error, warn, info, debug, trace, or by module [default: info]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// A PostgreSQL database; not in this build
    #[arg(long, value_name = "URL", hide = true)]
    pub database_url: Option<String>,
    /// A Redis broker; not in this build
    #[arg(long, value_name = "URL", hide = true)]
    pub broker_url: Option<String>,
}

/// `ordercast serve`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServeArgs {
    /// The settings.
    #[command(flatten)]
    pub settings: SettingFlags,
    /// Begin a new epoch: after a snapshot of the whole volume was put back, which cannot be noticed
    #[arg(long)]
    pub new_epoch: bool,
}

/// What both ways of sending a file need.
#[derive(Clone, Debug, Args)]
pub(crate) struct SendArgs {
    /// The file, plain or gzip
    pub file: PathBuf,
    /// What is in the file [default: as it looks]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Which column holds what (csv), such as id=Name,price=Lineitem price,address=Street+City
    #[arg(long, value_name = "FIELD=COLUMN,...")]
    pub columns: Option<String>,
    /// What separates columns [default: what the header has most of]
    #[arg(long, value_name = "CHAR", value_enum)]
    pub delimiter: Option<Delimiter>,
    /// The decimal sign: . or , [default: .]
    #[arg(long, value_name = "CHAR", value_enum)]
    pub decimal: Option<DecimalSign>,
    /// The order of day, month and year in dates with strokes [default: what the file's dates allow]
    #[arg(long, value_name = "ORDER", value_enum)]
    pub dates: Option<DateOrder>,
    /// A name for the file: what it holds is known by it, also when the file has grown [default: its content]
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// The server
    #[arg(long, env = "ORDERCAST_URL", default_value = DEFAULT_URL)]
    pub url: String,
    /// Connections that send at the same time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub connections: u16,
    /// The currency of orders for which the file says none [default: GBP for online-retail, else the server's]
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// Compare the counts and sums with those in this JSON file, and exit with 1 if any differs (online-retail)
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// How to write the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub report: ReportFormat,
    /// Send only the first N invoices or orders
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

/// The default address of a server.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// What is in a file of orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// CSV of invoice lines
    OnlineRetail,
    /// CSV that a Shopify shop exports
    ShopifyOrders,
    /// CSV with the columns that --columns names
    Csv,
    /// One order body per line
    OrdersNdjson,
    /// A JSON array of order bodies
    OrdersJson,
}

impl Format {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OnlineRetail => "online-retail",
            Self::ShopifyOrders => "shopify-orders",
            Self::Csv => "csv",
            Self::OrdersNdjson => "orders-ndjson",
            Self::OrdersJson => "orders-json",
        }
    }
}

/// What separates columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Delimiter {
    /// ,
    #[value(name = ",", alias = "comma")]
    Comma,
    /// ;
    #[value(name = ";", alias = "semicolon")]
    Semicolon,
    /// A tab
    #[value(name = "tab", alias = "\t", alias = "\\t")]
    Tab,
    /// |
    #[value(name = "|", alias = "pipe")]
    Pipe,
}

impl Delimiter {
    /// The character.
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Pipe => b'|',
        }
    }
}

/// What stands before the fraction of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DecimalSign {
    /// 3.40
    #[value(name = ".", alias = "point")]
    Point,
    /// 3,40
    #[value(name = ",", alias = "comma")]
    Comma,
}

/// The order of the parts of a date with strokes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DateOrder {
    /// 25/12/2026
    Dmy,
    /// 12/25/2026
    Mdy,
    /// 2026/12/25
    Ymd,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// `ordercast demo`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DemoCommand,
}

/// The commands of the demo.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// Remove a data directory's store, if it holds nothing but the demo's orders and products, and no server uses it
    Purge(VerifyArgs),
}

/// `ordercast import`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file and where it goes.
    #[command(flatten)]
    pub send: SendArgs,
}

/// `ordercast replay`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The file and where it goes.
    #[command(flatten)]
    pub send: SendArgs,
    /// How many times faster than the file's own times
    #[arg(long, value_name = "N", value_parser = parse_speed)]
    pub speed: f64,
}

fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("write a number above 0, such as 1000".to_owned()),
    }
}

/// `ordercast products …`.
#[derive(Debug, Args)]
pub(crate) struct ProductsArgs {
    /// What to do with the catalogue.
    #[command(subcommand)]
    pub command: ProductsCommand,
}

/// What to do with the catalogue.
#[derive(Debug, Subcommand)]
pub(crate) enum ProductsCommand {
    /// Add or change the products of a file
    #[command(after_long_help = PRODUCTS_HELP)]
    Import(ProductsImportArgs),
}

const PRODUCTS_HELP: &str = "The file is CSV with a header line (sku or stock_code; name or description; price, \
unit_price or modal_unit_price; stock and currency if you like), or JSON (*.json: one product or an array; *.ndjson, \
*.jsonl: one product per line) with the fields sku, name, price, stock, currency. Products that are there already \
are changed; a row that the server refuses is named with its reason and the others are stored.

Examples:
  ordercast products import catalogue.csv --stock 1000 --currency GBP
  ordercast products import products.json";

/// `ordercast products import`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProductsImportArgs {
    /// The file: CSV, JSON or NDJSON
    pub file: PathBuf,
    /// The server
    #[arg(long, env = "ORDERCAST_URL", default_value = DEFAULT_URL)]
    pub url: String,
    /// The stock of products for which the file says none [default: not counted]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub stock: Option<i64>,
    /// The currency of products for which the file says none [default: the server's]
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
}

/// `ordercast orders …`.
#[derive(Debug, Args)]
pub(crate) struct OrdersArgs {
    /// What to do with the orders.
    #[command(subcommand)]
    pub command: OrdersCommand,
}

/// What to do with the orders.
#[derive(Debug, Subcommand)]
pub(crate) enum OrdersCommand {
    /// List orders, the newest first
    List(OrdersListArgs),
    /// Show one order with its lines
    Show(OrdersShowArgs),
    /// Try failed orders again, or count them first
    #[command(after_long_help = RETRY_HELP)]
    Retry(OrdersRetryArgs),
    /// Show every change as it happens, without a gap over lost connections
    #[command(after_long_help = WATCH_HELP)]
    Watch(OrdersWatchArgs),
}

const RETRY_HELP: &str =
    "Each order is moved by the ordinary action, as it was seen: one that somebody moves meanwhile is left alone.

Examples:
  ordercast orders retry --status failed --error timeout --dry-run       how many, and the first of them
  ordercast orders retry --status failed --error timeout --reason \"the oven works again\"";

const WATCH_HELP: &str = "Examples:
  ordercast orders watch                       from now on
  ordercast orders watch --since 0 --json      everything that ever happened, then what comes
  ordercast orders watch --json --limit 1      wait for the next change";

/// `ordercast orders retry`.
#[derive(Clone, Debug, Args)]
pub(crate) struct OrdersRetryArgs {
    /// The server
    #[arg(long, env = "ORDERCAST_URL", default_value = DEFAULT_URL)]
    pub url: String,
    /// The status they are in: failed
    #[arg(long)]
    pub status: String,
    /// Only orders of the customer with this opaque id (c_…)
    #[arg(long, value_name = "ID")]
    pub customer_id: Option<String>,
    /// Only orders accepted at this time or later, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only orders accepted before this time, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Only orders whose last error holds this text
    #[arg(long, value_name = "TEXT")]
    pub error: Option<String>,
    /// Most orders, the newest first [default: all]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Why they are tried again; it stands in each order's events
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    pub reason: Option<String>,
    /// Only say how many there are, and which come first
    #[arg(long)]
    pub dry_run: bool,
}

/// `ordercast orders list`.
#[derive(Clone, Debug, Args)]
pub(crate) struct OrdersListArgs {
    /// The server
    #[arg(long, env = "ORDERCAST_URL", default_value = DEFAULT_URL)]
    pub url: String,
    /// Only those that a text finds: a number such as '#1042', the beginning or end of an id, a part of the customer's text or
    /// of a SKU
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// Only orders of this status, such as pending or completed
    #[arg(long)]
    pub status: Option<String>,
    /// Only orders of the customer with this opaque id (c_…)
    #[arg(long, value_name = "ID")]
    pub customer_id: Option<String>,
    /// Most orders to list
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: u64,
    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// `ordercast orders show`.
#[derive(Clone, Debug, Args)]
pub(crate) struct OrdersShowArgs {
    /// The order's id
    pub id: String,
    /// The server
    #[arg(long, env = "ORDERCAST_URL", default_value = DEFAULT_URL)]
    pub url: String,
    /// The order as JSON, as the server sent it
    #[arg(long)]
    pub json: bool,
}

/// `ordercast orders watch`.
#[derive(Clone, Debug, Args)]
pub(crate) struct OrdersWatchArgs {
    /// The server
    #[arg(long, env = "ORDERCAST_URL", default_value = DEFAULT_URL)]
    pub url: String,
    /// One JSON object per line, as the server sent it
    #[arg(long)]
    pub json: bool,
    /// Begin after this offset of the log instead of now; 0 is the beginning
    #[arg(long, value_name = "OFFSET")]
    pub since: Option<u64>,
    /// Stop after so many changes
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

/// `ordercast verify`.
#[derive(Clone, Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The configuration file (TOML) [env: ORDERCAST_CONFIG] [default: ./ordercast.toml if there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the data is [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
}

/// `ordercast config …`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// What to do with the settings.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Write the reference of all settings, in Markdown: what each does, its default, flag and variable
    Reference,
    /// Show every setting that is in force; the flags are those of `serve`
    Show {
        /// Also show where each came from: default, file:line, env NAME or flag --name
        #[arg(long)]
        origin: bool,
        /// The flags of `serve`.
        #[command(flatten)]
        flags: Box<SettingFlags>,
    },
}
