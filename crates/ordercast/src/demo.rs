//! Made-up orders, so that there is something to see. Every one of them is marked as demo.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use ordercast_domain::draft::{Draft, ItemInput, OrderInput, draft_order};
use ordercast_domain::product::Product;
use ordercast_engine::{CommandError, Engine};
use ordercast_server::App;
use ordercast_server::access::authenticate::in_process;

use crate::config::DemoSettings;

/// Shortest and longest work on an order while the demo runs, unless the settings say otherwise.
pub(crate) const WORK: (Duration, Duration) = (Duration::from_millis(150), Duration::from_millis(2_500));
/// The demo's own place in the bound by client: no address that could connect.
const CLIENT: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
/// Orders between two moves of the market: a price changes, or stock comes in.
const MARKET_EVERY: u64 = 5;
/// Units that a product is filled up to.
const FULL_STOCK: i64 = 400;
/// Seconds of one wave of busy and quiet time.
const WAVE_S: f64 = 180.0;
/// Name, and price in millionths of the major unit.
const MENU: [(&str, &str, i64); 16] = [
    ("espresso", "Espresso", 2_400_000),
    ("flat-white", "Flat white", 3_600_000),
    ("oat-latte", "Oat latte", 4_100_000),
    ("filter-1l", "Filter coffee, 1 l", 11_500_000),
    ("croissant", "Croissant", 2_900_000),
    ("cinnamon-bun", "Cinnamon bun", 3_300_000),
    ("sourdough", "Sourdough loaf", 6_800_000),
    ("bagel-salmon", "Bagel with salmon", 8_900_000),
    ("soup-day", "Soup of the day", 7_500_000),
    ("pizza-marg", "Pizza Margherita", 11_900_000),
    ("pizza-funghi", "Pizza funghi", 13_500_000),
    ("salad-bowl", "Salad bowl", 10_200_000),
    ("lemonade", "Lemonade", 3_900_000),
    ("beans-1kg", "Coffee beans, 1 kg", 27_500_000),
    ("grinder", "Hand grinder", 89_000_000),
    ("machine", "Espresso machine", 1_249_000_000),
];
/// The product of the first order in the README, which names its price: that one stays.
const STEADY: &str = "flat-white";
const STREETS: [&str; 6] =
    ["Mill Lane", "Harbour Road", "Station Street", "Orchard Way", "Bridge End", "Market Square"];

/// Places made-up orders until it is dropped, or the engine stops taking them.
pub(crate) async fn run(app: Arc<App>, settings: DemoSettings) {
    let engine = app.engine.clone();
    if !is_own_catalogue(&engine) {
        tracing::warn!("the demo leaves this catalogue alone: it is not the demo's own, so no orders are made up");
        return;
    }
    let mut random = Random(settings.seed);
    if let Err(error) = fill_catalogue(&engine).await {
        tracing::warn!(?error, "the demo's products could not be stored");
    }
    let mut placed = 0u64;
    loop {
        let wave = (engine.stats().uptime_s() / WAVE_S * std::f64::consts::TAU).sin() * 0.6 + 1.0;
        // Exponential gaps, as when customers come independently of each other.
        let gap = -random.unit().max(1e-9).ln() / (settings.rate_per_s * wave).max(1e-3);
        tokio::time::sleep(Duration::from_secs_f64(gap.min(60.0))).await;
        placed += 1;
        let outcome = match made_up_order(&engine, &mut random) {
            Some(draft) => engine.place(in_process(CLIENT), draft).await.map(|_| ()),
            None => Ok(()),
        };
        let moved = if placed.is_multiple_of(MARKET_EVERY) { move_market(&engine, &mut random).await } else { Ok(()) };
        if let Err(CommandError::Stopping | CommandError::StoreFailed) = outcome.and(moved) {
            return;
        }
    }
}

/// Whether the catalogue is empty or the demo's: made-up orders must not reserve what is really for sale.
fn is_own_catalogue(engine: &Engine) -> bool {
    engine.catalogue().read().products.values().all(|(_, product)| is_on_menu(product))
}

