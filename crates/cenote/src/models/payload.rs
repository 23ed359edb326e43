//! Work and results that notice what goes wrong with them.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use loom::cell::UnsafeCell;

use crate::task::cell::{self, Kind, Meta, Ran, Running, TaskRef, Work};
use crate::task::joiner::Joiner;

/// What happened in one execution. Plain atomics: the checker does not see them, so they order
/// nothing and cost no interleavings.
#[derive(Default)]
pub(super) struct Ledger {
    made: AtomicUsize,
    runs: AtomicUsize,
}

impl Ledger {
    /// So many tasks were run.
    pub(super) fn assert_runs(&self, runs: usize) {
        assert_eq!(
            self.runs.load(SeqCst),
            runs,
            "tasks were lost, or run twice"
        );
    }
}

thread_local! {
    // All threads of a model are one thread of the system.
    /// What is tracked and not dropped yet.
    static LIVE: Cell<usize> = const { Cell::new(0) };
    /// A use is under way. It stays so if the checker's complaint about it was caught, as that of a
    /// destructor is.
    static IN_USE: Cell<bool> = const { Cell::new(false) };
}

/// At the start of an execution.
pub(super) fn begin() {
    LIVE.set(0);
    IN_USE.set(false);
}

/// At the end of an execution.
pub(super) fn end() {
    assert!(!IN_USE.get(), "two uses of a value were not ordered");
    assert_eq!(live(), 0, "a work, a result or a waker was never dropped");
}

/// Works, results and wakers that are not dropped yet.
pub(super) fn live() -> usize {
    LIVE.get()
}

/// A value that is made on one thread and used on others. Each use has to be ordered after the one
/// before, or the checker says so.
pub(super) struct Tracked {
    cell: UnsafeCell<()>,
}

// SAFETY: there is nothing in it but the checker's own record, and the checker runs one thread at a
// time.
unsafe impl Sync for Tracked {}

impl Tracked {
    pub(super) fn new() -> Self {
        LIVE.set(LIVE.get() + 1);
        let tracked = Tracked {
            cell: UnsafeCell::new(()),
        };
        tracked.touch();
        tracked
    }

    pub(super) fn touch(&self) {
        let before = IN_USE.replace(true);
        self.cell.with_mut(|_| ());
        IN_USE.set(before);
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.touch();
        }
        LIVE.set(LIVE.get() - 1);
    }
}

/// What a task does while it runs.
pub(super) type Act = Arc<dyn Fn() + Send + Sync>;

/// A closure's stand-in: counts its runs, and results in a new tracked value.
#[repr(align(1024))]
pub(super) struct Job {
    input: Tracked,
    ledger: Arc<Ledger>,
    act: Option<Act>,
}

const _: () = assert!(align_of::<Job>() == super::memory::ALIGN);

impl Work for Job {
    type Output = Tracked;

    fn run(self, running: Running<Self>) -> Ran {
        self.input.touch();
        self.ledger.runs.fetch_add(1, SeqCst);
        if let Some(act) = &self.act {
            act();
        }
        drop(self);
        Ran::Settled(running.settle(Ok(Tracked::new())))
    }
}

/// What a task is, as far as the models differ in it.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) lane: u16,
    pub(super) kind: Kind,
    pub(super) may_settle_early: bool,
}

pub(super) const CLOSURE: Shape = Shape {
    lane: 0,
    kind: Kind::Closure,
    may_settle_early: false,
};

pub(super) const LOCAL: Shape = Shape {
    kind: Kind::Local,
    ..CLOSURE
};

/// A task, and its handle.
pub(super) fn task(
    ledger: &Arc<Ledger>,
    shape: Shape,
    act: Option<Act>,
) -> (TaskRef, Joiner<Tracked>) {
    let submitted = ledger.made.fetch_add(1, SeqCst);
    let job = Job {
        input: Tracked::new(),
        ledger: Arc::clone(ledger),
        act,
    };
    let meta = Meta {
        pool: 0,
        lane: shape.lane,
        band: 0,
        kind: shape.kind,
        may_settle_early: shape.may_settle_early,
    };
    let (task, second) = cell::new(job, meta, submitted as u64, false);
    // SAFETY: it is the second of the two, and the output of a `Job` is a `Tracked`.
    (task, unsafe { Joiner::new(second) })
}
