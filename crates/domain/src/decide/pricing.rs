//! Prices come from the catalogue.
//!
//! A plain line has no price. A line whose SKU the catalogue knows costs what the catalogue says: the order may say the
//! same, or nothing; it says otherwise only with a reason, and by somebody who may set prices. A SKU that is not known is
//! taken as it is while the catalogue is empty, and afterwards only where the line says that it is untracked.

use std::sync::Arc;

use super::refusal::Refusal;
use super::set::WorkingSet;
use crate::Violation;
use crate::draft::{Draft, Pricing, amount_of};
use crate::money::price_text;
use crate::order::{Details, Line};
use crate::product::Product;
use crate::rules::Rules;

/// What is said of a SKU that the catalogue does not have.
pub(super) const UNKNOWN_SKU: &str =
    "is not in the catalogue; an item that is not sold from it says \"untracked\": true";

/// Sets the prices that an order leaves to the catalogue, and gives its amount in minor units and the millionths that
/// rounding left over.
pub(super) fn settle(
    set: &WorkingSet,
    draft: &Draft,
    details: &mut Arc<Details>,
    (rules, may_set_prices): (&Rules, bool),
) -> Result<(i64, i64), Refusal> {
    let mut judge = Judge { may_set_prices, ..Judge::new(draft) };
    for (at, line) in draft.details.lines.iter().enumerate().filter(|(_, line)| !line.plain) {
        match set.catalogue.products.get(line.sku.as_str()) {
            Some(product) => judge.known(at, line, product),
            None => judge.unknown(at, line, set.catalogue.has_products),
        }
    }
    let Judge { prices, is_overridden, unknown, wrong, .. } = judge;
    if !unknown.is_empty() {
        return Err(Refusal::UnknownProducts { violations: wrong, unknown });
    }
    if !wrong.is_empty() {
        return Err(Refusal::PriceDiffers(wrong));
    }
    if !prices.is_empty() || is_overridden {
        let details = Arc::make_mut(details);
        for (at, price) in prices {
            details.lines[at].price = Some(price);
        }
        details.price_override = draft.price_override.as_deref().filter(|_| is_overridden).map(str::to_owned);
    }
    match draft.pricing {
        Pricing::Fixed { amount, rounding } => Ok((amount, rounding)),
        Pricing::Catalogue { given } => {
            let amount = amount_of(given, (&details.lines, &details.charges), draft.currency, rules);
            amount.map_err(|violation| Refusal::Invalid(vec![violation]))
        }
    }
}

/// What the lines of an order come to.
struct Judge<'a> {
    draft: &'a Draft,
    may_set_prices: bool,
    /// What the catalogue says of lines without a price.
    prices: Vec<(usize, i64)>,
    /// Whether a price differs, for a reason.
    is_overridden: bool,
    /// Lines whose SKUs are not in the catalogue, with their places among the violations.
    unknown: Vec<(usize, String)>,
    wrong: Vec<Violation>,
}

impl<'a> Judge<'a> {
    fn new(draft: &'a Draft) -> Self {
        Self {
            draft,
            may_set_prices: false,
            prices: Vec::new(),
            is_overridden: false,
            unknown: Vec::new(),
            wrong: Vec::new(),
        }
    }

    fn known(&mut self, at: usize, line: &Line, product: &Product) {
        let is_same_money = product.currency == self.draft.currency;
        match line.price {
            None if is_same_money => self.prices.push((at, product.price)),
            Some(price) if is_same_money && price == product.price => {}
            Some(_) if self.draft.price_override.is_some() && self.may_set_prices => self.is_overridden = true,
            _ => self.differs(at, line, product, is_same_money),
        }
    }

    fn differs(&mut self, at: usize, line: &Line, product: &Product, is_same_money: bool) {
        let now = format!("{} {}", price_text(product.price, product.currency), product.currency.code());
        let detail = if !is_same_money && line.price.is_none() {
            format!("is required: {} costs {now}, and the order is in {}", line.sku, self.draft.currency.code())
        } else if !is_same_money {
            format!("differs: {} costs {now} now, and the order is in {}", line.sku, self.draft.currency.code())
        } else {
            format!("differs: {} costs {now} now", line.sku)
        };
        let remedy = match (self.may_set_prices, line.price.is_some(), self.draft.price_override.is_some()) {
            (_, false, _) => "",
            (true, true, _) => "; leave the price out, or say why in price_override",
            (false, true, false) => "; leave the price out",
            (false, true, true) => "; you may not set prices, so leave the price out",
        };
        self.wrong.push(Violation::new(format!("/items/{at}/price"), format!("{detail}{remedy}")));
    }

    fn unknown(&mut self, at: usize, line: &Line, has_products: bool) {
        if !has_products || self.draft.untracked.contains(&at) {
            return;
        }
        self.unknown.push((self.wrong.len(), line.sku.clone()));
        self.wrong.push(Violation::new(format!("/items/{at}/sku"), UNKNOWN_SKU));
    }
}

#[cfg(test)]
#[path = "pricing_tests.rs"]
mod tests;
