//! Which column of a file holds what.

use csv::ByteRecord;

/// What a column can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::import) enum Field {
    Id,
    Customer,
    Address,
    Notes,
    Currency,
    PlacedAt,
    Priority,
    Sku,
    Quantity,
    Price,
    Discount,
    Tax,
    Shipping,
    Amount,
    /// What a shop says of the payment.
    Payment,
}

impl Field {
    const ALL: [Self; 15] = [
        Self::Id,
        Self::Customer,
        Self::Address,
        Self::Notes,
        Self::Currency,
        Self::PlacedAt,
        Self::Priority,
        Self::Sku,
        Self::Quantity,
        Self::Price,
        Self::Discount,
        Self::Tax,
        Self::Shipping,
        Self::Amount,
        Self::Payment,
    ];

    /// Its names in `--columns`; messages use the first.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Id => &["id", "invoice_no", "invoice", "order", "number"],
            Self::Customer => &["customer", "customer_id", "email"],
            Self::Address => &["address", "country"],
            Self::Notes => &["notes"],
            Self::Currency => &["currency"],
            Self::PlacedAt => &["placed_at", "invoice_date", "date"],
            Self::Priority => &["priority"],
            Self::Sku => &["sku", "stock_code"],
            Self::Quantity => &["quantity"],
            Self::Price => &["price", "unit_price"],
            Self::Discount => &["discount"],
            Self::Tax => &["tax"],
            Self::Shipping => &["shipping"],
            Self::Amount => &["amount", "total"],
            Self::Payment => &["payment"],
        }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        self.names().first().copied().unwrap_or_default()
    }
}

/// The columns of the export of a Shopify shop.
pub(in crate::import) fn of_shopify() -> Vec<(Field, Vec<String>)> {
    let columns: [(Field, &[&str]); 13] = [
        (Field::Id, &["Name"]),
        (Field::Customer, &["Email"]),
        (Field::Payment, &["Financial Status"]),
        (Field::Currency, &["Currency"]),
        (Field::Shipping, &["Shipping"]),
        (Field::Tax, &["Taxes"]),
        (Field::Amount, &["Total"]),
        (Field::Discount, &["Discount Amount"]),
        (Field::PlacedAt, &["Created at"]),
        (Field::Quantity, &["Lineitem quantity"]),
        (Field::Price, &["Lineitem price"]),
        (Field::Address, &["Shipping Address1", "Shipping City", "Shipping Zip"]),
        (Field::Notes, &["Notes"]),
    ];
    let mut columns: Vec<_> =
        columns.map(|(field, names)| (field, names.iter().map(|name| (*name).to_owned()).collect())).to_vec();
    // A line without a SKU goes by its name.
    columns.push((Field::Sku, vec!["Lineitem sku".to_owned(), "Lineitem name".to_owned()]));
    columns
}

/// Whether a header is that of a Shopify shop.
pub(in crate::import) fn is_of_shopify(header: &[String]) -> bool {
    ["Name", "Lineitem quantity", "Lineitem price"].iter().all(|name| header.iter().any(|known| known == name))
}

/// Reads `--columns`: `id=Name,price=Lineitem price`. A field may take several columns: `address=Street+City`. Names with
/// a comma stand in quotes.
///
/// # Errors
/// What is wrong, and how to write it.
pub(in crate::import) fn parse(text: &str) -> Result<Vec<(Field, Vec<String>)>, String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let parts = reader.records().next().and_then(Result::ok).unwrap_or_default();
    let mut columns = Vec::new();
    for part in &parts {
        let (name, header) = part.split_once('=').ok_or_else(|| format!("{part:?} is no FIELD=COLUMN"))?;
        let name = name.trim();
        let field = Field::ALL.into_iter().find(|field| field.names().contains(&name)).ok_or_else(|| {
            let names: Vec<_> = Field::ALL.iter().map(|field| field.name()).collect();
            format!("{name:?} is no field; the fields are {}", names.join(", "))
        })?;
        let headers = header.split('+').map(|name| name.trim().trim_matches('"').to_owned()).collect();
        columns.push((field, headers));
    }
    Ok(columns)
}

/// Where each field stands in a record.
#[derive(Clone, Debug)]
pub(super) struct Columns(Vec<(Field, Vec<usize>)>);

impl Columns {
    /// Finds the columns of a header.
    ///
    /// # Errors
    /// Which column is not there, and which are.
    pub(super) fn find(header: &[String], given: &[(Field, Vec<String>)]) -> Result<Self, String> {
        let there = || header.join(", ");
        let mut columns = Vec::new();
        for (field, names) in given {
            let mut places = Vec::new();
            for name in names {
                let at = header.iter().position(|known| known.eq_ignore_ascii_case(name));
                // Of several columns, those that are there.
                if at.is_none() && names.len() == 1 {
                    return Err(format!("it has no column {name:?} for {}; it has: {}", field.name(), there()));
                }
                places.extend(at);
            }
            if places.is_empty() {
                return Err(format!(
                    "it has none of the columns {} for {}; it has: {}",
                    names.join(", "),
                    field.name(),
                    there()
                ));
            }
            columns.push((*field, places));
        }
        let found = Self(columns);
        for (needed, other) in [(Field::Sku, Field::Sku), (Field::Price, Field::Amount)] {
            if !found.has(needed) && !found.has(other) {
                let name = needed.name();
                return Err(format!(
                    "no column is given for {name}: add {name}=COLUMN to --columns; it has: {}",
                    there()
                ));
            }
        }
        Ok(found)
    }

    /// Whether a field has a column.
    pub(super) fn has(&self, field: Field) -> bool {
        self.0.iter().any(|(known, _)| *known == field)
    }

    /// The texts of a field's columns that are not empty; an error when one is not UTF-8.
    pub(super) fn texts(&self, record: &ByteRecord, field: Field) -> Result<Vec<String>, ()> {
        let places = self.0.iter().find(|(known, _)| *known == field).map(|(_, places)| places.as_slice());
        let texts = places.unwrap_or_default().iter().filter_map(|at| record.get(*at));
        let texts = texts.map(|bytes| std::str::from_utf8(bytes).map(str::trim).map_err(|_| ()));
        // Spreadsheets put an apostrophe before digits that are no number, such as those of a postal code.
        let plain = |text: &str| text.strip_prefix('\'').unwrap_or(text).to_owned();
        texts.filter(|text| *text != Ok("")).map(|text| text.map(plain)).collect()
    }

    /// The first of them, as far as it can be read.
    pub(super) fn text(&self, record: &ByteRecord, field: Field) -> Option<String> {
        self.texts(record, field).ok()?.into_iter().next()
    }
}
