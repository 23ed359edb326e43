//! The three libuv handles of a station, and their end.
//!
//! - *prepare* runs when the loop is about to poll, and calls [`Owner::before_poll`].
//! - *check* runs after the poll, and calls [`Owner::after_poll`].
//! - *bell*, an async handle, makes a poll return when it is rung, and does nothing else. It alone
//!   may hold the loop open.
//!
//! What this file guarantees: **libuv never sees memory that was freed.** From its initialisation
//! to its close callback a handle's memory belongs to libuv. Whoever owns the handles hears of the
//! last close callback by [`Owner::closed`], and may free them then; handles that are dropped any
//! earlier leave their memory behind, which costs bytes and breaks nothing.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::uv::{HandleCallback, UV_ASYNC, UV_CHECK, UV_PREPARE, Uv, UvHandle, UvLoop, uv};

/// What the handles belong to. libuv calls it on the loop's own thread.
pub(crate) trait Owner {
    /// The owner's handles.
    fn handles(&self) -> &Handles<Self>
    where
        Self: Sized;

    /// The loop is about to poll.
    fn before_poll(&self);

    /// The loop's poll has returned.
    fn after_poll(&self);

    /// libuv has closed all three handles and calls nothing here any more.
    ///
    /// # Safety
    ///
    /// Called once, with the pointer that was given to [`Handles::start`].
    unsafe fn closed(this: *const Self);
}

/// Memory for one handle. Only libuv knows what is in it.
struct Memory(NonNull<[u64]>);

impl Memory {
    fn allocate(uv: &Uv, kind: c_int) -> Self {
        // SAFETY: a plain look-up in libuv, for a kind it has had since 1.0.
        let bytes = unsafe { (uv.handle_size)(kind) };
        let words = vec![0u64; bytes.div_ceil(8)].into_boxed_slice();
        Self(NonNull::from(Box::leak(words)))
    }

    fn raw(&self) -> *mut UvHandle {
        self.0.as_ptr().cast()
    }

