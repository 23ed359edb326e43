//! Sleeping on an address: the contract, and the choice of who keeps it.
//!
//! [`Futex::wait`] sleeps only if the word still holds `expected`, and that check and the falling
//! asleep are one step as seen by [`Futex::wake`]: a waker that changes the word and then wakes
//! cannot slip in between. Waking is a hint. A wait may end for no reason (a signal, a late wake
//! meant for an earlier sleep), so callers look at the word again.

use std::time::Instant;

use crate::sync::AtomicU32;

#[cfg(all(any(target_os = "linux", target_os = "android"), not(cenote_loom)))]
#[cfg_attr(feature = "portable-futex", allow(dead_code))]
mod linux;
#[cfg(cenote_loom)]
mod loom;
#[cfg(all(
    any(
        test,
        feature = "portable-futex",
        not(any(target_os = "linux", target_os = "android"))
    ),
    not(cenote_loom)
))]
#[cfg_attr(
    all(
        any(target_os = "linux", target_os = "android"),
        not(feature = "portable-futex")
    ),
    allow(dead_code)
)]
mod portable;

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(cenote_loom),
    not(feature = "portable-futex")
))]
type Platform = linux::Linux;
#[cfg(all(
    any(
        feature = "portable-futex",
        not(any(target_os = "linux", target_os = "android"))
    ),
    not(cenote_loom)
))]
type Platform = portable::Portable;
#[cfg(cenote_loom)]
type Platform = loom::Loom;

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Woken, or the word differed, or for no reason: look at the word.
    Look,
    /// The deadline passed.
    TimedOut,
}

/// What a system has to offer so that a thread can sleep on a word.
pub(crate) trait Futex {
    /// Sleeps while `word` holds `expected`, until a wake, the deadline, or for no reason less
    /// long.
    fn wait(word: &AtomicU32, expected: u32, deadline: Option<Instant>) -> Wait;
    /// Wakes one thread that sleeps on `word`, if there is one. Never blocks for long.
    fn wake(word: &AtomicU32);
}

pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: Option<Instant>) -> Wait {
    Platform::wait(word, expected, deadline)
}

pub(crate) fn wake(word: &AtomicU32) {
    Platform::wake(word);
}

#[cfg(all(test, not(cenote_loom)))]
mod tests;
