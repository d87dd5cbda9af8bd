//! The whole system in one thread on paused time: real API server, real store (in memory), real controllers; only
//! the node is played. Faults are injected from a seed, and checkers look at the store after every step.
//! It is for tests and benchmarks only; no product crate depends on it.
//! Invariant: one seed is one history, so a failure is a seed.
//! Start at [`simulate`]; the node's play is described at [`FakeNode`], the checks are in `checks`.

pub mod bench;
mod checks;
mod clock;
mod fake_node;
mod faults;
mod parts;
mod play;
mod world;

pub use fake_node::FakeNode;
pub use faults::{Faults, Odds};
pub use world::{World, simulate};
