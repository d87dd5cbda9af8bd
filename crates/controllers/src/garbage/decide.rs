//! Decides what becomes of dependents and of owners that wait for them. Pure: what a sweep saw in, actions out.
//! Invariant: an object is deleted only if it has owners and every one of them is gone, or is waiting for it to go.

use std::collections::{HashMap, HashSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

/// The finalizer of an owner that waits for its dependents to go.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of an owner whose dependents are to lose it.
pub(super) const ORPHAN: &str = "orphan";

/// An object that a sweep saw. `row` is its place in the list of resources.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Item {
    pub(super) row: usize,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) revision: String,
    pub(super) deleting: bool,
    pub(super) finalizers: Vec<String>,
    pub(super) owners: Vec<OwnerReference>,
}

/// How dependents of a deleted dependent are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// They go afterwards.
    Background,
    /// They go first.
    Foreground,
    /// They stay.
    Orphan,
}

/// One thing to do. `item` is a place in the list given to [`decide`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Delete it.
    Delete { item: usize, treatment: Treatment },
    /// Take these owners, by uid, out of its owner references.
    Disown { item: usize, owners: Vec<String> },
    /// Nothing holds it any more on account of this finalizer.
    Release { item: usize, finalizer: &'static str },
}

/// Decides. `exists` says of an owner whether an object of that uid exists.
pub(super) fn decide(items: &[Item], exists: impl Fn(&OwnerReference) -> bool) -> Vec<Action> {
    let by_uid: HashMap<&str, &Item> = items.iter().map(|item| (item.uid.as_str(), item)).collect();
    let mut actions = Vec::new();
    let mut going: HashSet<&str> = HashSet::new();
    let mut decided: HashSet<usize> = HashSet::new();
    // Children of what goes now go with it, level by level, so that a tree needs one sweep.
    loop {
        let found = going.len();
        for (index, item) in items.iter().enumerate().filter(|(_, item)| !item.owners.is_empty()) {
            if going.contains(item.uid.as_str()) {
                continue;
            }
            let sorted = sort(item, &by_uid, &going, &exists);
            let Some(treatment) = deletion(item, &sorted, items) else { continue };
            if treatment == Treatment::Background && item.finalizers.is_empty() {
                going.insert(&item.uid);
            }
            if decided.insert(index) && !item.deleting {
                actions.push(Action::Delete { item: index, treatment });
            }
        }
        if going.len() == found {
            break;
        }
    }
    actions.extend(items.iter().enumerate().filter_map(|(index, item)| {
        let sorted = sort(item, &by_uid, &going, &exists);
        let lost: Vec<String> = sorted.gone.iter().chain(&sorted.waiting).cloned().collect();
        let lost = if sorted.solid == 0 { Vec::new() } else { lost };
        let owners: Vec<String> = lost.into_iter().chain(sorted.orphaning).collect();
        (!owners.is_empty()).then_some(Action::Disown { item: index, owners })
    }));
    actions.extend(items.iter().enumerate().flat_map(|(index, item)| releases(index, item, items)));
    actions
}

/// The owners of an object, by what is happening to them.
#[derive(Default)]
struct Owners {
    /// How many stay.
    solid: usize,
    gone: Vec<String>,
    /// Those that wait for this object to go.
    waiting: Vec<String>,
    /// Those that go and leave it behind.
    orphaning: Vec<String>,
}

fn sort(
    item: &Item,
    by_uid: &HashMap<&str, &Item>,
    going: &HashSet<&str>,
    exists: &impl Fn(&OwnerReference) -> bool,
) -> Owners {
    let mut owners = Owners::default();
    for reference in &item.owners {
        let uid = reference.uid.clone();
        let owner = by_uid.get(uid.as_str());
        let holds = |finalizer: &str| owner.is_some_and(|owner| owner.deleting && owner.has(finalizer));
        if going.contains(uid.as_str()) || !(owner.is_some() || exists(reference)) {
            owners.gone.push(uid);
        } else if holds(ORPHAN) {
            owners.orphaning.push(uid);
        } else if holds(FOREGROUND) && reference.block_owner_deletion == Some(true) {
            owners.waiting.push(uid);
        } else {
            owners.solid += 1;
        }
    }
    owners
}

