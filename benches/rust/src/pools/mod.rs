//! One adapter a pool: how to start it, hand it a closure, and get a result back.
//!
//! Each pool is used the way that is the fastest of those its documentation suggests; where it has
//! no results of its own, the task sends them through a channel that the caller keeps ([`Reply`]).
//! All pools run the same closures, and nothing is boxed on their behalf.

mod affinity_pool;
mod async_executor;
mod blocking;
mod cenote;
mod crossbeam;
mod crossfire;
mod local_pool;
mod rayon;
mod reply;
mod rusty_pool;
mod spawn_blocking;
mod threadpool;

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

pub use self::affinity_pool::AffinityPool;
pub use self::async_executor::AsyncExecutor;
pub use self::blocking::{Blocking, THREAD_LIMIT_VARIABLE};
pub use self::cenote::Cenote;
pub use self::crossbeam::Crossbeam;
pub use self::crossfire::Crossfire;
pub use self::local_pool::LocalPool;
pub use self::rayon::Rayon;
pub use self::reply::Reply;
pub use self::rusty_pool::RustyPool;
pub use self::spawn_blocking::SpawnBlocking;
pub use self::threadpool::Threadpool;

/// What a pool is started with.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// How many threads, neither more nor fewer.
    pub workers: usize,
    /// How many tasks may be queued, for the pools that have a limit; `None` is the pool's default.
    pub queue_limit: Option<usize>,
}

impl Setup {
    /// Two workers, default queue.
    pub const TWO: Setup = Setup {
        workers: 2,
        queue_limit: None,
    };
}

/// A pool that runs closures.
pub trait Pool: Sized + Send + Sync + 'static {
    /// Starts the pool.
    fn start(setup: Setup) -> Self;

    /// Hands over a closure whose result nobody waits for. Keep what is returned until the closure
    /// has run: affinitypool cancels a task whose future is dropped. For everybody else it is
    /// nothing, and a vector of it takes no memory.
    fn spawn<F>(&self, task: F) -> impl Send
    where
        F: FnOnce() + Send + 'static;

    /// Hands over closures that are there all at once, and returns what [`spawn`](Pool::spawn)
    /// does. One after the other, unless the pool has a call for many.
    fn spawn_batch<F>(&self, tasks: impl ExactSizeIterator<Item = F>) -> impl Send
    where
        F: FnOnce() + Send + 'static,
    {
        let mut kept = Vec::with_capacity(tasks.len());
        kept.extend(tasks.map(|task| self.spawn(task)));
        kept
    }

    /// Runs a closure on a worker and blocks this thread until the result is there.
    fn call<F>(&self, reply: &Reply, task: F) -> u64
    where
        F: FnOnce() -> u64 + Send + 'static;
}

/// A pool whose results an async task can await.
pub trait Awaited: Pool {
    /// Runs a closure on a worker; the future ends with its result.
    fn call_async<F>(&self, task: F) -> impl Future<Output = u64> + Send
    where
        F: FnOnce() -> u64 + Send + 'static;
}

/// A pool whose tasks can leave a timer behind.
pub trait Background: Pool {
    /// Leaves behind, on each of the pool's `workers`, a loop that waits for `period` and counts,
    /// until it is stopped. Returns when they are there.
    fn leave_ticking(&self, workers: usize, period: Duration, ticker: &'static Ticker);

    /// Hands over a task that, when it runs, takes the time, leaves a timer of `delay` behind, and
    /// returns; `fired` is told how long it took from there until the timer had fired.
    fn leave_timer<F>(&self, delay: Duration, fired: F)
    where
        F: FnOnce(Duration) + Send + 'static;
}

/// Shared by loops that tick in the background.
#[derive(Debug, Default)]
pub struct Ticker {
    ticks: AtomicU64,
    stopped: AtomicBool,
}

impl Ticker {
    /// Counts one tick, and says whether to go on.
    pub fn tick(&self) -> bool {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        !self.stopped.load(Ordering::Relaxed)
    }

    /// Ticks so far, of all loops.
    pub fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Ends the loops at their next tick.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Calls a function that is generic over the pool, for the pool that a
/// [`Contender`](crate::contender::Contender) names; `$other` answers for those that are no pools.
#[macro_export]
macro_rules! for_pool {
    ($contender:expr, |$pool:ident| $body:expr, $other:expr) => {{
        use $crate::contender::Contender;
        use $crate::pools;
        match $contender {
            Contender::Cenote => {
                type $pool = pools::Cenote<true>;
                $body
            }
            Contender::CenoteNoSpin => {
                type $pool = pools::Cenote<false>;
                $body
            }
            Contender::Rayon => {
                type $pool = pools::Rayon;
                $body
            }
            Contender::SpawnBlocking => {
                type $pool = pools::SpawnBlocking;
                $body
            }
            Contender::LocalPool => {
                type $pool = pools::LocalPool;
                $body
            }
            Contender::Threadpool => {
                type $pool = pools::Threadpool;
                $body
            }
            Contender::RustyPool => {
                type $pool = pools::RustyPool;
                $body
            }
            Contender::AsyncExecutor => {
                type $pool = pools::AsyncExecutor;
                $body
            }
            Contender::Blocking => {
                type $pool = pools::Blocking;
                $body
            }
            Contender::Crossbeam => {
                type $pool = pools::Crossbeam;
                $body
            }
            Contender::Crossfire => {
                type $pool = pools::Crossfire;
                $body
            }
            Contender::AffinityPool => {
                type $pool = pools::AffinityPool;
                $body
            }
            Contender::BareCacheLines | Contender::BareUnpark => $other,
        }
    }};
}
