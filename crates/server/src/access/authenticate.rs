//! Authentication: the one place that makes principals from the credentials of clients.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use hyper::HeaderMap;
use ordercast_access::{Origin, Principal, Right, Rights, Trace};
use ordercast_domain::draft::CustomerKey;
use ordercast_protocol::error::ErrorCode;

use super::Access;
use super::role::Role;
use super::tokens::{ConnectionClaims, TokenError};
use crate::problem::Problem;

/// The header that says which distributed trace a request belongs to (W3C Trace Context).
const TRACE_HEADER: &str = "traceparent";
/// Id of the one key of the server API.
const API_KEY_ID: &str = "k_api";
/// What a program with the key of the server API may do: everything in application channels.
const API_RIGHTS: Rights =
    Rights::of(&[Right::Subscribe, Right::Publish, Right::ReadHistory, Right::ReadPresence, Right::JoinAsUser]);
/// The name of a worker whose token has no user id.
const NAMELESS_WORKER: &str = "anonymous";

/// The origin of a request over HTTP, or of the handshake of a socket.
///
/// Requests carry no credentials yet: in every mode they come from the local user, and the server listens on loopback
/// only.
pub(crate) fn authenticate(headers: &HeaderMap, client: IpAddr) -> Origin {
    from(Principal::local(), headers, client)
}

/// The origin of a connection whose client will send its token later.
pub(crate) fn not_yet(headers: &HeaderMap, client: IpAddr) -> Origin {
    from(Principal::anonymous(), headers, client)
}

/// The origin of commands from within the server's process, such as those of the demo: the local user.
pub fn in_process(client: IpAddr) -> Origin {
    Origin::new(Principal::local(), client)
}

fn from(principal: Principal, headers: &HeaderMap, client: IpAddr) -> Origin {
    let trace = headers.get(TRACE_HEADER).and_then(|header| header.to_str().ok());
    Origin { principal, client, trace: trace.map_or(Trace::NONE, Trace::of_traceparent) }
}

/// The principal and the claims of a token; an empty token is none. `now_s` is the time in seconds since 1970.
///
/// # Errors
/// [`TokenError`], also when a token is needed and there is none.
pub(crate) fn by_token(
    access: &Access,
    users: &CustomerKey,
    token: &str,
    now_s: i64,
) -> Result<(Principal, Option<ConnectionClaims>), TokenError> {
    let claims = match token {
        "" if access.is_open => return Ok((Principal::local(), None)),
        "" if access.allows_anonymous => ConnectionClaims::default(),
        "" => return Err(TokenError::Invalid("there is none".to_owned())),
        token => access.tokens.connection(token, now_s)?,
    };
    Ok((principal_of(access, users, &claims), Some(claims)))
}

/// The principal that a token names. Users are named by an opaque id, for their names may be personal.
pub(crate) fn principal_of(access: &Access, users: &CustomerKey, claims: &ConnectionClaims) -> Principal {
    let role = claims.role.unwrap_or_else(|| access.default_role());
    let user = claims.sub.as_str();
    let principal = match (role, &claims.customer_id) {
        (Role::Customer, Some(customer_id)) => Principal::customer(customer_id.as_str().into()),
        (Role::Worker, _) if user.is_empty() => Principal::worker(NAMELESS_WORKER.into()),
        (Role::Worker, _) => Principal::worker(user.into()),
        (role, _) if user.is_empty() => Principal::anonymous().with(role.rights()),
        (role, _) => Principal::user(users.opaque_user(user), role.rights()),
    };
    if user.is_empty() {
        return principal;
    }
    let rights = principal.permissions.and(&[Right::JoinAsUser]);
    principal.with(rights)
}

/// The origin of a call of the server API, by the key that it carries.
///
/// Without a configured key every call is refused, in open mode too: the caller may publish for everyone.
///
/// # Errors
/// A problem when the key is not the configured one, or there is none.
pub(crate) fn by_key(
    access: &Access,
    shown: Option<&[u8]>,
    headers: &HeaderMap,
    client: IpAddr,
) -> Result<Origin, Problem> {
    static ID: LazyLock<Arc<str>> = LazyLock::new(|| API_KEY_ID.into());
    let refused = |detail: &str| Err(Problem::new(ErrorCode::Unauthorized, detail));
    let Some(key) = &access.api_key else {
        return refused("the server API is off: set api.key in the configuration (or ORDERCAST_API_KEY), and send it");
    };
    match shown {
        Some(shown) if key.is(shown) => Ok(from(Principal::key(Arc::clone(&ID), API_RIGHTS), headers, client)),
        Some(_) => refused("this is not the key of the server API"),
        None => refused("send the key of the server API in the header X-API-Key"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use hyper::header::HeaderValue;

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn named(role: Option<Role>, sub: &str, customer_id: Option<&str>) -> Principal {
        let claims = ConnectionClaims {
            sub: sub.to_owned(),
            role,
            customer_id: customer_id.map(str::to_owned),
            ..ConnectionClaims::default()
        };
        let access = Access { is_open: false, ..Access::default() };
        principal_of(&access, &CustomerKey::new([1; 32]), &claims)
    }

    #[test]
    fn tokens_name_principals_by_opaque_ids() {
        let ann = CustomerKey::new([1; 32]).opaque_user("ann@example.com");
        assert!(ann.starts_with("u_") && !ann.contains("ann"), "{ann}");
        let user = |rights: Rights| Principal::user(Arc::clone(&ann), rights.and(&[Right::JoinAsUser]));
        let customer = Principal::customer("c_1".into());
        for (role, sub, customer_id, expected) in [
            (None, "ann@example.com", None, user(Rights::VISITOR)),
            (None, "ann@example.com", Some("c_1"), customer.clone().with(Rights::CUSTOMER.and(&[Right::JoinAsUser]))),
            (Some(Role::Customer), "", Some("c_1"), customer),
            (Some(Role::Customer), "", None, Principal::anonymous()),
            (Some(Role::Worker), "", None, Principal::worker("anonymous".into())),
            (Some(Role::Staff), "ann@example.com", Some("c_1"), user(Rights::STAFF)),
            (Some(Role::Staff), "", None, Principal::anonymous().with(Rights::STAFF)),
            (Some(Role::Admin), "ann@example.com", None, user(Rights::ALL)),
        ] {
            assert_eq!(named(role, sub, customer_id), expected, "{role:?} {sub} {customer_id:?}");
        }
        let worker = named(Some(Role::Worker), "w9", None);
        assert_eq!(worker.to_string(), "worker:w9");
    }

    #[test]
    fn a_request_comes_from_the_local_user_with_its_trace() {
        let mut headers = HeaderMap::new();
        assert_eq!(authenticate(&headers, CLIENT), in_process(CLIENT));
        let traced = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        headers.insert(TRACE_HEADER, HeaderValue::from_static(traced));
        let origin = authenticate(&headers, CLIENT);
        assert_eq!(origin.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(origin.principal.is_local());
        assert!(!not_yet(&headers, CLIENT).principal.is_local());
    }
}
