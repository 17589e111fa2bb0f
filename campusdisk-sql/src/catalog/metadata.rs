//! Reads of drives, nodes, contents and uploads.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use campusdisk_core::catalog::record::{
    Content, Drive, Member, Node, NodeKind, Role, Subject, Upload, Version,
};
use campusdisk_core::catalog::{ChildrenQuery, Metadata, Only, Order, SearchQuery, Sort, SortValue};
use campusdisk_core::{AccountId, ContentId, DriveId, EntryName, NodeId, Result, UploadId};

use super::SqlCatalog;
use super::read::{Query, extent_columns, with_extents};
use super::rows;
use super::table::{CONTENTS, DRIVES, MEMBERS, NODES, UPLOADS, VERSIONS};
use super::upload_rows::{columns_with_extents, upload};
use crate::database::Dialect;
use crate::failure::Outcome;
use crate::session::{Args, Columns};

#[async_trait]
impl Metadata for SqlCatalog {
    async fn drive(&self, id: DriveId) -> Result<Option<Drive>> {
        self.by_key(&DRIVES, Args::new().id(id.as_u128()), rows::drive)
            .await
    }

    async fn drives_of(&self, subjects: &[Subject]) -> Result<Vec<(Drive, Role)>> {
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let query = drives_of(subjects);
        let rows = self.list(query.sql, query.args, drive_and_role).await?;
        let mut drives: Vec<(Drive, Role)> = Vec::new();
        for (drive, role) in rows {
            match drives.last_mut() {
                Some((last, highest)) if last.id == drive.id => *highest = role.max(*highest),
                _ => drives.push((drive, role)),
            }
        }
        Ok(drives)
    }

    async fn drives(&self, after: Option<DriveId>, limit: u32) -> Result<Vec<Drive>> {
        let mut query = Query::new(format!("SELECT {} FROM drives", DRIVES.columns));
        if let Some(after) = after {
            query.bind(" WHERE id > ", |args| args.push_id(Some(after.as_u128())));
        }
        query.bind(" ORDER BY id LIMIT ", |args| args.push_int(Some(limit.into())));
        self.list(query.sql, query.args, rows::drive).await
    }

    async fn members(&self, drive: DriveId) -> Result<Vec<Member>> {
        let sql = format!(
            "SELECT {} FROM members WHERE drive = $1 ORDER BY subject_kind, subject",
            MEMBERS.columns
        );
        self.list(sql, Args::new().id(drive.as_u128()), rows::member)
            .await
    }

    async fn node(&self, id: NodeId) -> Result<Option<Node>> {
        self.by_key(&NODES, Args::new().id(id.as_u128()), rows::node)
            .await
    }

    async fn child(&self, parent: NodeId, name: &EntryName) -> Result<Option<Node>> {
        let sql = format!(
            "SELECT {} FROM nodes WHERE parent = $1 AND name_key = $2 AND trashed_at IS NULL",
            NODES.columns
        );
        let args = Args::new().id(parent.as_u128()).blob(name.key().as_bytes());
        self.first(sql, args, rows::node).await
    }

    async fn children(&self, parent: NodeId, query: &ChildrenQuery) -> Result<Vec<Node>> {
        let Some(query) = within_columns(query) else {
            return Ok(Vec::new());
        };
        let query = children(self.database.dialect(), parent, &query);
        self.list(query.sql, query.args, rows::node).await
    }

    async fn path(&self, id: NodeId) -> Result<Vec<Node>> {
        self.list(path(), Args::new().id(id.as_u128()), rows::node).await
    }

    async fn path_and_content(&self, id: NodeId) -> Result<(Vec<Node>, Option<Content>)> {
        let args = Args::new().id(id.as_u128());
        let mut nodes = BTreeMap::new();
        let mut content: Option<Content> = None;
        let mut extents = BTreeMap::new();
        for row in self.database.rows(PATH_AND_CONTENT.as_str(), args).await? {
            let mut row = Columns::of(&row);
            let height = row.int()?;
            let node = rows::node(&mut row)?;
            if height == 0 && node.content.is_some() {
                content = Some(rows::content(&mut row)?);
                if let Some(position) = row.opt_int()? {
                    extents.insert(position, rows::opt_extent(&mut row)?);
                }
            }
            nodes.insert(Reverse(height), node);
        }
        if let Some(content) = &mut content {
            content.extents = extents.into_values().flatten().collect();
        }
        Ok((nodes.into_values().collect(), content))
    }

