//! A first-in, first-out queue of tasks, linked through the tasks: many producers, one consumer at
//! a time.
//!
//! This is Dmitry Vyukov's intrusive MPSC queue ("Intrusive MPSC node-based queue", 1024cores.net).
//! A push is one swap and one store: it never waits, whatever the consumer does. The consumer is
//! whoever has the [`Consumer`], which the lane keeps under its lock.
//!
//! Between the swap and the store of a push, the tasks from there on cannot be reached, and a pop
//! finds nothing. Nothing is lost by that: the pusher looks for a waiting worker *after* the store,
//! so a worker that saw nothing is woken by it.

use std::ptr::{self, NonNull};

use crossbeam_utils::CachePadded;

use super::chain::{Chain, Ends};
use crate::sync::{AtomicPtr, Ordering};
use crate::task::cell::{Header, TaskRef, prefetch};

/// The producers' end, shared by all.
pub(crate) struct Fifo {
    /// The task pushed last, or the placeholder. Producers write to it: apart from what the
    /// consumer uses.
    tail: CachePadded<AtomicPtr<Header>>,
    /// Takes the place of the last task when that is popped, so that there is always something to
    /// link to.
    placeholder: NonNull<Header>,
}

/// The consumer's end. There is one for each [`Fifo`].
pub(crate) struct Consumer {
    /// The next task, or the placeholder.
    head: NonNull<Header>,
}

// SAFETY: the pointers are to tasks, which are `Send` and `Sync`, and to the placeholder, of which
// only the atomic `next` is used.
unsafe impl Send for Fifo {}
// SAFETY: as above; all shared access is atomic.
unsafe impl Sync for Fifo {}
// SAFETY: as above.
unsafe impl Send for Consumer {}

impl Fifo {
    pub(crate) fn new() -> (Fifo, Consumer) {
        let placeholder = NonNull::from(Box::leak(Box::new(Header::placeholder())));
        let fifo = Fifo {
            tail: CachePadded::new(AtomicPtr::new(placeholder.as_ptr())),
            placeholder,
        };
        (fifo, Consumer { head: placeholder })
    }

    pub(crate) fn push(&self, task: TaskRef) {
        self.link(task.into_raw());
    }

    fn link(&self, node: NonNull<Header>) {
        // SAFETY: a task that is being pushed is alive by the reference given to the queue; the
        // placeholder lives as long as `self`.
        let header = unsafe { node.as_ref() };
        header.next.store(ptr::null_mut(), Ordering::Relaxed);
        // AcqRel: releases the node's own fields to whoever links to it or pops it as the last;
        // acquires the fields of the one before, whose `next` is written below.
        let before = self.tail.swap(node.as_ptr(), Ordering::AcqRel);
        // SAFETY: the tail is never null. The consumer does not free, nor give away, a node whose
        // `next` is not written yet, unless a later node has taken its place as the tail; this swap
        // did that.
        let before = unsafe { &*before };
        // Release: pairs with the Acquire in `pop`.
        before.next.store(node.as_ptr(), Ordering::Release);
    }

    /// Pushes tasks that are linked already, as [`push`](Self::push) does one.
    pub(crate) fn push_chain(&self, chain: Chain) {
        let Some(Ends { first, last }) = chain.into_ends() else {
            return;
        };
        // SAFETY: the last task is alive by the reference given to the queue.
        let tail = unsafe { last.as_ref() };
        tail.next.store(ptr::null_mut(), Ordering::Relaxed);
        // AcqRel: as in `link`. It releases the fields of all tasks of the chain, and their links.
        let before = self.tail.swap(last.as_ptr(), Ordering::AcqRel);
        // SAFETY: as in `link`.
        let before = unsafe { &*before };
        // Release: pairs with the Acquire in `pop`, which then finds the whole chain linked.
        before.next.store(first.as_ptr(), Ordering::Release);
    }

    /// The oldest task, still in the queue. `None`: empty, or not linked yet.
    pub(crate) fn peek<'a>(&'a self, consumer: &'a mut Consumer) -> Option<&'a Header> {
        // SAFETY: the head is a task of this queue or the placeholder; both are alive.
        let head = unsafe { consumer.head.as_ref() };
        if consumer.head != self.placeholder {
            return Some(head);
        }
        // Acquire: pairs with the Release in `link`.
        consumer.head = NonNull::new(head.next.load(Ordering::Acquire))?;
        // SAFETY: as above.
        Some(unsafe { consumer.head.as_ref() })
    }

    /// Whether another task is linked behind the ones that were popped: the head is known, nothing
    /// is read for it.
    pub(crate) fn has_next(&self, consumer: &Consumer) -> bool {
        consumer.head != self.placeholder
    }

    /// Takes the oldest task. `None`: empty, or not linked yet.
    ///
    /// `consumer` has to be the one that was made with this queue.
    pub(crate) fn pop(&self, consumer: &mut Consumer) -> Option<TaskRef> {
        self.peek(consumer)?;
        let head = consumer.head;
        // SAFETY: `peek` left the head at a task of this queue, which is alive.
        let next = unsafe { head.as_ref() }.next.load(Ordering::Acquire);
        let next = match NonNull::new(next) {
            Some(next) => next,
            None => {
                if self.tail.load(Ordering::Acquire) != head.as_ptr() {
                    // Somebody is between the swap and the store behind this very task: it cannot
                    // be unlinked before that store.
                    return None;
                }
                // It is the last one. With the placeholder behind it, it can go.
                self.link(self.placeholder);
                // SAFETY: as above. Null: somebody swapped in between, and will store.
                NonNull::new(unsafe { head.as_ref() }.next.load(Ordering::Acquire))?
            }
        };
        consumer.head = next;
        // By the time the task that is taken here has run, the next one's memory has arrived.
        prefetch(next);
        // SAFETY: `push` made it by `into_raw`; the head has moved on, so it is given back once.
        Some(unsafe { TaskRef::from_raw(head) })
    }

    /// The tasks that can be reached, the oldest first.
    pub(crate) fn reachable(&self, consumer: &Consumer) -> Vec<TaskRef> {
        let mut tasks = Vec::new();
        let mut at = Some(consumer.head);
        while let Some(node) = at {
            // SAFETY: what is linked behind the consumer's head is a task of this queue, or the
            // placeholder: alive as long as the caller has the consumer.
            let header = unsafe { node.as_ref() };
            if node != self.placeholder {
                // SAFETY: the queue has a reference to it, which is forgotten again below.
                let queued = unsafe { TaskRef::from_raw(node) };
                tasks.push(queued.clone());
                let _ = queued.into_raw();
            }
            // Acquire: pairs with the Release in `link`.
            at = NonNull::new(header.next.load(Ordering::Acquire));
        }
        tasks
    }

    /// Frees the placeholder, and drops the tasks that are left. The queue must not be used
    /// afterwards.
    pub(crate) fn dispose(&mut self, consumer: &mut Consumer) {
        while let Some(task) = self.pop(consumer) {
            drop(task);
        }
        // SAFETY: `new` made it by `Box::new`. Nobody pushes any more (`&mut self`), and all tasks
        // are popped, so nothing links to it.
        drop(unsafe { Box::from_raw(self.placeholder.as_ptr()) });
    }
}
