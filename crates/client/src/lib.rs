//! The API client of controllers, nodes and the command line: cluster-aware get, list, watch and write.
//! It knows the API server only as a [`Transport`]: the router in this process, or HTTPS to another one.
//! Invariant: callers cannot tell which of the two they were given.

mod transport;

pub use transport::{Body, BoxFuture, Request, Response, Transport, TransportError};
