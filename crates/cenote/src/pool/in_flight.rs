//! The tasks of a [`MapBlocking`](super::map_blocking::MapBlocking) whose results it has not given
//! away: those that wait, run, or have ended.
//!
//! In order, only the oldest is looked at, and only it leaves a waker. As they end, each has a
//! numbered slot with a waker of its own, which puts the number on a list and wakes whoever takes
//! results. So a look costs the same however many there are, and a slot's waker is made once.
//!
//! Guaranteed: a task that is dropped here is aborted. A result that comes is not missed: the list
//! is found empty and the consumer's waker is left under one lock.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::Mutex;
use crate::task::error::JoinError;
use crate::task::handle::JoinHandle;

/// See the module.
pub(super) enum InFlight<T> {
    InOrder(VecDeque<Started<T>>),
    AsTheyEnd(AsTheyEnd<T>),
}

/// A task that is aborted when this is dropped before it has ended.
pub(super) struct Started<T>(JoinHandle<T>);

impl<T> Drop for Started<T> {
    fn drop(&mut self) {
        if !self.0.is_finished() {
            self.0.abort();
        }
    }
}

impl<T> Started<T> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> InFlight<T> {
    pub(super) fn in_order() -> Self {
        InFlight::InOrder(VecDeque::new())
    }

    /// The same tasks; from now on whichever ends first comes first.
    pub(super) fn into_as_they_end(mut self) -> Self {
        let InFlight::InOrder(tasks) = &mut self else {
            return self;
        };
        let mut slots = AsTheyEnd::new();
        for task in std::mem::take(tasks) {
            slots.push(task);
        }
        InFlight::AsTheyEnd(slots)
    }

    pub(super) fn len(&self) -> usize {
        match self {
            InFlight::InOrder(tasks) => tasks.len(),
            InFlight::AsTheyEnd(tasks) => tasks.len(),
        }
    }

    pub(super) fn push(&mut self, handle: JoinHandle<T>) {
        let task = Started(handle);
        match self {
            InFlight::InOrder(tasks) => tasks.push_back(task),
            InFlight::AsTheyEnd(tasks) => tasks.push(task),
        }
    }

    /// The next result. `None`: no task is in flight.
    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<T, JoinError>>> {
        match self {
            InFlight::InOrder(tasks) => {
                let Some(oldest) = tasks.front_mut() else {
                    return Poll::Ready(None);
                };
                let result = oldest.poll(context);
                if result.is_ready() {
                    tasks.pop_front();
                }
                result.map(Some)
            }
            InFlight::AsTheyEnd(tasks) => tasks.poll_next(context),
        }
    }
}

impl<T> Drop for InFlight<T> {
    fn drop(&mut self) {
        // The youngest first: a worker takes the oldest, so fewer of them start meanwhile.
        if let InFlight::InOrder(tasks) = self {
            while let Some(task) = tasks.pop_back() {
                drop(task);
            }
        }
    }
}

/// Tasks whose results are taken in the order in which they come.
pub(super) struct AsTheyEnd<T> {
    slots: Vec<Slot<T>>,
    /// Slots without a task.
    free: Vec<usize>,
    ended: Arc<Ended>,
}

struct Slot<T> {
    task: Option<Started<T>>,
    waker: Waker,
}

/// Which slots are to be looked at, and who takes their results.
#[derive(Default)]
struct Ended(Mutex<Numbers>);

#[derive(Default)]
struct Numbers {
    numbers: VecDeque<usize>,
    consumer: Option<Waker>,
}

struct SlotWaker {
    number: usize,
    ended: Arc<Ended>,
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut list = self.ended.0.lock();
        list.numbers.push_back(self.number);
        let consumer = list.consumer.take();
        drop(list);
        // Without the lock: a waker is its runtime's code.
        if let Some(consumer) = consumer {
            consumer.wake();
        }
    }
}

impl<T> AsTheyEnd<T> {
    fn new() -> Self {
        AsTheyEnd {
            slots: Vec::new(),
            free: Vec::new(),
            ended: Arc::default(),
        }
    }

    fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn push(&mut self, task: Started<T>) {
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number].task = Some(task);
                number
            }
            None => {
                let number = self.slots.len();
                let ended = Arc::clone(&self.ended);
                self.slots.push(Slot {
                    task: Some(task),
                    waker: Waker::from(Arc::new(SlotWaker { number, ended })),
                });
                number
            }
        };
        // The first look leaves the slot's waker with the task.
        self.ended.0.lock().numbers.push_back(number);
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        if self.len() == 0 {
            return Poll::Ready(None);
        }
        let mut own = None;
        loop {
            let mut list = self.ended.0.lock();
            if let Some(number) = list.numbers.pop_front() {
                drop(list);
                if let Poll::Ready(result) = self.look(number) {
                    return Poll::Ready(Some(result));
                }
                continue;
            }
            let waits = list.consumer.as_ref();
            if waits.is_some_and(|waker| waker.will_wake(context.waker())) {
                return Poll::Pending;
            }
            if let Some(own) = own.take() {
                let before = list.consumer.replace(own);
                drop(list);
                drop(before);
                return Poll::Pending;
            }
            // Without the lock: a waker is its runtime's code.
            drop(list);
            own = Some(context.waker().clone());
        }
    }

    /// Takes the result of a slot's task, if it is there.
    fn look(&mut self, number: usize) -> Poll<Result<T, JoinError>> {
        let slot = &mut self.slots[number];
        let Some(task) = &mut slot.task else {
            return Poll::Pending;
        };
        let result = task.poll(&mut Context::from_waker(&slot.waker));
        if result.is_ready() {
            slot.task = None;
            self.free.push(number);
        }
        result
    }
}
