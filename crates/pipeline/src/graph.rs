//! The dependency graph of a Pipeline's tasks, built, checked and ordered in time linear in tasks and edges.
//! It knows names and edges only; what an edge comes from is `references`' business, what state a task is in,
//! `pipeline_run`'s. Errors are worded as Tekton's webhook words them.
//! Invariant: [`Graph::order`] lists every task after all that it depends on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

/// A graph without cycles; tasks are their indexes in the list that it was built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    parents: Vec<Vec<usize>>,
    order: Vec<usize>,
}

/// Why a list of tasks is not a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidGraph {
    /// Two tasks of one name.
    #[error("task {0} is already present in Graph, can't add it again: duplicate pipeline task")]
    Duplicate(String),
    /// A cycle: the first task, in the order of names, that cannot be reached, and what it waits for.
    #[error("cycle detected; {0}")]
    Cycle(String),
    /// A dependency on a task that is not there.
    #[error(
        "couldn't add link between {task} and {parent}: task {task} depends on {parent} but {parent} wasn't present in Pipeline"
    )]
    UnknownParent {
        /// The task.
        task: String,
        /// What it depends on.
        parent: String,
    },
}

impl Graph {
    /// Builds the graph of tasks given as name and the names of those that it depends on.
    ///
    /// # Errors
    /// [`InvalidGraph`], in Tekton's words and order of checks: duplicates, cycles, unknown parents.
    pub(crate) fn build(tasks: &[(&str, BTreeSet<&str>)]) -> Result<Self, InvalidGraph> {
        let mut indexes = BTreeMap::new();
        for (index, (name, _)) in tasks.iter().enumerate() {
            if indexes.insert(*name, index).is_some() {
                return Err(InvalidGraph::Duplicate((*name).to_owned()));
            }
        }
        let parents: Vec<Vec<usize>> = tasks
            .iter()
            .map(|(_, parents)| parents.iter().filter_map(|parent| indexes.get(parent).copied()).collect())
            .collect();
        let order = topological_order(&parents);
        if order.len() < tasks.len() {
            return Err(InvalidGraph::Cycle(describe_cycle(tasks, &order, &indexes)));
        }
        for (task, task_parents) in tasks {
            if let Some(parent) = task_parents.iter().find(|parent| !indexes.contains_key(*parent)) {
                return Err(InvalidGraph::UnknownParent {
                    task: (*task).to_owned(),
                    parent: (*parent).to_owned(),
                });
            }
        }
        Ok(Self { parents, order })
    }

    /// The indexes of the tasks that the task at `index` depends on.
    #[must_use]
    pub(crate) fn parents(&self, index: usize) -> &[usize] {
        &self.parents[index]
    }

    /// All tasks, each after those that it depends on; otherwise in the given order.
    #[must_use]
    pub(crate) fn order(&self) -> &[usize] {
        &self.order
    }
}

/// Kahn's algorithm; tasks on or behind a cycle are left out.
fn topological_order(parents: &[Vec<usize>]) -> Vec<usize> {
    let mut children = vec![Vec::new(); parents.len()];
    let mut waiting_for: Vec<usize> = parents.iter().map(Vec::len).collect();
    for (task, task_parents) in parents.iter().enumerate() {
        for &parent in task_parents {
            children[parent].push(task);
        }
    }
    let mut ready: VecDeque<usize> = (0..parents.len()).filter(|&task| waiting_for[task] == 0).collect();
    let mut order = Vec::with_capacity(parents.len());
    while let Some(task) = ready.pop_front() {
        order.push(task);
        for &child in &children[task] {
            waiting_for[child] -= 1;
            if waiting_for[child] == 0 {
                ready.push_back(child);
            }
        }
    }
    order
}

fn describe_cycle(
    tasks: &[(&str, BTreeSet<&str>)],
    order: &[usize],
    indexes: &BTreeMap<&str, usize>,
) -> String {
    let reached: BTreeSet<usize> = order.iter().copied().collect();
    let Some((task, index)) = indexes.iter().find(|(_, index)| !reached.contains(index)) else {
        return String::new();
    };
    let mut text = format!("task {task:?} depends on ");
    let waiting =
        tasks[*index].1.iter().filter(|parent| indexes.get(*parent).is_some_and(|i| !reached.contains(i)));
    for (position, parent) in waiting.enumerate() {
        let separator = if position == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator}{parent:?}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds from `a -> b, c; b -> d`, where the arrow reads "before".
    fn build(text: &str) -> Result<Vec<String>, String> {
        let mut parents: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut names = Vec::new();
        for clause in text.split(';').map(str::trim) {
            let (from, to) = clause.split_once("->").unwrap_or((clause, ""));
            for name in
                std::iter::once(from).chain(to.split(',')).map(str::trim).filter(|name| !name.is_empty())
            {
                if !parents.contains_key(name) {
                    names.push(name);
                    parents.insert(name, BTreeSet::new());
                }
                if name != from.trim() || to.split(',').any(|t| t.trim() == name) {
                    parents.entry(name).or_default().insert(from.trim());
                }
            }
        }
        let tasks: Vec<_> = names.iter().map(|name| (*name, parents[name].clone())).collect();
        let graph = Graph::build(&tasks).map_err(|error| error.to_string())?;
        Ok(graph.order().iter().map(|&index| names[index].to_owned()).collect())
    }

    #[test]
    fn every_task_comes_after_those_it_depends_on() {
        for (text, order) in [
            ("a", "a"),
            ("a -> b; b -> c", "a b c"),
            ("a -> b, c; b -> d; c -> d", "a b c d"),
            ("z -> a; b", "z b a"),
        ] {
            assert_eq!(build(text).unwrap().join(" "), order, "{text}");
        }
    }

    #[test]
    fn a_cycle_is_named_by_its_first_task() {
        for (text, error) in [
            ("a -> b; b -> a", "cycle detected; task \"a\" depends on \"b\""),
            ("a -> a", "cycle detected; task \"a\" depends on \"a\""),
            ("r -> x; x -> y; y -> x; x -> z", "cycle detected; task \"x\" depends on \"y\""),
        ] {
            assert_eq!(build(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn an_unknown_parent_and_a_duplicate_are_refused() {
        let unknown = Graph::build(&[("a", BTreeSet::from(["nope"]))]).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "couldn't add link between a and nope: task a depends on nope but nope wasn't present in Pipeline"
        );
        let duplicate = Graph::build(&[("a", BTreeSet::new()), ("a", BTreeSet::new())]).unwrap_err();
        assert_eq!(
            duplicate.to_string(),
            "task a is already present in Graph, can't add it again: duplicate pipeline task"
        );
    }

    #[test]
    fn ten_thousand_tasks_with_a_hundred_thousand_edges_are_ordered() {
        let names: Vec<String> = (0..10_000).map(|index| format!("t{index}")).collect();
        let tasks: Vec<(&str, BTreeSet<&str>)> = (0..names.len())
            .map(|index| {
                (
                    names[index].as_str(),
                    (1..=10).filter_map(|d| index.checked_sub(d * 7)).map(|i| names[i].as_str()).collect(),
                )
            })
            .collect();
        let graph = Graph::build(&tasks).unwrap();
        assert_eq!(graph.order().len(), 10_000);
        assert_eq!(
            (0..10_000).map(|task| graph.parents(task).len()).sum::<usize>(),
            10 * 10_000 - (7..=70).step_by(7).sum::<usize>()
        );
    }
}
