//! Tasks with borrowed data: a scope ends when all of its tasks have.
//!
//! The lifetimes are those of `std::thread::scope`. A task of a scope is boxed, and its lifetime
//! erased; that is sound because `scope` does not return, nor unwind, before each task has either
//! run to its end or been dropped, captures and all. That moment is counted by a guard that is
//! dropped after everything the task had captured.
//!
//! A thread of the pool that waits for its scope runs those of its tasks that have not started, so
//! a scope inside of a task cannot use the pool up.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use crate::sync::Mutex;

use super::handle::Pool;
use super::options::Options;
use super::shared::Shared;
use super::submit::Submission;
use crate::task::blocking::{self, Awaited};
use crate::task::boundary;
use crate::task::cell::{Kind, TaskRef};
use crate::task::handle::JoinHandle;
use crate::task::state::Phase;
use crate::task::work::Closure;
use crate::worker;

/// Spawns tasks that may borrow what lives longer than the scope. Made by [`Pool::scope`].
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// fn count<'scope>(scope: &'scope cenote::Scope<'scope, '_>, total: &'scope AtomicU64) {
///     for n in 1..=4 {
///         scope.spawn(move || total.fetch_add(n, Ordering::Relaxed));
///     }
/// }
///
/// let pool = cenote::Pool::new()?;
/// let total = AtomicU64::new(0);
/// pool.scope(|scope| count(scope, &total));
/// assert_eq!(total.into_inner(), 10);
/// # Ok::<(), cenote::BuildError>(())
/// ```
pub struct Scope<'scope, 'env: 'scope> {
    shared: Arc<Shared>,
    tally: Arc<Tally>,
    /// Tasks that may not have started, for the owner to run itself.
    tasks: Mutex<Unstarted>,
    owner_helps: bool,
    // Invariant in both, as in `std`.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// The tasks of a scope that may not have started.
#[derive(Default)]
struct Unstarted(Vec<TaskRef>);

impl Unstarted {
    /// Before it grows it lets go of what has started: a scope that goes on for long holds what is
    /// in the queue, not all that ever was.
    fn push(&mut self, task: &TaskRef) {
        if self.0.len() == self.0.capacity() {
            self.0
                .retain(|task| task.snapshot().phase() == Phase::Queued);
            // Room for as many again, so that the next look is as far away.
            self.0.reserve(self.0.len().max(32));
        }
        self.0.push(task.clone());
    }
}

/// What is left of a scope, and what went wrong in it.
#[derive(Default)]
struct Tally {
    left: AtomicUsize,
    /// Tasks that were dropped before they ran, and of which nobody was told.
    unrun: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    waker: Mutex<Option<Waker>>,
}

