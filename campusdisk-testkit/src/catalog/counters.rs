//! Counters, their bounds, and that putting a record leaves them: C7 and C8.

use std::sync::Arc;

use campusdisk_core::catalog::record::{Content, Drive, Share, Ticket};
use campusdisk_core::catalog::{Bound, Catalog, Change, Counter, RecordKey};
use campusdisk_core::{ContentId, DriveId, ErrorKind, ShareId, TicketId};

use super::desk::Desk;

struct Counted {
    drive: Drive,
    content: Content,
    share: Share,
    ticket: Ticket,
}

impl Counted {
    async fn put(desk: &Desk) -> Self {
        let drive = desk.drive().await;
        let content = desk.content(&desk.blob(), 9);
        let share = desk.share(drive.root);
        let ticket = desk.ticket(share.id, "client");
        desk.apply(vec![
            content.clone().into(),
            share.clone().into(),
            ticket.clone().into(),
        ])
        .await;
        Self {
            drive,
            content,
            share,
            ticket,
        }
    }

    fn counters(&self) -> [Counter; 6] {
        [
            Counter::DriveUsed(self.drive.id),
            Counter::DriveReserved(self.drive.id),
            Counter::DriveTree(self.drive.id),
            Counter::ContentRefs(self.content.id),
            Counter::ShareDownloads(self.share.id),
            Counter::TicketGranted(self.ticket.id),
        ]
    }
}

async fn read(desk: &Desk, counter: Counter) -> u64 {
    let gone = "the record is there";
    match counter {
        Counter::DriveUsed(id) => desk.read_drive(id).await.used_bytes,
        Counter::DriveReserved(id) => desk.read_drive(id).await.reserved_bytes,
        Counter::DriveTree(id) => desk.read_drive(id).await.tree_version,
        Counter::ContentRefs(id) => desk.read_content(id).await.expect(gone).refs,
        Counter::ShareDownloads(id) => {
            let share = desk.catalog.share(id).await.expect("answered");
            share.expect(gone).downloads
        }
        Counter::TicketGranted(id) => {
            let ticket = desk.catalog.ticket(id).await.expect("answered");
            ticket.expect(gone).granted_bytes
        }
    }
}

pub async fn c7_every_counter_counts_up_and_down(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let counted = Counted::put(&desk).await;
    for counter in counted.counters() {
        desk.apply(vec![
            Change::Add(counter, 1 << 40, Bound::None),
            Change::Add(counter, -3, Bound::None),
            Change::Add(counter, 0, Bound::None),
        ])
        .await;
        assert_eq!(read(&desk, counter).await, (1 << 40) - 3, "{counter:?}");
    }
}

pub async fn c7_no_counter_goes_below_zero(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let counted = Counted::put(&desk).await;
    for counter in counted.counters() {
        desk.apply(vec![Change::Add(counter, 2, Bound::None)]).await;
        for delta in [-3, i64::MIN] {
            for bound in [Bound::None, Bound::Quota, Bound::AtMost(9)] {
                let kind = desk.refused(vec![Change::Add(counter, delta, bound)]).await;
                assert_eq!(kind, ErrorKind::Conflict, "{counter:?} {delta} {bound:?}");
            }
        }
        desk.apply(vec![Change::Add(counter, -2, Bound::None)]).await;
        assert_eq!(read(&desk, counter).await, 0);
    }
}

pub async fn c7_at_most_is_a_limit_that_can_be_reached(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let counted = Counted::put(&desk).await;
    for counter in counted.counters() {
        desk.apply(vec![Change::Add(counter, 5, Bound::AtMost(5))]).await;
        let kind = desk
            .refused(vec![Change::Add(counter, 1, Bound::AtMost(5))])
            .await;
        assert_eq!(kind, ErrorKind::LimitExceeded, "{counter:?}");
        desk.apply(vec![Change::Add(counter, 1, Bound::AtMost(u64::MAX))])
            .await;
        assert_eq!(read(&desk, counter).await, 6);
    }
}

pub async fn c7_no_counter_exceeds_63_bits(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let counted = Counted::put(&desk).await;
    for counter in counted.counters() {
        desk.apply(vec![Change::Add(counter, i64::MAX, Bound::None)])
            .await;
        for delta in [1, i64::MAX] {
            for bound in [Bound::None, Bound::AtMost(u64::MAX)] {
                let kind = desk.refused(vec![Change::Add(counter, delta, bound)]).await;
                assert_eq!(kind, ErrorKind::LimitExceeded, "{counter:?} {delta}");
            }
        }
        assert_eq!(read(&desk, counter).await, i64::MAX.unsigned_abs());
        desk.apply(vec![Change::Add(counter, -i64::MAX, Bound::None)])
            .await;
        assert_eq!(read(&desk, counter).await, 0);
    }
}

pub async fn c7_a_counter_of_no_record_is_not_found(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let counters = [
        Counter::DriveUsed(DriveId::from_u128(9999)),
        Counter::DriveReserved(DriveId::from_u128(9999)),
        Counter::DriveTree(DriveId::from_u128(9999)),
        Counter::ContentRefs(ContentId::from_u128(9999)),
        Counter::ShareDownloads(ShareId::from_u128(9999)),
        Counter::TicketGranted(TicketId::from_u128(9999)),
    ];
    for counter in counters {
        for delta in [1, 0, -1] {
            let kind = desk.refused(vec![Change::Add(counter, delta, Bound::None)]).await;
            assert_eq!(kind, ErrorKind::NotFound, "{counter:?}");
        }
    }
}

