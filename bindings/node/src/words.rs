//! The words that a loop's native side and its JavaScript share: one `Int32Array` over a
//! `SharedArrayBuffer`, [`LEN`] long. `words.ts` holds the same numbers under the names of
//! [`LAYOUT`], which JavaScript reads by `layout()`; a test compares the two, name for name.
//!
//! | index | who writes | what |
//! |---|---|---|
//! | 0, 1 | wakers, the loop | the wait word: epoch and state (`cenote_park::WaitWord`) |
//! | 2 | wakers; native when it drains | [`LAPPED`]: 1 once the epoch went through a [`LAP`] |
//! | 16 | the loop's JavaScript; native when it sleeps | [`EXPECTED_US`]: when work is expected |
//! | 17 | the loop's JavaScript | [`KEEP_ALIVE`]: 1 while the loop must stay alive for the pool |
//! | 18 | native | [`REFERENCED`]: 1 while the async handle holds the loop open |
//! | 19 | native | [`TURN_LEFT_US`]: what is left of the turn budget when a drain is called |
//! | 20 | native | [`THREAD`]: the number of the loop's thread, see `threads.rs` |
//! | 32… | native | stage counters as `f64`, see [`STAGES`] |
//!
//! # Why no count is taken for another
//!
//! - **The epoch** has 32 bits, and a loop looks for work by comparing it with what it saw last.
//!   If there were only the epoch, 2^32 publications between two looks would go unseen. A waker
//!   whose publication ends a lap of 2^30 also sets [`LAPPED`], before it looks at the state; any
//!   2^32 publications in a row end four laps. The loop looks at that word beside the epoch, before
//!   each drain and again when it has published that it sleeps. So it drains, or the waker finds it
//!   asleep and rings.
//! - **The numbers of stations** are given once each and end at 2^53 (`ringer.rs`).
//! - **Handles still open** are counted from three down to none (`handles.rs`).
//! - **The participants** of `cenote-park` are threads; a process has far fewer than 2^63.
//! - **The stage counters** are figures to look at. Nothing is decided by them.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use cenote_park::{EPOCH_INDEX, NOTIFIED, PARKED_DRIVER, STATE_INDEX, StageSnapshot, WaitWord};

