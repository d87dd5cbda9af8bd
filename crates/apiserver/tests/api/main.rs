//! Requests and rendered responses of the whole server, in process and on the memory store.

mod access;
mod discovery;
mod lists;
mod logs;
mod objects;
mod protobuf;
mod watches;
mod workspaces;
mod world;
