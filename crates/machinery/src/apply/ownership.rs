//! Who owns what after a write: the algorithm of server-side apply on decoded managers.
//! Invariant: a field that changed belongs to the writer alone afterwards; a field that is gone belongs to nobody.
//! Source: `sigs.k8s.io/structured-merge-diff` `merge/update.go`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::{Fields, Step};
use super::managers::{Identity, Managers, Owned};
use super::walk::{Comparison, View};
use super::{Versions, Writer};

/// Fields of others that an apply would change.
pub(super) type Conflicts = Vec<(Identity, Vec<Vec<Step>>)>;

/// Objects before and after a write, in the writer's version.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) versions: &'a dyn Versions,
    pub(super) view: View<'a>,
    pub(super) old: &'a Value,
    pub(super) new: &'a Value,
    pub(super) writer: &'a Writer<'a>,
    /// Fields that the endpoint ignores.
    pub(super) ignored: &'a Fields,
}

impl Change<'_> {
    /// Takes changed fields away from all managers but one; managers of versions that are gone are dropped.
    ///
    /// # Errors
    /// Without `force`, the fields that would be taken away.
    fn settle(
        &self,
        managers: &mut Managers,
        except: &Identity,
        force: bool,
    ) -> Result<Comparison, Conflicts> {
        let own = self.view.compare(self.old, self.new);
        let mut compared: BTreeMap<String, Option<Comparison>> = BTreeMap::new();
        compared.insert(self.writer.api_version.to_owned(), Some(own.without_all_of(self.ignored)));
        let mut conflicts = Conflicts::new();
        let mut gone = Vec::new();
        let others: Vec<Identity> = managers.keys().filter(|identity| *identity != except).cloned().collect();
        let mut rest: Managers = Managers::new();
        for identity in others {
            let Some(owned) = managers.get(&identity) else { continue };
            let comparison = compared
                .entry(owned.api_version.clone())
                .or_insert_with(|| self.compare_in(&owned.api_version));
            let Some(comparison) = comparison else {
                gone.push(identity);
                continue;
            };
            let taken = owned.fields.intersection(&comparison.written());
            let left = owned.fields.difference(&taken).difference(&comparison.removed);
            if !taken.is_empty() {
                conflicts.push((identity.clone(), taken.paths()));
            }
            rest.insert(identity, Owned { fields: left, ..owned.clone() });
        }
        if !force && !conflicts.is_empty() {
            return Err(conflicts);
        }
        managers.extend(rest);
        for identity in gone {
            managers.remove(&identity);
        }
        managers.retain(|_, owned| !owned.fields.is_empty());
        Ok(own)
    }

    fn compare_in(&self, api_version: &str) -> Option<Comparison> {
        let view = View { schema: self.versions.schema(api_version)? };
        let old = self.versions.convert(self.old, api_version)?;
        let new = self.versions.convert(self.new, api_version)?;
        Some(view.compare(&old, &new).without_all_of(self.ignored))
    }

    /// Records an update: the writer owns what it changed, besides what it owned before.
    pub(super) fn update(&self, managers: &mut Managers) {
        let identity = Identity::of(self.writer, false);
        // No manager is excepted: the writer's own earlier fields count as changed, too, and come back below.
        let nobody = Identity { manager: String::new(), ..identity.clone() };
        let Ok(comparison) = self.settle(managers, &nobody, true) else { return };
        let fields = comparison.written().without_all_of(self.ignored).difference(&never_owned());
        if fields.is_empty() {
            return;
        }
        let before = managers.get(&identity).map(|owned| owned.fields.clone()).unwrap_or_default();
        managers.insert(
            identity,
            Owned {
                fields: fields.union(&before),
                api_version: self.writer.api_version.to_owned(),
                time: self.writer.time.to_owned(),
            },
        );
    }
}

/// Merges a configuration into the live object and settles who owns what.
///
/// # Errors
/// The conflicts, or why the configuration cannot be merged.
pub(super) fn apply(
    change: &Change<'_>,
    managers: &mut Managers,
    force: bool,
) -> Result<Value, Result<Conflicts, String>> {
    let (live, configuration) = (change.old, change.new);
    let view = change.view;
    let identity = Identity::of(change.writer, true);
    let merged = view.merge(live, configuration).map_err(Err)?;
    let last = managers.get(&identity).cloned();
    let fields = view.fields_of(configuration).without_all_of(change.ignored);
    let owned = Owned {
        fields,
        api_version: change.writer.api_version.to_owned(),
        time: change.writer.time.to_owned(),
    };
    managers.insert(identity.clone(), owned);
    let pruned = match last {
        Some(last) if !last.fields.is_empty() => prune(change, &merged, managers, &last),
        _ => merged,
    };
    let settled = Change { new: &pruned, ..*change };
    settled.settle(managers, &identity, force).map_err(Ok)?;
    if let Some(owned) = managers.get_mut(&identity) {
        owned.fields = owned.fields.difference(&never_owned());
    }
    managers.retain(|_, owned| !owned.fields.is_empty());
    Ok(pruned)
}

/// Removes what the manager applied last time and not now, unless someone owns it.
fn prune(change: &Change<'_>, merged: &Value, managers: &Managers, last: &Owned) -> Value {
    let Some(schema) = change.versions.schema(&last.api_version) else { return merged.clone() };
    let Some(mut current) = change.versions.convert(merged, &last.api_version) else { return merged.clone() };
    let view = View { schema };
    let mut pruned = view.remove(&current, &view.with_named(&last.fields));
    let mut by_version: BTreeMap<&str, Fields> = BTreeMap::new();
    for owned in managers.values() {
        let all = by_version.entry(&owned.api_version).or_default();
        *all = all.union(&owned.fields);
    }
    // The version pruned in comes first, so that no other lacks what its conversion needs.
    let mut order: Vec<&str> = by_version.keys().copied().collect();
    order.sort_by_key(|version| *version != last.api_version);
    for version in order {
        let converted =
            (change.versions.convert(&current, version), change.versions.convert(&pruned, version));
        let (Some(schema), (Some(whole), Some(part))) = (change.versions.schema(version), converted) else {
            continue;
        };
        let view = View { schema };
        let kept = view.with_named(&view.fields_of(&part)).union(&view.with_named(&by_version[version]));
        pruned = view.remove(&whole, &view.with_named(&view.fields_of(&whole)).difference(&kept));
        current = whole;
    }
    // What was removed, but was never the applier's to remove, comes back.
    let (Some(whole), Some(part)) = (
        change.versions.convert(&current, &last.api_version),
        change.versions.convert(&pruned, &last.api_version),
    ) else {
        return merged.clone();
    };
    let removed =
        view.with_named(&view.fields_of(&whole)).difference(&view.with_named(&view.fields_of(&part)));
    let result = view.remove(&whole, &removed.intersection(&view.with_named(&last.fields)));
    change.versions.convert(&result, change.writer.api_version).unwrap_or_else(|| merged.clone())
}

/// Fields that every writer sends and nobody owns.
fn never_owned() -> Fields {
    Fields::of(&[
        &["apiVersion"],
        &["kind"],
        &["metadata"],
        &["metadata", "name"],
        &["metadata", "namespace"],
        &["metadata", "creationTimestamp"],
        &["metadata", "selfLink"],
        &["metadata", "uid"],
        &["metadata", "clusterName"],
        &["metadata", "generation"],
        &["metadata", "managedFields"],
        &["metadata", "resourceVersion"],
    ])
}
