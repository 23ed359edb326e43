//! Round trip: submit a closure, block for its result, and again.
//!
//! Who cares: whoever moves a short piece of work off a thread that then has to wait for it. It is
//! the price of the hop: below it, offloading cannot pay.
//!
//! Excluded: the start of the pool, a cold worker (the next task follows at once), a task's own
//! work, other load.
//!
//! Validated: every answer is compared with the number that was sent.
//!
//! Two lines are no pools but the floor under them: two threads that write two cache lines in turn
//! (no queue, no task, no sleep), and two threads that unpark each other in turn (what two sleeping
//! threads cannot beat).

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Thread};

use crossbeam_utils::CachePadded;

use super::closed_loop::{answer, closed_loop, figures};
use super::{Figure, Outcome, Processes, Scenario};
use crate::contender::Contender;
use crate::effort::Effort;
use crate::for_pool;
use crate::pools::{Pool, Reply, Setup};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "roundtrip",
    title: "Round trip: submit a closure, block for its result",
    workers: 2,
    processes: Processes::Several(3),
    contenders: &Contender::ALL,
    figures: &[Figure::new("p50", "µs"), Figure::new("p99", "µs")],
    measure,
};

pub(super) fn measure(contender: Contender, effort: &Effort) -> Outcome {
    for_pool!(contender, |P| pool::<P>(effort), bare(contender, effort))
}

fn pool<P: Pool>(effort: &Effort) -> Outcome {
    let pool = P::start(Setup::TWO);
    let reply = Reply::default();
    let summary = closed_loop(effort, |number| pool.call(&reply, move || answer(number)))?;
    Ok(figures(summary))
}

/// What the two threads share. Each line is written by one of them, and each message differs from
/// the one before.
#[derive(Default)]
struct Lines {
    there: CachePadded<AtomicU64>,
    back: CachePadded<AtomicU64>,
}

/// Sent to end the other thread.
const END: u64 = u64::MAX;

fn bare(contender: Contender, effort: &Effort) -> Outcome {
    let sleeps = contender == Contender::BareUnpark;
    // Acquire pairs with the Release store of the thread opposite: a task and its result need that
    // order as well. No pause instruction: it would be part of the floor.
    let next = |line: &AtomicU64, last: u64| {
        loop {
            match line.load(Ordering::Acquire) {
                message if message != last => return message,
                _ if sleeps => thread::park(),
                _ => {}
            }
        }
    };
    let send = |line: &AtomicU64, message: u64, to: &Thread| {
        line.store(message, Ordering::Release);
        if sleeps {
            to.unpark();
        }
    };

    let lines = Lines::default();
    let caller = thread::current();
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut last = 0;
            loop {
                last = next(&lines.there, last);
                if last == END {
                    return;
                }
                send(&lines.back, answer(last), &caller);
            }
        });
        let mut last = 0;
        let summary = closed_loop(effort, |number| {
            // Zero is what the lines begin with, and has itself as its answer.
            send(&lines.there, number + 1, other.thread());
            last = next(&lines.back, last);
            if last == answer(number + 1) {
                answer(number)
            } else {
                last
            }
        });
        send(&lines.there, END, other.thread());
        summary.map(figures)
    })
}
