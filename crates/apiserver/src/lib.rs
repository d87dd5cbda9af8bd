//! The API server: a Kubernetes-compatible API of workspaces over a store.
//! One generic path serves every resource of the table in `api`; `policy` decides, `machinery` computes, `store` keeps.
//! Invariant: every call to the store is made with a grant, and nothing here exists per workspace but bounded caches.
//! Start at [`Service`]; a request goes `router` -> `handlers` -> `registry`, and `encode` renders what comes back.

mod authenticate;
mod body;
mod catalog;
mod documents;
mod encode;
mod errors;
mod filter;
mod handlers;
mod negotiate;
pub mod pki;
mod query;
mod registry;
mod request_info;
mod respond;
mod router;
mod serve;
mod service;
mod splice;
mod strategy;
mod tenancy;

pub use body::Body;
pub use serve::serve;
pub use service::{Clock, LocalTransport, Options, REQUEST_BYTES_MAX, Random, Service};
