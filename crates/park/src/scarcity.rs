//! Whether CPU time is scarce for a thread, so that it spins only where spins nearly always hit.
//!
//! Under a quota a spin that misses is missing at the end of the period, when the whole process
//! stands still; beside busy neighbours it is missing to them and then to this thread. A spin that
//! hits is another matter: it saves a sleep and a wake, which cost more CPU time than it does
//! (measured between two Node threads under a quota of half a CPU: 4 µs of CPU a round trip with
//! spins, 27 µs without). So scarcity ends no spins; it has them pay in CPU time, not in latency.
//!
//! Both kinds look the same from inside: the thread is ready to run and does not. Linux counts that
//! time for each thread, next to the time that it ran (`/proc/thread-self/schedstat`), the time in
//! which a quota held it up included. A thread that waits looks at the two numbers now and then.
//! CPU time is scarce when it waited for a good part of what it wanted, and until it has not for a
//! while.
//!
//! Where the numbers cannot be read it is never scarce.

use std::time::{Duration, Instant};

/// How often a thread that waits looks. A look takes some 5 µs.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What is judged is at least so much of wanted time.
const LEAST_WANTED: Duration = Duration::from_millis(1);
/// It is scarce from this share of waiting on: one part in so many.
const SHARE: u32 = 16;
/// So many looks in a row without that end it.
const CALM_LOOKS: u32 = 20;

/// What the system says of a thread, since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTimes {
    /// It had a CPU.
    pub(crate) ran: Duration,
    /// It was ready to run, and had none.
    pub(crate) waited: Duration,
}

/// What the looks of one thread found. Told of times, it looks at no clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pressure {
    /// Looks without pressure that are left until it is over.
    left: u32,
}

impl Pressure {
    /// Whether CPU time is scarce.
    pub(crate) fn is_on(&self) -> bool {
        self.left > 0
    }

    /// What a thread ran and waited since the last call. Too little of both says nothing.
    pub(crate) fn look(&mut self, since: CpuTimes) {
        let wanted = since.ran + since.waited;
        if wanted < LEAST_WANTED {
            return;
        }
        if since.waited * SHARE >= wanted {
            self.left = CALM_LOOKS;
        } else {
            self.left = self.left.saturating_sub(1);
        }
    }
}

/// Looks at the thread's times now and then.
#[derive(Debug)]
pub(crate) struct Scarcity {
    pressure: Pressure,
    /// When the times were looked at, and what they were; `None` before the first look.
    last: Option<(Instant, CpuTimes)>,
    /// `false`: it is not asked for, or the system does not say.
    looks: bool,
}

impl Scarcity {
    pub(crate) fn new() -> Self {
        Scarcity {
            pressure: Pressure::default(),
            last: None,
            looks: true,
        }
    }

    /// As long as nobody looks, it stays scarce.
    #[cfg(all(test, not(cenote_loom)))]
    pub(crate) fn lasting() -> Self {
        Scarcity {
            pressure: Pressure { left: CALM_LOOKS },
            last: Some((
                Instant::now() + Duration::from_secs(3_600),
                CpuTimes::default(),
            )),
            looks: true,
        }
    }

    /// Whether to look at all. What was found is forgotten.
    pub(crate) fn set_looks(&mut self, looks: bool) {
        if self.looks != looks {
            *self = Scarcity {
                looks,
                ..Scarcity::new()
            };
        }
    }

    /// Whether CPU time is scarce for the calling thread now.
    pub(crate) fn is_on(&mut self, now: Instant) -> bool {
        if self.looks {
            self.look(now);
        }
        self.pressure.is_on()
    }

    fn look(&mut self, now: Instant) {
        if let Some((at, _)) = self.last
            && now.saturating_duration_since(at) < LOOK_EVERY
        {
            return;
        }
        let Some(times) = this_thread() else {
            self.set_looks(false);
            return;
        };
        if let Some((_, before)) = self.last.replace((now, times)) {
            // Another thread's, if the waiter has moved: then it may be less.
            self.pressure.look(CpuTimes {
                ran: times.ran.saturating_sub(before.ran),
                waited: times.waited.saturating_sub(before.waited),
            });
        }
    }
}

/// What the system says of the calling thread, if it says anything.
#[cfg(all(target_os = "linux", not(cenote_loom)))]
fn this_thread() -> Option<CpuTimes> {
    use std::fs::File;
    use std::io::Read;

    let mut text = [0; 64];
    let mut file = File::open("/proc/thread-self/schedstat").ok()?;
    let length = file.read(&mut text).ok()?;
    parse(text.get(..length)?)
}

/// Other systems say nothing, and in the model there is no time.
#[cfg(not(all(target_os = "linux", not(cenote_loom))))]
fn this_thread() -> Option<CpuTimes> {
    None
}

/// Reads "ran waited slices", in nanoseconds.
#[cfg_attr(not(all(target_os = "linux", not(cenote_loom))), allow(dead_code))]
fn parse(text: &[u8]) -> Option<CpuTimes> {
    let mut numbers = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
    let mut next = || numbers.next()?.parse().ok().map(Duration::from_nanos);
    let times = CpuTimes {
        ran: next()?,
        waited: next()?,
    };
    // A kernel that does not count has zeros; this thread has run.
    (!times.ran.is_zero()).then_some(times)
}

#[cfg(all(test, not(cenote_loom)))]
mod tests {
    use super::*;

    fn percent_waited(percent: u64) -> CpuTimes {
        CpuTimes {
            ran: Duration::from_micros(100 * (100 - percent)),
            waited: Duration::from_micros(100 * percent),
        }
    }

    #[test]
    fn cpu_time_is_scarce_from_the_first_look_that_says_so_until_calm_has_lasted() {
        let mut pressure = Pressure::default();
        pressure.look(percent_waited(6));
        assert!(!pressure.is_on());
        for percent in [7, 50, 100] {
            pressure.look(percent_waited(percent));
            assert!(pressure.is_on(), "{percent} %");
            for _ in 1..CALM_LOOKS {
                pressure.look(percent_waited(0));
                assert!(pressure.is_on(), "{percent} %");
            }
            pressure.look(percent_waited(0));
            assert!(!pressure.is_on(), "{percent} %");
        }
    }

    #[test]
    fn a_thread_that_wanted_next_to_nothing_learns_nothing() {
        let mut pressure = Pressure::default();
        let waited = Duration::from_micros(999);
        pressure.look(CpuTimes {
            ran: Duration::ZERO,
            waited,
        });
        assert!(!pressure.is_on());
        pressure.look(percent_waited(50));
        for _ in 0..=CALM_LOOKS {
            pressure.look(CpuTimes::default());
        }
        assert!(pressure.is_on());
    }

    #[test]
    fn only_two_numbers_and_more_are_times() {
        let times = |ran, waited| CpuTimes {
            ran: Duration::from_nanos(ran),
            waited: Duration::from_nanos(waited),
        };
        assert_eq!(
            parse(b"49058421 2552810 135\n"),
            Some(times(49_058_421, 2_552_810))
        );
        for text in [
            "",
            "1",
            "0 0 0",
            "x 2 3",
            "1 -2 3",
            "99999999999999999999 1 1",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse(&[0xff, 0x20]), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn times_of_a_thread_that_runs_grow() {
        let Some(before) = this_thread() else {
            // Not every kernel counts.
            return;
        };
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(30) {
            std::hint::spin_loop();
        }
        let after = this_thread().expect("it was there a moment ago");
        assert!(after.ran + after.waited > before.ran + before.waited);
    }
}
