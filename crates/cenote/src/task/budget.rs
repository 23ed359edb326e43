//! A part in tokio's cooperative budget: a loop that awaits what is ready gives way now and then.
//!
//! tokio hands each of its tasks a budget at each poll. Whoever returns a result takes of it; with
//! nothing left he says `Pending` once, so that the task's other work and the runtime's other tasks
//! get their turn. Outside of a tokio task there is no budget.
//!
//! tokio itself stays `Pending` until the runtime has looked at its timers and sockets, which it
//! never does while the task blocks its thread in another executor's `block_on`: that hangs. So
//! this wakes at once, gives way to the tasks that are ready, and goes on without a budget if it is
//! polled before it has a new one. Timers and sockets have their turn with the runtime's next look,
//! every 61 polls.

use std::mem;
use std::task::{Context, Poll};

use tokio::task::coop::{self, RestoreOnPending};

/// Of one future. See the module.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// It gave way, and has returned nothing since.
    gave_way: bool,
}

/// The leave to go on. What it took of the budget comes back unless there is a result.
pub(crate) struct Leave(Option<RestoreOnPending>);

impl Leave {
    /// The future has a result.
    pub(crate) fn made_progress(self) {
        if let Some(taken) = self.0 {
            taken.made_progress();
        }
    }
}

impl Budget {
    /// `Pending`: there is nothing left, and the waker is woken.
    #[inline]
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Leave> {
        if let Poll::Ready(taken) = coop::poll_proceed(context) {
            self.gave_way = false;
            return Poll::Ready(Leave(Some(taken)));
        }
        if mem::take(&mut self.gave_way) {
            return Poll::Ready(Leave(None));
        }
        self.gave_way = true;
        // tokio wakes as well, where it can; twice is as once.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
