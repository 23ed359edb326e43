//! A small pool: the real queues, roster, cells and wait words, between submitters and workers that
//! take the same steps as those of `pool::submit`, `pool::shared`, `pool::close` and `worker::run`,
//! without clocks, statistics and futures.

use std::mem;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use cenote_park::{Claim, Spin, SpinRequest, WaitWord, Waiter};
use loom::thread::{self, JoinHandle};

use super::payload::{Act, Ledger, Shape, Tracked, task};
use crate::pool::life::{Life, Phase};
use crate::queue::dispatch::{Dispatch, Search, Wake};
use crate::queue::gate::Refused;
use crate::queue::lane::LaneQueue;
use crate::queue::roster::Mail;
use crate::task::cell::{Joiner, Kind, TaskRef};

pub(super) const NO_LIMIT: usize = usize::MAX;

/// One lane without limits.
pub(super) const FREE: &[LaneLimits] = &[LaneLimits {
    queue: NO_LIMIT,
    running: NO_LIMIT,
}];

#[derive(Clone, Copy)]
pub(super) struct LaneLimits {
    pub(super) queue: usize,
    pub(super) running: usize,
}

/// When workers leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// When so many tasks were run or refused. Whoever does the last of it sends the others home;
    /// so a task that is lost is a deadlock.
    After(usize),
    /// When the pool is closed and nothing is queued.
    Close,
    /// When nothing comes for as long as it takes, if there are more threads than there must be.
    Retire,
}

/// See the module.
pub(super) struct Host {
    pub(super) dispatch: Dispatch,
    pub(super) life: Life,
    pub(super) ledger: Arc<Ledger>,
    end: End,
    workers: usize,
    /// Tasks that were run or refused. Not seen by the checker.
    done: AtomicUsize,
    max_spin: Duration,
    now: Instant,
}

impl Host {
    pub(super) fn new(workers: usize, lanes: &[LaneLimits], end: End) -> Arc<Self> {
        Self::with(workers, lanes, end, Duration::ZERO)
    }

