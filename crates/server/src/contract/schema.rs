//! Pieces that schemas are made of.
//!
//! What the server takes says whether further fields are refused or passed over. What it answers says nothing of
//! further fields: new ones may come.

use serde_json::{Map, Value, json};

/// A schema of the components by its name.
pub(super) fn named(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// What the server answers.
pub(super) fn answer(required: &[&str], fields: Value) -> Value {
    json!({"type": "object", "required": required, "properties": fields})
}

/// What the server takes, refusing fields it does not know.
pub(super) fn strict(required: &[&str], fields: Value) -> Value {
    json!({"type": "object", "required": required, "properties": fields, "additionalProperties": false})
}

/// The same, with fields that the server sets: it takes them and reads past them, so that what it has shown can be sent
/// as it is.
pub(super) fn strict_beside(required: &[&str], fields: Value, servers: &[&str]) -> Value {
    let own = servers.iter().map(|name| ((*name).to_owned(), json!({"readOnly": true})));
    strict(required, with(Value::Object(own.collect()), fields))
}

/// What the server takes, passing over fields it does not know.
pub(super) fn lenient(required: &[&str], fields: Value) -> Value {
    json!({"type": "object", "required": required, "properties": fields, "additionalProperties": true})
}

/// The same, or `null`, which is as good as nothing.
pub(super) fn or_null(mut schema: Value) -> Value {
    let Some(fields) = schema.as_object_mut() else { return schema };
    if let Some(kind) = fields.get("type").cloned() {
        fields.insert("type".to_owned(), json!([kind, "null"]));
    }
    if let Some(Value::Array(values)) = fields.get_mut("enum") {
        values.push(Value::Null);
    }
    schema
}

/// The same with a sentence about it.
pub(super) fn about(mut schema: Value, description: &str) -> Value {
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("description".to_owned(), description.into());
    }
    schema
}

/// Text with a maximum number of bytes. Schemas count characters, which are never more than the bytes.
pub(super) fn text(most: usize) -> Value {
    json!({"type": "string", "maxLength": most})
}

/// The same, with something in it beside blanks.
pub(super) fn filled(most: usize) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": most, "pattern": "\\S"})
}

/// One of some words.
pub(super) fn one_of(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

/// A list.
pub(super) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

/// A whole number that is not negative.
pub(super) fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

/// An exact decimal in the major unit of a currency.
pub(super) fn money() -> Value {
    json!({"type": "number"})
}

/// A code of ISO 4217.
pub(super) fn currency() -> Value {
    json!({"type": "string", "pattern": "^[A-Z]{3}$"})
}

/// An instant of RFC 3339.
pub(super) fn instant() -> Value {
    json!({"type": "string", "format": "date-time"})
}

/// True or false.
pub(super) fn flag() -> Value {
    json!({"type": "boolean"})
}

/// Text as the server writes it.
pub(super) fn string() -> Value {
    json!({"type": "string"})
}

/// Fields with numbers that only count.
pub(super) fn counts(names: &[&str]) -> Map<String, Value> {
    names.iter().map(|name| ((*name).to_owned(), count())).collect()
}

/// The fields of both.
pub(super) fn with(first: Value, second: Value) -> Value {
    let (Value::Object(mut fields), Value::Object(more)) = (first, second) else { return Value::Null };
    fields.extend(more);
    Value::Object(fields)
}
