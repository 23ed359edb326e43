//! How a worker runs one task, and records it.
//!
//! A record is put off until the worker has looked for the next task: whoever waited for this one
//! may be about to submit that.

use std::sync::atomic::Ordering;

use super::Worker;
use crate::clock::Stamp;
use crate::engine::step::Runs;
use crate::task::cell::{Ran, TaskRef};
use crate::task::extra::Extra;
use crate::task::loan::Loan;
use crate::task::outcome::Outcome;

/// Tasks up to this average are short: a deputy takes several of them in the time another worker
/// takes to wake up.
pub(super) const SHORT_NANOS: u64 = 5_000;

/// A task that has run and is not recorded yet.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    lane: usize,
    ran: Ran,
    /// In ticks.
    submitted: u64,
    began: Stamp,
    ended: Stamp,
}

impl Worker {
    /// Runs a task, or drops its work if it was settled.
    pub(crate) fn execute(&self, task: TaskRef, runs: Runs) {
        self.record_pending();
        task.prefetch();
        let began = Stamp::now();
        let header = task.header();
        let fresh = header.state().try_start(self.sole.get());
        self.sole.set(fresh == Some(true));
        if fresh.is_none() && !self.start_guarded(&task) {
            if runs == Runs::Lent {
                // Its queue has it too: what is to be done with it is done there.
                return;
            }
            let lane = usize::from(header.meta.lane);
            self.return_loan(lane, header.extra().and_then(Extra::take_borrowed));
            self.found_settled(
                &task,
                lane,
                began.nanos_since(Stamp::from_bits(header.submitted)),
            );
            task.discard();
            if runs == Runs::Placed {
                self.gone_from(lane);
            }
            return;
        }
        let placed = runs == Runs::Placed;
        self.run_started(task, began, placed, fresh == Some(true));
    }

    /// Starts a task that is not just as it was made.
    #[cold]
    fn start_guarded(&self, task: &TaskRef) -> bool {
        let header = task.header();
        let Some(extra) = header.extra() else {
            return header.state().start();
        };
        if extra.is_queue_timed_out() {
            task.settle_queued(Outcome::QueueTimedOut);
        }
        header.state().start()
    }

    /// Runs a task whose `start` this worker has won. `placed`: it has a place of its own among its
    /// lane's running. `sole`: there is no other reference to it.
    fn run_started(&self, task: TaskRef, began: Stamp, placed: bool, sole: bool) {
        let header = task.header();
        let lane = usize::from(header.meta.lane);
        let submitted = header.submitted;
        let seat = self.shared.engine.seat(self.index);
        let slot = self.shared.slot(self.index);
        // What is outside of this one, where it runs inside of another.
        let outer = (
            seat.busy_since.load(Ordering::Relaxed),
            slot.lane.load(Ordering::Relaxed),
            self.polls.replace(false),
            self.lent.take(),
        );
        seat.busy_since.store(began.to_bits(), Ordering::Relaxed);
        slot.lane.store(lane as u32 + 1, Ordering::Relaxed);
        self.placed.set(placed);
        let borrowed = header.extra().and_then(Extra::take_borrowed);
        let outer_borrowed = self.borrowed.replace(borrowed);
        let ran = task.run_started(sole);
        let borrowed = self.borrowed.replace(outer_borrowed);
        let lent = self.lent.replace(outer.3);
        self.polls_no_more(outer.2);
        slot.lane.store(outer.1, Ordering::Relaxed);
        seat.busy_since.store(outer.0, Ordering::Relaxed);
        if ran == Ran::Left {
            // A turn is due: the future is polled for the first time before another closure may
            // hold it up.
            self.turned.set(0);
        } else {
            self.return_loan(lane, borrowed);
            if placed && lent.is_none_or(|(_, loan)| loan.end()) {
                self.gone_from(lane);
            }
        }
        self.pending.set(Some(Pending {
            lane,
            ran,
            submitted,
            began,
            ended: Stamp::now(),
        }));
    }

    /// Records the task that ran last, and turns the runtime if that is due. Put off until the
    /// worker has looked for the next task, or has opened its mailbox for it: whoever waited for
    /// this one may be about to submit that.
    pub(crate) fn record_pending(&self) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        if let Ran::Settled(outcome) = pending.ran {
            let nanos = pending.ended.nanos_since(pending.began);
            let waited = pending
                .began
                .nanos_since(Stamp::from_bits(pending.submitted));
            self.record_run(pending.lane, outcome, waited, nanos);
            let average = self.average_run.get();
            let average = average - average / 8 + nanos / 8;
            self.average_run.set(average);
            self.step.set_average_run(average);
            self.step
                .set_deputy(&self.shared.engine, average <= SHORT_NANOS);
        }
        self.shared.slot(self.index).record_is_done();
    }

    /// Runs a task that nobody has started, from inside of another one that waits for it.
    pub(super) fn run_now(&self, task: &TaskRef) {
        let header = task.header();
        let lane = usize::from(header.meta.lane);
        // A task that waits for another one of its own lane lends it its place.
        let outer_lane = self.shared.slot(self.index).lane.load(Ordering::Relaxed);
        let own = lane as u32 + 1;
        let lent = outer_lane == own || self.outer_lanes.borrow().contains(&own);
        if !lent && !self.shared.engine.dispatch.lane(lane).begin() {
            return;
        }
        if header.state().start() {
            let began = Stamp::now();
            self.outer_lanes.borrow_mut().push(outer_lane);
            self.run_started(task.clone(), began, !lent, false);
            self.outer_lanes.borrow_mut().pop();
            self.record_pending();
        } else if !lent {
            self.gone_from(lane);
        }
    }

    /// A task that had another's place has ended.
    pub(super) fn return_loan(&self, lane: usize, loan: Option<Loan>) {
        if loan.is_some_and(Loan::end) {
            self.gone_from(lane);
        }
    }

    /// A task of the lane has settled, or will not run.
    pub(super) fn gone_from(&self, lane: usize) {
        let engine = &self.shared.engine;
        engine.wake(engine.dispatch.ended(lane));
    }

    /// A task came out of the queue that will not run: settled meanwhile, or run by somebody who
    /// waited for it.
    fn found_settled(&self, task: &TaskRef, lane: usize, waited: u64) {
        let Some(outcome) = task.snapshot().unstarted() else {
            return;
        };
        self.shared
            .slot(self.index)
            .recorder
            .lane(lane)
            .record(outcome, waited, None);
    }

    pub(super) fn record_run(&self, lane: usize, outcome: Outcome, waited: u64, nanos: u64) {
        let recorder = &self.shared.slot(self.index).recorder;
        recorder.lane(lane).record(outcome, waited, Some(nanos));
        recorder.add_busy(nanos);
    }
}
