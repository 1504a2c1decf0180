//! The OpenAPI document, put together from the table of operations.

use std::collections::BTreeMap;

use ordercast_protocol::error::ErrorCode;
use serde_json::{Map, Value, json};

use super::operation::{Answer, Body, Operation};
use super::schema::{answer, count, flag, list, named, string};
use super::{examples, figures, methods, order_routes, orders, queue_routes, server_routes};

/// Errors that any route may answer with.
const EVERYWHERE: [ErrorCode; 3] = [ErrorCode::InvalidQuery, ErrorCode::ForbiddenOrigin, ErrorCode::Internal];
/// Errors of routes that ask for a role.
const WITH_ROLE: [&str; 5] = ["Orders", "Catalogue", "Adjustments", "Work", "Queues"];

/// The content type of a body that is not JSON.
const BINARY: &str = "application/octet-stream";

/// Every operation, in the order of the documentation.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = order_routes::orders();
    all.extend(order_routes::catalogue());
    all.extend(order_routes::adjustments());
    all.extend(order_routes::work());
    all.extend(queue_routes::operations());
    all.extend(server_routes::streams());
    all.extend(server_routes::figures());
    all.extend(server_routes::server_api());
    all.extend(server_routes::documentation());
    all
}

/// The document of a server whose addresses begin with `base_path`.
pub(super) fn document(base_path: &str) -> Value {
    let operations = operations();
    let mut paths = Map::new();
    for operation in &operations {
        let path = paths.entry(operation.path.clone()).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(operation.method.to_owned(), operation_object(operation));
        }
    }
    let mut tags: Vec<_> = operations.iter().map(|operation| operation.tag).collect();
    tags.dedup();
    let tags: Vec<_> = tags.into_iter().map(|tag| json!({"name": tag})).collect();
    let description = format!(
        "Orders are taken, worked off and told. Every error is `application/problem+json`; its `type` leads to a page \
         that says what to do. Lengths are counted in bytes. Fields and parameters that are not known are \
         refused. Bodies may come in gzip. {} What sockets carry stands in `/asyncapi.json`.",
        order_routes::bounds()
    );
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Ordercast",
            "version": env!("CARGO_PKG_VERSION"),
            "description": description,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": format!("{base_path}/")}],
        // There is no sign-in yet; what asks for the key of the server API says so itself.
        "security": [],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "keyInQuery": {"type": "apiKey", "in": "query", "name": "api_key"},
                "keyInAuthorization": {
                    "type": "apiKey", "in": "header", "name": "Authorization", "description": "`apikey` and the key.",
                },
            },
        },
    })
}

/// Every schema that has a name.
pub(super) fn schemas() -> Map<String, Value> {
    let position = answer(&["epoch", "offset"], json!({"epoch": string(), "offset": count()}));
    let of_log = json!({"type": "object", "additionalProperties": named("Position"), "minProperties": 1});
    let bulk = json!({
        "line": {"type": "integer", "minimum": 1},
        "status": {"type": "integer"},
        "replayed": flag(),
        "order": named("Order"),
        "error": named("Problem"),
    });
    let page = |name: &str, item: &str| {
        let fields = json!({name: list(named(item)), "next": figures::next(), "as_of": named("AsOf")});
        answer(&[name, "next", "as_of"], fields)
    };
    let mut schemas = Map::new();
    schemas.extend([
        ("Problem".to_owned(), figures::problem()),
        ("Position".to_owned(), position),
        ("AsOf".to_owned(), of_log),
        ("OrderRequest".to_owned(), orders::order_request()),
        ("Order".to_owned(), orders::order()),
        ("WholeOrder".to_owned(), orders::whole_order()),
        ("OrderSummary".to_owned(), orders::order_summary()),
        ("OrderEvent".to_owned(), orders::order_event()),
        ("OrderList".to_owned(), page("orders", "Order")),
        ("OrderEventList".to_owned(), page("events", "OrderEvent")),
        ("BulkAnswer".to_owned(), answer(&["line", "status"], bulk)),
    ]);
    figures::catalogue(&mut schemas);
    figures::work(&mut schemas);
    figures::figures(&mut schemas);
    methods::shared(&mut schemas);
    schemas
}

