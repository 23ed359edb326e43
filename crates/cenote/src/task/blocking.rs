//! How a thread that is no worker waits for something: spin, then park on a futex, by the one
//! policy.
//!
//! Each thread that ever waits has one wait word, made on first use. While it waits it counts among
//! the process's participants; at all other times it does not, since nobody knows what it does.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use cenote_park::{Spin, SpinRequest, Unparker, WaitWord, Waiter};

/// Pauses before the first look: some 100 ns, less than any hand-off takes.
const FIRST_PAUSES: u32 = 4;

/// This thread's side of waiting.
struct Caller {
    waiter: Waiter<Arc<WaitWord>>,
    max_spin: Duration,
    waker: Waker,
}

struct ThreadWaker(Unparker<Arc<WaitWord>, ()>);

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

impl Caller {
    fn new(max_spin: Duration) -> Self {
        let word = Arc::new(WaitWord::new());
        let mut waiter = Waiter::new(Arc::clone(&word), max_spin);
        waiter.step_out();
        Caller {
            waiter,
            max_spin,
            waker: Waker::from(Arc::new(ThreadWaker(Unparker::new(word, ())))),
        }
    }
}

thread_local! {
    static CALLER: RefCell<Option<Caller>> = const { RefCell::new(None) };
}

/// Runs a future to its end on this thread, which sleeps while that waits.
pub(crate) fn block_on<F: Future>(max_spin: Duration, future: F) -> F::Output {
    let mut future = pin!(future);
    // One of its own: the future may make the thread wait by the usual one.
    let mut caller = Caller::new(max_spin);
    loop {
        // What was published before this poll is seen by it.
        caller.waiter.take();
        let mut context = Context::from_waker(&caller.waker);
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        if caller.waiter.spin(&SpinRequest::default(), || false) != Spin::Hit {
            caller.waiter.park_futex(None, || false);
        }
    }
}

/// What a thread waits for.
pub(crate) trait Awaited {
    /// Whether it is there. Polled all the time during the spin.
    fn is_ready(&self) -> bool;

    /// Leaves `waker` with whoever makes it ready, who wakes it *after* `is_ready` has become true.
    /// False: it is ready already. Called once in a wait, and only if the spin was in vain.
    fn register(&mut self, waker: &Waker) -> bool;
}

/// Waits until `awaited` is ready, or until `deadline`; returns whether it is ready.
pub(crate) fn wait(
    max_spin: Duration,
    deadline: Option<Instant>,
    awaited: &mut impl Awaited,
) -> bool {
    // Taken out while it waits: a waker or a destructor that waits itself finds none, and makes its
    // own.
    let caller = CALLER
        .try_with(|place| {
            place
                .try_borrow_mut()
                .ok()
                .and_then(|mut place| place.take())
        })
        .ok()
        .flatten();
    let mut caller = caller.unwrap_or_else(|| Caller::new(max_spin));
    if caller.max_spin != max_spin {
        caller.waiter.set_max_spin(max_spin);
        caller.max_spin = max_spin;
    }
    let done = caller.wait(deadline, awaited);
    caller.waiter.step_out();
    // At the end of the thread there is no place for it any more: then it is dropped.
    let _ = CALLER.try_with(|place| {
        if let Ok(mut place) = place.try_borrow_mut() {
            *place = Some(caller);
        }
    });
    done
}

impl Caller {
    fn wait(&mut self, deadline: Option<Instant>, awaited: &mut impl Awaited) -> bool {
        // What came for an earlier wait is no news.
        self.waiter.take();
        // Whoever makes it ready is about to write to the very cache line that is looked at here: a
        // look now would only take it away from them.
        for _ in 0..FIRST_PAUSES {
            std::hint::spin_loop();
        }
        let request = SpinRequest {
            until: deadline,
            ..SpinRequest::default()
        };
        let spin = self
            .waiter
            .spin_on(&request, || awaited.is_ready(), || false);
        if spin == Spin::Hit && awaited.is_ready() {
            return true;
        }
        if !awaited.register(&self.waker) {
            return true;
        }
        loop {
            self.waiter.park_futex(deadline, || awaited.is_ready());
            self.waiter.take();
            if awaited.is_ready() {
                return true;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return false;
            }
        }
    }
}
