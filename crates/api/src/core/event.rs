//! Events: the core kind, in which they are stored, and the view of them in `events.k8s.io`.
//! Invariant: converting to the other group and back loses nothing; fields that one group lacks have names in the other.

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::api::events::v1::Event as EventsEvent;
use serde_json::{Map, Value};

use super::object::subdomain_name_errors;
use crate::columns::{computed, path, text, wide};
use crate::field::{FieldError, Rejection};
use crate::schema;
use crate::table::{Column, Resource, Version, unchanged};

const COLUMNS: &[Column] = &[
    computed("Last Seen", "date", last_seen, "How long ago the event happened last."),
    path("Type", "string", ".type", "`Normal` or `Warning`."),
    path("Reason", "string", ".reason", "What happened, as one word for programs."),
    computed("Object", "string", object, "What the event is about."),
    wide(path(
        "Subobject",
        "string",
        ".involvedObject.fieldPath",
        "The part of the object, such as a container.",
    )),
    wide(computed("Source", "string", source, "Who reported the event.")),
    computed(
        "Message",
        "string",
        |event| Value::from(text(event, "/message").trim()),
        "What happened, for people.",
    ),
    wide(path("First Seen", "date", ".firstTimestamp", "How long ago the event happened first.")),
    wide(path("Count", "string", ".count", "How often the event happened.")),
    wide(path("Name", "string", ".metadata.name", "The name of the event.")),
];

pub(crate) const EVENT: Resource = Resource {
    group: "",
    plural: "events",
    singular: "event",
    kind: "Event",
    short_names: &["ev"],
    categories: &[],
    namespaced: true,
    versions: &[Version {
        name: "v1",
        schema: schema::of::<Event>,
        to_storage: unchanged,
        from_storage: unchanged,
        deprecation_warning: None,
    }],
    storage_version: "v1",
    stored_with: None,
    status_subresource: false,
    builtin: true,
    columns: COLUMNS,
    selectable_fields: &[
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ],
    default: default_event,
    validate,
};

pub(crate) const EVENTS_EVENT: Resource = Resource {
    group: "events.k8s.io",
    versions: &[Version {
        name: "v1",
        schema: schema::of::<EventsEvent>,
        to_storage: |event| Ok(renamed(event, "v1", |(_, events)| *events, |(core, _)| *core)),
        from_storage: |event| {
            Ok(renamed(event, "events.k8s.io/v1", |(core, _)| *core, |(_, events)| *events))
        },
        deprecation_warning: None,
    }],
    stored_with: Some(("", "events")),
    ..EVENT
};

/// Fields of the core group with their names in `events.k8s.io`.
const NAMES: &[(&str, &str)] = &[
    ("count", "deprecatedCount"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("source", "deprecatedSource"),
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
];

fn renamed(
    event: Value,
    api_version: &str,
    from: fn(&(&'static str, &'static str)) -> &'static str,
    to: fn(&(&'static str, &'static str)) -> &'static str,
) -> Value {
    let Value::Object(event) = event else { return event };
    let mut renamed = event
        .into_iter()
        .map(|(field, value)| {
            let new = NAMES.iter().find(|names| from(names) == field).map(to);
            (new.map_or(field, ToOwned::to_owned), value)
        })
        .collect::<Map<_, _>>();
    renamed.insert("apiVersion".to_owned(), Value::from(api_version));
    Value::Object(renamed)
}

fn default_event(object: &mut Value) {
    let Some(event) = object.as_object_mut() else { return };
    event.entry("source").or_insert_with(|| Value::Object(Map::new()));
    for field in ["reportingComponent", "reportingInstance"] {
        event.entry(field).or_insert_with(|| Value::from(""));
    }
}

fn validate(new: &Value, _: Option<&Value>) -> Result<(), Rejection> {
    let mut errors = subdomain_name_errors(new);
    let involved = text(new, "/involvedObject/namespace");
    let own = text(new, "/metadata/namespace");
    let expected = if involved.is_empty() { "default" } else { involved };
    if !own.is_empty() && own != expected {
        errors.push(FieldError::invalid(
            "involvedObject.namespace",
            involved,
            "does not match event.namespace",
        ));
    }
    Rejection::unless_empty(errors)
}

fn last_seen(event: &Value) -> Value {
    ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/firstTimestamp"]
        .iter()
        .filter_map(|pointer| event.pointer(pointer))
        .find(|time| !time.is_null())
        .cloned()
        .unwrap_or(Value::Null)
}

fn object(event: &Value) -> Value {
    let kind = text(event, "/involvedObject/kind").to_lowercase();
    let name = text(event, "/involvedObject/name");
    Value::from(if name.is_empty() { kind } else { format!("{kind}/{name}") })
}

fn source(event: &Value) -> Value {
    let component = match text(event, "/source/component") {
        "" => text(event, "/reportingComponent"),
        component => component,
    };
    let host = match text(event, "/source/host") {
        "" => text(event, "/reportingInstance"),
        host => host,
    };
    Value::from(if host.is_empty() { component.to_owned() } else { format!("{component}, {host}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_reads_the_same_after_a_round_trip_through_the_other_group() {
        let event = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": { "name": "e", "namespace": "n" },
            "involvedObject": { "kind": "Pod", "name": "p" },
            "message": "hello",
            "reason": "Started",
            "count": 3,
            "source": { "component": "node" },
            "firstTimestamp": "2026-01-01T00:00:00Z",
            "lastTimestamp": "2026-01-01T00:00:01Z",
            "reportingComponent": "",
            "reportingInstance": "",
        });
        let version = &EVENTS_EVENT.versions[0];
        let other = (version.from_storage)(event.clone()).unwrap();
        assert_eq!(other["regarding"]["name"], "p");
        assert_eq!(other["note"], "hello");
        assert_eq!(other["apiVersion"], "events.k8s.io/v1");
        assert_eq!(other["deprecatedCount"], 3);
        assert_eq!((version.to_storage)(other).unwrap(), event);
    }

    #[test]
    fn an_event_lives_in_the_namespace_of_its_object() {
        let event = |involved: Value, namespace: &str| json!({ "metadata": { "name": "e", "namespace": namespace }, "involvedObject": involved });
        assert_eq!(validate(&event(json!({ "namespace": "a" }), "a"), None), Ok(()));
        assert_eq!(validate(&event(json!({}), "default"), None), Ok(()));
        assert!(validate(&event(json!({ "namespace": "a" }), "b"), None).is_err());
    }
}
