//! JSON Web Tokens (RFC 7519) of connections and subscriptions, with the claims of Centrifugo and two of our own.
//!
//! A token is checked by the key of its algorithm's family; the header never chooses a family that has no key.

mod claims;

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::de::{DeserializeOwned, IgnoredAny};

pub use claims::{ChannelOptions, ConnectionClaims, Overrides, SubscriptionClaims};

use crate::access::secret::Secret;

/// Longest token, in bytes; a longer one is not looked at.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
const HMAC: [Algorithm; 3] = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RSA: [Algorithm; 3] = [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512];
const ECDSA: [Algorithm; 2] = [Algorithm::ES256, Algorithm::ES384];
const EDDSA: [Algorithm; 1] = [Algorithm::EdDSA];

/// The settings: the keys, at most one of each family, and what else must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenKeys {
    /// The shared secret of HS256, HS384 and HS512.
    pub hmac_secret: Option<Secret>,
    /// The public key of RS256, RS384 and RS512, as PEM.
    pub rsa_public_key: Option<String>,
    /// The public key of ES256 or ES384, as PEM.
    pub ecdsa_public_key: Option<String>,
    /// The Ed25519 public key of EdDSA, as PEM.
    pub eddsa_public_key: Option<String>,
    /// When given, tokens must name it in `aud`.
    pub audience: Option<String>,
    /// When given, tokens must name it in `iss`.
    pub issuer: Option<String>,
}

/// A key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError {
    /// The field of [`TokenKeys`].
    pub field: &'static str,
    /// What is wrong.
    pub detail: String,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.detail)
    }
}

impl std::error::Error for KeyError {}

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It was right once; the client should get a new one.
    Expired,
    /// It is not one of ours; why, for the log.
    Invalid(String),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("the token has expired"),
            Self::Invalid(detail) => write!(f, "the token is not accepted: {detail}"),
        }
    }
}

impl std::error::Error for TokenError {}

/// Checks tokens.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// Each key with how it is used.
    keys: Vec<(DecodingKey, Validation)>,
}

impl Tokens {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`KeyError`] when a key is not what its field says.
    pub fn new(settings: &TokenKeys) -> Result<Self, KeyError> {
        let pem = |field: &'static str, key: &Option<String>, read: fn(&[u8]) -> Result<DecodingKey, _>| {
            let read = |pem: &String| {
                read(pem.as_bytes()).map_err(|error: jsonwebtoken::errors::Error| KeyError {
                    field,
                    detail: format!("not a public key in PEM: {error}"),
                })
            };
            key.as_ref().map(read).transpose()
        };
        let secret = settings.hmac_secret.as_ref();
        if secret.is_some_and(|secret| secret.reveal().is_empty()) {
            return Err(KeyError { field: "hmac_secret", detail: "must not be empty".to_owned() });
        }
        let hmac = secret.map(|secret| DecodingKey::from_secret(secret.reveal().as_bytes()));
        let rsa = pem("rsa_public_key", &settings.rsa_public_key, DecodingKey::from_rsa_pem)?;
        let ecdsa = pem("ecdsa_public_key", &settings.ecdsa_public_key, DecodingKey::from_ec_pem)?;
        let eddsa = pem("eddsa_public_key", &settings.eddsa_public_key, DecodingKey::from_ed_pem)?;
        let keys = [(hmac, &HMAC[..]), (rsa, &RSA), (ecdsa, &ECDSA), (eddsa, &EDDSA)];
        let keys = keys.into_iter().filter_map(|(key, algorithms)| Some((key?, validation(algorithms, settings))));
        Ok(Self { keys: keys.collect() })
    }

    /// Whether there is no key, and so no token is accepted.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Checks the token of a connection at a time in seconds since 1970.
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn connection(&self, token: &str, now_s: i64) -> Result<ConnectionClaims, TokenError> {
        let claims: ConnectionClaims = self.claims(token)?;
        if claims.channel.is_some() {
            let detail = "it is the token of a subscription, which does not open connections";
            return Err(TokenError::Invalid(detail.to_owned()));
        }
        check_times(claims.exp, claims.nbf, now_s)?;
        Ok(claims)
    }

    /// Checks the token of a subscription at a time in seconds since 1970. Whose and for what it is stands in the
    /// claims.
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn subscription(&self, token: &str, now_s: i64) -> Result<SubscriptionClaims, TokenError> {
        let claims: SubscriptionClaims = self.claims(token)?;
        check_times(claims.exp, claims.nbf, now_s)?;
        Ok(claims)
    }

    fn claims<T: DeserializeOwned + Clone>(&self, token: &str) -> Result<T, TokenError> {
        let invalid = |detail: String| TokenError::Invalid(detail);
        if token.len() > MAX_TOKEN_BYTES {
            return Err(invalid(format!("longer than {MAX_TOKEN_BYTES} bytes")));
        }
        let header = decode_header(token).map_err(|error| invalid(error.to_string()))?;
        if has_critical_headers(token) {
            return Err(invalid("its header has crit, and no extension is understood (RFC 7515 §4.1.11)".to_owned()));
        }
        let key = self.keys.iter().find(|(_, validation)| validation.algorithms.contains(&header.alg));
        let (key, validation) = key.ok_or_else(|| invalid(format!("there is no key for {:?}", header.alg)))?;
        match decode::<T>(token, key, validation) {
            Ok(token) => Ok(token.claims),
            Err(error) if matches!(error.kind(), ErrorKind::ExpiredSignature) => Err(TokenError::Expired),
            Err(error) => Err(invalid(error.to_string())),
        }
    }
}

/// Whether a token asks to be understood in ways that must not be passed over.
fn has_critical_headers(token: &str) -> bool {
    let header = token.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok()).unwrap_or_default();
    serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(&header).is_ok_and(|names| names.contains_key("crit"))
}

/// Times are checked by [`check_times`], by the caller's clock.
fn validation(algorithms: &[Algorithm], settings: &TokenKeys) -> Validation {
    let required = [("aud", &settings.audience), ("iss", &settings.issuer)];
    let required = required.into_iter().filter(|(_, value)| value.is_some());
    let mut validation = Validation {
        algorithms: algorithms.to_vec(),
        validate_exp: false,
        validate_aud: settings.audience.is_some(),
        required_spec_claims: required.map(|(claim, _)| claim.to_owned()).collect(),
        ..Validation::default()
    };
    if let Some(audience) = &settings.audience {
        validation.set_audience(&[audience]);
    }
    if let Some(issuer) = &settings.issuer {
        validation.set_issuer(&[issuer]);
    }
    validation
}

/// A token holds until its `exp`, and from its `nbf` on (RFC 7519 §4.1).
fn check_times(exp: Option<i64>, nbf: Option<i64>, now_s: i64) -> Result<(), TokenError> {
    if exp.is_some_and(|exp| exp <= now_s) {
        return Err(TokenError::Expired);
    }
    if nbf.is_some_and(|nbf| nbf > now_s) {
        return Err(TokenError::Invalid("it does not hold yet".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
#[path = "tokens/tokens_tests.rs"]
mod tests;
