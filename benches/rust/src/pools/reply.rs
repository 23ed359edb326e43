//! How a result comes back from a pool that has no results of its own: a channel of one place, made
//! once and used for every round trip of one caller.

use std::sync::mpsc;

/// The caller's end. A pool uses the channel that gives it the shorter round trip.
#[derive(Debug)]
pub struct Reply {
    /// Its receiver spins and yields before it sleeps.
    spinning: (
        crossbeam_channel::Sender<u64>,
        crossbeam_channel::Receiver<u64>,
    ),
    /// Its receiver sleeps at once.
    sleeping: (mpsc::SyncSender<u64>, mpsc::Receiver<u64>),
}

impl Default for Reply {
    fn default() -> Reply {
        Reply {
            spinning: crossbeam_channel::bounded(1),
            sleeping: mpsc::sync_channel(1),
        }
    }
}

impl Reply {
    /// Lets `spawn` start a task that sends its result here, and waits for it, spinning first.
    pub(super) fn spin_for(&self, spawn: impl FnOnce(crossbeam_channel::Sender<u64>)) -> u64 {
        spawn(self.spinning.0.clone());
        self.spinning.1.recv().expect("this side holds a sender")
    }

    /// Lets `spawn` start a task that sends its result here, and waits for it, asleep.
    pub(super) fn sleep_for(&self, spawn: impl FnOnce(mpsc::SyncSender<u64>)) -> u64 {
        spawn(self.sleeping.0.clone());
        self.sleeping.1.recv().expect("this side holds a sender")
    }
}

/// Why a result could not be sent: never, while a caller waits for it.
pub(super) const WAITED_FOR: &str = "the caller waits for the result";
