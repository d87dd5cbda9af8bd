//! The dispatcher.

use std::future::Future;
use std::sync::Arc;

use client::Client;

use crate::error::Error;
use crate::images::Images;
use crate::options::Options;

/// A node that is set up but does not run yet.
pub struct Service {
    options: Options,
    client: Client,
    images: Arc<dyn Images>,
}

impl Service {
    /// Prepares the node's directories.
    ///
    /// # Errors
    /// [`Error::Directory`] when they cannot be made.
    pub fn new(options: Options, client: Client, images: Arc<dyn Images>) -> Result<Self, Error> {
        Ok(Self { options, client, images })
    }

    /// Runs Pods until `shutdown` is ready. Pods that run then are killed or left to their shims, as
    /// [`Options::kill_with_parent`] says.
    ///
    /// # Errors
    /// Only what makes the node as a whole useless; whatever concerns one Pod becomes its status.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let _ = (&self.options, &self.client, &self.images);
        shutdown.await;
        Ok(())
    }
}
