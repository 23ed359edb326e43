//! The wait, inside a libuv loop.
//!
//! A [`Station`] is one loop's place in the wait protocol of `cenote-park`: a worker's loop, or the
//! loop of a thread that owns pools. It installs three handles:
//!
//! - *prepare* runs when the loop is about to poll. It drains what was published, spins for more,
//!   and at the end of the budget publishes `PARKED_DRIVER`, re-checks, and returns: libuv's own
//!   poll is the sleep.
//! - *check* runs after the poll and publishes `RUNNING`.
//! - *async* is what a waker rings when, and only when, it claimed the parked loop.
//!
//! What it guarantees to the loop's other users:
//!
//! - it never spins while the loop has something to do (`uv_backend_timeout` of 0, a timer that is
//!   due), looks at the loop's own readiness every few microseconds while it spins, and hands the
//!   thread over as soon as something is ready;
//! - it never lets the loop poll in a state in which a waker would not ring it, except after it
//!   rang itself;
//! - it leaves the loop to a full turn after `turn_budget` of drains, work or no work: it rings
//!   itself, so that the poll returns at once;
//! - an exception from the drain reaches `uncaughtException`;
//! - at the end of the environment all three handles are closed by an async cleanup hook.
//!
//! Aliasing: JavaScript called from a drain may call back into the same station, so every field is
//! a cell and no borrow of one is held across a call into JavaScript.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cenote_park::{Driver, Spin, SpinRequest, WaitWord, Waiter};
use napi::sys;

use crate::ringer::{self, Ringer};
use crate::uv::{HandleCallback, UV_ASYNC, UV_CHECK, UV_PREPARE, Uv, UvHandle, UvLoop};
use crate::words::Words;

/// How often a spinning loop looks at its own readiness. A look is a system call of about half a
/// microsecond, and P1 grants 10 µs in all.
const LOOK_EVERY: Duration = Duration::from_micros(8);

/// What a station is opened with.
pub(crate) struct Config {
    pub(crate) max_spin: Duration,
    pub(crate) turn_budget: Duration,
    /// Hold the loop open from the start (a worker), not only on demand (a pool's owner).
    pub(crate) referenced: bool,
}

/// A libuv handle in memory of our own. Freed when it is dropped, so it must be closed by then.
struct Handle(Box<[u64]>);

impl Handle {
    fn allocate(uv: &Uv, kind: c_int) -> Self {
        // SAFETY: a plain look-up in libuv, for a kind it has had since 1.0.
        let bytes = unsafe { (uv.handle_size)(kind) };
        Self(vec![0u64; bytes.div_ceil(8)].into_boxed_slice())
    }

    fn raw(&self) -> *mut UvHandle {
        self.0.as_ptr().cast_mut().cast()
    }
}

/// One loop's place in the wait protocol. See the module's documentation.
pub(crate) struct Station {
    uv: &'static Uv,
    event_loop: *mut UvLoop,
    env: sys::napi_env,
    prepare: Handle,
    check: Handle,
    bell: Handle,
    ringer: Arc<Ringer>,
    number: u32,
    words: Words,
    /// `None` once closing: its drop leaves the count of participating threads.
    waiter: RefCell<Option<Waiter<&'static WaitWord>>>,
    turn_budget: Cell<Duration>,
    /// Whether the async handle holds the loop open.
    referenced: Cell<bool>,
    closing: Cell<bool>,
    /// Handles whose close callback is still to come.
    open_handles: Cell<u8>,
    /// References that keep the words and the drain function alive, and the async context.
    words_ref: Cell<sys::napi_ref>,
    drain_ref: Cell<sys::napi_ref>,
    resource_ref: Cell<sys::napi_ref>,
    context: Cell<sys::napi_async_context>,
    cleanup: Cell<sys::napi_async_cleanup_hook_handle>,
}

/// The JavaScript values that a station holds on to.
pub(crate) struct Values {
    /// The typed array behind the words: referenced while native code can read them.
    pub(crate) words: sys::napi_value,
    /// Called without arguments when there is work.
    pub(crate) drain: sys::napi_value,
}

/// Why a station could not be opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// libuv refused a handle, with its error number.
    Uv(c_int),
    /// N-API refused a call.
    Napi(sys::napi_status),
}

