//! What every Kubernetes-style API server does to objects, as pure functions on `serde_json::Value`.
//! No I/O, no clock, no randomness: times and random bytes are arguments. Which kinds exist is `api`'s table;
//! who may do what is `policy`'s; keeping objects is `store`'s.
//! Invariant: nothing here knows a kind by name, except the tables of merge keys in [`schema`] and of messages in
//! [`protobuf`].
//! Start at [`decode`] and [`protobuf`] for what comes in, [`schema`] for its shape, [`patch`] and [`apply`] for changes,
//! [`table`], [`discovery`] and [`openapi`] for what goes out.

pub mod apply;
pub mod decode;
pub mod discovery;
pub mod meta;
pub mod openapi;
pub mod patch;
pub mod protobuf;
pub mod schema;
pub mod selector;
pub mod status;
pub mod table;