async fn fill_catalogue(engine: &Engine) -> Result<(), CommandError> {
    let strayed = {
        let listing = engine.catalogue().read();
        let (_, _, price) = MENU.iter().find(|(sku, ..)| *sku == STEADY).copied().unwrap_or(MENU[0]);
        let steady = listing.products.get(STEADY).filter(|(_, product)| product.price != price);
        match steady {
            // An older demo has moved it.
            Some((_, product)) => Some(Product { price, ..product.clone() }),
            None if listing.products.is_empty() => None,
            None => return Ok(()),
        }
    };
    if let Some(product) = strayed {
        return engine.put_products(in_process(CLIENT), vec![product]).await.map(|_| ());
    }
    let currency = engine.rules().default_currency;
    let product = |&(sku, name, price): &(&str, &str, i64)| Product {
        sku: sku.into(),
        name: name.to_owned(),
        price,
        currency,
        stock: Some(FULL_STOCK),
        reserved: 0,
    };
    engine.put_products(in_process(CLIENT), MENU.iter().map(product).collect()).await.map(|_| ())
}

fn made_up_order(engine: &Engine, random: &mut Random) -> Option<Draft> {
    let lines = 1 + random.below(4);
    let picks: Vec<(String, i64)> = {
        let listing = engine.catalogue().read();
        let products: Vec<&Product> = listing.products.values().map(|(_, product)| product).collect();
        let pick = |random: &mut Random| {
            let product = products.get(random.below(products.len() as u64) as usize)?;
            Some((product.sku.to_string(), 1 + random.below(3) as i64))
        };
        (0..lines).filter_map(|_| pick(random)).collect()
    };
    // The catalogue says what they cost when the order is accepted.
    let items = picks.iter().map(|(sku, quantity)| ItemInput {
        sku,
        quantity: *quantity,
        price: None,
        plain: false,
        untracked: false,
    });
    let customer = format!("demo customer {}", 1 + random.below(40));
    let street = STREETS[random.below(STREETS.len() as u64) as usize];
    let address = format!("{} {street}", 1 + random.below(120));
    let input = OrderInput {
        items: items.collect(),
        customer: Some(&customer),
        address: Some(&address),
        priority: Some(match random.below(10) {
            0 => 1,
            1..=6 => 2,
            _ => 3,
        }),
        notes: Some("made up by the demo"),
        ..OrderInput::default()
    };
    let draft = draft_order(&input, engine.rules(), engine.customers()).ok()?;
    Some(Draft { demo: true, ..draft })
}

/// Fills up what runs low, or else moves one price by up to five per cent around the menu's.
async fn move_market(engine: &Engine, random: &mut Random) -> Result<(), CommandError> {
    let changed = {
        let listing = engine.catalogue().read();
        let mut own = listing.products.values().map(|(_, product)| product);
        let low = own.find(|product| is_on_menu(product) && product.available().is_some_and(|left| left < 40));
        match low {
            Some(product) => Some(Product { stock: Some(product.reserved + FULL_STOCK), ..product.clone() }),
            None => {
                let (sku, _, price) = MENU[random.below(MENU.len() as u64) as usize];
                let is_steady = sku == STEADY;
                let cents = (price as f64 * (0.95 + random.unit() * 0.1) / 10_000.0).round() as i64;
                let known = listing.products.get(sku).filter(|_| !is_steady);
                known.map(|(_, product)| Product { price: cents * 10_000, ..product.clone() })
            }
        }
    };
    engine.put_products(in_process(CLIENT), changed.into_iter().collect()).await.map(|_| ())
}

fn is_on_menu(product: &Product) -> bool {
    MENU.iter().any(|(sku, _, _)| *sku == &*product.sku)
}

/// SplitMix64: small, seeded, and good enough for customers who do not exist.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, but not including, 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From 0 up to, but not including, `bound`; 0 for a bound of 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }
}