fn napi_ok(status: sys::napi_status) -> Result<(), OpenError> {
    if status == sys::Status::napi_ok {
        Ok(())
    } else {
        Err(OpenError::Napi(status))
    }
}

impl Station {
    /// Installs a station on the environment's loop. It frees itself once it is closed, by
    /// [`Station::close`] or by the end of the environment.
    ///
    /// # Safety
    ///
    /// `env` is the environment of this thread, `event_loop` its loop, `words` lies in
    /// `values.words`, and all values are live in the current handle scope.
    pub(crate) unsafe fn open(
        uv: &'static Uv,
        env: sys::napi_env,
        event_loop: *mut UvLoop,
        words: Words,
        values: &Values,
        config: &Config,
    ) -> Result<*const Station, OpenError> {
        let prepare = Handle::allocate(uv, UV_PREPARE);
        let check = Handle::allocate(uv, UV_CHECK);
        let bell = Handle::allocate(uv, UV_ASYNC);
        // References first: they can fail without leaving a handle to close.
        let mut references = [ptr::null_mut(); 3];
        let mut resource = ptr::null_mut();
        // SAFETY: `env` is this thread's; the out-pointer is valid for the call.
        napi_ok(unsafe { sys::napi_create_object(env, &mut resource) })?;
        for (value, slot) in [values.words, values.drain, resource]
            .into_iter()
            .zip(&mut references)
        {
            // SAFETY: as above, and the value is live in this scope.
            napi_ok(unsafe { sys::napi_create_reference(env, value, 1, slot) })?;
        }
        let mut name = ptr::null_mut();
        let text = c"cenote";
        // SAFETY: as above; the text is 6 bytes of UTF-8.
        napi_ok(unsafe { sys::napi_create_string_utf8(env, text.as_ptr(), 6, &mut name) })?;
        let mut context = ptr::null_mut();
        // SAFETY: as above.
        napi_ok(unsafe { sys::napi_async_init(env, resource, name, &mut context) })?;

        // The async handle is the only init that can fail (it may need a descriptor), so it goes
        // first, and the ringer is made from it once it stands.
        // SAFETY: the memory has the size that libuv asked for, and the loop is this thread's.
        let status = unsafe { (uv.async_init)(event_loop, bell.raw(), on_ring) };
        if status != 0 {
            return Err(OpenError::Uv(status));
        }
        // SAFETY: just initialised; `close` silences the ringer before it closes the handle.
        let ringer = Arc::new(unsafe { Ringer::new(bell.raw()) });
        // SAFETY: memory of the right size and this thread's loop; these two cannot fail.
        unsafe { (uv.prepare_init)(event_loop, prepare.raw()) };
        // SAFETY: as above.
        unsafe { (uv.check_init)(event_loop, check.raw()) };

        let station = Box::into_raw(Box::new(Station {
            uv,
            event_loop,
            env,
            number: ringer::enter(Arc::clone(&ringer)),
            ringer,
            words,
            waiter: RefCell::new(Some(Waiter::new(words.wait_word(), config.max_spin))),
            turn_budget: Cell::new(config.turn_budget),
            referenced: Cell::new(config.referenced),
            closing: Cell::new(false),
            open_handles: Cell::new(3),
            words_ref: Cell::new(references[0]),
            drain_ref: Cell::new(references[1]),
            resource_ref: Cell::new(references[2]),
            context: Cell::new(context),
            cleanup: Cell::new(ptr::null_mut()),
            prepare,
            check,
            bell,
        }));
        // SAFETY: made one line above and freed only after its handles closed.
        let this = unsafe { &*station };
        this.words.set_referenced(config.referenced);
        for handle in [&this.prepare, &this.check, &this.bell] {
            // SAFETY: an initialised handle; the station outlives it (see `on_closed`).
            unsafe { (uv.handle_set_data)(handle.raw(), station.cast()) };
        }
        let start: [(_, _, HandleCallback); 2] = [
            (uv.prepare_start, &this.prepare, on_prepare),
            (uv.check_start, &this.check, on_check),
        ];
        for (start, handle, callback) in start {
            // SAFETY: an initialised handle; a start with a callback cannot fail.
            unsafe { start(handle.raw(), callback) };
            // SAFETY: as above. Neither handle may hold the loop open.
            unsafe { (uv.unreference)(handle.raw()) };
        }
        if !config.referenced {
            // SAFETY: as above.
            unsafe { (uv.unreference)(this.bell.raw()) };
        }
        let mut cleanup = ptr::null_mut();
        // SAFETY: the hook's argument lives until the hook ran or was removed (`on_closed`).
        let status = unsafe {
            sys::napi_add_async_cleanup_hook(
                env,
                Some(on_environment_end),
                station.cast(),
                &mut cleanup,
            )
        };
        this.cleanup.set(cleanup);
        if let Err(error) = napi_ok(status) {
            this.close();
            return Err(error);
        }
        Ok(station)
    }

