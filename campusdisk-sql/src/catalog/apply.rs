//! Applying a change set: in one call or few where nothing is in the way, else step by step.

use campusdisk_core::catalog::record::Upload;
use campusdisk_core::catalog::{ChangeSet, Committed};
use campusdisk_core::{Error, ErrorKind, NodeId, UploadId};

use super::extents::{self, UPLOAD_EXTENTS};
use super::plan::{self, Statement, Step, Wants};
use super::table::UPLOADS;
use super::upload_rows::upload_args;
use super::{add, bulk};
use crate::failure::{Failure, Outcome};
use crate::session::{Args, Session, Whole};

pub(super) async fn apply_set(session: &mut Session, set: &ChangeSet) -> Outcome<Committed> {
    let steps = plan::steps(set);
    // Each call to the database costs more than most statements: best is one for all, without a transaction around it.
    match all_as_one(session, &steps).await? {
        Whole::Done => return Ok(Committed::default()),
        Whole::Undone => {}
        Whole::NotOne => {
            if let Some(committed) = many_at_once(session, &steps, set).await? {
                return Ok(committed);
            }
            session.undo().await?;
        }
    }
    one_by_one(session, &steps, set).await
}

/// Runs all steps as one statement, if each is a statement.
async fn all_as_one(session: &mut Session, steps: &[Step<'_>]) -> Outcome<Whole> {
    let statements: Option<Vec<_>> = steps
        .iter()
        .map(|step| step.statement().map(Statement::call))
        .collect();
    match statements {
        Some(statements) => session.run_whole(&statements).await,
        None => Ok(Whole::NotOne),
    }
}

/// Runs all steps, statements in a row together. Without an answer something did not come to what is wanted; what was done
/// is to be undone then.
async fn many_at_once(
    session: &mut Session,
    steps: &[Step<'_>],
    set: &ChangeSet,
) -> Outcome<Option<Committed>> {
    let mut committed = Committed::default();
    let both_run = |one: &Step<'_>, next: &Step<'_>| matches!((one, next), (Step::Run(_), Step::Run(_)));
    for row in steps.chunk_by(both_run) {
        match row {
            [Step::PutUpload(upload)] => put_upload(session, upload).await?,
            [Step::Bulk(bulk)] => committed.bulk.push(bulk::apply(session, bulk, set.at).await?),
            row => {
                let statements: Vec<_> = row.iter().filter_map(Step::statement).collect();
                if !all_met(session, &statements).await? {
                    return Ok(None);
                }
            }
        }
    }
    Ok(Some(committed))
}

/// Runs statements together and says whether each came to what is wanted.
async fn all_met(session: &mut Session, statements: &[&Statement]) -> Outcome<bool> {
    let many: Vec<_> = statements.iter().map(|statement| statement.call()).collect();
    let outcomes = match session.run_many(&many).await {
        Ok(outcomes) => outcomes,
        Err(Failure::Refused(_)) => return Ok(false),
        Err(broken) => return Err(broken),
    };
    let met = |(statement, rows): (&&Statement, u64)| statement.wants.rows().are(rows);
    Ok(statements.len() == outcomes.len() && statements.iter().zip(outcomes).all(met))
}

/// Runs step after step, and stops at the first that fails to say why.
async fn one_by_one(session: &mut Session, steps: &[Step<'_>], set: &ChangeSet) -> Outcome<Committed> {
    let mut committed = Committed::default();
    for step in steps {
        match step {
            Step::Run(statement) => {
                if !run(session, statement).await? {
                    committed.replayed = true;
                    return Ok(committed);
                }
            }
            Step::PutUpload(upload) => put_upload(session, upload).await?,
            Step::Bulk(bulk) => committed.bulk.push(bulk::apply(session, bulk, set.at).await?),
        }
    }
    Ok(committed)
}

/// Runs one statement; the answer is whether to go on.
async fn run(session: &mut Session, statement: &Statement) -> Outcome<bool> {
    let wants = &statement.wants;
    let args = statement.args.clone();
    let rows = match wants.lock() {
        Some(lock) => {
            let sql = session.locking(statement.sql, lock);
            session.rows(sql, args).await?.len() as u64
        }
        None => session.execute(statement.sql, args).await?,
    };
    if wants.rows().are(rows) {
        return Ok(true);
    }
    Err(match wants {
        Wants::NotReplayed => return Ok(false),
        Wants::Row(kind, message)
        | Wants::NoRow(kind, message)
        | Wants::Change(kind, message)
        | Wants::Never(kind, message) => Failure::refused(*kind, message),
        Wants::Added(reason) => add::why_not(session, reason).await?,
        Wants::Parent(folder) => why_no_parent(session, *folder).await?,
        Wants::Extended(upload) => why_not_extended(session, *upload).await?,
        Wants::Nothing => return Ok(true),
    })
}

async fn put_upload(session: &mut Session, upload: &Upload) -> Outcome<()> {
    let inserted = session
        .execute(UPLOADS.insert_new.as_str(), upload_args(upload))
        .await?;
    if inserted == 0 {
        session
            .execute(UPLOADS.upsert.as_str(), upload_args(upload))
            .await?;
        return Ok(());
    }
    for (sql, args) in extents::inserts(&UPLOAD_EXTENTS, upload.id.as_u128(), &upload.extents) {
        session.execute(sql, args).await?;
    }
    Ok(())
}

async fn why_not_extended(session: &mut Session, upload: UploadId) -> Outcome<Failure> {
    let args = Args::new().id(upload.as_u128());
    Ok(match session.row(UPLOADS.exists.as_str(), args).await? {
        Some(_) => Failure::refused(ErrorKind::Conflict, "the upload went on elsewhere"),
        None => Failure::Refused(Error::not_found()),
    })
}

async fn why_no_parent(session: &mut Session, folder: NodeId) -> Outcome<Failure> {
    let elsewhere = "SELECT 1 FROM nodes WHERE id = $1 AND kind = 'folder' AND trashed_at IS NULL";
    let args = Args::new().id(folder.as_u128());
    Ok(match session.row(elsewhere, args).await? {
        Some(_) => Failure::refused(ErrorKind::Conflict, "the folder was moved to another drive"),
        None => Failure::refused(ErrorKind::NotFound, "the folder is not there"),
    })
}
