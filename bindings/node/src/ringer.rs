//! Ringing a loop from any thread, by number.
//!
//! A waker knows another thread's loop only by the number that crossed in a message. The table here
//! turns it into a ring, and guarantees that **a ring never touches a handle that is closing**: the
//! handle lies behind a lock, and closing takes it out under that lock before `uv_close` is called.
//! Numbers are never used twice, so a late ring for a loop that is gone does nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use cenote_park::Driver;
use parking_lot::{Mutex, RwLock};

use crate::uv::{UvHandle, uv};

/// The async handle of one loop, or `None` once it began to close.
pub(crate) struct Ringer {
    handle: Mutex<Option<AsyncHandle>>,
    /// When it was last rung by another thread.
    rung_at: Mutex<Option<Instant>>,
}

struct AsyncHandle(*mut UvHandle);

// SAFETY: `uv_async_send` is the one libuv call that is safe from any thread, and the only one made
// through this pointer; the mutex around it keeps the handle from being closed meanwhile.
unsafe impl Send for AsyncHandle {}

impl Ringer {
    /// # Safety
    ///
    /// `handle` is an initialised `uv_async_t` that stays so until [`Ringer::silence`] returned.
    pub(crate) unsafe fn new(handle: *mut UvHandle) -> Self {
        Self {
            handle: Mutex::new(Some(AsyncHandle(handle))),
            rung_at: Mutex::new(None),
        }
    }

    /// Ends all ringing. When this returns no thread is in, or will enter, `uv_async_send`.
    pub(crate) fn silence(&self) {
        self.handle.lock().take();
    }
}

impl Ringer {
    /// When the ring came that ended the last sleep; `None` if none came since the last call.
    pub(crate) fn take_rung_at(&self) -> Option<Instant> {
        self.rung_at.lock().take()
    }
}

impl Driver for Ringer {
    fn ring(&self) {
        let handle = self.handle.lock();
        if let (Some(handle), Some(uv)) = (handle.as_ref(), uv()) {
            // SAFETY: `new`'s contract: the handle is initialised and not closing while it is in
            // the mutex, which is held here. The result is 0 for every such handle.
            unsafe { (uv.async_send)(handle.0) };
        }
    }
}

fn table() -> &'static RwLock<HashMap<u32, Arc<Ringer>>> {
    static TABLE: std::sync::OnceLock<RwLock<HashMap<u32, Arc<Ringer>>>> =
        std::sync::OnceLock::new();
    TABLE.get_or_init(Default::default)
}

/// Enters a ringer and gives the number that other threads ring it by.
pub(crate) fn enter(ringer: Arc<Ringer>) -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    table().write().insert(number, ringer);
    number
}

/// Removes a ringer; later rings by its number do nothing.
pub(crate) fn remove(number: u32) {
    table().write().remove(&number);
}

/// Rings the loop with this number, if it is still there.
pub(crate) fn ring(number: u32) {
    // The table's lock is let go before the ring: a closing loop waits for its own ring only.
    let ringer = table().read().get(&number).cloned();
    if let Some(ringer) = ringer {
        // Before the ring: the loop reads it when it is awake.
        *ringer.rung_at.lock() = Some(Instant::now());
        ringer.ring();
    }
}

/// How many loops can be rung now.
pub(crate) fn count() -> usize {
    table().read().len()
}