    /// The number that other threads ring this loop by.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Changes what the station was opened with. On the loop's own thread.
    pub(crate) fn configure(&self, max_spin: Duration, turn_budget: Duration) {
        self.turn_budget.set(turn_budget);
        if let Some(waiter) = self.waiter.borrow_mut().as_mut() {
            waiter.set_max_spin(max_spin);
        }
    }

    /// Holds the loop open at once, before the next prepare would. On the loop's own thread.
    pub(crate) fn reference(&self) {
        if !self.closing.get() && !self.referenced.replace(true) {
            // SAFETY: an open handle on its own thread.
            unsafe { (self.uv.reference)(self.bell.raw()) };
            self.words.set_referenced(true);
        }
    }

    /// Begins to close. On the loop's own thread; a second call does nothing. The station frees
    /// itself when libuv has closed its handles.
    pub(crate) fn close(&self) {
        if self.closing.replace(true) {
            return;
        }
        ringer::remove(self.number);
        self.ringer.silence();
        // Counts this thread out, and with it goes the last look at the shared words.
        self.waiter.borrow_mut().take();
        for slot in [&self.words_ref, &self.drain_ref, &self.resource_ref] {
            // SAFETY: a reference made in `open`, on the environment's own thread, deleted once.
            unsafe { sys::napi_delete_reference(self.env, slot.replace(ptr::null_mut())) };
        }
        // SAFETY: made in `open`, destroyed once, on the environment's own thread.
        unsafe { sys::napi_async_destroy(self.env, self.context.replace(ptr::null_mut())) };
        for handle in [&self.prepare, &self.check, &self.bell] {
            // SAFETY: an initialised handle on its own thread, closed once.
            unsafe { (self.uv.close)(handle.raw(), on_closed) };
        }
    }

    /// The wait: everything between the loop's callbacks and its poll.
    fn before_poll(&self) {
        self.release_if_unwanted();
        let started = Instant::now();
        let mut spent = false;
        loop {
            let has_work = match self.waiter.borrow_mut().as_mut() {
                Some(waiter) => waiter.has_work(),
                None => return,
            };
            if has_work {
                let left = self.turn_budget.get().saturating_sub(started.elapsed());
                if spent && left.is_zero() {
                    // The loop gets its turn although there is work: the ring makes it a short one.
                    self.ringer.ring();
                    break;
                }
                spent = true;
                if !self.drain(left) {
                    return;
                }
                self.release_if_unwanted();
                continue;
            }
            // SAFETY: this thread's loop.
            let timeout = unsafe { (self.uv.backend_timeout)(self.event_loop) };
            // At 0 the loop has work of its own and nothing may delay it. It parks all the same:
            // what made the poll a short one may be gone by then, and a loop that blocks while its
            // state says RUNNING is never rung.
            if timeout != 0 {
                match self.spin(timeout) {
                    Spin::Hit => continue,
                    Spin::Interrupted => {
                        // Something is ready, or cannot be seen from here. The ring makes sure that
                        // the poll returns even if another process takes it away meanwhile; the
                        // rest of the spin is kept for the next turn.
                        self.ringer.ring();
                        spent = true;
                        break;
                    }
                    Spin::Missed => spent = true,
                    Spin::Skipped => {}
                }
            }
            let parked = match self.waiter.borrow_mut().as_mut() {
                Some(waiter) => waiter.park_driver(|| false),
                None => return,
            };
            if parked {
                self.words.expect_nothing();
                break;
            }
        }
        if spent {
            // The loop computes its poll timeout from a time that it read before all this.
            // SAFETY: this thread's loop.
            unsafe { (self.uv.update_time)(self.event_loop) };
        }
        self.publish_stages();
    }

