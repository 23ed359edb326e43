//! The waker's side for Rust: a wait word together with the way to wake its owner's event loop.

use std::ops::Deref;
use std::sync::Arc;

use crate::word::{Claim, WaitWord};

/// Wakes the event loop a waiter sleeps in.
///
/// `ring` is called from any thread, at most once for each sleep, and may come late: after the loop
/// has woken for another reason, while it closes, or after it closed. It must make a wait that is
/// under way, or the next one, return; and must tolerate all of those.
pub trait Driver {
    /// Makes the event loop's wait return.
    fn ring(&self);
}

/// No event loop: for waiters that never call [`Waiter::park_driver`](crate::Waiter::park_driver).
impl Driver for () {
    fn ring(&self) {}
}

impl<D: Driver + ?Sized> Driver for Arc<D> {
    fn ring(&self) {
        (**self).ring();
    }
}

/// Wakes one waiter with the cheapest call that suffices.
///
/// # Examples
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use cenote_park::{Unparker, WaitWord, Waiter};
///
/// let word = Arc::new(WaitWord::new());
/// let unparker = Unparker::new(Arc::clone(&word), ());
/// let sleeper = std::thread::spawn(move || {
///     let mut waiter = Waiter::new(word, Duration::ZERO);
///     while !waiter.take() {
///         waiter.park_futex(None, || false);
///     }
/// });
/// unparker.unpark();
/// sleeper.join().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Unparker<W, D> {
    word: W,
    driver: D,
}

impl<W: Deref<Target = WaitWord>, D: Driver> Unparker<W, D> {
    /// Wakes the owner of `word`, through `driver` when it sleeps in its event loop.
    pub fn new(word: W, driver: D) -> Self {
        Unparker { word, driver }
    }

    /// Publishes, and wakes the waiter if it sleeps. Call it after the work can be seen.
    ///
    /// Returns what it had to do, for statistics.
    pub fn unpark(&self) -> Woke {
        match self.word.publish() {
            Claim::Awake => Woke::Nothing,
            Claim::Futex => {
                self.word.wake_futex();
                Woke::Futex
            }
            Claim::Driver => {
                self.driver.ring();
                Woke::Driver
            }
        }
    }
}

/// The wake call that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woke {
    /// None was needed.
    Nothing,
    /// A futex wake.
    Futex,
    /// A ring of the event loop.
    Driver,
}
