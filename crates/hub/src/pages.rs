//! Reading pages of logs for shards, a bounded number at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ordercast_protocol::channel::{Log, View};
use ordercast_store::StoreError;
use ordercast_store::log::{LogPage, PageLimit, PageQuery, ReadLogs};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A page, or why it could not be read; `None` when nobody wanted it any more when its turn came.
pub(crate) type ReadPage = Option<Result<LogPage, StoreError>>;

/// Called with the page, on a thread of the runtime.
pub(crate) type OnPage = Box<dyn FnOnce(ReadPage) + Send>;

/// How many want a page.
pub(crate) type Wanted = Arc<AtomicUsize>;

/// One page to be read.
pub(crate) struct PageRequest {
    pub(crate) log: Log,
    pub(crate) view: View,
    pub(crate) after: u64,
    /// Whether the topics of the events are read with them.
    pub(crate) with_topics: bool,
    /// A page that no connection wants any more is not read; `None` is read in any case.
    pub(crate) wanted: Option<Wanted>,
    pub(crate) on_page: OnPage,
}

/// Where shards send their requests: at most one for each connection and each log waits.
pub(crate) type PageSender = mpsc::Sender<PageRequest>;

/// Reads pages until every sender is gone; what is then unread is dropped.
pub(crate) async fn read_pages(
    logs: Arc<dyn ReadLogs>,
    limit: PageLimit,
    max_reads: usize,
    mut requests: mpsc::Receiver<PageRequest>,
) {
    let mut reads = JoinSet::new();
    loop {
        tokio::select! {
            request = requests.recv(), if reads.len() < max_reads.max(1) => match request {
                Some(request) => {
                    reads.spawn(read_page(Arc::clone(&logs), limit, request));
                }
                None => break,
            },
            Some(_) = reads.join_next(), if !reads.is_empty() => {}
        }
    }
    reads.shutdown().await;
}

async fn read_page(logs: Arc<dyn ReadLogs>, limit: PageLimit, request: PageRequest) {
    if request.wanted.is_some_and(|wanted| wanted.load(Ordering::Relaxed) == 0) {
        return (request.on_page)(None);
    }
    let query = PageQuery::after(request.log, request.view, request.after, limit);
    let page = logs.log_page(PageQuery { with_topics: request.with_topics, ..query }).await;
    (request.on_page)(Some(page));
}
