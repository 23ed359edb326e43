//! Pins worker threads to CPUs: worker `i` to the `i`-th of the CPUs the process may use, and round
//! again if there are more workers.
//!
//! The list of CPUs is taken once, by the thread that builds the pool. A worker cannot take it: it
//! may have been started by a pinned one, whose single CPU it has inherited.

use std::io;

use core_affinity::CoreId;

/// The CPUs that workers are spread over.
#[derive(Clone, Debug)]
pub(crate) struct Cores(Box<[CoreId]>);

impl Cores {
    /// The CPUs that the calling thread may run on.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub(crate) fn allowed() -> io::Result<Cores> {
        match core_affinity::get_core_ids() {
            Some(cores) if !cores.is_empty() => Ok(Cores(cores.into())),
            _ => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the system does not list its CPUs",
            )),
        }
    }

    /// Pins the calling thread to the CPU of a worker. Threads that it starts are pinned there too.
    ///
    /// # Errors
    ///
    /// If the system refuses: the CPU was taken from the process since, or threads cannot be
    /// pinned.
    pub(crate) fn pin(&self, worker: usize) -> io::Result<()> {
        if core_affinity::set_for_current(self.core(worker)) {
            Ok(())
        } else {
            Err(io::Error::other(
                "the system refused to pin the thread to its CPU",
            ))
        }
    }

    fn core(&self, worker: usize) -> CoreId {
        self.0[worker % self.0.len()]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn workers_go_round_the_cores() {
        let cores = Cores([4, 6, 7].map(|id| CoreId { id }).into());
        let ids = [0, 1, 2, 3, 7].map(|worker| cores.core(worker).id);
        assert_eq!(ids, [4, 6, 7, 4, 6]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pinned_thread_may_run_on_its_core_only() {
        let cores = Cores::allowed().expect("Linux lists its CPUs");
        for worker in 0..cores.0.len() * 2 {
            let expected = vec![cores.core(worker)];
            let cores = cores.clone();
            let pinned = std::thread::spawn(move || {
                cores.pin(worker).map(|()| core_affinity::get_core_ids())
            });
            let pinned = pinned.join().expect("pinning does not panic");
            assert_eq!(pinned.expect("the CPU is allowed"), Some(expected));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_core_that_does_not_exist_is_an_error() {
        let cores = Cores([CoreId { id: 1023 }].into());
        let refused = std::thread::spawn(move || cores.pin(0))
            .join()
            .expect("pinning does not panic");
        assert!(refused.is_err());
    }
}
