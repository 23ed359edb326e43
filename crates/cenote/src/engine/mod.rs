//! The engine: how tasks are queued, handed over, waited for, and how a pool's threads come and
//! go. It knows neither tokio nor the public types, and what it needs from outside it is handed:
//! a [`Host`](step::Host) for each worker, and a [`Support`] for the pool.
//!
//! - [`queue`]: from a submitted task to the worker that takes it; [`room`], [`bell`]: waiting for
//!   a place in a full queue.
//! - [`step`]: the loop of a worker; [`seat`]: what the others know of one.
//! - [`life`]: which threads there are; [`growth`]: when there is one more; [`ending`]: the way to
//!   the end.
//!
//! The models of `models/` run this code itself, with threads of loom's.

pub(crate) mod bell;
pub(crate) mod ending;
pub(crate) mod growth;
pub(crate) mod life;
pub(crate) mod queue;
pub(crate) mod room;
pub(crate) mod seat;
pub(crate) mod step;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use bell::Bell;
use life::Life;
use queue::chain::Chain;
use queue::dispatch::{Dispatch, Wake};
use queue::gate::Refused;
use queue::lane::LaneQueue;
use room::Room;
use seat::Seat;

use crate::task::cell::TaskRef;

/// See the module.
pub(crate) struct Engine {
    pub(crate) dispatch: Dispatch,
    pub(crate) life: Life,
    rooms: Box<[Room]>,
    seats: Box<[Seat]>,
    growth_armed: AtomicBool,
    grow_after: Duration,
    /// No worker could be started: the queues are closed for that.
    broken: AtomicBool,
    /// Told when the last thread has ended, and when a worker has nothing left but who waits for
    /// the end.
    pub(crate) drained: Arc<Bell>,
    /// Workers that wait for a task of the pool, inside of another one.
    pub(crate) waiting: AtomicUsize,
    /// How often the last worker has begun to wait, and for which of these times one was refused.
    rounds: AtomicUsize,
    refused: AtomicUsize,
    /// Told to those of them that join when the last worker has begun to wait: what they wait for
    /// may be something that nobody will come to.
    pub(crate) all_waiting: Bell,
    /// Told to those that join when every worker waits, and one that polls would sleep.
    pub(crate) stuck: Bell,
    /// Those of them that may sleep in an executor that the pool knows nothing of.
    pub(crate) polling: AtomicUsize,
    /// Workers that have nothing left but tasks that wait for the end themselves.
    pub(crate) drained_workers: AtomicUsize,
}

/// What the engine needs of the pool around it.
pub(crate) trait Support {
    /// Starts the thread for a seat that is reserved for it.
    fn start(&self, seat: usize) -> io::Result<()>;

    /// Has [`Engine::look_at_growth`] called after that time. False: it cannot be.
    fn look_later(&self, after: Duration) -> bool;

    /// A task of that lane ended that no worker came to.
    fn note_unrun(&self, task: &TaskRef);
}

/// A task was accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    /// It is likely to be done in no time.
    pub(crate) prompt: bool,
}

impl Engine {
    pub(crate) fn new(
        lanes: Box<[LaneQueue]>,
        threads: std::ops::RangeInclusive<usize>,
        grow_after: Duration,
    ) -> Self {
        let most = *threads.end();
        Engine {
            rooms: lanes.iter().map(|_| Room::default()).collect(),
            dispatch: Dispatch::new(lanes, most),
            life: Life::new(*threads.start(), most),
            seats: (0..most).map(|_| Seat::new()).collect(),
            growth_armed: AtomicBool::new(false),
            grow_after,
            broken: AtomicBool::new(false),
            drained: Arc::default(),
            waiting: AtomicUsize::new(0),
            polling: AtomicUsize::new(0),
            rounds: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            all_waiting: Bell::default(),
            stuck: Bell::default(),
            drained_workers: AtomicUsize::new(0),
        }
    }

    pub(crate) fn seat(&self, seat: usize) -> &Seat {
        &self.seats[seat]
    }

