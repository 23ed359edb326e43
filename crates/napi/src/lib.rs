#![doc = include_str!("../README.md")]

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use cenote::{BuildError, Builder, JoinHandle, Pool, SpawnError};
use napi::bindgen_prelude::{
    AsyncRuntime, AsyncRuntimeRejection, AsyncRuntimeTask, register_async_runtime,
};
use napi::{Error, Result, Status};

/// The most threads for blocking work, unless configured otherwise.
const BLOCKING_THREADS: usize = 64;

/// The pools of the backend that runs, for code of the addon that is no part of a task of its own.
static RUNNING: Mutex<Option<Pools>> = Mutex::new(None);

/// The backend, to be [registered](register). It is dormant until napi starts it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use cenote_napi::Runtime;
///
/// let runtime = Runtime::new()
///     .configure(|futures| futures.threads(2).name("addon").max_spin(Duration::ZERO))
///     .configure_blocking(|blocking| blocking.threads(1..=8));
/// ```
pub struct Runtime {
    futures: Box<Configure>,
    blocking: Box<Configure>,
    stage: Mutex<Stage>,
}

type Configure = dyn Fn(Builder) -> Builder + Send + Sync;

#[derive(Clone)]
struct Pools {
    futures: Pool,
    blocking: Pool,
}

enum Stage {
    Stopped,
    Running(Pools),
    /// They refuse work, and may not have ended.
    Stopping(Pools),
}

impl Runtime {
    /// With the defaults: for futures one thread for each CPU the process may use, named
    /// `cenote-napi-0` and so on, and no limit to how many are alive on each; for blocking work
    /// from 1 to 64 threads, named `cenote-napi-blocking-0` and so on.
    pub fn new() -> Self {
        Runtime {
            futures: Box::new(|pool| pool),
            blocking: Box::new(|pool| pool),
            stage: Mutex::new(Stage::Stopped),
        }
    }

    /// Changes what the pool of the futures is built with. Called for each start.
    ///
    /// An error in the options shows when the backend is started: then all that needs it is
    /// rejected, and says so.
    #[must_use]
    pub fn configure(mut self, f: impl Fn(Builder) -> Builder + Send + Sync + 'static) -> Self {
        self.futures = Box::new(f);
        self
    }

    /// Changes what the pool for blocking work is built with. Called for each start.
    #[must_use]
    pub fn configure_blocking(
        mut self,
        f: impl Fn(Builder) -> Builder + Send + Sync + 'static,
    ) -> Self {
        self.blocking = Box::new(f);
        self
    }

    fn build(&self) -> std::result::Result<Pools, BuildError> {
        let futures = Pool::builder().name("cenote-napi").concurrency(usize::MAX);
        let blocking = Pool::builder()
            .name("cenote-napi-blocking")
            .threads(1..=BLOCKING_THREADS);
        Ok(Pools {
            futures: (self.futures)(futures).build()?,
            blocking: (self.blocking)(blocking).build()?,
        })
    }

    fn running(&self) -> std::result::Result<Pools, Error> {
        match &*lock(&self.stage) {
            Stage::Running(pools) => Ok(pools.clone()),
            _ => Err(Error::new(
                Status::Closing,
                "the addon's cenote runtime is not running: it was shut down, or could not be started",
            )),
        }
    }
}

impl Default for Runtime {
    fn default() -> Self {
        Runtime::new()
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &*lock(&self.stage) {
            Stage::Stopped => "stopped",
            Stage::Running(_) => "running",
            Stage::Stopping(_) => "stopping",
        };
        f.debug_struct("Runtime")
            .field("stage", &stage)
            .finish_non_exhaustive()
    }
}

/// Registers the backend for this addon. Once, from `#[module_init]`.
///
/// # Errors
///
/// It returns none, since there is nobody to tell yet. If a backend was registered before, or an
/// environment has begun to load the addon, napi rejects every promise of the addon with that
/// reason; `napi`'s `try_register_async_runtime` says so at once.
///
/// # Examples
///
/// See the [crate](self).
pub fn register(runtime: Runtime) {
    register_async_runtime(runtime);
}

/// The pool of the futures. `None` before the backend is started, and after it was shut down.
///
/// # Examples
///
/// ```
/// assert!(cenote_napi::pool().is_none());
/// ```
pub fn pool() -> Option<Pool> {
    lock(&RUNNING).as_ref().map(|pools| pools.futures.clone())
}

/// Runs a closure that may block, on the pool that is there for it. The handle can be awaited in an
/// `async fn` of the addon.
///
/// # Errors
///
/// With the closure, if the backend is not running, or if the pool's queue is full.
///
/// # Examples
///
/// ```
/// use napi::bindgen_prelude::*;
///
/// // In an addon this is a #[napi] function.
/// pub async fn checksum(path: String) -> Result<u32> {
///     let sum = cenote_napi::spawn_blocking(move || {
///         let bytes = std::fs::read(path)?;
///         Ok::<_, std::io::Error>(bytes.iter().map(|&byte| u32::from(byte)).sum())
///     });
///     let sum = sum.map_err(|error| Error::from_reason(error.to_string()))?;
///     Ok(sum.await.map_err(|error| Error::from_reason(error.to_string()))??)
/// }
/// ```
pub fn spawn_blocking<F, T>(f: F) -> std::result::Result<JoinHandle<T>, SpawnError<F>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let blocking = lock(&RUNNING).as_ref().map(|pools| pools.blocking.clone());
    match blocking {
        Some(blocking) => blocking.try_spawn(f),
        None => Err(SpawnError::closed(f)),
    }
}

