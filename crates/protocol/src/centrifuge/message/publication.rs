//! What is published, and by whom.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::raw_json::{self, is_default, null_as_default};

/// A client as others in a channel see it.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientInfo {
    /// The user's id; empty when anonymous.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "null_as_default")]
    pub user: String,
    /// The connection's id.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "null_as_default")]
    pub client: String,
    /// What the connection's token says about the user, for everyone to see.
    #[prost(bytes = "bytes", tag = "3")]
    #[serde(with = "raw_json", skip_serializing_if = "Bytes::is_empty")]
    pub conn_info: Bytes,
    /// The same of the subscription's token.
    #[prost(bytes = "bytes", tag = "4")]
    #[serde(with = "raw_json", skip_serializing_if = "Bytes::is_empty")]
    pub chan_info: Bytes,
}

/// One message of a channel.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Publication {
    /// What was published. When the subscription negotiated deltas and speaks JSON: a string, which holds the
    /// text of the data or of the delta.
    #[prost(bytes = "bytes", tag = "4")]
    #[serde(with = "raw_json", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// Who published; missing when a server did.
    #[prost(message, optional, tag = "5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<ClientInfo>,
    /// Place in the channel's stream, from 1; 0 when the channel keeps none.
    #[prost(uint64, tag = "6")]
    #[serde(skip_serializing_if = "is_default")]
    pub offset: u64,
    /// Marks of the publisher.
    #[prost(btree_map = "string, string", tag = "7")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub tags: BTreeMap<String, String>,
    /// Whether `data` is a delta to the publication before.
    #[prost(bool, tag = "8")]
    #[serde(skip_serializing_if = "is_default")]
    pub delta: bool,
    /// When it was published, in milliseconds since 1970; 0 when not known.
    #[prost(int64, tag = "9")]
    #[serde(skip_serializing_if = "is_default")]
    pub time: i64,
    /// The channel it was published in, when that differs from the subscription's.
    #[prost(string, tag = "10")]
    #[serde(skip_serializing_if = "is_default")]
    pub channel: String,
}