    pub(crate) fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter()
    }

    pub(crate) fn room(&self, lane: usize) -> &Room {
        &self.rooms[lane]
    }

    /// Wakes the worker that was sent, if any.
    #[inline]
    pub(crate) fn wake(&self, wake: Wake) {
        if let Some(sent) = wake.0
            && sent.asleep
        {
            let word = self.dispatch.roster().word(sent.seat);
            self.seats[sent.seat].wake(word, word.claim());
        }
    }

    /// Tasks admitted and not begun, in all lanes.
    pub(crate) fn queued(&self) -> usize {
        self.dispatch.lanes().map(|lane| self.queued_in(lane)).sum()
    }

    /// The same, of one lane.
    pub(crate) fn queued_in(&self, lane: usize) -> usize {
        let gate = self.dispatch.lane(lane).gate();
        // In this order: tasks go from the queue to a run list.
        self.rooms[lane].reserved.without(|| gate.count()) + self.dispatch.listed_in(lane)
    }

    /// Hands a task to a worker or queues it; or gives it back.
    #[inline]
    pub(crate) fn submit(
        &self,
        task: TaskRef,
        support: &impl Support,
    ) -> Result<Accepted, (TaskRef, Refused)> {
        let lane = usize::from(task.header().meta.lane);
        let wake = self.dispatch.submit(task)?;
        self.submitted(lane, wake, support);
        Ok(Accepted {
            prompt: self.dispatch.is_prompt(wake),
        })
    }

    /// Queues as many of the tasks as there is room for. The rest stays in the chain, and is told
    /// why.
    pub(crate) fn submit_many(
        &self,
        chain: &mut Chain,
        support: &impl Support,
    ) -> Result<(), Refused> {
        let Some(lane) = chain.first().map(|first| usize::from(first.meta.lane)) else {
            return Ok(());
        };
        let (tasks, sent) = self
            .dispatch
            .submit_many(chain, |sent| self.wake(Wake(Some(sent))))?;
        if sent < tasks {
            self.consider_growth(support);
        }
        // As in `submitted`.
        if self.dispatch.lane(lane).gate().is_closed() {
            self.settle_if_ended(support);
        }
        if chain.is_empty() {
            Ok(())
        } else {
            Err(Refused::Full)
        }
    }

    /// A task was queued or handed over: sees to it that somebody comes to it.
    #[inline]
    fn submitted(&self, lane: usize, wake: Wake, support: &impl Support) {
        if wake.0.is_none() {
            self.consider_growth(support);
        }
        self.wake(wake);
        // Admitted before the close, and queued after the last worker had left: nobody else would
        // settle it.
        if self.dispatch.lane(lane).gate().is_closed() {
            self.settle_if_ended(support);
        }
    }

    /// Whether every worker waits for a task of the pool, inside of another one, and there will be
    /// no other worker.
    pub(crate) fn all_wait(&self) -> bool {
        // Acquire: pairs with the step by which each began to wait.
        self.waiting.load(std::sync::atomic::Ordering::Acquire) >= self.life.threads()
            && !self.life.may_grow()
    }

    /// A worker begins to wait for a task of the pool. True: it is the last one, and has to tell
    /// those who wait, by `all_waiting`, after it has looked itself. (That there are fewer workers
    /// than wait comes about only here: where one ends, there may be another.)
    pub(crate) fn begin_to_wait(&self) -> bool {
        // AcqRel: of several that begin to wait, the last one sees all others.
        self.waiting
            .fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        let all_wait = self.all_wait();
        if all_wait {
            // AcqRel: whoever is told, or sees that all wait, sees the round.
            self.rounds
                .fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        }
        all_wait
    }

    /// Every worker waits, and the caller for what nobody will come to: whether it is the one that
    /// is refused. One is, each time that the last worker begins to wait: it goes on, and the
    /// others may find what they wait for.
    pub(crate) fn refuses_one(&self) -> bool {
        if !self.all_wait() {
            return false;
        }
        // Acquire: pairs with the step in `begin_to_wait`.
        let round = self.rounds.load(std::sync::atomic::Ordering::Acquire);
        // AcqRel: of several that ask in a round the first is the one.
        self.refused
            .fetch_max(round, std::sync::atomic::Ordering::AcqRel)
            < round
    }

    /// A task that is queued runs in the place of one that awaits it.
    pub(crate) fn lend(&self, task: TaskRef) {
        self.wake(self.dispatch.lend(task));
    }

    /// A task was settled that no worker has started. If it waits in a queue, its place there is
    /// free at once, and a worker is sent to drop its work.
    pub(crate) fn forget(&self, task: &TaskRef) {
        let meta = task.header().meta;
        let lane = usize::from(meta.lane);
        let queue = self.dispatch.lane(lane);
        let Some(wanted_room) = queue.forget(task.header()) else {
            return;
        };
        if wanted_room {
            self.rooms[lane].made(queue.gate());
        }
        self.wake(Wake(self.dispatch.roster().kick(meta.kind, false)));
    }

    /// Whether nothing is in the queues, settled tasks neither.
    pub(crate) fn is_empty(&self) -> bool {
        self.dispatch
            .lanes()
            .all(|lane| self.queued_in(lane) == 0 && self.dispatch.lane(lane).has_no_dead())
    }

    /// Reserves a place of a lane's queue for a task to come.
    pub(crate) fn reserve(&self, lane: usize) -> Result<(), Refused> {
        let gate = self.dispatch.lane(lane).gate();
        gate.admit()?;
        // Between the two steps the place passes for a task, which makes a worker stay that might
        // end: if the pool is being closed, giving it back sends that worker to look again.
        self.rooms[lane].reserved.add();
        if gate.is_closed() {
            self.give_place_back(lane);
            return Err(Refused::Closed);
        }
        Ok(())
    }

    /// Puts a task in a place that was reserved. It settles, whatever becomes of the pool.
    pub(crate) fn submit_reserved(&self, task: TaskRef, support: &impl Support) -> Accepted {
        let lane = usize::from(task.header().meta.lane);
        let reserved = self.rooms[lane].reserved.remove();
        let (wake, wanted_room) = self.dispatch.submit_reserved(task, reserved);
        self.submitted(lane, wake, support);
        let gate = self.dispatch.lane(lane).gate();
        if wanted_room {
            self.rooms[lane].made(gate);
        }
        if gate.is_closed() {
            // The place passed for a task until it was given back, as in `give_place_back`.
            self.kick_all();
        }
        Accepted {
            prompt: self.dispatch.is_prompt(wake),
        }
    }

    /// A place that was reserved is not needed.
    pub(crate) fn give_place_back(&self, lane: usize) {
        let gate = self.dispatch.lane(lane).gate();
        self.rooms[lane].reserved.remove();
        if gate.release(1) {
            self.rooms[lane].made(gate);
        }
        // A worker that took the place for a task did not end, and who waits for the end went on
        // waiting. One word: either this sees that the gate was closed, or whoever closes it looks
        // after this.
        if gate.is_closed() {
            self.kick_all();
            self.drained.tell_all();
        }
    }

    /// Sends every worker that waits to look around.
    pub(crate) fn kick_all(&self) {
        for seat in 0..self.seats.len() {
            self.wake(Wake(self.dispatch.roster().kick_worker(seat)));
        }
    }
}
