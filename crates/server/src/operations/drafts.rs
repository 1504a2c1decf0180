//! One rule for all entrances: every order that anybody sends becomes a draft here.

use std::sync::Arc;

use ordercast_access::{Principal, Resource, Right, may};
use ordercast_domain::Violation;
use ordercast_domain::decide::Refusal;
use ordercast_domain::draft::{ChargeInput, Draft, ItemInput, OrderInput, draft_order};
use ordercast_engine::{CommandError, Engine};
use ordercast_protocol::error::{ErrorCode, FieldError};
use ordercast_protocol::intake::{ChargeRequest, Form, ItemRequest, OrderRequest, ProductChoice, parse_order};

use crate::app::App;
use crate::problem::Problem;

/// Where an order of one product goes when its client names no address.
const GUEST_ADDRESS: &str = "to be collected";
/// The line of an order of one product, as rules name it.
const ONLY_LINE: &str = "/items/0/";

/// Where an order comes in.
pub(crate) struct Entrance<'a> {
    /// In what form.
    pub(crate) form: Form,
    /// The idempotency key of a header.
    pub(crate) key: Option<Arc<str>>,
    /// Who orders one product without saying who.
    pub(crate) guest: &'a str,
}

impl Entrance<'_> {
    /// A line of a bulk request.
    pub(crate) const LINE: Self = Self { form: Form::Body, key: None, guest: "" };
    /// The data of a call.
    pub(crate) const CALL: Self = Self { form: Form::Call, key: None, guest: "" };
}

/// Judges the form of an order, and every rule that needs no state.
pub(crate) fn draft_of(engine: &Engine, body: &[u8], entrance: &Entrance<'_>) -> Result<Draft, Problem> {
    let request = parse_order(body, entrance.form)?;
    let own_key = request.idempotency_key.as_deref();
    if let (Some(own), Some(key)) = (own_key, &entrance.key)
        && own != &**key
    {
        let field = FieldError::new("/idempotency_key", "differs from the header Idempotency-Key");
        return Err(Problem::fields(ErrorCode::InvalidOrder, vec![field]));
    }
    let key = entrance.key.clone().or_else(|| own_key.map(Arc::from));
    let draft = match &request.product {
        Some(product) => product_draft(engine, &request, product, entrance.guest)?,
        None => judged(engine, &input_of(&request)).map_err(invalid)?,
    };
    Ok(Draft { key, ..draft })
}

/// Refuses an order for a customer whom the principal may not order for.
pub(crate) fn check_placing(principal: &Principal, draft: &Draft) -> Result<(), Problem> {
    if may(principal, Right::PlaceOrder, Resource::OrdersOf(&draft.customer_id)) {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::PermissionDenied, "this token does not allow to order for this customer"))
}

/// Whether the answer to an error waits for a search.
pub(crate) fn needs_search(error: &CommandError) -> bool {
    matches!(error, CommandError::Refused(Refusal::UnknownProducts { .. }))
}

/// An order that the engine did not take; for SKUs that are not in the catalogue it is looked up what was meant, which
/// takes too long for the writer's thread and for those of the sockets.
pub(crate) async fn explain(app: &App, error: CommandError) -> Problem {
    let found = match &error {
        CommandError::Refused(Refusal::UnknownProducts { unknown, .. }) => {
            app.suggestions.find(&app.engine, unknown).await
        }
        _ => Vec::new(),
    };
    let mut problem = Problem::of_order(error);
    for (place, meant) in &found {
        if let Some(field) = problem.fields.get_mut(*place) {
            field.detail = format!("is not in the catalogue; did you mean {meant}?");
        }
    }
    if !found.is_empty() {
        problem.detail = FieldError::sum_up(&problem.fields);
    }
    problem
}

fn judged(engine: &Engine, input: &OrderInput<'_>) -> Result<Draft, Vec<Violation>> {
    draft_order(input, engine.rules(), engine.customers())
}

fn invalid(violations: Vec<Violation>) -> Problem {
    Problem::violations(ErrorCode::InvalidOrder, violations)
}

/// An order of one product of the catalogue: the same as one with a single line, but for where its fields stand, and who
/// orders when nobody is named.
fn product_draft(
    engine: &Engine,
    request: &OrderRequest<'_>,
    choice: &ProductChoice<'_>,
    guest: &str,
) -> Result<Draft, Problem> {
    let (sku, currency) = {
        let listing = engine.catalogue().read();
        let Some(known) = listing.find(&choice.name) else {
            let detail = if listing.products.is_empty() {
                "the catalogue is empty; load products with POST /products or: ordercast products import FILE"
            } else {
                "no product has this hash or SKU; the frame \"products\" and GET /products list them"
            };
            return Err(Problem::new(ErrorCode::UnknownProduct, detail));
        };
        (known.sku.clone(), known.currency)
    };
    let guest = format!("guest-{guest}");
    let input = OrderInput {
        items: vec![ItemInput { sku: &sku, quantity: choice.quantity, price: None, plain: false, untracked: false }],
        customer: request.customer.as_deref().or(Some(&guest)),
        address: request.address.as_deref().or(Some(GUEST_ADDRESS)),
        of_product: Some(currency),
        ..input_of(request)
    };
    judged(engine, &input).map_err(|mut violations| {
        for violation in &mut violations {
            if let Some(field) = violation.pointer.strip_prefix(ONLY_LINE) {
                violation.pointer = if field == "sku" { "/product".to_owned() } else { format!("/{field}") };
            }
        }
        invalid(violations)
    })
}

fn input_of<'a>(request: &'a OrderRequest<'_>) -> OrderInput<'a> {
    OrderInput {
        id: request.id.as_deref(),
        amount: request.amount,
        currency: request.currency.as_deref(),
        items: request.items.iter().map(item_of).collect(),
        customer: request.customer.as_deref(),
        address: request.address.as_deref(),
        priority: request.priority,
        notes: request.notes.as_deref(),
        placed_at_ms: request.placed_at_ms,
        charges: request.charges.iter().map(charge_of).collect(),
        run_at_ms: request.run_at_ms,
        of_product: None,
        price_override: request.price_override.as_deref(),
    }
}

fn charge_of<'a>(charge: &'a ChargeRequest<'_>) -> ChargeInput<'a> {
    ChargeInput { kind: &charge.kind, name: charge.name.as_deref(), amount: charge.amount }
}

pub(crate) fn item_of<'a>(item: &'a ItemRequest<'_>) -> ItemInput<'a> {
    ItemInput {
        sku: &item.sku,
        quantity: item.quantity,
        price: item.price,
        plain: item.plain,
        untracked: item.untracked,
    }
}
