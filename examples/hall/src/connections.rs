//! Connections: accepting them, their limits, and their end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use campusdisk_axum::IdleIo;
use hyper::body::Incoming;
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
#[cfg(any(target_os = "linux", target_os = "android"))]
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::config::Config;
use crate::metrics::HttpMetrics;
use crate::page::Answers;

/// HTTP/2 connections whose peer vanished are found by pings this far apart.
const PING_PERIOD: Duration = Duration::from_secs(20);

/// How much of an HTTP/1 connection is read at once, headers included. Larger buffers than this leave the processor's cache
/// before they are used, and the allocator gives them back to the system, which zeroes each page anew (measured: 15 % less
/// processor time for an upload than with the 400 KiB that hyper would take).
const BUFFER_BYTES: usize = 64 << 10;

/// What an HTTP/2 client may send ahead, in one stream and in one connection: 64 KiB, the default, would slow uploads down.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// How much of an answer the system takes beyond what is on its way to the client. Left alone it takes up to 4 MiB for each slow
/// client, and a thousand of those use up what the system gives all sockets together (`net.ipv4.tcp_mem`): then fast ones are slow too.
const UNSENT_BYTES: u32 = 1 << 20;

/// How long accepting pauses when the process has no file descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// All connections of a hall.
pub(crate) struct Connections<Front> {
    builder: auto::Builder<TokioExecutor>,
    graceful: GracefulShutdown,
    tasks: TaskTracker,
    cut: CancellationToken,
    permits: Arc<Semaphore>,
    app: App<Front>,
    header_timeout: Duration,
    response_idle: Duration,
}

/// What answers requests.
#[derive(Clone)]
struct App<Front> {
    front: Front,
    metrics: Arc<HttpMetrics>,
    logs_requests: bool,
}

impl<Front: Answers> Connections<Front> {
    pub(crate) fn new(front: Front, metrics: Arc<HttpMetrics>, config: &Config) -> Self {
        let http = &config.http;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .max_buf_size(BUFFER_BYTES)
            .header_read_timeout(http.header_timeout());
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_PERIOD)
            .keep_alive_timeout(PING_PERIOD)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_concurrent_streams(http.max_streams_per_connection);
        Self {
            builder,
            graceful: GracefulShutdown::new(),
            tasks: TaskTracker::new(),
            cut: CancellationToken::new(),
            permits: Arc::new(Semaphore::new(http.max_connections)),
            app: App {
                front,
                metrics,
                logs_requests: config.log.requests,
            },
            header_timeout: http.header_timeout(),
            response_idle: http.response_idle(),
        }
    }

    /// Accepts connections until `stop`; returns with no new ones accepted and the port free.
    pub(crate) async fn accept(&self, listener: TcpListener, stop: &CancellationToken) {
        bound_unsent(&listener);
        loop {
            // A permit first: connections beyond the limit wait in the system's queue.
            let Some(Ok(permit)) = stop
                .run_until_cancelled(self.permits.clone().acquire_owned())
                .await
            else {
                return;
            };
            match stop.run_until_cancelled(listener.accept()).await {
                None => return,
                Some(Ok((stream, peer))) => self.serve(stream, peer, permit),
                Some(Err(error)) => {
                    // A connection that went away before it was accepted is nobody's trouble; what else there is passes.
                    tracing::warn!(%error, "a connection could not be accepted");
                    if error.kind() != std::io::ErrorKind::ConnectionAborted {
                        tokio::time::sleep(EXHAUSTED_PAUSE).await;
                    }
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr, permit: impl Send + 'static) {
        // Answers are written whole; waiting to fill a packet would only delay their ends.
        let _ = stream.set_nodelay(true);
        let connected = self.app.metrics.connected();
        let has_asked = Arc::new(AtomicBool::new(false));
        let (app, asked) = (self.app.clone(), has_asked.clone());
        let service = hyper::service::service_fn(move |request| {
            asked.store(true, Ordering::Relaxed);
            app.clone().answer(request, peer)
        });
        let io = TokioIo::new(IdleIo::new(stream, self.response_idle));
        let connection = self.builder.serve_connection(io, service).into_owned();
        let connection = self.graceful.watch(connection);
        let (cut, header_timeout) = (self.cut.clone(), self.header_timeout);
        self.tasks.spawn(async move {
            let _open = (permit, connected);
            // Until the version of HTTP is known, hyper's own limit does not hold.
            let silent = async {
                tokio::time::sleep(header_timeout).await;
                if has_asked.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                ended = connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, %error, "a connection broke");
                    }
                }
                () = silent => tracing::debug!(%peer, "a connection asked nothing"),
                () = cut.cancelled() => {}
            }
        });
    }

    /// Ends connections that rest, lets requests go on for `grace`, and returns whether all ended by then.
    pub(crate) async fn drain(&mut self, grace: Duration) -> bool {
        let graceful = std::mem::take(&mut self.graceful);
        self.tasks.close();
        tokio::time::timeout(grace, graceful.shutdown()).await.is_ok()
    }

    /// Waits for `answers` for connections that are about to end, then ends all that are left.
    pub(crate) async fn cut(&self, answers: Duration) {
        if tokio::time::timeout(answers, self.tasks.wait()).await.is_err() {
            self.cut.cancel();
            self.tasks.wait().await;
        }
    }
}

impl<Front: Answers> App<Front> {
    async fn answer(self, request: Request<Incoming>, peer: SocketAddr) -> Result<Response, Infallible> {
        let begun = Instant::now();
        let logged = self
            .logs_requests
            .then(|| (request.method().clone(), shown_path(request.uri().path())));
        let line = |method: &Method, path: &str, response: &Response| {
            let id = response
                .headers()
                .get("x-request-id")
                .and_then(|id| id.to_str().ok())
                .unwrap_or_default();
            tracing::info!(
                %method, path, status = response.status().as_u16(), peer = %peer.ip(), request_id = id,
                ms = begun.elapsed().as_secs_f64() * 1e3, "request"
            );
        };
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = match self.front.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        self.metrics.answered(response.status());
        if let Some((method, path)) = logged {
            line(&method, &path, &response);
        }
        Ok(response)
    }
}

/// Bounds what the system takes of each connection to come. Without that a connection costs memory only.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn bound_unsent(listener: &TcpListener) {
    if let Err(error) = SockRef::from(listener).set_tcp_notsent_lowat(UNSENT_BYTES) {
        tracing::debug!(%error, "the system takes as much of each answer as it likes");
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn bound_unsent(_: &TcpListener) {}

/// A path as it may stand in a log: what follows `/s/` opens a share, and no query is shown at all.
fn shown_path(path: &str) -> String {
    let mut hide = false;
    let shown = path
        .split('/')
        .map(|part| match std::mem::replace(&mut hide, part == "s") {
            true => "…",
            false => part,
        });
    shown.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_s_token_is_not_logged() {
        assert_eq!(shown_path("/s/aBcD/content"), "/s/…/content");
        assert_eq!(shown_path("/disk/s/aBcD"), "/disk/s/…");
        assert_eq!(shown_path("/api/v1/nodes/7/children"), "/api/v1/nodes/7/children");
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[tokio::test]
    async fn what_the_system_takes_is_bounded_for_connections_to_come() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        bound_unsent(&listener);
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let bound = |stream| SockRef::from(stream).tcp_notsent_lowat().unwrap();
        assert_eq!(bound(&server), UNSENT_BYTES);
        assert_ne!(bound(&client), UNSENT_BYTES);
    }
}
