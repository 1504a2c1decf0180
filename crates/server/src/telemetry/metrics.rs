//! `GET /metrics`, in the text format of Prometheus or in OpenMetrics.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::HeaderMap;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use ordercast_engine::encode;
use ordercast_engine::stats::Histogram;
use ordercast_protocol::error::ErrorCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::app::{App, BULK_ANSWER_UNIT};
use crate::http::accept;
use crate::problem::Problem;

const OPEN_METRICS: &str = "application/openmetrics-text";
const OPEN_METRICS_CONTENT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain";
const TEXT_CONTENT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// What the names of all metrics begin with. They stand there without it too, as they were named first.
const PREFIX: &str = "ordercast";
/// Histograms of time are kept in microseconds and exported in seconds.
const MICROS_PER_UNIT: u64 = 1_000_000;

/// Reads everything there is to measure at the moment it is asked for; in OpenMetrics for those who prefer it.
pub(crate) async fn serve(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Problem> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Figures(Arc::clone(&app))));
    registry.sub_registry_with_prefix(PREFIX).register_collector(Box::new(Figures(app)));
    let mut out = String::with_capacity(32 * 1024);
    text::encode(&mut out, &registry)
        .map_err(|_| Problem::new(ErrorCode::Internal, "the metrics could not be written"))?;
    let weight = |name| accept::weight(&headers, &ACCEPT, name).unwrap_or(0);
    let is_open_metrics = weight(OPEN_METRICS) > 0 && weight(OPEN_METRICS) >= weight(TEXT);
    let (out, content) = if is_open_metrics { (out, OPEN_METRICS_CONTENT) } else { (plain_text(&out), TEXT_CONTENT) };
    let mut response = Response::new(Body::from(out));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content));
    Ok(response)
}

/// OpenMetrics as the text format that was before it: there a counter's family has the name of its samples, and nothing
/// marks the end.
fn plain_text(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len() + 1024);
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        let help = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' '));
        let kind = lines.peek().and_then(|next| next.strip_prefix("# TYPE ")).and_then(|rest| rest.split_once(' '));
        match (help, kind) {
            (Some((name, text)), Some((_, "counter"))) => {
                out.push_str(&format!("# HELP {name}_total {text}\n# TYPE {name}_total counter\n"));
                lines.next();
            }
            _ if line == "# EOF" => {}
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

struct Figures(Arc<App>);

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figures")
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.orders(&mut encoder)?;
        self.queue(&mut encoder)?;
        self.sockets(&mut encoder)
    }
}

impl Figures {
    fn orders(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self.0.engine.stats();
        let help = "Moves of orders into a status since start.";
        let mut family = encoder.encode_descriptor("orders", help, None, MetricType::Counter)?;
        for (status, count) in stats.moves() {
            ConstCounter::new(count).encode(family.encode_family(&[("status", status)])?)?;
        }
        let help = "Amounts accepted since start, in the major unit.";
        let mut family = encoder.encode_descriptor("orders_revenue", help, None, MetricType::Counter)?;
        for (currency, sum) in stats.revenue() {
            let major: f64 = encode::amount(sum, currency).to_string().parse().unwrap_or(f64::NAN);
            ConstCounter::new(major).encode(family.encode_family(&[("currency", currency.code())])?)?;
        }
        let help = "Errors told to clients since start, by kind.";
        let mut family = encoder.encode_descriptor("errors", help, None, MetricType::Counter)?;
        for code in ErrorCode::ALL {
            let count = ConstCounter::new(self.0.errors.get(code));
            count.encode(family.encode_family(&[("reason", code.name())])?)?;
        }
        let help = "From acceptance to completion.";
        histogram(encoder, "order_processing_latency_seconds", help, &stats.latency_us, MICROS_PER_UNIT)
    }

    fn queue(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self.0.engine.stats();
        for (name, help, value) in [
            ("orders_queue_depth", "Orders that wait for a worker and are not held back.", stats.ready.load(Relaxed)),
            ("orders_limited", "Orders that a limit on work holds back.", stats.limited.load(Relaxed)),
            ("orders_active", "Orders in work.", stats.active.load(Relaxed)),
            ("workers", "Worker slots in the process.", self.0.engine.config().slots as u64),
            ("intake_waiting", "Commands that are not yet acknowledged.", stats.waiting.load(Relaxed)),
            ("intake_capacity", "Most of them.", self.0.engine.config().intake_capacity as u64),
            ("work_claims_waiting", "External workers that wait for orders.", self.0.engine.waiting_claims() as u64),
            ("store_failed", "1 once the store has failed.", u64::from(self.0.engine.failure().is_some())),
            (
                "store_unavailable_seconds",
                "How long another program has had the database locked; 0 when it has not.",
                self.0.engine.unavailable_for().map_or(0, |time| time.as_secs().max(1)),
            ),
            ("store_wal_bytes", "Size of the write-ahead log.", self.0.engine.journal_bytes()),
        ] {
            gauge(encoder, name, help, value)?;
        }
        for (name, help, value) in [
            ("orders_replayed", "Requests answered with an order accepted before.", &stats.replayed),
            ("intake_overloaded", "Commands not taken because a queue was full.", &stats.overloaded),
            ("commits", "Commits that changed something.", &stats.commits),
        ] {
            counter(encoder, name, help, value.load(Relaxed))?;
        }
        histogram(encoder, "commit_sync_seconds", "Writing and syncing one commit.", &stats.sync_us, MICROS_PER_UNIT)?;
        histogram(encoder, "commit_size_commands", "Commands in one commit.", &stats.batch_size, 1)
    }

