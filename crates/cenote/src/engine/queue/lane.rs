//! A lane's queues: one for each band of priority and each kind of task, behind one gate.
//!
//! Producers push without a lock. Consumers, the workers, take tasks under a lock that is held for
//! a few instructions: one at a time, or, while their tasks are short, several, of which all but
//! the first go into the worker's [run list](super::run_list).
//!
//! **Which task is next:** each waiting task counts as submitted `aging` later for each band below
//! the highest, and the earliest is taken. So a task of a higher band goes first, unless the other
//! has waited `aging` longer; and no stream of higher tasks can hold up a lower one for longer than
//! that. Within a band and kind the order is first in, first out. A worker takes several tasks only
//! of one band and kind, and none for which one of another is due; tasks that come later wait until
//! that worker or another has run them.
//!
//! **The gate's count** is brought down for several short tasks at once while more are there to
//! take, so that producers and consumers do not fight for its cache line. For some microseconds it
//! then says up to an eighth of the limit, and at most 32, too many.
//!
//! **A task that was settled while it waits** gives its place back at once, and stays in its queue
//! until a worker comes to it, who drops its work. As many as the limit may lie there so; a place
//! beyond that is free when a worker has come by. So what the queue holds is at most twice its
//! limit.
//!
//! **`max_running`:** a worker reserves a place among the running before it takes a task, and gives
//! it back when the task has settled. So at no moment are there more.

use crossbeam_utils::CachePadded;

use super::chain::Chain;
use super::fifo::{Consumer, Fifo};
use super::gate::{Gate, Refused};
use super::run_list::{self, RunLists};
use crate::sync::{AtomicUsize, Mutex, Ordering, fence};
use crate::task::cell::{Header, Kind, TaskRef};

/// High, normal, low.
pub(crate) const BANDS: usize = 3;
const KINDS: usize = 2;

/// See the module.
pub(crate) struct LaneQueue {
    gate: CachePadded<Gate>,
    fifos: [[Fifo; BANDS]; KINDS],
    consumers: CachePadded<Mutex<Consumers>>,
    /// `Consumers::dead`, for a look without the lock.
    dead: CachePadded<AtomicUsize>,
    /// So many tasks are taken before the gate is told.
    release_at: usize,
    /// The most tasks that go into a run list at once, where they take no place.
    most_listed: usize,
    running: CachePadded<AtomicUsize>,
    max_running: usize,
    /// What one band counts for, in the clock of `Header::submitted`.
    aging: u64,
}

/// The consumers' side, under its lock.
struct Consumers {
    ends: [[Consumer; BANDS]; KINDS],
    /// Tasks that were taken and the gate does not know of.
    taken: usize,
    /// Settled tasks that are in the queues and have no place.
    dead: usize,
}

/// A task that was taken.
pub(crate) struct Taken {
    pub(crate) task: TaskRef,
    /// It has a place among the lane's running. A settled one needs none.
    pub(crate) runs: bool,
    /// Somebody waits for the room this made.
    pub(crate) wanted_room: bool,
    /// A kind of task that can be taken next.
    pub(crate) more: Option<Kind>,
    /// So many tasks that come next went into the run list.
    pub(crate) listed: usize,
}

/// How a worker whose tasks are short takes several at once.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    /// Where they go: into that worker's list, which is empty.
    pub(crate) lists: &'a RunLists,
    pub(crate) seat: usize,
    /// With the first one.
    pub(crate) most: usize,
    /// Among so many workers what is queued is shared out.
    pub(crate) workers: usize,
}

/// Which task is next.
#[derive(Clone, Copy)]
struct First {
    kind: usize,
    band: usize,
    /// What its band counts for.
    penalty: u64,
    /// When the first task of another band or kind is due.
    other: u64,
}

impl LaneQueue {
    /// `max_running` of `usize::MAX` is no limit, and costs nothing.
    pub(crate) fn new(limit: usize, max_running: usize, aging: u64) -> Self {
        let pairs = [(); KINDS].map(|()| [(); BANDS].map(|()| Fifo::new()));
        let mut consumers = Vec::with_capacity(KINDS);
        let fifos = pairs.map(|kind| {
            let mut ends = Vec::with_capacity(BANDS);
            let fifos = kind.map(|(fifo, consumer)| {
                ends.push(consumer);
                fifo
            });
            consumers.push(ends);
            fifos
        });
        let mut consumers = consumers.into_iter().map(|ends| {
            let mut ends = ends.into_iter();
            [(); BANDS].map(|()| ends.next().expect("one end for each band"))
        });
        let consumers = [(); KINDS].map(|()| consumers.next().expect("one row for each kind"));
        LaneQueue {
            gate: CachePadded::new(Gate::new(limit)),
            fifos,
            consumers: CachePadded::new(Mutex::new(Consumers {
                ends: consumers,
                taken: 0,
                dead: 0,
            })),
            dead: CachePadded::new(AtomicUsize::new(0)),
            release_at: (limit / 8).clamp(1, 32),
            // The models have few tasks and small limits.
            most_listed: (limit / if cfg!(cenote_loom) { 1 } else { 8 }).min(32),
            running: CachePadded::new(AtomicUsize::new(0)),
            max_running,
            aging,
        }
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) fn max_running(&self) -> usize {
        self.max_running
    }

