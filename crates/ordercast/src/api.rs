//! The public API of a running server, as the commands use it.
//!
//! Bodies are sent and read as text: what they hold is each command's business. An [`Api`] keeps its
//! connection alive between requests; threads that send at the same time have one each.

mod retry;

use std::io::BufReader;
use std::time::Duration;

use serde::Deserialize;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

use crate::failure::Failure;

pub(crate) use retry::Retry;

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Silence after which a stream is taken for dead: the server sends a comment at least every 15 s.
const STREAM_SILENCE: Duration = Duration::from_secs(45);
/// Largest answer, in bytes.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;
const REPLAYED_HEADER: &str = "idempotency-replayed";

/// A server.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    agent: Agent,
    base: String,
}

/// What the server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Whether what was sent had been there already.
    pub is_replayed: bool,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

/// An error as the server tells it (RFC 9457).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    /// Ends with the stable name of the error.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is called.
    pub title: String,
    /// What is wrong this time.
    pub detail: String,
    /// Which fields are wrong.
    pub errors: Vec<FieldProblem>,
}

/// A field that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct FieldProblem {
    /// JSON pointer to the field.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Problem {
    /// The stable name of the error.
    pub(crate) fn code(&self) -> &str {
        self.kind.rsplit('/').next().unwrap_or_default()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ApiError {
    /// Not the address of a server.
    BadUrl(String),
    /// Nobody there, or the connection broke.
    Unreachable {
        /// The server's address.
        url: String,
        /// What happened.
        detail: String,
        /// Whether nobody listens there.
        is_refused: bool,
    },
    /// The server kept saying that it is too busy.
    Busy {
        /// The server's address.
        url: String,
        /// Its last words.
        detail: String,
    },
    /// The command was interrupted.
    Interrupted,
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadUrl(url) => write!(f, "{url:?} is no address of a server; write it as http://127.0.0.1:8080"),
            Self::Unreachable { url, detail, is_refused: true } => write!(
                f,
                "cannot reach {url}: {detail}; is the server running? start it with: ordercast serve (or name another with --url)"
            ),
            Self::Unreachable { url, detail, .. } => write!(f, "cannot reach {url}: {detail}"),
            Self::Busy { url, detail } => write!(f, "{url} is too busy: {detail}"),
            Self::Interrupted => f.write_str("stopped"),
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::BadUrl(_) => Self::usage(error.to_string()),
            _ => Self::new(error.to_string()),
        }
    }
}