pub async fn c7_a_quota_holds_under_fifty_racing_adds(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive_with_quota(Some(100)).await;
    let sets = (0..50).map(|number| {
        let counter = match number % 2 {
            0 => Counter::DriveUsed(drive.id),
            _ => Counter::DriveReserved(drive.id),
        };
        desk.set(vec![Change::Add(counter, 7, Bound::Quota)])
    });
    let answers = desk.race(sets.collect()).await;
    let granted = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(granted, 14);
    for error in answers.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
    }
    let row = desk.read_drive(drive.id).await;
    assert_eq!(row.used_bytes + row.reserved_bytes, 98);
}

pub async fn c7_used_and_reserved_bytes_share_the_quota(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive_with_quota(Some(10)).await;
    let (used, reserved) = (Counter::DriveUsed(drive.id), Counter::DriveReserved(drive.id));
    desk.apply(vec![
        Change::Add(used, 4, Bound::Quota),
        Change::Add(reserved, 6, Bound::Quota),
    ])
    .await;
    for counter in [used, reserved] {
        let kind = desk.refused(vec![Change::Add(counter, 1, Bound::Quota)]).await;
        assert_eq!(kind, ErrorKind::QuotaExceeded);
    }
    // A finished upload: what was reserved is now used.
    desk.apply(vec![
        Change::Add(reserved, -6, Bound::None),
        Change::Add(used, 6, Bound::Quota),
    ])
    .await;
    assert_eq!(desk.read_drive(drive.id).await.used_bytes, 10);
}

pub async fn c7_less_is_always_allowed_also_over_quota(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let mut drive = desk.drive_with_quota(Some(10)).await;
    let used = Counter::DriveUsed(drive.id);
    desk.apply(vec![Change::Add(used, 10, Bound::Quota)]).await;
    drive.quota_bytes = Some(3);
    desk.put(drive.clone()).await;
    desk.apply(vec![
        Change::Add(used, -1, Bound::Quota),
        Change::Add(used, 0, Bound::Quota),
    ])
    .await;
    let kind = desk.refused(vec![Change::Add(used, 1, Bound::Quota)]).await;
    assert_eq!(kind, ErrorKind::QuotaExceeded);
    drive.quota_bytes = None;
    desk.put(drive.clone()).await;
    desk.apply(vec![Change::Add(used, 1 << 50, Bound::Quota)]).await;
    assert_eq!(desk.read_drive(drive.id).await.used_bytes, (1 << 50) + 9);
}

pub async fn c7_a_quota_of_63_bits_is_a_quota(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive_with_quota(Some(i64::MAX.unsigned_abs())).await;
    let (used, reserved) = (Counter::DriveUsed(drive.id), Counter::DriveReserved(drive.id));
    desk.apply(vec![
        Change::Add(used, i64::MAX - 5, Bound::Quota),
        Change::Add(reserved, 5, Bound::Quota),
    ])
    .await;
    for counter in [used, reserved] {
        let kind = desk
            .refused(vec![Change::Add(counter, i64::MAX, Bound::Quota)])
            .await;
        assert_eq!(kind, ErrorKind::QuotaExceeded);
    }
}

pub async fn c7_a_quota_bounds_nothing_but_bytes_of_a_drive(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let counted = Counted::put(&desk).await;
    let mut drive = counted.drive.clone();
    drive.quota_bytes = Some(0);
    desk.put(drive).await;
    for counter in counted.counters().into_iter().skip(2) {
        desk.apply(vec![Change::Add(counter, 3, Bound::Quota)]).await;
        assert_eq!(read(&desk, counter).await, 3);
    }
}

pub async fn c7_racing_downloads_stop_at_the_limit(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let counted = Counted::put(&desk).await;
    let counter = Counter::ShareDownloads(counted.share.id);
    let sets = (0..30).map(|_| desk.set(vec![Change::Add(counter, 1, Bound::AtMost(4))]));
    let answers = desk.race(sets.collect()).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 4);
    assert_eq!(read(&desk, counter).await, 4);
}

pub async fn c8_putting_a_record_leaves_its_counters(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let counted = Counted::put(&desk).await;
    let adds = counted
        .counters()
        .map(|counter| Change::Add(counter, 7, Bound::None));
    desk.apply(adds.to_vec()).await;

    let mut drive = counted.drive.clone();
    (drive.used_bytes, drive.reserved_bytes, drive.tree_version) = (1, 2, 3);
    let mut content = counted.content.clone();
    content.refs = 1;
    let mut share = counted.share.clone();
    share.downloads = 1;
    let mut ticket = counted.ticket.clone();
    ticket.granted_bytes = 1;
    desk.apply(vec![drive.into(), content.into(), share.into(), ticket.into()])
        .await;
    for counter in counted.counters() {
        assert_eq!(read(&desk, counter).await, 7, "{counter:?}");
    }
}

pub async fn c8_inserting_a_record_takes_its_counters(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let counted = Counted::put(&desk).await;
    desk.apply(vec![
        Change::Delete(RecordKey::Drive(counted.drive.id)),
        Change::Delete(RecordKey::Content(counted.content.id)),
        Change::Delete(RecordKey::Ticket(counted.ticket.id)),
        Change::Delete(RecordKey::Share(counted.share.id)),
    ])
    .await;
    let mut drive = counted.drive.clone();
    (drive.used_bytes, drive.reserved_bytes, drive.tree_version) = (5, 5, 5);
    let mut content = counted.content.clone();
    content.refs = 5;
    let mut share = counted.share.clone();
    share.downloads = 5;
    let mut ticket = counted.ticket.clone();
    ticket.granted_bytes = 5;
    desk.apply(vec![drive.into(), content.into(), share.into(), ticket.into()])
        .await;
    for counter in counted.counters() {
        assert_eq!(read(&desk, counter).await, 5, "{counter:?}");
    }
}
