//! Tells whether the process is a forked copy of the one that built something.
//!
//! A fork copies the memory and only the calling thread: a pool in the child has no workers, and
//! locks that others held stay locked. [`generation`] differs between parent and child, so whoever
//! keeps the one it was built in can refuse instead of hanging. A handler that the C library runs
//! in the child counts it; a child made by the bare system call (`clone`, `vfork`) is not seen.

#[cfg(unix)]
use std::sync::{
    Once,
    atomic::{AtomicU32, Ordering},
};

#[cfg(unix)]
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between this process and the one that first called [`install`]. 0 on systems
/// without `fork`.
#[inline]
pub(crate) fn generation() -> u32 {
    // Relaxed: it changes only while the process has a single thread.
    #[cfg(unix)]
    return GENERATION.load(Ordering::Relaxed);
    #[cfg(not(unix))]
    0
}

/// Begins to count forks. To be called before anything keeps a [`generation`]; again is free.
///
/// If the system has no memory left for it, forks are not seen.
pub(crate) fn install() {
    #[cfg(unix)]
    {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            // SAFETY: the handler lives as long as this code (where a library can be unloaded, the
            // C library forgets its handlers then), and does only what a child of a process with
            // threads may do: one atomic addition.
            unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
        });
    }
}

#[cfg(unix)]
extern "C" fn count_fork() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Running something in a forked child, for tests.
#[cfg(all(test, not(cenote_loom), unix))]
pub(crate) mod testing {
    /// Runs `child` in a forked child and gives its exit status; `None` if a signal ended it.
    ///
    /// `child` must get by with what a forked copy of a process with many threads has: locks that
    /// other threads held are never released. An alarm ends a child that hangs.
    pub(crate) fn in_child(child: impl FnOnce() -> u8) -> Option<i32> {
        // SAFETY: the child runs only `child`, which its author promises to be fit for that, and
        // then ends without unwinding or exit handlers.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: no pointers; the default action of the signal ends the process.
            unsafe { libc::alarm(30) };
            let status =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101);
            // SAFETY: it ends the process at once, and nothing of it is needed any more.
            unsafe { libc::_exit(i32::from(status)) };
        }
        assert!(pid > 0, "fork: {}", std::io::Error::last_os_error());
        let mut status = 0;
        // SAFETY: `status` is a place for an int, and `pid` is a child nobody else waits for.
        let waited = unsafe { libc::waitpid(pid, &mut status, 0) };
        assert_eq!(waited, pid, "waitpid: {}", std::io::Error::last_os_error());
        libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status))
    }
}

#[cfg(all(test, not(cenote_loom), unix))]
mod tests {
    use super::testing::in_child;
    use super::*;

    #[test]
    fn a_child_has_another_generation_and_the_parent_keeps_its_own() {
        install();
        let parent = generation();
        let status = in_child(|| u8::from(generation() == parent.wrapping_add(1)));
        assert_eq!(status, Some(1));
        assert_eq!(generation(), parent);
    }

    #[test]
    fn a_grandchild_has_yet_another() {
        install();
        let parent = generation();
        let status = in_child(|| {
            let inner = in_child(|| u8::from(generation() == parent.wrapping_add(2)));
            u8::from(inner == Some(1))
        });
        assert_eq!(status, Some(1));
    }

    #[test]
    fn installing_again_counts_each_fork_once() {
        install();
        install();
        let parent = generation();
        assert_eq!(
            in_child(|| u8::from(generation() == parent.wrapping_add(1))),
            Some(1)
        );
    }
}
