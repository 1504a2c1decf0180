//! `GET /docs/errors/{name}`: what the `type` of a problem leads to.

use axum::body::Body;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{StatusCode, Uri};
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::excerpt::cut;

use crate::http::parameters::bad_query;
use crate::problem::Problem;

/// Nothing but the style is loaded; the text comes from the program alone.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("documents.css");
/// The mark of the pages.
const MARK: &str = include_str!("../../../../web/src/styles/mark.svg");
/// Longest part of an address that a page repeats, in bytes.
const MAX_PATH_BYTES: usize = 200;

/// The page of one error.
pub(crate) async fn page(name: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let Path(name) = name.map_err(bad_query)?;
    let code = ErrorCode::ALL.into_iter().find(|code| code.name() == name);
    let code = code.ok_or_else(|| {
        Problem::new(ErrorCode::NotFound, format!("there is no error {name}; /docs/errors lists all of them"))
    })?;
    let (title, status) = (code.title(), code.http_status());
    let body = format!(
        "<h1>{}</h1><p><code>{name}</code>, HTTP status {status}</p><p>{}</p><h2>What to do</h2><p>{}</p>\
         <p><a href=\"../errors\">All errors</a></p>",
        html_of(title),
        html_of(code.meaning()),
        html_of(code.remedy())
    );
    Ok(document("../../", title, &body))
}

/// `GET /docs/errors`: all of them.
pub(crate) async fn list() -> Response {
    let row = |code: ErrorCode| {
        let (name, status) = (code.name(), code.http_status());
        format!(
            "<tr><td><a href=\"errors/{name}\">{name}</a></td><td>{status}</td><td>{}</td></tr>",
            html_of(code.title())
        )
    };
    let rows: String = ErrorCode::ALL.into_iter().map(row).collect();
    let head =
        "<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Status</th><th scope=\"col\">Title</th></tr></thead>";
    document("../", "Errors", &format!("<h1>Errors</h1><table>{head}<tbody>{rows}</tbody></table>"))
}

/// A page of the documentation; `body` is HTML. `root` leads from the page to the root of the server, such as `../`: a proxy
/// may put a path before all addresses.
pub(crate) fn document(root: &str, title: &str, body: &str) -> Response {
    let text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{} · Ordercast</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><link rel=\"stylesheet\" href=\"{root}docs/style.css\"></head>\
         <body><a class=\"skip-link\" href=\"#main\">To the text</a><header class=\"header\">{MARK}\
         <span class=\"brand-name\">Ordercast</span><nav aria-label=\"Pages\"><a href=\"{root}\">Overview</a>\
         <a href=\"{root}desk\">Desk</a><a href=\"{root}docs\">Routes</a><a href=\"{root}docs/errors\">Errors</a></nav></header>\
         <main id=\"main\">{body}</main></body></html>\n",
        html_of(title)
    );
    respond(text, "text/html; charset=utf-8")
}

/// The page for an address at which there is nothing, for people; programs get a problem.
pub(crate) fn nothing_at(uri: &Uri) -> Response {
    let path = uri.path();
    // Parts below the root.
    let depth = path.bytes().filter(|byte| *byte == b'/').count().saturating_sub(1);
    let root = if depth == 0 { "./".to_owned() } else { "../".repeat(depth) };
    let body = format!(
        "<h1>There is nothing here</h1><p>The address <code>{}</code> leads nowhere on this server.</p>\
         <h2>What there is</h2><ul><li><a href=\"{root}\">Overview</a>: orders as they happen</li>\
         <li><a href=\"{root}desk\">Desk</a>: find orders and act on them</li>\
         <li><a href=\"{root}docs\">Routes</a>: everything that programs can ask for</li></ul>",
        html_of(&cut(path, MAX_PATH_BYTES))
    );
    let mut response = document(&root, "Nothing here", &body);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// `GET /docs/style.css`.
pub(crate) async fn style() -> Response {
    respond(STYLE, "text/css; charset=utf-8")
}

fn respond(text: impl Into<Body>, content_type: &'static str) -> Response {
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Text as HTML; what stands between backticks is code.
fn html_of(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut parts = escaped.split('`');
    let mut html = parts.next().unwrap_or_default().to_owned();
    while let (Some(code), rest) = (parts.next(), parts.next()) {
        html.push_str(&format!("<code>{code}</code>{}", rest.unwrap_or_default()));
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_stands_between_backticks_and_text_is_escaped() {
        for (text, html) in [
            ("a `b` c", "a <code>b</code> c"),
            ("`<b>` & `c`", "<code>&lt;b&gt;</code> &amp; <code>c</code>"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(html_of(text), html);
        }
    }
}