fn deletion(item: &Item, owners: &Owners, items: &[Item]) -> Option<Treatment> {
    if owners.solid > 0
        || !owners.orphaning.is_empty()
        || (owners.gone.is_empty() && owners.waiting.is_empty())
    {
        return None;
    }
    let has_dependents = || items.iter().any(|other| other.owners.iter().any(|owner| owner.uid == item.uid));
    if !owners.waiting.is_empty() && has_dependents() {
        return Some(Treatment::Foreground);
    }
    Some(if item.has(ORPHAN) {
        Treatment::Orphan
    } else if item.has(FOREGROUND) {
        Treatment::Foreground
    } else {
        Treatment::Background
    })
}

/// The finalizers that an owner need not wait for any longer.
fn releases(index: usize, item: &Item, items: &[Item]) -> Vec<Action> {
    if !item.deleting || !(item.has(FOREGROUND) || item.has(ORPHAN)) {
        return Vec::new();
    }
    let references = || items.iter().flat_map(|other| &other.owners).filter(|owner| owner.uid == item.uid);
    let blocked = references().any(|owner| owner.block_owner_deletion == Some(true));
    let owned = references().next().is_some();
    let mut actions = Vec::new();
    if item.has(FOREGROUND) && !blocked {
        actions.push(Action::Release { item: index, finalizer: FOREGROUND });
    }
    if item.has(ORPHAN) && !owned {
        actions.push(Action::Release { item: index, finalizer: ORPHAN });
    }
    actions
}

impl Item {
    fn has(&self, finalizer: &str) -> bool {
        self.finalizers.iter().any(|name| name == finalizer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name[+deleting][:finalizer] < owner[!]...`, where `!` blocks; an owner not in the list does not exist.
    fn items(text: &str) -> Vec<Item> {
        text.split(';')
            .map(|line| {
                let (own, owners) = line.split_once('<').unwrap_or((line, ""));
                let (own, finalizer) = own.trim().split_once(':').unwrap_or((own.trim(), ""));
                let (name, deleting) = own.split_once('+').map_or((own, false), |(name, _)| (name, true));
                let owner = |text: &str| OwnerReference {
                    uid: text.trim_end_matches('!').to_owned(),
                    name: text.trim_end_matches('!').to_owned(),
                    block_owner_deletion: Some(text.ends_with('!')),
                    ..OwnerReference::default()
                };
                Item {
                    name: name.to_owned(),
                    uid: name.to_owned(),
                    deleting,
                    finalizers: (!finalizer.is_empty()).then(|| finalizer.to_owned()).into_iter().collect(),
                    owners: owners.split_whitespace().map(owner).collect(),
                    ..Item::default()
                }
            })
            .collect()
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let items = items(text);
        let render = |action: Action| match action {
            Action::Delete { item, treatment } => format!("delete {} {treatment:?}", items[item].name),
            Action::Disown { item, owners } => format!("disown {} {}", items[item].name, owners.join(" ")),
            Action::Release { item, finalizer } => format!("release {} {finalizer}", items[item].name),
        };
        let actions: Vec<String> = decide(&items, |_| false).into_iter().map(render).collect();
        assert_eq!(actions.join("; "), expected, "{text}");
    }

    #[test]
    fn dependents_go_when_all_their_owners_are_gone() {
        check("a; b < a", "");
        check("b < a", "delete b Background");
        check("a; b < a x", "disown b x");
        check("b+deleting < a", "");
    }

    #[test]
    fn a_tree_goes_in_one_sweep() {
        check("pod < run; run < top; other", "delete run Background; delete pod Background");
    }

    #[test]
    fn a_child_of_something_that_is_held_waits_for_it() {
        check("run:keep < top; pod < run", "delete run Background");
    }

    #[test]
    fn in_the_foreground_blocking_dependents_go_first() {
        let owner = "a+deleting:foregroundDeletion";
        check(&format!("{owner}; b < a!; c < a"), "delete b Background");
        check(&format!("{owner}; b < a!; d < b!"), "delete b Foreground");
        check(&format!("{owner}; c < a"), "release a foregroundDeletion");
        check(owner, "release a foregroundDeletion");
        check(&format!("{owner}; s; b < a! s"), "disown b a");
    }

    #[test]
    fn orphans_lose_their_owner_before_it_goes() {
        check("a+deleting:orphan; b < a", "disown b a");
        check("a+deleting:orphan; b", "release a orphan");
        check("a+deleting:orphan; b < a x", "disown b a");
    }
}
