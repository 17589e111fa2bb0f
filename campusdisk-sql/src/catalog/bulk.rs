//! Changes of many rows at once.

use std::collections::BTreeMap;

use campusdisk_core::catalog::record::NodeKind;
use campusdisk_core::catalog::{Bound, Bulk, BulkOutcome, Counter};
use campusdisk_core::{DriveId, Error, NodeId, Timestamp};

use super::add;
use super::table::DRIVES;
use crate::failure::{Failure, Outcome};
use crate::session::{Args, Columns, Lock, Row, Session, placeholders};

/// How many nodes or contents one statement takes.
const CHUNK: usize = 512;

const NOTHING: BulkOutcome = BulkOutcome { rows: 0, done: true };

pub(super) async fn apply(session: &mut Session, bulk: &Bulk, at: Timestamp) -> Outcome<BulkOutcome> {
    match *bulk {
        Bulk::Purge { root, limit } => purge(session, root, limit as usize, at).await,
        Bulk::Rehome { root, drive } => rehome(session, root, drive).await,
        Bulk::EndShares { root } => {
            let args = Args::new().time(at).id(root.as_u128());
            let rows = session.execute(END_SHARES, args).await?;
            Ok(BulkOutcome { rows, done: true })
        }
        Bulk::Recount { drive } => recount(session, drive).await,
        Bulk::Forget { before } => {
            let forget = "DELETE FROM applied_sets WHERE at < $1";
            let rows = session.execute(forget, Args::new().time(before)).await?;
            Ok(BulkOutcome { rows, done: true })
        }
        Bulk::ForgetDownloads { before, limit } => {
            let forget = "DELETE FROM downloads WHERE id IN (\
                SELECT id FROM downloads WHERE id < $1 ORDER BY id LIMIT $2)";
            let due = || Args::new().id(before.as_u128());
            let rows = session.execute(forget, due().int(limit.into())).await?;
            let left = "SELECT 1 FROM downloads WHERE id < $1 LIMIT 1";
            let done = session.row(left, due()).await?.is_none();
            Ok(BulkOutcome { rows, done })
        }
    }
}

/// Ends the open shares of a node, `$2`, and of what lies below it. What was deleted before lost its shares then, and one
/// partial index is walked.
const END_SHARES: &str = "WITH RECURSIVE below (id) AS (\
    SELECT id FROM nodes WHERE id = $2 \
    UNION ALL SELECT n.id FROM below JOIN nodes n ON n.parent = below.id WHERE n.trashed_at IS NULL) \
    UPDATE shares SET ended = $1, version = version + 1 \
    WHERE ended IS NULL AND node IN (SELECT id FROM below)";

async fn purge(session: &mut Session, root: NodeId, limit: usize, at: Timestamp) -> Outcome<BulkOutcome> {
    let marked = "SELECT 1 FROM nodes WHERE id = $1 AND trashed_at IS NOT NULL";
    let marked = session.locking(marked, Lock::Alone);
    let args = Args::new().id(root.as_u128());
    if session.row(marked, args).await?.is_none() {
        return Ok(NOTHING);
    }
    // Down into folders first: a folder goes when it is on top of the stack and has no children left.
    let mut stack = vec![root.as_u128()];
    let mut gone = 0;
    let mut freed = Freed::new();
    while let Some(&folder) = stack.last() {
        let room = limit - gone;
        if room == 0 {
            break;
        }
        let children = children(session, folder, room.min(CHUNK)).await?;
        if children.is_empty() {
            remove(session, &[folder], at, &mut freed).await?;
            stack.pop();
            gone += 1;
            continue;
        }
        let files: Vec<_> = children
            .iter()
            .filter_map(|&(id, kind)| (kind == NodeKind::File).then_some(id))
            .collect();
        remove(session, &files, at, &mut freed).await?;
        gone += files.len();
        let folders = children
            .iter()
            .filter_map(|&(id, kind)| (kind == NodeKind::Folder).then_some(id));
        stack.extend(folders);
    }
    // Last, as everybody does it: who puts something into a folder locks that before the drive.
    for (drive, bytes) in freed {
        lessen(session, drive, bytes).await?;
    }
    Ok(BulkOutcome {
        rows: gone as u64,
        done: stack.is_empty(),
    })
}

/// How many bytes of which drives are not used any more, in the order in which all who lock several drives lock them.
type Freed = BTreeMap<u128, u64>;