    /// Spins as the policy allows. `timeout` is the loop's own, in ms, negative for none.
    fn spin(&self, timeout: c_int) -> Spin {
        let expected_us = self.words.expected_us();
        if expected_us < 0 {
            return Spin::Skipped;
        }
        let request = SpinRequest {
            expected: (expected_us > 0).then(|| Duration::from_micros(expected_us as u64)),
            until: (timeout > 0).then(|| self.next_timer(timeout)),
            check_every: LOOK_EVERY,
        };
        match self.waiter.borrow_mut().as_mut() {
            Some(waiter) => waiter.spin(&request, || self.readiness() != Readiness::Quiet),
            None => Spin::Skipped,
        }
    }

    /// When the loop's next timer is due. The loop counts in whole ms from a time it read earlier.
    fn next_timer(&self, timeout: c_int) -> Instant {
        // SAFETY: this thread's loop.
        let loop_now_ms = unsafe { (self.uv.now)(self.event_loop) };
        // SAFETY: reads a clock.
        let now_ns = unsafe { (self.uv.hrtime)() };
        let due_ns = (loop_now_ms + timeout.unsigned_abs() as u64) * 1_000_000;
        Instant::now() + Duration::from_nanos(due_ns.saturating_sub(now_ns))
    }

    /// Whether the loop's own descriptors have something for it.
    fn readiness(&self) -> Readiness {
        // SAFETY: this thread's loop.
        let descriptor = unsafe { (self.uv.backend_fd)(self.event_loop) };
        Readiness::of(descriptor)
    }

    /// Calls the drain function. `false`: this station is closing, or its environment ends.
    fn drain(&self, left: Duration) -> bool {
        if let Some(waiter) = self.waiter.borrow_mut().as_mut() {
            // Before the call: what is published during the drain is a new epoch.
            waiter.take();
        }
        let left_us = i32::try_from(left.as_micros()).unwrap_or(i32::MAX);
        self.words.set_turn_left_us(left_us);
        let env = self.env;
        let mut scope = ptr::null_mut();
        // SAFETY: the environment is this thread's and alive while its loop runs.
        if unsafe { sys::napi_open_handle_scope(env, &mut scope) } != sys::Status::napi_ok {
            return false;
        }
        let mut drain = ptr::null_mut();
        // SAFETY: as above; the reference is deleted only in `close`.
        unsafe { sys::napi_get_reference_value(env, self.drain_ref.get(), &mut drain) };
        let mut resource = ptr::null_mut();
        // SAFETY: as above.
        unsafe { sys::napi_get_reference_value(env, self.resource_ref.get(), &mut resource) };
        // SAFETY: as above; receiver and function are live in the scope opened above.
        let status = unsafe {
            sys::napi_make_callback(
                env,
                self.context.get(),
                resource,
                drain,
                0,
                ptr::null(),
                ptr::null_mut(),
            )
        };
        if status == sys::Status::napi_pending_exception {
            let mut exception = ptr::null_mut();
            // SAFETY: as above.
            let cleared = unsafe { sys::napi_get_and_clear_last_exception(env, &mut exception) };
            if cleared == sys::Status::napi_ok {
                // SAFETY: as above. The host reports it as it does any uncaught exception.
                unsafe { sys::napi_fatal_exception(env, exception) };
            }
        }
        // SAFETY: opened above, closed once.
        unsafe { sys::napi_close_handle_scope(env, scope) };
        let alive = status == sys::Status::napi_ok || status == sys::Status::napi_pending_exception;
        alive && !self.closing.get()
    }

    /// Stops holding the loop open once JavaScript says that nothing is outstanding.
    fn release_if_unwanted(&self) {
        if self.referenced.get() && !self.closing.get() && !self.words.keep_alive() {
            self.referenced.set(false);
            self.words.set_referenced(false);
            // SAFETY: an open handle on its own thread.
            unsafe { (self.uv.unreference)(self.bell.raw()) };
        }
    }

