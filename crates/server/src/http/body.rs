//! Bodies of requests: what they may be, how long they may take, and how they are packed.

use std::io::{self, BufRead, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use flate2::bufread::MultiGzDecoder;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};
use ordercast_protocol::error::{ErrorCode, FieldError};
use ordercast_protocol::excerpt::excerpt;
use ordercast_protocol::fields::without_byte_order_mark;
use ordercast_protocol::limits::{MAX_BODY_BYTES, MAX_IDEMPOTENCY_KEY_BYTES};

use crate::app::App;
use crate::app::body_capacity::Part;
use crate::problem::Problem;

/// How much of a refused body is read and thrown away, and for how long.
const MAX_DISCARDED_BYTES: usize = 8 * MAX_BODY_BYTES;
const DISCARD_TIME: Duration = Duration::from_secs(2);
/// Bytes that are unpacked at a time: however well a body is packed, no more of it stands in memory than is asked for.
const UNPACKED_BYTES: usize = 16 * 1024;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A body of JSON, without a byte order mark in front of it.
pub(crate) async fn read_json<B>(app: &App, headers: &HeaderMap, body: B) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    require_json(headers)?;
    let body = read_body(app, headers, body).await?;
    Ok(body.slice_ref(without_byte_order_mark(&body)))
}

/// A body of any other type is refused by name; none is taken for JSON.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(content_type) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = content_type.to_str().unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    let essence = excerpt(&essence);
    let detail = format!("{essence} is not taken; send the header Content-Type: application/json");
    Err(Problem::new(ErrorCode::UnsupportedMediaType, detail))
}

/// The client's key; a malformed one is an error with the code `invalid`. A header without a value is malformed: a client
/// that sends it means to be protected.
pub(crate) fn idempotency_key(headers: &HeaderMap, invalid: ErrorCode) -> Result<Option<Arc<str>>, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let detail = match key.to_str() {
        Ok(_) if keys.next().is_some() => "must be sent once".to_owned(),
        Ok(key) if (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&key.len()) => return Ok(Some(key.into())),
        _ => format!("must have 1 to {MAX_IDEMPOTENCY_KEY_BYTES} visible ASCII characters"),
    };
    let fields = vec![FieldError::new("/Idempotency-Key", detail.clone())];
    Err(Problem { fields, ..Problem::new(invalid, format!("Idempotency-Key {detail}")) })
}

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// It is sent as it is.
    None,
    /// In gzip (RFC 1952).
    Gzip,
}

/// How the headers say that the body is packed; any other way is refused by its name (RFC 9110 §8.4).
pub(crate) fn packing(headers: &HeaderMap) -> Result<Packing, Problem> {
    let mut packing = Packing::None;
    for value in headers.get_all(CONTENT_ENCODING) {
        for coding in value.to_str().unwrap_or("?").split(',').map(str::trim) {
            let is_gzip = coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip");
            if is_gzip && packing == Packing::None {
                packing = Packing::Gzip;
            } else if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") {
                let coding = excerpt(coding);
                let detail = format!(
                    "Content-Encoding: {coding}{} is not taken; send the body as it is, or once in gzip",
                    if is_gzip { " twice" } else { "" }
                );
                return Err(Problem::new(ErrorCode::UnsupportedMediaType, detail));
            }
        }
    }
    Ok(packing)
}

/// Reads a body up to the limit, unpacked, within the time for a request's head. What came in one piece is not copied.
pub(crate) async fn read_body<B>(app: &App, headers: &HeaderMap, body: B) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    match packing(headers)? {
        Packing::None => read(app, body).await,
        Packing::Gzip => read(app, Unpacked::new(body)).await,
    }
}

async fn read<B>(app: &App, mut body: B) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let timeout = app.config.handshake_timeout;
    match tokio::time::timeout(timeout, collect(&mut body, app.bodies.part())).await {
        Ok(Err(problem)) if problem.code == ErrorCode::TooLarge => {
            discard(body).await;
            Err(problem)
        }
        Ok(body) => body,
        Err(_) => Err(Problem::new(
            ErrorCode::RequestTimeout,
            format!("the body did not come within {} s", timeout.as_secs_f32()),
        )),
    }
}

/// Takes the rest of a body that was refused, up to a bound: closing on unread data resets the connection, and the
/// client would never see why.
async fn discard<B: Body<Data = Bytes> + Unpin>(mut body: B) {
    let mut left = MAX_DISCARDED_BYTES;
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    // A client that sends slowly has been answered long enough.
    let _ = tokio::time::timeout(DISCARD_TIME, read).await;
}

