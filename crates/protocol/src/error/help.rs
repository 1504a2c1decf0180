//! What each error means and how it is mended: the text of its page.

use super::ErrorCode;

/// What has happened, and what to do about it, in the order of [`ErrorCode::ALL`].
const PAGES: [(ErrorCode, &str, &str); ErrorCode::ALL.len()] = [
    (
        ErrorCode::MalformedJson,
        "The body, the frame or a line of a bulk request is not JSON, or is nested too deep.",
        "Send one JSON value in UTF-8. The detail says where reading ended.",
    ),
    (
        ErrorCode::InvalidOrder,
        "Fields of the order are missing, of a wrong type or outside their bounds. `errors` names each of \
         them. Nothing was stored.",
        "Correct the fields by their `pointer` (RFC 6901) and send again; the same `Idempotency-Key` may be \
         used, for refused requests do not take it.",
    ),
    (
        ErrorCode::InvalidProduct,
        "Fields of the product are missing, of a wrong type or outside their bounds, or the stock would be \
         less than accepted orders hold. `errors` names each of them. Nothing was stored.",
        "Correct the fields by their `pointer` (RFC 6901) and send again; the same `Idempotency-Key` may be \
         used, for refused requests do not take it.",
    ),
    (
        ErrorCode::InvalidAdjustment,
        "Fields of the adjustment are missing, of a wrong type or outside their bounds. `errors` names each \
         of them. Nothing was stored.",
        "Correct the fields by their `pointer` (RFC 6901) and send again; the same `Idempotency-Key` may be \
         used, for refused requests do not take it.",
    ),
    (
        ErrorCode::InvalidAction,
        "What is to be done to the order is not complete, or asks for more than there is: a reason is \
         missing, more would be refunded than was captured, a field is not known. Nothing has changed.",
        "Correct the fields by their `pointer` (RFC 6901) and send again; the same `Idempotency-Key` may be \
         used, for refused requests do not take it.",
    ),
    (
        ErrorCode::InvalidQuery,
        "A parameter of the address, or a header that the route needs, is wrong.",
        "The detail names the parameter and what it may be.",
    ),
    (
        ErrorCode::IdempotencyConflict,
        "The id or the `Idempotency-Key` was used before, with another body. `order_id` names the order of \
         then. Nothing was stored.",
        "To repeat a request send exactly the same body. For something new draw a new key.",
    ),
    (
        ErrorCode::UnknownProduct,
        "The order has a line whose SKU is not in the catalogue. `errors` names it, and the nearest SKU that is.",
        "`GET /products` lists the catalogue; `POST /products` adds to it. A line that is not meant to be in it \
         says `\"untracked\": true`, or is a plain string.",
    ),
    (
        ErrorCode::PriceDiffers,
        "A line names another price than the catalogue has for its SKU, or the order is in another currency. \
         `errors` names the price now. Nothing was stored.",
        "Look at the price again and decide again; or leave `price` out, and the catalogue's counts. Who may set \
         prices says why in `price_override`.",
    ),
    (
        ErrorCode::OutOfStock,
        "Less is left than a line asks for. The detail says how much. No line was reserved.",
        "Order at most what is left, or wait until stock has come in; `products` streams changes.",
    ),
    (
        ErrorCode::InvalidTransition,
        "The order's status does not allow this, or not to you. `allowed` lists what is open to you now.",
        "`GET /orders/{id}` shows where the order is; `docs/orders.md` has the table.",
    ),
    (
        ErrorCode::StaleVersion,
        "The order has changed since the version that `If-Match` names. `version` is the one it has now. \
         What was asked for was not done.",
        "Look at the order again, decide again, and send its new version in `If-Match`. Never send the new \
         version blindly: somebody else has changed the order.",
    ),
    (
        ErrorCode::LeaseEnded,
        "The worker was silent for longer than its lease, so its orders went back into the queue. They may be \
         in work elsewhere.",
        "Drop the orders of this lease and claim anew, without a lease. Send heartbeats every third of the \
         time that the claim named.",
    ),
    (
        ErrorCode::StaleToken,
        "The order is not in work under the lease and the token that the worker gave: it was given to another worker, \
         taken away by a person, or its lease has ended. What the worker wanted to write was not written.",
        "Drop the order; it is somebody else's now. Undo what was done outside if that matters.",
    ),
    (
        ErrorCode::AlreadyReported,
        "The worker reported how its work on this claim ended before, with another outcome, which the detail names. \
         The first report stands, and nothing was changed.",
        "Report each claim once. The same report again is harmless: it gets the same answer.",
    ),
    (
        ErrorCode::NotFound,
        "There is nothing at this address, or no order, session or node of this name.",
        "Check the address and the id; `GET /orders` and `GET /products` list what there is.",
    ),
    (
        ErrorCode::MethodNotAllowed,
        "The address exists, but not for this method; `Allow` lists those that it knows.",
        "Use a method of `Allow`.",
    ),
    (
        ErrorCode::TooLarge,
        "The body or message has more bytes than the limit, which the detail names.",
        "Send less at a time: `POST /orders/bulk` takes any number of orders, line by line.",
    ),
    (
        ErrorCode::UnsupportedMediaType,
        "The body has another content type than the route reads.",
        "Send `Content-Type: application/json` (`application/x-ndjson` for bulk).",
    ),
    (
        ErrorCode::TooManyRequests,
        "So many commands of this client wait for their answers that no more are taken. Nothing of this one \
         was stored.",
        "Wait for `Retry-After` seconds and send the same again, with the same id or `Idempotency-Key`.",
    ),
    (
        ErrorCode::Overloaded,
        "So many commands wait in the server that no more are taken. Nothing of this one was stored.",
        "Wait for `Retry-After` seconds and send the same again, with the same id or `Idempotency-Key`.",
    ),
    (
        ErrorCode::Unavailable,
        "The server is stopping, or its store has failed. Unless the detail says otherwise the outcome of \
         what was under way is not known.",
        "Send the same again to the restarted server, with the same id or `Idempotency-Key`: what was stored \
         before is then found and not done twice.",
    ),
    (
        ErrorCode::ForbiddenOrigin,
        "The request names a host that is not this server, or comes from a page of another origin that the \
         settings do not list.",
        "Use `localhost` or `127.0.0.1`, or list the page's origin in `server.allowed_origins`, exactly, with \
         scheme and port.",
    ),
    (
        ErrorCode::Unauthorized,
        "The route needs a key or a token, and there was none, or a wrong one.",
        "Send the key of the settings in `X-API-Key`, or a valid token.",
    ),
    (
        ErrorCode::PermissionDenied,
        "Who asks is known, but may not do this.",
        "Ask somebody with the role that the detail names.",
    ),
    (
        ErrorCode::RequestTimeout,
        "The request was begun, and the rest of it did not come in time.",
        "Send the whole request at once; look at the network if it happens often.",
    ),
    (
        ErrorCode::UpgradeRequired,
        "The handshake asks for a version of the WebSocket protocol that is not spoken.",
        "Send `Sec-WebSocket-Version: 13`.",
    ),
    (
        ErrorCode::ConnectionLimit,
        "As many connections are open as the settings allow.",
        "Close connections that are not used, or raise `websocket.max_connections`.",
    ),
    (
        ErrorCode::UnknownType,
        "The frame's `type` is not one that this protocol has.",
        "`docs/streams.md` lists the frames.",
    ),
    (
        ErrorCode::UnknownChannel,
        "There is no channel of this name, and no namespace that it would belong to.",
        "`docs/streams.md` lists the channels; application channels need a namespace in `[channels]`.",
    ),
    (
        ErrorCode::ChannelLimit,
        "The connection has as many subscriptions as one may have.",
        "Unsubscribe from channels that are not needed, or open another connection.",
    ),
    (
        ErrorCode::Internal,
        "The server has a defect, or its store cannot be read.",
        "Try again. If it stays, the server's log says more; please report it.",
    ),
];

