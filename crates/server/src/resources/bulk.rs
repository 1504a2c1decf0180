//! Many orders in one request: an order a line in, what became of it a line out.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use ordercast_access::Origin;
use ordercast_domain::draft::Draft;
use ordercast_engine::Placed;
use ordercast_engine::{CommandError, encode};
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::excerpt::excerpt;
use ordercast_protocol::fields::without_byte_order_mark;
use ordercast_protocol::json::JsonWriter;
use ordercast_protocol::limits::MAX_BODY_BYTES;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::app::{App, BULK_ANSWER_UNIT, MAX_BULK_REQUESTS};
use crate::http::body::{Packing, Unpacked, packing};
use crate::http::response::Infallible;
use crate::operations::drafts::{Entrance, draft_of, explain};
use crate::operations::orders::find;
use crate::problem::Problem;

/// Lines of one request that wait for their commit; then no more is read until the first is answered.
const WINDOW: usize = 256;
/// Answers of one request that wait for the client to read them when there is no room left for those of all requests;
/// beyond, no more lines are taken.
const MAX_UNREAD: usize = 256;
/// How long a line that found the server full is tried again, and how often.
const MAX_TRIES: u32 = 200;
const TRY_INTERVAL: Duration = Duration::from_millis(25);
/// How long a client may take for one line, however it is dripped. It may send nothing that is waited for, or take no
/// answer, for as long as for a request's head ([`crate::ServerConfig::handshake_timeout`]).
const LINE_TIME: Duration = Duration::from_secs(60);
/// How long the rest of a body is read and thrown away after its client has taken no answers: only when it has sent
/// everything do most clients read, and learn what was not taken.
const DISCARD_TIME: Duration = Duration::from_secs(60);

/// `POST /orders/bulk`: newline-delimited JSON, an order a line, each as for `POST /orders`. A line may have an
/// `idempotency_key`. The answer comes line by line and in the same order, each once its order is durable. One line that
/// is refused does no harm to the others. A request that makes no progress is ended with a reason.
///
/// # Errors
/// Before the first line is whole: 408 when it does not come, 413 when it is too large; 415; 503 when there are too many
/// such requests. Later there is an answer line for what is wrong.
pub(crate) async fn place(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    require_ndjson(&headers)?;
    let body = match packing(&headers)? {
        Packing::None => body,
        Packing::Gzip => Body::new(Unpacked::new(body)),
    };
    let Ok(turn) = Arc::clone(&app.bulk_requests).try_acquire_owned() else {
        let detail = format!("{MAX_BULK_REQUESTS} bulk requests are under way; try again when some have ended");
        return Err(Problem::new(ErrorCode::Overloaded, detail));
    };
    let mut lines = Lines::new(body, app.config.handshake_timeout);
    // Until something is known the answer can still have a status of its own.
    let first = lines.next(true).await.map_err(|(_, problem)| problem)?;
    // Each answer holds room of one of two kinds, which is what bounds them.
    let (answers, unread) = mpsc::channel(app.config.bulk_answer_units() + MAX_UNREAD);
    let own_capacity = Arc::new(Semaphore::new(MAX_UNREAD));
    let mut intake = Intake { app, origin, answers, own_capacity, pending: VecDeque::new(), lines };
    let is_open = first.is_some();
    if let Some((number, line)) = first {
        intake.take(number, &line);
    }
    let task = tokio::spawn(async move {
        intake.run(is_open).await;
        drop(turn);
    });
    let mut response = Response::new(Body::from_stream(Infallible(Answers { unread, task })));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn require_ndjson(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(content_type) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = content_type.to_str().unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/json" => Ok(()),
        other => {
            let detail = format!("{} is not taken; send the header Content-Type: application/x-ndjson", excerpt(other));
            Err(Problem::new(ErrorCode::UnsupportedMediaType, detail))
        }
    }
}

/// The body of the answer; who stops reading it ends the work on it.
struct Answers {
    unread: mpsc::Receiver<Unread>,
    task: JoinHandle<()>,
}