    fn bulk_answer_bytes(&self) -> usize {
        let app = &self.0;
        app.config.bulk_answer_units().saturating_sub(app.bulk_answers.available_permits()) * BULK_ANSWER_UNIT
    }

    fn sockets(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self.0.hub.stats();
        let count = |number: usize| number as u64;
        for (name, help, value) in [
            ("websocket_connections_active", "WebSockets open now.", count(stats.websockets)),
            ("sse_connections_active", "Event streams open now.", count(stats.streams)),
            ("connections_limit", "Most sockets and streams together.", count(stats.limit)),
            ("hub_shards_lost", "Threads of the hub that ended in a panic.", stats.shards_lost),
            ("subscribers_parked", "Slow subscribers that read on from the log.", stats.parked_now),
            (
                "waiting_event_bytes",
                "Bytes of events that wait for clients or are kept for those who come back, each buffer once.",
                stats.waiting_event_bytes,
            ),
            (
                "waiting_reply_bytes",
                "Bytes of replies that wait for clients, and of their messages that are not whole.",
                stats.waiting_reply_bytes,
            ),
            ("waiting_bytes_limit", "Most bytes of both; new connections are refused beyond.", stats.max_waiting_bytes),
            ("memory_channels", "Channels in memory.", count(stats.memory_channels)),
            ("memory_channel_bytes", "Bytes of publications that channels in memory keep.", stats.memory_bytes),
            (
                "bulk_answer_bytes",
                "Bytes of answers to bulk requests that wait for their clients, in steps of 1,024.",
                count(self.bulk_answer_bytes()),
            ),
            ("request_body_bytes", "Bytes of request bodies on their way.", count(self.0.bodies.bytes())),
            ("http_connections_active", "HTTP connections open now.", count(self.0.http_connections.load(Relaxed))),
            (
                "kernel_tcp_memory_bytes",
                "Memory that the kernel holds for all TCP sockets of this machine; 0 where it does not say.",
                kernel_tcp_memory_bytes(),
            ),
        ] {
            gauge(encoder, name, help, value)?;
        }
        for (name, help, value) in [
            ("connections_accepted", "Sockets and streams opened.", stats.accepted),
            ("connections_refused", "Sockets and streams refused because of the limit.", stats.refused),
            (
                "http_connections_refused",
                "HTTP connections closed at once because too many were open.",
                self.0.http_refused.load(Relaxed),
            ),
            ("frames_received", "Frames received.", stats.frames_in),
            ("frames_sent", "Frames and events sent.", stats.frames_out),
            ("bytes_received", "Bytes received.", stats.bytes_in),
            ("bytes_sent", "Bytes sent.", stats.bytes_out),
            ("socket_writes", "Calls of the kernel that sent something.", stats.writes),
            ("events_delivered", "Events handed to subscribers.", stats.events_delivered),
            ("subscribers_parkings", "Times a slow subscriber was parked.", stats.parked_total),
            ("subscribers_resumed", "Times a parked subscriber read on.", stats.resumed),
            ("ephemeral_dropped", "Ephemeral messages that slow subscribers did not get.", stats.dropped),
            ("log_pages_read", "Pages read for subscribers that catch up.", stats.pages_read),
            (
                "hub_commits_skipped",
                "Announcements that a shard too busy reads from the log instead.",
                stats.commits_skipped,
            ),
            ("log_damaged_reads", "Readers told of a gap because an event is damaged.", stats.damaged_reads),
            ("log_repairs", "Pages read because an announcement was lost.", stats.repairs),
        ] {
            counter(encoder, name, help, value)?;
        }
        Ok(())
    }
}

/// From `/proc/net/sockstat`, which counts pages.
fn kernel_tcp_memory_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4_096;
    let text = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let words = text.lines().find_map(|line| line.strip_prefix("TCP: ")).unwrap_or("");
    let pages = words.split(' ').skip_while(|word| *word != "mem").nth(1);
    pages.and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE_BYTES
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let value = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    value.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    ConstCounter::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn histogram(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    histogram: &Histogram,
    per_unit: u64,
) -> fmt::Result {
    let (buckets, sum) = histogram.snapshot();
    let count = buckets.iter().map(|(_, count)| count).sum();
    // Divided, not multiplied by a fraction, so that a bound is the number that one would write.
    let in_units = |value: u64| value as f64 / per_unit as f64;
    let buckets: Vec<_> =
        buckets.into_iter().map(|(bound, count)| (bound.map_or(f64::INFINITY, in_units), count)).collect();
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    metric.encode_histogram::<NoLabelSet>(in_units(sum), count, &buckets, None)
}
