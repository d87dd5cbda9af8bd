//! Where logs are: `<root>/<cluster>/<namespace>/<pod>/<pod uid>/<container>.log`.
//! Invariant: parts of a path were checked to be Kubernetes names before they touch the file system.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use types::ClusterId;

/// Names the log of one container of one Pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogKey {
    /// The workspace's logical cluster.
    pub cluster: ClusterId,
    /// The Pod's namespace.
    pub namespace: String,
    /// The Pod's name.
    pub pod: String,
    /// The Pod's uid: Pods of one name, one after the other, have logs of their own.
    pub pod_uid: String,
    /// The container's name.
    pub container: String,
}

/// The logs under one directory.
#[derive(Clone, Debug)]
pub struct LogStore {
    root: PathBuf,
}

impl LogStore {
    /// Uses `root`, which is created when it is missing.
    ///
    /// # Errors
    /// [`Error::Io`] when the directory cannot be made.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, Error> {
        let root = root.into();
        std::fs::create_dir_all(&root).map_err(|source| Error::io(&root, source))?;
        Ok(Self { root })
    }

    /// The file of a log, whether or not it exists. The directory above it may have to be made.
    ///
    /// # Errors
    /// [`Error::Name`] when a part of the key is not a name that Kubernetes would accept.
    pub fn path(&self, key: &LogKey) -> Result<PathBuf, Error> {
        let directory = self.pod_directory(&key.cluster, &key.namespace, &key.pod)?;
        let container = checked(&key.container)?;
        Ok(directory.join(checked(&key.pod_uid)?).join(format!("{container}.log")))
    }

    /// The key of the newest Pod of this name that has a log of this container.
    ///
    /// # Errors
    /// [`Error::Name`] as for [`LogStore::path`], [`Error::Io`] when the directory cannot be read.
    pub fn find(
        &self,
        cluster: &ClusterId,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> Result<Option<LogKey>, Error> {
        let file = format!("{}.log", checked(container)?);
        let directory = self.pod_directory(cluster, namespace, pod)?;
        let newest = newest_child(&directory, |path| path.join(&file).is_file())?;
        Ok(newest.map(|pod_uid| LogKey {
            cluster: cluster.clone(),
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            pod_uid,
            container: container.to_owned(),
        }))
    }

    /// The containers of the newest Pod of this name that have a log, in order of their names.
    ///
    /// # Errors
    /// As for [`LogStore::find`].
    pub fn containers(&self, cluster: &ClusterId, namespace: &str, pod: &str) -> Result<Vec<String>, Error> {
        let directory = self.pod_directory(cluster, namespace, pod)?;
        let Some(uid) = newest_child(&directory, |_| true)? else { return Ok(Vec::new()) };
        let directory = directory.join(uid);
        let entries = std::fs::read_dir(&directory).map_err(|source| Error::io(&directory, source))?;
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".log").map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }

    fn pod_directory(&self, cluster: &ClusterId, namespace: &str, pod: &str) -> Result<PathBuf, Error> {
        Ok(self.root.join(cluster.as_str()).join(checked(namespace)?).join(checked(pod)?))
    }
}

fn newest_child(directory: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Option<String>, Error> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::io(directory, source)),
    };
    let mut newest: Option<(SystemTime, String)> = None;
    for entry in entries {
        let entry = entry.map_err(|source| Error::io(directory, source))?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let Ok(modified) = entry.metadata().and_then(|metadata| metadata.modified()) else { continue };
        if wanted(&entry.path()) && newest.as_ref().is_none_or(|(time, _)| modified > *time) {
            newest = Some((modified, name));
        }
    }
    Ok(newest.map(|(_, name)| name))
}

fn checked(part: &str) -> Result<&str, Error> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let good = (1..=253).contains(&part.len()) && part.bytes().all(allowed) && !part.starts_with('.');
    if good { Ok(part) } else { Err(Error::Name(part.to_owned())) }
}

/// Why a log could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A part of the key cannot be the name of an object.
    #[error("`{0}` is not a name that a log can have")]
    Name(String),
    /// The log does not exist.
    #[error("there is no log of container `{container}` of Pod `{pod}`")]
    Missing {
        /// The Pod.
        pod: String,
        /// The container.
        container: String,
    },
    /// The file system refused.
    #[error("use the log file `{path}`")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pod_uid: &str, container: &str) -> LogKey {
        LogKey {
            cluster: ClusterId::root(),
            namespace: "default".to_owned(),
            pod: "hello-pod".to_owned(),
            pod_uid: pod_uid.to_owned(),
            container: container.to_owned(),
        }
    }

    #[test]
    fn names_that_would_leave_the_directory_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let store = LogStore::open(directory.path()).unwrap();
        for bad in ["", "..", ".hidden", "a/b", "A"] {
            assert!(matches!(store.path(&key("1", bad)), Err(Error::Name(_))), "{bad} was accepted");
        }
    }

    #[test]
    fn a_log_is_found_by_the_name_of_its_pod() {
        let directory = tempfile::tempdir().unwrap();
        let store = LogStore::open(directory.path()).unwrap();
        assert_eq!(store.find(&ClusterId::root(), "default", "hello-pod", "step-a").unwrap(), None);
        for container in ["step-b", "step-a"] {
            crate::LogWriter::create(&store.path(&key("uid-1", container)).unwrap()).unwrap();
        }
        let found = store.find(&ClusterId::root(), "default", "hello-pod", "step-a").unwrap();
        assert_eq!(found, Some(key("uid-1", "step-a")));
        let containers = store.containers(&ClusterId::root(), "default", "hello-pod").unwrap();
        assert_eq!(containers, ["step-a", "step-b"]);
    }
}