    fn publish_stages(&self) {
        if let Some(waiter) = self.waiter.borrow().as_ref() {
            let stats = waiter.stats().snapshot();
            let values = [
                stats.spins,
                stats.spin_hits,
                stats.spin_misses,
                stats.spin_skips,
                stats.parks_driver,
                stats.wakes,
            ];
            for (stage, value) in values.into_iter().enumerate() {
                self.words.set_stage(stage, value);
            }
        }
    }
}

/// What a look at the loop's poll set says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    /// Nothing is ready: a poll would block.
    Quiet,
    /// Something is ready: a poll would return at once.
    Ready,
    /// It cannot be seen here; the loop must take a turn to find out.
    Unknown,
}

impl Readiness {
    #[cfg(unix)]
    fn of(descriptor: c_int) -> Self {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        use std::os::fd::BorrowedFd;
        if descriptor < 0 {
            return Self::Unknown;
        }
        // SAFETY: the loop's own descriptor, open as long as the loop is, which runs this call.
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        match poll(
            &mut [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)],
            Some(&now),
        ) {
            Ok(0) => Self::Quiet,
            Ok(_) => Self::Ready,
            // An interrupted look says nothing; the loop's own poll will tell.
            Err(_) => Self::Unknown,
        }
    }

    #[cfg(not(unix))]
    fn of(_descriptor: c_int) -> Self {
        Self::Unknown
    }
}

/// The station of a handle, by the data pointer that `open` set.
///
/// # Safety
///
/// `handle` is one of the three handles of a station whose close callbacks have not all run.
unsafe fn station_of<'a>(handle: *mut UvHandle) -> Option<&'a Station> {
    let uv = crate::uv::uv()?;
    // SAFETY: the caller's contract.
    let station: *mut c_void = unsafe { (uv.handle_get_data)(handle) };
    // SAFETY: `open` set it to the station, which is freed only by the last close callback.
    unsafe { station.cast::<Station>().as_ref() }
}

unsafe extern "C" fn on_prepare(handle: *mut UvHandle) {
    // SAFETY: libuv calls it for an open handle of a station.
    if let Some(station) = unsafe { station_of(handle) } {
        station.before_poll();
    }
}

unsafe extern "C" fn on_check(handle: *mut UvHandle) {
    // SAFETY: as in `on_prepare`.
    if let Some(station) = unsafe { station_of(handle) }
        && let Some(waiter) = station.waiter.borrow_mut().as_mut()
    {
        // What came is drained in prepare, which follows at once: timers that are due go first.
        waiter.unpark_rung(station.ringer.take_rung_at());
    }
}

/// The ring itself does nothing: that the poll returned is all that was wanted.
unsafe extern "C" fn on_ring(_handle: *mut UvHandle) {}

unsafe extern "C" fn on_closed(handle: *mut UvHandle) {
    let Some(uv) = crate::uv::uv() else { return };
    // SAFETY: libuv calls it once for each of the three handles; none is freed before the third.
    let station = unsafe { (uv.handle_get_data)(handle) }.cast::<Station>();
    // SAFETY: the station is freed only below.
    let this = unsafe { &*station };
    let left = this.open_handles.get() - 1;
    this.open_handles.set(left);
    if left > 0 {
        return;
    }
    let cleanup = this.cleanup.get();
    if !cleanup.is_null() {
        // SAFETY: added in `open`, removed once. It tells a waiting environment to go on.
        unsafe { sys::napi_remove_async_cleanup_hook(cleanup) };
    }
    crate::forget(this.number);
    // SAFETY: made by `Box::into_raw` in `open`; this is the last callback of the last handle, and
    // `forget` removed the one other pointer to it.
    drop(unsafe { Box::from_raw(station) });
}

unsafe extern "C" fn on_environment_end(
    _hook: sys::napi_async_cleanup_hook_handle,
    station: *mut c_void,
) {
    // SAFETY: the hook is removed when the station is freed, so it is alive here. A station that
    // is closing already goes on to its close callbacks, which remove the hook.
    let station = unsafe { &*station.cast::<Station>() };
    station.close();
}