    async fn search(&self, query: &SearchQuery) -> Result<Vec<Node>> {
        if query.drives.is_empty() {
            return Ok(Vec::new());
        }
        let query = search(self.database.dialect(), query);
        self.list(query.sql, query.args, rows::node).await
    }

    async fn content(&self, id: ContentId) -> Result<Option<Content>> {
        let sql = format!(
            "SELECT {}, {} FROM contents c LEFT JOIN content_extents e ON e.content = c.id \
             WHERE c.id = $1 ORDER BY e.position",
            CONTENTS.columns_of("c"),
            extent_columns("e")
        );
        let rows = self.database.rows(sql, Args::new().id(id.as_u128())).await?;
        let found = with_extents(
            &rows,
            rows::content,
            |one, other| one.id == other.id,
            |content| &mut content.extents,
        )?;
        Ok(found.into_iter().next())
    }

    async fn versions(&self, node: NodeId, before: Option<u64>, limit: u32) -> Result<Vec<Version>> {
        let mut query = Query::new(format!("SELECT {} FROM versions", VERSIONS.columns));
        query.bind(" WHERE node = ", |args| args.push_id(Some(node.as_u128())));
        // Every number is less than one that no column holds.
        if let Some(before) = before.and_then(|before| i64::try_from(before).ok()) {
            query.bind(" AND number < ", |args| args.push_int(Some(before)));
        }
        query.bind(" ORDER BY number DESC LIMIT ", |args| {
            args.push_int(Some(limit.into()));
        });
        self.list(query.sql, query.args, rows::version).await
    }

    async fn version(&self, node: NodeId, number: u64) -> Result<Option<Version>> {
        let key = Args::new().id(node.as_u128()).sought(number);
        self.by_key(&VERSIONS, key, rows::version).await
    }

    async fn crc32s(&self, contents: &[ContentId]) -> Result<Vec<(ContentId, Option<u32>)>> {
        if contents.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<_> = contents.iter().map(|content| content.as_u128()).collect();
        let mut query = Query::new("SELECT id, crc32 FROM contents WHERE id IN ");
        query.ids(&ids);
        let row = |row: &mut Columns<'_>| Ok((ContentId::from_u128(row.id()?), rows::crc32(row)?));
        self.list(query.sql, query.args, row).await
    }

    async fn content_by_sha256(
        &self,
        drives: &[DriveId],
        sha256: &[u8; 32],
        size_bytes: u64,
    ) -> Result<Option<ContentId>> {
        if drives.is_empty() {
            return Ok(None);
        }
        let mut query = Query::new("SELECT c.id FROM contents c JOIN versions v ON v.content = c.id");
        query
            .bind(" WHERE c.sha256 = ", |args| args.push_blob(Some(sha256)))
            .bind(" AND c.size_bytes = ", |args| args.push_sought(size_bytes))
            .say(" AND v.drive IN ")
            .ids(&drive_ids(drives))
            .say(" LIMIT 1");
        let id = |row: &mut Columns<'_>| Ok(ContentId::from_u128(row.id()?));
        self.first(query.sql, query.args, id).await
    }

    async fn upload(&self, id: UploadId) -> Result<Option<Upload>> {
        let sql = format!(
            "SELECT {}, {} FROM uploads u LEFT JOIN upload_extents e ON e.upload = u.id \
             WHERE u.id = $1 ORDER BY e.position",
            columns_with_extents("u", "e"),
            extent_columns("e")
        );
        let found = self
            .uploads_with_extents(sql, Args::new().id(id.as_u128()))
            .await?;
        Ok(found.into_iter().next())
    }

