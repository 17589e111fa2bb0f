//! Sets that show by themselves whether they are applied once, twice or by half, and a place for them on PostgreSQL.

use campusdisk_core::catalog::record::{Category, Drive, DriveKind, Node, NodeKind, Setting};
use campusdisk_core::catalog::{Bound, Catalog, Change, ChangeSet, Counter, Ledger as _, Metadata as _};
use campusdisk_core::{ChangeId, DriveId, EntryName, IdSource as _, NodeId, RandomIds, Timestamp};
use campusdisk_sql::{PostgresDatabase, PostgresOptions, SqlCatalog};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use crate::between::Between;
use crate::postgres::Schema;
use crate::wait::in_time;

/// The drive whose tree version counts sets.
pub const COUNTED: DriveId = DriveId::from_u128(1);
/// Another drive.
pub const OTHER: DriveId = DriveId::from_u128(2);

/// A schema with two drives.
#[derive(Debug)]
pub struct Place {
    /// The schema.
    pub schema: Schema,
}

impl Place {
    /// Makes the schema, its tables and its drives.
    pub async fn fresh() -> Self {
        let place = Self {
            schema: Schema::fresh().await,
        };
        let database = place.open(PostgresOptions::default()).await;
        let both = set().with(drive(COUNTED)).with(drive(OTHER));
        database.catalog().commit(both).await.expect("two drives");
        database.close().await;
        place
    }

    /// As [`fresh`](Self::fresh), and its database by way of a network that may break.
    pub async fn fresh_behind(options: PostgresOptions) -> (Self, Between, PostgresDatabase) {
        let place = Self::fresh().await;
        let between = Between::start(place.schema.port()).await;
        let database = place.open_by(&between, options).await;
        (place, between, database)
    }

    /// Opens the database.
    pub async fn open(&self, options: PostgresOptions) -> PostgresDatabase {
        let opened = PostgresDatabase::connect(self.schema.url(), options).await;
        opened.expect("the database opens")
    }

    /// Opens the database by way of a network that may break.
    pub async fn open_by(&self, between: &Between, options: PostgresOptions) -> PostgresDatabase {
        let opened = PostgresDatabase::connect(&self.schema.url_by(between.port()), options).await;
        opened.expect("the database opens")
    }

    /// A transaction of somebody else, who holds the row of [`COUNTED`].
    pub async fn hold(&self) -> PgConnection {
        let mut holder = self.schema.connect().await;
        holder.execute("BEGIN").await.expect("a transaction");
        let lock = "SELECT id FROM drives WHERE id = decode(lpad('1', 32, '0'), 'hex') FOR UPDATE";
        let held = holder.fetch_all(lock).await.expect("a lock");
        assert_eq!(held.len(), 1, "the drive is there");
        holder
    }

    /// Waits until as many of the connections under test wait for a lock.
    pub async fn wait_for_waiters(&self, watcher: &mut PgConnection, count: i64) {
        let own = self.schema.own_backends();
        let waiting =
            format!("SELECT count(*) FROM pg_stat_activity WHERE {own} AND wait_event_type = 'Lock'");
        in_time("waiting for locks", async {
            while number(watcher, waiting.clone()).await < count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// An empty set.
pub fn set() -> ChangeSet {
    ChangeSet::new(ChangeId::from_u128(RandomIds.random()), Timestamp::from_millis(0))
}

/// A drive to count in.
pub fn drive(id: DriveId) -> Drive {
    Drive {
        id,
        kind: DriveKind::Service,
        name: "counted".to_owned(),
        owner: None,
        root: NodeId::from_u128(1),
        quota_bytes: None,
        created: Timestamp::from_millis(0),
        version: 1,
        used_bytes: 0,
        reserved_bytes: 0,
        tree_version: 0,
    }
}

/// A node of which nothing more is said.
///
/// # Panics
/// When no node can have the name.
pub fn node(
    drive: DriveId,
    id: NodeId,
    parent: impl Into<Option<NodeId>>,
    kind: NodeKind,
    name: &str,
) -> Node {
    Node {
        id,
        drive,
        parent: parent.into(),
        kind,
        name: EntryName::parse(name).expect("a name"),
        content: None,
        size_bytes: 0,
        mime: None,
        category: Category::Other,
        created: Timestamp::from_millis(0),
        modified: Timestamp::from_millis(0),
        version: 1,
        trashed: None,
    }
}

/// A fact about the installation.
pub fn setting(key: &str) -> Setting {
    Setting {
        key: key.to_owned(),
        value: "v".to_owned(),
        version: 1,
    }
}

/// A set that counts one, between two rows of which one alone would show a set that is there by half.
pub fn counting(key: &str) -> ChangeSet {
    set()
        .with(setting(&format!("{key}-first")))
        .with(plus_one(COUNTED))
        .with(setting(&format!("{key}-second")))
}

/// A set that counts one and is one statement on PostgreSQL, as it changes no table twice; [`is_there`] does not know it.
pub fn counting_at_once(key: &str) -> ChangeSet {
    set().with(setting(key)).with(plus_one(COUNTED))
}

/// Counts one in a drive.
pub fn plus_one(drive: DriveId) -> Change {
    Change::Add(Counter::DriveTree(drive), 1, Bound::None)
}

/// How many sets were counted.
pub async fn counted(catalog: &SqlCatalog) -> u64 {
    let drive = catalog.drive(COUNTED).await.expect("an answer");
    drive.expect("the drive is there").tree_version
}

/// Whether the set of [`counting`] is there.
///
/// # Panics
/// When it is there by half.
pub async fn is_there(catalog: &SqlCatalog, key: &str) -> bool {
    let first = catalog.setting(&format!("{key}-first")).await;
    let second = catalog.setting(&format!("{key}-second")).await;
    let is_there = first.expect("an answer").is_some();
    assert_eq!(
        is_there,
        second.expect("an answer").is_some(),
        "{key}: half a set"
    );
    is_there
}

/// The number that a statement answers.
pub async fn number(connection: &mut PgConnection, sql: String) -> i64 {
    let row = connection.fetch_one(AssertSqlSafe(sql)).await;
    row.expect("a row").get(0)
}
