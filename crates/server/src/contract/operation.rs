//! One operation: the row that describes a route.

use ordercast_protocol::error::ErrorCode;
use serde_json::{Value, json};

/// What a request's body may be.
#[derive(Clone, Debug)]
pub(super) struct Body {
    /// Content types that are taken, the one to prefer first.
    pub(super) types: &'static [&'static str],
    /// Its schema.
    pub(super) schema: Value,
    /// Whether there must be one.
    pub(super) is_required: bool,
}

/// An answer that is no error.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// What it tells.
    pub(super) description: &'static str,
    /// Content types; none for an empty body.
    pub(super) types: &'static [&'static str],
    /// The schema of the body.
    pub(super) schema: Value,
    /// Headers by name, with whether they always come and their schema.
    pub(super) headers: Vec<(&'static str, bool, Value)>,
}

/// One method at one address.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    /// In lower case.
    pub(super) method: &'static str,
    /// The address, with names in braces.
    pub(super) path: String,
    /// A name for generated clients.
    pub(super) id: String,
    /// The chapter it stands in.
    pub(super) tag: &'static str,
    /// What it does, in a line.
    pub(super) summary: String,
    /// Path and query parameters and headers.
    pub(super) parameters: Vec<Value>,
    /// The request's body.
    pub(super) body: Option<Body>,
    /// Answers.
    pub(super) answers: Vec<Answer>,
    /// Errors it may answer with, beside those of every route.
    pub(super) errors: Vec<ErrorCode>,
    /// Whether the key of the server API is asked for.
    pub(super) needs_key: bool,
}

/// Content types of JSON.
pub(super) const JSON: &[&str] = &["application/json"];

impl Operation {
    /// One that takes and tells nothing yet.
    pub(super) fn new(method: &'static str, path: &str, id: &str, tag: &'static str, summary: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            id: id.to_owned(),
            tag,
            summary: summary.to_owned(),
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            errors: Vec::new(),
            needs_key: false,
        }
    }

    /// Adds a parameter of the path. An address may be one that cannot be decoded.
    pub(super) fn at(mut self, name: &str, schema: Value, description: &str) -> Self {
        self.parameters.push(parameter("path", name, true, schema, description));
        self.errors.push(ErrorCode::InvalidQuery);
        self
    }

    /// Adds a parameter of the query, which may be missing.
    pub(super) fn asks(mut self, name: &str, schema: Value, description: &str) -> Self {
        self.parameters.push(parameter("query", name, false, schema, description));
        self.errors.push(ErrorCode::InvalidQuery);
        self
    }

    /// Adds a header, which may be missing.
    pub(super) fn header(mut self, name: &str, schema: Value, description: &str) -> Self {
        self.parameters.push(parameter("header", name, false, schema, description));
        self
    }

    /// Takes a JSON body.
    pub(super) fn takes(self, schema: Value) -> Self {
        self.takes_as(JSON, schema, true).fails(&[ErrorCode::UnsupportedMediaType])
    }

    /// Takes a JSON body, or none.
    pub(super) fn may_take(self, schema: Value) -> Self {
        self.takes_as(JSON, schema, false).fails(&[ErrorCode::UnsupportedMediaType])
    }

    /// Takes a body of some content types.
    pub(super) fn takes_as(mut self, types: &'static [&'static str], schema: Value, is_required: bool) -> Self {
        self.body = Some(Body { types, schema, is_required });
        self.fails(&[ErrorCode::MalformedJson, ErrorCode::TooLarge, ErrorCode::RequestTimeout])
    }

    /// Adds an answer in JSON.
    pub(super) fn gives(self, status: u16, description: &'static str, schema: Value) -> Self {
        self.gives_as(status, description, JSON, schema)
    }

    /// Adds an answer of some content types.
    pub(super) fn gives_as(
        mut self,
        status: u16,
        description: &'static str,
        types: &'static [&'static str],
        schema: Value,
    ) -> Self {
        self.answers.push(Answer { status, description, types, schema, headers: Vec::new() });
        self
    }

    /// Adds a header to the answer added last.
    pub(super) fn with_header(mut self, name: &'static str, is_certain: bool, schema: Value) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers.push((name, is_certain, schema));
        }
        self
    }

    /// Adds errors.
    pub(super) fn fails(mut self, errors: &[ErrorCode]) -> Self {
        self.errors.extend(errors);
        self
    }

    /// Adds the errors of a route whose command goes through the intake.
    pub(super) fn commands(self) -> Self {
        self.fails(&[ErrorCode::TooManyRequests, ErrorCode::Overloaded, ErrorCode::Unavailable])
    }
}

fn parameter(place: &str, name: &str, is_required: bool, schema: Value, description: &str) -> Value {
    json!({"in": place, "name": name, "required": is_required, "schema": schema, "description": description})
}
