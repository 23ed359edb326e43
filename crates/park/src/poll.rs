//! The loop of a spin: polls for work with a pause instruction, bounded by the clock.
//!
//! A pause takes 10 to 140 cycles, depending on the processor, so a count bounds nothing. The clock
//! is looked at about every microsecond, after each [`glance`]; how many pauses that is, the loop
//! learns as it goes.

use std::time::Duration;
#[cfg(not(cenote_loom))]
use std::time::Instant;

#[cfg(not(cenote_loom))]
use crate::glance::glance;
use crate::participants::Participants;
use crate::spin::SpinRequest;
#[cfg(not(cenote_loom))]
use crate::sync::clock;
#[cfg(cenote_loom)]
use crate::sync::spin_loop;

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// There is work.
    Hit,
    /// The time is used up.
    Missed,
    /// `SpinRequest::until` came.
    #[cfg_attr(cenote_loom, allow(dead_code, reason = "the model has no clock"))]
    Due,
    /// The host has work of its own.
    Interrupted,
    /// Too many participants are awake, and this one's slot is given up: it no longer counts.
    Yielded,
}

/// The loop, and what it learned about this machine's pause.
#[derive(Debug)]
pub(crate) struct Poller {
    /// Pauses between two looks at the clock.
    #[cfg_attr(cenote_loom, allow(dead_code, reason = "the model has no clock"))]
    pauses: u32,
}

impl Poller {
    /// Starts with a guess that is about a microsecond where a pause is long.
    pub(crate) fn new() -> Self {
        Poller { pauses: 16 }
    }

    /// Polls `has_work` for `left`, or as `request`, the host or the participants end it. Returns
    /// how it ended and how long it took; of a hit, up to the last look at the clock.
    #[cfg(not(cenote_loom))]
    pub(crate) fn poll(
        &mut self,
        left: Duration,
        request: &SpinRequest,
        participants: &Participants,
        has_work: impl Fn() -> bool,
        mut interrupted: impl FnMut() -> bool,
    ) -> (End, Duration) {
        let entered = clock::now();
        let mut looked = entered;
        let mut checked = entered;
        loop {
            if glance(participants, self.pauses + 1, 1, &has_work) {
                return (End::Hit, looked - entered);
            }
            let now = clock::now();
            let spent = now - entered;
            if participants.is_crowded() && participants.yield_slot() {
                return (End::Yielded, spent);
            }
            // After that: a glance that may not spin ends at once.
            self.tune(now - looked);
            looked = now;
            if spent >= left {
                return (End::Missed, spent);
            }
            if is_due(request, now) {
                return (End::Due, spent);
            }
            if now - checked >= request.check_every {
                if interrupted() {
                    return (End::Interrupted, spent);
                }
                checked = now;
                // The host's look is no part of the polls' time.
                looked = clock::now();
            }
        }
    }

    /// The model's loop: without a clock, every step once.
    #[cfg(cenote_loom)]
    pub(crate) fn poll(
        &mut self,
        _left: Duration,
        _request: &SpinRequest,
        participants: &Participants,
        has_work: impl Fn() -> bool,
        mut interrupted: impl FnMut() -> bool,
    ) -> (End, Duration) {
        let end = if has_work() {
            End::Hit
        } else if participants.is_crowded() && participants.yield_slot() {
            End::Yielded
        } else if interrupted() {
            End::Interrupted
        } else {
            spin_loop();
            End::Missed
        };
        (end, Duration::ZERO)
    }

    /// Told how long the last pauses took, brings the next ones closer to a microsecond.
    #[cfg(not(cenote_loom))]
    fn tune(&mut self, took: Duration) {
        if took < Duration::from_nanos(700) {
            self.pauses = (self.pauses * 2).min(256);
        } else if took > Duration::from_nanos(1400) {
            self.pauses = (self.pauses / 2).max(1);
        }
    }
}

#[cfg(not(cenote_loom))]
fn is_due(request: &SpinRequest, now: Instant) -> bool {
    request.until.is_some_and(|until| now >= until)
}
