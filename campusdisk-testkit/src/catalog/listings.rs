//! Lists, pages, paths and searches: M1.

use std::sync::Arc;

use campusdisk_core::catalog::record::{Category, Drive, Node, NodeKind};
use campusdisk_core::catalog::{
    Catalog, Change, ChildrenQuery, Cursor, Only, Order, RecordKey, SearchQuery, Sort,
};
use campusdisk_core::{DriveId, NodeId};

use super::desk::{Desk, at, extent, name, names, trashed};

const SORTS: [Sort; 3] = [Sort::Name, Sort::Size, Sort::Modified];
const ORDERS: [Order; 2] = [Order::Ascending, Order::Descending];

/// Files and folders with few distinct sizes and times, so that most pages begin within a tie.
async fn mixed_folder(desk: &Desk, drive: &Drive) -> Vec<Node> {
    let categories = [Category::Image, Category::Document, Category::Other];
    let texts = ["a", "A", "b", "成绩", "ä", "Z", "z.pdf", "Z.PDF", "é", "_"];
    let mut nodes = Vec::new();
    for number in 0..60usize {
        let text = texts.get(number % 10).copied().unwrap_or_default();
        let text = format!("{text}{}", number / 10);
        let mut node = match number % 5 {
            0 => desk.folder(drive, &text),
            _ => desk.file(drive, &text),
        };
        if node.kind == NodeKind::File {
            node.size_bytes = [0, 7, 7, 1 << 40].get(number % 4).copied().unwrap_or_default();
            node.category = categories.get(number % 3).copied().unwrap_or(Category::Other);
        }
        node.modified = at([5, 5, -3].get(number % 3).copied().unwrap_or_default());
        nodes.push(node);
    }
    let mut lying = trashed(desk.file(drive, "a0"), at(0), at(9));
    lying.size_bytes = 7;
    let mut deeper = desk.file(drive, "deeper");
    deeper.parent = nodes.first().map(|folder| folder.id);
    let puts = nodes.iter().cloned().chain([lying, deeper]);
    desk.apply(puts.map(Into::into).collect()).await;
    nodes
}

/// The listing as a plain sort.
fn plainly(nodes: &[Node], sort: Sort, order: Order, only: Option<Only>) -> Vec<Node> {
    let mut rows: Vec<_> = nodes
        .iter()
        .filter(|node| match only {
            None => true,
            Some(Only::Folders) => node.kind == NodeKind::Folder,
            Some(Only::Files(category)) => node.kind == NodeKind::File && node.category == category,
        })
        .cloned()
        .collect();
    rows.sort_by_key(|node| {
        let value = match sort {
            Sort::Name => 0,
            Sort::Size => i64::try_from(node.size_bytes).expect("cases have small sizes"),
            Sort::Modified => node.modified.as_millis(),
        };
        (value, node.name.key())
    });
    if order == Order::Descending {
        rows.reverse();
    }
    rows
}

async fn pages(desk: &Desk, parent: NodeId, mut query: ChildrenQuery) -> Vec<Node> {
    let mut seen = Vec::new();
    loop {
        let page = desk.catalog.children(parent, &query).await.expect("answered");
        assert!(page.len() <= query.limit as usize);
        let Some(last) = page.last() else { break };
        query.after = Some(Cursor::after(last, query.sort));
        seen.extend(page);
    }
    seen
}

pub async fn m1_pages_of_children_hold_every_row_once_in_order(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let nodes = mixed_folder(&desk, &drive).await;
    let narrowed = [
        None,
        Some(Only::Folders),
        Some(Only::Files(Category::Image)),
        Some(Only::Files(Category::Other)),
        Some(Only::Files(Category::Audio)),
    ];
    for sort in SORTS {
        for order in ORDERS {
            for only in narrowed {
                for limit in [1, 7, 60, 1000] {
                    let query = ChildrenQuery {
                        sort,
                        order,
                        only,
                        after: None,
                        limit,
                    };
                    let rows = pages(&desk, drive.root, query).await;
                    let expected = plainly(&nodes, sort, order, only);
                    assert_eq!(
                        names(&rows),
                        names(&expected),
                        "{sort:?} {order:?} {only:?} {limit}"
                    );
                    assert_eq!(rows, expected);
                }
            }
        }
    }
}

pub async fn m1_a_page_of_no_rows_has_none(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    desk.put(desk.file(&drive, "a")).await;
    let children = desk
        .catalog
        .children(drive.root, &ChildrenQuery::first(0))
        .await
        .expect("answered");
    assert_eq!(children, []);
    let strangers = desk
        .catalog
        .children(NodeId::from_u128(9999), &ChildrenQuery::first(10))
        .await
        .expect("answered");
    assert_eq!(strangers, []);
}

