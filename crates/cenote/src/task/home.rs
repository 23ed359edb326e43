//! From a task to its pool, for the few who have only the task: whoever settles one that waits in a
//! queue, so that its place there is free at once.
//!
//! A task knows its pool by a number. Holding the pool itself would cost every task a step on one
//! shared counter.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use super::cell::TaskRef;
use crate::os::per_process::PerProcess;
use crate::sync::Mutex;
use crate::timer;

/// A pool, as its tasks see it.
pub(crate) trait Home: Send + Sync {
    /// A task was settled that no worker has started. It may be in a queue, in a mailbox, or on its
    /// way there.
    fn settled_unstarted(&self, task: &TaskRef);
}

type Homes = Mutex<HashMap<u32, Weak<dyn Home>>>;

static HOMES: PerProcess<Homes> = PerProcess::new();

fn homes() -> &'static Homes {
    HOMES.get_or_make(Homes::default)
}

/// The pool of that number can be found from now on.
pub(crate) fn open(number: u32, home: Weak<dyn Home>) {
    homes().lock().insert(number, home);
}

/// The pool is gone.
pub(crate) fn close(number: u32) {
    homes().lock().remove(&number);
}

pub(super) fn settled_unstarted(task: &TaskRef) {
    let home = homes()
        .lock()
        .get(&task.header().meta.pool)
        .and_then(Weak::upgrade);
    let Some(home) = home else { return };
    home.settled_unstarted(task);
    // With a pool goes what its user gave it, which the timer's thread must not wait for.
    if timer::runs_here() && Arc::strong_count(&home) == 1 {
        timer::elsewhere(Box::new(move || drop(home)));
    }
}
