//! Images: pulling over the OCI distribution protocol, importing archives, and a cache that both fill.
//! It knows nothing of Pods; `node` asks it for layers and a configuration, and mounts them.
//! Invariant: whatever is in the cache has the digest that names it; half-written content never gets a name.
//! Start at [`ImageStore`]; [`config`] holds what an operator says about registries.

mod archive;
pub mod config;
mod error;
mod layer;
mod pull;
mod store;
mod unpack;

pub use config::{Credentials, Registries};
pub use error::Error;
pub use pull::{PullPolicy, registry_of};
pub use store::{Image, ImageStore, ImageSummary, Pruned};
