//! Wakers that notice a missing order between threads, and that are counted like all that is
//! tracked.

use std::sync::Arc;
use std::task::{RawWaker, RawWakerVTable, Waker};

use loom::sync::Notify;

use super::payload::Tracked;

struct Flagged {
    // Not the checker's `Arc`: its count would order what the task has to.
    notify: Arc<Notify>,
    tracked: Tracked,
}

/// A waker that notifies.
pub(super) fn waker(notify: &Arc<Notify>) -> Waker {
    let flagged = Box::new(Flagged {
        notify: Arc::clone(notify),
        tracked: Tracked::new(),
    });
    // SAFETY: the functions of the table keep the contract of `RawWaker`: each pointer is one box
    // of its own.
    unsafe { Waker::from_raw(RawWaker::new(Box::into_raw(flagged).cast(), &TABLE)) }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, free);

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: `data` is a box of `waker`'s or this function's, and alive.
    let flagged = unsafe { &*data.cast::<Flagged>() };
    let clone = waker(&flagged.notify);
    let (data, table) = (clone.data(), clone.vtable());
    std::mem::forget(clone);
    RawWaker::new(data, table)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: as above; the waker is used up.
    let flagged = unsafe { Box::from_raw(data.cast_mut().cast::<Flagged>()) };
    flagged.tracked.touch();
    flagged.notify.notify();
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: as in `clone`.
    let flagged = unsafe { &*data.cast::<Flagged>() };
    flagged.notify.notify();
}

unsafe fn free(data: *const ()) {
    // SAFETY: as in `wake`.
    drop(unsafe { Box::from_raw(data.cast_mut().cast::<Flagged>()) });
}
