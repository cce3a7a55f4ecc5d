//! The serialized states that snapshots hold: each aggregate after its first event and one more, for every golden event.

use std::collections::BTreeMap;
use std::path::Path;

use aggregates::{Document, Quota, User, state_version};
use cqrs_es::Aggregate;
use serde_json::Value;

use crate::golden::golden_files;

fn states<A: Aggregate>(first: &str) -> BTreeMap<String, Value> {
    let events: BTreeMap<String, Value> = golden_files()
        .into_iter()
        .filter_map(|(path, event)| {
            Some((path.strip_prefix(A::TYPE)?.trim_start_matches('/').to_owned(), event))
        })
        .collect();
    let apply =
        |state: &mut A, event: &Value| state.apply(serde_json::from_value(event["payload"].clone()).unwrap());
    let state = |event: &Value| {
        let mut state = A::default();
        apply(&mut state, &events[first]);
        apply(&mut state, event);
        serde_json::to_value(&state).unwrap()
    };
    events.iter().map(|(name, event)| (name.clone(), state(event))).collect()
}

/// A changed state under an old version would be loaded from snapshots as if nothing had changed.
#[test]
fn states_are_as_their_version_says() {
    for (aggregate, states) in [
        (Document::TYPE, states::<Document>("UploadRequested.1.0.json")),
        (Quota::TYPE, states::<Quota>("QuotaOpened.1.0.json")),
        (User::TYPE, states::<User>("UserRegistered.1.0.json")),
    ] {
        let file = format!("tests/golden/states/{aggregate}.{}.json", state_version(aggregate).unwrap());
        let golden =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)).unwrap_or_default();
        let current = serde_json::to_string_pretty(&states).unwrap();
        assert!(
            golden.trim() == current,
            "{aggregate}: raise its version in state_version.rs (once it was released), and let {file} hold\n{current}"
        );
    }
}
