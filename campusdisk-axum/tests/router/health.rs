//! What `/readyz` says of stores that are not well, and to whom.

use std::sync::Arc;

use campusdisk_axum::StoreProbe;
use campusdisk_core::ErrorKind;
use campusdisk_core::memory::MemoryStore;
use campusdisk_core::storage::{BlobStore, HealthFacts, StoreInfo, StoreName};
use campusdisk_testkit::faulty::{Fault, Faults, FaultyStore, ToldHealth, ops};
use serde_json::{Value, json};

use crate::app::App;

const HERE: &str = "127.0.0.1";

/// A hall with one store whose health the test sets.
struct Case {
    app: App,
    faults: Faults,
    told: ToldHealth,
}

impl Case {
    async fn new(required: bool) -> Self {
        let (faults, told) = (Faults::new(), ToldHealth::new(HealthFacts::well()));
        let store = FaultyStore::new(memory(), faults.clone()).with_health(told.clone());
        let probe = StoreProbe::new(Arc::new(store)).with_required(required);
        let app = App::with_probes(vec![Arc::new(probe)]).await;
        Self { app, faults, told }
    }

    /// What this machine is told of the store.
    async fn part(&self, status: u16) -> Value {
        let body = self.app.get("/readyz").from(HERE).await_ok(status).await;
        assert_eq!(body["status"], if status == 200 { "ok" } else { "down" });
        body["parts"][0].clone()
    }
}

fn memory() -> Arc<dyn BlobStore> {
    let info = StoreInfo::new(StoreName::parse("lectures").unwrap());
    Arc::new(MemoryStore::new(info))
}

fn refusing() -> HealthFacts {
    HealthFacts::well()
        .with_room(Some(7), Some(90))
        .with_figure("live_nodes", 3)
        .refusing("safe mode: it was turned on manually")
        .with_reason("a disk is old")
}

#[tokio::test]
async fn a_store_that_takes_no_bytes_is_named_with_its_reasons_until_it_takes_them_again() {
    let case = Case::new(true).await;
    let well = json!({"name": "lectures", "required": true, "up": true});
    assert_eq!(case.part(200).await, well);
    case.told.set(refusing());
    let expected = json!({
        "name": "lectures", "required": true, "up": false, "read_only": true,
        "detail": "it takes no new bytes: safe mode: it was turned on manually; a disk is old",
        "reasons": ["safe mode: it was turned on manually", "a disk is old"],
        "free_bytes": 7, "total_bytes": 90, "figures": [{"name": "live_nodes", "value": 3}],
    });
    assert_eq!(case.part(503).await, expected);
    case.told.set(HealthFacts::well());
    assert_eq!(case.part(200).await, well);
}

#[tokio::test]
async fn a_store_that_only_complains_or_is_not_required_leaves_the_hall_ready() {
    let case = Case::new(true).await;
    case.told
        .set(HealthFacts::well().with_reason("two blocks are lost"));
    let expected =
        json!({"name": "lectures", "required": true, "up": true, "reasons": ["two blocks are lost"]});
    assert_eq!(case.part(200).await, expected);
    let case = Case::new(false).await;
    case.told.set(refusing());
    let part = case.part(200).await;
    assert_eq!((&part["up"], &part["read_only"]), (&json!(false), &json!(true)));
}

#[tokio::test]
async fn what_ails_a_store_is_for_administrators_and_this_machine_only() {
    let case = Case::new(true).await;
    case.told.set(refusing());
    let app = &case.app;
    let down = json!({"status": "down"});
    assert_eq!(app.get("/readyz").await_ok(503).await, down);
    assert_eq!(app.user("ada").await.get("/readyz").await_ok(503).await, down);
    let forwarded = app
        .get("/readyz")
        .from("10.9.0.1")
        .header("x-forwarded-for", "192.0.2.7");
    assert_eq!(forwarded.await_ok(503).await, down);
    let told = app.administrator().await.get("/readyz").await_ok(503).await;
    assert_eq!(told["parts"][0]["reasons"][1], "a disk is old");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_say_how_it_is_makes_nobody_wait() {
    let case = Case::new(true).await;
    case.faults.fail_next_of(ops::HEALTH, 1, Fault::Hang);
    let asked = tokio::time::Instant::now();
    let part = case.part(503).await;
    assert_eq!(
        (&part["up"], &part["detail"]),
        (&json!(false), &json!("no answer in time"))
    );
    assert_eq!(asked.elapsed().as_secs(), 5);
    case.faults
        .fail_next_of(ops::HEALTH, 1, Fault::Before(ErrorKind::Unavailable));
    let part = case.part(503).await;
    assert_eq!(part["detail"], "health: this call was told to fail");
    assert!(part["read_only"].is_null(), "{part}");
}

#[tokio::test]
async fn a_store_that_tells_nothing_of_itself_is_up_while_it_answers() {
    let faults = Faults::new();
    let store = FaultyStore::new(memory(), faults.clone());
    let probe = StoreProbe::new(Arc::new(store)).with_required(true);
    let app = App::with_probes(vec![Arc::new(probe)]).await;
    app.get("/readyz").await_ok(200).await;
    assert_eq!(faults.calls_of(ops::LIST), 1);
    faults.fail_next_of(ops::LIST, 1, Fault::Before(ErrorKind::Unavailable));
    app.get("/readyz").await_ok(503).await;
}
