//! What `v1beta1` knows and `v1` does not, kept in the annotations that Tekton uses for it.
//! Invariant: what is taken out of an object is put back, whichever way it is converted.

use serde_json::{Map, Value};

/// The annotation that keeps `spec.resources`.
pub(super) const RESOURCES: &str = "tekton.dev/v1beta1Resources";
/// The annotation that keeps `status.cloudEvents`.
pub(super) const CLOUD_EVENTS: &str = "tekton.dev/v1beta1CloudEvents";
/// The annotation that keeps `status.resourcesResult`.
pub(super) const RESOURCES_RESULT: &str = "tekton.dev/v1beta1ResourcesResult";
/// The annotation that keeps `status.taskSpec.resources`.
pub(super) const RESOURCES_STATUS: &str = "tekton.dev/v1beta1ResourcesStatus";
/// The annotation that keeps the container fields of steps, by the name of the task.
const TASK_DEPRECATIONS: &str = "tekton.dev/v1beta1.task-deprecations";

/// The fields of an object.
pub(super) type Fields = Map<String, Value>;

/// Which way an object is converted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    ToV1,
    FromV1,
}

/// What `v1` has no fields for, kept in annotations.
#[derive(Default)]
pub(super) struct Stash {
    /// The name of the object, by which its own steps are known.
    pub(super) name: String,
    kept: Fields,
    /// What steps had beyond `v1`, by the name of the task.
    pub(super) tasks: Fields,
}

impl Stash {
    const KEYS: [&str; 4] = [RESOURCES, CLOUD_EVENTS, RESOURCES_RESULT, RESOURCES_STATUS];

    /// Takes the annotations out of the object.
    pub(super) fn take(object: &mut Fields) -> Result<Self, String> {
        let mut stash = Self::default();
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
            return Ok(stash);
        };
        stash.name = metadata.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else {
            return Ok(stash);
        };
        for key in Self::KEYS {
            if let Some(value) = take_json(annotations, key)? {
                stash.kept.insert(key.to_owned(), value);
            }
        }
        if let Some(Value::Object(tasks)) = take_json(annotations, TASK_DEPRECATIONS)? {
            stash.tasks = tasks;
        }
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
        Ok(stash)
    }

    /// Writes what is left into the object's annotations.
    pub(super) fn put_back(mut self, object: &mut Fields) {
        if !self.tasks.is_empty() {
            self.kept.insert(TASK_DEPRECATIONS.to_owned(), Value::Object(self.tasks));
        }
        if self.kept.is_empty() {
            return;
        }
        if let Some(annotations) =
            child_or_new(object, "metadata").and_then(|metadata| child_or_new(metadata, "annotations"))
        {
            annotations
                .extend(self.kept.into_iter().map(|(key, value)| (key, Value::from(value.to_string()))));
        }
    }

    /// Moves one field between an object and its annotation.
    pub(super) fn swap(&mut self, fields: &mut Fields, field: &str, key: &str, way: Way) {
        let moved = match way {
            Way::ToV1 => fields.remove(field).filter(|value| !value.is_null()),
            Way::FromV1 => self.kept.remove(key),
        };
        let Some(value) = moved else { return };
        match way {
            Way::ToV1 => self.kept.insert(key.to_owned(), value),
            Way::FromV1 => fields.insert(field.to_owned(), value),
        };
    }
}

fn take_json(annotations: &mut Fields, key: &str) -> Result<Option<Value>, String> {
    let Some(text) = annotations.remove(key) else { return Ok(None) };
    serde_json::from_str(text.as_str().unwrap_or_default())
        .map(Some)
        .map_err(|error| format!("could not read annotation {key}: {error}"))
}

/// An object in a field.
pub(super) fn child<'a>(fields: &'a mut Fields, name: &str) -> Option<&'a mut Fields> {
    fields.get_mut(name)?.as_object_mut()
}

/// An object in a field, made if it is not there.
pub(super) fn child_or_new<'a>(fields: &'a mut Fields, name: &str) -> Option<&'a mut Fields> {
    fields.entry(name).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}

/// The objects of a list in a field.
pub(super) fn children<'a>(fields: &'a mut Fields, name: &str) -> impl Iterator<Item = &'a mut Fields> {
    fields.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}
