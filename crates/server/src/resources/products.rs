//! The catalogue over HTTP.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use hyper::HeaderMap;
use ordercast_access::Origin;
use ordercast_domain::draft::{ProductInput, draft_price, draft_product};
use ordercast_domain::product::{Product, ProductPatch};
use ordercast_engine::encode;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::excerpt::excerpt;
use ordercast_protocol::intake::{parse_product_patch, parse_products};
use ordercast_protocol::json::JsonWriter;

use crate::app::App;
use crate::http::body::read_json;
use crate::http::parameters::bad_query;
use crate::http::response::json_response;
use crate::operations::products::list_json;
use crate::problem::Problem;

/// Most products in one request.
pub(crate) const MAX_PRODUCTS: usize = 1_000;

/// `POST /products`: stores one product, or an array of them, all or none.
pub(crate) async fn store(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read_json(&app, &headers, body).await?;
    let is_array = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let requests = parse_products(&body, MAX_PRODUCTS)?;
    let (mut products, mut wrong) = (Vec::with_capacity(requests.len()), Vec::new());
    for (at, request) in requests.iter().enumerate() {
        let input = ProductInput {
            sku: &request.sku,
            name: request.name.as_deref(),
            price: request.price,
            currency: request.currency.as_deref(),
            stock: request.stock,
        };
        let at = if is_array { format!("/{at}") } else { String::new() };
        match draft_product(&at, &input, app.engine.rules()) {
            Ok(product) => products.push(product),
            Err(violations) => wrong.extend(violations),
        }
    }
    if !wrong.is_empty() {
        return Err(Problem::violations(ErrorCode::InvalidProduct, wrong));
    }
    let stored = products.len();
    let changed = app.engine.put_products(origin, products).await;
    let changed = changed.map_err(|error| Problem::of_command(ErrorCode::InvalidProduct, error))?;
    let mut out = Vec::new();
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("stored").integer(stored).key("changed").integer(changed).end_object();
    Ok(json_response(out))
}

/// `PATCH /products/{sku}`: changes what is named, and answers with the product.
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    sku: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Path(sku) = sku.map_err(bad_query)?;
    let body = read_json(&app, &headers, body).await?;
    let request = parse_product_patch(&body)?;
    let price = request.price.map(|price| draft_price("/price", price)).transpose();
    let price = price.map_err(|violations| Problem::violations(ErrorCode::InvalidProduct, violations))?;
    let name = request.name.map(Cow::into_owned);
    let patch = ProductPatch { name, price, stock: request.stock, stock_change: request.stock_change };
    let product = app.engine.patch_product(origin, sku.into(), patch).await;
    let product = product.map_err(|error| Problem::of_command(ErrorCode::InvalidProduct, error))?;
    Ok(product_response(&product))
}

fn product_response(product: &Product) -> Response {
    let mut out = Vec::new();
    let mut json = JsonWriter::new(&mut out);
    json.begin_object();
    encode::product_view(product, &product.hash()).write_fields(&mut json);
    json.end_object();
    json_response(out)
}

/// `GET /products/{sku}`.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    sku: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(sku) = sku.map_err(bad_query)?;
    let listing = app.engine.catalogue().read();
    let product = listing.products.get(sku.as_str()).map(|(_, product)| product.clone());
    drop(listing);
    let product = product.ok_or_else(|| {
        Problem::new(
            ErrorCode::NotFound,
            format!("there is no product {:?}; /products lists all of them", excerpt(&sku)),
        )
    })?;
    Ok(product_response(&product))
}

/// `GET /products`: the whole catalogue, with the position of its log.
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    Ok(json_response(list_json(&app).await?))
}