async fn collect<B>(body: &mut B, mut room: Part<'_>) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let too_large = || Problem::new(ErrorCode::TooLarge, format!("a body has at most {MAX_BODY_BYTES} bytes"));
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Problem::new(ErrorCode::MalformedJson, format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        room.grow(data.len())?;
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&data);
        }
        if first.len().max(rest.len()) > MAX_BODY_BYTES {
            return Err(too_large());
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// A body in gzip, unpacked piece by piece as it is read.
pub(crate) struct Unpacked<B> {
    body: B,
    reader: MultiGzDecoder<Packed>,
}

/// The packed bytes that have come and are not unpacked yet.
#[derive(Default)]
struct Packed {
    waiting: Bytes,
    is_over: bool,
}

impl<B> Unpacked<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { body, reader: MultiGzDecoder::new(Packed::default()) }
    }
}

impl Read for Packed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let taken = self.fill_buf()?.read(out)?;
        self.consume(taken);
        Ok(taken)
    }
}

impl BufRead for Packed {
    /// Says that it would block while more is to come.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.waiting.is_empty() && !self.is_over {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(&self.waiting)
    }

    fn consume(&mut self, amount: usize) {
        self.waiting.advance(amount);
    }
}

impl<B> Body for Unpacked<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self { body, reader } = self.get_mut();
        // A little that came may be a lot unpacked: others get their turn between the pieces.
        ready!(tokio::task::coop::poll_proceed(context)).made_progress();
        let mut piece = vec![0; UNPACKED_BYTES];
        loop {
            match reader.read(&mut piece) {
                Ok(0) => return Poll::Ready(None),
                Ok(length) => {
                    piece.truncate(length);
                    return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Some(Err(io::Error::other(format!("it is no gzip: {error}"))))),
            }
            match ready!(Pin::new(&mut *body).poll_frame(context)) {
                Some(Ok(frame)) => reader.get_mut().waiting = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error.to_string())))),
                None => reader.get_mut().is_over = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use hyper::header::HeaderValue;

    use super::*;
    use crate::app::body_capacity::BodyCapacity;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// A body that comes in these pieces.
    struct Pieces(VecDeque<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }

    async fn unpacked(bytes: &[u8], piece: usize) -> Result<Bytes, Problem> {
        let pieces = bytes.chunks(piece).map(Bytes::copy_from_slice).collect();
        let room = BodyCapacity::new(usize::MAX);
        collect(&mut Unpacked::new(Pieces(pieces)), room.part()).await
    }

    #[tokio::test]
    async fn gzip_is_unpacked_whatever_pieces_it_comes_in() {
        let text: Vec<u8> = (0..50_000u32).flat_map(|n| (n % 251).to_le_bytes()).collect();
        let two_members = [packed(&text), packed(b"more")].concat();
        for piece in [1, 7, 4_096, 1 << 20] {
            assert_eq!(unpacked(&two_members, piece).await.unwrap(), [&text[..], b"more"].concat(), "{piece}");
        }
    }

    #[tokio::test]
    async fn what_is_no_gzip_or_too_much_is_refused() {
        let whole = packed(&b"{}".repeat(1_000));
        for broken in [&b"{}"[..], b"", &whole[..whole.len() - 3], &[&whole[..], b"rest"].concat()] {
            assert_eq!(unpacked(broken, 100).await.unwrap_err().code, ErrorCode::MalformedJson, "{}", broken.len());
        }
        let bomb = packed(&vec![b' '; 64 * MAX_BODY_BYTES]);
        assert!(bomb.len() < MAX_BODY_BYTES);
        assert_eq!(unpacked(&bomb, 1 << 20).await.unwrap_err().code, ErrorCode::TooLarge);
    }

    #[test]
    fn packings_are_known_by_their_names() {
        for (values, expected) in [
            (&[][..], Ok(Packing::None)),
            (&["identity"], Ok(Packing::None)),
            (&[""], Ok(Packing::None)),
            (&["gzip"], Ok(Packing::Gzip)),
            (&["X-GZIP", "identity"], Ok(Packing::Gzip)),
            (&["br"], Err("br")),
            (&["gzip, zstd"], Err("zstd")),
            (&["gzip", "gzip"], Err("gzip twice")),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(value));
            }
            match (packing(&headers), expected) {
                (Err(problem), Err(name)) => assert!(problem.detail.contains(name), "{problem:?}"),
                (found, expected) => assert_eq!(found.ok(), expected.ok(), "{values:?}"),
            }
        }
    }

    #[test]
    fn keys_are_bounded_and_sent_once() {
        let long = "k".repeat(MAX_IDEMPOTENCY_KEY_BYTES + 1);
        for (values, expected) in [
            (&[][..], Ok(None)),
            (&[""], Err(())),
            (&["k"], Ok(Some("k"))),
            (&[&long[1..]], Ok(Some(&long[1..]))),
            (&[&long], Err(())),
            (&["a", "b"], Err(())),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IDEMPOTENCY_KEY, HeaderValue::from_str(value).unwrap());
            }
            let key = idempotency_key(&headers, ErrorCode::InvalidOrder).map_err(|_| ());
            assert_eq!(key, expected.map(|key| key.map(Arc::from)), "{values:?}");
        }
    }
}
