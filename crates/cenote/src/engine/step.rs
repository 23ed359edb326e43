//! The loop of a worker: what it does next, and how it waits.
//!
//! Tasks first: what was put in the mailbox, then the queues. When there is nothing: announce, look
//! once more, open the mailbox, spin; then sleep, on the futex if nothing else lives on the thread,
//! else in its driver. Each pass decides anew which of the two.
//!
//! The loop is the engine's; the thread that it runs on is a [`Host`], which runs the tasks.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::time::{Duration, Instant};

use cenote_park::{Participants, Spin, SpinRequest, WaitWord, Waiter, glance};

use super::Engine;
use super::queue::cover::SENTINEL_PERIOD;
use super::queue::dispatch::Search;
use super::queue::roster::Mail;
use super::queue::run_list::LONGEST;
use crate::sync;
use crate::task::cell::TaskRef;

/// Some 300 ns, a few times: what a hand-off through the mailbox takes, and a few more. The first
/// look comes at once.
const LINGER_PAUSES: u32 = 8;
const LINGER_LOOKS: u32 = if cfg!(cenote_loom) { 1 } else { 7 };

/// When nothing has come for so long, leftovers are cleared away.
const REST: Duration = Duration::from_millis(10);

/// Of short tasks, so many are taken at once as take this time together.
const BATCH_NANOS: u64 = 20_000;

/// What a task that is taken has of a lane's places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    /// One of its own, to be given back.
    Placed,
    /// None: it was settled before it started, and its work is to be dropped.
    Settled,
    /// That of the task that awaits it. It is in a queue as well.
    Lent,
}

/// What the loop needs of the thread that it runs on.
pub(crate) trait Host {
    /// What the thread is in while it runs tasks.
    type Context<'a>
    where
        Self: 'a;

    fn engine(&self) -> &Engine;

    /// Enters the context, when there is one. Called before each pass, until it says `Some`.
    fn enter(&self) -> Option<Self::Context<'_>>;

    /// The loop is over, whatever there is to do. Asked before each pass.
    fn leaves(&self) -> bool {
        false
    }

    /// Runs a task, or drops its work.
    fn execute(&self, task: TaskRef, runs: Runs);

    /// A task was run: gives what else lives on the thread its turn, if that is due.
    fn after_task(&self);

    /// There is room for another future.
    fn has_place(&self) -> bool;

    /// Something else lives on the thread, which therefore sleeps in its driver.
    fn is_shared(&self) -> bool;

    /// In an ending pool: nothing is left to do here.
    fn may_exit(&self) -> bool;

    /// The worker was idle for long: it may ask whether it may end.
    fn may_retire(&self) -> bool {
        !self.is_shared()
    }

    /// Nothing was found, and the mailbox is open for the next task.
    fn found_nothing(&self);

    /// Sleeps in the driver, until there is mail or nothing else lives on the thread.
    fn sleep_in_driver(&self);

    /// A sleep on the futex is over.
    fn slept(&self);

    /// There is something to clear away when nothing comes for a while.
    fn has_leftovers(&self) -> bool;

    /// Clears some of it away.
    fn clear_leftovers(&self);

    /// How long the worker may be idle before it asks whether it may end.
    fn idle_timeout(&self) -> Duration;

    /// When so much time will have passed. `None`: never.
    fn deadline(&self, after: Duration) -> Option<Instant>;
}

/// One worker's side of the loop.
pub(crate) struct Step<W: Deref<Target = WaitWord>> {
    seat: usize,
    pub(crate) waiter: RefCell<Waiter<W>>,
    may_spin: bool,
    /// The lane that is asked first.
    next_lane: Cell<usize>,
    /// The worker is awake, and its tasks are short: see [`cover`](super::queue::cover).
    deputy: Cell<bool>,
    may_stand_sentinel: Cell<bool>,
    /// How long the worker's tasks take on average, in nanoseconds.
    average_run: Cell<u64>,
    /// There may be tasks in the worker's run list.
    listed: Cell<bool>,
    /// A task was left in the queue behind the last one that was taken.
    backlog: Cell<bool>,
    /// The last task came from a queue, not from the mailbox.
    from_queue: Cell<bool>,
}

impl<W: Deref<Target = WaitWord>> Step<W> {
    pub(crate) fn new(seat: usize, waiter: Waiter<W>, may_spin: bool) -> Self {
        Step {
            seat,
            waiter: RefCell::new(waiter),
            may_spin,
            next_lane: Cell::new(seat),
            deputy: Cell::new(false),
            may_stand_sentinel: Cell::new(true),
            average_run: Cell::new(0),
            listed: Cell::new(false),
            backlog: Cell::new(false),
            from_queue: Cell::new(false),
        }
    }

    /// Returns when the thread is to end; true if it retired from a pool that goes on.
    pub(crate) fn run(&self, host: &impl Host) -> bool {
        self.run_from(host, false)
    }

