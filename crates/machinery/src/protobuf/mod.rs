//! Bodies in Kubernetes' protobuf form (`application/vnd.kubernetes.protobuf`) to the values they have in JSON.
//! Reads requests only: answers stay JSON, which every client that writes protobuf also takes. Objects that clients
//! never write to us in this form (custom kinds, lists, kinds not served) have no table and are refused by name.
//! Invariant: the tables are the only knowledge of kinds, and no message contains itself, so that the depth of a
//! value is bounded by the tables and its size by the body.
//! Start at [`decode`]; `shape` says how a message is described, `tables` describes them, `message` follows
//! the description.

mod envelope;
mod message;
mod scalar;
mod shape;
mod tables;
#[cfg(test)]
mod tests;
mod wire;

pub use envelope::decode;