impl Tally {
    fn done(&self) {
        // Release: what the task did is visible to the owner of the scope; pairs with `is_ready`.
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let waker = self.waker.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// What is known of a task that was dropped before it ran, by the task and by its handle: whoever
/// comes second knows of the other.
#[derive(Clone, Default)]
struct Fate(Arc<AtomicUsize>);

impl Fate {
    const UNRUN: usize = 1;
    const TOLD: usize = 2;

    fn dropped(&self, tally: &Tally) {
        // Relaxed, also below: `Tally::done` releases the count, and the steps on one word have one
        // order.
        if self.0.swap(Self::UNRUN, Ordering::Relaxed) != Self::TOLD {
            tally.unrun.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn told(&self, tally: &Tally) {
        if self.0.swap(Self::TOLD, Ordering::Relaxed) == Self::UNRUN {
            tally.unrun.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Counts a task as done when it is dropped.
struct Guard {
    tally: Arc<Tally>,
    fate: Fate,
    ran: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.ran {
            self.fate.dropped(&self.tally);
        }
        self.tally.done();
    }
}

/// The wait of the owner.
struct End<'a>(&'a Tally);

impl Awaited for End<'_> {
    fn is_ready(&self) -> bool {
        // Acquire: pairs with `done`.
        self.0.left.load(Ordering::Acquire) == 0
    }

    fn register(&mut self, waker: &Waker) -> bool {
        // Under the lock that `done` takes afterwards: either it finds the waker, or this finds the
        // end.
        let mut place = self.0.waker.lock();
        *place = Some(waker.clone());
        !self.is_ready()
    }
}

/// Where a task's result goes, and who is left to want it.
struct Place<T> {
    result: Option<std::thread::Result<T>>,
    /// The handle was dropped: a panic goes to the scope.
    abandoned: bool,
}

/// A task and its captures, in the order in which they are dropped: the guard last.
struct ScopedTask<F, T> {
    f: F,
    place: Arc<Mutex<Place<T>>>,
    guard: Guard,
}

impl<F: FnOnce() -> T, T> ScopedTask<F, T> {
    fn run(self) {
        let ScopedTask {
            f,
            place,
            mut guard,
        } = self;
        guard.ran = true;
        // Unwind safety: the panic goes on where the task is joined, or at the end of the scope.
        let result = catch_unwind(AssertUnwindSafe(f));
        let mut owner = place.lock();
        if !owner.abandoned {
            owner.result = Some(result);
            drop(owner);
        } else {
            drop(owner);
            guard.tally.drop_unwanted(result);
        }
        drop(place);
        drop(guard);
    }
}

impl Tally {
    fn drop_unwanted<T>(&self, result: std::thread::Result<T>) {
        // Unwind safety: the value is gone either way; a panic of its destructor counts as the
        // task's.
        let dropped = result.and_then(|value| catch_unwind(AssertUnwindSafe(|| drop(value))));
        if let Err(payload) = dropped {
            let mut first = self.panic.lock();
            if first.is_none() {
                *first = Some(payload);
            } else {
                // Its destructor is user code.
                drop(first);
                boundary::drop_quietly(payload);
            }
        }
    }
}

/// The result of a scoped task. Dropping it leaves the task to the scope, which waits for it, and
/// panics if it panicked.
///
/// # Examples
///
/// ```
/// let pool = cenote::Pool::new()?;
/// let text = String::from("borrowed");
/// let length = pool.scope(|scope| scope.spawn(|| text.len()).join().unwrap());
/// assert_eq!(length, 8);
/// # Ok::<(), cenote::BuildError>(())
/// ```
pub struct ScopedJoinHandle<'scope, T> {
    handle: Option<JoinHandle<()>>,
    place: Arc<Mutex<Place<T>>>,
    tally: Arc<Tally>,
    fate: Fate,
    scope: PhantomData<&'scope ()>,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Blocks until the task is done.
    ///
    /// # Errors
    ///
    /// The payload, if it panicked; or a `String` that says why, if it never ran, which a shutdown
    /// of the pool can cause.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let words = vec!["a", "bc"];
    /// let total = pool.scope(|scope| {
    ///     let task = scope.spawn(|| words.iter().map(|word| word.len()).sum::<usize>());
    ///     task.join().unwrap()
    /// });
    /// assert_eq!(total, 3);
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn join(mut self) -> std::thread::Result<T> {
        let ended = self.handle.take().map(|handle| {
            if !handle.is_finished() {
                worker::wait::help_with_scoped(handle.task());
            }
            handle.join()
        });
        match self.place.lock().result.take() {
            Some(result) => result,
            None => {
                self.fate.told(&self.tally);
                Err(match ended {
                    Some(Err(error)) => Box::new(error.to_string()),
                    _ => Box::new("the task was dropped before it ran".to_owned()),
                })
            }
        }
    }

    /// Whether the task has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// pool.scope(|scope| {
    ///     let task = scope.spawn(|| 1);
    ///     while !task.is_finished() {
    ///         std::thread::yield_now();
    ///     }
    ///     assert_eq!(task.join().unwrap(), 1);
    /// });
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn is_finished(&self) -> bool {
        self.handle.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl<T> Drop for ScopedJoinHandle<'_, T> {
    fn drop(&mut self) {
        let mut place = self.place.lock();
        place.abandoned = true;
        let result = place.result.take();
        drop(place);
        if let Some(result) = result {
            self.tally.drop_unwanted(result);
        }
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle")
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Spawns a closure that may borrow. If the pool does not accept it, because its queue is full
    /// or it is closed, the closure runs here and now.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let mut halves = [0, 0];
    /// let (left, right) = halves.split_at_mut(1);
    /// pool.scope(|scope| {
    ///     scope.spawn(|| left[0] = 1);
    ///     scope.spawn(|| right[0] = 2);
    /// });
    /// assert_eq!(halves, [1, 2]);
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let place = Arc::new(Mutex::new(Place {
            result: None,
            abandoned: false,
        }));
        let fate = Fate::default();
        // Relaxed: the owner, who waits for 0, counts up itself, or a task of the scope does, which
        // has not counted down yet.
        self.tally.left.fetch_add(1, Ordering::Relaxed);
        let task = ScopedTask {
            f,
            place: Arc::clone(&place),
            guard: Guard {
                tally: Arc::clone(&self.tally),
                fate: fate.clone(),
                ran: false,
            },
        };
        let task: Box<dyn FnOnce() + Send + 'scope> = Box::new(move || task.run());
        // SAFETY: only the lifetime changes. `Pool::scope` returns and unwinds only when `left` is
        // 0 again, and the guard counts down after everything else the box holds is gone, whether
        // it was called or dropped.
        let task = unsafe {
            mem::transmute::<Box<dyn FnOnce() + Send + 'scope>, Box<dyn FnOnce() + Send + 'static>>(
                task,
            )
        };
        let submission = Submission {
            shared: &self.shared,
            lane: 0,
            kind: Kind::Closure,
            options: &Options::DEFAULT,
            work: Closure::new(task),
        };
        let handle = match submission.attempt() {
            Ok(handle) => {
                if self.owner_helps {
                    self.tasks.lock().push(handle.task());
                }
                Some(handle)
            }
            Err(refused) => {
                refused.into_inner().into_inner()();
                None
            }
        };
        ScopedJoinHandle {
            handle,
            place,
            tally: Arc::clone(&self.tally),
            fate,
            scope: PhantomData,
        }
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("left", &self.tally.left.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Runs `f`, which may spawn tasks that borrow, and returns when all of them are done. Blocks.
    ///
    /// On a worker of this pool, the thread runs those tasks of the scope that nobody has started,
    /// so scopes may be nested in tasks. Inside of [`with_state`](crate::with_state) that thread's
    /// state is lent, so a task of the scope that runs there cannot ask for it.
    ///
    /// # Panics
    ///
    /// After all tasks are done: if `f` panicked, with its panic; else if a task panicked whose
    /// handle was not joined, with the first such panic; else if a task never ran, which a shutdown
    /// of the pool can cause, and its handle was not joined.
    ///
    /// At once, without having run `f`: in a task that lies so deep in waiting tasks of its thread
    /// that the stack would not hold those of the scope.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let mut numbers = vec![1, 2, 3, 4];
    /// pool.scope(|scope| {
    ///     for half in numbers.chunks_mut(2) {
    ///         scope.spawn(|| half.iter_mut().for_each(|number| *number *= 10));
    ///     }
    /// });
    /// assert_eq!(numbers, [10, 20, 30, 40]);
    /// # Ok::<(), cenote::BuildError>(())
    /// ```
    pub fn scope<'env, F, T>(&self, f: F) -> T
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
    {
        let shared = self.shared();
        let worker = worker::worker_of(shared);
        assert!(
            worker.as_ref().is_none_or(|worker| worker.has_stack()),
            "CENOTE_WOULD_DEADLOCK: the stack of this worker is nearly used up by tasks that wait \
             for each other; nest fewer scopes, or give the pool a larger stack_size()"
        );
        let scope = Scope {
            shared: Arc::clone(shared),
            tally: Arc::default(),
            tasks: Mutex::default(),
            owner_helps: worker.is_some(),
            scope: PhantomData,
            env: PhantomData,
        };
        // Unwind safety: the panic goes on below.
        let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
        loop {
            let task = scope.tasks.lock().0.pop();
            let Some(task) = task else { break };
            worker::wait::help_with_scoped(&task);
        }
        let mut end = End(&scope.tally);
        if !end.is_ready() {
            blocking::wait(shared.config.max_spin, None, &mut end);
        }
        let panic = scope.tally.panic.lock().take();
        let unrun = scope.tally.unrun.load(Ordering::Relaxed);
        match (result, panic) {
            (Err(payload), _) | (Ok(_), Some(payload)) => resume_unwind(payload),
            (Ok(value), None) => {
                assert!(
                    unrun == 0,
                    "{unrun} tasks of a scope never ran: the pool was shut down meanwhile"
                );
                value
            }
        }
    }
}
