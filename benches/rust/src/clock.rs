//! Time: CPU time of the process and of a thread, work of a known size, and waiting for a moment.
//!
//! A task's work is measured in CPU time of its thread, not on the wall: a thread that is pushed
//! off its CPU in the middle then still has all of its work to do, so a pool cannot get work done
//! by being pushed aside.

use std::hint::{black_box, spin_loop};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    // Both clocks count up from zero, and the kernel keeps nanoseconds below a second.
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// CPU time that this process has used so far, in user and kernel mode, over all its threads.
pub fn process_cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// CPU time that this thread has used so far, in user and kernel mode.
pub fn thread_cpu() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// Uses `cpu` of CPU time on this thread, and says how much it really was: a little more.
pub fn burn(cpu: Duration) -> Duration {
    let start = thread_cpu();
    loop {
        // About a microsecond between looks at the clock, which is a system call.
        let mut x = 1_u64;
        for _ in 0..500 {
            x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
        let used = thread_cpu().saturating_sub(start);
        if used >= cpu {
            return used;
        }
    }
}

/// Makes this thread's sleeps end on time: by default Linux may let them last 50 µs longer.
pub fn sleep_exactly() {
    #[cfg(target_os = "linux")]
    {
        // A kernel that refuses leaves the sleeps as they are, alike for all pools.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    }
}

/// Sleeps until `due`. Returns at once if that has passed.
pub fn sleep_until(due: Instant) {
    let left = due.saturating_duration_since(Instant::now());
    if !left.is_zero() {
        thread::sleep(left);
    }
}

/// Returns at `due` as exactly as it can: sleeps until 20 µs before, then looks at the clock.
pub fn wait_until(due: Instant) {
    const LOOK: Duration = Duration::from_micros(20);
    if let Some(early) = due.checked_sub(LOOK) {
        sleep_until(early);
    }
    while Instant::now() < due {
        spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burning_uses_the_cpu_time_that_was_asked_for() {
        let before = thread_cpu();
        let said = burn(Duration::from_millis(2));
        let used = thread_cpu() - before;
        assert!(said >= Duration::from_millis(2));
        assert!(
            used >= said,
            "burn cannot have used more than the thread did"
        );
    }

    #[test]
    fn sleeping_uses_no_cpu_time_to_speak_of() {
        let before = thread_cpu();
        sleep_until(Instant::now() + Duration::from_millis(50));
        assert!(thread_cpu() - before < Duration::from_millis(25));
    }

    #[test]
    fn waiting_never_returns_early() {
        for micros in [0, 5, 30, 300] {
            let due = Instant::now() + Duration::from_micros(micros);
            wait_until(due);
            assert!(Instant::now() >= due);
        }
    }
}
