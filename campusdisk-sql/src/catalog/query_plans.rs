//! Shows that each read walks an index: no table is scanned, and no page is sorted.

use std::cell::RefCell;

use campusdisk_core::catalog::record::{Category, Subject};
use campusdisk_core::catalog::{
    ChildrenQuery, Cursor, DownloadsQuery, Ledger, Metadata, Only, Order, Records, SearchQuery, Sharing,
    Sort, SortValue, SweepQuery, Trash,
};
use campusdisk_core::storage::{BlobKey, StoreName};
use campusdisk_core::{
    AccountId, ContentId, DownloadId, DriveId, EntryName, GroupId, NameKey, NodeId, RandomIds, ShareId,
    TicketId, Timestamp, UploadId,
};

use crate::SqliteDatabase;
use crate::session::{Args, Columns};

thread_local! {
    static ASKED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes a query that is about to run.
pub(crate) fn note(sql: &str) {
    ASKED.with_borrow_mut(|asked| asked.push(sql.to_owned()));
}

struct Plans {
    database: SqliteDatabase,
    _folder: tempfile::TempDir,
}

impl Plans {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = SqliteDatabase::open(folder.path().join("plans.db"))
            .await
            .unwrap();
        Self {
            database,
            _folder: folder,
        }
    }

    /// The plans of the queries asked since the last time: each query's own lines.
    async fn asked(&self) -> Vec<(String, Vec<String>)> {
        let asked = ASKED.take();
        let database = crate::database::Database::Sqlite(self.database.clone());
        let mut plans = Vec::new();
        for sql in asked {
            let explain = format!("EXPLAIN QUERY PLAN {sql}");
            let rows = database.rows(explain, Args::new()).await.unwrap();
            let lines = rows.iter().map(|row| {
                let mut row = Columns::of(row);
                for _ in 0..3 {
                    row.opt_int().unwrap();
                }
                row.text().unwrap().to_owned()
            });
            plans.push((sql, lines.collect()));
        }
        ASKED.take();
        plans
    }
}

/// Tables of which a read must not visit every row.
const LARGE: [&str; 17] = [
    "nodes",
    "versions",
    "contents",
    "content_extents",
    "blobs",
    "uploads",
    "upload_extents",
    "shares",
    "tickets",
    "downloads",
    "members",
    "n",
    "p",
    "c",
    "v",
    "e",
    "m",
];

fn assert_no_scan(sql: &str, plan: &[String]) {
    for line in plan {
        if line.ends_with("INDEX blobs_unreferenced") {
            // Every row of this partial index is asked for.
            continue;
        }
        let scanned = line.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
        assert!(
            !scanned.is_some_and(|table| LARGE.contains(&table)),
            "{sql}\n{plan:#?}"
        );
    }
}

fn assert_no_sort(sql: &str, plan: &[String]) {
    let sorts = plan.iter().any(|line| line.contains("TEMP B-TREE"));
    assert!(!sorts, "{sql}\n{plan:#?}");
}

fn name_key() -> NameKey {
    EntryName::parse("a").unwrap().key()
}