    /// # Safety
    ///
    /// Called once, when libuv does not have this memory: not yet, or no more.
    unsafe fn free(&self) {
        // SAFETY: made by `Box::leak` in `allocate`, and freed once by the caller's contract.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// The handles of one `O`. See the module's documentation.
pub(crate) struct Handles<O: Owner> {
    uv: &'static Uv,
    prepare: Memory,
    check: Memory,
    bell: Memory,
    /// Handles that libuv has: initialised, and their close callback is still to come.
    open: Cell<u8>,
    owner: PhantomData<*const O>,
}

impl<O: Owner> Handles<O> {
    /// Initialises the handles on a loop. On an error, libuv's, nothing is left behind.
    ///
    /// # Safety
    ///
    /// `event_loop` is this thread's, alive, and stays so until the handles are closed.
    pub(crate) unsafe fn open(uv: &'static Uv, event_loop: *mut UvLoop) -> Result<Self, c_int> {
        let handles = Self {
            uv,
            prepare: Memory::allocate(uv, UV_PREPARE),
            check: Memory::allocate(uv, UV_CHECK),
            bell: Memory::allocate(uv, UV_ASYNC),
            open: Cell::new(0),
            owner: PhantomData,
        };
        // The async handle is the only one that can be refused (it may need a descriptor), so it
        // goes first: then there is no other to close.
        // SAFETY: the memory has the size that libuv asked for, and the loop is this thread's.
        let status = unsafe { (uv.async_init)(event_loop, handles.bell.raw(), on_ring) };
        if status != 0 {
            return Err(status);
        }
        handles.open.set(3);
        // SAFETY: memory of the right size and this thread's loop; this cannot fail.
        unsafe { (uv.prepare_init)(event_loop, handles.prepare.raw()) };
        // SAFETY: as above.
        unsafe { (uv.check_init)(event_loop, handles.check.raw()) };
        Ok(handles)
    }

    /// Starts to call the owner. None of the handles holds the loop open yet.
    ///
    /// # Safety
    ///
    /// `owner` has these handles, and lives until [`Owner::closed`]. Called once.
    pub(crate) unsafe fn start(&self, owner: *const O) {
        for handle in self.all() {
            // SAFETY: an initialised handle. The pointer is only ever read as a shared reference.
            unsafe { (self.uv.handle_set_data)(handle, owner.cast_mut().cast()) };
        }
        let start: [(_, _, HandleCallback); 2] = [
            (self.uv.prepare_start, &self.prepare, on_prepare::<O>),
            (self.uv.check_start, &self.check, on_check::<O>),
        ];
        for (start, handle, callback) in start {
            // SAFETY: an initialised handle; a start with a callback cannot fail.
            unsafe { start(handle.raw(), callback) };
        }
        for handle in self.all() {
            // SAFETY: an initialised handle.
            unsafe { (self.uv.unreference)(handle) };
        }
    }

    /// The handle that a waker rings. Initialised until [`close`](Self::close) is called.
    pub(crate) fn bell(&self) -> *mut UvHandle {
        self.bell.raw()
    }

    /// The bell holds the loop open.
    pub(crate) fn reference(&self) {
        // SAFETY: a handle that libuv has; on one that is closing this changes nothing.
        unsafe { (self.uv.reference)(self.bell.raw()) };
    }

    /// The bell holds the loop open no more.
    pub(crate) fn unreference(&self) {
        // SAFETY: as in `reference`.
        unsafe { (self.uv.unreference)(self.bell.raw()) };
    }

    /// Closes all three. [`Owner::closed`] follows in a coming turn of the loop.
    ///
    /// # Safety
    ///
    /// After `start`, once, on the loop's thread, and no thread rings the bell any more.
    pub(crate) unsafe fn close(&self) {
        for handle in self.all() {
            // SAFETY: an initialised handle on its own thread, closed once.
            unsafe { (self.uv.close)(handle, on_closed::<O>) };
        }
    }

    fn all(&self) -> [*mut UvHandle; 3] {
        [self.prepare.raw(), self.check.raw(), self.bell.raw()]
    }
}

impl<O: Owner> Drop for Handles<O> {
    fn drop(&mut self) {
        if self.open.get() > 0 {
            // libuv has them still: what is never freed is never used after it was freed.
            return;
        }
        for memory in [&self.prepare, &self.check, &self.bell] {
            // SAFETY: libuv has none of them, and this is their only owner's end.
            unsafe { memory.free() };
        }
    }
}

/// The owner of a handle, by the data pointer that `start` set.
///
/// # Safety
///
/// `handle` is one of the handles of an `O`, started, whose close callbacks have not all run.
unsafe fn owner_of<O: Owner>(handle: *mut UvHandle) -> Option<*const O> {
    let uv = uv()?;
    // SAFETY: the caller's contract.
    let owner: *mut c_void = unsafe { (uv.handle_get_data)(handle) };
    (!owner.is_null()).then_some(owner.cast_const().cast())
}

unsafe extern "C" fn on_prepare<O: Owner>(handle: *mut UvHandle) {
    // SAFETY: libuv calls it for a started handle that is not closing.
    let owner = unsafe { owner_of::<O>(handle) };
    // SAFETY: `start`'s contract: the owner lives until all its handles are closed.
    if let Some(owner) = owner.map(|owner| unsafe { &*owner }) {
        owner.before_poll();
    }
}

unsafe extern "C" fn on_check<O: Owner>(handle: *mut UvHandle) {
    // SAFETY: as in `on_prepare`.
    let owner = unsafe { owner_of::<O>(handle) };
    // SAFETY: as in `on_prepare`.
    if let Some(owner) = owner.map(|owner| unsafe { &*owner }) {
        owner.after_poll();
    }
}

/// The ring itself does nothing: that the poll returned is all that was wanted.
unsafe extern "C" fn on_ring(_handle: *mut UvHandle) {}

unsafe extern "C" fn on_closed<O: Owner>(handle: *mut UvHandle) {
    // SAFETY: libuv calls it once for each of the three; the owner lives until the third.
    let Some(owner) = (unsafe { owner_of::<O>(handle) }) else {
        return;
    };
    // SAFETY: as above. The borrow ends before `closed` is called, which may free the owner.
    let open = unsafe { &*owner }.handles().open.get() - 1;
    // SAFETY: as above.
    unsafe { &*owner }.handles().open.set(open);
    if open == 0 {
        // SAFETY: the pointer that `start` was given, and this is the last callback.
        unsafe { O::closed(owner) };
    }
}
