//! The layout of keys: resource, identity, cluster, namespace, name, each ended by a zero byte but the last.
//! A list over all workspaces, in one workspace, and in one namespace are each one contiguous range.
//! Invariant: no part contains a zero byte, so a prefix that ends in one never cuts a part in two.

use bytes::Bytes;
use types::ClusterId;

/// What ends every part of a key but the last.
pub(crate) const SEPARATOR: u8 = 0;

/// A whole key: one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Bytes);

impl Key {
    /// The key of one object. `resource` is `<group>/<plural>` (`/pods` for the core group); `identity` is
    /// empty for built-in resources; `namespace` is empty for cluster-scoped objects.
    ///
    /// # Panics
    /// When a part contains a zero byte: callers pass checked names only.
    #[must_use]
    pub fn new(resource: &str, identity: &str, cluster: &ClusterId, namespace: &str, name: &str) -> Self {
        let parts = [resource, identity, cluster.as_str(), namespace];
        let mut bytes = joined(&parts);
        assert!(!name.as_bytes().contains(&SEPARATOR), "a key part contains the separator");
        bytes.extend_from_slice(name.as_bytes());
        Self(bytes.into())
    }

    /// Wraps bytes that came from a store.
    #[must_use]
    pub fn from_stored(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The key's bytes, as they are ordered in the store.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The parts: resource, identity, cluster, namespace, name. `None` when the key has another form.
    #[must_use]
    pub fn parts(&self) -> Option<[&str; 5]> {
        let mut parts = self.0.splitn(5, |byte| *byte == SEPARATOR).map(std::str::from_utf8);
        let mut next = || parts.next()?.ok();
        Some([next()?, next()?, next()?, next()?, next()?])
    }
}

/// The beginning of keys: everything under it is one contiguous range, and one scope of watches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPrefix(Bytes);

impl KeyPrefix {
    /// All objects of a resource, over all clusters.
    #[must_use]
    pub fn resource(resource: &str, identity: &str) -> Self {
        Self(joined(&[resource, identity]).into())
    }

    /// All objects of a resource in one cluster.
    #[must_use]
    pub fn cluster(resource: &str, identity: &str, cluster: &ClusterId) -> Self {
        Self(joined(&[resource, identity, cluster.as_str()]).into())
    }

    /// All objects of a resource in one namespace of one cluster.
    #[must_use]
    pub fn namespace(resource: &str, identity: &str, cluster: &ClusterId, namespace: &str) -> Self {
        Self(joined(&[resource, identity, cluster.as_str(), namespace]).into())
    }

    /// Exactly one object.
    #[must_use]
    pub fn object(key: &Key) -> Self {
        Self(key.0.clone())
    }

    /// The prefix's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Whether `key` lies under this prefix; the prefix of one object covers that object only.
    #[must_use]
    pub fn covers(&self, key: &[u8]) -> bool {
        if self.is_object() { key == self.0 } else { key.starts_with(&self.0) }
    }

    /// Only a whole key can end in something else than the separator.
    fn is_object(&self) -> bool {
        self.0.last().is_some_and(|last| *last != SEPARATOR)
    }

    /// The first key past the range, or `None` when the range is open at its end.
    #[must_use]
    pub fn end(&self) -> Option<Bytes> {
        let mut end = self.0.to_vec();
        if self.is_object() {
            end.push(SEPARATOR);
            return Some(end.into());
        }
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                return Some(end.into());
            }
        }
        None
    }
}

fn joined(parts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 1).sum::<usize>() + 32);
    for part in parts {
        assert!(!part.as_bytes().contains(&SEPARATOR), "a key part contains the separator");
        bytes.extend_from_slice(part.as_bytes());
        bytes.push(SEPARATOR);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_of_an_object_covers_no_longer_name() {
        let cluster = ClusterId::root();
        let key = |name| Key::new("/pods", "", &cluster, "ns", name);
        let prefix = KeyPrefix::object(&key("p"));
        let end = prefix.end().unwrap();
        assert!(prefix.covers(key("p").as_bytes()) && *key("p").as_bytes() < end);
        assert!(!prefix.covers(key("p-1").as_bytes()) && *key("p-1").as_bytes() >= end);
    }

    #[test]
    fn a_prefix_covers_its_objects_and_not_its_neighbours() {
        let (a, ab) = (ClusterId::parse("a").unwrap(), ClusterId::parse("ab").unwrap());
        let prefix = KeyPrefix::cluster("/pods", "", &a);
        let inside = Key::new("/pods", "", &a, "ns", "p");
        let outside = Key::new("/pods", "", &ab, "ns", "p");
        let end = prefix.end().unwrap();
        assert!(inside.as_bytes() >= prefix.as_bytes() && *inside.as_bytes() < end);
        assert!(*outside.as_bytes() >= end);
        assert_eq!(inside.parts(), Some(["/pods", "", "a", "ns", "p"]));
    }
}