    /// Admits and pushes, and says how many there are with it. The caller then looks for a worker.
    pub(crate) fn push(&self, task: TaskRef) -> Result<usize, (TaskRef, Refused)> {
        match self.gate.admit() {
            Ok(count) => {
                self.push_admitted(task);
                Ok(count)
            }
            Err(refused) => Err((task, refused)),
        }
    }

    /// Admits as many of the tasks as there is room for, from the first on, and pushes them by one
    /// step. Returns how many, and how many there are with them. The rest stays in the chain. The
    /// caller then looks for workers.
    pub(crate) fn push_many(&self, chain: &mut Chain) -> Result<(usize, usize), Refused> {
        let (tasks, count) = self.gate.admit_many(chain.len())?;
        let admitted = chain.take(tasks);
        let Some(first) = admitted.first() else {
            return Ok((tasks, count));
        };
        let (meta, guarded) = (first.meta, first.state().is_guarded());
        if guarded {
            // As in `push_admitted`.
            let mut consumers = self.consumers.lock();
            for header in admitted.iter() {
                header.placed.store(true, Ordering::Relaxed);
                if header.state().load().unstarted().is_some() {
                    self.free_place(header, &mut consumers);
                }
            }
        } else {
            for header in admitted.iter() {
                header.placed.store(true, Ordering::Relaxed);
            }
        }
        self.fifos[meta.kind as usize][usize::from(meta.band)].push_chain(admitted);
        Ok((tasks, count))
    }

    /// How many tasks wait, to the task.
    pub(crate) fn len(&self) -> usize {
        let taken = self.consumers.lock().taken;
        self.gate.count().saturating_sub(taken)
    }

    /// Pushes a task that was admitted before.
    pub(crate) fn push_admitted(&self, task: TaskRef) {
        let header = task.header();
        let meta = header.meta;
        if header.state().is_guarded() {
            // Its deadline or token may settle it at any time: under the lock, so that either this
            // sees that it has, or `forget` sees the place.
            let mut consumers = self.consumers.lock();
            header.placed.store(true, Ordering::Relaxed);
            if header.state().load().unstarted().is_some() {
                self.free_place(header, &mut consumers);
            }
        } else {
            // Relaxed: the push releases it. Nobody else can settle it before it is submitted.
            header.placed.store(true, Ordering::Relaxed);
        }
        self.fifos[meta.kind as usize][usize::from(meta.band)].push(task);
    }

    /// A task was settled before it started. If it is in a queue, its place is free from now on:
    /// `Some`, with whether somebody waits for it.
    pub(crate) fn forget(&self, header: &Header) -> Option<bool> {
        let mut consumers = self.consumers.lock();
        header
            .placed
            .load(Ordering::Relaxed)
            .then(|| self.free_place(header, &mut consumers))
    }

    fn free_place(&self, header: &Header, consumers: &mut Consumers) -> bool {
        if consumers.dead >= self.gate.limit() {
            return false;
        }
        header.placed.store(false, Ordering::Relaxed);
        consumers.dead += 1;
        // Relaxed: a worker that looks for the last time does so under the lock, or after the kick
        // that follows.
        self.dead.store(consumers.dead, Ordering::Relaxed);
        self.gate.release(1)
    }

    /// Whether nothing is in the queues, settled tasks neither.
    pub(crate) fn is_empty(&self) -> bool {
        self.gate.count() == 0 && self.dead.load(Ordering::Relaxed) == 0
    }

