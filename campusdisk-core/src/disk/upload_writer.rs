//! The task that writes one append, and the register of running ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::blobs::Held;
use super::checksum::Checksum;
use super::feed::{Feed, Feeder};
use super::intake::{Intake, Part, Rest};
use super::place::{Stored, signed};
use super::shared::Shared;
use super::upload::{Appended, Appending, arrival_of, check_declared};
use super::watch::Watch;
use crate::catalog::record::{HashState, Upload, UploadKind};
use crate::catalog::{Bound, Change, Counter, Extension, RecordKey};
use crate::{Error, ErrorKind, Result, UploadId};

/// The writers that run in this process.
#[derive(Default)]
pub(super) struct Writers(Mutex<HashMap<UploadId, Running>>);

#[derive(Clone)]
struct Running {
    epoch: u64,
    seal: CancellationToken,
    ended: CancellationToken,
}

impl Writers {
    /// Asks the upload's writer to keep what it has, and waits for its end, at most `wait`.
    pub(super) async fn seal(&self, id: UploadId, wait: Duration) {
        let Some(running) = self.lock().get(&id).cloned() else {
            return;
        };
        running.seal.cancel();
        // A writer that does not end in time is overtaken by a higher epoch.
        drop(tokio::time::timeout(wait, running.ended.cancelled()).await);
    }

    /// Asks every writer to keep what it has.
    pub(super) fn seal_all(&self) {
        self.lock().values().for_each(|running| running.seal.cancel());
    }

    fn enter(&self, id: UploadId, epoch: u64) -> Running {
        let running = Running {
            epoch,
            seal: CancellationToken::new(),
            ended: CancellationToken::new(),
        };
        self.lock().insert(id, running.clone());
        running
    }

