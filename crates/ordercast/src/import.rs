//! `ordercast import` and `ordercast replay`: a file of orders to a running server, over its public API.
//!
//! A source ([`retail`], [`table`], [`ndjson`], [`array`]) turns the file into [`parcel::Parcel`]s, one request each, in the file's
//! order and in bounded memory. [`sending`] sends them over several connections and gathers what the server
//! answered; [`report`] says what became of every line. `docs/import.md` has the rules in full.

mod array;
mod csv_input;
mod dates;
mod expected;
mod format;
mod input;
mod latency;
mod ndjson;
mod numbers;
mod pace;
mod parcel;
mod report;
mod retail;
mod sending;
mod source;
mod table;
mod tally;

use std::io::{self, Write};

use ordercast_domain::money::Currency;

use crate::api::{Api, ApiError};
use crate::cli::{DecimalSign, Format, ReportFormat, SendArgs};
use crate::failure::Failure;
use crate::interrupt::Interrupt;

use crate::progress::Progress;
use crate::terminal::Visible;
use dates::Orders;
use input::SourceId;
use pace::Pace;
use report::Report;
use retail::facts::Facts;
use retail::rows::Writing;
use sending::Sending;
use source::Source;
use table::columns::Field;

/// The currency of the data set that `online-retail` is named after.
const RETAIL_CURRENCY: &str = "GBP";
/// How columns are named.
const COLUMNS_EXAMPLE: &str = "--columns, such as --columns 'id=Name,sku=Article,quantity=Pieces,price=Net price'";

/// Sends a file; with a speed, paced by the file's own times.
///
/// # Errors
/// When the file or the server cannot be used, when anything was refused, skipped or stored differently, when
/// a value differs from `--expect`, or when it was stopped.
pub(crate) fn run(args: &SendArgs, speed: Option<f64>) -> Result<(), Failure> {
    let given = args.currency.as_deref().map(|code| {
        Currency::parse(code).ok_or_else(|| Failure::usage("--currency must be an ISO 4217 code such as GBP"))
    });
    let given = given.transpose()?;
    let columns = args.columns.as_deref().map(table::columns::parse).transpose();
    let columns = columns.map_err(|why| Failure::usage(format!("--columns: {why}")))?;
    let expected = args.expect.as_deref().map(expected::read).transpose()?;
    let api = Api::new(&args.url)?;
    std::fs::File::open(&args.file).map_err(|error| cannot_read(args, &error))?;
    let format = format::of(args, columns.is_some())?;
    if args.expect.is_some() && format != Format::OnlineRetail {
        return Err(Failure::usage("--expect needs --format online-retail"));
    }
    // Before anything is read in full: a user who forgot to start the server should learn it at once.
    api.get("/health")?;
    let currency = given.or_else(|| Currency::parse(RETAIL_CURRENCY)).ok_or_else(|| Failure::usage("no currency"))?;
    let (mut source, facts) = open(args, format, (currency, given), columns, expected.is_some())?;
    let total = source.total().min(args.limit.unwrap_or(u64::MAX));
    let interrupt = Interrupt::on_signals();
    let progress = Progress::start(total);
    let sending = Sending {
        api: &api,
        connections: usize::from(args.connections),
        pace: speed.map(Pace::new),
        limit: args.limit.unwrap_or(u64::MAX),
        interrupt: &interrupt,
        progress: &progress,
    };
    let sent = sending.run(source.as_mut());
    progress.finish();
    let report = Report::new(args, currency, source.as_ref(), sent?, facts);
    finish(args, currency, report, expected.as_ref())
}

type Opened = (Box<dyn Source>, Option<Facts>);

fn open(
    args: &SendArgs,
    format: Format,
    (currency, given): (Currency, Option<Currency>),
    columns: Option<Vec<(Field, Vec<String>)>>,
    all: bool,
) -> Result<Opened, Failure> {
    let failed = |error: io::Error| cannot_read(args, &error);
    let writing = Writing {
        delimiter: args.delimiter,
        has_decimal_comma: args.decimal == Some(DecimalSign::Comma),
        dates: Orders::new(args.dates),
    };
    let source = match &args.source {
        Some(name) => SourceId::named(name),
        None => SourceId::of(&args.file).map_err(failed)?,
    };
    let table = |columns: Vec<_>, source| {
        let source = table::open(&args.file, &columns, given, writing, source).map_err(failed)?;
        Ok::<Opened, Failure>((Box::new(source), None))
    };
    match format {
        Format::OnlineRetail => {
            let (source, facts) = retail::open(&args.file, currency, all, writing).map_err(failed)?;
            Ok((Box::new(source), Some(facts)))
        }
        Format::ShopifyOrders => table(table::columns::of_shopify(), source),
        Format::Csv => {
            let columns = columns.ok_or_else(|| Failure::usage(format!("--format csv needs {COLUMNS_EXAMPLE}")))?;
            table(columns, source)
        }
        Format::OrdersNdjson => Ok((Box::new(ndjson::open(&args.file, source).map_err(failed)?), None)),
        Format::OrdersJson => Ok((Box::new(array::open(&args.file, source).map_err(failed)?), None)),
    }
}

fn cannot_read(args: &SendArgs, error: &io::Error) -> Failure {
    Failure::new(format!("cannot read {}: {error}", args.file.display()))
}

fn finish(
    args: &SendArgs,
    currency: Currency,
    mut report: Report,
    expected: Option<&serde_json::Value>,
) -> Result<(), Failure> {
    if let Some(expected) = expected {
        report.comparison = Some(expected::compare(expected, &report.actual(currency.code())));
    }
    let mut out = io::stdout().lock();
    match args.report {
        ReportFormat::Text => write!(Visible(&mut out), "{report}")?,
        ReportFormat::Json => writeln!(out, "{:#}", report.json(currency.code()))?,
    }
    out.flush()?;
    match &report.stop {
        Some(stop) => Err(Failure::new(format!("{}{}", stopped(stop), resume_hint(&report)))),
        None if report.is_good() => Ok(()),
        None => Err(Failure::told()),
    }
}

fn stopped(stop: &ApiError) -> String {
    match stop {
        ApiError::Interrupted => "stopped as asked".to_owned(),
        other => format!("stopped: {other}"),
    }
}

fn resume_hint(report: &Report) -> String {
    format!(
        "; {} of {} are in the store. Run the same command again to go on: what is there is not stored twice",
        report.stored_count(),
        report.total
    )
}