/// Up to `limit` children of a folder that is locked, live and trashed. They are locked too: what was moved away meanwhile is not
/// among them, and nothing is put into them, or made a version of them, from now on.
async fn children(session: &mut Session, folder: u128, limit: usize) -> Outcome<Vec<(u128, NodeKind)>> {
    // Two branches, because each has its own partial index.
    let [live, trashed] = ["trashed_at IS NULL", "trashed_at IS NOT NULL"].map(|state| {
        // SQLite bounds only the whole; where rows are locked, each branch must be bounded and bracketed by itself.
        match session {
            Session::Sqlite(_) => format!("SELECT id, kind FROM nodes WHERE parent = $1 AND {state}"),
            Session::Postgres(_) => format!(
                "SELECT id, kind FROM (SELECT id, kind FROM nodes WHERE parent = $1 AND {state} \
                 LIMIT $2 FOR UPDATE) AS locked"
            ),
        }
    });
    let select = format!("{live} UNION ALL {trashed} LIMIT $2");
    let args = Args::new().id(folder).count(limit as u64);
    let rows = session.rows(select, args).await?;
    let child = |row: &Row| {
        let mut row = Columns::of(row);
        Ok((row.id()?, row.word()?))
    };
    rows.iter().map(child).collect()
}

/// Removes nodes without children and what hangs on them.
async fn remove(session: &mut Session, nodes: &[u128], at: Timestamp, freed: &mut Freed) -> Outcome<()> {
    if nodes.is_empty() {
        return Ok(());
    }
    let of = in_list(0, nodes.len());
    let args = || id_args(Args::new(), nodes);

    let used = format!(
        "SELECT drive, CAST(SUM(size_bytes) AS BIGINT) FROM versions WHERE node IN ({of}) GROUP BY drive"
    );
    for row in session.rows(used, args()).await? {
        let mut row = Columns::of(&row);
        let (drive, bytes) = (row.id()?, row.count()?);
        let sum = freed.entry(drive).or_default();
        *sum = sum.saturating_add(bytes);
    }
    let released = format!(
        "UPDATE contents SET refs = CASE WHEN refs > n.refs THEN refs - n.refs ELSE 0 END \
         FROM (SELECT content, COUNT(*) AS refs FROM versions WHERE node IN ({of}) GROUP BY content) AS n \
         WHERE contents.id = n.content RETURNING contents.id, contents.refs"
    )
    .replace(
        "refs > n.refs THEN refs - ",
        "contents.refs > n.refs THEN contents.refs - ",
    );
    let mut unreferred = Vec::new();
    for row in session.rows(released, args()).await? {
        let mut row = Columns::of(&row);
        let (content, refs) = (row.id()?, row.count()?);
        if refs == 0 {
            unreferred.push(content);
        }
    }
    let versions = format!("DELETE FROM versions WHERE node IN ({of})");
    session.execute(versions, args()).await?;
    drop_contents(session, &unreferred).await?;

    let list = in_list(1, nodes.len());
    let shares = format!(
        "UPDATE shares SET ended = $1, version = version + 1 WHERE node IN ({list}) AND ended IS NULL"
    );
    session
        .execute(shares, id_args(Args::new().time(at), nodes))
        .await?;
    let nodes = format!("DELETE FROM nodes WHERE id IN ({of})");
    session.execute(nodes, args()).await?;
    Ok(())
}

/// Deletes contents and counts their extents down in the blobs.
async fn drop_contents(session: &mut Session, contents: &[u128]) -> Outcome<()> {
    for contents in contents.chunks(CHUNK) {
        let list = in_list(0, contents.len());
        let args = || id_args(Args::new(), contents);
        let blobs = format!(
            "UPDATE blobs SET refs = CASE WHEN blobs.refs > n.pieces THEN blobs.refs - n.pieces ELSE 0 END \
             FROM (SELECT store, blob, COUNT(*) AS pieces FROM content_extents WHERE content IN ({list}) \
             GROUP BY store, blob) AS n WHERE blobs.store = n.store AND blobs.key = n.blob"
        );
        session.execute(blobs, args()).await?;
        let gone = format!("DELETE FROM contents WHERE id IN ({list})");
        session.execute(gone, args()).await?;
    }
    Ok(())
}

async fn lessen(session: &mut Session, drive: u128, bytes: u64) -> Outcome<()> {
    let less = "UPDATE drives SET used_bytes = CASE WHEN used_bytes > $2 THEN used_bytes - $2 ELSE 0 END \
        WHERE id = $1";
    session.execute(less, Args::new().id(drive).count(bytes)).await?;
    Ok(())
}