    fn leave(&self, id: UploadId, running: &Running) {
        let mut all = self.lock();
        // A writer that was overtaken leaves its successor's entry alone.
        if all.get(&id).is_some_and(|entry| entry.epoch == running.epoch) {
            all.remove(&id);
        }
        running.ended.cancel();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<UploadId, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes one append: the only one that may, as long as its epoch is the upload's.
pub(super) struct Writer {
    shared: Arc<Shared>,
    upload: Upload,
    /// Parts that count only when the checksum fits.
    provisional: Option<Held>,
    taken_bytes: u64,
    watch: Watch,
}

/// How the stream of bytes ended.
enum Ended {
    Whole,
    /// The client went away, or another request asks for the upload.
    Early(Option<Error>),
}

impl Writer {
    /// Starts the writer as a task of the service.
    pub(super) fn start(
        shared: Arc<Shared>,
        upload: Upload,
        checksum: Option<Checksum>,
    ) -> Result<Appending> {
        let expected = upload
            .len_bytes
            .map(|len| len.saturating_sub(upload.offset_bytes));
        let checks: Vec<_> = checksum.into_iter().collect();
        let provisional = (!checks.is_empty()).then(|| Held::new(&shared));
        let intake = Intake::begin(
            shared.clone(),
            shared.store_of(&upload).clone(),
            &upload.hash,
            upload.tail.clone(),
            checks,
            expected,
        )?;
        let (feeder, (pieces, answer)) = Feeder::new(shared.policy.queue_pieces);
        let running = shared.writers.enter(upload.id, upload.epoch);
        if shared.stopping.is_cancelled() {
            // It came too late for the seal of all.
            running.seal.cancel();
        }
        let watch = shared.watch_upload(&upload);
        let taken_bytes = upload.offset_bytes;
        let writer = Self {
            shared: shared.clone(),
            upload,
            provisional,
            taken_bytes,
            watch,
        };
        shared.spawn(async move {
            let (id, shared) = (writer.upload.id, writer.shared.clone());
            let outcome = writer.run(intake, pieces, &running.seal).await;
            shared.writers.leave(id, &running);
            // The request may be gone; what it wanted is done all the same.
            drop(answer.send(outcome));
        });
        Ok(Appending::new(feeder))
    }

    async fn run(
        mut self,
        mut intake: Intake,
        mut pieces: mpsc::Receiver<Feed>,
        seal: &CancellationToken,
    ) -> Result<Appended> {
        let ended = match self.take_all(&mut intake, &mut pieces, seal).await {
            Ok(ended) => ended,
            Err(error) => {
                intake.abort().await;
                return Err(error);
            }
        };
        match ended {
            Ended::Early(reason) if self.provisional.is_some() => {
                intake.abort().await;
                Err(reason.unwrap_or_else(|| {
                    Error::new(
                        ErrorKind::Truncated,
                        "the bytes ended before their checksum fitted",
                    )
                }))
            }
            Ended::Early(reason) => {
                let complete = self.is_complete();
                let appended = self.end(intake, complete).await?;
                match reason {
                    Some(reason) => Err(reason),
                    None => Ok(appended),
                }
            }
            Ended::Whole => {
                let complete = self.is_complete();
                self.end(intake, complete).await
            }
        }
    }

    async fn take_all(
        &mut self,
        intake: &mut Intake,
        pieces: &mut mpsc::Receiver<Feed>,
        seal: &CancellationToken,
    ) -> Result<Ended> {
        let limit = self.upload.len_bytes.unwrap_or(self.shared.policy.max_file_bytes);
        let mut sealed = false;
        loop {
            // Bytes come last: a client that sends without a pause must not keep the others from being heard.
            let fed = tokio::select! {
                biased;
                () = self.watch.ended() => {
                    return Ok(Ended::Early(Some(Error::new(ErrorKind::Denied, "the right to upload here has ended"))));
                }
                () = seal.cancelled(), if !sealed => {
                    // What waits in the queue is still taken; nothing more gets in.
                    sealed = true;
                    pieces.close();
                    continue;
                }
                fed = pieces.recv() => fed,
            };
            let bytes = match fed {
                Some(Feed::Bytes(bytes)) => bytes,
                Some(Feed::End) => return Ok(Ended::Whole),
                None if sealed => return Ok(Ended::Early(Some(self.why_sealed()))),
                None => return Ok(Ended::Early(None)),
            };
            if bytes.len() as u64 > limit - self.taken_bytes.min(limit) {
                let error = Error::new(ErrorKind::LimitExceeded, "the body goes past the upload's length");
                return Ok(Ended::Early(Some(error)));
            }
            self.taken_bytes += bytes.len() as u64;
            for part in intake.write(bytes).await? {
                self.keep(vec![part], Bytes::new()).await?;
            }
        }
    }

    fn why_sealed(&self) -> Error {
        if self.shared.stopping.is_cancelled() {
            Error::new(ErrorKind::Unavailable, "the service is stopping")
        } else {
            Error::new(ErrorKind::Conflict, "another request took this upload over")
        }
    }

    fn is_complete(&self) -> bool {
        self.upload.len_bytes == Some(self.taken_bytes)
    }

    /// Stores what is open; the last bytes make the file.
    async fn end(mut self, intake: Intake, complete: bool) -> Result<Appended> {
        let makes_file = complete && self.upload.kind == UploadKind::File;
        let Rest {
            parts,
            tail,
            hash,
            head,
        } = intake.finish(!complete).await?;
        let held = self.provisional.take().map(Held::release).unwrap_or_default();
        let mut parts = [held, parts].concat();
        if !makes_file {
            self.keep_all(parts, tail, hash).await?;
            return Ok(self.appended(None));
        }
        let head = (self.upload.offset_bytes == 0).then_some(head);
        let made = match self.check_bytes(&parts, &hash).await {
            Ok(()) => self.make_file(&parts, &hash, head).await,
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                // Bytes that are not the declared ones are of no use to anybody.
                self.shared.give_up(&self.upload).await?;
                return Err(error);
            }
            Err(error) => Err(error),
        };
        match made {
            Ok(node) => {
                self.upload.offset_bytes = self.taken_bytes;
                Ok(self.appended(Some(node)))
            }
            Err(error) => {
                // The bytes are whole; they wait for the name to be free, or for the upload's end.
                self.keep_all(std::mem::take(&mut parts), Bytes::new(), hash)
                    .await?;
                Err(error)
            }
        }
    }

    /// Compares the bytes with the declared SHA-256; where they were not hashed on their way, they are read again.
    async fn check_bytes(&self, parts: &[Part], hash: &HashState) -> Result<()> {
        let upload = &self.upload;
        if upload.declared_sha256.is_none() || hash.sha256.is_some() {
            return check_declared(upload, hash);
        }
        let parts = parts.iter().map(|part| &part.extent);
        let extents: Vec<_> = upload.extents.iter().chain(parts).cloned().collect();
        self.shared.verify_declared(upload, &extents).await
    }

    async fn make_file(
        &self,
        parts: &[Part],
        hash: &HashState,
        head: Option<Bytes>,
    ) -> Result<crate::catalog::record::Node> {
        let upload = &self.upload;
        let mut extents = upload.extents.clone();
        let attached = extents.len();
        extents.extend(parts.iter().map(|part| part.extent.clone()));
        let bytes = Stored::Fresh {
            extents,
            attached,
            size_bytes: self.taken_bytes,
            hash: Some(hash.clone()),
            head,
        };
        let arrival = arrival_of(upload, bytes)?;
        let placed = self
            .shared
            .place_file(&arrival, |set, node| {
                set.push(crate::catalog::Expect::UploadAt(
                    upload.id,
                    upload.epoch,
                    upload.offset_bytes,
                ));
                // The extents' references pass to the content: the upload's row is made anew, without any.
                set.push(Change::Delete(RecordKey::Upload(upload.id)));
                set.push(Upload {
                    node: Some(node.id),
                    offset_bytes: self.taken_bytes,
                    tail: Bytes::new(),
                    reserved_bytes: 0,
                    extents: Vec::new(),
                    version: upload.version + 1,
                    ..upload.clone()
                });
            })
            .await?;
        if hash.sha256.is_none() {
            self.shared.hash_later(placed.content);
        }
        Ok(placed.node)
    }

    async fn keep_all(&mut self, parts: Vec<Part>, tail: Bytes, hash: HashState) -> Result<()> {
        let from_bytes = self.upload.offset_bytes;
        if parts.is_empty() && self.taken_bytes == from_bytes {
            return Ok(());
        }
        let to_bytes = self.taken_bytes;
        self.extend(parts, tail, hash, to_bytes).await
    }

    /// Records committed parts in the middle of the append.
    async fn keep(&mut self, parts: Vec<Part>, tail: Bytes) -> Result<()> {
        if let Some(provisional) = &mut self.provisional {
            return provisional.hold(&self.shared, parts).await;
        }
        let Some(last) = parts.last() else { return Ok(()) };
        let hash = last.hash.clone();
        let stored: u64 = self.upload.extents.iter().map(|extent| extent.len_bytes).sum();
        let to_bytes = stored + parts.iter().map(|part| part.extent.len_bytes).sum::<u64>();
        self.extend(parts, tail, hash, to_bytes).await
    }

    async fn extend(&mut self, parts: Vec<Part>, tail: Bytes, hash: HashState, to_bytes: u64) -> Result<()> {
        let extents: Vec<_> = parts.into_iter().map(|part| part.extent).collect();
        let mut set = self.shared.change_set();
        let mut next = self.upload.clone();
        next.extents.extend(extents.iter().cloned());
        next.offset_bytes = to_bytes;
        next.tail = tail.clone();
        next.hash = hash.clone();
        next.expires = set.at + self.shared.policy.upload_rest;
        set.push(Extension {
            upload: next.id,
            epoch: next.epoch,
            from_bytes: self.upload.offset_bytes,
            to_bytes,
            extents,
            tail,
            hash,
            expires: next.expires,
        });
        if next.len_bytes.is_none() && to_bytes > next.reserved_bytes {
            // Nobody said how much would come, so the reservation grows with what came.
            let more = signed(to_bytes - next.reserved_bytes)?;
            set.push(Change::Add(
                Counter::DriveReserved(next.drive),
                more,
                Bound::Quota,
            ));
            next.reserved_bytes = to_bytes;
            next.version += 1;
            set.push(next.clone());
        }
        self.shared.commit(set).await?;
        self.upload = next;
        if self.shared.small_pieces(&self.upload) >= self.shared.policy.max_extents {
            self.upload = self.shared.merge_extents(self.upload.clone()).await?;
        }
        Ok(())
    }

    fn appended(&self, node: Option<crate::catalog::record::Node>) -> Appended {
        Appended {
            offset_bytes: self.upload.offset_bytes,
            expires: self.upload.expires,
            node,
        }
    }
}
