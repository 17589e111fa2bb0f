//! Long spans, taken from the DataNodes themselves.
//!
//! The client library hands each packet of 64 KiB from a task of its own to the reader, and checks it in software: with a quick client
//! that is most of the work of a download. So who takes much, and quickly, is given what [`transfer`](crate::transfer) reads. Where the
//! blocks lie is asked over HTTP, as the library does not tell. It is only ever a shorter way: where anything about it fails, the library
//! reads, and has the last word on what is wrong.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use crate::avoid::AvoidList;
use crate::blocks::{Block, Located};
use crate::cluster::Cluster;
use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::rest::Rest;
use crate::transfer::{Connection, Reading};

/// What is shorter is not worth the question where it lies.
const LEAST_BYTES: u64 = 4 << 20;

/// How much is asked of a DataNode at once, at most. It waits in the buffers of the connection, so this much is never in memory.
const WINDOW_BYTES: u64 = 32 << 20;

/// How long the NameNode may take to say where blocks lie, and a DataNode to begin.
const LIMIT: Duration = Duration::from_secs(2);

/// How long a DataNode that does not answer is not asked again.
const SHUN_FOR: Duration = Duration::from_secs(60);

/// The DataNodes of a cluster as those who read from them know them.
#[derive(Debug)]
pub(crate) struct DataNodes {
    by_name: bool,
    shunned: AvoidList,
    /// After it was not to be learnt where blocks lie.
    rest: Rest,
    read_bytes: AtomicU64,
}

impl DataNodes {
    /// `None` where they don't speak to us without more ado.
    pub(crate) fn of(hadoop: &Hadoop) -> Option<Self> {
        if hadoop.protects_transfers() {
            return None;
        }
        Some(Self {
            by_name: hadoop.names_data_nodes(),
            shunned: AvoidList::new(SHUN_FOR),
            rest: Rest::default(),
            read_bytes: AtomicU64::new(0),
        })
    }

    /// How many bytes they gave.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed)
    }

    fn is_shunned(&self, address: &str) -> bool {
        self.shunned.now().iter().any(|node| node.address == address)
    }
}

/// A file whose blocks may be taken from DataNodes.
#[derive(Clone, Debug)]
pub(crate) struct WantedFile {
    pub(crate) path: String,
    pub(crate) len_bytes: u64,
    /// When it was changed last, where it may be.
    pub(crate) modified_millis: Option<u64>,
}

/// Where the blocks of one file lie, as far as that was asked; shared by all who read it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Mutex<Known>>);

#[derive(Clone, Debug, Default)]
enum Known {
    #[default]
    Nothing,
    /// It is being asked.
    Soon,
    At(Arc<Located>),
    /// That its blocks don't simply have its bytes.
    OnlyByLibrary,
}

impl Places {
    /// Where the block with the byte at `offset` lies; where that is not known yet, it is asked in the background.
    pub(crate) fn get(
        &self,
        cluster: &Arc<Cluster>,
        wanted: &WantedFile,
        offset: u64,
    ) -> Option<Arc<Located>> {
        let mut known = self.known();
        match &*known {
            Known::Soon | Known::OnlyByLibrary => return None,
            Known::At(located) if located.block_at(offset).is_some() => return Some(Arc::clone(located)),
            Known::At(_) | Known::Nothing => *known = Known::Soon,
        }
        let (places, cluster, wanted) = (self.clone(), Arc::clone(cluster), wanted.clone());
        let runtime = cluster.runtime.clone();
        runtime.spawn(async move {
            let learnt = locate(&cluster, &wanted, offset).await;
            *places.known() = learnt;
        });
        None
    }