    /// The same. `waits`: the mailbox is open already.
    pub(crate) fn run_from(&self, host: &impl Host, mut waits: bool) -> bool {
        let dispatch = &host.engine().dispatch;
        let mut context = None;
        let mut kicked = false;
        let mut lingered = false;
        loop {
            if host.leaves() {
                return false;
            }
            if context.is_none() {
                context = host.enter();
            }
            if !waits {
                match self.next(host) {
                    Some((task, runs)) => {
                        (kicked, lingered) = (false, false);
                        host.execute(task, runs);
                        host.after_task();
                        continue;
                    }
                    None if !lingered && self.linger(host) => {
                        lingered = true;
                        continue;
                    }
                    None if kicked => {
                        kicked = false;
                        host.engine().wake(dispatch.pass_on());
                    }
                    None => {}
                }
                lingered = false;
                if host.may_exit() {
                    return false;
                }
                // Once more after the announcement: whoever raised the phase before has found the
                // mailbox closed, and kicked nobody. Pairs with the fence in `kick_worker`.
                waits = dispatch.settle_down(self.seat, host.has_place()) && !host.may_exit();
            }
            host.found_nothing();
            let idle_for_long = waits && self.wait(host);
            waits = false;
            match dispatch.get_up(self.seat) {
                Mail::Task(task) => {
                    host.execute(task, Runs::Placed);
                    host.after_task();
                }
                Mail::Kick => kicked = true,
                Mail::Nothing => {
                    if idle_for_long && host.may_retire() && host.engine().may_retire() {
                        return true;
                    }
                    // What is there cannot be taken yet, or the time of a sleep is over: somebody
                    // else has to take a step.
                    sync::yield_in_model();
                }
            }
        }
    }

    /// The next task, if there is one for this worker, and in which place it runs.
    pub(crate) fn next(&self, host: &impl Host) -> Option<(TaskRef, Runs)> {
        let engine = host.engine();
        if let Some(task) = engine.dispatch.take_lent() {
            return Some((task, Runs::Lent));
        }
        if self.listed.get() {
            if let Some(task) = engine.dispatch.next_listed(self.seat) {
                return Some((task, Runs::Placed));
            }
            self.listed.set(false);
        }
        let search = Search {
            seat: self.seat,
            first_lane: self.next_lane.get(),
            locals: host.has_place(),
            sure: self.backlog.get(),
            batch: self.batch(),
        };
        self.next_lane.set(search.first_lane.wrapping_add(1));
        let Some((taken, wake)) = engine.dispatch.next(search) else {
            self.backlog.set(false);
            let (task, wake) = engine.dispatch.steal()?;
            engine.wake(wake);
            return Some((task, Runs::Placed));
        };
        engine.wake(wake);
        self.backlog.set(taken.more.is_some());
        self.listed.set(taken.listed > 0);
        if self.deputy.get() && !self.from_queue.replace(true) {
            engine.dispatch.roster().hide(self.seat);
        }
        if taken.wanted_room {
            let lane = usize::from(taken.task.header().meta.lane);
            engine.room(lane).made(engine.dispatch.lane(lane).gate());
        }
        let runs = if taken.runs {
            Runs::Placed
        } else {
            Runs::Settled
        };
        Some((taken.task, runs))
    }

    /// How many tasks the worker may take at once: 0 if its tasks are not short.
    fn batch(&self) -> usize {
        if !self.deputy.get() {
            return 0;
        }
        // What is taken together waits for each other, while a task of a higher band may come.
        let most = BATCH_NANOS / self.average_run.get().max(1);
        usize::try_from(most)
            .unwrap_or(usize::MAX)
            .clamp(1, LONGEST)
    }

    /// How long the worker's tasks take on average.
    pub(crate) fn set_average_run(&self, nanos: u64) {
        self.average_run.set(nanos);
    }

    /// Whether the worker's tasks are short.
    pub(crate) fn set_deputy(&self, engine: &Engine, deputy: bool) {
        if self.deputy.replace(deputy) != deputy {
            engine
                .dispatch
                .roster()
                .cover()
                .set_deputy(self.seat, deputy);
        }
    }

    /// Where short tasks come through the queue, waits a moment for the next ones, with the mailbox
    /// closed: opened and closed for each, it would cost worker and submitter more than the tasks.
    /// Looks seldom, so that several can gather. True: there is something in a queue.
    fn linger(&self, host: &impl Host) -> bool {
        if !self.from_queue.replace(false) || !self.deputy.get() || !self.may_spin {
            return false;
        }
        let has_task = || host.engine().dispatch.has_task(host.has_place());
        let found = glance(
            Participants::global(),
            LINGER_LOOKS,
            LINGER_PAUSES,
            has_task,
        );
        self.from_queue.set(found);
        found
    }

    /// Waits until there is mail, or until it makes sense to look around. True: nothing came for
    /// the whole idle timeout.
    fn wait(&self, host: &impl Host) -> bool {
        let engine = host.engine();
        let roster = engine.dispatch.roster();
        let has_mail = || roster.has_mail(self.seat);
        let spin = self
            .waiter
            .borrow_mut()
            .spin_on(&SpinRequest::default(), has_mail, || false);
        if spin == Spin::Hit || !roster.fall_asleep(self.seat) {
            return false;
        }
        self.set_deputy(engine, false);
        let mut idle_for_long = false;
        let mut rested = false;
        roster.set_parked(self.seat, true);
        if host.is_shared() {
            host.sleep_in_driver();
        } else {
            let cover = roster.cover();
            let sentinel = self.may_stand_sentinel.get() && cover.try_stand_sentinel(self.seat);
            rested = !sentinel && host.has_leftovers();
            let deadline = if sentinel {
                host.deadline(SENTINEL_PERIOD)
            } else if rested {
                host.deadline(REST)
            } else if engine.life.is_retirable() {
                host.deadline(host.idle_timeout())
            } else {
                None
            };
            self.waiter.borrow_mut().park_futex(deadline, has_mail);
            host.slept();
            // Where nobody relied on it, it sleeps until it is woken, and is at hand again after
            // that.
            self.may_stand_sentinel.set(!sentinel || cover.relieve());
            let is_over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            idle_for_long = is_over && !sentinel && !rested;
            rested &= is_over;
        }
        roster.set_parked(self.seat, false);
        if rested && !has_mail() {
            host.clear_leftovers();
        }
        idle_for_long
    }
}
