//! Dispatch: from a submitted task to the worker that takes it. Lanes and roster together.
//!
//! A submitter first looks for an open worker to hand the task to. Where there is none, or tasks of
//! the lane are queued already, it queues the task and sends a waiting worker to the queues, if
//! there is one by then.
//!
//! A worker that has nothing to do calls [`Dispatch::settle_down`], and waits while
//! [`Roster::has_mail`] says no; then [`Dispatch::get_up`].
//!
//! Guaranteed: no worker waits while a task that it could take is queued. The argument is in three
//! parts. *Submit against wait*: the task is queued, then a fence, then the look for a worker; the
//! worker is announced, then a fence, then the look at the queues. One of the two sees the other.
//! *A push that is not linked* hides the tasks behind it from a worker's look: whoever links it
//! kicks one worker, and a worker that takes a task and sees another kicks the next. *A lane at its
//! `max_running`*: whoever gives a place back kicks a worker if tasks are queued. Tasks in a *run
//! list* are queued in this sense: whoever fills one kicks a worker, and every look is at the lists
//! too. Where deputies
//! and a sentinel cover short closures (see [`cover`](super::cover)) the promise is kept to
//! within the sentinel's period.

use std::collections::VecDeque;
use std::ops::Range;

use super::chain::Chain;
use super::gate::Refused;
use super::lane::{Batch, LaneQueue, Taken};
use super::roster::{Mail, Roster, Sent};
use super::run_list::{Listed, RunLists};
use crate::sync::{AtomicUsize, Mutex, Ordering};
use crate::task::cell::{Kind, TaskRef};

/// See the module.
pub(crate) struct Dispatch {
    lanes: Box<[LaneQueue]>,
    roster: Roster,
    lent: Lent,
    run_lists: RunLists,
}

/// Tasks that run in the place of another one.
#[derive(Default)]
struct Lent {
    tasks: Mutex<VecDeque<TaskRef>>,
    /// How many there are, for a look without the lock.
    count: AtomicUsize,
}

/// A worker to which something was sent. If it is asleep it has to be woken: call its word's
/// `claim`, and do what that says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a worker that was sent is woken by nobody else"]
pub(crate) struct Wake(pub(crate) Option<Sent>);

/// Where a worker's next task comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    pub(crate) seat: usize,
    /// The lane that is asked first; the next one comes first the next time.
    pub(crate) first_lane: usize,
    /// The worker has a place for a future.
    pub(crate) locals: bool,
    /// A task was left behind the one the worker took last.
    pub(crate) sure: bool,
    /// The worker's tasks are short: it may take so many at once. 0 if they are not.
    pub(crate) batch: usize,
}

/// So many queued tasks are left to deputies. What is beyond is worth another worker.
const COVERED: usize = 64;

impl Dispatch {
    pub(crate) fn new(lanes: Box<[LaneQueue]>, workers: usize) -> Self {
        Dispatch {
            lanes,
            roster: Roster::new(workers),
            lent: Lent::default(),
            run_lists: RunLists::new(workers),
        }
    }

    pub(crate) fn lane(&self, lane: usize) -> &LaneQueue {
        &self.lanes[lane]
    }

    pub(crate) fn lanes(&self) -> Range<usize> {
        0..self.lanes.len()
    }

