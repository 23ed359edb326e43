//! A small pool: the real queues, roster, cells and wait words, between submitters and workers that take the same steps as those of
//! `pool::submit`, `pool::shared` and `worker::run`, without clocks, statistics and futures.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use cenote_park::{Claim, Spin, SpinRequest, WaitWord, Waiter};
use loom::thread::{self, JoinHandle};

use super::payload::{Act, Ledger, Shape, Tracked, task};
use crate::queue::dispatch::{Dispatch, Search, Wake};
use crate::queue::gate::Refused;
use crate::queue::lane::LaneQueue;
use crate::queue::roster::Mail;
use crate::task::cell::{Joiner, TaskRef};

pub(super) const NO_LIMIT: usize = usize::MAX;

/// See the module.
pub(super) struct Host {
    pub(super) dispatch: Dispatch,
    pub(super) ledger: Arc<Ledger>,
    workers: usize,
    /// The workers leave when so many tasks have settled.
    expected: AtomicUsize,
    settled: AtomicUsize,
    max_spin: Duration,
}

impl Host {
    /// With one lane for each pair of queue limit and `max_running`. The workers leave when `expected` tasks were run.
    pub(super) fn new(workers: usize, lanes: &[(usize, usize)], expected: usize) -> Arc<Self> {
        let lanes = lanes
            .iter()
            .map(|&(limit, max_running)| LaneQueue::new(limit, max_running, 0))
            .collect();
        Arc::new(Host {
            dispatch: Dispatch::new(lanes, workers),
            ledger: Arc::default(),
            workers,
            expected: AtomicUsize::new(expected),
            settled: AtomicUsize::new(0),
            max_spin: Duration::ZERO,
        })
    }

    /// As `Shared::wake`.
    pub(super) fn wake(&self, wake: Wake) {
        if let Some(sent) = wake.0
            && sent.asleep
        {
            let word = self.dispatch.roster().word(sent.worker);
            if word.claim() == Claim::Futex {
                word.wake_futex();
            }
        }
    }

    /// As `Candidate::try_submit`.
    pub(super) fn submit(&self, shape: Shape, act: Option<Act>) -> Result<Joiner<Tracked>, Refused> {
        let (task, joiner) = task(&self.ledger, shape, act);
        match self.dispatch.submit(task) {
            Ok(wake) => {
                self.wake(wake);
                Ok(joiner)
            }
            Err((_task, refused)) => Err(refused),
        }
    }

    /// As `Worker::execute`.
    pub(super) fn execute(&self, task: TaskRef) {
        let lane = usize::from(task.header().meta.lane);
        if task.header().state().try_start() || task.header().state().start() {
            task.run_started();
        }
        self.wake(self.dispatch.ended(lane));
        if self.settled.fetch_add(1, SeqCst) + 1 == self.expected.load(SeqCst) {
            for worker in 0..self.workers {
                self.wake(Wake(self.dispatch.roster().kick_worker(worker)));
            }
        }
    }

    fn is_over(&self) -> bool {
        self.settled.load(SeqCst) >= self.expected.load(SeqCst)
    }

    /// A thread that is a worker, with a place for a future or none.
    pub(super) fn worker(self: &Arc<Self>, index: usize, locals: bool) -> JoinHandle<()> {
        let host = Arc::clone(self);
        thread::spawn(move || host.work(index, locals))
    }

    /// As `Worker::run`.
    pub(super) fn work(self: &Arc<Self>, index: usize, locals: bool) {
        let seat = Seat {
            host: Arc::clone(self),
            index,
        };
        let mut waiter = Waiter::new(seat, self.max_spin);
        let mut kicked = false;
        loop {
            match self.dispatch.next(Search {
                first_lane: 0,
                locals,
            }) {
                Some((taken, wake)) => {
                    kicked = false;
                    self.wake(wake);
                    self.execute(taken.task);
                    continue;
                }
                None if kicked => {
                    kicked = false;
                    self.wake(self.dispatch.pass_on());
                }
                None => {}
            }
            let waits = self.dispatch.settle_down(index, locals);
            if waits && !self.is_over() {
                self.wait(&mut waiter, index);
            }
            match self.dispatch.get_up(index) {
                Mail::Task(task) => self.execute(task),
                Mail::Kick => kicked = true,
                Mail::Nothing => {}
            }
            if self.is_over() {
                return;
            }
            if !waits {
                // A task that cannot be taken yet: somebody else has to take a step.
                thread::yield_now();
            }
        }
    }

    /// As `Worker::wait`.
    fn wait(&self, waiter: &mut Waiter<Seat>, index: usize) {
        let roster = self.dispatch.roster();
        let has_mail = || roster.has_mail(index);
        if waiter.spin_on(&SpinRequest::default(), has_mail, || false) == Spin::Hit || !roster.fall_asleep(index) {
            return;
        }
        roster.set_parked(index, true);
        waiter.park_futex(None, has_mail);
        roster.set_parked(index, false);
    }

    /// At the end of an execution, with all threads gone.
    pub(super) fn assert_all_run(&self) {
        assert_eq!(self.ledger.runs(), self.expected.load(SeqCst), "tasks were lost, or run twice");
    }
}

/// As `SeatWord`.
struct Seat {
    host: Arc<Host>,
    index: usize,
}

impl Deref for Seat {
    type Target = WaitWord;

    fn deref(&self) -> &WaitWord {
        self.host.dispatch.roster().word(self.index)
    }
}
