//! The wait, inside a libuv loop.
//!
//! A [`Station`] is one loop's part in the wait protocol of `cenote-park`: a worker's loop, or the
//! loop of a thread that owns pools. Its handles (`handles.rs`) call it at two places of each turn:
//!
//! - *before the poll* it drains what was published, spins for more, and at the end of the budget
//!   publishes `PARKED_DRIVER`, re-checks, and returns: libuv's own poll is the sleep.
//! - *after the poll* it publishes `RUNNING`.
//!
//! A waker rings the loop when, and only when, it claimed it parked (`ringer.rs`).
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
//! - an exception from the drain reaches `uncaughtException` (`callback.rs`);
//! - at the end of the environment all three handles are closed by an async cleanup hook.
//!
//! Aliasing: JavaScript called from a drain may call back into the same station, so every field is
//! a cell and no borrow of one is held across a call into JavaScript.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cenote_park::{Driver, Spin, SpinRequest, WaitWord, Waiter};
use napi::sys;

use crate::callback::{Callback, Reference, Refused, check};
use crate::event_loop::{EventLoop, Readiness};
use crate::handles::{Handles, Owner};
use crate::ringer::{self, Number, Ringer};
use crate::threads;
use crate::uv::{Uv, UvLoop};
use crate::words::Words;

/// How often a spinning loop looks at its own readiness. A look is a system call of about half a
/// microsecond, and P1 grants 10 µs in all.
const LOOK_EVERY: Duration = Duration::from_micros(8);

/// What a station is opened with.
pub(crate) struct Config {
    pub(crate) max_spin: Duration,
    pub(crate) turn_budget: Duration,
}

/// One loop's place in the wait protocol. See the module's documentation.
pub(crate) struct Station {
    event_loop: EventLoop,
    handles: Handles<Station>,
    ringer: Arc<Ringer>,
    number: Number,
    words: Words,
    /// `None` once closing. From then on the words may be gone, and nothing reads them.
    held: RefCell<Option<Held>>,
    turn_budget: Cell<Duration>,
    /// Whether the bell holds the loop open.
    referenced: Cell<bool>,
    cleanup: Cell<sys::napi_async_cleanup_hook_handle>,
}

/// What an open station holds. Dropped in this order: the words outlive the waiter.
struct Held {
    /// Its drop counts this thread out of those that participate.
    waiter: Waiter<&'static WaitWord>,
    /// Shared with a call that runs: a drain may close its own station.
    drain: Rc<Callback>,
    /// The typed array behind the words.
    _words: Reference,
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
    /// Every number has been given.
    Numbers,
}

impl From<Refused> for OpenError {
    fn from(Refused(status): Refused) -> Self {
        Self::Napi(status)
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
        // What lets go by itself comes first: an error up to the handles leaves nothing.
        let number = ringer::number().ok_or(OpenError::Numbers)?;
        // SAFETY: the caller's contract; `close` drops both on this thread.
        let array = unsafe { Reference::new(env, values.words) }?;
        // SAFETY: as above.
        let drain = Rc::new(unsafe { Callback::new(env, values.drain) }?);
        // SAFETY: this thread's loop, which its handles do not outlive.
        let handles = unsafe { Handles::open(uv, event_loop) }.map_err(OpenError::Uv)?;
        // SAFETY: just initialised; `close` silences the ringer before it closes the handle.
        let ringer = Arc::new(unsafe { Ringer::new(handles.bell()) });
        let station = Box::into_raw(Box::new(Station {
            // SAFETY: this thread's loop; the station is freed when its handles are closed.
            event_loop: unsafe { EventLoop::new(uv, event_loop) },
            handles,
            ringer: Arc::clone(&ringer),
            number,
            words,
            held: RefCell::new(Some(Held {
                waiter: Waiter::new(words.wait_word(), config.max_spin),
                drain,
                _words: array,
            })),
            turn_budget: Cell::new(config.turn_budget),
            referenced: Cell::new(false),
            cleanup: Cell::new(ptr::null_mut()),
        }));
        // SAFETY: made one line above and freed only by `closed`, in a later turn of the loop.
        let this = unsafe { &*station };
        words.set_referenced(false);
        words.set_thread(threads::number());
        ringer::enter(number, ringer);
        // SAFETY: the station has the handles and lives until `closed`.
        unsafe { this.handles.start(station) };
        let mut cleanup = ptr::null_mut();
        // SAFETY: the hook's argument lives until the hook ran or was removed (`closed`).
        let added = check(unsafe {
            sys::napi_add_async_cleanup_hook(
                env,
                Some(on_environment_end),
                station.cast(),
                &mut cleanup,
            )
        });
        this.cleanup.set(cleanup);
        if let Err(refused) = added {
            this.close();
            return Err(refused.into());
        }
        Ok(station)
    }

    /// The number that other threads ring this loop by.
    pub(crate) fn number(&self) -> Number {
        self.number
    }

