//! Products as files hold them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use ordercast_domain::money::parse_price;
use ordercast_protocol::intake::{BodyError, ProductRequest, parse_products};

use crate::encoding::text_of;
use crate::failure::Failure;

/// Columns that hold the same, by what is looked for first.
const SKU_COLUMNS: [&str; 2] = ["sku", "stock_code"];
const NAME_COLUMNS: [&str; 2] = ["name", "description"];
const PRICE_COLUMNS: [&str; 3] = ["price", "unit_price", "modal_unit_price"];

/// A product, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Product {
    /// Where in the file it stands, for messages.
    pub(super) place: String,
    pub(super) sku: String,
    pub(super) name: Option<String>,
    /// The text of a JSON number: never a float.
    pub(super) price: String,
    pub(super) currency: Option<String>,
    pub(super) stock: Option<i64>,
}

/// Reads the products of a file, and what is wrong with those that cannot be sent.
pub(super) fn products(
    path: &Path,
    stock: Option<i64>,
    currency: Option<&str>,
) -> Result<(Vec<Product>, Vec<String>), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(|error| failed(&error))?;
    let file = text_of(Box::new(BufReader::new(file))).map_err(|error| failed(&error))?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("").to_ascii_lowercase();
    let (mut products, problems) = match extension.as_str() {
        "json" => from_json(BufReader::new(file)),
        "ndjson" | "jsonl" => from_ndjson(BufReader::new(file)),
        _ => from_csv(file),
    }
    .map_err(|error| failed(&error))?;
    for product in &mut products {
        product.stock = product.stock.or(stock);
        product.currency = product.currency.take().or_else(|| currency.map(str::to_owned));
    }
    if products.is_empty() && problems.is_empty() {
        return Err(Failure::new(format!("{} holds no products", path.display())));
    }
    Ok((products, problems))
}

type Outcome = Result<(Vec<Product>, Vec<String>), String>;

fn from_csv(file: impl Read) -> Outcome {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(file);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let find = |names: &[&str]| {
        names.iter().find_map(|name| header.iter().position(|column| column.eq_ignore_ascii_case(name)))
    };
    let need = |names: &[&str]| {
        find(names).ok_or_else(|| {
            format!(
                "its header has no column {}; it has: {}",
                names.join(" or "),
                header.iter().collect::<Vec<_>>().join(", ")
            )
        })
    };
    let (sku, price) = (need(&SKU_COLUMNS)?, need(&PRICE_COLUMNS)?);
    let (name, stock, currency) = (find(&NAME_COLUMNS), find(&["stock"]), find(&["currency"]));
    let (mut products, mut problems) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let place = format!("line {}", record.position().map_or(0, csv::Position::line));
        let field = |at: Option<usize>| at.and_then(|at| record.get(at)).filter(|text| !text.is_empty());
        let stock_text = field(stock);
        let product = Product {
            sku: field(Some(sku)).unwrap_or_default().to_owned(),
            name: field(name).map(str::to_owned),
            price: field(Some(price)).unwrap_or_default().to_owned(),
            currency: field(currency).map(str::to_owned),
            stock: stock_text.and_then(|text| text.parse().ok()),
            place,
        };
        // Checked here because the text becomes part of a JSON body.
        if parse_price(&product.price).is_err() {
            problems.push(format!("{}: {:?} is no price", product.place, product.price));
        } else if stock_text.is_some() && product.stock.is_none() {
            problems.push(format!("{}: {:?} is no stock", product.place, stock_text.unwrap_or_default()));
        } else {
            products.push(product);
        }
    }
    Ok((products, problems))
}

fn from_json(mut file: impl Read) -> Outcome {
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(|error| error.to_string())?;
    let (mut products, mut problems) = (Vec::new(), Vec::new());
    if text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        let rows: Vec<&serde_json::value::RawValue> =
            serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        for (at, row) in rows.iter().enumerate() {
            keep(format!("product {}", at + 1), row.get().as_bytes(), &mut products, &mut problems);
        }
    } else {
        keep("the product".to_owned(), &text, &mut products, &mut problems);
    }
    Ok((products, problems))
}

fn from_ndjson(file: impl BufRead) -> Outcome {
    let (mut products, mut problems) = (Vec::new(), Vec::new());
    for (at, line) in file.lines().enumerate() {
        let line = line.map_err(|error| error.to_string())?;
        // A blank line may have the byte order mark of the file.
        if !line.trim_start_matches('\u{feff}').trim().is_empty() {
            keep(format!("line {}", at + 1), line.as_bytes(), &mut products, &mut problems);
        }
    }
    Ok((products, problems))
}

