//! Schemas of the server API, whose shapes are Centrifugo's.

use serde_json::{Map, Value, json};

use super::schema::{about, answer, count, flag, lenient, list, named, one_of, or_null, string};
use crate::server_api::{MAX_BATCH, SWITCHES};

/// Base64 of any bytes.
fn base64() -> Value {
    let pattern = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";
    json!({"type": "string", "contentEncoding": "base64", "pattern": pattern})
}

fn channel() -> Value {
    about(string(), "Without a name that is known the answer holds an error.")
}

fn publication(target: Value) -> Value {
    let fields = json!({
        "data": about(json!({}), "What is published."),
        "b64data": about(or_null(string()), "The same as any bytes in base64; goes before `data`."),
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "skip_history": flag(),
        "idempotency_key": about(or_null(string()), "Published once, however often it is sent."),
    });
    lenient(&[], super::schema::with(fields, target))
}

fn of_user(more: Value) -> Value {
    let fields = json!({
        "user": string(),
        "client": about(string(), "Only this connection."),
        "session": about(string(), "Only the connection with this session."),
    });
    lenient(&[], super::schema::with(fields, more))
}

fn offset() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": u64::MAX})
}

/// Where a publication lies.
fn position() -> Value {
    answer(&["epoch", "offset"], json!({"epoch": string(), "offset": offset()}))
}

fn subscription() -> Value {
    let switch = || or_null(lenient(&["value"], json!({"value": flag()})));
    let overrides: Map<_, _> = SWITCHES.into_iter().map(|name| (name.to_owned(), switch())).collect();
    of_user(json!({
        "channel": channel(),
        "info": about(json!({}), "What others in the channel see of the user."),
        "b64info": or_null(base64()),
        "data": about(json!({}), "What the client is told with the subscription."),
        "b64data": or_null(base64()),
        "override": lenient(&[], Value::Object(overrides)),
        "recover_since": or_null(lenient(&[], json!({"epoch": string(), "offset": offset()}))),
    }))
}

/// The body of a method.
pub(super) fn request_of(method: &str) -> Value {
    let of_channel = || lenient(&[], json!({"channel": channel()}));
    match method {
        "publish" => publication(json!({"channel": channel()})),
        "broadcast" => publication(json!({"channels": list(string())})),
        "subscribe" => subscription(),
        "unsubscribe" => of_user(json!({"channel": channel()})),
        "disconnect" => {
            let ending = json!({"code": {"type": "integer", "minimum": 0, "maximum": u16::MAX}, "reason": string()});
            let ending = about(or_null(lenient(&["code"], ending)), "A close code from 3000 to 4999 and its text.");
            of_user(json!({"disconnect": ending, "whitelist": list(string())}))
        }
        "refresh" => of_user(json!({
            "expired": flag(),
            "expire_at": {
                "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX, "description": "Seconds since 1970.",
            },
        })),
        "history" => lenient(
            &[],
            json!({
                "channel": or_null(channel()),
                "limit": or_null(json!({"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX})),
                "since": or_null(lenient(&[], json!({"epoch": or_null(string()), "offset": or_null(offset())}))),
                "reverse": or_null(flag()),
            }),
        ),
        "channels" => lenient(&[], json!({"pattern": about(string(), "`*` stands for any text.")})),
        "info" => lenient(&[], json!({})),
        "batch" => {
            let commands = list(json!({"type": "object", "description": "A body by the name of its method."}));
            lenient(&["commands"], json!({"commands": super::schema::with(commands, json!({"maxItems": MAX_BATCH}))}))
        }
        _ => of_channel(),
    }
}

fn result_of(method: &str) -> Value {
    match method {
        "publish" => json!({"anyOf": [position(), {"type": "object", "maxProperties": 0}]}),
        "broadcast" => answer(
            &["responses"],
            json!({"responses": list(json!({"anyOf": [
                answer(&["result"], json!({"result": result_of("publish")})), named("MethodError"),
            ]}))}),
        ),
        "presence" => {
            answer(&["presence"], json!({"presence": {"type": "object", "additionalProperties": named("ClientInfo")}}))
        }
        "presence_stats" => {
            answer(&["num_clients", "num_users"], json!({"num_clients": count(), "num_users": count()}))
        }
        "history" => answer(
            &["publications", "epoch", "offset"],
            json!({"publications": list(named("Publication")), "epoch": string(), "offset": count()}),
        ),
        "channels" => {
            let channel = answer(&["num_clients"], json!({"num_clients": count()}));
            answer(&["channels"], json!({"channels": {"type": "object", "additionalProperties": channel}}))
        }
        "info" => {
            let fields = json!({
                "uid": string(), "name": string(), "version": string(), "num_clients": count(), "num_users": count(),
                "num_channels": count(), "uptime": count(),
            });
            let names = ["uid", "name", "version", "num_clients", "num_users", "num_channels", "uptime"];
            answer(&["nodes"], json!({"nodes": list(answer(&names, fields))}))
        }
        _ => json!({"type": "object", "maxProperties": 0}),
    }
}

/// What a method answers.
pub(super) fn answer_of(method: &str) -> Value {
    if method == "batch" {
        return answer(&["replies"], json!({"replies": list(json!({"type": "object"}))}));
    }
    json!({"anyOf": [answer(&["result"], json!({"result": result_of(method)})), named("MethodError")]})
}

/// Schemas that several methods share.
pub(super) fn shared(schemas: &mut Map<String, Value>) {
    let error = answer(&["code", "message"], json!({"code": count(), "message": string()}));
    let info = json!({"user": string(), "client": string(), "conn_info": {}, "chan_info": {}});
    let publication = json!({
        "data": {}, "info": named("ClientInfo"), "offset": count(), "delta": flag(), "time": count(), "channel": string(),
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
    });
    let command = lenient(
        &["session", "node", "data"],
        json!({"session": string(), "node": string(), "data": about(string(), "A frame of commands.")}),
    );
    schemas.extend([
        ("MethodError".to_owned(), answer(&["error"], json!({"error": error}))),
        ("ClientInfo".to_owned(), answer(&["user", "client"], info)),
        ("Publication".to_owned(), answer(&[], publication)),
        ("Emulation".to_owned(), command),
        ("Pong".to_owned(), answer(&["type"], json!({"type": one_of(&["pong"]), "ref": {}}))),
    ]);
}
