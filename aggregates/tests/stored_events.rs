//! Every event version ever written still decodes, and current ones are written as they always were. A golden file
//! holds one stored event as `tests/golden/<aggregate>/<EventType>.<version>[.<case>].json`; it is never edited.

#[cfg(test)]
mod golden;

use std::collections::BTreeSet;

use aggregates::{
    AccessEvent, DecodeError, DocumentEvent, Event, LogEvent, QuotaEvent, UserEvent, upcasters,
};
use cqrs_es::persist::{EventUpcaster, SemanticVersionEventUpcaster};
use golden::{golden_files, rewrite_personal, stored, to_json, variant_names};
use serde_json::{Value, json};

#[test]
fn every_golden_file_decodes_and_current_ones_encode_the_same() {
    for (path, golden) in golden_files() {
        let event = Event::decode(stored(&golden), &upcasters());
        let event = event.unwrap_or_else(|error| panic!("{path}: {error}"));
        let encoded = to_json(&event);
        if encoded["event_version"] == golden["event_version"] {
            assert_eq!(encoded, golden, "{path}");
        }
    }
}

#[test]
fn a_golden_file_is_named_after_its_event() {
    for (path, golden) in golden_files() {
        let field = |name: &str| golden[name].as_str().unwrap().to_owned();
        let stem = format!("{}/{}.{}.", field("aggregate_type"), field("event_type"), field("event_version"));
        assert!(path.starts_with(&stem), "{path} holds {stem}json");
    }
}

#[test]
fn personal_values_read_in_every_state() {
    for (path, golden) in golden_files() {
        for (state, value) in
            [("open", json!("name.pdf")), ("sealed", json!("AA==")), ("erased", json!(true))]
        {
            let mut golden = golden.clone();
            rewrite_personal(&mut golden["payload"], state, &value);
            let event = Event::decode(stored(&golden), &upcasters());
            let event = event.unwrap_or_else(|error| panic!("{path}, {state}: {error}"));
            if to_json(&event)["event_version"] == golden["event_version"] {
                assert_eq!(to_json(&event), golden, "{path}, {state}");
            }
        }
    }
}

#[test]
fn every_event_has_a_golden_file_of_its_current_version_and_a_name_of_its_own() {
    let types = [
        variant_names::<DocumentEvent>(),
        variant_names::<UserEvent>(),
        variant_names::<QuotaEvent>(),
        variant_names::<AccessEvent>(),
        variant_names::<LogEvent>(),
    ]
    .concat();
    let names: BTreeSet<_> = types.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names.len(), types.len(), "upcasters know events by their names alone: {types:?}");

    let current = golden_files().into_iter().filter(|(_, golden)| {
        let event = Event::decode(stored(golden), &upcasters()).unwrap();
        to_json(&event)["event_version"] == golden["event_version"]
    });
    let covered = current.map(|(_, golden)| golden["event_type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, covered);
}

/// As version 0.9 of `LimitChanged` might have been: in kibibytes.
fn to_bytes(mut payload: Value) -> Value {
    let kibibytes = payload["LimitChanged"]["kibibytes"].as_u64().unwrap_or_default();
    payload["LimitChanged"] = json!({ "limit": kibibytes * 1024 });
    payload
}

#[test]
fn upcasters_bring_old_payloads_up_to_date_and_leave_others_alone() {
    let upcaster = SemanticVersionEventUpcaster::new("LimitChanged", "1.0", Box::new(to_bytes));
    let upcasters: [Box<dyn EventUpcaster>; 1] = [Box::new(upcaster)];
    let old = json!({
        "aggregate_type": "quota", "event_type": "LimitChanged", "event_version": "0.9",
        "payload": { "LimitChanged": { "kibibytes": 3 } },
    });
    let current = Event::Quota(QuotaEvent::LimitChanged { limit: 3072 });
    assert_eq!(Event::decode(stored(&old), &upcasters).unwrap(), current);
    assert_eq!(Event::decode(stored(&to_json(&current)), &upcasters).unwrap(), current);
    let other = Event::Quota(QuotaEvent::QuotaOpened { limit: 1 });
    assert_eq!(Event::decode(stored(&to_json(&other)), &upcasters).unwrap(), other);
}

/// A sound `LimitChanged` with `field` replaced.
fn decode_with(field: &str, value: Value) -> Result<Event, DecodeError> {
    let mut event = to_json(&Event::Quota(QuotaEvent::LimitChanged { limit: 1 }));
    event[field] = value;
    Event::decode(stored(&event), &upcasters())
}

#[test]
fn what_this_release_cannot_read_is_an_error() {
    let error = decode_with("aggregate_type", json!("library")).unwrap_err();
    assert!(matches!(&error, DecodeError::UnknownAggregate(name) if name == "library"), "{error}");

    let error = decode_with("event_type", json!("QuotaOpened")).unwrap_err();
    assert!(matches!(&error, DecodeError::Mislabelled { stored, payload }
        if stored == "QuotaOpened" && payload == "LimitChanged"));

    for version in ["2.0", "0.9", ""] {
        let error = decode_with("event_version", json!(version)).unwrap_err();
        assert!(matches!(&error, DecodeError::UnknownVersion { stored, .. } if stored == version), "{error}");
    }

    for payload in [
        json!(null),
        json!("LimitChanged"),
        json!({}),
        json!({ "LimitMoved": { "limit": 1 } }),
        json!({ "UserRegistered": {} }),
        json!({ "LimitChanged": {} }),
        json!({ "LimitChanged": { "limit": -1 } }),
        json!({ "LimitChanged": { "limit": "1" } }),
        json!({ "LimitChanged": { "limit": 1 }, "QuotaOpened": { "limit": 1 } }),
    ] {
        let error = decode_with("payload", payload.clone()).unwrap_err();
        assert!(matches!(error, DecodeError::Payload { .. }), "{payload}");
        assert!(error.to_string().contains("quota/LimitChanged"), "{error}");
    }
}

#[test]
fn words_within_events_are_frozen() {
    use aggregates::access::RevocationReason;
    use aggregates::document::{Inspection, InspectionRefusal, RejectionReason, Stage};
    use aggregates::{Role, Scope};
    let words = [
        (variant_names::<Role>(), vec!["user", "admin", "auditor"]),
        (variant_names::<Scope>(), vec!["read", "write"]),
        (
            variant_names::<RevocationReason>(),
            vec![
                "logout",
                "revoked",
                "password_changed",
                "password_reset",
                "token_reused",
                "factor_changed",
                "role_changed",
                "deactivated",
                "ended_by_administrator",
            ],
        ),
        (variant_names::<RejectionReason>(), vec!["size_mismatch", "checksum_mismatch"]),
        (variant_names::<Inspection>(), vec!["text_extracted", "not_inspected"]),
        (
            variant_names::<InspectionRefusal>(),
            vec![
                "too_large",
                "unsupported",
                "encrypted",
                "malformed",
                "time_limit",
                "memory_limit",
                "output_limit",
            ],
        ),
        (
            variant_names::<Stage>(),
            vec![
                "absent",
                "pending",
                "verifying",
                "active",
                "trashed",
                "rejected",
                "cancelled",
                "expired",
                "purged",
            ],
        ),
    ];
    for (words, frozen) in words {
        assert_eq!(words, frozen);
    }
}
