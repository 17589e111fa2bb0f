//! `/metrics`: what the hall counts, and how its parts are, as text for Prometheus.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Extension;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use campusdisk_axum::{AdminCaller, HostRoutes, Probe};
use campusdisk_core::storage::HealthFacts;
use campusdisk_core::{ChunkCache, ContentId};
use campusdisk_redis::{RedisCacheFacts, RedisChunkCache};
use futures::future::join_all;
use http::{StatusCode, header};
use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use crate::failure::{Failure, Outcome};

/// The media type of Prometheus' text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often what was measured is taken together, whether or not anybody reads it: until then each value lies in memory.
pub(crate) const UPKEEP_PERIOD: Duration = Duration::from_secs(5);

/// What a cache's answers are sorted by, in seconds: from memory in microseconds, from Redis in milliseconds.
const ANSWER_SECONDS: [f64; 9] = [1e-6, 1e-5, 1e-4, 1e-3, 5e-3, 0.025, 0.1, 0.25, 1.0];

const HTTP_ANSWERS: &str = "campusdisk_http_answers_total";
const HTTP_CONNECTIONS: &str = "campusdisk_http_connections";
const CACHE_REQUESTS: &str = "campusdisk_cache_requests_total";
const CACHE_HIT_BYTES: &str = "campusdisk_cache_hit_bytes_total";
const CACHE_OFFERED_BYTES: &str = "campusdisk_cache_offered_bytes_total";
const CACHE_ANSWER_SECONDS: &str = "campusdisk_cache_answer_seconds";
const REDIS_REQUESTS: &str = "campusdisk_redis_requests_total";
const REDIS_CHUNKS: &str = "campusdisk_redis_offered_chunks_total";
const REDIS_QUEUED: &str = "campusdisk_redis_queued_chunks";
const REDIS_OPEN: &str = "campusdisk_redis_breaker_open";
const PART_UP: &str = "campusdisk_part_up";
const PART_FREE_BYTES: &str = "campusdisk_part_free_bytes";
const PART_TOTAL_BYTES: &str = "campusdisk_part_total_bytes";
const PART_FIGURE: &str = "campusdisk_part_figure";

/// Everything that is counted.
pub(crate) struct Metrics(PrometheusRecorder);

impl Metrics {
    pub(crate) fn new() -> Outcome<Self> {
        let builder = PrometheusBuilder::new();
        let answers = Matcher::Full(CACHE_ANSWER_SECONDS.to_owned());
        let builder = builder.set_buckets_for_metric(answers, &ANSWER_SECONDS);
        let builder = builder.map_err(|error| Failure::new(format!("metrics: {error}")))?;
        let metrics = Self(builder.build_recorder());
        with_local_recorder(&metrics.0, describe);
        Ok(metrics)
    }

    /// What connections count.
    pub(crate) fn http(&self) -> Arc<HttpMetrics> {
        let answers = |class: &'static str| counter!(HTTP_ANSWERS, "class" => class);
        with_local_recorder(&self.0, || {
            Arc::new(HttpMetrics {
                answers: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(answers),
                connections: gauge!(HTTP_CONNECTIONS),
            })
        })
    }

    /// The same cache, counted as this tier.
    pub(crate) fn counted(&self, tier: &'static str, cache: Arc<dyn ChunkCache>) -> Arc<dyn ChunkCache> {
        let requests = |outcome: &'static str| counter!(CACHE_REQUESTS, "tier" => tier, "outcome" => outcome);
        let counted = with_local_recorder(&self.0, || CountedCache {
            cache,
            hits: requests("hit"),
            misses: requests("miss"),
            hit_bytes: counter!(CACHE_HIT_BYTES, "tier" => tier),
            offered_bytes: counter!(CACHE_OFFERED_BYTES, "tier" => tier),
            answer_seconds: histogram!(CACHE_ANSWER_SECONDS, "tier" => tier),
        });
        Arc::new(counted)
    }

    /// Takes together what was measured.
    pub(crate) fn upkeep(&self) {
        self.0.handle().run_upkeep();
    }

    fn text(&self) -> String {
        self.0.handle().render()
    }
}

/// What connections count.
pub(crate) struct HttpMetrics {
    answers: [Counter; 5],
    connections: Gauge,
}

impl HttpMetrics {
    /// A request was answered; the body may still be on its way.
    pub(crate) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100);
        if let Some(counter) = self.answers.get(class.wrapping_sub(1)) {
            counter.increment(1);
        }
    }

    /// A connection is there until what this gives is dropped.
    pub(crate) fn connected(self: &Arc<Self>) -> Connected {
        self.connections.increment(1);
        Connected(self.clone())
    }
}