/// An answer that its client has not read, with the room that it takes.
struct Unread(Bytes, #[expect(dead_code, reason = "given back when it is dropped")] OwnedSemaphorePermit);

impl futures_core::Stream for Answers {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.unread.poll_recv(context).map(|unread| unread.map(|Unread(answer, _)| answer))
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A line whose answer is not known yet.
struct Pending {
    line: u64,
    tries: u32,
    /// To be tried again; without one the answer is known already.
    draft: Option<Draft>,
    outcome: oneshot::Receiver<Result<Placed, CommandError>>,
    problem: Option<Problem>,
}

struct Intake {
    app: Arc<App>,
    origin: Origin,
    answers: mpsc::Sender<Unread>,
    own_capacity: Arc<Semaphore>,
    pending: VecDeque<Pending>,
    lines: Lines,
}

impl Intake {
    async fn run(mut self, mut is_open: bool) {
        while is_open || !self.pending.is_empty() {
            let has_capacity = is_open && self.pending.len() < WINDOW;
            // As long as answers are owed, it is not the client who is waited for.
            let may_stall = self.pending.is_empty();
            tokio::select! {
                biased;
                line = self.lines.next(may_stall), if has_capacity => match line {
                    Ok(Some((number, line))) => self.take(number, &line),
                    Ok(None) => is_open = false,
                    Err((number, problem)) => {
                        is_open = false;
                        self.pending.push_back(refused(number, problem));
                    }
                },
                outcome = first(&mut self.pending), if !self.pending.is_empty() => {
                    if let Some(answer) = self.answer(outcome).await
                        && !self.send(answer, is_open).await
                    {
                        return;
                    }
                }
            }
            is_open &= !self.lines.is_given_up;
        }
        // An answer that ends before its request closes the connection, and what the client sent meanwhile resets it.
        self.lines.drained().await;
    }

    /// Sends an answer; false when the client is gone, or takes none. The first time that it takes none while it
    /// still sends, no more of its lines are taken: the rest of the body is thrown away, so that it comes to reading.
    async fn send(&mut self, answer: Vec<u8>, is_open: bool) -> bool {
        loop {
            let rooms = (Arc::clone(&self.app.bulk_answers), Arc::clone(&self.own_capacity));
            let room = tokio::select! {
                room = room(rooms, answer.len(), self.lines.stall_time) => room,
                () = self.answers.closed() => return false,
            };
            if let Some(room) = room {
                self.lines.note_progress();
                return self.answers.send(Unread(answer.into(), room)).await.is_ok();
            }
            if self.lines.is_draining() {
                // It still sends, and reads when it has sent all.
                continue;
            }
            if !is_open || self.lines.is_given_up {
                tracing::warn!(client = %self.origin.client, "a bulk request was ended: its answers are not read");
                return false;
            }
            self.give_up_lines();
        }
    }

    fn give_up_lines(&mut self) {
        let line = self.lines.number + 1;
        tracing::warn!(client = %self.origin.client, line, "a bulk request does not read its answers: no more lines are taken");
        self.lines.give_up();
        let detail = format!(
            "the answers were not read for {} s, so this line and those after it were not taken; read while you send",
            self.lines.stall_time.as_secs_f32()
        );
        self.pending.push_back(refused(line, Problem::new(ErrorCode::RequestTimeout, detail)));
    }

    fn take(&mut self, line: u64, text: &[u8]) {
        match draft_of(&self.app.engine, text, &Entrance::LINE) {
            Ok(draft) => {
                let outcome = self.submit(draft.clone());
                self.pending.push_back(Pending { line, tries: 0, draft: Some(draft), outcome, problem: None });
            }
            Err(problem) => self.pending.push_back(refused(line, problem)),
        }
    }

    fn submit(&self, draft: Draft) -> oneshot::Receiver<Result<Placed, CommandError>> {
        let (reply, outcome) = oneshot::channel();
        let reply = Box::new(move |result| {
            // Who asked may have gone away; the order stands all the same.
            let _ = reply.send(result);
        });
        self.app.engine.submit_order(self.origin.clone(), draft, reply);
        outcome
    }

    /// The answer to the first line that waits; `None` when it is tried again.
    async fn answer(&mut self, outcome: Result<Placed, CommandError>) -> Option<Vec<u8>> {
        let mut first = self.pending.pop_front()?;
        let result = match (outcome, first.problem.take()) {
            (_, Some(problem)) => Err(problem),
            (Ok(placed), None) => Ok(placed),
            (Err(CommandError::Full | CommandError::ClientFull), None) if first.tries < MAX_TRIES => {
                tokio::time::sleep(TRY_INTERVAL).await;
                let outcome = self.submit(first.draft.clone()?);
                self.pending.push_front(Pending { tries: first.tries + 1, outcome, ..first });
                return None;
            }
            (Err(error), None) => Err(explain(&self.app, error).await),
        };
        let (order, replayed) = match result {
            Ok(Placed::Accepted { order, details }) => {
                let mut json = Vec::with_capacity(512);
                encode::order_json(&order, &details, &mut json);
                (Ok(json), false)
            }
            Ok(Placed::Replayed { order_id }) => {
                let found = find(&self.app, order_id).await;
                let json = found.map(|(order, details)| {
                    let mut json = Vec::with_capacity(512);
                    encode::order_json(&order, &details, &mut json);
                    json
                });
                (json, true)
            }
            Err(problem) => (Err(problem), false),
        };
        if let Err(problem) = &order {
            self.app.report("bulk", &self.origin.client.to_string(), problem);
        }
        Some(answer_line(first.line, &order, replayed, &self.app.config.proxy.base_path))
    }
}

/// Capacity for an answer: of that for all requests if there is any, else of the request's own; `None` when the client takes
/// none of its answers for `stall_time`.
async fn room(
    (shared, own): (Arc<Semaphore>, Arc<Semaphore>),
    bytes: usize,
    stall_time: Duration,
) -> Option<OwnedSemaphorePermit> {
    let units = u32::try_from(bytes.div_ceil(BULK_ANSWER_UNIT)).unwrap_or(u32::MAX);
    if let Ok(room) = shared.try_acquire_many_owned(units) {
        return Some(room);
    }
    tokio::time::timeout(stall_time, own.acquire_owned()).await.ok()?.ok()
}

fn refused(line: u64, problem: Problem) -> Pending {
    let (known, outcome) = oneshot::channel();
    // Nobody waits for it but the line itself, which has its problem.
    let _ = known.send(Err(CommandError::Stopping));
    Pending { line, tries: 0, draft: None, outcome, problem: Some(problem) }
}

fn no_progress() -> Problem {
    let detail = "no whole line came in time; send lines without long pauses";
    Problem::new(ErrorCode::RequestTimeout, detail)
}

/// What became of the first line that waits.
async fn first(pending: &mut VecDeque<Pending>) -> Result<Placed, CommandError> {
    match pending.front_mut() {
        Some(first) => (&mut first.outcome).await.unwrap_or(Err(CommandError::StoreFailed)),
        None => std::future::pending().await,
    }
}

fn answer_line(line: u64, order: &Result<Vec<u8>, Problem>, replayed: bool, base_path: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(640);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("line").integer(line);
    match order {
        Ok(order) => {
            json.key("status").integer(if replayed { 200 } else { 201 });
            if replayed {
                json.key("replayed").boolean(true);
            }
            json.key("order").raw(&String::from_utf8_lossy(order));
        }
        Err(problem) => {
            json.key("status").integer(problem.code.http_status());
            json.key("error").raw(&String::from_utf8_lossy(&problem.to_json(base_path)));
        }
    }
    json.end_object();
    out.push(b'\n');
    out
}

/// The lines of a body, counted from 1; empty ones are counted and passed over.
struct Lines {
    body: Body,
    buffer: BytesMut,
    /// Bytes of the buffer that have no line's end in them.
    searched: usize,
    number: u64,
    is_over: bool,
    /// How long nothing may come.
    stall_time: Duration,
    /// When something came, or was answered, last.
    progress_at: Instant,
    /// When the line that is not whole began to be waited for.
    waits_since: Instant,
    /// Whether what still comes is not taken.
    is_given_up: bool,
    /// Throws away what still comes.
    drain: JoinSet<()>,
}

impl Lines {
    fn new(body: Body, stall_time: Duration) -> Self {
        let now = Instant::now();
        let (buffer, searched, number) = (BytesMut::new(), 0, 0);
        let (is_over, is_given_up, progress_at, waits_since) = (false, false, now, now);
        let drain = JoinSet::new();
        Self { body, buffer, searched, number, is_over, stall_time, progress_at, waits_since, is_given_up, drain }
    }

    fn note_progress(&mut self) {
        let now = Instant::now();
        (self.progress_at, self.waits_since) = (now, now);
    }

    /// Takes no more lines, and throws away what still comes: within [`DISCARD_TIME`], and until nothing comes for the stall
    /// time.
    fn give_up(&mut self) {
        self.is_given_up = true;
        self.buffer = BytesMut::new();
        let (mut body, stall_time) = (std::mem::take(&mut self.body), self.stall_time);
        self.drain.spawn(async move {
            let read = async { while let Ok(Some(Ok(_))) = tokio::time::timeout(stall_time, body.frame()).await {} };
            // One who sends for longer does not mean to read.
            let _ = tokio::time::timeout(DISCARD_TIME, read).await;
        });
    }

    fn is_draining(&mut self) -> bool {
        while self.drain.try_join_next().is_some() {}
        !self.drain.is_empty()
    }

    /// Waits until nothing more comes of a body that was given up.
    async fn drained(&mut self) {
        while self.drain.join_next().await.is_some() {}
    }

    /// The next line, or an error when none comes in time and `may_stall` says that the client is waited for. May be given
    /// up and called again: nothing is lost.
    async fn next(&mut self, may_stall: bool) -> Result<Option<(u64, Bytes)>, (u64, Problem)> {
        loop {
            while let Some(at) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + at + 1).freeze();
                self.searched = 0;
                self.number += 1;
                if !is_blank(&line) {
                    self.waits_since = Instant::now();
                    return Ok(Some((self.number, line)));
                }
            }
            self.searched = self.buffer.len();
            if self.is_over {
                let rest = self.buffer.split().freeze();
                self.searched = 0;
                self.number += 1;
                return Ok((!is_blank(&rest)).then_some((self.number, rest)));
            }
            if self.buffer.len() > MAX_BODY_BYTES {
                let problem = Problem::new(ErrorCode::TooLarge, format!("a line has at most {MAX_BODY_BYTES} bytes"));
                return Err((self.number + 1, problem));
            }
            let late_at = (self.progress_at + self.stall_time).min(self.waits_since + LINE_TIME);
            let frame = tokio::select! {
                frame = self.body.frame() => frame,
                () = tokio::time::sleep_until(late_at), if may_stall => {
                    return Err((self.number + 1, no_progress()));
                }
            };
            match frame {
                None => self.is_over = true,
                Some(Ok(frame)) => {
                    self.progress_at = Instant::now();
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => {
                    let problem = Problem::new(ErrorCode::MalformedJson, format!("the body broke off: {error}"));
                    return Err((self.number + 1, problem));
                }
            }
        }
    }
}

/// Whether a line has nothing in it, but perhaps the byte order mark of its file.
fn is_blank(line: &[u8]) -> bool {
    without_byte_order_mark(line).iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(text: &'static str) -> Vec<(u64, String)> {
        let mut lines = Lines::new(Body::from(text), Duration::from_secs(10));
        let mut all = Vec::new();
        while let Some((number, line)) = lines.next(true).await.unwrap() {
            all.push((number, String::from_utf8_lossy(&line).trim_end().to_owned()));
        }
        all
    }

    #[tokio::test]
    async fn lines_are_cut_and_counted() {
        for (text, expected) in [
            ("", &[][..]),
            ("\n\r\n  \n", &[]),
            ("a", &[(1, "a")]),
            ("a\nb\n", &[(1, "a"), (2, "b")]),
            ("a\r\n\r\nb", &[(1, "a"), (3, "b")]),
            ("\u{feff}\na", &[(2, "a")]),
        ] {
            let expected: Vec<_> = expected.iter().map(|&(number, line)| (number, line.to_owned())).collect();
            assert_eq!(lines(text).await, expected, "{text:?}");
        }
    }

    /// A body whose pieces come when the test sends them.
    struct Pieces(mpsc::Receiver<Bytes>);

    impl futures_core::Stream for Pieces {
        type Item = Result<Bytes, std::convert::Infallible>;

        fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0.poll_recv(context).map(|piece| piece.map(Ok))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_makes_no_progress_is_given_up_however_it_drips() {
        for (pause_s, expected_s) in [(1_000, 10), (11, 10), (1, 60), (9, 60)] {
            let (send, pieces) = mpsc::channel(1);
            tokio::spawn(async move {
                while send.send(Bytes::from_static(b"\n ")).await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(pause_s)).await;
                }
            });
            let mut lines = Lines::new(Body::from_stream(Pieces(pieces)), Duration::from_secs(10));
            let began = Instant::now();
            let (_, problem) = lines.next(true).await.expect_err("no line comes");
            assert_eq!(problem.code, ErrorCode::RequestTimeout);
            assert_eq!(began.elapsed().as_secs(), expected_s, "a piece every {pause_s} s");
        }
    }
}
