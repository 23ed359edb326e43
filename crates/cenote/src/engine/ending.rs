//! The way of a pool to its end: what is refused, what is settled without a run, and when a worker
//! may leave.

use std::sync::atomic::Ordering;

use super::life::Phase;
use super::{Engine, Support};
use crate::task::outcome::Outcome;

impl Engine {
    pub(crate) fn is_ending(&self) -> bool {
        self.life.phase() != Phase::Open
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.life.phase() == Phase::ShutDown
    }

    /// No worker could be started.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Accepts nothing any more.
    pub(crate) fn close_gates(&self) {
        for lane in self.dispatch.lanes() {
            if self.dispatch.lane(lane).gate().close() {
                self.rooms[lane].closed();
            }
        }
    }

    /// Goes on to a phase, and sends every worker to look.
    pub(crate) fn enter(&self, phase: Phase) {
        self.close_gates();
        self.life.raise(phase);
        self.kick_all();
    }

    /// After a task was queued behind a closed gate: there may be no worker left that comes to it.
    #[cold]
    pub(crate) fn settle_if_ended(&self, support: &impl Support) {
        // The lock of the counts puts this look after the last worker's end, or else before that
        // worker's own look at the queues.
        if !self.is_shut_down() && self.life.counts().all() > 0 {
            return;
        }
        let outcome = if self.is_broken() {
            Outcome::Lost
        } else {
            Outcome::Cancelled
        };
        self.settle_queued(outcome);
        // Where workers are left, they drop what was settled.
        if self.life.counts().all() == 0 {
            self.bury(support);
        }
        self.drained.tell_all();
    }

    /// Settles what is queued. Returns how many tasks that were. Runs no code of the user's: the
    /// tasks stay in the queues until a worker drops their work, or [`bury`](Self::bury).
    pub(crate) fn settle_queued(&self, outcome: Outcome) -> usize {
        let mut settled = 0;
        for lane in self.dispatch.lanes() {
            // Settled without the lane's lock, which each takes to give up its place.
            for task in self.dispatch.lane(lane).reachable() {
                settled += usize::from(task.settle_queued(outcome));
            }
        }
        // After the queues, from which tasks go to the lists.
        let emptied = self
            .dispatch
            .empty_lists(|task| settled += usize::from(task.settle_queued(outcome)));
        if emptied {
            self.kick_all();
        }
        settled
    }

    /// Drops the work of the settled tasks in the queues, where no worker is left to do it. What is
    /// not settled yet ends as cancelled.
    fn bury(&self, support: &impl Support) {
        for lane in self.dispatch.lanes() {
            while let Some(taken) = self.dispatch.lane(lane).pop_unrun() {
                taken.task.settle_queued(Outcome::Cancelled);
                support.note_unrun(&taken.task);
                taken.task.discard();
            }
        }
    }

    /// In an ending pool, whether a worker has nothing left to do. `locals`: its tasks' futures;
    /// `background`: those that no task waits for.
    pub(crate) fn worker_may_exit(&self, seat: usize, locals: usize, background: usize) -> bool {
        match self.life.phase() {
            Phase::Open => false,
            Phase::ShutDown => self.is_empty(),
            Phase::Dropped => self.is_empty() && locals == 0,
            Phase::Closing => {
                if !self.is_empty() || background > 0 {
                    return false;
                }
                let seat = &self.seats[seat];
                let closers = seat.closers.load(Ordering::Relaxed);
                if closers > 0
                    && locals <= closers
                    && !seat.is_drained.swap(true, Ordering::Relaxed)
                {
                    self.drained_workers.fetch_add(1, Ordering::AcqRel);
                    self.drained.tell_all();
                }
                locals == 0
            }
        }
    }

    /// A worker's state could not be made, in all the attempts it has. True: it was the last one,
    /// and no task will run.
    pub(crate) fn worker_failed(&self, seat: usize, support: &impl Support) -> bool {
        let is_last = self.life.failed(seat, |left| {
            // With the count: whoever finds no thread also finds the pool broken.
            let is_last = left.all() == 0;
            if is_last {
                self.broken.store(true, Ordering::Release);
            }
            is_last
        });
        if is_last {
            self.close_gates();
            self.settle_queued(Outcome::Lost);
            self.bury(support);
            self.drained.tell_all();
        }
        is_last
    }

    /// A worker's thread is about to end; it touches nothing of the engine's any more. True: it was
    /// the last one of a pool that ends. `min`: how many threads there must be in one that goes on.
    pub(crate) fn worker_ended(
        &self,
        seat: usize,
        retired: bool,
        min: usize,
        support: &impl Support,
    ) -> bool {
        let left = self.life.ended(seat, retired);
        if self.is_ending() {
            // Those that waited for the end of tasks they could not take, which this worker may
            // have taken.
            self.kick_all();
            let is_last = left.all() == 0;
            if is_last {
                // A task that was put in a queue while the last worker left.
                self.settle_queued(Outcome::Cancelled);
                self.bury(support);
            }
            self.drained.tell_all();
            return is_last;
        }
        if !retired && left.starting + left.live < min {
            // The thread ended by itself, which only a fault of the pool's can do: the tasks go on
            // all the same.
            let _ = self.start_thread(support);
        }
        false
    }

    /// A worker that was idle for long, and whose mailbox is closed, asks whether it may end.
    pub(crate) fn may_retire(&self) -> bool {
        if !self.life.try_retire() {
            return false;
        }
        if !self.is_empty() {
            self.life.unretire();
            return false;
        }
        true
    }
}
