//! The allocation of a task, and everything that is done to it with unsafe code.
//!
//! A [`Cell`] begins with a [`Header`] that is the same for every task, so that queues and handles
//! hold plain header pointers; what depends on the type goes through the header's [`VTable`]. The
//! cell first holds the work, then, in the same place, its result.
//!
//! Ownership, phase by phase, is told in [`state`](super::state). In short: the stage belongs to
//! whoever made the last step of the phase; after `DONE`, to the handle, or to the settler where
//! there is no handle. Each typed function below names the step that gives it the right.

use std::marker::PhantomData;
use std::mem;
use std::ptr::NonNull;
use std::task::Waker;

use super::boundary::{self, drop_quietly};
use super::error::JoinError;
#[cfg(not(cenote_loom))]
use super::extra::Extra;
#[cfg(not(cenote_loom))]
use super::memory::{allocate, free as give_back};
use super::outcome::Outcome;
use super::state::{Finish, State};
pub(crate) use super::task_ref::{Running, TaskRef};
use crate::sync::{AtomicBool, AtomicPtr, UnsafeCell};

/// Which workers may take a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Runs from start to end on a worker.
    Closure = 0,
    /// Makes a future, which takes one of the worker's places until it is done.
    Local = 1,
}

/// What is known of a task when it is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    /// The pool's number in this process.
    pub(crate) pool: u32,
    pub(crate) lane: u16,
    /// 0 is served first.
    pub(crate) band: u8,
    pub(crate) kind: Kind,
    /// It has a timeout, which may settle it while it runs.
    pub(crate) may_settle_early: bool,
}

/// What a run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// To its end. `TimedOut`: it was settled while it ran; what it returned is dropped.
    Settled(Outcome),
    /// A future was left on the worker, which settles it later.
    Left,
}

/// What all tasks have in common. The start of every [`Cell`].
///
/// Aligned also where a `u64` is not: a mailbox tells tasks from its own small numbers.
#[repr(C, align(8))]
pub(crate) struct Header {
    pub(super) state: State,
    pub(super) vtable: &'static VTable,
    /// The next task of the queue this one is in. The queue's alone.
    pub(crate) next: AtomicPtr<Header>,
    /// When it was submitted, in the clock's own unit. Written before it is submitted.
    pub(crate) submitted: u64,
    pub(crate) meta: Meta,
    /// It takes a place in a lane's queue. The lane's alone.
    pub(crate) placed: AtomicBool,
    pub(super) waker: UnsafeCell<Option<Waker>>,
    #[cfg(not(cenote_loom))]
    extra: once_cell::race::OnceBox<Extra>,
}

impl Header {
    /// A header that is no task: a queue's placeholder. Nothing but `next` may be used.
    pub(crate) fn placeholder() -> Self {
        unsafe fn unreachable_run(_: NonNull<Header>, _: bool) -> Ran {
            unreachable!("a placeholder was run")
        }
        unsafe fn unreachable_fail(_: NonNull<Header>, _: JoinError) {
            unreachable!("a placeholder was settled")
        }
        unsafe fn unreachable_take(_: NonNull<Header>, _: *mut ()) {
            unreachable!("a placeholder has no result")
        }
        unsafe fn unreachable_free(_: NonNull<Header>) {
            unreachable!("a placeholder was freed")
        }
        static NONE: VTable = VTable {
            run: unreachable_run,
            fail: unreachable_fail,
            drop_work: unreachable_free,
            take: unreachable_take,
            drop_result: unreachable_free,
            free: unreachable_free,
        };
        let meta = Meta {
            pool: 0,
            lane: 0,
            band: 0,
            kind: Kind::Closure,
            may_settle_early: false,
        };
        Header::new(&NONE, meta, 0, false)
    }

    fn new(vtable: &'static VTable, meta: Meta, submitted: u64, guarded: bool) -> Self {
        Header {
            state: State::new(guarded),
            vtable,
            next: AtomicPtr::new(std::ptr::null_mut()),
            submitted,
            meta,
            placed: AtomicBool::new(false),
            waker: UnsafeCell::new(None),
            #[cfg(not(cenote_loom))]
            extra: once_cell::race::OnceBox::new(),
        }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// It has neither a waker nor an extra.
    fn is_bare(&mut self) -> bool {
        #[cfg(not(cenote_loom))]
        if self.extra.get().is_some() {
            return false;
        }
        self.waker.with_mut(|waker| {
            // SAFETY: the header is borrowed mutably.
            unsafe { &*waker }.is_none()
        })
    }

    #[cfg(not(cenote_loom))]
    pub(crate) fn extra(&self) -> Option<&Extra> {
        self.extra.get()
    }

    #[cfg(not(cenote_loom))]
    pub(crate) fn extra_or_new(&self) -> &Extra {
        self.extra.get_or_init(Box::default)
    }
}

/// What depends on the type of the work. Each function's contract is that of the function below of
/// the same name.
pub(super) struct VTable {
    pub(super) run: unsafe fn(NonNull<Header>, bool) -> Ran,
    pub(super) fail: unsafe fn(NonNull<Header>, JoinError),
    pub(super) drop_work: unsafe fn(NonNull<Header>),
    pub(super) take: unsafe fn(NonNull<Header>, *mut ()),
    pub(super) drop_result: unsafe fn(NonNull<Header>),
    pub(super) free: unsafe fn(NonNull<Header>),
}

/// What a task does.
pub(crate) trait Work: Sized {
    /// What it results in.
    type Output;

