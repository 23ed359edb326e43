//! Blocking for the tasks of a [`TaskSet`].
//!
//! A worker that blocks runs those closures of the set that nobody has started, as `join` does, so
//! that waiting does not use the pool up. Guaranteed: before a worker goes to sleep it has tried
//! every closure that it may run, and knows of a task that others bring to its end.
//!
//! The list `unstarted` has the numbers of the closures that may not have started, and of others.
//! Each number is looked at once, so a worker that joins a whole set walks it once; those that must
//! not run at the moment it looks at again.

use super::{Slot, TaskSet};
use crate::task::blocking;
use crate::task::cell::Kind;
use crate::task::error::JoinError;
use crate::task::handle::Status;
use crate::worker::{self, wait};

impl<T> TaskSet<T> {
    /// Blocks until the next task ends, and takes its result. `None`: the set is empty. Do not call
    /// it from async code.
    ///
    /// On a worker, closures of the set that are of its pool and have not started are run here and
    /// now, as by [`JoinHandle::join`](crate::JoinHandle::join); not inside of
    /// [`with_state`](crate::with_state).
    ///
    /// # Errors
    ///
    /// If the task has no value; and with `CENOTE_WOULD_DEADLOCK`, as by `join`, if nobody could
    /// bring one of them to its end. Then that one has left the set, and goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = cenote::Pool::new()?;
    /// let mut set = cenote::TaskSet::new();
    /// set.try_spawn_on(&pool, || 1)?;
    /// set.try_spawn_on(&pool, || 2)?;
    /// let results = std::iter::from_fn(|| set.blocking_join_next());
    /// assert_eq!(results.sum::<Result<u32, _>>()?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking_join_next(&mut self) -> Option<Result<T, JoinError>> {
        loop {
            if let Some(result) = self.try_join_next() {
                return Some(result);
            }
            if self.is_empty() {
                return None;
            }
            if worker::is_worker() {
                self.help();
                if !self.done.is_empty() {
                    continue;
                }
                if let Some(number) = self.one_of_this_pool()
                    && let Some(handle) = &self.slots[number].handle
                {
                    let task = handle.task().clone();
                    match wait::wait_for(&task, None, &mut &*self.ready) {
                        Some(Ok(_)) => continue,
                        Some(Err(refused)) => {
                            self.remove(number);
                            return Some(Err(refused));
                        }
                        None => {}
                    }
                }
            }
            blocking::wait(self.max_spin, None, &mut &*self.ready);
        }
    }

    /// On a worker: runs closures of its pool until one is done.
    fn help(&mut self) {
        // Those that may not run now, since their lane is at its limit or the state is lent.
        let mut later = Vec::new();
        loop {
            self.ready.take(&mut self.done);
            if !self.done.is_empty() {
                break;
            }
            let Some(number) = self.unstarted.pop_front() else {
                break;
            };
            let slot = &self.slots[number];
            if let Some(handle) = &slot.handle
                && slot.is_queued_closure()
                && wait::is_home_of(handle.task())
            {
                wait::help(handle.task());
                if self.slots[number].is_queued_closure() {
                    later.push(number);
                }
            }
        }
        while let Some(number) = later.pop() {
            self.unstarted.push_front(number);
        }
    }

    /// On a worker: a task of its pool that is not done, one that has started if there is one.
    fn one_of_this_pool(&mut self) -> Option<usize> {
        let mut queued = None;
        // Usually the first that it looks at runs elsewhere.
        for step in 0..self.slots.len() {
            let number = (self.looked + step) % self.slots.len();
            let Some(handle) = &self.slots[number].handle else {
                continue;
            };
            if !wait::is_home_of(handle.task()) {
                continue;
            }
            match handle.status() {
                Status::Queued => {
                    queued.get_or_insert(number);
                }
                Status::Running => {
                    self.looked = number;
                    return Some(number);
                }
                Status::Finished => {}
            }
        }
        queued
    }

    /// Before the list grows it lets go of what has started.
    pub(super) fn note_unstarted(&mut self, number: usize) {
        if self.unstarted.len() == self.unstarted.capacity() {
            let slots = &self.slots;
            self.unstarted
                .retain(|&number| slots[number].is_queued_closure());
            // Room for as many again, so that the next look is as far away.
            self.unstarted.reserve(self.unstarted.len().max(32));
        }
        self.unstarted.push_back(number);
    }
}

impl<T> Slot<T> {
    fn is_queued_closure(&self) -> bool {
        self.handle.as_ref().is_some_and(|handle| {
            handle.status() == Status::Queued && handle.task().header().meta.kind == Kind::Closure
        })
    }
}
