//! Ringing a loop from any thread, by number.
//!
//! A waker knows another thread's loop only by the number that crossed in a message. The table here
//! turns it into a ring, and guarantees that **a ring never touches a handle that is closing**: the
//! handle lies behind a lock, and closing takes it out under that lock before `uv_close` is called.
//!
//! A number is never given twice, so a late ring for a loop that is gone does nothing. JavaScript
//! holds numbers as doubles, which are exact up to 2^53: [`Numbers`] stops there, and no station
//! can be opened any more. One a microsecond would take 285 years.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use cenote_park::Driver;
use parking_lot::{Mutex, RwLock};

use crate::uv::{UvHandle, uv};

/// The number of a station: an integer from 1 to 2^53 - 1, so that a double holds it exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Number(u64);

impl Number {
    /// `Number.MAX_SAFE_INTEGER`.
    const LAST: u64 = (1 << 53) - 1;

    /// The number that JavaScript names, or `None` if no station can have it.
    pub(crate) fn from_js(number: f64) -> Option<Self> {
        // NaN is in no range.
        let fits = number.fract() == 0.0 && (1.0..=Self::LAST as f64).contains(&number);
        fits.then_some(Self(number as u64))
    }

    /// The number as JavaScript holds it.
    pub(crate) fn to_js(self) -> f64 {
        self.0 as f64
    }
}

/// Gives numbers, each once.
struct Numbers {
    /// Numbers given so far.
    given: AtomicU64,
}

impl Numbers {
    const fn after(given: u64) -> Self {
        Self {
            given: AtomicU64::new(given),
        }
    }

    /// The next number; `None` for ever after the last.
    fn next(&self) -> Option<Number> {
        // Relaxed: that no two calls get the same is all that counts.
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let before = self.given.fetch_update(set, fetch, |given| {
            // An update that is refused changes nothing, so the count cannot wrap either.
            (given < Number::LAST).then_some(given + 1)
        });
        before.ok().map(|before| Number(before + 1))
    }
}

/// Reserves a number for a station of this process; `None` once all are used up.
pub(crate) fn number() -> Option<Number> {
    static NUMBERS: Numbers = Numbers::after(0);
    NUMBERS.next()
}

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

fn table() -> &'static RwLock<HashMap<Number, Arc<Ringer>>> {
    static TABLE: std::sync::OnceLock<RwLock<HashMap<Number, Arc<Ringer>>>> =
        std::sync::OnceLock::new();
    TABLE.get_or_init(Default::default)
}

/// Enters a ringer: other threads can ring it by its number.
pub(crate) fn enter(number: Number, ringer: Arc<Ringer>) {
    table().write().insert(number, ringer);
}

/// Removes a ringer; later rings by its number do nothing.
pub(crate) fn remove(number: Number) {
    table().write().remove(&number);
}

/// Rings the loop with this number, if it is still there.
pub(crate) fn ring(number: Number) {
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

#[cfg(test)]
mod tests {
    use super::{Number, Numbers};

    #[test]
    fn numbers_begin_at_one_so_that_zero_names_no_station() {
        let numbers = Numbers::after(0);
        assert_eq!(numbers.next(), Some(Number(1)));
        assert_eq!(numbers.next(), Some(Number(2)));
    }

    #[test]
    fn numbers_go_on_where_32_bits_end() {
        let numbers = Numbers::after(u32::MAX.into());
        assert_eq!(numbers.next(), Some(Number(1 << 32)));
    }

    #[test]
    fn after_the_last_number_that_a_double_holds_every_request_is_refused() {
        let numbers = Numbers::after(Number::LAST - 1);
        let last = numbers.next().expect("the last one");
        assert_eq!(last.to_js(), 9_007_199_254_740_991.0);
        for _ in 0..3 {
            assert_eq!(numbers.next(), None);
        }
    }

    #[test]
    fn a_number_survives_its_way_through_javascript() {
        for number in [1, 2, u32::MAX.into(), 1 << 32, Number::LAST].map(Number) {
            assert_eq!(Number::from_js(number.to_js()), Some(number));
        }
    }

    #[test]
    fn what_is_no_number_of_a_station_names_none() {
        let nonsense = [0.0, -1.0, 0.5, 1.5, 9_007_199_254_740_992.0, 1e300];
        for number in nonsense
            .into_iter()
            .chain([f64::NAN, f64::INFINITY, f64::NEG_INFINITY])
        {
            assert_eq!(Number::from_js(number), None, "{number}");
        }
    }
}