    async fn uploads_of(
        &self,
        account: &AccountId,
        after: Option<UploadId>,
        limit: u32,
    ) -> Result<Vec<Upload>> {
        let mut query = Query::new(format!("SELECT {} FROM uploads", UPLOADS.columns));
        query
            .bind(" WHERE account = ", |args| args.push_text(Some(account.as_str())))
            .say(" AND node IS NULL");
        if let Some(after) = after {
            query.bind(" AND id > ", |args| args.push_id(Some(after.as_u128())));
        }
        query.bind(" ORDER BY id LIMIT ", |args| args.push_int(Some(limit.into())));
        self.list(query.sql, query.args, upload).await
    }
}

impl SqlCatalog {
    pub(super) async fn uploads_with_extents(&self, sql: String, args: Args) -> Result<Vec<Upload>> {
        let rows = self.database.rows(sql, args).await?;
        let uploads = with_extents(
            &rows,
            upload,
            |one, other| one.id == other.id,
            |upload| &mut upload.extents,
        );
        Ok(uploads?)
    }
}

pub(super) fn drive_ids(drives: &[DriveId]) -> Vec<u128> {
    drives.iter().map(|drive| drive.as_u128()).collect()
}

fn drive_and_role(row: &mut Columns<'_>) -> Outcome<(Drive, Role)> {
    Ok((rows::drive(row)?, row.word()?))
}

fn drives_of(subjects: &[Subject]) -> Query {
    let mut query = Query::new(format!(
        "SELECT {}, m.role FROM members m JOIN drives d ON d.id = m.drive \
         WHERE (m.subject_kind, m.subject) IN (VALUES ",
        DRIVES.columns_of("d")
    ));
    for index in 0..subjects.len().next_power_of_two() {
        let Some(subject) = subjects.get(index).or(subjects.last()) else {
            break;
        };
        let (kind, id) = rows::subject_columns(subject);
        query
            .bind(if index == 0 { "(" } else { ", (" }, |args| {
                args.push_text(Some(kind));
            })
            .bind(", ", |args| args.push_text(Some(id)))
            .say(")");
    }
    query.say(") ORDER BY d.id");
    query
}

/// The query with a cursor that a column could hold; none when nothing comes after its cursor.
fn within_columns(query: &ChildrenQuery) -> Option<Cow<'_, ChildrenQuery>> {
    let value = query.after.as_ref().map(|after| &after.value);
    let too_large = matches!(value, Some(SortValue::Size(size)) if i64::try_from(*size).is_err());
    match query.order {
        _ if !too_large => Some(Cow::Borrowed(query)),
        Order::Ascending => None,
        Order::Descending => Some(Cow::Owned(ChildrenQuery {
            after: None,
            ..query.clone()
        })),
    }
}

/// A page of live children: walks the index of its sort from the cursor on.
pub(super) fn children(dialect: Dialect, parent: NodeId, asked: &ChildrenQuery) -> Query {
    let (order, column) = match asked.sort {
        Sort::Name => ("name", None),
        Sort::Size => ("size", Some("size_bytes")),
        Sort::Modified => ("modified", Some("modified")),
    };
    let what = match asked.only {
        None => "nodes",
        Some(Only::Folders) => "folders",
        Some(Only::Files(_)) => "files",
    };
    let index = dialect.by_index(&format!("{what}_by_{order}"));
    let mut query = Query::new(format!("SELECT {} FROM nodes{index}", NODES.columns));
    query.bind(" WHERE parent = ", |args| args.push_id(Some(parent.as_u128())));
    query.say(" AND trashed_at IS NULL");
    // The kind is written out, not bound: only then does the partial index fit.
    match asked.only {
        None => &mut query,
        Some(Only::Folders) => query.say(" AND kind = 'folder'"),
        Some(Only::Files(category)) => query.bind(" AND kind = 'file' AND category = ", |args| {
            args.push_text(Some(category.as_str()));
        }),
    };
    let (beyond, direction) = match asked.order {
        Order::Ascending => (">", ""),
        Order::Descending => ("<", " DESC"),
    };
    if let Some(after) = &asked.after {
        let name = |args: &mut Args| args.push_blob(Some(after.name.as_bytes()));
        let value = |args: &mut Args| match after.value {
            SortValue::Name => args.push_int(None),
            SortValue::Size(size_bytes) => args.push_count(Some(size_bytes)),
            SortValue::Modified(modified) => args.push_int(Some(modified.as_millis())),
        };
        match column {
            None => query.bind(&format!(" AND name_key {beyond} "), name),
            Some(column) => query
                .bind(&format!(" AND ({column}, name_key) {beyond} ("), value)
                .bind(", ", name)
                .say(")"),
        };
    }
    match column {
        None => query.say(&format!(" ORDER BY name_key{direction}")),
        Some(column) => query.say(&format!(" ORDER BY {column}{direction}, name_key{direction}")),
    };
    query.bind(" LIMIT ", |args| args.push_int(Some(asked.limit.into())));
    query
}

