//! The API client of controllers, nodes and the command line: cluster-aware get, list, watch and write.
//! It knows the API server only as a [`Transport`]: the router in this process, or HTTPS to another one.
//! Invariant: callers cannot tell which of the two they were given.
//! Start at [`Client`]; [`Watcher`] follows a resource for ever, [`Https`] is the transport of the command line.

mod api;
mod error;
mod https;
mod kubeconfig;
mod options;
mod resource;
mod transport;
mod watch;
mod watcher;

pub use api::{Api, Client, Cluster, List, LogStream};
pub use error::{Error, Refusal};
pub use https::Https;
pub use kubeconfig::{Kubeconfig, KubeconfigError};
pub use options::{
    DeleteOptions, ListOptions, LogOptions, Patch, PatchOptions, Preconditions, Propagation, WatchOptions,
    WriteOptions,
};
pub use resource::{
    CLUSTER_ANNOTATION, Dynamic, Kind, Object, PartialObject, Readable, ResourceType, Versioned,
};
pub use transport::{Body, BoxFuture, Request, Response, Transport, TransportError};
pub use watch::{Bookmark, WatchEvent, WatchStream};
pub use watcher::{Followed, Watcher, WatcherOptions};
