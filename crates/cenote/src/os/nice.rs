//! Sets the niceness of one thread, so that a pool's work yields to the rest of the process.
//!
//! Linux keeps a niceness per thread. The other Unixes keep one per process, and lowering all of
//! the process for one pool's sake is not what was asked: there it is an error.

use std::io;

/// Sets the calling thread's niceness, from -20 (most favoured) to 19; values beyond count as the
/// nearest.
///
/// Threads that it starts inherit it.
///
/// # Errors
///
/// `PermissionDenied` if the niceness is below the present one and the process lacks the privilege;
/// `Unsupported` on systems without a niceness per thread.
pub(crate) fn set(niceness: i32) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // No process id means the calling thread here, whatever POSIX says.
        rustix::process::setpriority_process(None, niceness)?;
        Ok(())
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = niceness;
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this system has no niceness per thread",
        ))
    }
}

#[cfg(all(test, not(loom), target_os = "linux"))]
mod tests {
    use super::*;

    fn get() -> i32 {
        rustix::process::getpriority_process(None).expect("the calling thread exists")
    }

    #[test]
    fn only_the_calling_thread_becomes_nicer() {
        let before = get();
        let nicer = (before + 3).min(19);
        let there = std::thread::spawn(move || set(nicer).map(|()| get())).join();
        assert_eq!(
            there
                .expect("it does not panic")
                .expect("nicer is allowed to all"),
            nicer
        );
        assert_eq!(get(), before);
    }

    #[test]
    fn too_nice_counts_as_the_nicest() {
        let there = std::thread::spawn(|| set(1_000).map(|()| get())).join();
        assert_eq!(
            there
                .expect("it does not panic")
                .expect("nicer is allowed to all"),
            19
        );
    }
}
