//! Sends one spooled blob to a closed file of the cluster, as often as it takes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use campusdisk_core::ErrorKind;
use futures::future::{join_all, try_join};
use futures::stream;
use reqwest::{Body, Url};
use tokio::sync::watch;

use crate::WritePath;
use crate::cluster::Cluster;
use crate::error::Failure;
use crate::file::{NewFile, SentFile};
use crate::pace::{self, Turn};
use crate::spool::SpoolReader;
use crate::web::{DataNode, Web};
use crate::{native, replicas};

/// Sends what `spool` has and will have, to a file that will be `name`. Ends after the blob has ended, the file has its
/// length, and its blocks have their replicas, as far as that can be had.
///
/// # Cancel safety
/// What was sent is deleted in the background; `tidy` finds what a server still made.
pub(crate) async fn send(
    cluster: Arc<Cluster>,
    name: String,
    spool: SpoolReader,
) -> Result<SentFile, Failure> {
    let file = match cluster.web.as_ref().filter(|web| !web.rest.lasts()) {
        Some(web) => match quickly(&cluster, web, &name, &spool).await? {
            Some(file) => file,
            None => surely(&cluster, web, &name, &spool).await?,
        },
        None => native::send(&cluster, &name, &spool).await?,
    };
    let Some(len_bytes) = spool.whole_bytes() else {
        let says = "a file was closed before its blob had ended";
        return Err(Failure::new(ErrorKind::Internal, says));
    };
    let sent = file.sent(len_bytes).await?;
    replicas::await_two(&cluster, &sent).await;
    Ok(sent)
}

/// Sends by the client library, which is quicker, while nothing has failed lately; `None` where WebHDFS is to be used.
async fn quickly(
    cluster: &Arc<Cluster>,
    web: &Web,
    name: &str,
    spool: &SpoolReader,
) -> Result<Option<NewFile>, Failure> {
    let config = &cluster.config;
    // The library syncs every block, whether or not that is wanted.
    let is_wanted = config.write_path == WritePath::Auto && config.sync_blocks;
    if !is_wanted || cluster.native_rest.lasts() || !cluster.avoid.now().is_empty() {
        return Ok(None);
    }
    let Ok(_turn) = cluster.native_writes.try_acquire() else {
        return Ok(None);
    };
    let file = NewFile::fresh(cluster, name);
    let writer = native::create(cluster, &file, config.replication).await;
    let is_made = writer.is_ok();
    let sent = match writer {
        Ok(writer) => native::write(cluster, writer, spool.clone()).await,
        Err(failure) => Err(failure),
    };
    match sent {
        Ok(()) => Ok(Some(file)),
        // Room that is used up is so for everybody.
        Err(failure) if failure.kind() == ErrorKind::LimitExceeded => Err(failure),
        Err(failure) => {
            // It can't do without the DataNode that failed. It is only ever a shorter way: WebHDFS has the last word.
            cluster.native_rest.begin();
            cluster.resent.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%name, %failure, "a blob is sent again by WebHDFS, as others are for a while");
            // Else it is the NameNode that failed, and nobody else was asked.
            if is_made && let Err(failure) = avoid_silent(cluster, web, &file).await {
                tracing::debug!(%name, %failure, "it is not known which DataNode failed");
            }
            Ok(None)
        }
    }
}

/// Sends by WebHDFS, which outlives DataNodes, and by the client library where nobody is reached by HTTP.
async fn surely(
    cluster: &Arc<Cluster>,
    web: &Web,
    name: &str,
    spool: &SpoolReader,
) -> Result<NewFile, Failure> {
    match by_web(cluster, web, name, spool).await {
        Err(failure) if failure.is_unreached() && cluster.config.write_path == WritePath::Auto => {
            let sent = native::send(cluster, name, spool).await?;
            // Where that does not work either, it is not HTTP that is away: a NameNode that restarts is asked by HTTP again.
            rest(cluster, &failure);
            Ok(sent)
        }
        sent => sent,
    }
}