#[tokio::test]
async fn every_page_of_children_walks_the_index_of_its_sort() {
    let plans = Plans::open().await;
    let catalog = plans.database.catalog();
    let sorts = [
        (Sort::Name, SortValue::Name, "name"),
        (Sort::Size, SortValue::Size(1), "size"),
        (
            Sort::Modified,
            SortValue::Modified(Timestamp::from_millis(1)),
            "modified",
        ),
    ];
    for (sort, value, by) in sorts {
        for order in [Order::Ascending, Order::Descending] {
            for only in [None, Some(Only::Folders), Some(Only::Files(Category::Image))] {
                for after in [None, Some((value.clone(), name_key()))] {
                    let query = ChildrenQuery {
                        sort,
                        order,
                        only,
                        after: after.map(|(value, name)| Cursor { value, name }),
                        limit: 100,
                    };
                    catalog.children(NodeId::from_u128(1), &query).await.unwrap();
                    let asked = plans.asked().await;
                    assert_eq!(asked.len(), 1, "a page is one query");
                    for (sql, plan) in asked {
                        assert_no_scan(&sql, &plan);
                        assert_no_sort(&sql, &plan);
                        let index = match query.only {
                            None => format!("nodes_by_{by} (parent=?"),
                            Some(Only::Folders) => format!("folders_by_{by} (parent=?"),
                            Some(Only::Files(_)) => format!("files_by_{by} (parent=? AND category=?"),
                        };
                        assert!(plan.iter().any(|line| line.contains(&index)), "{sql}\n{plan:#?}");
                        // With a cursor the walk begins there, not at the folder's first row.
                        let from_cursor = plan.iter().any(|line| line.contains(['<', '>']));
                        assert_eq!(from_cursor, query.after.is_some(), "{sql}\n{plan:#?}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn every_other_page_is_one_query_without_sorting() {
    let plans = Plans::open().await;
    let catalog = plans.database.catalog();
    let (drive, time) = (DriveId::from_u128(1), Timestamp::from_millis(1));
    let (account, store) = (
        AccountId::parse("mei").unwrap(),
        StoreName::parse("primary").unwrap(),
    );
    let node = NodeId::from_u128(1);
    catalog.drives(Some(drive), 10).await.unwrap();
    catalog.members(drive).await.unwrap();
    catalog.versions(node, Some(5), 10).await.unwrap();
    catalog
        .uploads_of(&account, Some(UploadId::from_u128(1)), 10)
        .await
        .unwrap();
    catalog
        .shares_of(&account, None, Some(ShareId::from_u128(1)), 10)
        .await
        .unwrap();
    catalog.shares_of(&account, Some(node), None, 10).await.unwrap();
    catalog.trashed(&[drive], Some((time, node)), 10).await.unwrap();
    catalog.trash_expired(time, 10).await.unwrap();
    catalog
        .blobs_of(&store, Some(&BlobKey::generate(&RandomIds)), 10)
        .await
        .unwrap();
    catalog.blobs(&SweepQuery::LeaseOver(time, 10)).await.unwrap();
    catalog.blobs(&SweepQuery::Unreferenced(10)).await.unwrap();
    catalog
        .blobs(&SweepQuery::CondemnedBefore(time, 10))
        .await
        .unwrap();
    catalog.events(10).await.unwrap();
    catalog.content(ContentId::from_u128(1)).await.unwrap();
    catalog.upload(UploadId::from_u128(1)).await.unwrap();
    let mut search = SearchQuery {
        drives: vec![drive],
        text: "a".to_owned(),
        category: None,
        after: None,
        limit: 10,
    };
    catalog.search(&search).await.unwrap();
    search.after = Some((name_key(), node));
    catalog.search(&search).await.unwrap();
    catalog.unhashed(Some(ContentId::from_u128(1)), 10).await.unwrap();
    let content = Some(ContentId::from_u128(1));
    catalog.contents_in(&store, None, content, 10).await.unwrap();
    catalog
        .contents_in(&store, Some(drive), content, 10)
        .await
        .unwrap();
    let latest = DownloadsQuery::latest(10);
    catalog.downloads(&latest).await.unwrap();
    let of_account = DownloadsQuery {
        account: Some(account),
        ..latest.clone()
    };
    catalog.downloads(&of_account).await.unwrap();
    let of_node = DownloadsQuery {
        node: Some(node),
        ..latest
    };
    catalog.downloads(&of_node).await.unwrap();
    let asked = plans.asked().await;
    assert_eq!(asked.len(), 23, "each call is one query");
    for (sql, plan) in &asked {
        assert_no_scan(sql, plan);
        assert_no_sort(sql, plan);
    }
    let [.., (_, by_account), (_, by_node)] = asked.as_slice() else {
        panic!("two queries at least");
    };
    assert!(
        by_account
            .iter()
            .any(|line| line.contains("downloads_by_account")),
        "{by_account:#?}"
    );
    assert!(
        by_node.iter().any(|line| line.contains("downloads_by_node")),
        "{by_node:#?}"
    );
}

#[tokio::test]
async fn every_other_read_finds_its_rows_by_an_index() {
    let plans = Plans::open().await;
    let catalog = plans.database.catalog();
    let drives = [DriveId::from_u128(1), DriveId::from_u128(2)];
    let (node, name) = (NodeId::from_u128(1), EntryName::parse("a").unwrap());
    let subjects = [
        Subject::Account(AccountId::parse("mei").unwrap()),
        Subject::Group(GroupId::parse("staff").unwrap()),
    ];
    catalog.drive(drives[0]).await.unwrap();
    catalog.drives_of(&subjects).await.unwrap();
    catalog.node(node).await.unwrap();
    catalog.child(node, &name).await.unwrap();
    catalog.path(node).await.unwrap();
    catalog.path_and_content(node).await.unwrap();
    catalog.version(node, 1).await.unwrap();
    catalog.content_by_sha256(&drives, &[1; 32], 1).await.unwrap();
    let contents = [ContentId::from_u128(1), ContentId::from_u128(2)];
    catalog.crc32s(&contents).await.unwrap();
    catalog.share(ShareId::from_u128(1)).await.unwrap();
    catalog.share_by_token("token").await.unwrap();
    catalog.ticket(TicketId::from_u128(1)).await.unwrap();
    catalog.ticket_of(ShareId::from_u128(1), "client").await.unwrap();
    catalog.trashed(&drives, None, 10).await.unwrap();
    catalog
        .uploads_expired(Timestamp::from_millis(1), 10)
        .await
        .unwrap();
    catalog.recount(drives[0]).await.unwrap();
    catalog.download(DownloadId::from_u128(1)).await.unwrap();
    let store = StoreName::parse("primary").unwrap();
    catalog.sum_in(&store, None).await.unwrap();
    catalog.sum_in(&store, Some(drives[0])).await.unwrap();
    catalog.stores().await.unwrap();
    catalog.versions_of(ContentId::from_u128(1), 10).await.unwrap();
    let search = SearchQuery {
        drives: drives.to_vec(),
        text: String::new(),
        category: Some(Category::Image),
        after: None,
        limit: 10,
    };
    catalog.search(&search).await.unwrap();
    let asked = plans.asked().await;
    assert_eq!(asked.len(), 22, "each call is one query");
    for (sql, plan) in asked {
        assert_no_scan(&sql, &plan);
    }
}
