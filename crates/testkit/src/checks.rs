//! What must hold whatever happens. The checks read the store itself and know no controller.
//! Each returns what is wrong in words; nothing means all is well.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use store::{KeyPrefix, Range, Store};

/// One stored object with its place.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) resource: String,
    pub(crate) cluster: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) revision: u64,
    pub(crate) object: Value,
}

impl Stored {
    pub(crate) fn place(&self) -> String {
        format!("{} {}|{}/{}", self.resource, self.cluster, self.namespace, self.name)
    }

    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn owners(&self) -> impl Iterator<Item = &Value> {
        self.object.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten()
    }
}

/// Everything that is stored.
pub(crate) async fn read_all(store: &dyn Store) -> Vec<Stored> {
    let mut all = Vec::new();
    for row in api::resources().iter().filter(|row| row.stored_with.is_none()) {
        let resource = format!("{}/{}", row.group, row.plural);
        let range = Range { prefix: KeyPrefix::resource(&resource, ""), start: None, limit: 0, at: None };
        let page = store.range(range).await.expect("the memory store can be read");
        for entry in page.entries {
            let [_, _, cluster, namespace, name] = entry.key.parts().expect("keys have five parts");
            all.push(Stored {
                resource: resource.clone(),
                cluster: cluster.to_owned(),
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                revision: entry.modified.0,
                object: serde_json::from_slice(&entry.value).expect("objects are JSON"),
            });
        }
    }
    all
}

/// What must hold at every moment.
pub(crate) fn always(all: &[Stored]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut by_uid: HashMap<&str, &Stored> = HashMap::new();
    for object in all {
        if let Some(other) = by_uid.insert(object.text("/metadata/uid"), object) {
            wrong.push(format!("{} and {} have one uid", object.place(), other.place()));
        }
    }
    for object in all {
        let controllers = object.owners().filter(|owner| owner["controller"] == true).count();
        if controllers > 1 {
            wrong.push(format!("{} has {controllers} controllers", object.place()));
        }
        for owner in object.owners() {
            let Some(owner) = by_uid.get(owner["uid"].as_str().unwrap_or_default()) else { continue };
            let same = owner.cluster == object.cluster
                && (owner.namespace == object.namespace || owner.namespace.is_empty());
            if !same {
                wrong.push(format!("{} belongs to a stranger: {}", object.place(), owner.place()));
            }
        }
    }
    wrong
}

/// What must hold when nothing is left to do.
pub(crate) fn settled(all: &[Stored]) -> Vec<String> {
    let mut wrong = always(all);
    let uids: HashMap<&str, &Stored> =
        all.iter().map(|object| (object.text("/metadata/uid"), object)).collect();
    for object in all {
        for owner in object.owners() {
            if !uids.contains_key(owner["uid"].as_str().unwrap_or_default()) {
                wrong.push(format!("{} is an orphan of {}", object.place(), owner["name"]));
            }
        }
    }
    wrong
}

/// The status of every run that has ended, by uid: it must never change again.
pub(crate) fn final_statuses(all: &[Stored]) -> BTreeMap<String, (String, Value)> {
    all.iter()
        .filter(|object| object.resource.starts_with("tekton.dev/"))
        .filter(|object| !object.text("/status/completionTime").is_empty())
        .map(|object| {
            (object.text("/metadata/uid").to_owned(), (object.place(), object.object["status"].clone()))
        })
        .collect()
}
