//! The operating system's threads of a pool, and those of its workers' runtimes: so that whoever
//! waits for the end of the pool can wait for theirs. A thread's last steps, the destructors of its
//! thread-locals, come after everything that the pool does on it.
//!
//! A thread that ends hands its own join handle over; it is joined elsewhere, and counts as
//! [leaving](Threads::leaving) until then.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use crate::engine::bell::Bell;
use crate::sync::Mutex;
use crate::timer;

/// See the module.
pub(crate) struct Threads(Arc<Counts>);

struct Counts {
    /// The handles of those that run, by seat.
    running: Mutex<Box<[Option<JoinHandle<()>>]>>,
    /// Threads that have left the pool, and have not ended.
    leaving: AtomicUsize,
    /// Threads of the workers' runtimes, for blocking calls.
    blocking: AtomicUsize,
    /// Told when one of the two counts comes to 0.
    ended: Arc<Bell>,
}

impl Threads {
    pub(crate) fn new(seats: usize, ended: Arc<Bell>) -> Self {
        Threads(Arc::new(Counts {
            running: Mutex::new((0..seats).map(|_| None).collect()),
            leaving: AtomicUsize::new(0),
            blocking: AtomicUsize::new(0),
            ended,
        }))
    }

    /// Starts the thread of a seat.
    pub(crate) fn start(
        &self,
        seat: usize,
        builder: thread::Builder,
        main: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        // The lock is held for as long as that takes, so that a thread that ends at once finds its
        // handle.
        let mut running = self.0.running.lock();
        running[seat] = Some(builder.spawn(main)?);
        Ok(())
    }

    /// The thread of a seat is about to leave the pool, and to end. To be called by itself, before
    /// the pool forgets it.
    pub(crate) fn leaves(&self, seat: usize) {
        let Some(handle) = self.0.running.lock()[seat].take() else {
            return;
        };
        // Relaxed: the step by which the pool forgets the thread releases it.
        self.0.leaving.fetch_add(1, Ordering::Relaxed);
        let counts = Arc::clone(&self.0);
        timer::elsewhere(Box::new(move || {
            // Where no helper could be started, this is the thread itself.
            if handle.thread().id() != thread::current().id() {
                // It has told of its panic.
                drop(handle.join());
            }
            counts.one_less(&counts.leaving);
        }));
    }

    /// A runtime's thread for blocking calls has started. What is returned is to be called by that
    /// thread when it ends.
    pub(crate) fn for_runtime(&self) -> (impl Fn() + use<>, impl Fn() + use<>) {
        let (started, stopped) = (Arc::clone(&self.0), Arc::clone(&self.0));
        (
            move || {
                started.blocking.fetch_add(1, Ordering::Relaxed);
            },
            move || stopped.one_less(&stopped.blocking),
        )
    }

    /// Threads that have left the pool, and have not ended.
    pub(crate) fn leaving(&self) -> usize {
        // Acquire: what a thread did to its end is visible to whoever finds it gone.
        self.0.leaving.load(Ordering::Acquire)
    }

    /// Threads of the workers' runtimes.
    pub(crate) fn blocking(&self) -> usize {
        self.0.blocking.load(Ordering::Acquire)
    }
}

impl Counts {
    fn one_less(&self, count: &AtomicUsize) {
        // Release: pairs with the loads above.
        if count.fetch_sub(1, Ordering::Release) == 1 {
            self.ended.tell_all();
        }
    }
}