pub async fn m1_rows_that_stay_are_seen_while_others_come_and_go(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    for sort in SORTS {
        let mut stay = Vec::new();
        let mut go = Vec::new();
        for number in 0..20 {
            let mut file = desk.file(&drive, &format!("{sort:?} {number:02}"));
            (file.size_bytes, file.modified) = (number, at(i64::try_from(number).expect("is small")));
            match number % 2 {
                0 => stay.push(file.id),
                _ => go.push(file.clone()),
            }
            desk.put(file).await;
        }
        let mut query = ChildrenQuery {
            sort,
            ..ChildrenQuery::first(3)
        };
        let mut seen = Vec::new();
        loop {
            let page = desk.catalog.children(drive.root, &query).await.expect("answered");
            let Some(last) = page.last() else { break };
            query.after = Some(Cursor::after(last, sort));
            // The row the cursor stands on goes too; the next page begins where it was.
            if let Some(gone) = go.iter().find(|file| file.id == last.id) {
                desk.apply(vec![Change::Delete(RecordKey::Node(gone.id))]).await;
            }
            if let Some(gone) = go.pop() {
                desk.apply(vec![Change::Delete(RecordKey::Node(gone.id))]).await;
            }
            let mut fresh = desk.file(&drive, &format!("0 fresh {sort:?} {}", seen.len()));
            fresh.size_bytes = 0;
            desk.put(fresh).await;
            seen.extend(page.into_iter().map(|node| node.id));
        }
        for id in stay {
            assert_eq!(seen.iter().filter(|&&other| other == id).count(), 1);
        }
    }
}

pub async fn m1_a_path_leads_from_the_root_to_the_node(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let mut chain = vec![drive.root];
    for depth in 0..60 {
        let mut folder = desk.folder(&drive, &format!("level {depth}"));
        folder.parent = chain.last().copied();
        chain.push(folder.id);
        if depth == 30 {
            folder = trashed(folder, at(0), at(9));
        }
        desk.put(folder).await;
    }
    for length in [1, 2, 40, 61] {
        let id = chain.get(length - 1).copied().expect("the chain is long enough");
        let path = desk.catalog.path(id).await.expect("answered");
        let ids: Vec<_> = path.iter().map(|node| node.id).collect();
        assert_eq!(Some(ids.as_slice()), chain.get(..length));
        assert_eq!(
            path.iter().filter(|node| node.trashed.is_some()).count(),
            usize::from(length > 31)
        );
    }
    let none = desk.catalog.path(NodeId::from_u128(9999)).await;
    assert_eq!(none.expect("answered"), []);
}

pub async fn m1_a_node_comes_with_its_path_and_its_content(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let folder = desk.folder(&drive, "lectures");
    let blobs = [desk.blob(), desk.blob()];
    let mut content = desk.content(&blobs[0], 40);
    let piece = |number: u64| extent(&blobs[usize::from(number % 2 == 1)], number, 1);
    content.extents = (0..40).map(piece).collect();
    let mut file = desk.file(&drive, "lecture.mp4");
    (file.parent, file.content, file.size_bytes) = (Some(folder.id), Some(content.id), 40);
    desk.apply(vec![
        folder.clone().into(),
        content.clone().into(),
        file.clone().into(),
    ])
    .await;
    let read = async |id| desk.catalog.path_and_content(id).await.expect("answered");
    let root = desk.read_node(drive.root).await.expect("the root is there");
    let whole = vec![root.clone(), folder.clone(), file.clone()];
    assert_eq!(read(file.id).await, (whole, Some(content)));
    assert_eq!(read(folder.id).await, (vec![root, folder], None));
    assert_eq!(read(NodeId::from_u128(9999)).await, (Vec::new(), None));
}

fn search(drive: &Drive, text: &str) -> SearchQuery {
    SearchQuery {
        drives: vec![drive.id],
        text: name(text).folded(),
        category: None,
        after: None,
        limit: 100,
    }
}

async fn found(desk: &Desk, query: &SearchQuery) -> Vec<String> {
    let rows = desk.catalog.search(query).await.expect("answered");
    names(&rows).into_iter().map(str::to_owned).collect()
}

pub async fn m1_a_search_finds_parts_of_names_in_any_case(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (drive, other) = (desk.drive().await, desk.drive().await);
    let texts = [
        "Report 2026.pdf",
        "old rePORT",
        "100% done",
        "100 of 100",
        "a_b",
        "axb",
        "成绩单.xlsx",
        "ÄRGER",
    ];
    desk.apply(texts.map(|text| desk.file(&drive, text).into()).to_vec())
        .await;
    desk.put(desk.file(&other, "report elsewhere")).await;

    assert_eq!(
        found(&desk, &search(&drive, "REPORT")).await,
        ["old rePORT", "Report 2026.pdf"]
    );
    assert_eq!(found(&desk, &search(&drive, "100%")).await, ["100% done"]);
    assert_eq!(found(&desk, &search(&drive, "a_b")).await, ["a_b"]);
    assert_eq!(found(&desk, &search(&drive, "绩")).await, ["成绩单.xlsx"]);
    assert_eq!(found(&desk, &search(&drive, "ärg")).await, ["ÄRGER"]);
    assert!(found(&desk, &search(&drive, "nowhere")).await.is_empty());
    let mut both = search(&drive, "report");
    both.drives = vec![drive.id, other.id, drive.id, DriveId::from_u128(9999)];
    assert_eq!(found(&desk, &both).await.len(), 3);
    both.drives.clear();
    assert!(found(&desk, &both).await.is_empty());
}

