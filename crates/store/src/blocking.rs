//! Runs work that reads files for longer than a request may hold up its thread.
//! Invariant: outside of a runtime the work simply runs where it is; a runtime that stops counts as a closed store.

use tokio::runtime::Handle;

use crate::store::Error;

/// Runs `work` on a thread that may block.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let Ok(runtime) = Handle::try_current() else { return work() };
    match runtime.spawn_blocking(work).await {
        Ok(result) => result,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Closed),
        },
    }
}