    /// Whether a task that was just submitted is likely to be done in no time: it was handed to a
    /// worker that is awake and runs short tasks.
    pub(crate) fn is_prompt(&self, wake: Wake) -> bool {
        wake.0
            .is_some_and(|sent| !sent.asleep && self.roster.cover().is_deputy(sent.seat))
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Hands the task to a worker or queues it; or gives it back.
    pub(crate) fn submit(&self, task: TaskRef) -> Result<Wake, (TaskRef, Refused)> {
        let lane = &self.lanes[usize::from(task.header().meta.lane)];
        let kind = task.header().meta.kind;
        let mut task = task;
        // Not where places are counted: one that is reserved for a moment, and given back, would
        // hide the lane's other tasks from a worker's last look.
        if lane.is_unlimited() && lane.gate().is_open_and_empty() {
            match self.roster.offer(task) {
                Ok(sent) => return Ok(Wake(Some(sent))),
                Err(back) => task = back,
            }
        }
        let count = lane.push(task)?;
        Ok(Wake(
            self.roster
                .kick(kind, kind == Kind::Closure && count <= COVERED),
        ))
    }

    /// Queues as many of the tasks as there is room for, and calls `sent` with each worker that is
    /// sent to look: as many as can run one of them at once, if as many wait. The rest stays in the
    /// chain. Returns how many were queued, and how many workers were sent.
    pub(crate) fn submit_many(
        &self,
        chain: &mut Chain,
        sent: impl FnMut(Sent),
    ) -> Result<(usize, usize), Refused> {
        let Some(meta) = chain.first().map(|first| first.meta) else {
            return Ok((0, 0));
        };
        let lane = &self.lanes[usize::from(meta.lane)];
        let (tasks, count) = lane.push_many(chain)?;
        let most = tasks.min(lane.max_running());
        let sleepers = match meta.kind {
            // A sleeper for each `COVERED` that are left to a deputy already.
            Kind::Closure => count.saturating_sub(1) / COVERED,
            Kind::Local => most,
        };
        let sent = self.roster.kick_many(meta.kind, most, sleepers, sent);
        Ok((tasks, sent))
    }

    /// Like [`submit`](Self::submit), in a place of the queue that was reserved by an `admit`
    /// before. `reserved` is how many such places there are besides it. True: the place was not
    /// needed, and somebody waits for it.
    pub(crate) fn submit_reserved(&self, task: TaskRef, reserved: usize) -> (Wake, bool) {
        let lane = &self.lanes[usize::from(task.header().meta.lane)];
        let kind = task.header().meta.kind;
        let mut task = task;
        let gate = lane.gate();
        let queued = gate.count().saturating_sub(reserved);
        // No task is queued that this one would pass.
        if lane.is_unlimited() && queued <= 1 && !gate.is_closed() {
            match self.roster.offer(task) {
                Ok(sent) => return (Wake(Some(sent)), gate.release(1)),
                Err(back) => task = back,
            }
        }
        lane.push_admitted(task);
        (
            Wake(
                self.roster
                    .kick(kind, kind == Kind::Closure && queued <= COVERED),
            ),
            false,
        )
    }

    /// The next task of the worker's own run list.
    #[inline]
    pub(crate) fn next_listed(&self, seat: usize) -> Option<TaskRef> {
        Some(self.run_lists.take(seat)?.task)
    }

    /// A task of any worker's run list, and whom to send for the one after it.
    pub(crate) fn steal(&self) -> Option<(TaskRef, Wake)> {
        let Listed { task, more } = self.run_lists.steal()?;
        let wake = more
            .then(|| self.roster.kick(Kind::Closure, true))
            .flatten();
        Some((task, Wake(wake)))
    }

    /// The next task for a worker, whose run list is empty, and whom to send for the one after it.
    pub(crate) fn next(&self, search: Search) -> Option<(Taken, Wake)> {
        let batch = (search.batch > 0).then(|| Batch {
            lists: &self.run_lists,
            seat: search.seat,
            most: search.batch,
            workers: self.roster.workers(),
        });
        for offset in 0..self.lanes.len() {
            let index = (search.first_lane + offset) % self.lanes.len();
            let lane = &self.lanes[index];
            if let Some(taken) = lane.pop(index, search.locals, search.sure, batch) {
                let listed = (taken.listed > 0).then_some(Kind::Closure);
                let wake = listed
                    .or(taken.more)
                    .and_then(|kind| self.roster.kick(kind, kind == Kind::Closure));
                return Some((taken, Wake(wake)));
            }
        }
        None
    }

    /// A task that had a place among its lane's running has settled.
    pub(crate) fn ended(&self, lane: usize) -> Wake {
        if self.lanes[lane].end() {
            let closures = self.roster.kick(Kind::Closure, false);
            Wake(closures.or_else(|| self.roster.kick(Kind::Local, false)))
        } else {
            Wake(None)
        }
    }

    /// A task that is queued runs in the place of one that awaits it: hands it to whoever is free.
    pub(crate) fn lend(&self, task: TaskRef) -> Wake {
        {
            let mut tasks = self.lent.tasks.lock();
            tasks.push_back(task);
            // Relaxed: the fence in `kick`.
            self.lent.count.store(tasks.len(), Ordering::Relaxed);
        }
        let closures = self.roster.kick(Kind::Closure, false);
        Wake(closures.or_else(|| self.roster.kick(Kind::Local, false)))
    }

    /// Takes such a task. Its queue has it as well: whoever starts it runs it.
    pub(crate) fn take_lent(&self) -> Option<TaskRef> {
        if self.lent.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut tasks = self.lent.tasks.lock();
        let task = tasks.pop_front();
        self.lent.count.store(tasks.len(), Ordering::Relaxed);
        task
    }

    /// Whether a worker could take a task now; of futures too if it has a place for one.
    pub(crate) fn has_task(&self, locals: bool) -> bool {
        self.lent.count.load(Ordering::Relaxed) > 0
            || self.lanes.iter().any(|lane| lane.has_task(locals))
            || self.run_lists.has_task()
    }

    /// How many tasks of the lane lie in run lists.
    pub(crate) fn listed_in(&self, lane: usize) -> usize {
        self.run_lists.len_of(lane)
    }

    /// How many tasks of the lane wait, to the task.
    pub(crate) fn len_of(&self, lane: usize) -> usize {
        self.lanes[lane].len() + self.listed_in(lane)
    }

    /// Puts what lies in run lists back into the queues, and hands each to `and_then`. True: that
    /// was something, and workers have to be sent to look.
    pub(crate) fn empty_lists(&self, mut and_then: impl FnMut(&TaskRef)) -> bool {
        if !self.run_lists.has_task() {
            return false;
        }
        // A worker that ends looks at its own list first, and finds what is gone from there here.
        self.lanes.iter().for_each(LaneQueue::hold);
        while let Some(Listed { task, .. }) = self.run_lists.steal() {
            self.lanes[usize::from(task.header().meta.lane)].put_back(task.clone());
            and_then(&task);
        }
        self.lanes.iter().for_each(LaneQueue::let_go);
        true
    }

    /// A worker found nothing. True: it may wait, until it has mail. False: it has to search again,
    /// after [`get_up`](Self::get_up).
    pub(crate) fn settle_down(&self, seat: usize, locals: bool) -> bool {
        self.run_lists.rest(seat);
        self.roster.announce(seat);
        if self.has_task(locals) {
            return false;
        }
        self.roster.open(seat, locals)
    }

    /// A worker stops waiting, for whatever reason.
    pub(crate) fn get_up(&self, seat: usize) -> Mail {
        self.roster.close(seat)
    }

    /// A worker that was kicked searched, and found nothing it could take: a future may be there
    /// that it has no place for, and another worker has.
    pub(crate) fn pass_on(&self) -> Wake {
        if self.has_task(true) {
            Wake(self.roster.kick(Kind::Local, false))
        } else {
            Wake(None)
        }
    }
}