/// One open connection.
pub(crate) struct Connected(Arc<HttpMetrics>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.decrement(1);
    }
}

fn describe() {
    describe_counter!(
        HTTP_ANSWERS,
        "Requests that were answered, by the class of the status."
    );
    describe_gauge!(HTTP_CONNECTIONS, "Connections that are open.");
    describe_counter!(CACHE_REQUESTS, "Chunks asked of a tier of the cache.");
    describe_counter!(CACHE_HIT_BYTES, "Bytes of the chunks that a tier had.");
    describe_counter!(CACHE_OFFERED_BYTES, "Bytes of the chunks that a tier was given.");
    describe_histogram!(CACHE_ANSWER_SECONDS, "How long a tier took to answer.");
    describe_counter!(
        REDIS_REQUESTS,
        "Calls for a chunk on Redis, by what became of them."
    );
    describe_counter!(REDIS_CHUNKS, "Chunks for Redis to keep, by what became of them.");
    describe_gauge!(REDIS_QUEUED, "Chunks that wait to be sent to Redis.");
    describe_gauge!(REDIS_OPEN, "Whether Redis is not asked, as it failed before.");
    describe_gauge!(PART_UP, "Whether a part works.");
    describe_gauge!(
        PART_FREE_BYTES,
        "For how many more bytes a part has room, each copy counted."
    );
    describe_gauge!(
        PART_TOTAL_BYTES,
        "For how many bytes a part has room in all, each copy counted."
    );
    describe_gauge!(PART_FIGURE, "What a part counts itself.");
}

/// What the text is made of when somebody asks for it.
pub(crate) struct MetricsPage {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) parts: Vec<Arc<dyn Probe>>,
    pub(crate) redis: Option<Arc<RedisChunkCache>>,
    /// How long a part may take to say how it is; one that takes longer counts as down.
    pub(crate) limit: Duration,
}

/// `GET /metrics`, for administrators.
pub(crate) fn routes(page: MetricsPage) -> HostRoutes {
    HostRoutes::new()
        .route("/metrics", get(answer))
        .layer(Extension(Arc::new(page)))
}

async fn answer(_: AdminCaller, Extension(page): Extension<Arc<MetricsPage>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], page.text().await)
}

impl MetricsPage {
    async fn text(&self) -> String {
        let parts = join_all(self.parts.iter().map(|part| self.look_at(&**part))).await;
        with_local_recorder(&self.metrics.0, || {
            for (name, facts) in parts {
                write_part(name, facts);
            }
            if let Some(redis) = &self.redis {
                write_redis(&redis.facts());
            }
        });
        self.metrics.text()
    }

    /// How a part is; nothing where it does not work.
    async fn look_at<'a>(&self, part: &'a dyn Probe) -> (&'a str, Option<HealthFacts>) {
        let facts = tokio::time::timeout(self.limit, part.check()).await;
        (part.name(), facts.ok().and_then(Result::ok))
    }
}

fn write_part(part: &str, facts: Option<HealthFacts>) {
    let set = |metric: &'static str, value: u64| gauge!(metric, "part" => part.to_owned()).set(value as f64);
    let is_up = facts.as_ref().is_some_and(|facts| facts.takes_bytes);
    set(PART_UP, is_up.into());
    let Some(facts) = facts else { return };
    if let Some(bytes) = facts.free_bytes {
        set(PART_FREE_BYTES, bytes);
    }
    if let Some(bytes) = facts.total_bytes {
        set(PART_TOTAL_BYTES, bytes);
    }
    for figure in facts.figures {
        gauge!(PART_FIGURE, "part" => part.to_owned(), "figure" => figure.name).set(figure.value as f64);
    }
}

fn write_redis(facts: &RedisCacheFacts) {
    for (outcome, count) in [
        ("hit", facts.hits),
        ("miss", facts.misses),
        ("unusable", facts.unusable),
        ("failed", facts.failures),
        ("skipped", facts.skipped),
    ] {
        counter!(REDIS_REQUESTS, "outcome" => outcome).absolute(count);
    }
    for (outcome, count) in [
        ("kept", facts.kept),
        ("failed", facts.failed_keeps),
        ("dropped", facts.dropped_keeps),
    ] {
        counter!(REDIS_CHUNKS, "outcome" => outcome).absolute(count);
    }
    gauge!(REDIS_QUEUED).set(facts.queued_keeps as f64);
    gauge!(REDIS_OPEN).set(u8::from(facts.is_open));
}

