//! The messages of the served built-in kinds; which message belongs to which kind is in [`roots`].
//! Custom kinds have none: their clients write JSON.
//! Invariant: each built-in row of `api`'s table of resources has its messages here.

mod container;
pub(super) mod meta;
mod objects;
mod pod;
mod roots;
mod status;
mod volume;

#[cfg(test)]
pub(super) use roots::ROOTS;
pub(super) use roots::message;
