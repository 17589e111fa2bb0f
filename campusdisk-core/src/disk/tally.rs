//! What is told to the tracker of one request's bytes, as they are handed to the connection.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::shared::Shared;
use super::tracker::{Client, Target, Tracked};
use crate::{AccountId, ByteBody, DownloadId, ShareId, Span, Timestamp};

/// How many bytes of a long body are told at once.
const REPORT_BYTES: u64 = 4 << 20;
/// How long a slow body's bytes wait for being told.
const REPORT_PAUSE: Duration = Duration::from_secs(1);

/// One request for bytes. Its clones are the same request, and whatever they fetch counts as one.
#[derive(Clone)]
pub(super) struct Request {
    client: Client,
    address: Option<IpAddr>,
    download: Arc<OnceLock<Arc<Tracked>>>,
}

impl Request {
    pub(super) fn of_account(account: AccountId) -> Self {
        Self::new(Client::Account(account), None)
    }

    pub(super) fn of_visitor(share: ShareId, client: &str, address: IpAddr) -> Self {
        Self::new(Client::Visitor(share, client.into()), None).with_address(address)
    }

    fn new(client: Client, address: Option<IpAddr>) -> Self {
        Self {
            client,
            address,
            download: Arc::default(),
        }
    }

    /// Who asks.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Where it comes from; an unspecified address says nothing.
    pub(super) fn with_address(self, address: IpAddr) -> Self {
        Self {
            address: (!address.is_unspecified()).then_some(address),
            ..self
        }
    }

    /// Has the bytes of a span told to the tracker as they come out. A body that nobody takes a byte of makes no record.
    pub(super) fn follow(
        &self,
        shared: &Arc<Shared>,
        target: Target,
        span: Span,
        body: ByteBody,
    ) -> ByteBody {
        let mut delivery = Delivery {
            shared: shared.clone(),
            request: self.clone(),
            target,
            at: span.start(),
            told: span.start(),
            end: span.end(),
            told_at: Timestamp::default(),
            tracked: None,
        };
        body.tallied(move |bytes| delivery.deliver(bytes))
    }

    /// Tells the tracker of all bytes at once, as somebody else sends them, or there are none.
    pub(super) fn follow_whole(&self, shared: &Shared, target: &Target, whole: Option<Span>) {
        let now = shared.now();
        let tracked = self.join(shared, target, now);
        shared.tracker.report(&tracked, whole, true, now);
    }

    fn join(&self, shared: &Shared, target: &Target, now: Timestamp) -> Arc<Tracked> {
        if let Some(tracked) = self.download.get() {
            tracked.take_part();
            return tracked.clone();
        }
        let id = || DownloadId::generate(now, &*shared.ids);
        let tracked = shared.tracker.join(&self.client, self.address, target, now, id);
        // Parts of one request come one after another, so nobody else was faster.
        let _ = self.download.set(tracked.clone());
        tracked
    }
}

/// The bytes of one body on their way.
struct Delivery {
    shared: Arc<Shared>,
    request: Request,
    target: Target,
    /// Where in the content the next byte stands.
    at: u64,
    /// Up to where the tracker was told.
    told: u64,
    end: u64,
    told_at: Timestamp,
    /// The download, from the first byte to the last.
    tracked: Option<Arc<Tracked>>,
}

impl Delivery {
    fn deliver(&mut self, bytes: u64) {
        self.at = self.at.saturating_add(bytes).min(self.end);
        let now = self.shared.now();
        let is_first = self.tracked.is_none();
        let tracked = match self.tracked.take() {
            Some(tracked) => tracked,
            None => self.request.join(&self.shared, &self.target, now),
        };
        let is_last = self.at == self.end;
        let is_long = self.at - self.told >= REPORT_BYTES || now.since(self.told_at) >= REPORT_PAUSE;
        if is_first || is_last || is_long {
            let span = Span::new(self.told, self.at);
            self.shared.tracker.report(&tracked, span, is_last, now);
            (self.told, self.told_at) = (self.at, now);
        }
        if !is_last {
            self.tracked = Some(tracked);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(tracked) = self.tracked.take() {
            let span = Span::new(self.told, self.at);
            self.shared
                .tracker
                .report(&tracked, span, true, self.shared.now());
        }
    }
}
