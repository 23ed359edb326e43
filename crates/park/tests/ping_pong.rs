//! Two threads wake each other, hundreds of thousands of times, by every way to wait. One lost wake
//! and both stand still: a watchdog then says where.
#![cfg(not(cenote_loom))]

mod rally;

use std::time::Duration;

use rally::{Sleep, rally};

const MAX_SPIN: Duration = Duration::from_micros(50);

#[test]
fn spinning_and_sleeping_on_the_futex_loses_no_wake() {
    rally(200_000, MAX_SPIN, Sleep::Futex);
}

#[test]
fn sleeping_on_the_futex_each_time_loses_no_wake() {
    rally(50_000, Duration::ZERO, Sleep::Futex);
}

#[test]
fn sleeping_on_the_futex_with_deadlines_that_pass_loses_no_wake() {
    rally(50_000, Duration::ZERO, Sleep::FutexBriefly);
}

#[test]
fn spinning_and_sleeping_in_an_event_loop_loses_no_ring() {
    rally(50_000, MAX_SPIN, Sleep::EventLoop);
}

#[test]
fn sleeping_in_an_event_loop_each_time_loses_no_ring() {
    rally(50_000, Duration::ZERO, Sleep::EventLoop);
}

#[test]
fn changing_between_futex_and_event_loop_loses_no_wake() {
    rally(50_000, Duration::from_micros(2), Sleep::Alternating);
}
