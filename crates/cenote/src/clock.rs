//! Cheap timestamps for measuring: when a task was queued, began, ended.
//!
//! A [`Stamp`] is 8 bytes, comes from one clock for the whole process and costs about half of what
//! `Instant::now` does. It is taken often and read seldom, so it holds the clock's own ticks, and
//! only the distance of two stamps is scaled to nanoseconds. A distance is never negative: where a
//! later stamp shows an earlier time it is 0.
//!
//! The ticks are the CPU's counter (through `quanta`) wherever it is known to be one clock for all
//! cores: on ARMv8 by its architecture, on x86-64 where Linux itself has checked that and keeps
//! time by it. Elsewhere they are nanoseconds of `Instant`. The counter's rate is measured once, at
//! the first stamp or at [`calibrate`], and may be off by some parts in a hundred thousand: good
//! for latencies, which is why nothing here turns an old stamp into a deadline.
//!
//! Under the model checker the clock stands still, so that an execution can be repeated.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

static CLOCK: OnceLock<Clock> = OnceLock::new();

enum Clock {
    /// The CPU's counter.
    #[cfg(not(cenote_loom))]
    Counter(quanta::Clock),
    /// The system's clock, as the time since the first stamp.
    System(Instant),
}

impl Clock {
    #[inline]
    fn get() -> &'static Clock {
        CLOCK.get_or_init(|| {
            #[cfg(not(cenote_loom))]
            if counter_is_one_clock() {
                return Clock::Counter(quanta::Clock::new());
            }
            Clock::System(Instant::now())
        })
    }

    #[inline]
    fn ticks(&self) -> u64 {
        match self {
            #[cfg(not(cenote_loom))]
            Clock::Counter(clock) => clock.raw(),
            Clock::System(_) if cfg!(cenote_loom) => 0,
            Clock::System(start) => nanos(start.elapsed()),
        }
    }

    #[inline]
    fn nanos_between(&self, earlier: u64, later: u64) -> u64 {
        match self {
            #[cfg(not(cenote_loom))]
            Clock::Counter(clock) => clock.delta_as_nanos(earlier, later),
            Clock::System(_) => later.saturating_sub(earlier),
        }
    }
}

/// Whether all cores' counters show the same time, which a CPU's feature flags alone do not say:
/// there are machines with an invariant counter whose cores are more than a second apart.
#[cfg(not(cenote_loom))]
fn counter_is_one_clock() -> bool {
    if cfg!(target_arch = "aarch64") {
        return true;
    }
    // The kernel compares the cores' counters, and leaves this source at the first disagreement.
    cfg!(all(target_arch = "x86_64", target_os = "linux"))
        && std::fs::read_to_string(
            "/sys/devices/system/clocksource/clocksource0/current_clocksource",
        )
        .is_ok_and(|source| source.trim() == "tsc")
}

/// Measures the counter's rate, unless that is done: less than a millisecond as a rule, 200 at
/// most.
///
/// For the start of a pool, so that the first task does not pay for it.
pub(crate) fn calibrate() {
    Clock::get();
}