    pub(super) fn with(
        workers: usize,
        lanes: &[LaneLimits],
        end: End,
        max_spin: Duration,
    ) -> Arc<Self> {
        let lanes = lanes
            .iter()
            .map(|lane| LaneQueue::new(lane.queue, lane.running, 0))
            .collect();
        Arc::new(Host {
            dispatch: Dispatch::new(lanes, workers),
            life: Life::new(1, workers),
            ledger: Arc::default(),
            end,
            workers,
            done: AtomicUsize::new(0),
            max_spin,
            now: Instant::now(),
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

    pub(super) fn queued(&self) -> usize {
        self.dispatch
            .lanes()
            .map(|lane| self.dispatch.lane(lane).gate().count())
            .sum()
    }

    /// As `Candidate::try_submit`.
    pub(super) fn submit(
        &self,
        shape: Shape,
        act: Option<Act>,
    ) -> Result<Joiner<Tracked>, Refused> {
        let (task, joiner) = task(&self.ledger, shape, act);
        match self.dispatch.submit(task) {
            Ok(wake) => {
                self.wake(wake);
                Ok(joiner)
            }
            Err((_task, refused)) => {
                self.note_done(None);
                Err(refused)
            }
        }
    }

    /// The second half of `Dispatch::submit`, where no mailbox is open yet.
    pub(super) fn queue(&self, shape: Shape, act: Option<Act>) -> Result<Joiner<Tracked>, Refused> {
        let (task, joiner) = task(&self.ledger, shape, act);
        match self.dispatch.lane(usize::from(shape.lane)).push(task) {
            Ok(_) => {
                self.wake(Wake(self.dispatch.roster().kick(shape.kind, false)));
                Ok(joiner)
            }
            Err((_task, refused)) => {
                self.note_done(None);
                Err(refused)
            }
        }
    }

    /// As `Worker::execute`.
    fn execute(&self, task: TaskRef, worker: usize, locals: bool) {
        let meta = task.header().meta;
        assert!(
            locals || meta.kind == Kind::Closure,
            "a future on a worker that has no place for it"
        );
        let lane = usize::from(meta.lane);
        if task.header().state().try_start() || task.header().state().start() {
            task.run_started();
        }
        self.wake(self.dispatch.ended(lane));
        self.note_done(Some(worker));
    }

    fn note_done(&self, worker: Option<usize>) {
        let done = self.done.fetch_add(1, SeqCst) + 1;
        if self.end == End::After(done) {
            self.kick_all_but(worker);
        }
    }

    fn kick_all_but(&self, worker: Option<usize>) {
        for other in (0..self.workers).filter(|&other| Some(other) != worker) {
            self.wake(Wake(self.dispatch.roster().kick_worker(other)));
        }
    }

    fn is_done(&self) -> bool {
        matches!(self.end, End::After(tasks) if self.done.load(SeqCst) >= tasks)
    }

    /// As `Shared::enter`.
    pub(super) fn close(&self) {
        for lane in self.dispatch.lanes() {
            self.dispatch.lane(lane).gate().close();
        }
        self.life.raise(Phase::Closing);
        self.kick_all_but(None);
    }

    /// As `Shared::worker_may_exit`.
    fn may_exit(&self) -> bool {
        self.life.phase() != Phase::Open && self.queued() == 0
    }

    /// As `Shared::may_retire`.
    fn may_retire(&self) -> bool {
        if !self.life.try_retire() {
            return false;
        }
        if self.queued() > 0 {
            self.life.unretire();
            return false;
        }
        true
    }

    /// A thread that is a worker, with a place for a future or none.
    pub(super) fn worker(self: &Arc<Self>, index: usize, locals: bool) -> JoinHandle<()> {
        let host = Arc::clone(self);
        thread::spawn(move || host.work(index, locals))
    }

    /// A thread that is a worker with an open mailbox already, so that the model begins where that
    /// matters.
    pub(super) fn waiting_worker(self: &Arc<Self>, index: usize) -> JoinHandle<()> {
        assert!(self.dispatch.settle_down(index, false));
        let host = Arc::clone(self);
        thread::spawn(move || host.run(index, false, true))
    }

    pub(super) fn work(self: &Arc<Self>, index: usize, locals: bool) {
        self.run(index, locals, false);
    }

    /// One task, if there is one. Then the thread is gone, as if it were in a closure that does not
    /// end.
    pub(super) fn work_once(&self, index: usize) {
        if let Some(task) = self.next(index, true, &mut Last::default()) {
            self.execute(task, index, true);
        }
    }

    /// As `Worker::run`. `waits`: the mailbox is open.
    fn run(self: &Arc<Self>, index: usize, locals: bool, mut waits: bool) {
        let seat = Seat {
            host: Arc::clone(self),
            index,
        };
        let mut waiter = Waiter::new(seat, self.max_spin);
        let mut kicked = false;
        let mut last = Last {
            next_lane: index,
            ..Last::default()
        };
        let mut may_stand_sentinel = true;
        while !self.is_done() {
            if !waits {
                match self.next(index, locals, &mut last) {
                    Some(task) => {
                        kicked = false;
                        self.execute(task, index, locals);
                        continue;
                    }
                    None if kicked => {
                        kicked = false;
                        self.wake(self.dispatch.pass_on());
                    }
                    None => {}
                }
                if self.may_exit() {
                    // As `Shared::worker_ended`.
                    self.kick_all_but(Some(index));
                    return;
                }
                waits = self.dispatch.settle_down(index, locals) && !self.may_exit();
            }
            if waits && !self.is_done() {
                self.wait(&mut waiter, index, &mut may_stand_sentinel);
            }
            match self.dispatch.get_up(index) {
                Mail::Task(task) => self.execute(task, index, locals),
                Mail::Kick => kicked = true,
                Mail::Nothing => {
                    if waits && self.end == End::Retire && self.may_retire() {
                        self.life.ended(index, true);
                        return;
                    }
                    // What is there cannot be taken yet, or the time of a sleep is over: somebody
                    // else has to take a step.
                    thread::yield_now();
                }
            }
            waits = false;
        }
    }

    /// As `Worker::next`.
    fn next(&self, worker: usize, locals: bool, last: &mut Last) -> Option<TaskRef> {
        let search = Search {
            first_lane: last.next_lane,
            locals,
            sure: last.left_more,
            short: true,
        };
        last.next_lane += 1;
        let Some((taken, wake)) = self.dispatch.next(search) else {
            last.from_queue = false;
            last.left_more = false;
            return None;
        };
        self.wake(wake);
        last.left_more = taken.more.is_some();
        if !mem::replace(&mut last.from_queue, true) {
            self.dispatch.roster().hide(worker);
        }
        Some(taken.task)
    }

    /// As `Worker::wait`.
    fn wait(&self, waiter: &mut Waiter<Seat>, worker: usize, may_stand_sentinel: &mut bool) {
        let roster = self.dispatch.roster();
        let has_mail = || roster.has_mail(worker);
        if waiter.spin_on(&SpinRequest::default(), has_mail, || false) == Spin::Hit
            || !roster.fall_asleep(worker)
        {
            return;
        }
        roster.set_parked(worker, true);
        let sentinel = *may_stand_sentinel && roster.try_stand_sentinel(worker);
        let has_deadline = sentinel || self.end == End::Retire && self.life.is_retirable();
        // In the model a deadline has come when it is looked at.
        waiter.park_futex(has_deadline.then_some(self.now), has_mail);
        *may_stand_sentinel = !sentinel || roster.relieve();
        roster.set_parked(worker, false);
    }
}

/// What a worker knows of its last task.
#[derive(Default)]
struct Last {
    from_queue: bool,
    left_more: bool,
    /// The lane to ask first.
    next_lane: usize,
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