/// Takes a lock, poisoned or not. The one that may be held during a panic is the stage's, when what
/// configures a pool panics: the stage is changed only after that.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is declined, and why, in napi's terms.
fn declined<T>(work: T, error: &SpawnError<()>) -> AsyncRuntimeRejection<T> {
    let status = if error.is_full() {
        Status::QueueFull
    } else {
        Status::Closing
    };
    AsyncRuntimeRejection::new(work, Error::new(status, error.to_string()))
}

fn failure(message: impl fmt::Display) -> Error {
    Error::new(Status::GenericFailure, message.to_string())
}

// SAFETY: `start` pins the addon's image before there is a thread, or refuses to start where it
// cannot; so no thread, waker or destructor of ours can run code that is gone. Beyond that,
// `finish_shutdown` returns `Ok` after every thread of the pools has ended its work, with which
// each task and closure is run or dropped; it does not on a thread of theirs, which the pin covers.
unsafe impl AsyncRuntime for Runtime {
    fn spawn(
        &self,
        task: AsyncRuntimeTask,
    ) -> std::result::Result<(), AsyncRuntimeRejection<AsyncRuntimeTask>> {
        let pools = match self.running() {
            Ok(pools) => pools,
            Err(error) => return Err(AsyncRuntimeRejection::new(task, error)),
        };
        // First the place, so that a task that is declined is still at hand.
        match pools.futures.try_reserve() {
            Ok(permit) => {
                permit.spawn_local(move || task).detach();
                Ok(())
            }
            Err(error) => Err(declined(task, &error)),
        }
    }

    fn block_on(&self, future: Pin<&mut dyn Future<Output = ()>>) -> Result<()> {
        // The future may be `!Send` and borrow, so it is driven here, by a runtime for the purpose.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failure)?;
        // Unwind safety: neither is used afterwards. Tokio panics if this thread is driving another
        // runtime.
        catch_unwind(AssertUnwindSafe(|| runtime.block_on(future)))
            .map_err(|_| failure("the future panicked, or this thread is already driving futures"))
    }

    fn start(&self) -> Result<()> {
        pin_image()?;
        let mut stage = lock(&self.stage);
        match &*stage {
            Stage::Running(_) => return Ok(()),
            Stage::Stopping(_) => {
                return Err(failure("the addon's cenote runtime is being shut down"));
            }
            Stage::Stopped => {}
        }
        let pools = self.build().map_err(failure)?;
        *lock(&RUNNING) = Some(pools.clone());
        *stage = Stage::Running(pools);
        Ok(())
    }

    fn shutdown(&self) -> Result<()> {
        self.begin_shutdown()?;
        self.finish_shutdown()
    }

    fn begin_shutdown(&self) -> Result<bool> {
        let pools = {
            let mut stage = lock(&self.stage);
            match std::mem::replace(&mut *stage, Stage::Stopped) {
                Stage::Stopped => return Ok(false),
                Stage::Running(pools) => {
                    *lock(&RUNNING) = None;
                    *stage = Stage::Stopping(pools.clone());
                    pools
                }
                Stage::Stopping(pools) => {
                    *stage = Stage::Stopping(pools);
                    drop(stage);
                    return Ok(self.shutdown_work_pending());
                }
            }
        };
        // Not under the lock: what is cancelled tells its promise, which is code of others.
        pools.futures.shutdown_now();
        pools.blocking.shutdown_now();
        Ok(self.shutdown_work_pending())
    }

    fn shutdown_work_pending(&self) -> bool {
        let stage = match self.stage.try_lock() {
            Ok(stage) => stage,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return true,
        };
        match &*stage {
            Stage::Stopping(pools) => [&pools.futures, &pools.blocking]
                .iter()
                .any(|pool| !pool.has_ended()),
            _ => false,
        }
    }

    fn finish_shutdown(&self) -> Result<()> {
        let pools = match &*lock(&self.stage) {
            Stage::Stopping(pools) => pools.clone(),
            _ => return Ok(()),
        };
        let both = [&pools.futures, &pools.blocking];
        let own = both.iter().any(|pool| pool.current().is_some());
        for pool in both {
            pool.blocking_close(Duration::MAX);
        }
        *lock(&self.stage) = Stage::Stopped;
        if own {
            return Err(failure(
                "the addon's cenote runtime was shut down by one of its own tasks, whose thread could not be waited for",
            ));
        }
        Ok(())
    }

    fn spawn_blocking(
        &self,
        work: Box<dyn FnOnce() + Send + 'static>,
    ) -> std::result::Result<(), AsyncRuntimeRejection<Box<dyn FnOnce() + Send + 'static>>> {
        let pools = match self.running() {
            Ok(pools) => pools,
            Err(error) => return Err(AsyncRuntimeRejection::new(work, error)),
        };
        match pools.blocking.try_reserve() {
            Ok(permit) => {
                permit.spawn(work).detach();
                Ok(())
            }
            Err(error) => Err(declined(work, &error)),
        }
    }
}

/// Keeps the image this code is in loaded for as long as the process lives.
#[cfg(any(
    windows,
    target_vendor = "apple",
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "solaris",
    target_os = "illumos"
))]
fn pin_image() -> Result<()> {
    // napi does the same when the backend is registered. The soundness of this crate is not to
    // hang on that.
    napi::bindgen_prelude::retain_current_module_for_unload_safety();
    Ok(())
}

/// There is no way to keep the image loaded.
#[cfg(not(any(
    windows,
    target_vendor = "apple",
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "solaris",
    target_os = "illumos"
)))]
fn pin_image() -> Result<()> {
    Err(failure(
        "cenote cannot keep an addon's image loaded on this system, so it does not run its tasks",
    ))
}