pub async fn m1_a_search_matches_the_folded_name_only(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    desk.put(desk.file(&drive, "Report")).await;
    // The name as it is written is no folded text: a query that was not folded finds nothing.
    let mut unfolded = search(&drive, "x");
    "Rep".clone_into(&mut unfolded.text);
    assert!(found(&desk, &unfolded).await.is_empty());
    "t\0R".clone_into(&mut unfolded.text);
    assert!(found(&desk, &unfolded).await.is_empty());
    unfolded.text.clear();
    assert_eq!(found(&desk, &unfolded).await, ["Report", "root"]);
}

pub async fn m1_a_search_leaves_out_what_lies_in_the_trash(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let (mut one, live) = (desk.folder(&drive, "one"), desk.file(&drive, "find me too"));
    let mut two = desk.folder(&drive, "two");
    two.parent = Some(one.id);
    let mut file = desk.file(&drive, "find me");
    file.parent = Some(two.id);
    let lying = trashed(desk.file(&drive, "find me not"), at(0), at(9));
    desk.apply(vec![
        one.clone().into(),
        two.into(),
        file.into(),
        live.into(),
        lying.into(),
    ])
    .await;
    let query = search(&drive, "find");
    assert_eq!(found(&desk, &query).await, ["find me", "find me too"]);
    one = trashed(one, at(1), at(9));
    desk.put(one.clone()).await;
    assert_eq!(found(&desk, &query).await, ["find me too"]);
    one.trashed = None;
    desk.put(one).await;
    assert_eq!(found(&desk, &query).await, ["find me", "find me too"]);
}

pub async fn m1_pages_of_a_search_hold_every_row_once_in_order(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let mut expected = Vec::new();
    for number in 0..5 {
        let folder = desk.folder(&drive, &format!("folder {number}"));
        desk.put(folder.clone()).await;
        for text in ["same note", "Same Note", "note 2"] {
            let mut file = desk.file(&drive, text);
            file.parent = Some(folder.id);
            file.category = if number == 0 {
                Category::Image
            } else {
                Category::Document
            };
            expected.push(file.clone());
            desk.put(file).await;
        }
        let mut inner = desk.folder(&drive, "note folder");
        inner.parent = Some(folder.id);
        expected.push(inner.clone());
        desk.put(inner).await;
    }
    expected.sort_by_key(|node| (node.name.key(), node.id));
    for category in [None, Some(Category::Image)] {
        let mut query = search(&drive, "note");
        (query.limit, query.category) = (4, category);
        let mut seen = Vec::new();
        loop {
            let page = desk.catalog.search(&query).await.expect("answered");
            assert!(page.len() <= 4);
            let Some(last) = page.last() else { break };
            query.after = Some((last.name.key(), last.id));
            seen.extend(page);
        }
        let expected: Vec<_> = expected
            .iter()
            .filter(|node| category.is_none_or(|category| node.category == category))
            .cloned()
            .collect();
        assert_eq!(seen, expected);
    }
}

pub async fn m1_the_trash_comes_latest_first_page_by_page(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (drive, other, third) = (desk.drive().await, desk.drive().await, desk.drive().await);
    let mut expected = Vec::new();
    for number in 0..15 {
        let home = [&drive, &other, &third]
            .get(number % 3)
            .copied()
            .unwrap_or(&drive);
        let file = desk.file(home, &format!("file {number}"));
        let millis = i64::try_from(number / 5).expect("is small");
        let lying = trashed(file, at(millis), at(10 + millis));
        if home.id != third.id {
            expected.push(lying.clone());
        }
        desk.put(lying).await;
    }
    desk.put(desk.file(&drive, "live")).await;
    expected.sort_by_key(|node| {
        let at = node.trashed.as_ref().map(|mark| mark.at);
        std::cmp::Reverse((at, node.id))
    });
    let (mut seen, mut after): (Vec<Node>, _) = (Vec::new(), None);
    loop {
        let page = desk.catalog.trashed(&[drive.id, other.id], after, 3).await;
        let page = page.expect("answered");
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = last.trashed.as_ref().map(|mark| (mark.at, last.id));
        seen.extend(page);
    }
    assert_eq!(seen, expected);
    let none = desk.catalog.trashed(&[], None, 3).await;
    assert_eq!(none.expect("answered"), []);

    let over = desk.catalog.trash_expired(at(10), 100).await.expect("answered");
    assert_eq!(over.len(), 5);
    assert!(over.iter().all(|node| {
        let mark = node.trashed.as_ref();
        mark.is_some_and(|mark| mark.expires <= at(10))
    }));
    let some = desk.catalog.trash_expired(at(100), 4).await.expect("answered");
    assert_eq!(some.len(), 4);
}
