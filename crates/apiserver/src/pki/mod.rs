//! Certificates of one data directory: an own certificate authority, the server's certificate, client
//! certificates, and the kubeconfig that carries them.
//! Invariant: private keys are files that only their owner can read, and never leave the directory except in a
//! kubeconfig of the same mode.

mod authority;
mod files;
mod kubeconfig;

pub use authority::{ClientCertificate, Pki};
pub use files::Error;
pub use kubeconfig::{Context, kubeconfig, write_kubeconfig};