    fn is_closing(&self) -> bool {
        self.held.borrow().is_none()
    }

    /// Runs `f` on the waiter; `None` once closing. `f` calls no JavaScript.
    fn with_waiter<T>(&self, f: impl FnOnce(&mut Waiter<&'static WaitWord>) -> T) -> Option<T> {
        let mut held = self.held.borrow_mut();
        held.as_mut().map(|held| f(&mut held.waiter))
    }

    /// Changes what the station was opened with. On the loop's own thread.
    pub(crate) fn configure(&self, config: &Config, spin_under_pressure: bool) {
        self.turn_budget.set(config.turn_budget);
        self.with_waiter(|waiter| {
            waiter.set_max_spin(config.max_spin);
            waiter.spin_under_pressure(spin_under_pressure);
        });
    }

    /// Holds the loop open at once, before the next turn would. On the loop's own thread.
    pub(crate) fn reference(&self) {
        if !self.is_closing() && !self.referenced.replace(true) {
            self.handles.reference();
            self.words.set_referenced(true);
        }
    }

    /// Begins to close. On the loop's own thread; a second call does nothing. The station frees
    /// itself when libuv has closed its handles.
    pub(crate) fn close(&self) {
        let Some(held) = self.held.borrow_mut().take() else {
            return;
        };
        ringer::remove(self.number);
        self.ringer.silence();
        drop(held);
        // SAFETY: `held` is taken once, on the loop's thread, and nobody rings the bell any more.
        unsafe { self.handles.close() };
    }

    /// Spins as the policy allows. `timeout` is the loop's own, in ms, negative for none.
    fn spin(&self, timeout: c_int) -> Spin {
        let expected_us = self.words.expected_us();
        if expected_us < 0 {
            return Spin::Skipped;
        }
        let request = SpinRequest {
            expected: (expected_us > 0).then(|| Duration::from_micros(expected_us as u64)),
            until: (timeout > 0).then(|| self.event_loop.next_timer(timeout)),
            check_every: LOOK_EVERY,
        };
        let interrupted = || self.event_loop.readiness() != Readiness::Quiet;
        self.with_waiter(|waiter| waiter.spin(&request, interrupted))
            .unwrap_or(Spin::Skipped)
    }

    /// Calls the drain function. `false`: this station is closing, or its environment ends.
    fn drain(&self, left: Duration) -> bool {
        // Both before the call: what is published during the drain is new.
        self.words.take_lap();
        self.with_waiter(Waiter::take);
        let left_us = i32::try_from(left.as_micros()).unwrap_or(i32::MAX);
        self.words.set_turn_left_us(left_us);
        let Some(drain) = self
            .held
            .borrow()
            .as_ref()
            .map(|held| Rc::clone(&held.drain))
        else {
            return false;
        };
        drain.call() && !self.is_closing()
    }

    /// Stops holding the loop open once JavaScript says that nothing is outstanding.
    fn release_if_unwanted(&self) {
        if self.referenced.get() && !self.is_closing() && !self.words.keep_alive() {
            self.referenced.set(false);
            self.words.set_referenced(false);
            self.handles.unreference();
        }
    }

    fn publish_stages(&self) {
        if let Some(stages) = self.with_waiter(|waiter| waiter.stats().snapshot()) {
            self.words.set_stages(&stages);
        }
    }
}

impl Owner for Station {
    fn handles(&self) -> &Handles<Self> {
        &self.handles
    }

    /// The wait: everything between the loop's callbacks and its poll.
    fn before_poll(&self) {
        self.release_if_unwanted();
        let started = Instant::now();
        let mut spent = false;
        loop {
            let Some(published) = self.with_waiter(|waiter| waiter.has_work()) else {
                return;
            };
            if published || self.words.lapped() {
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
            let timeout = self.event_loop.timeout();
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
            let recheck = || self.words.lapped();
            if self.with_waiter(|waiter| waiter.park_driver(recheck)) == Some(true) {
                self.words.expect_nothing();
                break;
            }
        }
        if spent {
            // The loop computes its poll timeout from a time that it read before all this.
            self.event_loop.update_time();
        }
        self.publish_stages();
    }

    fn after_poll(&self) {
        // What came is drained before the next poll: timers that are due go first.
        let rung_at = self.ringer.take_rung_at();
        self.with_waiter(|waiter| waiter.unpark_rung(rung_at));
    }

    unsafe fn closed(this: *const Self) {
        // SAFETY: made by `Box::into_raw` in `open` and given to `Handles::start`; this is the last
        // callback, and of the last handle.
        let station = unsafe { Box::from_raw(this.cast_mut()) };
        // The one other pointer to it.
        crate::forget(station.number);
        let cleanup = station.cleanup.get();
        if !cleanup.is_null() {
            // SAFETY: added in `open`, removed once. It tells a waiting environment to go on.
            unsafe { sys::napi_remove_async_cleanup_hook(cleanup) };
        }
    }
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