    /// Whether no settled task lies in the queues without a place.
    pub(crate) fn has_no_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed) == 0
    }

    /// The tasks that wait and can be reached at this moment.
    pub(crate) fn reachable(&self) -> Vec<TaskRef> {
        let consumers = self.consumers.lock();
        let ends = consumers.ends.iter().flatten();
        let fifos = self.fifos.iter().flatten();
        fifos
            .zip(ends)
            .flat_map(|(fifo, end)| fifo.reachable(end))
            .collect()
    }

    /// Any number of tasks may run at once.
    pub(crate) fn is_unlimited(&self) -> bool {
        self.max_running == usize::MAX
    }

    /// Reserves a place among the running, for a task that is sure to run. Give it back with
    /// [`end`](Self::end).
    pub(crate) fn begin(&self) -> bool {
        if self.is_unlimited() {
            return true;
        }
        // Acquire: pairs with the release in `end`: what the task before did in this place is
        // visible to the next.
        self.running
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |running| {
                (running < self.max_running).then(|| running + 1)
            })
            .is_ok()
    }

    /// Gives a place back. True: there may be tasks that waited for one, and the caller has to
    /// look, or to wake a worker that does.
    pub(crate) fn end(&self) -> bool {
        if self.is_unlimited() {
            return false;
        }
        // Release: pairs with `begin`.
        let before = self.running.fetch_sub(1, Ordering::AcqRel);
        debug_assert!(before > 0, "more tasks of a lane ended than began");
        // Pairs with the fence in `Roster::announce`, and in `Roster::kick`: either the task that
        // is queued meanwhile is seen here, or the place by the worker that was sent for it, or by
        // the one that looks for the last time.
        fence(Ordering::SeqCst);
        !self.is_empty()
    }

    fn has_place(&self) -> bool {
        self.is_unlimited() || self.running.load(Ordering::Relaxed) < self.max_running
    }

    /// Whether a worker could take a task now; of futures too if it has a place for one.
    ///
    /// For the look of a worker that has announced itself: it sees what was pushed before a fence
    /// that came before its own.
    pub(crate) fn has_task(&self, locals: bool) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut consumers = self.consumers.lock();
        let Some(first) = self.first(&mut consumers, locals) else {
            return false;
        };
        // Just what `pop` would take: a worker that saw more than that would never sleep.
        self.has_place() || self.is_dead(&mut consumers, first)
    }

    /// Takes the next task, with a place among the running. `sure`: there was another one at the
    /// last look, so the gate, whose cache line producers write to all the time, is not asked
    /// first. `batch`: its tasks are short, so the gate need not be told at once, and others may be
    /// taken with it.
    pub(crate) fn pop(
        &self,
        index: usize,
        locals: bool,
        sure: bool,
        batch: Option<Batch<'_>>,
    ) -> Option<Taken> {
        let may_be_dead = self.dead.load(Ordering::Relaxed) > 0;
        if !may_be_dead && (!sure && self.gate.count() == 0 || !self.has_place()) {
            return None;
        }
        self.pop_any(index, locals, true, batch)
    }

    /// Takes the next task whatever `max_running` says, for one that will not run.
    pub(crate) fn pop_unrun(&self) -> Option<Taken> {
        self.pop_any(0, true, false, None)
    }

    fn pop_any(
        &self,
        index: usize,
        locals: bool,
        begin: bool,
        batch: Option<Batch<'_>>,
    ) -> Option<Taken> {
        let mut consumers = self.consumers.lock();
        let first = self.first(&mut consumers, locals);
        let is_dead = first.is_some_and(|first| self.is_dead(&mut consumers, first));
        // The place is reserved under the lock, and only for a task that is there: a worker that
        // looks for the last time, under the lock too, never sees a reservation that comes to
        // nothing.
        let runs = begin && !is_dead;
        let task = first.filter(|_| !runs || self.begin()).and_then(|first| {
            let task = self.unlink(&mut consumers, first);
            if task.is_none() && runs && !self.is_unlimited() {
                self.running.fetch_sub(1, Ordering::AcqRel);
            }
            task
        });
        let listed = match (&task, first, batch) {
            (Some(_), Some(first), Some(batch)) => self.list(index, &mut consumers, first, batch),
            _ => 0,
        };
        let release_at = if batch.is_some() { self.release_at } else { 1 };
        let more = self.more(&consumers);
        // With nothing more to take the count has to be right: it says whether a task may pass the
        // queue, and, at 0, that a worker need not look.
        let mut wanted_room = false;
        if task.is_some() && (consumers.taken >= release_at || more.is_none()) {
            let taken = std::mem::take(&mut consumers.taken);
            wanted_room = taken > 0 && self.gate.release(taken);
        }
        drop(consumers);
        Some(Taken {
            task: task?,
            runs,
            wanted_room,
            more,
            listed,
        })
    }

    /// Takes the task that is first, which has no place from then on.
    fn unlink(&self, consumers: &mut Consumers, first: First) -> Option<TaskRef> {
        let First { kind, band, .. } = first;
        let task = self.fifos[kind][band].pop(&mut consumers.ends[kind][band])?;
        let placed = &task.header().placed;
        if placed.load(Ordering::Relaxed) {
            placed.store(false, Ordering::Relaxed);
            consumers.taken += 1;
        } else {
            consumers.dead -= 1;
            self.dead.store(consumers.dead, Ordering::Relaxed);
        }
        Some(task)
    }

    /// Takes those that come next as well, into the run list, and says how many. Only closures, of
    /// a lane where any number may run; and no more than the worker's share of what is queued, so
    /// that the others find work.
    fn list(
        &self,
        index: usize,
        consumers: &mut Consumers,
        first: First,
        batch: Batch<'_>,
    ) -> usize {
        if batch.most < 2 || !self.is_unlimited() || first.kind != Kind::Closure as usize {
            return 0;
        }
        let queued = self.gate.count().saturating_sub(consumers.taken);
        let share = run_list::share(queued, batch.workers);
        let most = share.min(batch.most - 1).min(self.most_listed);
        let Batch { lists, seat, .. } = batch;
        lists.fill(seat, index, most, || {
            let end = &mut consumers.ends[first.kind][first.band];
            let header = self.fifos[first.kind][first.band].peek(end)?;
            let is_due = header.submitted.saturating_add(first.penalty) <= first.other;
            is_due.then(|| self.unlink(consumers, first)).flatten()
        })
    }

    /// Before run lists are emptied into the queues again: until [`let_go`](Self::let_go) nobody
    /// takes the lane for empty.
    pub(crate) fn hold(&self) {
        let mut consumers = self.consumers.lock();
        consumers.dead += 1;
        self.dead.store(consumers.dead, Ordering::Relaxed);
    }

    pub(crate) fn let_go(&self) {
        let mut consumers = self.consumers.lock();
        consumers.dead -= 1;
        self.dead.store(consumers.dead, Ordering::Relaxed);
    }

    /// Queues a task of a run list again, behind all others, without a place.
    pub(crate) fn put_back(&self, task: TaskRef) {
        let meta = task.header().meta;
        let mut consumers = self.consumers.lock();
        consumers.dead += 1;
        self.dead.store(consumers.dead, Ordering::Relaxed);
        self.fifos[meta.kind as usize][usize::from(meta.band)].push(task);
    }

    /// A kind of which a task is linked, as far as the last look reached.
    fn more(&self, consumers: &Consumers) -> Option<Kind> {
        let linked = |kind: Kind| {
            let fifos = &self.fifos[kind as usize];
            let ends = &consumers.ends[kind as usize];
            fifos.iter().zip(ends).any(|(fifo, end)| fifo.has_next(end))
        };
        [Kind::Closure, Kind::Local]
            .into_iter()
            .find(|&kind| linked(kind))
    }

    /// Where the task lies that is next, as far as can be seen.
    fn first(&self, consumers: &mut Consumers, locals: bool) -> Option<First> {
        let mut best: Option<First> = None;
        let mut least = u64::MAX;
        let mut other = u64::MAX;
        for kind in self.kinds(locals) {
            let mut penalty = 0;
            for band in 0..BANDS {
                let consumer = &mut consumers.ends[kind][band];
                if let Some(header) = self.fifos[kind][band].peek(consumer) {
                    let rank = header.submitted.saturating_add(penalty);
                    if best.is_none() || rank < least {
                        other = if best.is_some() { least } else { other };
                        least = rank;
                        best = Some(First {
                            kind,
                            band,
                            penalty,
                            other,
                        });
                    } else {
                        other = other.min(rank);
                    }
                }
                penalty = self.aging.saturating_add(penalty);
            }
        }
        best.map(|first| First { other, ..first })
    }

    /// Whether the first task there was settled, and has no place.
    fn is_dead(&self, consumers: &mut Consumers, first: First) -> bool {
        let First { kind, band, .. } = first;
        consumers.dead > 0
            && self.fifos[kind][band]
                .peek(&mut consumers.ends[kind][band])
                .is_some_and(|header| header.state().load().unstarted().is_some())
    }

    fn kinds(&self, locals: bool) -> impl Iterator<Item = usize> + use<> {
        let last = if locals { Kind::Local } else { Kind::Closure };
        Kind::Closure as usize..=last as usize
    }
}

impl Drop for LaneQueue {
    fn drop(&mut self) {
        // Nobody has it any more, so the lock is free.
        let mut consumers = self.consumers.lock();
        for (fifos, consumers) in self.fifos.iter_mut().zip(consumers.ends.iter_mut()) {
            for (fifo, consumer) in fifos.iter_mut().zip(consumers.iter_mut()) {
                fifo.dispose(consumer);
            }
        }
    }
}
