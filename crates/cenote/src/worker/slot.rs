//! What the rest of the process sees of a seat: its figures, its tokens, its name.
//!
//! A slot outlives the threads that take it one after another. At any time one thread, the worker,
//! writes to its figures; everybody reads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::sync::Mutex;
use cenote_park::{StageSnapshot, StageStats};
use tokio_util::sync::CancellationToken;

use crate::stats::WorkerRecorder;
use crate::task::boundary;
use crate::task::cell::Header;

/// See the module.
pub(crate) struct Slot {
    pub(crate) recorder: WorkerRecorder,
    /// Tokens of the tasks that run and have asked for theirs, for the shutdown. By the address of
    /// the task, which is its own as long as it runs.
    tokens: Mutex<Vec<(usize, CancellationToken)>>,
    /// One more than the lane of the closure that runs.
    pub(crate) lane: AtomicU32,
    /// Futures of tasks that live on the worker, by lane.
    pub(crate) locals: Box<[AtomicU32]>,
    /// Futures that no task waits for.
    pub(crate) background: AtomicUsize,
    /// A task is settled, or about to be, and not recorded yet.
    record_due: AtomicBool,
    /// The stages of the present worker, and the sum of those before it.
    stages: Mutex<(Option<Arc<StageStats>>, StageSnapshot)>,
    pub(crate) name: Mutex<String>,
}

impl Slot {
    pub(crate) fn new(lanes: usize) -> Self {
        Slot {
            recorder: WorkerRecorder::new(lanes),
            tokens: Mutex::new(Vec::new()),
            lane: AtomicU32::new(0),
            locals: (0..lanes).map(|_| AtomicU32::new(0)).collect(),
            background: AtomicUsize::new(0),
            record_due: AtomicBool::new(false),
            stages: Mutex::new((None, StageSnapshot::default())),
            name: Mutex::new(String::new()),
        }
    }

    pub(crate) fn record_is_due(&self) {
        // Relaxed: the release of the settled task, which follows, carries it.
        self.record_due.store(true, Ordering::Relaxed);
    }

    pub(crate) fn record_is_done(&self) {
        // Release: pairs with `wait_for_record`, which then sees the record.
        self.record_due.store(false, Ordering::Release);
    }

    /// Waits until the task that was settled last is recorded, which takes the worker less than a
    /// microsecond; but not for long, since it may have lost its CPU.
    pub(crate) fn wait_for_record(&self) {
        let patience = Instant::now() + Duration::from_millis(5);
        // Acquire: pairs with `record_is_done`.
        while self.record_due.load(Ordering::Acquire) && Instant::now() < patience {
            thread::yield_now();
        }
    }

    /// The task's token is cancelled if the pool is shut down before the task ends.
    pub(crate) fn watch(&self, task: &Header, token: &CancellationToken) {
        let address = std::ptr::from_ref(task).addr();
        self.tokens.lock().push((address, token.clone()));
    }

    /// The task has ended. It has asked for its token.
    #[cold]
    pub(crate) fn forget_token(&self, task: &Header) {
        let address = std::ptr::from_ref(task).addr();
        let mut tokens = self.tokens.lock();
        let place = tokens.iter().position(|(of, _)| *of == address);
        let token = place.map(|place| tokens.swap_remove(place));
        drop(tokens);
        drop(token);
    }

    pub(crate) fn cancel_tokens(&self) {
        let tokens = self.tokens.lock().clone();
        for (_, token) in tokens {
            // Whoever waits for it is woken here.
            drop(boundary::of_nobody(|| token.cancel()));
        }
    }

    /// A new worker has taken the slot, or, with `None`, the last one has left.
    pub(crate) fn set_stages(&self, stats: Option<Arc<StageStats>>) {
        let mut stages = self.stages.lock();
        if let Some(before) = stages.0.take() {
            let sum = sum(&stages.1, &before.snapshot());
            stages.1 = sum;
        }
        stages.0 = stats;
    }

    pub(crate) fn stages(&self) -> StageSnapshot {
        let stages = self.stages.lock();
        match &stages.0 {
            Some(now) => sum(&stages.1, &now.snapshot()),
            None => stages.1,
        }
    }
}

fn sum(a: &StageSnapshot, b: &StageSnapshot) -> StageSnapshot {
    StageSnapshot {
        spins: a.spins + b.spins,
        spin_hits: a.spin_hits + b.spin_hits,
        spin_misses: a.spin_misses + b.spin_misses,
        spin_yields: a.spin_yields + b.spin_yields,
        spin_dues: a.spin_dues + b.spin_dues,
        spin_skips: a.spin_skips + b.spin_skips,
        spin_nanos: a.spin_nanos + b.spin_nanos,
        budget_nanos: b.budget_nanos,
        parks_futex: a.parks_futex + b.parks_futex,
        parks_driver: a.parks_driver + b.parks_driver,
        retracts: a.retracts + b.retracts,
        wakes: a.wakes + b.wakes,
        spin_cuts: a.spin_cuts + b.spin_cuts,
    }
}
