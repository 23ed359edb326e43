//! From a closure to an accepted task: the three ways to meet a full queue.
//!
//! A task is made once, whatever the way; while a submitter waits for room it holds it. If it is
//! refused in the end, the work is taken out again and given back.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use super::error::{Reason, SpawnError};
use super::options::Options;
use super::shared::Shared;
use crate::clock::Stamp;
use crate::engine::queue::gate::Refused;
use crate::task::blocking;
use crate::task::cell::{self, Kind, Meta, TaskRef, Work};
use crate::task::handle::JoinHandle;
use crate::task::joiner::Joiner;
use crate::task::outcome::Outcome;
use crate::worker;

/// A task on its way in.
struct Candidate<'a, W: Work> {
    // Borrowed: all submitters counting up one reference count would cost more than the rest of a
    // submission.
    shared: &'a Arc<Shared>,
    /// `None` once it was submitted.
    task: Option<TaskRef>,
    joiner: Option<Joiner<W::Output>>,
    /// It is likely to be done in no time.
    prompt: bool,
}

impl<'a, W: Work> Candidate<'a, W> {
    #[inline]
    fn new(shared: &'a Arc<Shared>, lane: usize, kind: Kind, options: &Options, work: W) -> Self {
        let (task, joiner) = make(shared, lane, kind, options, Stamp::now(), work);
        Candidate {
            shared,
            task: Some(task),
            joiner: Some(joiner),
            prompt: false,
        }
    }

    /// Tries once. `Err(Full)` leaves the task where it is.
    #[inline]
    fn try_submit(&mut self) -> Result<(), Reason> {
        let Some(task) = self.task.take() else {
            return Ok(());
        };
        let lane = usize::from(task.header().meta.lane);
        if self.shared.is_forked() {
            self.task = Some(task);
            return Err(Reason::Forked);
        }
        match self.shared.submit(task) {
            Ok(accepted) => {
                self.prompt = accepted.prompt;
                Ok(())
            }
            Err((task, refused)) => {
                // Settled while it waited for room, by its deadline or token: then it has its end
                // already.
                let settled = refused == Refused::Full && task.snapshot().is_done();
                if !settled {
                    self.task = Some(task);
                    let engine = &self.shared.engine;
                    let limit = engine.dispatch.lane(lane).gate().limit();
                    return Err(Reason::new(refused, limit, engine.is_broken()));
                }
                count_settled(self.shared, &task);
                Ok(())
            }
        }
    }

    #[inline]
    fn accepted(mut self) -> JoinHandle<W::Output> {
        let joiner = self.joiner.take().expect("a candidate is accepted once");
        let handle = JoinHandle::new(joiner, self.shared.config.max_spin, self.shared.fork);
        if self.prompt { handle.prompt() } else { handle }
    }

    #[cold]
    fn refused(mut self, reason: Reason) -> Result<JoinHandle<W::Output>, SpawnError<W>> {
        let task = self.task.take().expect("a refused candidate has its task");
        let lane = usize::from(task.header().meta.lane);
        let joiner = self
            .joiner
            .take()
            .expect("a refused candidate has its handle");
        // SAFETY: `new` made the task with a `W`.
        match unsafe { joiner.into_work::<W>() } {
            Ok(work) => {
                self.shared.lanes[lane].outcomes.add(Outcome::Rejected, 1);
                Err(SpawnError::new(reason, work))
            }
            // A deadline or a token was faster: the task has settled, which its handle says.
            Err(joiner) => {
                count_settled(self.shared, &task);
                self.joiner = Some(joiner);
                Ok(self.accepted())
            }
        }
    }
}

/// Given up on while it waited for room: what refers back to the task would keep it for ever.
impl<W: Work> Drop for Candidate<'_, W> {
    fn drop(&mut self) {
        if let Some(task) = &self.task
            && let Some(extra) = task.header().extra()
        {
            extra.forget();
        }
    }
}

