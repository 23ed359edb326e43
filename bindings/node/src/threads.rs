//! How long another thread has run, by what the system says.
//!
//! A thread's CPU time tells one that works from one that waits for its turn on a CPU: only the
//! first one's grows. It is read from outside, by the number that the thread has in the system.
//! Linux alone gives it so; elsewhere there is no such number.

/// The number of the calling thread, or 0 where it has none that [`cpu_ms`] could use.
#[cfg(target_os = "linux")]
pub(crate) fn number() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

/// The CPU time of a thread of this process in ms, to the ns; -1 if there is no such thread, or the
/// system does not say.
#[cfg(target_os = "linux")]
pub(crate) fn cpu_ms(thread: i32) -> f64 {
    /// Marks a clock of one thread that counts what the scheduler gave it, as in `CPUCLOCK_SCHED`
    /// and `CPUCLOCK_PERTHREAD_MASK` of `include/linux/posix-timers.h`.
    const THREAD_SCHED: libc::clockid_t = 2 | 4;
    /// No thread has a larger number: `PID_MAX_LIMIT` of `include/linux/threads.h`.
    const MOST: i32 = 1 << 22;
    if !(1..=MOST).contains(&thread) {
        return -1.0;
    }
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid place to write to. The kernel refuses a number that no thread of
    // this process has.
    let refused = unsafe { libc::clock_gettime((!thread << 3) | THREAD_SCHED, &mut time) };
    if refused != 0 {
        return -1.0;
    }
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// See above: there are no such numbers here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn number() -> i32 {
    0
}

/// See above: the system does not say.
#[cfg(not(target_os = "linux"))]
pub(crate) fn cpu_ms(_thread: i32) -> f64 {
    -1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_no_thread_has_have_no_cpu_time() {
        for thread in [i32::MIN, -1, 0, (1 << 22) + 1, 1 << 29, i32::MAX] {
            assert_eq!(cpu_ms(thread), -1.0, "{thread}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn cpu_time_grows_while_a_thread_runs_and_not_while_it_sleeps() {
        use std::sync::mpsc;
        use std::thread;
        use std::time::Duration;

        let (say, said) = mpsc::channel();
        let (go, gone) = mpsc::channel();
        let other = thread::spawn(move || {
            say.send(number()).expect("the test listens");
            gone.recv().expect("the test goes on");
            while cpu_ms(number()) < 20.0 {
                std::hint::spin_loop();
            }
            say.send(0).expect("the test listens");
            gone.recv().expect("the test goes on");
        });
        let thread = said.recv().expect("the thread runs");
        thread::sleep(Duration::from_millis(20));
        assert!(cpu_ms(thread) < 20.0, "it slept");
        go.send(()).expect("the thread waits");
        said.recv().expect("the thread runs");
        assert!(cpu_ms(thread) >= 20.0, "it ran");
        go.send(()).expect("the thread waits");
        other.join().expect("it panicked not");
    }
}