impl ErrorCode {
    /// What has happened, in a sentence or two.
    pub fn meaning(self) -> &'static str {
        PAGES[self as usize].1
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        PAGES[self as usize].2
    }

    /// The page of the error in Markdown, as it stands in `docs/errors`.
    pub fn page(self) -> String {
        format!(
            "# {}\n\n`{}`, HTTP status {}\n\n{}\n\n**What to do:** {}\n",
            self.title(),
            self.name(),
            self.http_status(),
            self.meaning(),
            self.remedy()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn texts_are_in_the_order_of_the_codes() {
        for (place, code) in ErrorCode::ALL.into_iter().enumerate() {
            assert_eq!((PAGES[place].0, code as usize), (code, place));
        }
    }

    /// `ORDERCAST_WRITE_DOCS=1 cargo test -p ordercast-protocol pages_of_errors` writes them.
    #[test]
    fn pages_of_errors_are_those_of_the_code() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
        if std::env::var_os("ORDERCAST_WRITE_DOCS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            for code in ErrorCode::ALL {
                std::fs::write(folder.join(format!("{}.md", code.name())), code.page()).unwrap();
            }
        }
        for code in ErrorCode::ALL {
            let path = folder.join(format!("{}.md", code.name()));
            let page = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(page, code.page(), "{}", path.display());
        }
        let count = std::fs::read_dir(&folder).unwrap().count();
        assert_eq!(count, ErrorCode::ALL.len(), "a page without an error is left over");
    }
}