/// Counts what a cache is asked and given.
struct CountedCache {
    cache: Arc<dyn ChunkCache>,
    hits: Counter,
    misses: Counter,
    hit_bytes: Counter,
    offered_bytes: Counter,
    answer_seconds: Histogram,
}

impl fmt::Debug for CountedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cache.fmt(f)
    }
}

#[async_trait]
impl ChunkCache for CountedCache {
    async fn chunk(&self, content: ContentId, number: u64) -> Option<Bytes> {
        let asked = Instant::now();
        let chunk = self.cache.chunk(content, number).await;
        self.answer_seconds.record(asked.elapsed());
        match &chunk {
            Some(bytes) => {
                self.hits.increment(1);
                self.hit_bytes.increment(bytes.len() as u64);
            }
            None => self.misses.increment(1),
        }
        chunk
    }

    async fn keep(&self, content: ContentId, number: u64, chunk: Bytes) {
        self.offered_bytes.increment(chunk.len() as u64);
        self.cache.keep(content, number, chunk).await;
    }
}

#[cfg(test)]
mod tests {
    use campusdisk_core::memory::MemoryChunkCache;

    use super::*;

    #[derive(Debug)]
    struct Part(&'static str, Option<HealthFacts>);

    #[async_trait]
    impl Probe for Part {
        fn name(&self) -> &str {
            self.0
        }

        fn required(&self) -> bool {
            false
        }

        async fn check(&self) -> campusdisk_core::Result<HealthFacts> {
            match &self.1 {
                Some(facts) => Ok(facts.clone()),
                None => std::future::pending().await,
            }
        }
    }

    fn assert_has(text: &str, line: &str) {
        assert!(
            text.lines().any(|known| known == line),
            "{line} is not in\n{text}"
        );
    }

    #[test]
    fn what_is_answered_and_who_is_connected_stands_in_the_text() {
        let metrics = Metrics::new().unwrap();
        let http = metrics.http();
        let (first, second) = (http.connected(), http.connected());
        drop(first);
        for status in [200, 206, 404, 999] {
            http.answered(StatusCode::from_u16(status).unwrap());
        }
        let text = metrics.text();
        for line in [
            "campusdisk_http_answers_total{class=\"2xx\"} 2",
            "campusdisk_http_answers_total{class=\"4xx\"} 1",
            "campusdisk_http_answers_total{class=\"5xx\"} 0",
            "campusdisk_http_connections 1",
        ] {
            assert_has(&text, line);
        }
        drop(second);
        assert!(metrics.text().contains("campusdisk_http_connections 0"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_cache_is_asked_and_how_parts_are_stands_in_the_text() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let cache = metrics.counted("memory", Arc::new(MemoryChunkCache::new(1000)));
        let content = ContentId::from_u128(1);
        assert_eq!(cache.chunk(content, 0).await, None);
        cache.keep(content, 0, Bytes::from_static(b"12345")).await;
        for _ in 0..2 {
            assert!(cache.chunk(content, 0).await.is_some());
        }
        let parts: [Arc<dyn Probe>; 3] = [
            Arc::new(Part("primary", Some(HealthFacts::well()))),
            Arc::new(Part("archive", Some(HealthFacts::well().refusing("it is full")))),
            Arc::new(Part("database", None)),
        ];
        let page = MetricsPage {
            metrics,
            parts: parts.into(),
            redis: None,
            limit: Duration::from_secs(5),
        };
        let text = page.text().await;
        for line in [
            "# TYPE campusdisk_cache_requests_total counter",
            "campusdisk_cache_requests_total{tier=\"memory\",outcome=\"hit\"} 2",
            "campusdisk_cache_requests_total{tier=\"memory\",outcome=\"miss\"} 1",
            "campusdisk_cache_hit_bytes_total{tier=\"memory\"} 10",
            "campusdisk_cache_offered_bytes_total{tier=\"memory\"} 5",
            "# TYPE campusdisk_cache_answer_seconds histogram",
            "campusdisk_cache_answer_seconds_count{tier=\"memory\"} 3",
            "campusdisk_part_up{part=\"primary\"} 1",
            "campusdisk_part_up{part=\"archive\"} 0",
            "campusdisk_part_up{part=\"database\"} 0",
        ] {
            assert_has(&text, line);
        }
        assert!(!text.contains("campusdisk_redis"), "{text}");
    }
}