    /// Forgets them.
    fn forget(&self) {
        *self.known() = Known::Nothing;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn locate(cluster: &Cluster, wanted: &WantedFile, offset: u64) -> Known {
    let (Some(nodes), Some(web)) = (&cluster.data_nodes, &cluster.web) else {
        return Known::OnlyByLibrary;
    };
    let asked = async {
        let located = web.located(&wanted.path, offset).await?;
        // After the blocks: they never change, so they are those of the file that is looked at now.
        let file = web.file(&wanted.path).await?;
        Ok::<_, Failure>((located, file))
    };
    let failure = match timeout(LIMIT, asked).await {
        Ok(Ok((located, file))) => {
            let same_time = |millis| millis == file.modified_millis;
            let is_wanted = located.file_bytes == wanted.len_bytes
                && located.block_at(offset).is_some()
                && !located.is_being_written
                && file.is_plain()
                && wanted.modified_millis.is_none_or(same_time);
            return match is_wanted {
                true => Known::At(Arc::new(located)),
                false => Known::OnlyByLibrary,
            };
        }
        Ok(Err(failure)) => failure,
        Err(_) => Failure::silent("2 s to say where blocks lie", LIMIT),
    };
    tracing::debug!(path = wanted.path, %failure, "the client library reads for a while");
    nodes.rest.begin();
    Known::Nothing
}

/// One transfer's way to the DataNodes.
#[derive(Debug, Default)]
pub(crate) struct Direct {
    /// The connection used last, and to whom.
    connection: Option<(Connection, String)>,
    /// Who gave wrong bytes or none, though there.
    unfit: Vec<String>,
    is_over: bool,
}

impl Direct {
    /// Asks in the background where `rest` of a file lies, which may soon be wanted.
    pub(crate) fn foresee(
        &self,
        cluster: &Arc<Cluster>,
        places: &Places,
        wanted: &WantedFile,
        rest: &Range<u64>,
    ) {
        drop(self.located(cluster, places, wanted, rest));
    }

    /// Begins to read `rest` of a file, or as much of it as is asked for at once; `None` where the library must read, which it must
    /// until it is known where blocks lie.
    pub(crate) async fn begin(
        &mut self,
        cluster: &Arc<Cluster>,
        places: &Places,
        wanted: &WantedFile,
        rest: &Range<u64>,
    ) -> Option<Window> {
        let (nodes, located) = self.located(cluster, places, wanted, rest)?;
        let offset = rest.start;
        let block = located.block_at(offset)?;
        let len_bytes = (rest.end.min(block.end()) - offset).min(WINDOW_BYTES);
        for replica in &block.replicas {
            let address = replica.address(nodes.by_name);
            if nodes.is_shunned(&address) || self.unfit.contains(&address) {
                continue;
            }
            match self.ask(block, &address, offset, len_bytes).await {
                Ok(reading) => {
                    return Some(Window {
                        nodes: Arc::clone(nodes),
                        reading,
                        len_bytes,
                        address,
                    });
                }
                Err(failure) => self.leave(nodes, address, &failure),
            }
        }
        // Blocks may have moved since.
        places.forget();
        self.is_over = true;
        None
    }

    /// Ends a window in which its DataNode failed.
    pub(crate) fn give_up(&mut self, window: Window, failure: &Failure) {
        self.leave(&window.nodes, window.address, failure);
    }

    /// Does not ask a DataNode again: nobody does for a while where it does not answer.
    fn leave(&mut self, nodes: &DataNodes, address: String, failure: &Failure) {
        tracing::debug!(node = address, %failure, "a DataNode gives no block");
        match failure.is_of_connection() {
            true => nodes.shunned.note(address),
            false => self.unfit.push(address),
        }
    }

    /// The DataNodes and where the blocks lie, when `rest` of a file may be taken from them.
    fn located<'a>(
        &self,
        cluster: &'a Arc<Cluster>,
        places: &Places,
        wanted: &WantedFile,
        rest: &Range<u64>,
    ) -> Option<(&'a Arc<DataNodes>, Arc<Located>)> {
        let nodes = cluster.data_nodes.as_ref()?;
        if self.is_over || rest.end - rest.start < LEAST_BYTES || nodes.rest.lasts() {
            return None;
        }
        Some((nodes, places.get(cluster, wanted, rest.start)?))
    }

    async fn ask(
        &mut self,
        block: &Block,
        address: &str,
        offset: u64,
        len_bytes: u64,
    ) -> Result<Reading, Failure> {
        let token = block.token().ok_or_else(Failure::strange_answer)?;
        let (id, offset) = (block.id(), offset - block.start);
        let kept = self.connection.take().filter(|(_, to)| to == address);
        let asked = async {
            if let Some((connection, _)) = kept
                && let Ok(reading) = connection.read(&id, &token, offset, len_bytes).await
            {
                return Ok(reading);
            }
            // A DataNode ends connections that have rested for some seconds.
            let connection = Connection::open(address).await?;
            connection.read(&id, &token, offset, len_bytes).await
        };
        let begun = timeout(LIMIT, asked).await;
        begun.unwrap_or_else(|_| Err(Failure::silent("2 s to begin with", LIMIT)))
    }

    /// Keeps the connection of a window that was read to its end.
    pub(crate) async fn end(&mut self, window: Window) {
        // All bytes are there; without the leave the connection is just not used again.
        if let Ok(Ok(connection)) = timeout(LIMIT, window.reading.end()).await {
            self.connection = Some((connection, window.address));
        }
    }
}

/// A part of a block that was asked of a DataNode.
#[derive(Debug)]
pub(crate) struct Window {
    nodes: Arc<DataNodes>,
    reading: Reading,
    pub(crate) len_bytes: u64,
    address: String,
}

impl Window {
    /// The next bytes; none when all were given.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let piece = self.reading.next().await?;
        let bytes = piece.as_ref().map_or(0, Bytes::len) as u64;
        self.nodes.read_bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(piece)
    }
}
