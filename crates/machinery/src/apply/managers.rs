//! The entries of `metadata.managedFields`, decoded.
//! Invariant: one entry for each manager, operation, subresource and, for updates, version; written in one order.
//! Source: `k8s.io/apimachinery` `util/managedfields`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Writer;
use super::fields::Fields;
use crate::meta;

/// The most managers of updates; the oldest are merged into one.
const UPDATE_MANAGERS_MAX: usize = 10;
const ANCIENT: &str = "ancient-changes";
const PATH: [&str; 2] = ["metadata", "managedFields"];

/// What tells entries apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) applied: bool,
    pub(super) manager: String,
    /// Empty for appliers, whose version may change.
    pub(super) update_version: String,
    pub(super) subresource: String,
}

/// What a manager owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) fields: Fields,
    pub(super) api_version: String,
    pub(super) time: String,
}

/// All entries.
pub(super) type Managers = BTreeMap<Identity, Owned>;

impl Identity {
    pub(super) fn of(writer: &Writer<'_>, applied: bool) -> Self {
        let manager = if writer.manager.is_empty() { "unknown" } else { writer.manager };
        Self {
            applied,
            manager: manager.to_owned(),
            update_version: if applied { String::new() } else { writer.api_version.to_owned() },
            subresource: writer.subresource.to_owned(),
        }
    }

    /// As conflicts name it: `"kubectl-create" using v1`.
    pub(super) fn display(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if !self.applied {
            text.push_str(&format!(" using {}", self.update_version));
        }
        text
    }
}

/// Whether a client asks to clear the entries: an empty list, or a list of one empty entry.
pub(super) fn is_reset(object: &Value) -> bool {
    match meta::get(object, &PATH).and_then(Value::as_array).map(Vec::as_slice) {
        Some([]) => true,
        Some([one]) => one.as_object().is_some_and(|entry| entry.is_empty()),
        _ => false,
    }
}

/// Reads the entries; nothing if one of them is malformed.
pub(super) fn decode(object: &Value) -> Option<Managers> {
    let mut managers = Managers::new();
    for entry in meta::list(object, &PATH) {
        let text = |key: &str| meta::text(entry, &[key]).unwrap_or_default().to_owned();
        let applied = match text("operation").as_str() {
            "Apply" => true,
            "Update" => false,
            _ => return None,
        };
        let api_version = text("apiVersion");
        if api_version.is_empty() || text("fieldsType") != "FieldsV1" {
            return None;
        }
        let fields = entry.get("fieldsV1").map_or(Some(Fields::default()), Fields::from_value)?;
        let identity = Identity {
            applied,
            manager: text("manager"),
            update_version: if applied { String::new() } else { api_version.clone() },
            subresource: text("subresource"),
        };
        managers.insert(identity, Owned { fields, api_version, time: text("time") });
    }
    Some(managers)
}

/// Removes the entries from an object.
pub(super) fn strip(object: &mut Value) {
    meta::remove(object, &PATH);
}

/// Writes the entries into an object.
pub(super) fn encode(object: &mut Value, managers: &Managers) {
    strip(object);
    if managers.is_empty() {
        return;
    }
    let mut sorted: Vec<(&Identity, &Owned)> = managers.iter().collect();
    sorted.sort_by(|(a, owned_a), (b, owned_b)| {
        let key = |identity: &Identity, owned: &Owned| {
            (!identity.applied, owned.time.clone(), identity.manager.clone(), owned.api_version.clone())
        };
        key(a, owned_a).cmp(&key(b, owned_b)).then_with(|| a.subresource.cmp(&b.subresource))
    });
    let entries: Vec<Value> = sorted
        .into_iter()
        .map(|(identity, owned)| {
            let mut entry = json!({
                "manager": identity.manager,
                "operation": if identity.applied { "Apply" } else { "Update" },
                "apiVersion": owned.api_version,
                "fieldsType": "FieldsV1",
                "fieldsV1": owned.fields.to_value(),
            });
            if !owned.time.is_empty() {
                entry["time"] = owned.time.clone().into();
            }
            if !identity.subresource.is_empty() {
                entry["subresource"] = identity.subresource.clone().into();
            }
            entry
        })
        .collect();
    meta::set(object, &PATH, entries.into());
}

/// Merges the oldest managers of updates into one for each version, until there are few enough.
pub(super) fn cap(managers: &mut Managers) {
    let mut updaters: Vec<Identity> = managers.keys().filter(|identity| !identity.applied).cloned().collect();
    let mut count = updaters.len();
    updaters
        .sort_by_key(|identity| (managers.get(identity).map(|owned| owned.time.clone()), identity.clone()));
    let mut first_of: BTreeMap<String, Identity> = BTreeMap::new();
    for identity in updaters {
        if count <= UPDATE_MANAGERS_MAX {
            return;
        }
        let version = identity.update_version.clone();
        let bucket = Identity {
            applied: false,
            manager: ANCIENT.to_owned(),
            update_version: version.clone(),
            subresource: String::new(),
        };
        let Some(first) = first_of.get(&version).cloned() else {
            first_of.insert(version, identity);
            continue;
        };
        if !managers.contains_key(&bucket)
            && let Some(owned) = managers.remove(&first)
        {
            managers.insert(bucket.clone(), owned);
        }
        if identity == bucket {
            continue;
        }
        if let Some(owned) = managers.remove(&identity)
            && let Some(old) = managers.get_mut(&bucket)
        {
            old.fields = old.fields.union(&owned.fields);
            old.time = owned.time;
            count -= 1;
        }
    }
}
