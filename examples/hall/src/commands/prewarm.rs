//! `hall prewarm`: bytes that are read into the cache on Redis ahead of need.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::{CampusDisk, ChunkCache, ContentId};
use campusdisk_redis::RedisChunkCache;
use indicatif::BinaryBytes;

use super::with_disk_and_cache;
use crate::cli::PrewarmArgs;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::parts::Records;

/// Does what the command says.
///
/// # Errors
/// Why it can't be done, or that Redis did not take all of it.
pub(crate) async fn run(args: PrewarmArgs) -> Outcome {
    let config = Config::load(args.place.clone().overrides())?;
    let Some(redis) = config.cache.open_redis().await? else {
        return Err(Failure::new(
            "there is nothing to warm: the memory of a running hall is its own, and no Redis that halls share is configured (cache.redis_url)",
        ));
    };
    // What a server that is down would be asked for would not be kept.
    redis.health().await?;
    let records = Records::open(&config).await?;
    let cache = Arc::new(Waiting(redis.clone()));
    let work = async |disk: &CampusDisk| warm(disk, &args).await;
    let outcome = with_disk_and_cache(&config, &records, cache, work).await;
    records.database.close().await;
    redis.shutdown().await;
    outcome?;
    let facts = redis.facts();
    match facts.failed_keeps + facts.dropped_keeps {
        0 => Ok(()),
        lost => Err(Failure::new(format!(
            "Redis did not take {lost} pieces: it is full, or did not answer (see `hall check-config`)"
        ))),
    }
}

async fn warm(disk: &CampusDisk, args: &PrewarmArgs) -> Outcome {
    for &node in &args.nodes {
        let warmed = disk.prewarm(node).await;
        let warmed = warmed.map_err(|error| Failure::from(error).during(node))?;
        println!(
            "{node}  {} files, {}; {} read now",
            warmed.files,
            BinaryBytes(warmed.bytes),
            BinaryBytes(warmed.read_bytes)
        );
    }
    Ok(())
}

/// Reads no faster than Redis takes it.
#[derive(Debug)]
struct Waiting(Arc<RedisChunkCache>);

#[async_trait]
impl ChunkCache for Waiting {
    async fn chunk(&self, content: ContentId, number: u64) -> Option<Bytes> {
        self.0.chunk(content, number).await
    }

    async fn keep(&self, content: ContentId, number: u64, chunk: Bytes) {
        self.0.keep_and_wait(content, number, &chunk).await;
    }
}
