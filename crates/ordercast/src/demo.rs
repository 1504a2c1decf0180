//! Made-up orders, so that there is something to see. Every one of them is marked as demo.
//!
//! Customers come in waves and order from a menu; [`kitchen`] works on their orders, some of which fail; [`staff`] ships them,
//! holds some and gives money back. [`purge`] takes it all away again.

pub(crate) mod kitchen;
pub(crate) mod purge;
mod staff;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ordercast_domain::draft::{Draft, ItemInput, OrderInput, draft_order};
use ordercast_domain::ids::{OrderId, Sku};
use ordercast_domain::product::Product;
use ordercast_engine::{CommandError, Engine, Placed};
use ordercast_server::App;
use ordercast_server::access::authenticate::in_process;
use ordercast_store::clock::wall_now_ms;
use tokio::sync::mpsc;

use self::staff::Staff;
use crate::config::{DemoSettings, WAVE_HEIGHT};

/// The demo's own place in the bound by client: no address that could connect.
const CLIENT: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
/// Orders between two moves of the market, at least: a price changes, or stock comes in. At high rates it moves four times a
/// second.
const MARKET_EVERY: u64 = 5;
/// Units that a product is filled up to, at least; at high rates what is sold in two minutes.
const FULL_STOCK: i64 = 400;
/// What is below this part of it runs low.
const LOW_SHARE: i64 = 4;
/// Seconds of one wave of busy and quiet time.
const WAVE_S: f64 = 180.0;
/// Orders whose acceptance is not yet heard of, at most.
const MOST_NEWS: usize = 4_096;
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
/// So often the people look at what there is to do, at least.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// Of a thousand orders, how many are for later.
const SCHEDULED: u64 = 30;
/// Addresses as people write them.
const PLACES: [&str; 4] = [
    "c/o Mill House\n1 Mill Lane\nBath BA1 9ZZ",
    "شارع ٥، الرياض\n2nd floor",
    "Große Straße 7\nHinterhaus links\n10115 Berlin",
    "3-1 Marunouchi\nChiyoda-ku\nTokyo",
];
const NOTES: [&str; 4] =
    ["made up by the demo", "ring twice\nleave it at the back door", "no onions, please", "happy birthday, Zoë!"];
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
    let market_every = MARKET_EVERY.max((settings.rate_per_s / 4.0) as u64);
    let full = FULL_STOCK.max((settings.rate_per_s * 120.0) as i64);
    let (told, mut placed) = mpsc::channel(MOST_NEWS);
    let mut staff = Staff::default();
    let (mut count, mut next) = (0u64, Instant::now());
    loop {
        tokio::time::sleep(next.saturating_duration_since(Instant::now()).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
        // After a long stop the orders of the meantime are not made up for.
        next = Instant::now().checked_sub(LONGEST_PAUSE).map_or(next, |earliest| next.max(earliest));
        while next <= Instant::now() {
            next += gap(&engine, settings.rate_per_s, &mut random);
            place(&engine, &mut random, &told);
            count += 1;
            if count.is_multiple_of(market_every)
                && matches!(
                    move_market(&engine, &mut random, full).await,
                    Err(CommandError::Stopping | CommandError::StoreFailed)
                )
            {
                return;
            }
        }
        while let Ok(order) = placed.try_recv() {
            let Some(id) = order else { return };
            staff.draw(&id, &mut random);
        }
        if engine.failure().is_some() {
            return;
        }
        staff.act(&engine);
    }
}

/// The time until the next customer.
fn gap(engine: &Engine, rate_per_s: f64, random: &mut Random) -> Duration {
    let wave = (engine.stats().uptime_s() / WAVE_S * std::f64::consts::TAU).sin() * WAVE_HEIGHT + 1.0;
    // Exponential, as when customers come independently of each other.
    let gap = -random.unit().max(1e-9).ln() / (rate_per_s * wave).max(1e-3);
    Duration::from_secs_f64(gap.min(60.0))
}

/// Submits an order. `told` gets its id once it is durable, and `None` when the engine takes no more.
fn place(engine: &Engine, random: &mut Random, told: &mpsc::Sender<Option<OrderId>>) {
    let Some(draft) = made_up_order(engine, random) else { return };
    let told = told.clone();
    let reply = move |placed: Result<Placed, CommandError>| {
        let news = match placed {
            Ok(Placed::Accepted { order, .. }) => Some(order.id.clone()),
            Err(CommandError::Stopping | CommandError::StoreFailed) => None,
            // Sold out, or too many at once: there are others.
            _ => return,
        };
        // Where there is no room, nothing more happens to the order.
        let _ = told.try_send(news);
    };
    engine.submit_order(in_process(CLIENT), draft, Box::new(reply));
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
    let address = match random.below(10) {
        0 => PLACES[random.below(PLACES.len() as u64) as usize].to_owned(),
        _ => format!("{} {street}", 1 + random.below(120)),
    };
    let later_ms = wall_now_ms() + 20_000 + 1_000 * random.below(70) as i64;
    let run_at_ms = (random.below(1_000) < SCHEDULED).then_some(later_ms);
    let notes = NOTES[if random.below(8) == 0 { random.below(NOTES.len() as u64) as usize } else { 0 }];
    let input = OrderInput {
        items: items.collect(),
        customer: Some(&customer),
        address: Some(&address),
        priority: Some(match random.below(10) {
            0 => 1,
            1..=6 => 2,
            _ => 3,
        }),
        notes: Some(notes),
        run_at_ms,
        ..OrderInput::default()
    };
    let draft = draft_order(&input, engine.rules(), engine.customers()).ok()?;
    Some(Draft { demo: true, ..draft })
}

/// Fills up what runs low, or else moves one price by up to five per cent around the menu's.
async fn move_market(engine: &Engine, random: &mut Random, full: i64) -> Result<(), CommandError> {
    let changed: Vec<Product> = {
        let listing = engine.catalogue().read();
        let own = listing.products.values().map(|(_, product)| product);
        let is_low =
            |product: &&Product| is_on_menu(product) && product.available().is_some_and(|left| left < full / LOW_SHARE);
        let filled = |product: &Product| Product { stock: Some(product.reserved + full), ..product.clone() };
        let low: Vec<_> = own.filter(is_low).map(filled).collect();
        if low.is_empty() { another_price(&listing.products, random).into_iter().collect() } else { low }
    };
    engine.put_products(in_process(CLIENT), changed).await.map(|_| ())
}

fn another_price(products: &BTreeMap<Sku, (String, Product)>, random: &mut Random) -> Option<Product> {
    let (sku, _, price) = MENU[random.below(MENU.len() as u64) as usize];
    let cents = (price as f64 * (0.95 + random.unit() * 0.1) / 10_000.0).round() as i64;
    let (_, product) = products.get(sku).filter(|_| sku != STEADY)?;
    Some(Product { price: cents * 10_000, ..product.clone() })
}

fn is_on_menu(product: &Product) -> bool {
    is_on_menu_name(&product.sku)
}

fn is_on_menu_name(sku: &str) -> bool {
    MENU.iter().any(|(known, ..)| *known == sku)
}

/// SplitMix64: small, seeded, and good enough for customers who do not exist.
#[derive(Debug)]
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