    /// Runs, and settles the task, now or later. The caller catches no panic: settling with it is
    /// the work's own affair.
    fn run(self, running: Running<Self>) -> Ran;
}

pub(super) enum Stage<W: Work> {
    Work(W),
    Result(Result<W::Output, JoinError>),
    Empty,
}

#[repr(C)]
pub(super) struct Cell<W: Work> {
    header: Header,
    stage: UnsafeCell<Stage<W>>,
}

impl<W: Work> Cell<W> {
    const VTABLE: VTable = VTable {
        run: run::<W>,
        fail: fail::<W>,
        drop_work: drop_work::<W>,
        take: take::<W>,
        drop_result: drop_result::<W>,
        free: free::<W>,
    };

    /// # Safety
    ///
    /// `header` begins a live `Cell<W>`.
    unsafe fn stage<'a>(header: NonNull<Header>) -> &'a UnsafeCell<Stage<W>> {
        // SAFETY: the caller's word; `Cell` is `repr(C)` with the header first, and the pointer was
        // made from the whole cell, so it may reach past the header. The reference is used by the
        // functions below only while they hold a task reference. It is to an `UnsafeCell`, so it
        // may coexist with others.
        unsafe { &(*header.as_ptr().cast::<Cell<W>>()).stage }
    }

    /// Whether it holds anything, beyond what is in every cell.
    fn has_to_drop(&mut self) -> bool {
        let is_bare = self.header.is_bare();
        let is_empty = self.stage.with_mut(|stage| {
            // SAFETY: the cell is borrowed mutably.
            matches!(unsafe { &*stage }, Stage::Empty)
        });
        !is_bare || !is_empty && mem::needs_drop::<Stage<W>>()
    }

