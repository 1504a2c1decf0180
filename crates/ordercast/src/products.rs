//! `ordercast products import`: a catalogue from CSV, JSON or NDJSON to `POST /products`.

mod read;

use std::io::{self, Write};
use std::time::Instant;

use ordercast_protocol::json::JsonWriter;
use serde::Deserialize;

use crate::api::{Answer, Api, Retry};
use crate::cli::ProductsImportArgs;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::terminal::visible;

use read::Product;

/// Products in one request.
const BATCH: usize = 500;
/// Maximum number of problems that are printed one by one.
const MAX_TOLD: usize = 20;

#[derive(Deserialize)]
struct Stored {
    stored: u64,
    changed: u64,
}

#[derive(Default)]
struct Totals {
    stored: u64,
    changed: u64,
    problems: Vec<String>,
}

/// Sends the products of a file in batches.
///
/// # Errors
/// When the file cannot be read, the server cannot be reached, or products were refused.
pub(crate) fn import(args: &ProductsImportArgs) -> Result<(), Failure> {
    let api = Api::new(&args.url)?;
    let (products, problems) = read::products(&args.file, args.stock, args.currency.as_deref())?;
    api.get("/health")?;
    let interrupt = Interrupt::on_signals();
    let started = Instant::now();
    let mut totals = Totals { problems, ..Totals::default() };
    for batch in products.chunks(BATCH) {
        send(&Retry { api: &api, interrupt: &interrupt }, batch.iter().collect(), &mut totals)?;
    }
    let Totals { stored, changed, problems } = totals;
    let seconds = started.elapsed().as_secs_f64();
    writeln!(io::stdout(), "{stored} products stored, {changed} of them new or changed, in {seconds:.1} s")?;
    for problem in problems.iter().take(MAX_TOLD) {
        eprintln!("ordercast: {}: {}", args.file.display(), visible(problem));
    }
    match problems.len() {
        0 => Ok(()),
        count => Err(Failure::new(format!("{count} products were refused; mend them and import the file again"))),
    }
}

/// Sends a batch. When the server names products that are wrong, the others are sent again without them.
fn send(retry: &Retry<'_>, mut batch: Vec<&Product>, totals: &mut Totals) -> Result<(), Failure> {
    while !batch.is_empty() {
        let answer = retry.post("/products", &body_of(&batch), None, |_| ())?;
        if answer.is_good() {
            let counts: Stored = serde_json::from_slice(&answer.body)
                .map_err(|error| Failure::new(format!("the server's answer to POST /products is unknown: {error}")))?;
            totals.stored += counts.stored;
            totals.changed += counts.changed;
            return Ok(());
        }
        let wrong = wrong_ones(&answer, &batch);
        if wrong.is_empty() {
            return Err(Failure::new(format!("POST {}/products: {}", retry.api.base(), answer.refusal())));
        }
        totals.problems.extend(wrong.iter().map(|(at, detail)| format!("{}: {detail}", batch[*at].place)));
        let is_wrong = |at: &usize| wrong.iter().any(|(wrong, _)| wrong == at);
        batch = (0..batch.len()).filter(|at| !is_wrong(at)).map(|at| batch[at]).collect();
    }
    Ok(())
}

/// The products that the fields of a refusal point to, as `/17/price` does to the 18th.
fn wrong_ones(answer: &Answer, batch: &[&Product]) -> Vec<(usize, String)> {
    let fields = answer.problem().errors;
    let wrong = fields.iter().filter_map(|field| {
        let (at, rest) = field.pointer.strip_prefix('/')?.split_once('/').unwrap_or((&field.pointer[1..], ""));
        let at = at.parse::<usize>().ok().filter(|at| *at < batch.len())?;
        Some((at, format!("{rest} {}", field.detail).trim_start().to_owned()))
    });
    wrong.collect()
}

fn body_of(batch: &[&Product]) -> Vec<u8> {
    let mut body = Vec::with_capacity(batch.len() * 128);
    let mut json = JsonWriter::new(&mut body);
    json.begin_array();
    for product in batch {
        json.begin_object().key("sku").string(&product.sku);
        if let Some(name) = &product.name {
            json.key("name").string(name);
        }
        json.key("price").raw(&product.price);
        if let Some(currency) = &product.currency {
            json.key("currency").string(currency);
        }
        if let Some(stock) = product.stock {
            json.key("stock").integer(stock);
        }
        json.end_object();
    }
    json.end_array();
    body
}