/// The nanoseconds of a time, at most `u64::MAX` (584 years).
#[inline]
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// About how many ticks a time is: for comparing stamps without scaling each of them.
pub(crate) fn ticks(time: Duration) -> u64 {
    const SPAN: u64 = 1 << 32;
    let nanos_of_span = Clock::get().nanos_between(0, SPAN).max(1);
    let ticks = u128::from(nanos(time)) * u128::from(SPAN) / u128::from(nanos_of_span);
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// A moment, in ticks of the process's measuring clock. Later moments compare greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(u64);

impl Stamp {
    /// No moment. [`Stamp::now`] never gives it.
    pub(crate) const NONE: Stamp = Stamp(0);

    /// This moment.
    #[inline]
    pub(crate) fn now() -> Stamp {
        // The system's clock counts from the first stamp, which must not be `NONE`.
        Stamp(Clock::get().ticks().max(1))
    }

    /// Whether this is [`Stamp::NONE`].
    #[inline]
    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The ticks, to be kept in an atomic.
    #[inline]
    pub(crate) const fn to_bits(self) -> u64 {
        self.0
    }

    /// What [`Stamp::to_bits`] gave.
    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Stamp {
        Stamp(bits)
    }

    /// Nanoseconds from `earlier` to this; 0 if it was not earlier, or if either is `NONE`.
    #[inline]
    pub(crate) fn nanos_since(self, earlier: Stamp) -> u64 {
        if earlier.is_none() {
            return 0;
        }
        Clock::get().nanos_between(earlier.0, self.0)
    }

    /// [`Stamp::nanos_since`] as a `Duration`.
    #[inline]
    pub(crate) fn since(self, earlier: Stamp) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    /// The time from this to now; 0 for `NONE`.
    #[inline]
    pub(crate) fn elapsed(self) -> Duration {
        Stamp::now().since(self)
    }

    /// The same moment on the system's clock, by its distance from now; `None` for `NONE`, and
    /// where an `Instant` cannot be that old.
    pub(crate) fn to_instant(self) -> Option<Instant> {
        if self.is_none() {
            return None;
        }
        // From now backwards, so that an error of the rate counts only for the stamp's age.
        Instant::now().checked_sub(self.elapsed())
    }
}

#[cfg(all(test, not(cenote_loom)))]
mod tests {
    use super::*;

    fn wait(time: Duration) -> Duration {
        let start = Instant::now();
        std::thread::sleep(time);
        start.elapsed()
    }

    #[test]
    fn stamps_of_one_thread_do_not_go_backwards() {
        let mut last = Stamp::now();
        for _ in 0..100_000 {
            let now = Stamp::now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn a_distance_is_that_of_the_system_clock() {
        calibrate();
        let outer = Instant::now();
        let start = Stamp::now();
        let inner = wait(Duration::from_millis(50));
        let measured = Stamp::now().since(start);
        let outer = outer.elapsed();
        let slack = Duration::from_micros(500);
        assert!(
            measured + slack >= inner,
            "{measured:?} for at least {inner:?}"
        );
        assert!(
            measured <= outer + slack,
            "{measured:?} for at most {outer:?}"
        );
    }

    #[test]
    fn stamps_of_two_threads_are_on_one_clock() {
        for _ in 0..200 {
            let before = Stamp::now();
            let there = std::thread::spawn(Stamp::now)
                .join()
                .expect("only reads the clock");
            let after = Stamp::now();
            assert!(before <= there && there <= after);
        }
    }

    #[test]
    fn the_distance_to_something_later_is_zero() {
        let earlier = Stamp::now();
        wait(Duration::from_millis(1));
        let later = Stamp::now();
        assert_eq!(earlier.nanos_since(later), 0);
        assert!(later.nanos_since(earlier) > 0);
    }

    #[test]
    fn none_is_no_moment() {
        assert!(Stamp::NONE.is_none());
        assert!(!Stamp::now().is_none());
        assert_eq!(Stamp::now().nanos_since(Stamp::NONE), 0);
        assert_eq!(Stamp::NONE.nanos_since(Stamp::now()), 0);
        assert_eq!(Stamp::NONE.to_instant(), None);
    }

    #[test]
    fn an_instant_made_of_a_stamp_is_that_moment() {
        let before = Instant::now();
        let stamp = Stamp::now();
        let after = Instant::now();
        wait(Duration::from_millis(20));
        // A pause between the two clocks' readings makes it later, never earlier: the earliest
        // counts.
        let attempts = (0..100).filter_map(|_| stamp.to_instant());
        let instant = attempts.min().expect("it is 20 ms old");
        let slack = Duration::from_millis(1);
        assert!(
            instant + slack >= before,
            "{:?} too early",
            before - instant
        );
        assert!(instant <= after + slack, "{:?} too late", instant - after);
    }

    #[test]
    fn the_system_clock_serves_as_well() {
        let clock = Clock::System(Instant::now());
        let start = clock.ticks();
        let slept = wait(Duration::from_millis(5));
        let end = clock.ticks();
        assert!(clock.nanos_between(start, end) >= nanos(slept));
        assert_eq!(clock.nanos_between(end, start), 0);
    }

    #[test]
    fn so_many_ticks_are_that_time() {
        for time in [
            Duration::ZERO,
            Duration::from_micros(20),
            Duration::from_secs(3600),
        ] {
            let stamp = Stamp::now();
            let later = Stamp::from_bits(stamp.to_bits() + ticks(time));
            let error = later.since(stamp).abs_diff(time);
            assert!(
                error <= Duration::from_nanos(10) + time / 1_000_000,
                "{time:?}: {error:?}"
            );
        }
    }

    #[test]
    fn bits_give_the_stamp_back() {
        let stamp = Stamp::now();
        assert_eq!(Stamp::from_bits(stamp.to_bits()), stamp);
    }
}
