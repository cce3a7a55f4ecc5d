//! Reads the golden files, and events as they are stored.

mod states;

use std::path::Path;

use aggregates::{Event, access};
use cqrs_es::persist::SerializedEvent;
use cqrs_es::{Aggregate, DomainEvent};
use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde_json::{Value, json};

/// Each golden file: its path below `golden/`, and what it holds.
pub(crate) fn golden_files() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files = vec![];
    for aggregate in ["access", "document", "log", "quota", "user"] {
        for entry in std::fs::read_dir(root.join(aggregate)).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            files.push((name, serde_json::from_str(&text).unwrap()));
        }
    }
    files
}

/// The golden form as the log hands it to a reader.
pub(crate) fn stored(golden: &Value) -> SerializedEvent {
    let text = |field: &str| golden[field].as_str().unwrap().to_owned();
    SerializedEvent::new(
        "stream".into(),
        1,
        text("aggregate_type"),
        text("event_type"),
        text("event_version"),
        golden["payload"].clone(),
        json!({}),
    )
}

/// `event` in its golden form.
pub(crate) fn to_json(event: &Event) -> Value {
    match event {
        Event::Document(event) => golden(aggregates::Document::TYPE, event),
        Event::User(event) => golden(aggregates::User::TYPE, event),
        Event::Quota(event) => golden(aggregates::Quota::TYPE, event),
        Event::Access(event) => golden(access::TYPE, event),
        Event::Log(event) => golden(aggregates::log::TYPE, event),
    }
}

fn golden(aggregate_type: &str, event: &impl DomainEvent) -> Value {
    json!({
        "aggregate_type": aggregate_type,
        "event_type": event.event_type(),
        "event_version": event.event_version(),
        "payload": event,
    })
}

/// Puts every personal value in `payload` into `state`.
pub(crate) fn rewrite_personal(payload: &mut Value, state: &str, value: &Value) {
    match payload {
        Value::Object(fields) if fields.contains_key("subject") => {
            fields.retain(|field, _| field == "subject");
            fields.insert(state.into(), value.clone());
        }
        Value::Object(fields) => {
            fields.values_mut().for_each(|field| rewrite_personal(field, state, value));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite_personal(item, state, value)),
        _ => {}
    }
}

/// The names of all variants of `E`, asked from its `Deserialize`, so that none can be forgotten.
pub(crate) fn variant_names<'de, E: Deserialize<'de>>() -> Vec<&'static str> {
    let mut variants = vec![];
    let _ = E::deserialize(VariantNames(&mut variants));
    variants
}

struct VariantNames<'a>(&'a mut Vec<&'static str>);

impl<'de> Deserializer<'de> for VariantNames<'_> {
    type Error = Error;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        self.0.extend(variants);
        Err(Error::custom("only the names are wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("not an enum"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
