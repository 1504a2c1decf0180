//! What is in a file, by how it begins.

use std::io::{BufRead, BufReader, Read};

use super::{COLUMNS_EXAMPLE, cannot_read, csv_input, input, retail, table};
use crate::cli::{Format, SendArgs};
use crate::failure::Failure;
use crate::terminal::visible;

/// Bytes that are looked at for the first that is no blank.
const LOOKED_AT_BYTES: u64 = 64 * 1024;

/// The format that was asked for, or the one that the file has; it is said which.
///
/// # Errors
/// When the file cannot be read, or looks like none of them.
pub(super) fn of(args: &SendArgs, has_columns: bool) -> Result<Format, Failure> {
    if let Some(format) = args.format {
        return Ok(format);
    }
    let format = if has_columns { Format::Csv } else { seen(args)? };
    eprintln!("{} looks like {}; --format says otherwise", visible(&args.file.display().to_string()), format.name());
    Ok(format)
}

fn seen(args: &SendArgs) -> Result<Format, Failure> {
    let failed = |error| cannot_read(args, &error);
    let mut start = Vec::new();
    let text = input::open(&args.file).map_err(failed)?;
    BufReader::new(text).take(LOOKED_AT_BYTES).read_until(b'\n', &mut start).map_err(failed)?;
    match start.trim_ascii().first() {
        Some(b'{') => return Ok(Format::OrdersNdjson),
        Some(b'[') => return Ok(Format::OrdersJson),
        None => return Err(Failure::new(format!("{} begins with an empty line or is empty", args.file.display()))),
        Some(_) => {}
    }
    let text = input::open(&args.file).map_err(failed)?;
    let header = csv_input::open(text, args.delimiter).map_err(failed)?.header;
    if retail::rows::columns_of(&header).is_ok() {
        return Ok(Format::OnlineRetail);
    }
    if table::columns::is_of_shopify(&header) {
        return Ok(Format::ShopifyOrders);
    }
    Err(Failure::new(format!(
        "{} has columns of no known format: {}. Say which column holds what with {COLUMNS_EXAMPLE}",
        args.file.display(),
        header.join(", ")
    )))
}