/// Declares numbers of the layout, and the table that JavaScript reads, from one list.
macro_rules! layout {
    ($($(#[$doc:meta])* $js:literal $name:ident = $value:expr;)*) => {
        $($(#[$doc])* pub(crate) const $name: usize = $value;)*

        /// Every number that both sides have to agree on, by its name in `words.ts`.
        pub(crate) const LAYOUT: &[(&str, usize)] = &[$(($js, $name),)*];
    };
}

layout! {
    /// Bumped by a waker after it published.
    "kEpoch" EPOCH = EPOCH_INDEX;
    /// The state of the wait word.
    "kState" STATE = STATE_INDEX;
    /// 1 once the epoch went through a lap and the loop has not drained since.
    "kLapped" LAPPED = 2;
    /// Publications in a lap.
    "kLap" LAP = 1 << 30;
    /// µs until work is expected: 0 not known (the adaptive budget decides), -1 none (do not spin).
    "kExpectedUs" EXPECTED_US = 16;
    /// 1 while the loop must stay alive.
    "kKeepAlive" KEEP_ALIVE = 17;
    /// 1 while the async handle is referenced.
    "kReferenced" REFERENCED = 18;
    /// µs that a drain may take.
    "kTurnLeftUs" TURN_LEFT_US = 19;
    /// The system's number of the loop's thread; 0 where it has none.
    "kThread" THREAD = 20;
    /// First of the stage counters, in `f64`s from the start: each takes two words.
    "kStages" FIRST_STAGE = 16;
    /// Length of the array, in 32-bit words.
    "kLoopWords" LEN = 64;
    /// The state of a loop that sleeps in its own poll.
    "kParkedDriver" STATE_PARKED = PARKED_DRIVER as usize;
    /// The state of a loop that a waker claimed.
    "kNotified" STATE_NOTIFIED = NOTIFIED as usize;
    /// The state of a loop whose thread blocks in `Atomics.wait`; JavaScript alone wakes it.
    "kBlocked" STATE_BLOCKED = 5;
}

/// Reads one counter.
type Stage = fn(&StageSnapshot) -> u64;

/// The stage counters in the order in which they lie, by their names in `kStageNames`.
pub(crate) const STAGES: [(&str, Stage); 7] = [
    ("spins", |stages| stages.spins),
    ("spinHits", |stages| stages.spin_hits),
    ("spinMisses", |stages| stages.spin_misses),
    ("spinSkips", |stages| stages.spin_skips),
    ("parks", |stages| stages.parks_driver),
    ("wakes", |stages| stages.wakes),
    ("spinCuts", |stages| stages.spin_cuts),
];

const _: () = {
    assert!(EPOCH == 0 && STATE == 1 && LAPPED > STATE);
    assert!(LAP.is_power_of_two() && LAP < 1 << 31);
    assert!(TURN_LEFT_US < THREAD && THREAD < 2 * FIRST_STAGE);
    assert!(2 * (FIRST_STAGE + STAGES.len()) <= LEN);
};

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

    /// Whether the epoch went through a lap since the last [`take_lap`](Self::take_lap): there is
    /// work, whatever the epoch says.
    pub(crate) fn lapped(&self) -> bool {
        // Relaxed: before a sleep the fence between the parked state and this look orders them, as
        // for any source that a re-check looks at.
        self.word(LAPPED).load(Ordering::Relaxed) != 0
    }

    /// Takes note of a lap, before the epoch is read and the work is looked for.
    pub(crate) fn take_lap(&self) {
        if self.lapped() {
            // Acquire, and a swap: a waker that set the word before has moved the epoch before, and
            // both it and its work are seen after this.
            self.word(LAPPED).swap(0, Ordering::AcqRel);
        }
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

    pub(crate) fn set_thread(&self, number: i32) {
        self.word(THREAD).store(number, Ordering::Relaxed);
    }

    /// Publishes the stage counters. JavaScript reads each as an `f64`, exact up to 2^53.
    pub(crate) fn set_stages(&self, stages: &StageSnapshot) {
        for (stage, (_, read)) in STAGES.iter().enumerate() {
            let index = 2 * (FIRST_STAGE + stage);
            assert!(index + 1 < LEN);
            // SAFETY: the word and the next are inside the array by the line above.
            let word = unsafe { self.0.add(index) };
            // SAFETY: as above, 8-byte aligned because the array is and the index is even, and
            // written as a whole by this thread only.
            let word = unsafe { &*word.cast::<AtomicU64>() };
            word.store((read(stages) as f64).to_bits(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(8))]
    struct Memory([AtomicI32; LEN]);

    #[test]
    fn no_two_words_of_the_layout_share_a_place() {
        let words = [
            EPOCH,
            STATE,
            LAPPED,
            EXPECTED_US,
            KEEP_ALIVE,
            REFERENCED,
            TURN_LEFT_US,
            THREAD,
        ];
        let stages = (0..2 * STAGES.len()).map(|word| 2 * FIRST_STAGE + word);
        let mut places: Vec<usize> = words.into_iter().chain(stages).collect();
        let count = places.len();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), count);
    }

    #[test]
    fn stage_counters_lie_in_the_order_of_their_names() {
        let memory = Memory([const { AtomicI32::new(0) }; LEN]);
        // SAFETY: `LEN` aligned words that outlive the value.
        let words = unsafe { Words::new(memory.0.as_ptr()) };
        words.set_stages(&StageSnapshot {
            spins: 1,
            spin_hits: 2,
            spin_misses: 3,
            spin_skips: 4,
            parks_driver: 5,
            wakes: 6,
            spin_cuts: 7,
            ..StageSnapshot::default()
        });
        for (stage, expected) in [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0].into_iter().enumerate() {
            let word = |at: usize| memory.0[2 * (FIRST_STAGE + stage) + at].load(Ordering::Relaxed);
            let halves = [word(0).to_ne_bytes(), word(1).to_ne_bytes()].concat();
            let bytes = halves.try_into().expect("8 bytes");
            assert_eq!(f64::from_ne_bytes(bytes), expected);
        }
    }
}
