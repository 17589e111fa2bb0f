//! Adding to counters within their bounds.

use campusdisk_core::catalog::{Bound, Counter};
use campusdisk_core::{Error, ErrorKind};

use crate::failure::{Failure, Outcome};
use crate::session::{Args, Columns, Session};

struct Place {
    table: &'static str,
    update: &'static str,
    read: &'static str,
    id: u128,
}

/// Where a counter is, and its statements. `$1` id, `$2` what is added, `$3` the most it may become.
fn place(counter: Counter, quota: bool) -> Place {
    // Written so that no sum can overflow: both databases would answer that differently.
    macro_rules! place {
        ($table:literal, $column:literal, $id:expr, $and:literal, $others:literal) => {
            Place {
                table: $table,
                update: concat!(
                    "UPDATE ",
                    $table,
                    " SET ",
                    $column,
                    " = ",
                    $column,
                    " + $2 WHERE id = $1 AND CASE WHEN $2 > 0 THEN ",
                    $column,
                    " <= $3 - $2 ELSE ",
                    $column,
                    " + $2 >= 0 AND ",
                    $column,
                    " + $2 <= $3 END",
                    $and
                ),
                read: concat!(
                    "SELECT ",
                    $column,
                    ", ",
                    $others,
                    " FROM ",
                    $table,
                    " WHERE id = $1"
                ),
                id: $id.as_u128(),
            }
        };
        ($table:literal, $column:literal, $id:expr) => {
            place!(
                $table,
                $column,
                $id,
                "",
                "CAST(NULL AS BIGINT), CAST(0 AS BIGINT)"
            )
        };
    }
    macro_rules! quota_place {
        ($column:literal, $other:literal, $id:expr) => {
            place!(
                "drives",
                $column,
                $id,
                " AND ($2 <= 0 OR quota_bytes IS NULL OR quota_bytes - used_bytes - reserved_bytes >= $2)",
                $other
            )
        };
    }
    match (counter, quota) {
        (Counter::DriveUsed(id), true) => quota_place!("used_bytes", "quota_bytes, reserved_bytes", id),
        (Counter::DriveReserved(id), true) => quota_place!("reserved_bytes", "quota_bytes, used_bytes", id),
        (Counter::DriveUsed(id), false) => place!("drives", "used_bytes", id),
        (Counter::DriveReserved(id), false) => place!("drives", "reserved_bytes", id),
        (Counter::DriveTree(id), _) => place!("drives", "tree_version", id),
        (Counter::ContentRefs(id), _) => place!("contents", "refs", id),
        (Counter::ShareDownloads(id), _) => place!("shares", "downloads", id),
        (Counter::TicketGranted(id), _) => place!("tickets", "granted_bytes", id),
    }
}

/// What has to be known to say why nothing could be added.
pub(super) struct Reason {
    read: &'static str,
    id: u128,
    delta: i64,
}

/// The statement that adds, where the counter allows it.
pub(super) struct Add {
    pub(super) table: &'static str,
    pub(super) sql: &'static str,
    pub(super) args: Args,
    pub(super) reason: Reason,
}

pub(super) fn statement(counter: Counter, delta: i64, bound: Bound) -> Add {
    let place = place(counter, bound == Bound::Quota);
    let most = match bound {
        Bound::AtMost(most) => i64::try_from(most).unwrap_or(i64::MAX),
        Bound::None | Bound::Quota => i64::MAX,
    };
    let (read, id) = (place.read, place.id);
    Add {
        table: place.table,
        sql: place.update,
        args: Args::new().id(id).int(delta).int(most),
        reason: Reason { read, id, delta },
    }
}

pub(super) async fn add(session: &mut Session, counter: Counter, delta: i64, bound: Bound) -> Outcome<()> {
    let add = statement(counter, delta, bound);
    match session.execute(add.sql, add.args).await? {
        1 => Ok(()),
        _ => Err(why_not(session, &add.reason).await?),
    }
}

/// Why an update found no row that it may change.
pub(super) async fn why_not(session: &mut Session, reason: &Reason) -> Outcome<Failure> {
    let args = Args::new().id(reason.id);
    let Some(row) = session.row(reason.read, args).await? else {
        return Ok(Failure::Refused(Error::not_found()));
    };
    let mut row = Columns::of(&row);
    let (value, quota, other) = (row.int()?, row.opt_int()?, row.int()?);
    Ok(refusal(value, reason.delta, quota, other))
}

fn refusal(value: i64, delta: i64, quota: Option<i64>, other: i64) -> Failure {
    let sum = i128::from(value) + i128::from(delta);
    if sum < 0 {
        return Failure::refused(ErrorKind::Conflict, "the counter would go below zero");
    }
    match quota {
        Some(quota) if delta > 0 && sum + i128::from(other) > i128::from(quota) => {
            Failure::refused(ErrorKind::QuotaExceeded, "the drive has no room for it")
        }
        _ => Failure::refused(ErrorKind::LimitExceeded, "the limit is reached"),
    }
}
