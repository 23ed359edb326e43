//! One round trip after the other, each timed by itself: what the scenarios about round trips
//! share.
//!
//! A trip carries a number there and another one back, which is checked every time. What is timed
//! includes one look at the clock, some 20 ns, alike for all.

use std::future::Future;
use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::effort::Effort;
use crate::statistics::{Samples, Summary, micros};

/// What a worker does with the number: a multiplication, so that the answer is none that lies
/// around.
pub(super) fn answer(number: u64) -> u64 {
    black_box(number).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

pub(super) fn check(number: u64, got: u64) -> Result<(), String> {
    if got == answer(number) {
        Ok(())
    } else {
        Err(format!("the answer to {number} was {got}"))
    }
}

/// Times `call`, which takes a number to a worker and returns with its [`answer`].
pub(super) fn closed_loop(
    effort: &Effort,
    call: impl FnMut(u64) -> u64,
) -> Result<Summary, String> {
    closed_loop_within(Duration::MAX, effort, call)
}

/// The same, with fewer trips if they take longer than `limit`; one at least.
pub(super) fn closed_loop_within(
    limit: Duration,
    effort: &Effort,
    mut call: impl FnMut(u64) -> u64,
) -> Result<Summary, String> {
    let mut samples = Samples::with_capacity(effort.roundtrips);
    let began = Instant::now();
    for number in 0..(effort.warmup + effort.roundtrips) as u64 {
        let start = Instant::now();
        if start - began >= limit && !samples.is_empty() {
            break;
        }
        let got = call(number);
        let took = start.elapsed();
        check(number, got)?;
        if number >= effort.warmup as u64 {
            samples.record(took);
        }
    }
    Ok(samples.summary())
}

/// The same from an async task.
pub(super) async fn closed_loop_async<Fut>(
    effort: Effort,
    mut call: impl FnMut(u64) -> Fut,
) -> Result<Summary, String>
where
    Fut: Future<Output = u64>,
{
    let mut samples = Samples::with_capacity(effort.roundtrips);
    for number in 0..(effort.warmup + effort.roundtrips) as u64 {
        let start = Instant::now();
        let got = call(number).await;
        let took = start.elapsed();
        check(number, got)?;
        if number >= effort.warmup as u64 {
            samples.record(took);
        }
    }
    Ok(samples.summary())
}

/// Median and 99th percentile, in microseconds.
pub(super) fn figures(summary: Summary) -> Vec<f64> {
    vec![micros(summary.p50), micros(summary.p99)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_answer_is_noticed() {
        assert!(closed_loop(&Effort::SMOKE, answer).is_ok());
        let wrong = closed_loop(&Effort::SMOKE, |number| {
            answer(number) + u64::from(number == 7)
        });
        assert!(wrong.expect_err("one answer is wrong").contains('7'));
    }

    #[test]
    fn a_loop_that_takes_too_long_ends_after_a_trip_that_counts() {
        let mut trips = 0;
        let call = |number| {
            trips += 1;
            answer(number)
        };
        assert!(closed_loop_within(Duration::ZERO, &Effort::SMOKE, call).is_ok());
        assert_eq!(trips, Effort::SMOKE.warmup + 1);
    }
}
