//! Pods that wait for a place on this machine: first come, first served inside of a cluster, in turns between them.
//! Invariant: a cluster with many waiting Pods delays another cluster's first Pod by one turn at most.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;

/// A Pod with its names.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// The logical cluster's id.
    pub(crate) cluster: String,
    /// The Pod's uid.
    pub(crate) uid: String,
    /// The Pod.
    pub(crate) pod: Arc<Pod>,
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Clusters with waiting Pods, the next one first.
    turns: VecDeque<String>,
    pods: BTreeMap<String, VecDeque<Waiting>>,
}

impl Queue {
    /// Adds a Pod at the end, or brings a waiting one up to date.
    pub(crate) fn put(&mut self, waiting: Waiting) {
        let pods = self.pods.entry(waiting.cluster.clone()).or_default();
        if let Some(old) = pods.iter_mut().find(|old| old.uid == waiting.uid) {
            *old = waiting;
            return;
        }
        if pods.is_empty() {
            self.turns.push_back(waiting.cluster.clone());
        }
        pods.push_back(waiting);
    }

    /// Takes a Pod out, wherever it stands.
    pub(crate) fn remove(&mut self, cluster: &str, uid: &str) {
        let Some(pods) = self.pods.get_mut(cluster) else { return };
        pods.retain(|waiting| waiting.uid != uid);
        if pods.is_empty() {
            self.pods.remove(cluster);
            self.turns.retain(|turn| turn != cluster);
        }
    }

    /// Takes all Pods out that `keep` does not hold on to.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        for pods in self.pods.values_mut() {
            pods.retain(|waiting| keep(&waiting.uid));
        }
        self.pods.retain(|_, pods| !pods.is_empty());
        let pods = &self.pods;
        self.turns.retain(|turn| pods.contains_key(turn));
    }

    /// The next Pod.
    pub(crate) fn take(&mut self) -> Option<Waiting> {
        let cluster = self.turns.pop_front()?;
        let pods = self.pods.get_mut(&cluster)?;
        let waiting = pods.pop_front();
        if pods.is_empty() {
            self.pods.remove(&cluster);
        } else {
            self.turns.push_back(cluster);
        }
        waiting
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(name: &str) -> Waiting {
        let (cluster, uid) = name.split_at(1);
        Waiting { cluster: cluster.to_owned(), uid: uid.to_owned(), pod: Arc::default() }
    }

    fn drain(queue: &mut Queue) -> String {
        let mut order = Vec::new();
        while let Some(waiting) = queue.take() {
            order.push(format!("{}{}", waiting.cluster, waiting.uid));
        }
        order.join(" ")
    }

    #[test]
    fn clusters_take_turns_and_pods_of_one_stay_in_order() {
        let mut queue = Queue::default();
        for name in ["a1", "a2", "a3", "b1", "c1", "a1", "b2"] {
            queue.put(waiting(name));
        }
        assert_eq!(drain(&mut queue), "a1 b1 c1 a2 b2 a3");
        assert!(queue.is_empty());
    }

    #[test]
    fn removed_pods_do_not_come() {
        let mut queue = Queue::default();
        for name in ["a1", "a2", "b1", "c1"] {
            queue.put(waiting(name));
        }
        queue.remove("b", "1");
        queue.remove("x", "1");
        queue.retain(|uid| uid != "2");
        assert_eq!(drain(&mut queue), "a1 c1");
    }
}