fn keep(place: String, json: &[u8], products: &mut Vec<Product>, problems: &mut Vec<String>) {
    match parse_products(json, 1) {
        Ok(requests) => products.extend(requests.iter().map(|request| product_of(&place, request))),
        Err(error) => problems.push(format!("{place}: {}", describe(&error))),
    }
}

fn describe(error: &BodyError) -> String {
    if error.fields.is_empty() {
        return error.detail.clone();
    }
    let fields = error.fields.iter().map(|field| format!("{} {}", field.pointer.trim_start_matches('/'), field.detail));
    fields.collect::<Vec<_>>().join("; ")
}

fn product_of(place: &str, request: &ProductRequest<'_>) -> Product {
    Product {
        place: place.to_owned(),
        sku: request.sku.to_string(),
        name: request.name.as_deref().map(str::to_owned),
        price: request.price.to_owned(),
        currency: request.currency.as_deref().map(str::to_owned),
        stock: request.stock,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<(Vec<Product>, Vec<String>), Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        products(&path, Some(7), Some("GBP"))
    }

    fn short(product: &Product) -> (&str, &str, &str, Option<i64>, Option<&str>) {
        let name = product.name.as_deref().unwrap_or("-");
        (&product.sku, name, &product.price, product.stock, product.currency.as_deref())
    }

    #[test]
    fn the_same_catalogue_in_every_format() {
        for (name, text) in [
            ("a.csv", "stock_code,description,modal_unit_price,units\nA1,\"TEA, BLACK \",2.955,9\nB2,,0.10,1\n"),
            ("a.csv", "Price,SKU,Name\n2.955,A1,\"TEA, BLACK\"\n0.10,B2,\n"),
            ("a.json", r#"[{"sku":"A1","name":"TEA, BLACK","price":2.955},{"sku":"B2","price":0.10}]"#),
            (
                "a.ndjson",
                "{\"sku\":\"A1\",\"name\":\"TEA, BLACK\",\"price\":2.955}\n\n{\"sku\":\"B2\",\"price\":0.10}\n",
            ),
        ] {
            let (products, problems) = read(name, text).unwrap();
            assert_eq!(problems, Vec::<String>::new(), "{name}");
            let rows: Vec<_> = products.iter().map(short).collect();
            let expected =
                [("A1", "TEA, BLACK", "2.955", Some(7), Some("GBP")), ("B2", "-", "0.10", Some(7), Some("GBP"))];
            assert_eq!(rows, expected, "{name}: {text}");
        }
    }

    #[test]
    fn what_the_file_says_beats_the_flags() {
        let (products, _) = read("a.csv", "sku,price,stock,currency\nA1,1,3,EUR\nA2,1,,\n").unwrap();
        assert_eq!(short(&products[0]), ("A1", "-", "1", Some(3), Some("EUR")));
        assert_eq!(short(&products[1]), ("A2", "-", "1", Some(7), Some("GBP")));
    }

    #[test]
    fn wrong_rows_are_named_and_the_others_kept() {
        for (name, text, problem) in [
            ("a.csv", "sku,price\nA1,cheap\nA2,1\n", "line 2: \"cheap\" is no price"),
            ("a.csv", "sku,price\nA1,\"1,\"\"x\"\":2\"\nA2,1\n", "line 2: \"1,\\\"x\\\":2\" is no price"),
            ("a.csv", "sku,price,stock\nA1,1,some\nA2,1,\n", "line 2: \"some\" is no stock"),
            ("a.json", r#"[{"sku":"A1"},{"sku":"A2","price":1}]"#, "product 1: price is required"),
        ] {
            let (products, problems) = read(name, text).unwrap();
            assert_eq!((products.len(), products[0].sku.as_str()), (1, "A2"), "{text}");
            assert_eq!(problems.len(), 1);
            assert!(problems[0].starts_with(problem), "{problems:?}");
        }
        for (name, text, message) in
            [("a.csv", "id,price\n1,2\n", "no column sku or stock_code"), ("a.csv", "sku,price\n", "holds no products")]
        {
            assert!(read(name, text).unwrap_err().message.contains(message), "{text}");
        }
    }
}