async fn rehome(session: &mut Session, root: NodeId, drive: DriveId) -> Outcome<BulkOutcome> {
    let there = session.locking("SELECT 1 FROM nodes WHERE id = $1", Lock::Alone);
    let args = Args::new().id(root.as_u128());
    if session.row(there, args).await?.is_none() {
        return Ok(NOTHING);
    }
    let args = Args::new().id(drive.as_u128());
    if session.row(DRIVES.exists.as_str(), args).await?.is_none() {
        return Err(Failure::Refused(Error::not_found()));
    }
    let mut rows = 0;
    let mut passed = 0u64;
    let mut open = vec![(root.as_u128(), NodeKind::Folder)];
    while let Some((folder, kind)) = open.pop() {
        rows += adopt(session, &[folder], drive, &mut passed).await?;
        if kind == NodeKind::File {
            continue;
        }
        let inside = all_children(session, folder).await?;
        let (folders, files): (Vec<_>, Vec<_>) = inside
            .into_iter()
            .partition(|&(_, kind)| kind == NodeKind::Folder);
        open.extend(folders);
        let files: Vec<_> = files.into_iter().map(|(id, _)| id).collect();
        for files in files.chunks(CHUNK) {
            rows += adopt(session, files, drive, &mut passed).await?;
        }
    }
    let passed = i64::try_from(passed).unwrap_or(i64::MAX);
    add::add(session, Counter::DriveUsed(drive), passed, Bound::Quota).await?;
    Ok(BulkOutcome { rows, done: true })
}

async fn all_children(session: &mut Session, folder: u128) -> Outcome<Vec<(u128, NodeKind)>> {
    children(session, folder, i32::MAX as usize).await
}

/// Gives nodes and their versions to a drive, takes the versions' bytes from where they were counted, and says how many
/// nodes were elsewhere.
async fn adopt(session: &mut Session, nodes: &[u128], drive: DriveId, passed: &mut u64) -> Outcome<u64> {
    let list = in_list(1, nodes.len());
    let args = || id_args(Args::new().id(drive.as_u128()), nodes);
    let sums = format!(
        "SELECT drive, CAST(SUM(size_bytes) AS BIGINT) FROM versions \
         WHERE drive <> $1 AND node IN ({list}) GROUP BY drive"
    );
    for row in session.rows(sums, args()).await? {
        let mut row = Columns::of(&row);
        let (from, bytes) = (row.id()?, row.count()?);
        lessen(session, from, bytes).await?;
        *passed = passed.saturating_add(bytes);
    }
    let versions = format!("UPDATE versions SET drive = $1 WHERE drive <> $1 AND node IN ({list})");
    session.execute(versions, args()).await?;
    let nodes =
        format!("UPDATE nodes SET drive = $1, version = version + 1 WHERE drive <> $1 AND id IN ({list})");
    session.execute(nodes, args()).await
}

/// What a drive's counters should be; `$1` is the drive.
pub(super) const SUMS: &str = "SELECT \
    (SELECT CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) FROM versions WHERE drive = $1), \
    (SELECT CAST(COALESCE(SUM(reserved_bytes), 0) AS BIGINT) FROM uploads WHERE drive = $1)";

async fn recount(session: &mut Session, drive: DriveId) -> Outcome<BulkOutcome> {
    let args = || Args::new().id(drive.as_u128());
    let there = session.locking(DRIVES.exists.as_str(), Lock::Alone);
    if session.row(there, args()).await?.is_none() {
        return Ok(NOTHING);
    }
    let Some(row) = session.row(SUMS, args()).await? else {
        return Ok(NOTHING);
    };
    let mut row = Columns::of(&row);
    let set = "UPDATE drives SET used_bytes = $2, reserved_bytes = $3 WHERE id = $1";
    let args = args().count(row.count()?).count(row.count()?);
    let rows = session.execute(set, args).await?;
    Ok(BulkOutcome { rows, done: true })
}

/// How many placeholders a list of `count` gets: few sizes, so that few statements have to be kept prepared.
fn padded(count: usize) -> usize {
    count.next_power_of_two()
}

fn in_list(before: usize, count: usize) -> String {
    placeholders(before, padded(count))
}

/// Appends ids, the last one again until the list has its padded length.
fn id_args(mut args: Args, ids: &[u128]) -> Args {
    for index in 0..padded(ids.len()) {
        args.push_id(ids.get(index).or(ids.last()).copied());
    }
    args
}
