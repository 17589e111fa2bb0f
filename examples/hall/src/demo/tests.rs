//! The demonstration is made once, whatever happens on the way.

use campusdisk_accounts::{
    AccountsConfig, AccountsSeams, Administrator, MemoryAccountStore, NewAccount, Page, Registrant,
};
use campusdisk_core::memory::{MemoryCatalog, MemoryStore};
use campusdisk_core::storage::{StoreInfo, StoreName};
use campusdisk_core::{Policy, RandomIds, Seams};

use include_dir::Dir;

use super::*;

struct House {
    demo: Demo,
    root: AccountId,
}

impl House {
    async fn new() -> Self {
        let seams = AccountsSeams {
            store: Arc::new(MemoryAccountStore::default()),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
        };
        let mut config = AccountsConfig::default();
        config.argon2_memory_kib = 64;
        config.argon2_passes = 1;
        let accounts = Accounts::new(seams, config).unwrap();
        let registrant = Registrant {
            username: "root",
            password: "a password of tests",
            email: None,
        };
        let new = NewAccount {
            registrant,
            admin: true,
        };
        let root = accounts.create(&Administrator::operator(), new).await.unwrap().id;
        let catalog: Arc<dyn Catalog> = Arc::new(MemoryCatalog::default());
        let store = Arc::new(MemoryStore::new(StoreInfo::new(
            StoreName::parse("primary").unwrap(),
        )));
        let identity = Arc::new(AccountsIdentity::new(accounts.clone()));
        let seams = Seams::in_process(store, catalog.clone(), identity);
        let disk = CampusDisk::open(seams, Policy::default()).await.unwrap();
        Self {
            demo: Demo::new(disk, accounts, catalog),
            root,
        }
    }

    async fn fill(&self, language: Language) -> Made {
        self.demo.fill(&self.root, language).await.unwrap()
    }

    /// How many files, folders, shares, deleted things and people there are.
    async fn counts(&self) -> [usize; 4] {
        let desk = self.demo.desk(&self.root).await.unwrap();
        let mut nodes = 0;
        let mut waiting = vec![desk.home().await.unwrap().root];
        while let Some(folder) = waiting.pop() {
            let query = campusdisk_core::catalog::ChildrenQuery::first(1000);
            let listing = desk.children(folder, &query).await.unwrap();
            for node in listing.items {
                nodes += 1;
                if node.kind == campusdisk_core::catalog::record::NodeKind::Folder {
                    waiting.push(node.id);
                }
            }
        }
        let page = Page {
            after: None,
            limit: 100,
        };
        let people = self
            .demo
            .accounts
            .admin_list(&Administrator::operator(), None, page)
            .await;
        [
            nodes,
            desk.shares(None, None, 100).await.unwrap().items.len(),
            desk.trashed(None, 100).await.unwrap().items.len(),
            people.unwrap().items.len(),
        ]
    }
}

fn count(files: &Dir<'_>) -> usize {
    files.files().count() + files.dirs().map(|inner| 1 + count(inner)).sum::<usize>()
}

#[tokio::test]
async fn a_second_run_makes_nothing_twice() {
    for language in [Language::Chinese, Language::English] {
        let house = House::new().await;
        let first = house.fill(language).await;
        let made = house.counts().await;
        assert_eq!(made, [1 + count(Content::of(language).files), 3, 1, 4]);
        let again = house.fill(language).await;
        assert!(first.now && !again.now && first.folder == again.folder);
        assert_eq!(house.counts().await, made);
    }
}

#[tokio::test]
async fn a_run_that_was_cut_short_is_finished_in_its_language() {
    let whole = House::new().await;
    whole.fill(Language::Chinese).await;
    for polls in [1, 20, 60, 150, 300, 500] {
        let house = House::new().await;
        {
            let mut run = std::pin::pin!(house.demo.fill(&house.root, Language::Chinese));
            for _ in 0..polls {
                if futures::poll!(run.as_mut()).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        house.fill(Language::English).await;
        assert_eq!(house.counts().await, whole.counts().await, "after {polls} polls");
    }
}

#[tokio::test]
async fn what_was_thrown_away_can_be_made_again() {
    let house = House::new().await;
    let first = house.fill(Language::English).await;
    house
        .demo
        .desk(&house.root)
        .await
        .unwrap()
        .trash(first.folder, None)
        .await
        .unwrap();
    let again = house.fill(Language::Chinese).await;
    assert!(again.now && again.folder != first.folder);
}