fn operation_object(operation: &Operation) -> Value {
    let mut object = Map::new();
    object.insert("operationId".to_owned(), operation.id.as_str().into());
    object.insert("tags".to_owned(), json!([operation.tag]));
    object.insert("summary".to_owned(), operation.summary.as_str().into());
    if !operation.parameters.is_empty() {
        object.insert("parameters".to_owned(), operation.parameters.clone().into());
    }
    if let Some(body) = &operation.body {
        object.insert("requestBody".to_owned(), body_object(body, examples::of_request(&operation.id)));
    }
    if operation.needs_key {
        object.insert("security".to_owned(), json!([{"key": []}, {"keyInQuery": []}, {"keyInAuthorization": []}]));
    }
    let mut answers = problems_of(operation);
    // An answer that is no problem goes before a problem of the same status.
    for answer in &operation.answers {
        answers.insert(answer.status.to_string(), answer_object(answer));
    }
    object.insert("responses".to_owned(), json!(answers));
    Value::Object(object)
}

fn body_object(body: &Body, example: Option<Value>) -> Value {
    let mut content = content(body.types, &body.schema);
    let first = body.types.first().and_then(|name| content.get_mut(*name));
    if let (Some(first), Some(example)) = (first, example) {
        first["example"] = example;
    }
    json!({"required": body.is_required, "content": content})
}

fn content(types: &[&str], schema: &Value) -> Value {
    let schema_of =
        |name: &str| if name == BINARY { json!({"type": "string", "format": "binary"}) } else { schema.clone() };
    types.iter().map(|name| ((*name).to_owned(), json!({"schema": schema_of(name)}))).collect::<Map<_, _>>().into()
}

fn answer_object(answer: &Answer) -> Value {
    let mut object = json!({"description": answer.description});
    if !answer.types.is_empty() {
        object["content"] = content(answer.types, &answer.schema);
    }
    let header = |(name, is_certain, schema): &(&str, bool, Value)| {
        ((*name).to_owned(), json!({"required": is_certain, "schema": schema}))
    };
    if !answer.headers.is_empty() {
        object["headers"] = answer.headers.iter().map(header).collect::<Map<_, _>>().into();
    }
    object
}

/// Problems by their HTTP status.
fn problems_of(operation: &Operation) -> BTreeMap<String, Value> {
    let mut by_status = BTreeMap::<u16, Vec<ErrorCode>>::new();
    let role: &[ErrorCode] = if WITH_ROLE.contains(&operation.tag) { &[ErrorCode::PermissionDenied] } else { &[] };
    for code in ErrorCode::ALL {
        if EVERYWHERE.iter().chain(role).chain(&operation.errors).any(|known| *known == code) {
            by_status.entry(code.http_status()).or_default().push(code);
        }
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), problem_object(status, &codes))).collect()
}

fn problem_object(status: u16, codes: &[ErrorCode]) -> Value {
    let titles: Vec<_> = codes.iter().map(|code| code.title()).collect();
    let types: Vec<_> = codes.iter().map(|code| format!("/docs/errors/{}", code.name())).collect();
    let mut schema = named("Problem");
    schema["properties"] = json!({"type": {"enum": types}, "status": {"const": status}});
    let mut object = json!({
        "description": format!("{}.", titles.join("; ")),
        "content": {"application/problem+json": {"schema": schema}},
    });
    let header = |schema: Value| json!({"required": true, "schema": schema});
    match status {
        429 | 503 => object["headers"] = json!({"Retry-After": header(count())}),
        401 => object["headers"] = json!({"WWW-Authenticate": header(string())}),
        426 => object["headers"] = json!({"Sec-WebSocket-Version": header(string())}),
        _ => {}
    }
    object
}
