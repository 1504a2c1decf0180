//! The orders that load is made of: seed-shaped JSON of 190 to 300 bytes with one or two lines.

use crate::dice::Dice;

/// Units of each counted product: more than any run orders.
pub const STOCK: u64 = 1_000_000_000;
/// SKUs of the counted products.
pub const COUNTED: [&str; 4] = ["tea-green", "tea-black", "pot-iron", "cup-glass"];
/// Customers that order.
const CUSTOMERS: u64 = 10_000;

/// An order to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The id, unless a key stands for it.
    pub id: Option<String>,
    /// The idempotency key, unless the id does.
    pub key: Option<String>,
    /// The amount, as the server must write it.
    pub amount: String,
    /// The counted product it holds units of, by its place in [`COUNTED`], and how many.
    pub counted: Option<(usize, u64)>,
    /// The body.
    pub body: String,
}

impl Order {
    /// The header lines it is sent with.
    pub fn headers(&self) -> String {
        self.key.as_ref().map(|key| format!("Idempotency-Key: {key}\r\n")).unwrap_or_default()
    }
}

/// Makes up an order with a name of its own: three in four have an id, the others a key; one in three asks for
/// a counted product.
pub fn make(name: &str, dice: &mut Dice) -> Order {
    let by_key = dice.within(0, 3) == 0;
    let (id, key) = if by_key { (None, Some(name.to_owned())) } else { (Some(name.to_owned()), None) };
    let customer = dice.within(1, CUSTOMERS);
    let priority = dice.within(1, 3);
    let (cents, counted, pricing) = if dice.within(0, 2) == 0 {
        let (sku, quantity, price) = (dice.within(0, 3), dice.within(1, 3), dice.within(50, 4000));
        let at = usize::try_from(sku).unwrap_or(0);
        let line = format!("{{\"sku\":\"{}\",\"quantity\":{quantity},\"price\":{}}}", COUNTED[at], major(price));
        // Prices of these orders are chance, and not the catalogue's.
        let pricing = format!("\"items\":[{line}],\"price_override\":\"made up\"");
        (price * quantity, Some((at, quantity)), pricing)
    } else {
        let cents = dice.within(100, 200_000);
        (cents, None, format!("\"amount\":{},\"items\":[\"blend of the house\",\"a teapot\"]", major(cents)))
    };
    let id_field = id.as_ref().map(|id| format!("\"id\":\"{id}\",")).unwrap_or_default();
    let body = format!(
        "{{{id_field}{pricing},\"currency\":\"USD\",\"customer\":\"john.doe.{customer}@example.com\",\
         \"address\":\"123 Main Street, Springfield, 12345\",\"priority\":{priority},\"notes\":\"please ring twice\"}}"
    );
    Order { id, key, amount: major(cents), counted, body }
}

/// The id of the order that [`body`] makes.
pub fn id(number: u64) -> String {
    format!("order-{number:09}")
}

/// The body of a benchmark's order: 240 to 300 bytes with one or two priced lines, and an id that rises with
/// `number`.
pub fn body(number: u64) -> String {
    let (amount, more) = match number % 2 {
        0 => ("25.00", ""),
        _ => ("49.95", ",{\"sku\":\"teapot-1l\",\"quantity\":1,\"price\":24.95}"),
    };
    let (customer, priority) = (number.wrapping_mul(7919) % CUSTOMERS, 1 + number % 3);
    format!(
        "{{\"id\":\"{}\",\"amount\":{amount},\"currency\":\"USD\",\
         \"items\":[{{\"sku\":\"house-blend\",\"quantity\":2,\"price\":12.50}}{more}],\
         \"customer\":\"john.doe.{customer:04}@example.com\",\"address\":\"123 Main Street, Springfield, 12345\",\
         \"priority\":{priority},\"notes\":\"please ring twice\"}}",
        id(number)
    )
}

/// The bodies that fill the catalogue with counted products.
pub fn catalogue() -> String {
    let rows: Vec<_> = COUNTED
        .iter()
        .map(|sku| format!("{{\"sku\":\"{sku}\",\"name\":\"{sku}\",\"price\":3.5,\"stock\":{STOCK}}}"))
        .collect();
    format!("[{}]", rows.join(","))
}

/// Cents as dollars, as the server writes them: two digits behind the point.
fn major(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_of_every_kind_and_size() {
        let mut dice = Dice::new(1, 1);
        let orders: Vec<_> = (0..400).map(|n| make(&format!("t1-0-3-{n}"), &mut dice)).collect();
        assert!(orders.iter().all(|order| order.id.is_some() != order.key.is_some()));
        assert!(orders.iter().any(|order| order.key.is_some() && order.counted.is_some()));
        assert!(orders.iter().all(|order| (190..=300).contains(&order.body.len())));
        assert!(orders.iter().all(|order| serde_json::from_str::<serde_json::Value>(&order.body).is_ok()));
        assert_eq!(major(5), "0.05");
        assert!((0..100).all(|number| (240..=300).contains(&body(number).len())), "{}", body(0).len());
    }
}
