//! Tenancy: the id of a logical cluster and the path by which people name a workspace.
//! Both are only names; who may use them is decided in `policy`, where they are is decided in `apiserver`.
//! Invariant: a [`ClusterId`] never contains a separator of storage keys or of URLs.

use std::fmt;
use std::sync::Arc;

/// Identity of a logical cluster: 16 lower-case base-36 characters, or `root`.
///
/// Source: kcp, where the id is a hash of random bytes and `root` is the only id that equals its path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(Arc<str>);

impl ClusterId {
    /// The id of the root workspace.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::from("root"))
    }

    /// Checks and wraps an id: 1 to 63 characters of `[a-z0-9-]`, and not starting or ending with `-`.
    ///
    /// # Errors
    /// [`InvalidClusterId`] with the text that was refused.
    pub fn parse(text: &str) -> Result<Self, InvalidClusterId> {
        if is_dns_label(text) { Ok(Self(Arc::from(text))) } else { Err(InvalidClusterId(text.to_owned())) }
    }

    /// Derives an id of 16 base-36 characters from 128 random bits (82 bits of them survive).
    #[must_use]
    pub fn from_random(mut bits: u128) -> Self {
        const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut text = String::with_capacity(16);
        for place in 0..16 {
            // The first character is a letter, so that the id is also a valid DNS-1035 label.
            let base = if place == 0 { 26 } else { 36 };
            let digit = usize::try_from(bits % base).unwrap_or_default() + if place == 0 { 10 } else { 0 };
            text.push(char::from(ALPHABET[digit]));
            bits /= base;
        }
        Self(Arc::from(text))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is not the id of a logical cluster.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a logical cluster id: use 1 to 63 lower-case letters, digits and inner dashes")]
pub struct InvalidClusterId(String);

/// Path of a workspace: DNS labels joined by `:`, such as `root:team:service`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkspacePath(Arc<str>);

impl WorkspacePath {
    /// The path of the root workspace.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::from("root"))
    }

    /// Checks and wraps a path.
    ///
    /// # Errors
    /// [`InvalidWorkspacePath`] with the text that was refused.
    pub fn parse(text: &str) -> Result<Self, InvalidWorkspacePath> {
        if !text.is_empty() && text.split(':').all(is_dns_label) {
            Ok(Self(Arc::from(text)))
        } else {
            Err(InvalidWorkspacePath(text.to_owned()))
        }
    }

    /// The path of the child workspace `name`.
    ///
    /// # Errors
    /// [`InvalidWorkspacePath`] when `name` is not a DNS label.
    pub fn join(&self, name: &str) -> Result<Self, InvalidWorkspacePath> {
        Self::parse(&format!("{}:{name}", self.0))
    }

    /// The labels of the path, outermost first.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split(':')
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkspacePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for WorkspacePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is not a workspace path.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a workspace path: use DNS labels joined by `:`, such as `root:team`")]
pub struct InvalidWorkspacePath(String);

fn is_dns_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_dns_labels_joined_by_colons() {
        for good in ["root", "root:a", "root:a-b:c3"] {
            assert_eq!(WorkspacePath::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", ":", "root:", ":a", "Root", "root:a_b", "root::a", "-a", "a-", "*"] {
            assert!(WorkspacePath::parse(bad).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn random_bits_become_sixteen_characters_that_parse() {
        for bits in [0, 1, u128::MAX, 0x1234_5678_9abc_def0_0fed_cba9_8765_4321] {
            let id = ClusterId::from_random(bits);
            assert_eq!(id.as_str().len(), 16);
            assert!(ClusterId::parse(id.as_str()).is_ok());
            assert!(id.as_str().starts_with(|c: char| c.is_ascii_lowercase()));
        }
    }
}
