//! The page that lists all routes.

use std::fmt::Write as _;

use super::openapi::operations;

/// The body of the page.
pub(super) fn routes() -> String {
    let mut body = String::from(
        "<h1>Ordercast: all routes</h1><p><a href=\"openapi.json\">OpenAPI 3.1</a> · \
         <a href=\"asyncapi.json\">AsyncAPI 3.0</a> · <a href=\"docs/errors\">Errors</a></p>",
    );
    let mut tag = "";
    for operation in operations() {
        if operation.tag != tag {
            if !tag.is_empty() {
                body.push_str("</tbody></table>");
            }
            tag = operation.tag;
            // Writing into a String cannot fail.
            let _ = write!(
                body,
                "<h2>{tag}</h2><table><thead><tr><th scope=\"col\">Method</th><th scope=\"col\">Address</th>\
                 <th scope=\"col\">What it does</th></tr></thead><tbody>"
            );
        }
        let _ = write!(
            body,
            "<tr><td>{}</td><td><code>{}</code></td><td>{}</td></tr>",
            operation.method.to_ascii_uppercase(),
            operation.path,
            operation.summary
        );
    }
    body.push_str("</tbody></table>");
    body
}
