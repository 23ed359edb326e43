//! The threads of a pool: how many, what they are called, how they start and end.

use std::ops::{RangeInclusive, RangeTo, RangeToInclusive};
use std::sync::Arc;
use std::time::Duration;

use super::builder::Builder;
use crate::worker::WorkerInfo;

/// How many threads: the least and the most. Made from a number or from a range that includes its
/// end.
///
/// # Examples
///
/// ```
/// use cenote::Threads;
///
/// assert_eq!(Threads::from(4), Threads::from(4..=4));
/// assert_eq!(Threads::from(..=4), Threads::from(1..=4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads {
    pub(super) min: usize,
    pub(super) max: usize,
}

impl From<usize> for Threads {
    fn from(threads: usize) -> Self {
        Threads {
            min: threads,
            max: threads,
        }
    }
}

impl From<RangeInclusive<usize>> for Threads {
    fn from(range: RangeInclusive<usize>) -> Self {
        Threads {
            min: *range.start(),
            max: *range.end(),
        }
    }
}

impl From<RangeToInclusive<usize>> for Threads {
    fn from(range: RangeToInclusive<usize>) -> Self {
        Threads {
            min: 1,
            max: range.end,
        }
    }
}

impl From<RangeTo<usize>> for Threads {
    fn from(range: RangeTo<usize>) -> Self {
        Threads {
            min: 1,
            max: range.end.saturating_sub(1),
        }
    }
}

impl Builder {
    /// How many threads: a number, or `min..=max`. At least 1, at most 4,096. A pool starts with
    /// `min`; it grows while tasks wait and every worker has been in one closure for `grow_after`,
    /// and shrinks as threads are idle for `idle_timeout`. Default: as many as there are CPUs
    /// (`std::thread::available_parallelism`), fixed.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1..=8).build()?;
    /// pool.blocking_run(|| ())?;
    /// assert_eq!(pool.stats().peak, 1, "one was enough");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn threads(mut self, threads: impl Into<Threads>) -> Self {
        self.threads = Some(threads.into());
        self
    }

    /// Names the threads `name-0`, `name-1`, … Default: `cenote`.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).name("images").build()?;
    /// let name = pool.blocking_run(|| std::thread::current().name().map(str::to_owned))?;
    /// assert_eq!(name.as_deref(), Some("images-0"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn name(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.thread_name(move |index| format!("{name}-{index}"))
    }

    /// Names each thread by its worker's seat, the [`index`](WorkerInfo::index), which `name` is
    /// handed. It is called by the thread that starts the worker's. If it panics, or makes a name
    /// with a zero byte, the thread is not started, as if the system had refused it.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder()
    ///     .threads(1)
    ///     .thread_name(|index| format!("gpu{index}"))
    ///     .build()?;
    /// assert_eq!(pool.blocking_run(cenote::current)?.unwrap().name, "gpu0");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn thread_name(mut self, name: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        self.name = Arc::new(name);
        self
    }

    /// The stack of each thread, in bytes. Default: that of `std::thread`, 2 MiB or what
    /// `RUST_MIN_STACK` says.
    ///
    /// Tasks that wait for tasks may lie in each other on a thread, as deep as its stack holds
    /// them; the last 256 KiB of it (of a smaller one, half) are left to the innermost.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::builder().threads(1).stack_size(8 * 1024 * 1024).build()?;
    /// let sum = pool.blocking_run(|| {
    ///     let large = [1_u8; 4 * 1024 * 1024];
    ///     std::hint::black_box(&large).iter().map(|&byte| u64::from(byte)).sum::<u64>()
    /// })?;
    /// assert_eq!(sum, 4 * 1024 * 1024);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Called on each worker's thread before anything else, also before its state is made. If it
    /// panics, the worker does not start: `stats().last_init_failure` says so, and where no worker
    /// is left tasks are refused with `CENOTE_NO_WORKER`.
    ///
    /// It is the place to pin the thread to a CPU or to change its priority: `pinned_workers` and
    /// `nice_workers` of the [examples](crate#examples) do so. Any thread may start a worker's,
    /// another worker of the pool too, and the new thread inherits what that one has. So set
    /// absolute values, and look up before the pool is built what they depend on.
    ///
    /// # Examples
    ///
    /// ```
    /// let (started, starts) = std::sync::mpsc::channel();
    /// let pool = cenote::Pool::builder()
    ///     .threads(2)
    ///     .on_thread_start(move |worker| started.send(worker.index).unwrap())
    ///     .build()?;
    /// let mut indices: Vec<_> = starts.iter().take(2).collect();
    /// indices.sort_unstable();
    /// assert_eq!(indices, [0, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_thread_start(mut self, hook: impl Fn(&WorkerInfo) + Send + Sync + 'static) -> Self {
        self.on_start = Some(Arc::new(hook));
        self
    }

    /// Called on each worker's thread as the last thing, after its state was dropped. Its panic
    /// is reported by the panic hook, and no more.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (stopped, stops) = std::sync::mpsc::channel();
    /// let pool = cenote::Pool::builder()
    ///     .threads(1)
    ///     .on_thread_stop(move |worker| stopped.send(worker.name.clone()).unwrap())
    ///     .build()?;
    /// pool.blocking_close(Duration::from_secs(5));
    /// assert_eq!(stops.recv()?, "cenote-0");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_thread_stop(mut self, hook: impl Fn(&WorkerInfo) + Send + Sync + 'static) -> Self {
        self.on_stop = Some(Arc::new(hook));
        self
    }

    /// How long a thread beyond the least may be idle before it ends. Default: 10 s.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = cenote::Pool::builder().threads(1..=8);
    /// let pool = builder.idle_timeout(Duration::from_secs(60)).build()?;
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle_timeout = time;
        self
    }

    /// How long a worker has to be in one closure to count as blocked. When all are, and tasks
    /// wait, the pool grows by one.
    /// Default: 5 ms.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    ///
    /// let pool = cenote::Pool::builder()
    ///     .threads(1..=2)
    ///     .grow_after(Duration::from_millis(1))
    ///     .build()?;
    /// let (go, gone) = mpsc::channel::<()>();
    /// let blocked = pool.try_spawn(move || gone.recv().is_ok())?;
    /// assert_eq!(pool.blocking_run(|| "on a second thread")?, "on a second thread");
    /// go.send(())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn grow_after(mut self, time: Duration) -> Self {
        self.grow_after = time;
        self
    }
}
