//! What only the waiter's inside can set: that CPU time is scarce.

use super::*;
use crate::scarcity::Scarcity;

#[test]
fn while_cpu_time_is_scarce_only_waits_that_are_nearly_always_near_spin() {
    static PARTICIPANTS: std::sync::LazyLock<Participants> =
        std::sync::LazyLock::new(|| Participants::new(2));
    let word = Arc::new(WaitWord::new());
    let max = Duration::from_micros(20);
    let mut waiter = Waiter::with_participants(word, max, &PARTICIPANTS);
    waiter.learning.scarcity = Scarcity::lasting();
    let request = SpinRequest::default();

    // At first all are taken to be near.
    assert_eq!(waiter.spin(&request, || false), Spin::Missed);
    for _ in 0..40 {
        waiter.spin(&request, || false);
    }
    let spins = waiter.stats().snapshot().spins;
    for _ in 0..1_000 {
        assert_eq!(waiter.spin(&request, || false), Spin::Skipped);
    }
    let stats = waiter.stats().snapshot();
    assert_eq!(stats.spins, spins);
    assert!(stats.spin_cuts > 0, "full tries are left out");

    waiter.spin_under_pressure(true);
    let missed = (0..100).filter(|_| waiter.spin(&request, || false) == Spin::Missed);
    assert!(missed.count() > 0, "full tries are back");
}