/// A node and its ancestors, by how far above it they are.
const UP: &str = "WITH RECURSIVE up (id, parent, height) AS (\
    SELECT id, parent, CAST(0 AS BIGINT) FROM nodes WHERE id = $1 \
    UNION ALL SELECT n.id, n.parent, up.height + 1 FROM up JOIN nodes n ON n.id = up.parent)";

fn path() -> String {
    format!(
        "{UP} SELECT {} FROM up JOIN nodes n ON n.id = up.id ORDER BY up.height DESC",
        NODES.columns_of("n")
    )
}

/// A row for each folder and each extent. They are not sorted by the database, which would carry all their columns along.
static PATH_AND_CONTENT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{UP} SELECT up.height, {}, {}, e.position, {} FROM up JOIN nodes n ON n.id = up.id \
         LEFT JOIN contents c ON c.id = n.content LEFT JOIN content_extents e ON e.content = c.id",
        NODES.columns_of("n"),
        CONTENTS.columns_of("c"),
        extent_columns("e")
    )
});

fn search(dialect: Dialect, asked: &SearchQuery) -> Query {
    let mut query = Query::new(format!("SELECT {} FROM nodes n", NODES.columns_of("n")));
    query
        .say(" WHERE n.trashed_at IS NULL AND n.drive IN ")
        .ids(&drive_ids(&asked.drives));
    let text = query.place(|args| args.push_blob(Some(asked.text.as_bytes())));
    if !asked.text.is_empty() {
        // The whole key first, which is cheaper; what it finds may lie beyond the folded part.
        let (whole, folded) = ("n.name_key", dialect.folded("n.name_key"));
        let (roughly, exactly) = (dialect.contains(whole, &text), dialect.contains(&folded, &text));
        query.say(&format!(" AND {roughly} AND {exactly}"));
    }
    if let Some(category) = asked.category {
        query
            .bind(" AND n.kind = ", |args| {
                args.push_text(Some(NodeKind::File.as_str()));
            })
            .bind(" AND n.category = ", |args| {
                args.push_text(Some(category.as_str()));
            });
    }
    if let Some((name, id)) = &asked.after {
        query
            .bind(" AND (n.name_key, n.id) > (", |args| {
                args.push_blob(Some(name.as_bytes()));
            })
            .bind(", ", |args| args.push_id(Some(id.as_u128())))
            .say(")");
    }
    query.say(
        " AND NOT EXISTS (WITH RECURSIVE up (id, parent, trashed_at) AS (\
         SELECT p.id, p.parent, p.trashed_at FROM nodes p WHERE p.id = n.parent \
         UNION ALL SELECT p.id, p.parent, p.trashed_at FROM up JOIN nodes p ON p.id = up.parent) \
         SELECT 1 FROM up WHERE trashed_at IS NOT NULL) ORDER BY n.name_key, n.id",
    );
    query.bind(" LIMIT ", |args| args.push_int(Some(asked.limit.into())));
    query
}
