//! The catalogue as JSON for every entrance.

use ordercast_engine::encode;
use ordercast_protocol::json::JsonWriter;

use super::orders::write_as_of;
use crate::app::App;
use crate::problem::Problem;

/// The whole catalogue as JSON.
pub(crate) async fn list_json(app: &App) -> Result<Vec<u8>, Problem> {
    let catalogue = app.store.catalogue().await?;
    let mut out = Vec::with_capacity(catalogue.products.len() * 128 + 128);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("products").begin_array();
    for product in &catalogue.products {
        let hash = product.hash();
        json.begin_object();
        encode::product_view(product, &hash).write_fields(&mut json);
        json.end_object();
    }
    json.end_array();
    write_as_of(&mut json, &catalogue.as_of);
    json.end_object();
    Ok(out)
}