impl Api {
    /// A server at an address such as `http://127.0.0.1:8080`; nothing is sent yet.
    ///
    /// # Errors
    /// [`ApiError::BadUrl`].
    pub(crate) fn new(url: &str) -> Result<Self, ApiError> {
        let base = url.trim_end_matches('/');
        let is_good = base.strip_prefix("http://").is_some_and(|host| !host.is_empty() && !host.contains(['/', ' ']));
        if !is_good {
            return Err(ApiError::BadUrl(url.to_owned()));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .user_agent(concat!("ordercast/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .timeout_per_read(Some(STREAM_SILENCE))
            .build();
        Ok(Self { agent: config.into(), base: base.to_owned() })
    }

    /// The server's address.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Asks for something.
    ///
    /// # Errors
    /// [`ApiError::Unreachable`].
    pub(crate) fn get(&self, path: &str) -> Result<Answer, ApiError> {
        let response = self.agent.get(format!("{}{path}", self.base)).call();
        self.answer_of(response)
    }

    /// Sends a JSON body.
    ///
    /// # Errors
    /// [`ApiError::Unreachable`].
    pub(crate) fn post(&self, path: &str, body: &[u8], idempotency_key: Option<&str>) -> Result<Answer, ApiError> {
        let mut request = self.agent.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        self.answer_of(request.send(body))
    }

    /// Opens a stream of Server-Sent Events, after the event `last_id` if there is one.
    ///
    /// # Errors
    /// [`ApiError::Unreachable`]; the inner result is the server's refusal.
    pub(crate) fn stream(
        &self,
        path: &str,
        last_id: Option<&str>,
    ) -> Result<Result<impl std::io::BufRead + use<>, Answer>, ApiError> {
        let mut request = self.agent.get(format!("{}{path}", self.base)).header("accept", "text/event-stream");
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = request.call().map_err(|error| self.unreachable(&error))?;
        if response.status() != 200 {
            return Ok(Err(self.answer_of(Ok(response))?));
        }
        Ok(Ok(BufReader::new(response.into_body().into_with_config().limit(u64::MAX).reader())))
    }

    fn answer_of(&self, response: Result<Response<Body>, ureq::Error>) -> Result<Answer, ApiError> {
        let mut response = response.map_err(|error| self.unreachable(&error))?;
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        let body = body.map_err(|error| self.unreachable(&error))?;
        let header = |name| header_of(response.headers(), name);
        Ok(Answer {
            status: response.status().as_u16(),
            is_replayed: header(REPLAYED_HEADER) == Some("true"),
            retry_after: header("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs),
            body,
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> ApiError {
        let is_refused = match error {
            ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
            ureq::Error::ConnectionFailed => true,
            _ => false,
        };
        let detail = if is_refused { "connection refused".to_owned() } else { error.to_string() };
        ApiError::Unreachable { url: self.base.clone(), detail, is_refused }
    }
}

fn header_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

impl Answer {
    /// Whether the server did what it was asked.
    pub(crate) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The error it tells.
    pub(crate) fn problem(&self) -> Problem {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| Problem {
            detail: String::from_utf8_lossy(&self.body).chars().take(200).collect(),
            ..Problem::default()
        })
    }

    /// The error it tells, in words.
    pub(crate) fn refusal(&self) -> String {
        let problem = self.problem();
        let fields = problem.errors.iter().map(|field| format!("{} {}", field.pointer, field.detail));
        let parts = [problem.title.clone()].into_iter().chain(fields).collect::<Vec<_>>();
        match (problem.errors.is_empty(), problem.title.is_empty()) {
            (true, true) => format!("status {}: {}", self.status, problem.detail),
            (true, false) if problem.detail.is_empty() => problem.title,
            (true, false) => format!("{}: {}", problem.title, problem.detail),
            (false, _) => parts.join("; "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain_http() {
        for good in ["http://127.0.0.1:8080", "http://localhost:1/"] {
            assert!(Api::new(good).is_ok(), "{good}");
        }
        for bad in ["127.0.0.1:8080", "https://x", "http://", "http://x/orders", ""] {
            let error = Api::new(bad).unwrap_err();
            assert_eq!(Failure::from(error).code, crate::failure::USAGE, "{bad}");
        }
    }

    #[test]
    fn nobody_there_is_said_with_a_cure() {
        // Nothing can listen on port 0.
        let error = Api::new("http://127.0.0.1:0").unwrap().get("/health").unwrap_err();
        assert!(matches!(error, ApiError::Unreachable { .. }), "{error:?}");
        let error = ApiError::Unreachable { url: "u".into(), detail: "connection refused".into(), is_refused: true };
        assert!(error.to_string().contains("ordercast serve"));
    }

    #[test]
    fn refusals_are_told_in_words() {
        let answer = |body: &str| Answer { status: 422, is_replayed: false, retry_after: None, body: body.into() };
        for (body, expected) in [
            (r#"{"type":"/docs/errors/x","title":"T","detail":"D"}"#, "T: D"),
            (r#"{"title":"T","errors":[{"pointer":"/a","detail":"is wrong"}]}"#, "T; /a is wrong"),
            ("<html>", "status 422: <html>"),
        ] {
            assert_eq!(answer(body).refusal(), expected);
        }
        assert_eq!(answer(r#"{"type":"/docs/errors/invalid-order"}"#).problem().code(), "invalid-order");
    }
}
