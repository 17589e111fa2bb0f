//! The suite of caches finds caches that break a rule.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::{ChunkCache, ContentId};
use campusdisk_testkit::cache::{CacheHarness, MemoryCacheHarness, cases};

/// How a cache is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    CutsLongChunks,
    LosesEmptyChunks,
    IgnoresTheNumber,
    IgnoresTheContent,
    HoldsAll,
    KeepsNothing,
}

/// A cache with a flaw.
#[derive(Clone, Debug)]
struct Wrong(Flaw, Arc<Mutex<HashMap<(ContentId, u64), Bytes>>>);

impl Wrong {
    fn key(&self, content: ContentId, number: u64) -> (ContentId, u64) {
        match self.0 {
            Flaw::IgnoresTheNumber => (content, 0),
            Flaw::IgnoresTheContent => (ContentId::from_u128(0), number),
            _ => (content, number),
        }
    }
}

#[async_trait]
impl ChunkCache for Wrong {
    async fn chunk(&self, content: ContentId, number: u64) -> Option<Bytes> {
        let found = self.1.lock().unwrap().get(&self.key(content, number)).cloned();
        found.filter(|chunk| self.0 != Flaw::LosesEmptyChunks || !chunk.is_empty())
    }

    async fn keep(&self, content: ContentId, number: u64, mut chunk: Bytes) {
        match self.0 {
            Flaw::KeepsNothing => return,
            Flaw::CutsLongChunks => chunk.truncate(65_536),
            _ => {}
        }
        self.1.lock().unwrap().insert(self.key(content, number), chunk);
    }
}

#[async_trait]
impl CacheHarness for Wrong {
    fn cache(&self) -> Arc<dyn ChunkCache> {
        Arc::new(self.clone())
    }

    fn limit_bytes(&self) -> u64 {
        8 << 20
    }

    async fn settle(&self) {}
}

/// Asserts that each case fails on a cache with its flaw, and passes on one without.
macro_rules! found {
    ($($test:ident: $flaw:ident by $case:ident;)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let wrong = Wrong(Flaw::$flaw, Arc::default());
            let case = tokio::spawn(async move { cases::$case(&wrong).await });
            // What must come true and never does is a failure as well.
            let outcome = tokio::time::timeout(std::time::Duration::from_secs(2), case).await;
            let passed = outcome.is_ok_and(|outcome| outcome.is_ok());
            assert!(!passed, concat!(stringify!($case), " let it pass"));
            cases::$case(&MemoryCacheHarness::fresh()).await;
        }
    )+};
}

found! {
    a_cache_that_cuts_chunks_is_found: CutsLongChunks by h1_what_was_kept_comes_back_whole;
    a_cache_that_keeps_nothing_is_found: KeepsNothing by h1_what_was_kept_comes_back_whole;
    a_cache_that_loses_empty_chunks_is_found: LosesEmptyChunks by h1_an_empty_chunk_is_a_chunk;
    a_cache_that_ignores_numbers_is_found: IgnoresTheNumber by h1_what_was_not_kept_is_not_there;
    a_cache_that_ignores_contents_is_found: IgnoresTheContent by h1_what_was_not_kept_is_not_there;
    a_cache_that_mixes_contents_is_found: IgnoresTheContent by h1_contents_and_numbers_do_not_mix;
    a_cache_that_mixes_numbers_at_once_is_found: IgnoresTheNumber by h1_many_at_once_do_not_mix;
    a_cache_without_a_limit_is_found: HoldsAll by h3_no_more_bytes_are_held_than_the_limit;
}