/// Makes a task that is submitted at that moment: the queue's reference, and the handle's.
#[inline]
pub(super) fn make<W: Work>(
    shared: &Arc<Shared>,
    lane: usize,
    kind: Kind,
    options: &Options,
    now: Stamp,
    work: W,
) -> (TaskRef, Joiner<W::Output>) {
    let meta = Meta {
        pool: shared.id,
        lane: lane as u16,
        band: options.priority as u8,
        kind,
        may_settle_early: options.timeout.is_some(),
    };
    let (task, second) = cell::new(work, meta, now.to_bits(), options.has_any());
    if options.has_any() {
        let extra = task.header().extra_or_new();
        extra.arm(
            &task,
            options.queue_timeout,
            options.timeout,
            options.token.as_ref(),
        );
    }
    // SAFETY: it is the second reference, and `work` is of type `W`.
    (task, unsafe { Joiner::new(second) })
}

/// Of a task that was settled before it got into the queue, where nobody else counts it.
pub(super) fn count_settled(shared: &Shared, task: &TaskRef) {
    task.discard();
    if let Some(outcome) = task.snapshot().unstarted() {
        let lane = usize::from(task.header().meta.lane);
        shared.lanes[lane].outcomes.add(outcome, 1);
    }
}

/// What is submitted where.
pub(crate) struct Submission<'a, W> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) lane: usize,
    pub(crate) kind: Kind,
    pub(crate) options: &'a Options,
    pub(crate) work: W,
}

impl<'a, W: Work> Submission<'a, W> {
    #[inline]
    fn candidate(self) -> Candidate<'a, W> {
        Candidate::new(self.shared, self.lane, self.kind, self.options, self.work)
    }

    /// Sheds: a full queue is an error at once.
    #[inline]
    pub(crate) fn attempt(self) -> Result<JoinHandle<W::Output>, SpawnError<W>> {
        let mut candidate = self.candidate();
        match candidate.try_submit() {
            Ok(()) => Ok(candidate.accepted()),
            Err(reason) => candidate.refused(reason),
        }
    }

    /// Into a place of the queue that was reserved for it.
    pub(crate) fn into_place(self) -> JoinHandle<W::Output> {
        let mut candidate = self.candidate();
        let task = candidate.task.take().expect("it has just been made");
        candidate.prompt = candidate.shared.submit_reserved(task).prompt;
        candidate.accepted()
    }

    /// Waits for room, asynchronously. Dropped while it waits, it drops the work.
    pub(crate) async fn wait(self) -> Result<JoinHandle<W::Output>, SpawnError<W>> {
        let shared = self.shared;
        let lane = self.lane;
        let mut candidate = self.candidate();
        loop {
            match candidate.try_submit() {
                Ok(()) => return Ok(candidate.accepted()),
                Err(reason @ Reason::Full { .. }) => {
                    if worker::wait::may_not_wait(shared) {
                        return candidate.refused(reason);
                    }
                }
                Err(reason) => return candidate.refused(reason),
            }
            let room = shared.engine.room(lane);
            let Some(ticket) = room.wait(shared.engine.dispatch.lane(lane).gate()) else {
                continue;
            };
            let mut told = room.bell().resume(ticket);
            // A deadline or a token may settle the task meanwhile.
            poll_fn(|context| {
                let settled = match &mut candidate.joiner {
                    Some(joiner) => !joiner.wait_with(context.waker()),
                    None => true,
                };
                if settled {
                    return Poll::Ready(());
                }
                Pin::new(&mut told).poll(context)
            })
            .await;
        }
    }

    /// Waits for room, blocking. On a worker of the same pool it does not wait, which might be for
    /// ever.
    pub(crate) fn block(self) -> Result<JoinHandle<W::Output>, SpawnError<W>> {
        if worker::worker_of(self.shared).is_some() {
            return self.attempt();
        }
        let max_spin = self.shared.config.max_spin;
        blocking::block_on(max_spin, self.wait())
    }
}
