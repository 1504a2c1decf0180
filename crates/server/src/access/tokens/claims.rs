//! What tokens say.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::access::role::Role;

/// What the token of a connection says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ConnectionClaims {
    /// The user's id; empty for an anonymous user.
    pub sub: String,
    /// Until when the token is accepted, in seconds since 1970.
    #[serde(deserialize_with = "seconds")]
    pub exp: Option<i64>,
    /// From when on.
    #[serde(deserialize_with = "seconds")]
    pub nbf: Option<i64>,
    /// Until when the connection lasts, if not until `exp`; 0 for ever.
    #[serde(deserialize_with = "seconds")]
    pub expire_at: Option<i64>,
    /// What others see of the user, as JSON.
    #[serde(deserialize_with = "raw")]
    pub info: Bytes,
    /// The same as any bytes, in base64; it goes before `info`.
    #[serde(deserialize_with = "base64")]
    pub b64info: Bytes,
    /// Channels that the server subscribes the connection to.
    pub channels: Vec<String>,
    /// The same, with options.
    pub subs: BTreeMap<String, ChannelOptions>,
    /// What the server alone knows of the connection, as JSON.
    #[serde(deserialize_with = "raw")]
    pub meta: Bytes,
    /// What the user may do; the server's default when missing. Ours.
    #[serde(deserialize_with = "role")]
    pub role: Option<Role>,
    /// Whose orders a customer may see, as an opaque id. Ours.
    pub customer_id: Option<String>,
    /// The channel of a subscription's token, which must not open a connection: a client that may read one channel would read
    /// all that its user may.
    #[serde(deserialize_with = "any")]
    pub channel: Option<()>,
}

impl ConnectionClaims {
    /// When the connection must have been refreshed, in seconds since 1970.
    pub fn expires_at(&self) -> Option<i64> {
        expires_at(self.exp, self.expire_at)
    }

    /// What others see of the user.
    pub fn public_info(&self) -> &Bytes {
        if self.b64info.is_empty() { &self.info } else { &self.b64info }
    }
}

/// How the server subscribes a connection to a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ChannelOptions {
    /// What others in the channel see of the user, as JSON.
    #[serde(deserialize_with = "raw")]
    pub info: Bytes,
    /// The same as any bytes, in base64; it goes before `info`.
    #[serde(deserialize_with = "base64")]
    pub b64info: Bytes,
    /// Data that the client gets with the subscription, as JSON.
    #[serde(deserialize_with = "raw")]
    pub data: Bytes,
    /// The same as any bytes, in base64; it goes before `data`.
    #[serde(deserialize_with = "base64")]
    pub b64data: Bytes,
    /// Settings of the channel that are others for this subscription.
    #[serde(rename = "override")]
    pub overrides: Overrides,
}

impl ChannelOptions {
    /// What others in the channel see of the user.
    pub fn public_info(&self) -> &Bytes {
        if self.b64info.is_empty() { &self.info } else { &self.b64info }
    }

    /// Data that the client gets.
    pub fn public_data(&self) -> &Bytes {
        if self.b64data.is_empty() { &self.data } else { &self.b64data }
    }
}

/// What the token of a subscription says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SubscriptionClaims {
    /// The user's id, which must be the connection's.
    pub sub: String,
    /// The channel it is for.
    pub channel: String,
    /// The connection it is for; any of the user's when missing. An old form.
    pub client: Option<String>,
    /// Until when the token is accepted, in seconds since 1970.
    #[serde(deserialize_with = "seconds")]
    pub exp: Option<i64>,
    /// From when on.
    #[serde(deserialize_with = "seconds")]
    pub nbf: Option<i64>,
    /// Until when the subscription lasts, if not until `exp`; 0 for ever.
    #[serde(deserialize_with = "seconds")]
    pub expire_at: Option<i64>,
    /// What others in the channel see of the user, as JSON.
    #[serde(deserialize_with = "raw")]
    pub info: Bytes,
    /// The same as any bytes, in base64; it goes before `info`.
    #[serde(deserialize_with = "base64")]
    pub b64info: Bytes,
    /// Settings of the channel that are others for this subscription.
    #[serde(rename = "override")]
    pub overrides: Overrides,
}

impl SubscriptionClaims {
    /// When the subscription must have been refreshed, in seconds since 1970.
    pub fn expires_at(&self) -> Option<i64> {
        expires_at(self.exp, self.expire_at)
    }

    /// How it is subscribed.
    pub fn into_options(self) -> ChannelOptions {
        let Self { info, b64info, overrides, .. } = self;
        ChannelOptions { info, b64info, overrides, ..ChannelOptions::default() }
    }
}

/// Settings of a channel that a token may change for its subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// Whether the subscription appears in the presence.
    #[serde(deserialize_with = "switch")]
    pub presence: Option<bool>,
    /// Whether its joins and leaves are announced.
    #[serde(deserialize_with = "switch")]
    pub join_leave: Option<bool>,
    /// Whether it gets the joins and leaves of others without asking.
    #[serde(deserialize_with = "switch")]
    pub force_push_join_leave: Option<bool>,
    /// Whether it can be resumed without asking.
    #[serde(deserialize_with = "switch")]
    pub force_recovery: Option<bool>,
    /// Whether it is positioned without asking.
    #[serde(deserialize_with = "switch")]
    pub force_positioning: Option<bool>,
}

fn expires_at(exp: Option<i64>, expire_at: Option<i64>) -> Option<i64> {
    match expire_at {
        Some(0) => None,
        Some(at) => Some(at),
        None => exp,
    }
}

/// A `NumericDate` (RFC 7519 §2): seconds, perhaps with a fraction, which is cut off.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(deserializer)?;
    let Some(number) = number else { return Ok(None) };
    let whole = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64));
    whole.map(Some).ok_or_else(|| serde::de::Error::custom("not a time in seconds"))
}

fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(raw.map(|raw| Bytes::copy_from_slice(raw.get().as_bytes())).unwrap_or_default())
}

/// Whether there is a value, whatever it is. An empty text is none, as in Centrifugo.
fn any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<()>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(deserializer)?;
    Ok(value.filter(|value| value.as_str() != Some("")).map(|_| ()))
}

fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    STANDARD.decode(text).map(Bytes::from).map_err(serde::de::Error::custom)
}

fn role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Role>, D::Error> {
    let Some(name) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let role = Role::ALL.into_iter().find(|role| role.name() == name);
    role.map(Some).ok_or_else(|| serde::de::Error::custom("role is customer, worker, staff or admin"))
}

/// `{"value":true}`
fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    struct Switch {
        value: bool,
    }
    Ok(Option::<Switch>::deserialize(deserializer)?.map(|switch| switch.value))
}
