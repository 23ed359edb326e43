//! When a worker makes its tokio runtime.

/// When a worker makes its tokio runtime.
///
/// # Examples
///
/// ```
/// use cenote::{Pool, RuntimeMode};
///
/// let pool = Pool::builder().threads(1).runtime(RuntimeMode::Always).build()?;
/// let handle = pool.blocking_run(|| tokio::task::spawn_local(async { 3 }).abort_handle())?;
/// handle.abort();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuntimeMode {
    /// With the first future: a task of `spawn_local`, or
    /// [`spawn_background`](crate::spawn_background). Pools that run closures only never make one.
    /// Until then `tokio::task::spawn_local` and `tokio::time::sleep` panic in closures, as on any
    /// thread without a runtime.
    #[default]
    OnDemand,
    /// When the worker starts. Closures run in its context from the first one on.
    Always,
}
