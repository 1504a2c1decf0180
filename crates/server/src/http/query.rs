//! Parameters of addresses: one that a route does not know is refused, for a misspelled filter would list everything.
//!
//! Pages and streams are not strict: links to them carry what others have added.

use hyper::Method;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::excerpt::excerpt;
use ordercast_protocol::fields::unknown_detail;

use super::parameters::query_value;
use crate::problem::Problem;

/// First parts of the addresses that are judged here; `/ws/stats` is another.
const STRICT: [&str; 10] =
    ["orders", "products", "adjustments", "queues", "customers", "work", "stats", "metrics", "health", "livez"];
/// Addresses beside them.
const STRICT_PATHS: [&str; 2] = ["/ws/stats", "/readyz"];
/// What may be asked of the routes that take parameters, all of them by GET. `*` stands for one part.
const PARAMETERS: [(&str, &[&str]); 4] = [
    ("/orders", &["q", "status", "priority", "customer_id", "from", "to", "limit", "cursor"]),
    ("/orders/*/events", &["after", "limit"]),
    ("/adjustments", &["limit", "cursor"]),
    ("/stats/history", &["seconds"]),
];

/// Refuses a parameter that the route does not know.
pub(crate) fn check(method: &Method, path: &str, query: Option<&str>) -> Result<(), Problem> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(()) };
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if !STRICT.contains(&first) && !STRICT_PATHS.contains(&path) {
        return Ok(());
    }
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let row = PARAMETERS.iter().find(|(template, _)| is_read && is_at(path, template));
    let known = row.map_or(&[][..], |(_, names)| names);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default();
        // A name that is written otherwise than it is spelled is decoded by the route itself.
        if known.contains(&name) || is_encoded(name, known) {
            continue;
        }
        return Err(Problem::new(
            ErrorCode::InvalidQuery,
            format!("the parameter {:?} {}", excerpt(name), unknown_detail(name, known)),
        ));
    }
    Ok(())
}

/// Whether a name is one of the known ones in percent-encoding.
fn is_encoded(name: &str, known: &[&str]) -> bool {
    name.contains('%')
        && known.iter().any(|known| query_value(Some(&format!("v={name}")), "v").as_deref() == Some(known))
}

fn is_at(path: &str, template: &str) -> bool {
    let (mut parts, mut expected) = (path.split('/'), template.split('/'));
    loop {
        match (parts.next(), expected.next()) {
            (None, None) => return true,
            (Some(part), Some(wanted)) if wanted == "*" || part == wanted => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::query_parameters;

    #[test]
    fn parameters_that_are_not_known_are_refused() {
        for (method, path, query, wrong) in [
            (Method::GET, "/orders", "status=failed&limit=5&&cu%72sor=7", None),
            (
                Method::GET,
                "/orders",
                "statuses=failed",
                Some("the parameter \"statuses\" is not known; did you mean status?"),
            ),
            (
                Method::GET,
                "/orders",
                "customerId=x",
                Some("the parameter \"customerId\" is not known; did you mean customer_id?"),
            ),
            (Method::HEAD, "/orders/a/events", "after=1", None),
            (Method::GET, "/orders/a", "after=1", Some("the parameter \"after\" is not known; there are none")),
            (Method::POST, "/orders", "limit=5", Some("the parameter \"limit\" is not known; there are none")),
            (Method::POST, "/orders", "", None),
            (Method::GET, "/readyz", "x", Some("the parameter \"x\" is not known; there are none")),
            (Method::GET, "/ws/stats", "x=1", Some("the parameter \"x\" is not known; there are none")),
            (Method::GET, "/ws", "x=1", None),
            (Method::GET, "/events", "x=1", None),
            (Method::GET, "/", "x=1", None),
            (Method::GET, "/desk", "order=1", None),
            (Method::POST, "/api/publish", "api_key=1", None),
        ] {
            let problem = check(&method, path, Some(query)).err();
            assert_eq!(problem.as_ref().map(|problem| &*problem.detail), wrong, "{method} {path} {query}");
        }
    }

    #[test]
    fn they_are_those_of_the_document() {
        let mut told = query_parameters();
        told.retain(|(path, _)| check(&Method::GET, path, Some("no-such")).is_err());
        let expected: Vec<_> = told.iter().map(|(path, names)| (path.replace("{id}", "*"), names.clone())).collect();
        let own: Vec<_> = PARAMETERS
            .iter()
            .map(|(path, names)| ((*path).to_owned(), names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()))
            .collect();
        assert_eq!(own, expected);
    }
}
