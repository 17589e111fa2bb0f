//! What is done in a folder at the moment when it is moved to another drive: it arrives there too, and is counted there.

use campusdisk_core::catalog::record::{Drive, Role, Subject};
use campusdisk_core::catalog::{Change, Record};
use campusdisk_core::{Desk, ErrorKind, NodeId, NodeUpdate, Result};

use crate::fixture::{Fixture, append, folder, kind, name, pattern, put, read};

/// A folder with a file in somebody's own drive, and another drive that they belong to.
struct Between {
    fixture: Fixture,
    desk: Desk,
    folder: NodeId,
    file: NodeId,
    other: Drive,
}

impl Between {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let (desk, root) = fixture.alice().await;
        let other = fixture.other_drive(&desk, None).await;
        let folder = folder(&desk, root, "moved").await;
        let file = put(&desk, folder, "there", &pattern(1500)).await.unwrap();
        Self {
            fixture,
            desk,
            folder,
            file,
            other,
        }
    }

    async fn move_folder(&self) {
        let mut update = NodeUpdate::default();
        update.parent = Some(self.other.root);
        let moved = self.desk.update(self.folder, update).await.unwrap();
        assert_eq!(
            moved,
            self.fixture.catalog.node(self.folder).await.unwrap().unwrap()
        );
    }

    /// Begins something whose commit comes after the folder has moved.
    async fn while_it_moves<F>(&self, begun: impl FnOnce(Desk) -> F) -> Result<NodeId>
    where
        F: Future<Output = Result<NodeId>> + Send + 'static,
    {
        let folder = self.folder;
        let gate = self.fixture.gates.hold_commit(
            move |change| matches!(change, Change::Put(Record::Node(node)) if node.id != folder),
        );
        let slow = tokio::spawn(begun(self.desk.clone()));
        gate.arrived().await;
        self.move_folder().await;
        gate.open();
        slow.await.unwrap()
    }

    async fn assert_in_other(&self, node: NodeId) {
        let node = self.fixture.catalog.node(node).await.unwrap().unwrap();
        assert_eq!(node.drive, self.other.id);
        self.fixture.assert_settles().await;
        assert_eq!(self.desk.home().await.unwrap().used_bytes, 0);
    }
}

#[tokio::test]
async fn a_new_folder() {
    let between = Between::new().await;
    let parent = between.folder;
    let made =
        between.while_it_moves(async move |desk| Ok(desk.create_folder(parent, name("new")).await?.id));
    let made = made.await.unwrap();
    between.assert_in_other(made).await;
}

#[tokio::test]
async fn a_file_that_is_put() {
    let between = Between::new().await;
    let parent = between.folder;
    let put = between.while_it_moves(async move |desk| put(&desk, parent, "new", &pattern(2500)).await);
    let file = put.await.unwrap();
    between.assert_in_other(file).await;
    assert_eq!(read(&between.desk, file).await.unwrap(), pattern(2500));
}

#[tokio::test]
async fn an_upload_that_ends() {
    let between = Between::new().await;
    let parent = between.folder;
    let ended = between.while_it_moves(async move |desk| {
        let mut spec = campusdisk_core::UploadSpec::file(name("new"), Some(2500));
        spec.parent = Some(parent);
        let begun = desk.create_upload(spec).await?;
        let ended = append(&desk, begun.id, 0, &pattern(2500)).await?;
        Ok(ended.node.unwrap().id)
    });
    let file = ended.await.unwrap();
    between.assert_in_other(file).await;
}

#[tokio::test]
async fn a_new_version() {
    let between = Between::new().await;
    let parent = between.folder;
    let put = between.while_it_moves(async move |desk| put(&desk, parent, "there", &pattern(700)).await);
    let file = put.await.unwrap();
    assert_eq!(file, between.file);
    between.assert_in_other(file).await;
    assert_eq!(read(&between.desk, file).await.unwrap(), pattern(700));
}

#[tokio::test]
async fn a_new_name() {
    let between = Between::new().await;
    let file = between.file;
    let renamed = between.while_it_moves(async move |desk| {
        let mut update = NodeUpdate::default();
        update.name = Some(name("renamed"));
        Ok(desk.update(file, update).await?.id)
    });
    let file = renamed.await.unwrap();
    between.assert_in_other(file).await;
}

#[tokio::test]
async fn a_copy() {
    let between = Between::new().await;
    let (file, parent) = (between.file, between.folder);
    let copied =
        between.while_it_moves(async move |desk| Ok(desk.copy(file, parent, Some(name("copy"))).await?.id));
    let copy = copied.await.unwrap();
    between.assert_in_other(copy).await;
}

#[tokio::test]
async fn a_restored_file() {
    let between = Between::new().await;
    let file = between.file;
    between.desk.trash(file, None).await.unwrap();
    let restored =
        between.while_it_moves(async move |desk| Ok(desk.restore(file, Default::default()).await?.id));
    let file = restored.await.unwrap();
    between.assert_in_other(file).await;
}

#[tokio::test]
async fn nobody_follows_a_folder_into_a_drive_that_is_not_theirs() {
    let between = Between::new().await;
    let (bob, home) = (between.fixture.desk("bob"), between.desk.home().await.unwrap());
    let member = Subject::Account(bob.actor().account.clone());
    let role = Some(Role::Contributor);
    between
        .fixture
        .disk
        .set_member(home.id, member, role)
        .await
        .unwrap();
    let parent = between.folder;
    let bobs = bob.clone();
    let made = between.while_it_moves(async move |_| Ok(bobs.create_folder(parent, name("new")).await?.id));
    assert_eq!(kind(made.await), ErrorKind::NotFound);
    assert_eq!(kind(upload_into(&bob, parent).await), ErrorKind::NotFound);
    between.assert_in_other(between.file).await;
}

async fn upload_into(desk: &Desk, parent: NodeId) -> Result<()> {
    let mut spec = campusdisk_core::UploadSpec::file(name("f"), Some(1));
    spec.parent = Some(parent);
    desk.create_upload(spec).await.map(drop)
}
