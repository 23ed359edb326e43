//! A small pool: the engine, with threads of loom's for its workers, and tasks that notice what
//! goes wrong with them. Without clocks, statistics and futures.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use cenote_park::Waiter;
use loom::thread::{self, JoinHandle};

use super::payload::{Act, CLOSURE, Ledger, Shape, Tracked, task};
use crate::engine::life::Phase;
use crate::engine::queue::chain::Chain;
use crate::engine::queue::dispatch::Wake;
use crate::engine::queue::gate::Refused;
use crate::engine::queue::lane::LaneQueue;
use crate::engine::seat::SeatWord;
use crate::engine::step::{self, Runs, Step};
use crate::engine::{Engine, Support};
use crate::task::cell::{Kind, TaskRef};
use crate::task::joiner::Joiner;

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
    /// When nothing comes for as long as it takes, if there is more than one thread.
    Retire,
}

/// See the module. What the checker need not see is in plain atomics.
pub(super) struct Host {
    pub(super) engine: Engine,
    pub(super) ledger: Arc<Ledger>,
    end: End,
    /// Tasks that were run or refused.
    done: AtomicUsize,
    /// A look at growth is due.
    look_due: AtomicBool,
    /// Seats whose threads are to be started.
    to_start: Mutex<Vec<usize>>,
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
        let least = if end == End::Retire { 1 } else { workers };
        let engine = Engine::new(lanes, least..=workers, Duration::ZERO);
        for _ in 0..workers {
            let seat = engine.life.reserve().expect("there is a seat");
            engine.life.started();
            engine.seat(seat).is_taken.store(true, SeqCst);
        }
        Arc::new(Host {
            engine,
            ledger: Arc::default(),
            end,
            done: AtomicUsize::new(0),
            look_due: AtomicBool::new(false),
            to_start: Mutex::default(),
            max_spin,
            now: Instant::now(),
        })
    }

    /// Submits a task as a user does.
    pub(super) fn submit(
        self: &Arc<Self>,
        shape: Shape,
        act: Option<Act>,
    ) -> Result<Joiner<Tracked>, Refused> {
        let (task, joiner) = task(&self.ledger, shape, act);
        match self.engine.submit(task, self) {
            Ok(_) => Ok(joiner),
            Err((_task, refused)) => {
                self.note_done();
                Err(refused)
            }
        }
    }

    /// Submits so many tasks together. Returns the handles of those that were queued, and why the
    /// others were not.
    pub(super) fn submit_batch(
        self: &Arc<Self>,
        tasks: usize,
        act: Option<Act>,
    ) -> (Vec<Joiner<Tracked>>, Option<Refused>) {
        let mut chain = Chain::default();
        let mut joiners = Vec::new();
        for _ in 0..tasks {
            let (task, joiner) = task(&self.ledger, CLOSURE, act.clone());
            chain.append(task);
            joiners.push(joiner);
        }
        let refused = self.engine.submit_many(&mut chain, self).err();
        let left = chain.len();
        drop(chain);
        joiners.truncate(tasks - left);
        for _ in 0..left {
            self.note_done();
        }
        (joiners, refused)
    }

    /// The second half of a submission, where no mailbox is open yet.
    pub(super) fn queue(&self, shape: Shape, act: Option<Act>) -> Joiner<Tracked> {
        let (task, joiner) = task(&self.ledger, shape, act);
        let dispatch = &self.engine.dispatch;
        let queued = dispatch.lane(usize::from(shape.lane)).push(task);
        assert!(queued.is_ok(), "there is room");
        self.engine
            .wake(Wake(dispatch.roster().kick(shape.kind, false)));
        joiner
    }

    /// A push, with nobody sent to look.
    pub(super) fn queue_only(&self, shape: Shape) {
        let (task, _joiner) = task(&self.ledger, shape, None);
        let dispatch = &self.engine.dispatch;
        let queued = dispatch.lane(usize::from(shape.lane)).push(task);
        assert!(queued.is_ok(), "there is room");
    }

    fn note_done(&self) {
        let done = self.done.fetch_add(1, SeqCst) + 1;
        if self.end == End::After(done) {
            self.engine.kick_all();
        }
    }

    pub(super) fn close(&self) {
        self.engine.enter(Phase::Closing);
    }

    /// Looks at growth as often as that is due, and works on the seats that it starts.
    pub(super) fn grow(self: &Arc<Self>) {
        while self.look_due.swap(false, SeqCst) {
            self.engine.look_at_growth(self);
            let started = self.to_start.lock().unwrap().pop();
            match started {
                Some(seat) => {
                    self.engine.life.started();
                    self.work(seat, false);
                }
                None => thread::yield_now(),
            }
        }
    }

    /// A thread that is a worker, with a place for a future or none.
    pub(super) fn worker(self: &Arc<Self>, seat: usize, locals: bool) -> JoinHandle<()> {
        let host = Arc::clone(self);
        thread::spawn(move || host.work(seat, locals))
    }

    /// A worker on this thread.
    pub(super) fn work(self: &Arc<Self>, seat: usize, locals: bool) {
        let thread = Thread::new(self, seat, locals);
        let retired = thread.step.run(&thread);
        self.leave(seat, retired);
    }

    /// A thread that is a worker with an open mailbox already, so that the model begins where that
    /// matters.
    pub(super) fn waiting_worker(self: &Arc<Self>, seat: usize) -> JoinHandle<()> {
        assert!(self.engine.dispatch.settle_down(seat, false));
        let host = Arc::clone(self);
        thread::spawn(move || {
            let thread = Thread::new(&host, seat, false);
            let retired = thread.step.run_from(&thread, true);
            host.leave(seat, retired);
        })
    }

    /// One task, if there is one. Then the thread is gone, as if it were in a closure that does not
    /// end.
    pub(super) fn work_once(self: &Arc<Self>, seat: usize) {
        let thread = Thread::new(self, seat, true);
        if let Some(task) = thread.step.next(&thread) {
            step::Host::execute(&thread, task.0, task.1);
        }
    }

    /// A worker whose tasks are known to be short, so that it takes several at once.
    pub(super) fn work_as_deputy(self: &Arc<Self>, seat: usize) {
        let thread = Thread::new(self, seat, false);
        thread.step.set_deputy(&self.engine, true);
        let retired = thread.step.run(&thread);
        self.leave(seat, retired);
    }

    /// Such a worker takes what it can, and runs the first of it. Then the thread is gone, as if it
    /// were in a closure that does not end.
    pub(super) fn take_several(self: &Arc<Self>, seat: usize) {
        let thread = Thread::new(self, seat, false);
        thread.step.set_deputy(&self.engine, true);
        if let Some((task, runs)) = thread.step.next(&thread) {
            step::Host::execute(&thread, task, runs);
        }
    }

    fn leave(self: &Arc<Self>, seat: usize, retired: bool) {
        self.engine.seat(seat).is_taken.store(false, SeqCst);
        self.engine.worker_ended(seat, retired, 0, self);
    }
}

