//! Tells those who wait that something has changed: first come, first told.
//!
//! Who waits first [listens](Bell::listen), then looks whether there is still something to wait
//! for, and only then waits. [`tell`](Bell::tell) reaches those who listen at that moment, and
//! takes them off the list: each is told once.
//!
//! Guaranteed: a telling is not lost with a listener that goes away. One that was told, and is
//! dropped before it has noticed, passes it on to the next.
//!
//! Wakers are woken, cloned and dropped without the lock, since what they do is their runtime's
//! affair.

use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::sync::Mutex;
use crate::task::boundary;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Bell(Mutex<List>);

#[derive(Debug, Default)]
struct List {
    /// In the order of their numbers.
    waiting: VecDeque<Waiting>,
    next: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    waker: Option<Waker>,
}

impl List {
    fn place_of(&self, number: u64) -> Option<usize> {
        self.waiting
            .binary_search_by_key(&number, |waiting| waiting.number)
            .ok()
    }
}

impl Bell {
    /// From now on a telling reaches this listener.
    pub(crate) fn listen(&self) -> Listener<'_> {
        self.resume(self.enter())
    }

    /// Tells so many of those who listen, the longest waiting first. Returns how many it found.
    pub(crate) fn tell(&self, most: usize) -> usize {
        for found in 0..most {
            // One at a time: a waker may do anything, also listen again.
            let mut list = self.0.lock();
            let Some(told) = list.waiting.pop_front() else {
                return found;
            };
            drop(list);
            if let Some(waker) = told.waker {
                boundary::wake(waker);
            }
        }
        most
    }

    /// Tells everybody who listens at this moment.
    pub(crate) fn tell_all(&self) {
        let told = mem::take(&mut self.0.lock().waiting);
        for waiting in told {
            if let Some(waker) = waiting.waker {
                boundary::wake(waker);
            }
        }
    }

    /// Whether somebody listens who was not told.
    pub(crate) fn has_listeners(&self) -> bool {
        !self.0.lock().waiting.is_empty()
    }

    /// The same, for a ticket of this bell.
    pub(crate) fn resume(&self, ticket: Ticket) -> Listener<'_> {
        Listener { bell: self, ticket }
    }

    /// For one who cannot hold a [`Listener`]: listens until [`poll`](Self::poll) says that it was
    /// told, or until it [leaves](Self::leave).
    pub(crate) fn enter(&self) -> Ticket {
        let mut list = self.0.lock();
        let number = list.next;
        list.next += 1;
        list.waiting.push_back(Waiting {
            number,
            waker: None,
        });
        Ticket(Some(number))
    }

    /// Whether it was told; if not, leaves the waker.
    pub(crate) fn poll(&self, ticket: &mut Ticket, waker: &Waker) -> bool {
        let Some(number) = ticket.0 else {
            return true;
        };
        let waker = waker.clone();
        let mut list = self.0.lock();
        let before = match list.place_of(number) {
            Some(place) => list.waiting[place].waker.replace(waker),
            None => {
                ticket.0 = None;
                Some(waker)
            }
        };
        drop(list);
        boundary::drop_quietly(before);
        ticket.0.is_none()
    }

    /// Whether it was told.
    pub(crate) fn was_told(&self, ticket: &Ticket) -> bool {
        ticket
            .0
            .is_none_or(|number| self.0.lock().place_of(number).is_none())
    }

    /// It waits no more. What it was told and has not noticed goes to the next.
    pub(crate) fn leave(&self, ticket: &mut Ticket) {
        let Some(number) = ticket.0.take() else {
            return;
        };
        let mut list = self.0.lock();
        let place = list.place_of(number);
        let left = place.and_then(|place| list.waiting.remove(place));
        drop(list);
        match left {
            Some(waiting) => boundary::drop_quietly(waiting.waker),
            None => {
                self.tell(1);
            }
        }
    }
}

/// A place in the list. `None`: it was told, and knows.
#[derive(Debug)]
pub(crate) struct Ticket(Option<u64>);

/// One who listens. As a future it is ready when it was told.
#[derive(Debug)]
pub(crate) struct Listener<'a> {
    bell: &'a Bell,
    ticket: Ticket,
}

impl Listener<'_> {
    pub(crate) fn was_told(&self) -> bool {
        self.bell.was_told(&self.ticket)
    }

    /// Leaves the waker. False: it was told already.
    pub(crate) fn wait_with(&mut self, waker: &Waker) -> bool {
        !self.bell.poll(&mut self.ticket, waker)
    }
}

impl Future for Listener<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.wait_with(context.waker()) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        self.bell.leave(&mut self.ticket);
    }
}
