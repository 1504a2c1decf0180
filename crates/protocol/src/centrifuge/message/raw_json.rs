//! `bytes` fields in JSON: the value itself, not text in quotes.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// The bytes as JSON text on one line: as they are when they are JSON, else as a string in base64.
///
/// Line feeds can stand in JSON only between tokens, and would end the message where one message is one
/// line, so they become spaces.
pub fn json_text(bytes: &[u8]) -> Cow<'_, str> {
    match serde_json::from_slice::<&RawValue>(bytes) {
        Ok(raw) if raw.get().contains(['\n', '\r']) => Cow::Owned(raw.get().replace(['\n', '\r'], " ")),
        Ok(raw) => Cow::Borrowed(raw.get()),
        Err(_) => Cow::Owned(format!("\"{}\"", STANDARD.encode(bytes))),
    }
}

pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    let text = json_text(bytes);
    let raw: &RawValue = serde_json::from_str(&text).map_err(serde::ser::Error::custom)?;
    raw.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(Bytes::copy_from_slice(raw.get().as_bytes()))
}

/// Whether a field is left out of JSON.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Takes `null` for a value that is not there.
pub(super) fn null_as_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