impl AsRef<Engine> for Host {
    fn as_ref(&self) -> &Engine {
        &self.engine
    }
}

impl Support for Arc<Host> {
    fn start(&self, seat: usize) -> io::Result<()> {
        self.to_start.lock().unwrap().push(seat);
        Ok(())
    }

    fn look_later(&self, _: Duration) -> bool {
        self.look_due.store(true, SeqCst);
        true
    }

    fn note_unrun(&self, _: &TaskRef) {}
}

/// One worker's thread.
struct Thread {
    host: Arc<Host>,
    seat: usize,
    locals: bool,
    step: Step<SeatWord<Arc<Host>>>,
}

impl Thread {
    fn new(host: &Arc<Host>, seat: usize, locals: bool) -> Self {
        let word = SeatWord::new(Arc::clone(host), seat);
        let waiter = Waiter::new(word, host.max_spin);
        Thread {
            host: Arc::clone(host),
            seat,
            locals,
            step: Step::new(seat, waiter, !host.max_spin.is_zero()),
        }
    }
}

impl step::Host for Thread {
    type Context<'a> = ();

    fn engine(&self) -> &Engine {
        &self.host.engine
    }

    fn enter(&self) -> Option<()> {
        None
    }

    fn execute(&self, task: TaskRef, runs: Runs) {
        let meta = task.header().meta;
        assert!(
            self.locals || meta.kind == Kind::Closure,
            "a future on a worker that has no place for it"
        );
        let sole = task.header().state().try_start(true);
        if sole.is_some() || task.header().state().start() {
            task.run_started(sole.unwrap_or(false));
        } else if runs != Runs::Lent {
            task.discard();
        }
        let engine = self.engine();
        if runs == Runs::Placed {
            engine.wake(engine.dispatch.ended(usize::from(meta.lane)));
        }
        // It took no time.
        self.step.set_deputy(engine, true);
        self.host.note_done();
    }

    fn after_task(&self) {}

    fn has_place(&self) -> bool {
        self.locals
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn may_exit(&self) -> bool {
        match self.host.end {
            End::After(tasks) => self.host.done.load(SeqCst) >= tasks,
            End::Close | End::Retire => self.engine().worker_may_exit(self.seat, 0, 0),
        }
    }

    fn found_nothing(&self) {}

    fn sleep_in_driver(&self) {}

    fn slept(&self) {}

    fn has_leftovers(&self) -> bool {
        false
    }

    fn clear_leftovers(&self) {}

    fn idle_timeout(&self) -> Duration {
        Duration::ZERO
    }

    /// In the model a deadline has come when it is looked at.
    fn deadline(&self, _: Duration) -> Option<Instant> {
        Some(self.host.now)
    }
}