    /// # Safety
    ///
    /// As for `stage`, and the caller owns the stage at present.
    pub(super) unsafe fn replace(header: NonNull<Header>, stage: Stage<W>) -> Stage<W> {
        // SAFETY: the caller's word.
        let place = unsafe { Self::stage(header) };
        place.with_mut(|place| {
            // SAFETY: the caller owns the stage, so nobody else reads or writes it meanwhile, and
            // it is initialized at all times.
            mem::replace(unsafe { &mut *place }, stage)
        })
    }
}

/// Makes a task with two references: the first is the queue's, the second the handle's. `guarded`:
/// it has an extra that has to be looked at before it starts.
#[inline]
pub(crate) fn new<W: Work>(
    work: W,
    meta: Meta,
    submitted: u64,
    guarded: bool,
) -> (TaskRef, TaskRef) {
    let memory = allocate::<Cell<W>>();
    let cell = Cell {
        header: Header::new(const { &Cell::<W>::VTABLE }, meta, submitted, guarded),
        stage: UnsafeCell::new(Stage::Work(work)),
    };
    // SAFETY: it was allocated for a `Cell<W>` just now.
    unsafe { memory.write(cell) };
    let header = memory.cast::<Header>();
    (TaskRef(header), TaskRef(header))
}

/// # Safety
///
/// `header` begins a live `Cell<W>`, whose phase the caller moved from `QUEUED` to `RUNNING`. The
/// caller's reference goes over to this call. `sole`: it was the only one then.
unsafe fn run<W: Work>(header: NonNull<Header>, sole: bool) -> Ran {
    // SAFETY: who moved the phase out of `QUEUED` owns the work, which is in the stage.
    let stage = unsafe { Cell::<W>::replace(header, Stage::Empty) };
    let Stage::Work(work) = stage else {
        unreachable!("a task that starts has its work")
    };
    let running = Running {
        task: TaskRef(header),
        sole,
        work: PhantomData,
    };
    // Only now that the work is out of the stage: from here on a deadline may put a result there.
    #[cfg(not(cenote_loom))]
    if let Some(extra) = running.task().header().extra() {
        extra.started(running.task());
    }
    work.run(running)
}

/// Settles with an error.
///
/// # Safety
///
/// `header` begins a live `Cell<W>`; the caller moved its phase to `SETTLING`, and the work is gone
/// from the stage. The caller's reference goes over to this call.
unsafe fn fail<W: Work>(header: NonNull<Header>, error: JoinError) {
    // SAFETY: who moved the phase to `SETTLING` owns the result; the reference is passed on.
    unsafe { settle::<W>(header, Err(error), false) };
}

/// # Safety
///
/// As for [`fail`], except that the phase may also be `RUNNING` if nobody but the caller may
/// settle. `sole`: there is probably no other reference.
pub(super) unsafe fn settle<W: Work>(
    header: NonNull<Header>,
    result: Result<W::Output, JoinError>,
    sole: bool,
) {
    if sole {
        let task = TaskRef(header);
        if task.header().state.is_sole() {
            // Nobody can ask for it, or look at the state.
            return drop_quietly(result);
        }
        mem::forget(task);
    }
    // SAFETY: the caller owns the stage.
    let before = unsafe { Cell::<W>::replace(header, Stage::Result(result)) };
    debug_assert!(
        matches!(before, Stage::Empty),
        "settled twice, or with the work in place"
    );
    let task = TaskRef(header);
    match task.header().state.finish() {
        // The reference went with the step: the cell may be gone already.
        Finish::Released => mem::forget(task),
        Finish::Wake(false) => drop(task),
        Finish::Wake(true) => {
            // SAFETY: `WAKER` was set when the phase became `DONE`.
            let waker = unsafe { task.take_waker() };
            drop(task);
            waker.into_iter().for_each(boundary::wake);
        }
        Finish::Unwanted | Finish::Sole => {
            // SAFETY: there is no handle, so the result is still the settler's.
            unsafe { drop_result::<W>(header) };
            drop(task);
        }
    }
}

/// # Safety
///
/// `header` begins a live `Cell<W>` that was settled before it started, and the caller has the
/// queue's reference to it.
unsafe fn drop_work<W: Work>(header: NonNull<Header>) {
    // SAFETY: the work of a task that never starts is that of the queue's reference.
    let work = unsafe { Cell::<W>::replace(header, Stage::Empty) };
    drop_quietly(work);
}

/// Writes `Some(result)` to `into`, an `Option<Result<W::Output, JoinError>>`; or `None` if it was
/// taken.
///
/// # Safety
///
/// `header` begins a live `Cell<W>` in phase `DONE`, the caller has its handle, and `into` is valid
/// and of that type.
unsafe fn take<W: Work>(header: NonNull<Header>, into: *mut ()) {
    // SAFETY: after `DONE` the result is the handle's.
    let stage = unsafe { Cell::<W>::replace(header, Stage::Empty) };
    let result = match stage {
        Stage::Result(result) => Some(result),
        _ => None,
    };
    // SAFETY: the caller's word on type and validity.
    unsafe { *into.cast::<Option<Result<W::Output, JoinError>>>() = result };
}

/// # Safety
///
/// `header` begins a live `Cell<W>` in phase `DONE`, and the caller owns the result.
unsafe fn drop_result<W: Work>(header: NonNull<Header>) {
    // SAFETY: the caller's word.
    let result = unsafe { Cell::<W>::replace(header, Stage::Empty) };
    drop_quietly(result);
}

/// # Safety
///
/// `header` begins a `Cell<W>` that nobody else has a reference to any more.
unsafe fn free<W: Work>(header: NonNull<Header>) {
    let memory = header.cast::<Cell<W>>();
    // SAFETY: `new` wrote it, and the last reference is gone: it is the caller's alone.
    let cell = unsafe { &mut *memory.as_ptr() };
    if cell.has_to_drop() {
        // SAFETY: it is read once, and its memory given back below.
        drop_quietly(unsafe { memory.read() });
    }
    // SAFETY: `new` allocated it as a `Cell<W>`; what was in it is dropped.
    unsafe { give_back(memory) };
}

/// Fetches the memory of a task that another thread has written. Does nothing where there is no
/// instruction for it.
#[inline]
pub(crate) fn prefetch(header: NonNull<Header>) {
    #[cfg(all(target_arch = "x86_64", not(cenote_loom), not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = header.as_ptr().cast::<i8>();
        // SAFETY: a prefetch changes nothing and cannot fault, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start) };
        // The header and what follows take two lines.
        // SAFETY: as above.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(64)) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(cenote_loom), not(miri))))]
    let _ = header;
}

/// The model's allocator.
#[cfg(cenote_loom)]
fn allocate<T>() -> NonNull<T> {
    NonNull::from(Box::leak(Box::<T>::new_uninit())).cast()
}

/// # Safety
///
/// `memory` came from `allocate::<T>`, and what was in it is dropped.
#[cfg(cenote_loom)]
unsafe fn give_back<T>(memory: NonNull<T>) {
    // SAFETY: `allocate` made it as a box of this type.
    drop(unsafe { Box::from_raw(memory.as_ptr().cast::<mem::MaybeUninit<T>>()) });
}
