//! Decides who may do what in which workspace, and proves the decision with a [`Grant`].
//! Pure: identities and attributes in, grant or refusal out. Who someone is, `apiserver` finds out.
//! Invariant: nothing outside this crate can build a [`Grant`], and the API server's storage calls take one.

mod grant;

pub use grant::{Attributes, Denied, Grant, Identity, Scope, Target, Verb, allow};
