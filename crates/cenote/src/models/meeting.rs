//! Places where threads of a model wait for each other.

use loom::sync::{Condvar, Mutex};

/// Tasks that wait in here for each other have to run at the same time, so no worker may sleep
/// while one of them is queued.
pub(super) struct Meeting {
    missing: Mutex<usize>,
    complete: Condvar,
}

impl Meeting {
    pub(super) fn of(guests: usize) -> Self {
        Meeting {
            missing: Mutex::new(guests),
            complete: Condvar::new(),
        }
    }

    /// Does not wait.
    pub(super) fn come(&self) {
        *self.missing.lock().unwrap() -= 1;
        self.complete.notify_all();
    }

    pub(super) fn wait(&self) {
        let mut missing = self.missing.lock().unwrap();
        while *missing > 0 {
            missing = self.complete.wait(missing).unwrap();
        }
    }

    pub(super) fn come_and_wait(&self) {
        self.come();
        self.wait();
    }
}