/// Leaves HTTP alone for a while.
fn rest(cluster: &Cluster, failure: &Failure) {
    tracing::warn!(
        store = %cluster.info.name, %failure,
        "blobs are written by the client library for a while, which does not outlive DataNodes as well"
    );
    // What could not be reached by HTTP need not be dead.
    cluster.avoid.forgive_all();
    if let Some(web) = &cluster.web {
        web.rest.begin();
    }
}

async fn by_web(
    cluster: &Arc<Cluster>,
    web: &Web,
    name: &str,
    spool: &SpoolReader,
) -> Result<NewFile, Failure> {
    let (mut pauses, mut takeover) = (pace::pauses(), pace::takeover_pauses());
    loop {
        let file = NewFile::fresh(cluster, name);
        let outcome = match place(cluster, web, &file).await {
            Ok(place) => put(cluster, web, &place, spool).await,
            // Every NameNode was asked.
            Err(failure) if failure.is_of_connection() => return Err(failure),
            Err(failure) => Err(failure),
        };
        let Err(failure) = outcome else {
            return Ok(file);
        };
        let pause = match failure.is_without_active() {
            true => takeover.next(),
            false => pauses.next().filter(|_| failure.may_pass()),
        };
        let Some(pause) = pause else { return Err(failure) };
        tracing::debug!(%name, %failure, "a blob is sent again");
        drop(file);
        cluster.resent.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(pause).await;
    }
}

/// Where to write `file`. A list that leaves no DataNode is cut until it leaves one.
async fn place(cluster: &Cluster, web: &Web, file: &NewFile) -> Result<Url, Failure> {
    loop {
        let avoided: Vec<_> = cluster.avoid.now().into_iter().map(|node| node.address).collect();
        match web.place(file.path(), &cluster.config, &avoided).await {
            Err(failure) if failure.is_without_data_node() && cluster.avoid.forgive_oldest() => {}
            placed => return placed,
        }
    }
}

/// Sends the whole spool to one DataNode, which is avoided from now on when it does not answer any more.
async fn put(cluster: &Cluster, web: &Web, place: &Url, spool: &SpoolReader) -> Result<(), Failure> {
    let (turn, turns) = watch::channel(Turn::Ours);
    let put = web.put(place.clone(), body(spool.clone(), turn));
    let gap = cluster.config.write_gap;
    let failure = match pace::watched(put, turns, gap, || web.answers(place)).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(failure)) => failure,
        Err(limit) => Failure::silent("write_gap", limit),
    };
    if failure.is_of_connection() && !web.answers(place).await {
        avoid(cluster, web, place).await;
    }
    Err(failure)
}

async fn avoid(cluster: &Cluster, web: &Web, place: &Url) {
    let nodes = web.data_nodes().await.unwrap_or_default();
    if let Some(node) = nodes.into_iter().find(|node| node.serves(place)) {
        note(cluster, node);
    }
}

/// Avoids the DataNodes that were to take the last block of `file` and do not answer: the client library can't say which
/// of them failed.
async fn avoid_silent(cluster: &Cluster, web: &Web, file: &NewFile) -> Result<(), Failure> {
    let (blocks, nodes) = try_join(web.replicas(file.path()), web.data_nodes()).await?;
    let takers = blocks.last().map_or(&[][..], Vec::as_slice);
    let questions = nodes
        .into_iter()
        .filter(|node| takers.contains(&node.transfer))
        .map(async |node| {
            if !web.is_up(&node).await {
                note(cluster, node);
            }
        });
    join_all(questions).await;
    Ok(())
}

fn note(cluster: &Cluster, node: DataNode) {
    tracing::warn!(store = %cluster.info.name, node = node.transfer, "a DataNode does not answer and is avoided");
    cluster.avoid.note(node.transfer);
}

fn body(spool: SpoolReader, turn: watch::Sender<Turn>) -> Body {
    Body::wrap_stream(stream::try_unfold(
        (spool, turn, 0),
        |(mut spool, turn, at)| async move {
            turn.send_replace(Turn::Ours);
            let Some(piece) = spool.piece(at).await? else {
                turn.send_replace(Turn::Theirs(at));
                return Ok::<_, std::io::Error>(None);
            };
            let end = at + piece.len() as u64;
            turn.send_replace(Turn::Theirs(end));
            Ok(Some((piece, (spool, turn, end))))
        },
    ))
}
