//! What the wrapper of core that traces says of each call.
//!
//! In a program of its own: tracing asks whoever comes to a place first whether anybody listens to it, and remembers the answer
//! for all, so a test beside this one that does not listen would silence it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use campusdisk_core::memory::MemoryStore;
use campusdisk_core::storage::{BlobStore, StoreInfo, StoreName};
use campusdisk_core::wrap::TraceStore;
use campusdisk_core::{ErrorKind, Span};
use campusdisk_testkit::faulty::{Fault, Faults, FaultyStore, ops};
use campusdisk_testkit::storage::{key, listed, pattern, put, read};
use futures::StreamExt;

fn span(start: u64, end: u64) -> Span {
    Span::new(start, end).unwrap()
}

/// Keeps the text of every event.
#[derive(Clone, Debug, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Events {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields(String);
        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{field}={value:?} ");
            }
        }
        let mut fields = Fields(format!("{} ", event.metadata().level()));
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn every_call_is_an_event_with_its_key_bytes_and_end() {
    let events = Events::default();
    let _guard = tracing::subscriber::set_default(events.clone());
    let faults = Faults::new();
    let info = StoreInfo::new(StoreName::parse("memory").unwrap());
    let memory = MemoryStore::new(info).with_piece_bytes(100);
    let faulty = FaultyStore::new(Arc::new(memory), faults.clone());
    let store = TraceStore::new(Arc::new(faulty));
    let blob = put(&store, &key("a", 1), pattern(1, 1000)).await.unwrap();
    read(&store, &blob, span(0, 700)).await.unwrap();
    let reader = store.open(&blob).await.unwrap();
    let mut body = reader.read(span(0, 700)).await.unwrap();
    body.next().await.unwrap().unwrap();
    drop(body);
    faults.fail_next_of(ops::READ, 1, Fault::Before(ErrorKind::Unavailable));
    reader.read(span(0, 1)).await.unwrap_err();
    listed(&store, "", None).await.unwrap();
    let key = blob.key.to_string();
    let texts = events.0.lock().unwrap().clone();
    for (op, rest) in [
        ("create", "bytes=0"),
        ("commit", "bytes=1000"),
        ("open", "bytes=0"),
        ("read", "bytes=700"),
        ("read", "bytes=100"),
        ("read", "error="),
        ("list", "bytes=0"),
    ] {
        let found = texts.iter().find(|text| {
            let keyed = op == "list" || text.contains(&key);
            text.contains(&format!("op=\"{op}\"")) && text.contains(rest) && keyed
        });
        let found = found.unwrap_or_else(|| panic!("no event {op} {rest} in {texts:#?}"));
        assert!(
            found.contains("elapsed=") && found.contains("store=memory"),
            "{found}"
        );
        let level = if rest == "error=" { "WARN" } else { "DEBUG" };
        assert!(found.starts_with(level), "{found}");
    }
    assert!(texts.iter().any(|text| text.contains("dropped")), "{texts:#?}");
}
