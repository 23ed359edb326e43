//! Waiting for a place in a full queue: the one protocol between those who wait and those who make
//! room.
//!
//! The gate's word says whether somebody waits, so that a worker that takes a task from a queue
//! for which nobody waits pays nothing. Who waits enters the list, sets the flag, and looks once
//! more. Who makes room clears the flag, tells one, and sets it again if others are left; then it
//! looks itself, for room that was made between the two steps was told to nobody.
//!
//! A place may also be held by a permit, before there is a task for it: see [`Reserved`].

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::bell::{Bell, Ticket};
use super::queue::gate::Gate;

/// The waiting room of one lane.
#[derive(Debug, Default)]
pub(crate) struct Room {
    bell: Bell,
    /// Places that are held by permits.
    pub(crate) reserved: Reserved,
}

impl Room {
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// After the gate has refused for want of room. `None`: there is an answer, so ask again.
    pub(crate) fn wait(&self, gate: &Gate) -> Option<Ticket> {
        let mut ticket = self.bell.enter();
        gate.set_waiters();
        // Room that was made before the flag was set was told to nobody.
        if gate.has_answer() {
            self.bell.leave(&mut ticket);
            return None;
        }
        Some(ticket)
    }

    /// There is room, and somebody waits for it.
    pub(crate) fn made(&self, gate: &Gate) {
        gate.clear_waiters();
        self.bell.tell(1);
        if self.bell.has_listeners() {
            gate.set_waiters();
            // Room that was made between the two steps was told to nobody.
            if gate.has_answer() {
                self.bell.tell_all();
            }
        }
    }

    /// There will be none.
    pub(crate) fn closed(&self) {
        self.bell.tell_all();
    }
}

/// How many places of a lane's queue are held by permits, in the lower half; and, in the upper
/// half, how often that changed.
///
/// The gate counts them as well. Each is added after the gate has admitted it, and removed before
/// its place becomes a task's or is given back: so what the gate has besides them is no less than
/// the tasks.
#[derive(Debug, Default)]
pub(crate) struct Reserved(AtomicU64);

impl Reserved {
    const CHANGE: u64 = 1 << 32;

    pub(crate) fn add(&self) {
        // Release: pairs with the first load of `without`, which then sees the admission.
        self.0.fetch_add(Self::CHANGE + 1, Ordering::Release);
    }

    /// Returns how many are left.
    pub(crate) fn remove(&self) -> usize {
        let before = self.0.fetch_add(Self::CHANGE - 1, Ordering::Relaxed);
        // Pairs with the fence in `without`: whoever sees the gate's next step sees this one.
        fence(Ordering::Release);
        Self::count(before) - 1
    }

    /// Of what the gate counts, those that are tasks. A permit may pass for a task for a moment,
    /// but never a task for a permit.
    pub(crate) fn without(&self, admitted: impl Fn() -> usize) -> usize {
        loop {
            // Acquire: pairs with `add`.
            let before = self.0.load(Ordering::Acquire);
            let admitted = admitted();
            // Pairs with the fence in `remove`.
            fence(Ordering::Acquire);
            if self.0.load(Ordering::Relaxed) == before {
                return admitted.saturating_sub(Self::count(before));
            }
        }
    }

    fn count(word: u64) -> usize {
        (word % Self::CHANGE) as usize
    }
}
