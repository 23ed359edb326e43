//! Tasks that are linked to one another before they are queued, so that one step queues them all.
//!
//! They are of one lane, kind and band, and go into one [`Fifo`](super::fifo::Fifo), whose links
//! they use: a chain is a piece of a queue that is not in it yet. It has a reference to each.

use std::ptr::{self, NonNull};

use crate::sync::Ordering;
use crate::task::cell::{Header, TaskRef};

/// See the module.
#[derive(Default)]
pub(crate) struct Chain {
    ends: Option<Ends>,
    len: usize,
}

/// The first task and the last one.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) first: NonNull<Header>,
    pub(crate) last: NonNull<Header>,
}

// SAFETY: the pointers are to tasks, which are `Send` and `Sync`, and of which the chain has a
// reference each.
unsafe impl Send for Chain {}
// SAFETY: as above; a shared reference gives none away.
unsafe impl Sync for Chain {}

impl Chain {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first task.
    pub(crate) fn first(&self) -> Option<&Header> {
        // SAFETY: the chain has a reference to it, for as long as it is borrowed.
        self.ends.map(|ends| unsafe { ends.first.as_ref() })
    }

    /// Adds a task at the end. It has to be of the lane, kind and band of the others.
    pub(crate) fn append(&mut self, task: TaskRef) {
        let node = task.into_raw();
        match &mut self.ends {
            Some(ends) => {
                // SAFETY: the chain has a reference to its last task.
                let last = unsafe { ends.last.as_ref() };
                // Relaxed, as all links of a chain: whoever queues it releases them.
                last.next.store(node.as_ptr(), Ordering::Relaxed);
                ends.last = node;
            }
            None => {
                self.ends = Some(Ends {
                    first: node,
                    last: node,
                });
            }
        }
        self.len += 1;
    }

    /// Takes the first task.
    pub(crate) fn pop(&mut self) -> Option<TaskRef> {
        let Ends { first, last } = self.ends?;
        // SAFETY: the chain has a reference to it.
        let next = unsafe { first.as_ref() }.next.load(Ordering::Relaxed);
        self.ends = NonNull::new(next).map(|first| Ends { first, last });
        self.len -= 1;
        // SAFETY: `append` made it by `into_raw`, and no chain has it any more.
        Some(unsafe { TaskRef::from_raw(first) })
    }

    /// Takes the first `tasks`, or all if there are no more.
    pub(crate) fn take(&mut self, tasks: usize) -> Chain {
        if tasks >= self.len {
            return std::mem::take(self);
        }
        let Some(ends) = &mut self.ends else {
            return Chain::default();
        };
        let Some(last) = nodes(ends.first, tasks).last() else {
            return Chain::default();
        };
        let first = ends.first;
        // SAFETY: it is one of the chain's tasks, and not the last of them.
        let link = &unsafe { last.as_ref() }.next;
        let Some(rest) = NonNull::new(link.load(Ordering::Relaxed)) else {
            unreachable!("a task before the last has one behind it")
        };
        link.store(ptr::null_mut(), Ordering::Relaxed);
        ends.first = rest;
        self.len -= tasks;
        Chain {
            ends: Some(Ends { first, last }),
            len: tasks,
        }
    }

    /// The tasks, the first one first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Header> {
        let first = self.ends.map(|ends| ends.first);
        let nodes = first.into_iter().flat_map(|first| nodes(first, self.len));
        // SAFETY: the chain has a reference to it, for as long as it is borrowed.
        nodes.map(|node| unsafe { node.as_ref() })
    }

    /// The two ends. The references go over to the caller.
    pub(crate) fn into_ends(mut self) -> Option<Ends> {
        self.len = 0;
        self.ends.take()
    }
}

/// So many nodes of a chain, from this one on. There have to be as many.
fn nodes(first: NonNull<Header>, count: usize) -> impl Iterator<Item = NonNull<Header>> {
    let mut at = Some(first);
    (0..count).map_while(move |_| {
        let node = at?;
        // SAFETY: the chain has a reference to each of its tasks, and its caller borrows it.
        let next = unsafe { node.as_ref() }.next.load(Ordering::Relaxed);
        at = NonNull::new(next);
        Some(node)
    })
}

impl Drop for Chain {
    fn drop(&mut self) {
        while let Some(task) = self.pop() {
            drop(task);
        }
    }
}
