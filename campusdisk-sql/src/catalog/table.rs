//! Tables as data: the statements that every kind of record needs are made from the names of its columns.

use std::sync::LazyLock;

use crate::session::placeholders;

/// A table. The order of all columns is: key, then the others, then counters.
struct Table {
    name: &'static str,
    key: &'static [&'static str],
    columns: &'static [&'static str],
    counters: &'static [&'static str],
    /// The column that `Expect::Version` compares, in kinds that have one.
    version: Option<&'static str>,
}

/// A table with its fixed statements.
pub(super) struct Statements {
    pub(super) name: &'static str,
    /// All columns by name, for a query that reads only this table.
    pub(super) columns: String,
    /// Inserts a row, or replaces all of it but key and counters.
    pub(super) upsert: String,
    /// Inserts a row unless there is one with this key.
    pub(super) insert_new: String,
    pub(super) delete: String,
    pub(super) exists: String,
    pub(super) exists_with_version: Option<String>,
    /// Reads the row with this key.
    pub(super) read: String,
}

/// The statements that upsert 1, 2, 4, … records of downloads, which come in hundreds.
pub(super) static DOWNLOADS_AT_ONCE: LazyLock<Vec<String>> = LazyLock::new(|| {
    let width = DOWNLOADS.columns.split(", ").count();
    let one = format!("VALUES ({})", placeholders(0, width));
    let sizes = std::iter::successors(Some(1), |size| Some(size * 2));
    let rows = |size: usize| {
        let rows = (0..size).map(|row| format!("({})", placeholders(row * width, width)));
        rows.collect::<Vec<_>>().join(", ")
    };
    sizes
        .take_while(|&size| size <= AT_ONCE)
        .map(|size| {
            DOWNLOADS
                .upsert
                .replacen(&one, &format!("VALUES {}", rows(size)), 1)
        })
        .collect()
});

/// How many records of downloads one statement upserts at most.
const AT_ONCE: usize = 32;

impl Table {
    fn statements(self) -> Statements {
        let all: Vec<_> = [self.key, self.columns, self.counters].concat();
        let (name, key) = (self.name, self.key.join(", "));
        let values = placeholders(0, all.len());
        let insert = format!(
            "INSERT INTO {name} ({}) VALUES ({values}) ON CONFLICT ({key}) DO",
            all.join(", ")
        );
        let replaced: Vec<_> = self
            .columns
            .iter()
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        let has_key = equal(self.key, 0);
        let exists = format!("SELECT 1 FROM {name} WHERE {has_key}");
        Statements {
            name,
            columns: all.join(", "),
            upsert: format!("{insert} UPDATE SET {}", replaced.join(", ")),
            insert_new: format!("{insert} NOTHING"),
            delete: format!("DELETE FROM {name} WHERE {has_key}"),
            exists_with_version: self
                .version
                .map(|version| format!("{exists} AND {version} = ${}", self.key.len() + 1)),
            read: format!("SELECT {} FROM {name} WHERE {has_key}", all.join(", ")),
            exists,
        }
    }
}

impl Statements {
    /// All columns, each with the alias before it.
    pub(super) fn columns_of(&self, alias: &str) -> String {
        let prefixed: Vec<_> = self
            .columns
            .split(", ")
            .map(|column| format!("{alias}.{column}"))
            .collect();
        prefixed.join(", ")
    }
}

/// `column = $n` for each column, joined by AND.
fn equal(columns: &[&str], before: usize) -> String {
    let equalities: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| format!("{column} = ${}", before + index + 1))
        .collect();
    equalities.join(" AND ")
}

macro_rules! tables {
    ($($static:ident = $name:literal [$($key:literal),+] [$($column:literal),* $(,)?] [$($counter:literal),*] $version:expr;)+) => {$(
        pub(super) static $static: LazyLock<Statements> = LazyLock::new(|| {
            Table {
                name: $name,
                key: &[$($key),+],
                columns: &[$($column),*],
                counters: &[$($counter),*],
                version: $version,
            }
            .statements()
        });
    )+};
}

tables! {
    DRIVES = "drives" ["id"]
        ["kind", "name", "owner", "root", "quota_bytes", "created", "version"]
        ["used_bytes", "reserved_bytes", "tree_version"] Some("version");
    MEMBERS = "members" ["drive", "subject_kind", "subject"] ["role"] [] None;
    NODES = "nodes" ["id"]
        [
            "drive", "parent", "kind", "name", "name_key", "content", "size_bytes", "mime", "category", "created",
            "modified", "version", "trashed_at", "trash_expires", "trashed_by",
        ]
        [] Some("version");
    VERSIONS = "versions" ["node", "number"] ["drive", "content", "size_bytes", "mime", "created"] [] None;
    CONTENTS = "contents" ["id"]
        ["size_bytes", "crc32", "sha256", "created", "layout_version"] ["refs"] Some("layout_version");
    BLOBS = "blobs" ["store", "key"]
        ["state", "owner", "until", "condemned", "object_path", "object_len_bytes", "object_mark"] ["refs"] None;
    UPLOADS = "uploads" ["id"]
        [
            "kind", "account", "share", "drive", "parent", "folders", "name", "on_conflict", "mime",
            "declared_sha256", "metadata", "len_bytes", "offset_bytes", "hash_sha256", "hash_crc32",
            "reserved_bytes", "epoch", "node", "created", "expires", "version", "tail",
        ]
        ["extent_count"] Some("version");
    SHARES = "shares" ["id"]
        [
            "token", "node", "maker", "password", "expires", "max_downloads", "networks", "takes_files", "created",
            "ended", "version",
        ]
        ["downloads"] Some("version");
    TICKETS = "tickets" ["id"]
        ["share", "client", "spent", "budget_bytes", "created", "expires", "version"]
        ["granted_bytes"] Some("version");
    DOWNLOADS = "downloads" ["id"]
        [
            "node", "name", "account", "share", "address", "started", "ended", "sent_bytes", "requests", "outcome",
        ]
        [] None;
    LEASES = "leases" ["name"] ["holder", "token", "until", "version"] [] Some("version");
    SETTINGS = "settings" ["key"] ["value", "version"] [] Some("version");
    EVENTS = "events" ["id"] ["account", "kind", "payload", "at"] [] None;
}
