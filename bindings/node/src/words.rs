//! The words that a loop's native side and its JavaScript share: one `Int32Array` over a
//! `SharedArrayBuffer`, [`LEN`] long. `words.ts` holds the same numbers.
//!
//! | index | who writes | what |
//! |---|---|---|
//! | 0, 1 | wakers, the loop | the wait word: epoch and state (`cenote_park::WaitWord`) |
//! | 16 | the loop's JavaScript; native when it sleeps | [`EXPECTED_US`]: when work is expected |
//! | 17 | the loop's JavaScript | [`KEEP_ALIVE`]: 1 while the loop must stay alive for the pool |
//! | 18 | native | [`REFERENCED`]: 1 while the async handle holds the loop open |
//! | 19 | native | [`TURN_LEFT_US`]: what is left of the turn budget when a drain is called |
//! | 32… | native | stage counters as `f64`, see [`STAGES`] |

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use cenote_park::WaitWord;

/// Length of the array, in 32-bit words.
pub(crate) const LEN: usize = 64;
/// µs until work is expected: 0 not known (the adaptive budget decides), -1 none (do not spin).
const EXPECTED_US: usize = 16;
/// 1 while the loop must stay alive.
const KEEP_ALIVE: usize = 17;
/// 1 while the async handle is referenced.
const REFERENCED: usize = 18;
/// µs that a drain may take.
const TURN_LEFT_US: usize = 19;
/// First of the stage counters, each an `f64` in two words:
/// spins, hits, misses, skips, parks, wakes.
const STAGES: usize = 32;

/// The shared words of one loop. Copyable: it is a pointer whose target its maker keeps alive.
#[derive(Clone, Copy)]
pub(crate) struct Words(*const AtomicI32);

impl Words {
    /// # Safety
    ///
    /// `data` points to [`LEN`] 32-bit words, aligned to 8 bytes, that outlive every use of the
    /// value and are accessed only atomically, or by this loop's own thread.
    pub(crate) unsafe fn new(data: *const AtomicI32) -> Self {
        Self(data)
    }

    fn word(&self, index: usize) -> &AtomicI32 {
        assert!(index < LEN);
        // SAFETY: in bounds by the line above, alive and valid by the contract of `new`.
        let word = unsafe { self.0.add(index) };
        // SAFETY: as above; an `i32` in shared memory is valid as an `AtomicI32`.
        unsafe { &*word }
    }

    /// The wait word.
    pub(crate) fn wait_word(&self) -> &'static WaitWord {
        // SAFETY: two words at the start, aligned, alive and only accessed atomically by the
        // contract of `new`; the station that makes this keeps the buffer referenced until its
        // waiter is gone.
        unsafe { WaitWord::from_ptr(self.0.cast()) }
    }

    // The words below are written and read by one thread each way, or are hints: relaxed suffices.

    pub(crate) fn expected_us(&self) -> i32 {
        self.word(EXPECTED_US).load(Ordering::Relaxed)
    }

    /// What was expected did not come in time: no more spinning until JavaScript expects again.
    pub(crate) fn expect_nothing(&self) {
        self.word(EXPECTED_US).store(-1, Ordering::Relaxed);
    }

    pub(crate) fn keep_alive(&self) -> bool {
        self.word(KEEP_ALIVE).load(Ordering::Relaxed) != 0
    }

    pub(crate) fn set_referenced(&self, referenced: bool) {
        self.word(REFERENCED)
            .store(referenced.into(), Ordering::Relaxed);
    }

    pub(crate) fn set_turn_left_us(&self, us: i32) {
        self.word(TURN_LEFT_US).store(us, Ordering::Relaxed);
    }

    /// Publishes a stage counter. JavaScript reads it as an `f64`, which is exact up to 2^53.
    pub(crate) fn set_stage(&self, stage: usize, value: u64) {
        let word: *const AtomicI32 = self.word(STAGES + 2 * stage);
        assert!(STAGES + 2 * stage + 1 < LEN);
        // SAFETY: two words inside the array by the line above, 8-byte aligned because the array
        // is and `STAGES` is even, and written as a whole by this thread only.
        let word = unsafe { &*word.cast::<AtomicU64>() };
        word.store((value as f64).to_bits(), Ordering::Relaxed);
    }
}
